//! The step to the provider.

use super::{Login, Pending, Purpose, words};
use crate::provider::Ask;
use crate::web::{Context, Problem, Response, ReturnPath, fields, first, see_other};
use http::HeaderValue;
use url::form_urlencoded;

/// An e-mail address is no longer (RFC 5321), and a hint that is more than one is none.
const MAX_HINT: usize = 254;
/// Buttons of other providers on an error page.
const MAX_OTHERS: usize = 4;

/// What travels from the sign-in page to the start of a flow.
#[derive(Clone, Copy)]
pub(super) struct Options<'a> {
    pub(super) next: &'a ReturnPath,
    pub(super) login_hint: Option<&'a str>,
    pub(super) remember: bool,
}

impl Login {
    /// `GET {prefix}/start/{provider}?next=&login_hint=&remember=1`: begins the flow.
    pub async fn start(&self, context: &Context, provider: &str, query: &str) -> Response {
        let Some(provider) = self.provider(provider) else {
            return self.unknown_provider(context, provider);
        };
        let query = fields(query.as_bytes());
        let next = self.next(first(&query, "next"));
        if !self.config.sign_in.enabled {
            return self.switched_off(context, &next);
        }
        if self.parts.browsers.is_looping(self.cookies(context)) {
            return self.looping(context, &next);
        }
        let config = provider.config();
        let remember = self.wants_to_be_remembered(context, &query);
        // The page's own e-mail field comes along when somebody fills it in and presses a button.
        let login_hint = hint(first(&query, "login_hint")).or(hint(first(&query, "email")));
        let start = match provider
            .start(Ask {
                login_hint,
                fresh: false,
            })
            .await
        {
            Ok(start) => start,
            Err(error) => {
                let options = Options {
                    next: &next,
                    login_hint,
                    remember,
                };
                let again = self.start_address(&config.id, &options);
                let problem =
                    words::provider(&error, &config.name).action("action.try_again", again);
                let problem = self.others(problem, &config.id, &next);
                return self.refuse(context, Some(&config.id), None, &problem);
            }
        };
        let token = self.parts.browsers.remember(
            self.cookies(context),
            Pending {
                provider: config.id.clone(),
                state: start.attempt.state().to_owned(),
                attempt: start.attempt,
                next,
                remember,
                purpose: Purpose::SignIn,
            },
        );
        let mut response = see_other(start.url.as_str());
        super::set_cookies(&mut response, &self.sign_in_cookie(&token));
        if self.has_just_left(context) {
            super::set_cookies(&mut response, &self.forget_leaving());
        }
        response
    }

    /// Whether the box is ticked, and there is one. A link elsewhere ticks it for nobody: the person
    /// may sit at a shared computer.
    pub(super) fn wants_to_be_remembered(
        &self,
        context: &Context,
        query: &[(String, String)],
    ) -> bool {
        self.remember.is_some()
            && first(query, "remember") == Some("1")
            && !context.is_from_another_site()
    }

    /// The other providers, as ways forward when one does not help; of many, the sign-in page shows
    /// them all.
    pub(super) fn others(&self, problem: Problem, but: &str, next: &ReturnPath) -> Problem {
        let others = self.parts.providers.iter().map(|other| other.config());
        let others: Vec<_> = others.filter(|other| other.id != but).collect();
        if others.len() > MAX_OTHERS {
            return problem.action("action.sign_in_another_way", self.sign_in_address(next));
        }
        let options = Options {
            next,
            login_hint: None,
            remember: false,
        };
        others.into_iter().fold(problem, |problem, other| {
            let address = self.start_address(&other.id, &options);
            problem.action_with(
                "action.sign_in_with",
                "provider",
                other.name.as_str(),
                address,
            )
        })
    }

    /// Where a provider's flow begins, with these options. Every value is percent-encoded.
    pub(super) fn start_address(&self, provider: &str, options: &Options<'_>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("next", options.next.as_str());
        if let Some(login_hint) = options.login_hint {
            query.append_pair("login_hint", login_hint);
        }
        if options.remember {
            query.append_pair("remember", "1");
        }
        self.address(&format!("/start/{provider}?{}", query.finish()))
    }

    /// Lives as long as the browser; the entry behind it ends much earlier. `Lax`, because the
    /// provider sends the browser back from another site. The prefix `__Host-` asks for `Path=/`.
    pub(super) fn sign_in_cookie(&self, token: &str) -> Option<HeaderValue> {
        let secure = if self.config.server.public_url.https {
            "; Secure"
        } else {
            ""
        };
        HeaderValue::from_str(&format!(
            "{}={token}; Path=/; HttpOnly; SameSite=Lax{secure}",
            self.cookie
        ))
        .ok()
    }
}

/// Who probably wants to sign in; anything odd is dropped, since a hint decides nothing.
fn hint(text: Option<&str>) -> Option<&str> {
    text.filter(|text| {
        (1..=MAX_HINT).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_short_visible_text_or_nothing() {
        assert_eq!(hint(Some("ana@example.com")), Some("ana@example.com"));
        let long = "a".repeat(MAX_HINT + 1);
        for bad in ["", "a b", "a\r\nb", "é", &long] {
            assert_eq!(hint(Some(bad)), None, "{bad:?}");
        }
        assert_eq!(hint(None), None);
    }
}
