//! From verified claims to a session.

use super::{Login, words};
use crate::config;
use crate::directory::Subject;
use crate::mapping;
use crate::provider::VerifiedClaims;
use crate::session::{How, SignedIn, Visitor};
use crate::telemetry::audit::Event;
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
    /// Decides who it is, binds the name to the subject, and begins the session.
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
        let person = mapping::candidate(
            &claims,
            mapping::Rules {
                provider: config,
                users: &self.users,
                groups: &self.groups,
            },
        )
        .map(|c| c.person)
        .map_err(|refused| Refused {
            problem: words::mapping(refused.code(), &config.name).because(&refused),
            username: None,
        })?;
        let username = person.username.as_str().to_owned();
        let known_as = |problem| Refused {
            problem,
            username: Some(username.clone()),
        };
        let subject = Subject {
            issuer: claims.issuer().to_owned(),
            subject: claims.subject().to_owned(),
        };
        self.parts
            .identities
            .pin(&subject, &person.username)
            .await
            .map_err(|error| known_as(words::pin(&error, &username)))?;

        // A new identifier at every sign-in: whatever cookie was there before opens nothing now.
        let signed_in = SignedIn {
            person,
            how: How::Provider {
                id: config.id.clone(),
                issuer: subject.issuer.clone(),
                subject: subject.subject.clone(),
            },
            id_token: claims.id_token().cloned(),
            remember,
            max_age: None,
        };
        let (cookie, _) = self
            .parts
            .sessions
            .begin(visitor, signed_in)
            .await
            .map_err(|error| known_as(words::store(&error)))?;

        self.parts.browsers.completed(self.cookies(context));
        self.parts.metrics.sign_in(&config.id, "ok");
        self.parts.audit.record(
            &context.origin(),
            Event::SignIn {
                username: username.clone(),
                provider: config.id.clone(),
                issuer: subject.issuer,
                subject: subject.subject,
            },
        );
        let mut response = see_other(next.as_str());
        super::set_cookies(&mut response, [&cookie]);
        super::set_cookies(&mut response, &self.leftovers);
        Ok(response)
    }
}
