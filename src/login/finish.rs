//! From verified claims to a session.

use super::{Login, words};
use crate::config::{self, Config, OnError};
use crate::directory::{Claim, Standing, Subject};
use crate::explain::{self, Finding};
use crate::identity::{Person, Username};
use crate::mapping::{self, Candidate};
use crate::provider::VerifiedClaims;
use crate::provisioning::plan::AccountChange;
use crate::provisioning::{self, Found};
use crate::session::{How, SignedIn, Visitor};
use crate::telemetry::audit::Event;
use crate::telemetry::trail::Stage;
use crate::web::{Context, Problem, Response, ReturnPath, see_other};

/// A person at the door: the provider vouches for the claims, and nothing is decided yet.
pub(super) struct Arrived<'a> {
    pub(super) config: &'a config::Provider,
    pub(super) claims: VerifiedClaims,
    pub(super) next: ReturnPath,
    pub(super) remember: bool,
}

/// Why the person stays outside.
pub(super) struct Refused {
    pub(super) problem: Problem,
    pub(super) username: Option<String>,
}

impl Login {
    /// Decides who it is, binds the name to the subject, makes Bitbucket know the person, and begins
    /// the session. In this order: nothing is written about somebody whose name is not theirs.
    pub(super) async fn finish(
        &self,
        context: &Context,
        visitor: &Visitor,
        arrived: Arrived<'_>,
    ) -> Result<Response, Refused> {
        let Arrived {
            config,
            claims,
            next,
            remember,
        } = arrived;
        self.tell_claims(context, config, &claims);
        let rules = mapping::Rules::of(&self.config, config);
        let candidate = mapping::candidate(&claims, rules).map_err(|refused| Refused {
            problem: words::mapping(refused.code(), &config.name).because(&refused),
            username: None,
        })?;
        if self.groups_are_unknown(&claims, rules) {
            return Err(Refused {
                problem: words::groups_unknown(&config.name),
                username: Some(candidate.person.username.as_str().to_owned()),
            });
        }
        let subject = Subject {
            issuer: claims.issuer().to_owned(),
            subject: claims.subject().to_owned(),
        };
        let (username, found) = self.find(context, &candidate, &subject).await?;
        let known_as = |problem| Refused {
            problem,
            username: Some(username.as_str().to_owned()),
        };
        let claim = self.claim(config, &subject, &username, &candidate);
        let standing = self.parts.identities.pin(claim).await;
        let standing = standing.map_err(|error| {
            let problem = words::pin(&error, username.as_str());
            let advice = Finding::of_pin(&error, &config.id, &subject, &username).advice;
            let detail = format!(
                "{}; {advice}",
                problem.detail.as_deref().unwrap_or_default()
            );
            known_as(problem.detail(detail))
        })?;
        self.tell(context, Stage::Pin, explain::pin(&standing, &username));
        if let Standing::Linked { issuer } = &standing {
            tracing::warn!(
                request.id = context.id.as_str(),
                user.name = username.as_str(),
                other.issuer = issuer,
                "a second subject was linked to a username by its verified address"
            );
        }
        if let Some(found) = found {
            self.make_known(context, &candidate, &username, found)
                .await?;
        }

        // A new identifier at every sign-in: whatever cookie was there before opens nothing now.
        let signed_in = SignedIn {
            person: Person {
                username: username.clone(),
                ..candidate.person
            },
            how: How::Provider {
                id: config.id.clone(),
                issuer: subject.issuer.clone(),
                subject: subject.subject.clone(),
            },
            id_token: claims.id_token().cloned(),
            remember,
            max_age: None,
            sid: claims.sid().map(str::to_owned),
            upkeep: claims.renewal().map(|renewal| {
                super::upkeep::next(renewal, &self.config.session, self.parts.clock.now())
            }),
            client: Some(context.client),
            browser: context.browser(),
        };
        let (cookie, _) = self
            .parts
            .sessions
            .begin(visitor, signed_in)
            .await
            .map_err(|error| known_as(words::store(&error)))?;

        self.parts.browsers.completed(self.cookies(context));
        self.parts.metrics.sign_in(&config.id, "ok");
        self.tell_success(context, &config.id, username.as_str());
        self.parts.audit.record(
            &context.origin(),
            Event::SignIn {
                username: username.as_str().to_owned(),
                provider: config.id.clone(),
                issuer: subject.issuer,
                subject: subject.subject,
            },
        );
        let mut response = see_other(next.as_str());
        super::set_cookies(&mut response, [&cookie]);
        super::set_cookies(&mut response, &self.leftovers);
        super::set_cookies(&mut response, &self.remember_provider(&config.id));
        Ok(response)
    }

    /// Whether memberships would be removed by the word of a provider that has not said everything.
    pub(super) fn groups_are_unknown(
        &self,
        claims: &VerifiedClaims,
        rules: mapping::Rules<'_>,
    ) -> bool {
        let groups = &self.config.groups;
        let may_remove = self.parts.provisioner.is_some()
            && groups.mode != config::GroupMode::Off
            && groups.update_existing
            && !groups.keep_existing;
        claims.lacks_userinfo() && may_remove && !mapping::groups_are_certain(claims, rules)
    }

    /// Who the candidate is where people are made known; the candidate's own name where nobody is.
    async fn find(
        &self,
        context: &Context,
        candidate: &Candidate,
        subject: &Subject,
    ) -> Result<(Username, Option<Found>), Refused> {
        let own = &candidate.person.username;
        let Some(provisioner) = &self.parts.provisioner else {
            return Ok((own.clone(), None));
        };
        let error = match provisioner.find(candidate).await {
            Ok(found) => return Ok((found.username().clone(), Some(found))),
            Err(error) => error,
        };
        self.tolerate(context, own, error)?;
        // Which name the address has in Bitbucket is not known now. The pin knows it, if there is
        // one; a guess could be somebody else.
        let username = match self.config.users.match_by {
            config::MatchBy::Username => own.clone(),
            config::MatchBy::Email => match self.parts.identities.find(subject).await {
                Ok(Some(pinned)) => pinned.username,
                Ok(None) => {
                    return Err(Refused {
                        problem: words::not_found_out(self.product),
                        username: None,
                    });
                }
                Err(error) => {
                    return Err(Refused {
                        problem: words::pin(&error, own.as_str()),
                        username: None,
                    });
                }
            },
        };
        Ok((username, None))
    }

    async fn make_known(
        &self,
        context: &Context,
        candidate: &Candidate,
        username: &Username,
        found: Found,
    ) -> Result<(), Refused> {
        let Some(provisioner) = &self.parts.provisioner else {
            return Ok(());
        };
        match provisioner.apply(found, candidate).await {
            Ok(plan) if plan.is_empty() => {
                self.tell(context, Stage::Provisioning, "nothing had to change");
                Ok(())
            }
            Ok(plan) => {
                let outcome = match plan.account {
                    AccountChange::Create { .. } => "created",
                    AccountChange::Update { .. } | AccountChange::Keep => "updated",
                };
                self.provisioned(context, username, outcome, plan.decisions);
                Ok(())
            }
            Err(error) => self.tolerate(context, username, error),
        }
    }

    /// Whether a sign-in goes on in spite of this.
    pub(super) fn admits(&self, error: &provisioning::Error) -> bool {
        !error.is_refusal() && self.config.provisioning.on_error == OnError::Allow
    }

    /// A refusal refuses. A failure does what `provisioning.on_error` says; either way it is known
    /// afterwards.
    #[expect(
        clippy::result_large_err,
        reason = "a refusal is made once, at the end of a sign-in that took many calls"
    )]
    fn tolerate(
        &self,
        context: &Context,
        username: &Username,
        error: provisioning::Error,
    ) -> Result<(), Refused> {
        let problem = words::provisioning(&error, self.product, username.as_str()).because(&error);
        let detail = problem.detail.clone().unwrap_or_default();
        let admits = self.admits(&error);
        let outcome = match (error.is_refusal(), admits) {
            (true, _) => "refused",
            (false, true) => "failed_and_admitted",
            (false, false) => "failed",
        };
        self.provisioned(context, username, outcome, vec![detail.clone()]);
        if admits {
            tracing::error!(
                request.id = context.id.as_str(),
                user.name = username.as_str(),
                code = error.code(),
                ?detail,
                "somebody signed in whom provisioning could not see to"
            );
            return Ok(());
        }
        Err(Refused {
            problem,
            username: Some(username.as_str().to_owned()),
        })
    }

    fn provisioned(
        &self,
        context: &Context,
        username: &Username,
        outcome: &str,
        changes: Vec<String>,
    ) {
        for change in &changes {
            let detail = format!("{outcome}: {change}");
            self.tell(context, Stage::Provisioning, detail);
        }
        let event = Event::Provisioning {
            username: username.as_str().to_owned(),
            outcome: outcome.to_owned(),
            changes,
        };
        self.parts.audit.record(&context.origin(), event);
    }

    /// What the pin is asked about a candidate.
    pub(super) fn claim(
        &self,
        config: &config::Provider,
        subject: &Subject,
        username: &Username,
        candidate: &Candidate,
    ) -> Claim {
        claim(&self.config, config, subject, username, candidate)
    }
}

/// What the pin is asked about a candidate of this provider.
pub(super) fn claim(
    config: &Config,
    provider: &config::Provider,
    subject: &Subject,
    username: &Username,
    candidate: &Candidate,
) -> Claim {
    let users = &config.users;
    let trusted = users.link_by_verified_email && users.link_providers.contains(&provider.id);
    Claim {
        subject: subject.clone(),
        provider: provider.id.clone(),
        username: username.clone(),
        verified_email: candidate.verified_email.clone(),
        link_by: match trusted {
            true => users.link_providers.clone(),
            false => Vec::new(),
        },
        facts: serde_json::to_string(candidate).ok(),
    }
}
