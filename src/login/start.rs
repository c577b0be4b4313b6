//! The step to the provider.

use super::{Login, Pending, Purpose, words};
use crate::provider::Ask;
use crate::web::{Context, Response, ReturnPath, fields, first, see_other};
use http::HeaderValue;

/// An e-mail address is no longer (RFC 5321), and a hint that is more than one is none.
const MAX_HINT: usize = 254;

impl Login {
    /// `GET {prefix}/start/{provider}?next=&login_hint=&remember=1`: begins the flow.
    pub async fn start(&self, context: &Context, provider: &str, query: &str) -> Response {
        let Some(provider) = self.provider(provider) else {
            return self.unknown_provider(context, provider);
        };
        let query = fields(query.as_bytes());
        let next = self.next(first(&query, "next"));
        if self.parts.browsers.is_looping(self.cookies(context)) {
            return self.looping(context, &next);
        }
        let config = provider.config();
        let start = match provider
            .start(Ask {
                login_hint: hint(first(&query, "login_hint")),
                fresh: false,
            })
            .await
        {
            Ok(start) => start,
            Err(error) => {
                let again = format!("{}?next={}", self.start_address(&config.id), next.encoded());
                let problem = words::provider(&error, &config.name).action("Try again", again);
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
                remember: self.remember.is_some() && first(&query, "remember") == Some("1"),
                purpose: Purpose::SignIn,
            },
        );
        let mut response = see_other(start.url.as_str());
        super::set_cookies(&mut response, &self.sign_in_cookie(&token));
        response
    }

    /// The other providers, as ways forward while one is down.
    fn others(
        &self,
        problem: crate::web::Problem,
        but: &str,
        next: &ReturnPath,
    ) -> crate::web::Problem {
        let others = self.parts.providers.iter().map(|other| other.config());
        others
            .filter(|other| other.id != but)
            .fold(problem, |problem, other| {
                let address = format!("{}?next={}", self.start_address(&other.id), next.encoded());
                problem.action(format!("Sign in with {}", other.name), address)
            })
    }

    fn start_address(&self, provider: &str) -> String {
        self.address(&format!("/start/{provider}"))
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
