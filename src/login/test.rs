//! The test page: a real sign-in that begins no session and writes nothing down, and then a page with
//! everything that it would have done, and why.

use super::{Login, Pending, Purpose, words};
use crate::config;
use crate::directory::Subject;
use crate::explain::{self, Finding, Report};
use crate::mapping::{Candidate, Rules};
use crate::provider::{self, Ask, Provider, VerifiedClaims};
use crate::session::Visitor;
use crate::telemetry::audit::Event;
use crate::web::{Context, FormTargets, Problem, Response, ReturnPath, fields, first, see_other};
use http::StatusCode;
use minijinja::context;

impl Login {
    /// `GET {prefix}/test/{provider}?ticket=`: begins a sign-in with fresh authentication, for an
    /// administrator or whoever has a one-time address.
    pub async fn test(
        &self,
        context: &Context,
        visitor: &Visitor,
        provider: &str,
        query: &str,
    ) -> Response {
        let Some(provider) = self.provider(provider) else {
            return self.unknown_provider(context, provider);
        };
        let config = provider.config();
        let query = fields(query.as_bytes());
        let by_ticket =
            first(&query, "ticket").is_some_and(|it| self.parts.tickets.spend(&config.id, it));
        if !by_ticket && visitor.administrator(&self.config).is_none() {
            return self.not_for_you(context, visitor, &config.id);
        }
        let ask = Ask {
            login_hint: None,
            fresh: true,
        };
        let start = match provider.start(ask).await {
            Ok(start) => start,
            Err(error) => return self.test_failed(context, config, &error),
        };
        let token = self.parts.browsers.remember(
            self.cookies(context),
            Pending {
                provider: config.id.clone(),
                state: start.attempt.state().to_owned(),
                attempt: start.attempt,
                next: ReturnPath::root(),
                remember: false,
                purpose: Purpose::Test,
            },
        );
        let mut response = see_other(start.url.as_str());
        super::set_cookies(&mut response, &self.sign_in_cookie(&token));
        response
    }

    fn not_for_you(&self, context: &Context, visitor: &Visitor, provider: &str) -> Response {
        let (username, action) = match visitor {
            Visitor::Known(live) => {
                let username = live.person().username.as_str().to_owned();
                (Some(username), ("action.back_to_start", "/".to_owned()))
            }
            Visitor::Stranger => (
                None,
                ("action.sign_in", self.sign_in_address(&ReturnPath::root())),
            ),
        };
        let problem = words::test_not_allowed(provider).action(action.0, action.1);
        self.refuse(context, Some(provider), username, &problem)
    }

    /// The provider would not sign anybody in: the one page of ours that says why in full, because
    /// an administrator reads it.
    pub(super) fn test_failed(
        &self,
        context: &Context,
        config: &config::Provider,
        error: &provider::Error,
    ) -> Response {
        let problem = words::provider(error, &config.name).because(error);
        self.tested(context, &config.id, problem.code);
        tracing::warn!(
            request.id = context.id.as_str(),
            code = problem.code,
            provider = config.id,
            detail = ?problem.detail.as_deref().unwrap_or_default(),
            "a test of the sign-in failed"
        );
        let again = self.test_address(&config.id);
        let detail = problem.detail.clone().unwrap_or_default();
        let problem = Problem::told(problem.status, "test_failed")
            .with_code(problem.code)
            .with("provider", config.name.as_str())
            .logged_cause(words::sentence(&detail))
            .logged_cause(words::sentence(&error.remedy()))
            .action("action.test_again", again);
        self.show(context, &problem)
    }

    /// The page with everything that these claims would have done.
    pub(super) async fn test_result(
        &self,
        context: &Context,
        provider: &Provider,
        claims: &VerifiedClaims,
    ) -> Response {
        let config = provider.config();
        let mut report = Report::of(&self.config, config, claims);
        if self.groups_are_unknown(claims, Rules::of(&self.config, config)) {
            report.problems.push(Finding::of_unknown_groups());
        }
        if let Some(candidate) = report.examined.candidate.clone() {
            self.ask_the_living(config, claims, &candidate, &mut report)
                .await;
        }
        let outcome = match (report.problems.first(), &report.person) {
            (Some(problem), _) => problem.code.clone(),
            (None, Some(person)) => person.username.clone(),
            (None, None) => "nobody".to_owned(),
        };
        self.tested(context, &config.id, &outcome);
        self.parts.pages.render(
            context,
            "test.html",
            StatusCode::OK,
            FormTargets::Nowhere,
            context! {
                provider => config.name.as_str(),
                product => self.product,
                again => self.test_address(&config.id),
                report => minijinja::value::Serde(&report),
            },
        )
    }

    /// What the pin and the target would say, without a change to either.
    async fn ask_the_living(
        &self,
        config: &config::Provider,
        claims: &VerifiedClaims,
        candidate: &Candidate,
        report: &mut Report,
    ) {
        let mut username = candidate.person.username.clone();
        if let Some(provisioner) = &self.parts.provisioner {
            match provisioner.preview(candidate).await {
                Ok(preview) => {
                    report.live.account = Some(explain::account(&preview, self.product));
                    report.live.plan = Some(preview.plan);
                    username = preview.username;
                }
                Err(error) if self.admits(&error) => {
                    report.live.account = Some(explain::unasked(&error));
                }
                Err(error) => {
                    let finding = Finding::of_target(&error);
                    // What claims alone tell is there already.
                    if !report
                        .problems
                        .iter()
                        .any(|known| known.code == finding.code)
                    {
                        report.problems.push(finding);
                    }
                }
            }
        }
        report.rename(&self.config, candidate, &username);
        let subject = Subject {
            issuer: claims.issuer().to_owned(),
            subject: claims.subject().to_owned(),
        };
        let claim = self.claim(config, &subject, &username, candidate);
        match self.parts.identities.standing(claim).await {
            Ok(standing) => report.live.pin = Some(explain::pin(&standing, &username)),
            Err(error) => {
                let finding = Finding::of_pin(&error, &config.id, &subject, &username);
                report.problems.push(finding);
            }
        }
    }

    fn tested(&self, context: &Context, provider: &str, outcome: &str) {
        let event = Event::Test {
            provider: provider.to_owned(),
            outcome: outcome.to_owned(),
        };
        self.parts.audit.record(&context.origin(), event);
    }

    fn test_address(&self, provider: &str) -> String {
        self.address(&format!("/test/{provider}"))
    }
}
