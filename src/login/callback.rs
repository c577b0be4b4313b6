//! The way back from the provider.

use super::{Login, Lost, Purpose, words};
use crate::provider::CallbackParams;
use crate::session::Visitor;
use crate::web::{Context, Problem, Response, ReturnPath, first, see_other};
use http::StatusCode;

/// What of a response may travel in an address: the fields of the code flow (RFC 6749 §4.1.2,
/// RFC 9207, OpenID Connect Session Management §2), and no token that a confused provider adds.
const FIELDS: [&str; 7] = [
    "code",
    "state",
    "iss",
    "error",
    "error_description",
    "error_uri",
    "session_state",
];
/// Longer addresses are refused by servers and proxies on the way.
const MAX_QUERY: usize = 6 * 1024;

/// How the provider's response came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// In the query of a `GET`.
    Query,
    /// In the form of a `POST` (OAuth 2.0 Form Post Response Mode).
    Form,
}

impl Login {
    /// `GET` or `POST {prefix}/callback/{provider}`: finishes the flow that this browser began.
    pub async fn callback(
        &self,
        context: &Context,
        visitor: &Visitor,
        provider: &str,
        response: &CallbackParams,
        arrival: Arrival,
    ) -> Response {
        let Some(provider) = self.provider(provider) else {
            return self.unknown_provider(context, provider);
        };
        let config = provider.config();
        // A form comes from the provider's site, and browsers send no `Lax` cookie with a `POST`
        // from another site. They do with the `GET` that a 303 leads to. The alternative, a cookie
        // with `SameSite=None`, would be third-party, which browsers are doing away with, and would
        // not work on plain http. The code shows in one address of ours for that: it works once,
        // and only with the verifier that never leaves this process.
        if arrival == Arrival::Form && self.cookies(context).next().is_none() {
            return match query(response) {
                Some(query) => {
                    see_other(&self.address(&format!("/callback/{}?{query}", config.id)))
                }
                None => {
                    let problem = self.way_back(words::oversized(&config.name));
                    self.refuse(context, Some(&config.id), None, &problem)
                }
            };
        }
        let Some(state) = first(response, "state") else {
            let problem = self.way_back(words::no_state(&config.name));
            return self.refuse(context, Some(&config.id), None, &problem);
        };
        // Spent before anything is looked at: whatever is wrong with this response, there is no
        // second try with the same state, nonce and verifier.
        let pending = match self.parts.browsers.spend(self.cookies(context), state) {
            Ok(pending) => pending,
            Err(lost) => return self.lost(context, visitor, &config.id, lost),
        };
        // Each provider has its own callback address, so that a response of one cannot pass for
        // another's (RFC 9700 §4.4.2.2).
        if pending.provider != config.id {
            let problem = self.way_back(words::mixed_up(&pending.provider, &config.id));
            return self.refuse(context, Some(&config.id), None, &problem);
        }
        if pending.purpose == Purpose::Test {
            return match provider.finish(pending.attempt, response).await {
                Ok(claims) => self.test_result(context, provider, &claims).await,
                Err(error) => self.test_failed(context, config, &error),
            };
        }
        let next = pending.next;
        if !self.config.sign_in.enabled {
            return self.switched_off(context, &next);
        }
        let again = self.sign_in_address(&next);
        let claims = match provider.finish(pending.attempt, response).await {
            Ok(claims) => claims,
            Err(error) => {
                let problem =
                    words::provider(&error, &config.name).action("action.sign_in_again", again);
                let problem = self.others(problem, &config.id, &next);
                return self.refuse(context, Some(&config.id), None, &problem);
            }
        };
        let arrived = super::finish::Arrived {
            config,
            claims,
            next: next.clone(),
            remember: pending.remember,
        };
        match self.finish(context, visitor, arrived).await {
            Ok(response) => response,
            Err(refused) => {
                let mut problem = refused.problem.action("action.sign_in_again", again);
                // It is about the account there. When something of ours is broken, it is broken for
                // every account.
                if problem.status == StatusCode::FORBIDDEN {
                    problem = self.others(problem, &config.id, &next);
                }
                self.refuse(context, Some(&config.id), refused.username, &problem)
            }
        }
    }

    /// Back, reload, another browser, an old tab, a restart: nothing to finish, and no reason to
    /// frighten anybody.
    fn lost(&self, context: &Context, visitor: &Visitor, provider: &str, lost: Lost) -> Response {
        if let Visitor::Known(_) = visitor {
            tracing::debug!(request.id = context.id.as_str(), code = lost.code(), %provider, "a signed-in person came back to a callback");
            let problem = Problem::told(StatusCode::OK, "already_signed_in")
                .with("product", self.product)
                .action("action.continue_to_product", "/");
            return self.show(context, &problem);
        }
        let problem = self.way_back(words::lost(lost, &self.config.server.public_url.text));
        self.refuse(context, Some(provider), None, &problem)
    }

    fn way_back(&self, problem: Problem) -> Problem {
        problem.action(
            "action.sign_in_again",
            self.sign_in_address(&ReturnPath::root()),
        )
    }
}

/// The response as a query, repeats and order kept so that the checks see what came; nothing if it
/// is too long to be one.
fn query(response: &CallbackParams) -> Option<String> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in response {
        if FIELDS.contains(&name.as_str()) {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    (query.len() <= MAX_QUERY).then_some(query)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::fields;

    #[track_caller]
    fn check(form: &str, want: Option<&str>) {
        assert_eq!(query(&fields(form.as_bytes())).as_deref(), want, "{form}");
    }

    #[test]
    fn a_posted_response_becomes_the_same_query() {
        check("code=a%2Bb&state=x%0Dy", Some("code=a%2Bb&state=x%0Dy"));
        check("state=1&state=2&error=e", Some("state=1&state=2&error=e"));
    }

    #[test]
    fn no_token_gets_into_an_address() {
        check("id_token=ey&access_token=x&state=1", Some("state=1"));
    }

    #[test]
    fn an_oversized_response_is_not_sent_round() {
        check(&format!("code={}", "a".repeat(MAX_QUERY)), None);
    }
}
