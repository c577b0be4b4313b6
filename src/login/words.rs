//! Which words a person reads when a sign-in does not work. The words stand with the languages.
//!
//! The reason in full goes into the problem's detail, which only the log shows.

use super::Lost;
use crate::directory;
use crate::identity::Invalid;
use crate::provider::{self, Blame};
use crate::provisioning;
use crate::web::Problem;
use http::{HeaderValue, StatusCode, header};

pub(super) fn provider(error: &provider::Error, name: &str) -> Problem {
    let problem = blame(error.blame(), error.code(), name).because(error);
    match error.code() {
        // The one failed check that a person can put right without reading the log.
        "expired" | "token_expired" | "issued_in_future" | "not_yet_valid" => {
            problem.cause("cause.clock")
        }
        _ => problem,
    }
}

/// The words for whoever is to blame. The code on the page tells administrators which check it was.
fn blame(blame: Blame, code: &'static str, name: &str) -> Problem {
    match blame {
        Blame::Client => Problem::told(StatusCode::BAD_REQUEST, "sign_in_incomplete"),
        Blame::Refused => Problem::told(StatusCode::FORBIDDEN, "provider_refused"),
        Blame::Provider => Problem::told(StatusCode::BAD_GATEWAY, "provider_not_trusted"),
        Blame::Gateway => Problem::told(StatusCode::INTERNAL_SERVER_ERROR, "provider_set_up"),
        Blame::Unreachable => Problem::told(StatusCode::GATEWAY_TIMEOUT, "provider_silent"),
    }
    .with_code(code)
    .with("provider", name)
}

/// By the mapping's code: each has something that the person, or the administrator, can do.
pub(super) fn mapping(code: &'static str, name: &str) -> Problem {
    let status = StatusCode::FORBIDDEN;
    match code {
        "unverified_email" => Problem::told(status, "unverified_email"),
        "domain_not_allowed" => Problem::told(status, "domain_not_allowed"),
        "no_email" => Problem::told(status, "no_email"),
        "inactive_account" => Problem::told(status, "inactive_account"),
        "no_username" => Problem::told(status, "no_username"),
        _ => Problem::told(status, "account_unusable").with_code(code),
    }
    .with("provider", name)
}

/// By the provisioning's code: what a person can do, and whom to ask.
pub(super) fn provisioning(error: &provisioning::Error, product: &str, username: &str) -> Problem {
    let status = StatusCode::FORBIDDEN;
    match error.code() {
        "unknown_in_bitbucket" => Problem::told(status, "unknown_in_bitbucket"),
        "ambiguous_in_bitbucket" => Problem::told(status, "ambiguous_in_bitbucket"),
        "no_mapped_group" => Problem::told(status, "no_mapped_group"),
        "inactive_in_bitbucket" => Problem::told(status, "inactive_in_bitbucket"),
        "no_email_for_bitbucket" => Problem::told(status, "no_email_for_bitbucket"),
        "bitbucket_licence" => Problem::told(status, "bitbucket_licence"),
        code if error.is_refusal() => Problem::told(status, "account_not_taken").with_code(code),
        code => not_found_out(product).with_code(code),
    }
    .with("product", product)
    .with("username", username)
}

/// "No groups" and "unknown" are different things where the others are removed.
pub(super) fn groups_unknown(name: &str) -> Problem {
    Problem::told(StatusCode::SERVICE_UNAVAILABLE, "groups_unknown")
        .with("provider", name)
        .header(header::RETRY_AFTER, HeaderValue::from_static("30"))
        .detail("userinfo failed, so the groups are not certain, and groups.keep_existing is false")
}

/// Whoever is asked does not answer as they should.
pub(super) fn not_found_out(product: &str) -> Problem {
    Problem::told(StatusCode::SERVICE_UNAVAILABLE, "provisioning_failed")
        .with("product", product)
        .header(header::RETRY_AFTER, HeaderValue::from_static("30"))
}

pub(super) fn test_not_allowed(provider: &str) -> Problem {
    Problem::told(StatusCode::FORBIDDEN, "test_not_allowed")
        .with("provider", provider)
        .detail("neither a member of admin.groups, nor the backdoor, nor an open one-time address")
}

pub(super) fn pin(error: &directory::Error, username: &str) -> Problem {
    let problem = match error {
        directory::Error::Taken { .. } => Problem::told(StatusCode::FORBIDDEN, "username_taken"),
        directory::Error::Renamed { pinned, .. } => {
            Problem::told(StatusCode::FORBIDDEN, "username_changed").with("pinned", pinned.as_str())
        }
        _ => unavailable("identity_store_failed"),
    };
    problem.with("username", username).because(error)
}

pub(super) fn store(error: &dyn std::error::Error) -> Problem {
    unavailable("session_store_failed").because(error)
}

fn unavailable(code: &'static str) -> Problem {
    Problem::told(StatusCode::SERVICE_UNAVAILABLE, "sign_in_unavailable")
        .with_code(code)
        .header(header::RETRY_AFTER, HeaderValue::from_static("30"))
}

pub(super) fn unknown_provider(id: &str) -> Problem {
    let id: String = id.chars().take(64).collect();
    Problem::told(StatusCode::NOT_FOUND, "unknown_provider")
        .detail(format!("no provider has the id {id:?}"))
}

/// Sign-in is off, by configuration.
pub(super) fn switched_off(product: &str) -> Problem {
    Problem::told(StatusCode::OK, "sign_in_off").with("product", product)
}

/// What is wrong with a typed address, for the person who typed it: a text's key.
pub(super) const fn not_an_address(invalid: &Invalid, ascii: bool) -> &'static str {
    match invalid {
        Invalid::Empty => "page.login.email_empty",
        Invalid::TooLong(_) => "page.login.email_too_long",
        _ if !ascii => "page.login.email_not_ascii",
        _ => "page.login.email_invalid",
    }
}

/// `public` is the one origin that browsers may begin at: a cookie that was set under another name of
/// the gateway does not come with the callback.
pub(super) fn lost(lost: Lost, public: &str) -> Problem {
    let status = StatusCode::BAD_REQUEST;
    match lost {
        Lost::NoCookie => {
            Problem::told(status, "sign_in_cookie_missing").with("public_url", public)
        }
        Lost::UnknownBrowser | Lost::UnknownState => {
            Problem::told(status, "sign_in_over").with_code(lost.code())
        }
        Lost::Expired => Problem::told(status, "state_expired"),
    }
    .because(&lost)
}

pub(super) fn no_state(name: &str) -> Problem {
    blame(Blame::Client, "state_missing", name).detail("the response has no state")
}

pub(super) fn oversized(name: &str) -> Problem {
    blame(Blame::Client, "response_too_large", name)
        .detail("the posted response is too large to come with the browser's cookies")
}

pub(super) fn mixed_up(began: &str, came: &str) -> Problem {
    Problem::told(StatusCode::BAD_REQUEST, "provider_mixed_up").detail(format!(
        "the sign-in was begun with \"{began}\" and came back to the callback of \"{came}\""
    ))
}

pub(super) fn sign_in_loop(product: &str) -> Problem {
    Problem::told(StatusCode::BAD_REQUEST, "sign_in_loop")
        .with("product", product)
        .detail("three completed sign-ins of one browser within 60 seconds")
}

pub(super) fn not_believed(product: &str, username: &str) -> Problem {
    Problem::told(StatusCode::BAD_GATEWAY, "identity_not_accepted")
        .with("product", product)
        .with("username", username)
        .detail("the upstream sent a person with an asserted identity to its sign-in page three times within 30 seconds")
}

/// A message of a log as a sentence of a page.
pub(super) fn sentence(message: &str) -> String {
    let mut chars = message.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).chain(['.']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Username;

    #[track_caller]
    fn check(problem: &Problem, status: u16, code: &str) {
        assert_eq!((problem.status.as_u16(), problem.code), (status, code));
    }

    #[test]
    fn the_status_says_who_is_to_blame() {
        check(&blame(Blame::Client, "c", "P"), 400, "c");
        check(&blame(Blame::Refused, "c", "P"), 403, "c");
        check(&blame(Blame::Provider, "c", "P"), 502, "c");
        check(&blame(Blame::Unreachable, "c", "P"), 504, "c");
    }

    #[test]
    fn a_name_of_somebody_else_is_a_refusal_and_a_broken_store_is_not() {
        let ana = Username::parse("ana").unwrap();
        let taken = directory::Error::Taken {
            username: ana.clone(),
            issuer: "https://idp".into(),
        };
        check(&pin(&taken, "ana"), 403, "username_taken");
        assert!(pin(&taken, "ana").detail.unwrap().contains("idp"));
        let renamed = directory::Error::Renamed {
            pinned: ana,
            claimed: Username::parse("bea").unwrap(),
        };
        check(&pin(&renamed, "bea"), 403, "username_changed");
        check(
            &store(&std::io::Error::other("disk")),
            503,
            "session_store_failed",
        );
    }

    #[test]
    fn every_lost_sign_in_has_its_own_code() {
        for (lost_one, code) in [
            (Lost::NoCookie, "sign_in_cookie_missing"),
            (Lost::UnknownBrowser, "sign_in_cookie_unknown"),
            (Lost::UnknownState, "state_unknown"),
            (Lost::Expired, "state_expired"),
        ] {
            check(&lost(lost_one, "https://git.example.com"), 400, code);
        }
        check(&no_state("P"), 400, "state_missing");
        check(&oversized("P"), 400, "response_too_large");
        check(
            &unknown_provider(&"x".repeat(9999)),
            404,
            "unknown_provider",
        );
        check(&mixed_up("a", "b"), 400, "provider_mixed_up");
    }

    #[test]
    fn a_loop_is_told_apart_from_a_stranger() {
        check(&sign_in_loop("the application"), 400, "sign_in_loop");
        check(
            &not_believed("the application", "ana"),
            502,
            "identity_not_accepted",
        );
    }
}
