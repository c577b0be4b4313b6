//! What a person reads when a sign-in does not work: the cause in plain words, and what to do.
//!
//! The reason in full goes into the problem's detail, which only the log shows.

use super::Lost;
use crate::directory;
use crate::identity::Invalid;
use crate::provider::{self, Blame};
use crate::provisioning;
use crate::web::Problem;
use http::{HeaderValue, StatusCode, header};
use std::time::Duration;

pub(super) fn provider(error: &provider::Error, name: &str) -> Problem {
    let problem = blame(error.blame(), error.code(), name).because(error);
    match error.code() {
        // The one failed check that a person can put right without reading the log.
        "expired" | "token_expired" | "issued_in_future" | "not_yet_valid" => {
            problem.cause(format!(
                "The clock of this gateway and the clock of {name} differ by more than a little."
            ))
        }
        _ => problem,
    }
}

/// The words for whoever is to blame. The code on the page tells administrators which check it was.
fn blame(blame: Blame, code: &'static str, name: &str) -> Problem {
    match blame {
        Blame::Client => Problem::new(
            StatusCode::BAD_REQUEST,
            code,
            "This sign-in could not be completed",
            format!(
                "What your browser brought back from {name} cannot be used. It may be old, or something changed it on the way. Please begin again."
            ),
        ),
        Blame::Refused => Problem::new(
            StatusCode::FORBIDDEN,
            code,
            format!("{name} did not sign you in"),
            format!(
                "Either you said no on {name}'s page, or {name} did not let you in. Please try again. If it says no every time, ask your administrator whether your account there may be used here."
            ),
        ),
        Blame::Provider => Problem::new(
            StatusCode::BAD_GATEWAY,
            code,
            format!("{name} gave an answer that we cannot trust"),
            format!(
                "The answer failed a check, so nobody was signed in. It is not your fault, and your account at {name} is fine. You can try again; if it does not help, your administrator needs the request id below."
            ),
        ),
        Blame::Gateway => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            code,
            "This gateway is not set up right",
            format!(
                "Signing in with {name} cannot work until your administrator has mended the set-up. The request id below leads to the reason."
            ),
        ),
        Blame::Unreachable => Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            code,
            format!("{name} does not answer"),
            format!(
                "We could not reach {name} to sign you in. It is not your fault. Please try again in a minute."
            ),
        ),
    }
}

/// By the mapping's code: each has something that the person, or the administrator, can do.
pub(super) fn mapping(code: &'static str, name: &str) -> Problem {
    let (title, message) = match code {
        "unverified_email" => (
            "Your e-mail address is not verified",
            format!(
                "{name} says that your e-mail address has not been verified. Verify it there (look for a message with a link in your inbox), then sign in again."
            ),
        ),
        "domain_not_allowed" => (
            "Your e-mail address may not be used here",
            format!(
                "Only addresses of certain organizations may sign in, and the one of your account at {name} is not among them. If you have another account there, sign out of {name} and sign in with that one."
            ),
        ),
        "no_email" => (
            "Your account has no e-mail address",
            format!(
                "{name} did not tell us an e-mail address, and without one we cannot know who you are here. Add one to your account there, or allow {name} to share it, and sign in again."
            ),
        ),
        "inactive_account" => (
            "Your account is switched off",
            format!(
                "{name} says that your account there is not active. Ask whoever administers {name} to switch it on again."
            ),
        ),
        "no_username" => (
            "Your account has no username for here",
            format!(
                "{name} did not tell us the name under which you are known here. Ask your administrator to look at your account's profile there, with the request id below."
            ),
        ),
        _ => (
            "Your account cannot be used here",
            format!(
                "{name} signed you in, but what it tells about your account does not make a valid user here. Ask your administrator, with the request id below: the log names the rule."
            ),
        ),
    };
    Problem::new(StatusCode::FORBIDDEN, code, title, message)
}

/// By the provisioning's code: what a person can do, and whom to ask.
pub(super) fn provisioning(error: &provisioning::Error, product: &str, username: &str) -> Problem {
    let (status, title, message) = match error.code() {
        "unknown_in_bitbucket" => (
            StatusCode::FORBIDDEN,
            format!("{} does not know you yet", capitalized(product)),
            format!(
                "You signed in, but there is no account for you in {product}, and accounts are not made by signing in here. Ask the administrators of {product} for an account named \"{username}\", and tell them the request id below."
            ),
        ),
        "ambiguous_in_bitbucket" => (
            StatusCode::FORBIDDEN,
            "Several accounts have your e-mail address".to_owned(),
            format!(
                "{} has more than one account with your address, and which one is yours cannot be guessed. Ask its administrators to leave the address with one of them.",
                capitalized(product)
            ),
        ),
        "no_mapped_group" => (
            StatusCode::FORBIDDEN,
            "None of your groups may use this".to_owned(),
            format!(
                "New accounts in {product} are only made for members of certain groups. Ask your administrator which group you need, and who can put you into it."
            ),
        ),
        "inactive_in_bitbucket" => (
            StatusCode::FORBIDDEN,
            "Your account is switched off".to_owned(),
            format!(
                "The account \"{username}\" in {product} is not active. Ask the administrators of {product} to switch it on again."
            ),
        ),
        "no_email_for_bitbucket" => (
            StatusCode::FORBIDDEN,
            "Your account has no e-mail address".to_owned(),
            format!(
                "{} needs an e-mail address to make an account for you. Add one where you signed in, or allow it to be shared, and sign in again.",
                capitalized(product)
            ),
        ),
        "bitbucket_licence" => (
            StatusCode::FORBIDDEN,
            format!("{} has no free place", capitalized(product)),
            format!(
                "The licence of {product} is used up, so no account could be made for you. Ask the administrators of {product}, with the request id below."
            ),
        ),
        _ if error.is_refusal() => (
            StatusCode::FORBIDDEN,
            "Your account cannot be used here".to_owned(),
            format!(
                "You signed in, but {product} cannot take your account as it is. Ask your administrator, with the request id below: the log names the rule."
            ),
        ),
        _ => return not_found_out(product).with_code(error.code()),
    };
    Problem::new(status, error.code(), title, message)
}

/// "No groups" and "unknown" are different things where the others are removed.
pub(super) fn groups_unknown(name: &str) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "groups_unknown",
        format!("{name} did not tell everything about you"),
        format!(
            "You signed in, but {name} did not say which groups you are in, and without that you could lose your groups here. It is not your fault. Please try again in a minute."
        ),
    )
    .header(header::RETRY_AFTER, HeaderValue::from_static("30"))
    .detail("userinfo failed, so the groups are not certain, and groups.keep_existing is false")
}

/// Whoever is asked does not answer as they should.
pub(super) fn not_found_out(product: &str) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "provisioning_failed",
        "Your account could not be made ready",
        format!(
            "You signed in, but {product} did not let us look after your account. It is not your fault. Please try again in a minute."
        ),
    )
    .header(header::RETRY_AFTER, HeaderValue::from_static("30"))
}

pub(super) fn test_not_allowed(provider: &str) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "test_not_allowed",
        "This page is for administrators",
        format!(
            "It shows everything that a provider tells about an account. Members of the groups in admin.groups may open it. So may whoever has a one-time address: portcullis test-url --provider {provider} prints one on the server. Such an address works once, for 15 minutes."
        ),
    )
    .detail("neither a member of admin.groups, nor the backdoor, nor an open one-time address")
}

pub(super) fn pin(error: &directory::Error, username: &str) -> Problem {
    let problem = match error {
        directory::Error::Taken { .. } => Problem::new(
            StatusCode::FORBIDDEN,
            "username_taken",
            "This name belongs to somebody else",
            format!(
                "Another account has already signed in here as \"{username}\". If that was you with another account, use that one. Otherwise ask your administrator, with the request id below."
            ),
        ),
        directory::Error::Renamed { pinned, .. } => Problem::new(
            StatusCode::FORBIDDEN,
            "username_changed",
            "Your name has changed",
            format!(
                "You signed in as \"{username}\", but this account is known here as \"{pinned}\". Ask your administrator to join the two, with the request id below."
            ),
        ),
        _ => unavailable("identity_store_failed"),
    };
    problem.because(error)
}

pub(super) fn store(error: &dyn std::error::Error) -> Problem {
    unavailable("session_store_failed").because(error)
}

fn unavailable(code: &'static str) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        code,
        "Signing in does not work at the moment",
        "We could not write down that you signed in. It is not your fault. Please try again in a minute.",
    )
    .header(header::RETRY_AFTER, HeaderValue::from_static("30"))
}

pub(super) fn unknown_provider(id: &str) -> Problem {
    let id: String = id.chars().take(64).collect();
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown_provider",
        "There is no such way to sign in",
        "The address may be from an earlier set-up. Please begin at the sign-in page.",
    )
    .detail(format!("no provider has the id {id:?}"))
}

/// Sign-in is off, by configuration.
pub(super) fn switched_off(product: &str) -> Problem {
    Problem::new(
        StatusCode::OK,
        "sign_in_off",
        "Signing in here is switched off",
        format!(
            "At the moment, {product} signs people in itself. Go on to {product} and use its own sign-in."
        ),
    )
}

/// What is wrong with a typed address, for the person who typed it.
pub(super) fn not_an_address(invalid: &Invalid, ascii: bool) -> String {
    match invalid {
        Invalid::Empty => "Type your e-mail address, or choose below.".to_owned(),
        Invalid::TooLong(_) => "This is too long for an e-mail address. Check it, or choose below.".to_owned(),
        _ if !ascii => "Only plain letters can be read here, without accents: write an address such as ana@b\u{fc}cher.example as ana@xn--bcher-kva.example, or choose below.".to_owned(),
        _ => "This is not an e-mail address such as name@example.com. Check it, or choose below.".to_owned(),
    }
}

/// No rule knows the domain of an address. The domain is all that was looked at.
pub(super) fn nobodys_address(domain: &str) -> String {
    format!(
        "Addresses that end in @{domain} have no sign-in of their own here. Choose below where you have your account."
    )
}

/// `public` is the one origin that browsers may begin at: a cookie that was set under another name of
/// the gateway does not come with the callback.
pub(super) fn lost(lost: Lost, public: &str) -> Problem {
    let (title, message) = match lost {
        Lost::NoCookie => (
            "This browser did not begin this sign-in",
            "A sign-in has to end in the browser in which it began, and that browser has to keep cookies. Please sign in from here.",
        ),
        Lost::UnknownBrowser | Lost::UnknownState => (
            "This sign-in is already over",
            "The page you came back to belongs to a sign-in that was completed or replaced, or that began before a restart. This happens with the Back button, a reload, or an old tab. Please sign in from here.",
        ),
        Lost::Expired => (
            "This sign-in took too long",
            "More than 30 minutes passed since you began. Please sign in again; it will be quicker this time.",
        ),
    };
    let problem = Problem::new(StatusCode::BAD_REQUEST, lost.code(), title, message).because(&lost);
    match lost {
        Lost::NoCookie => problem
            .cause("You opened a link that somebody sent you.")
            .cause("Your browser blocks cookies for this site.")
            .cause(format!(
                "You began at another address of this site than {public}."
            )),
        _ => problem,
    }
}

pub(super) fn no_state(name: &str) -> Problem {
    blame(Blame::Client, "state_missing", name).detail("the response has no state")
}

pub(super) fn oversized(name: &str) -> Problem {
    blame(Blame::Client, "response_too_large", name)
        .detail("the posted response is too large to come with the browser's cookies")
}

pub(super) fn mixed_up(began: &str, came: &str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "provider_mixed_up",
        "This answer came from the wrong place",
        "You began to sign in at one place, and the answer came from another. Nobody was signed in. Please begin again.",
    )
    .detail(format!(
        "the sign-in was begun with \"{began}\" and came back to the callback of \"{came}\""
    ))
}

pub(super) fn sign_in_loop(product: &str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "sign_in_loop",
        "You keep being asked to sign in",
        "You signed in three times within a minute, each time with success, and each time you were asked again. Once more would not help, so we stopped here.",
    )
    .cause("Your browser does not keep the session cookie: cookies are blocked for this site, or you use another address (http instead of https, or another host name) than the one it is set up for.")
    .cause("A clock is wrong, on this computer or on the server, so that the session is over as soon as it begins.")
    .cause(format!("{} does not trust the identity that it is told, and sends you back here.", capitalized(product)))
    .detail("three completed sign-ins of one browser within 60 seconds")
}

pub(super) fn not_believed(product: &str, username: &str) -> Problem {
    let product = capitalized(product);
    Problem::new(
        StatusCode::BAD_GATEWAY,
        "identity_not_accepted",
        format!("{product} did not accept who you are"),
        format!("You are signed in here as \"{username}\", but {product} keeps asking you to sign in. Your administrator needs to look at it."),
    )
    .cause(format!("{product} is not set up to trust the identity header: what reads it is missing, switched off, or expects another header name."))
    .cause(format!("{product} has no active user \"{username}\", or that user may not use it."))
    .cause(format!("Something between this gateway and {product} removes the header."))
    .detail("the upstream sent a person with an asserted identity to its sign-in page three times within 30 seconds")
}

/// A message of a log as a sentence of a page.
pub(super) fn sentence(message: &str) -> String {
    capitalized(message) + "."
}

fn capitalized(product: &str) -> String {
    let mut chars = product.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

/// A length of time in words, rounded down: "30 days", "12 hours", "5 minutes".
pub(super) fn duration(length: Duration) -> String {
    let minutes = length.as_secs() / 60;
    let (count, unit) = match minutes {
        0..60 => (minutes.max(1), "minute"),
        60..2_880 => (minutes / 60, "hour"),
        _ => (minutes / 1_440, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Username;

    #[track_caller]
    fn check(problem: &Problem, status: u16, code: &str) {
        assert_eq!((problem.status.as_u16(), problem.code), (status, code));
        assert!(!problem.title.is_empty() && problem.message.ends_with('.'));
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
        // Who else has it is for the log alone.
        assert!(!pin(&taken, "ana").message.contains("idp"));
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
    fn a_sign_in_that_began_under_another_name_is_told_the_right_one() {
        let problem = lost(Lost::NoCookie, "https://git.example.com");
        assert!(
            problem
                .causes
                .iter()
                .any(|it| it.contains("https://git.example.com"))
        );
    }

    #[test]
    fn a_loop_names_its_suspects() {
        assert_eq!(sign_in_loop("the application").causes.len(), 3);
        assert_eq!(not_believed("Bitbucket", "ana").causes.len(), 3);
        check(
            &not_believed("the application", "ana"),
            502,
            "identity_not_accepted",
        );
    }

    #[test]
    fn a_length_of_time_is_said_in_words() {
        for (secs, want) in [
            (2_592_000, "30 days"),
            (86_400, "24 hours"),
            (3_600, "1 hour"),
            (90, "1 minute"),
            (0, "1 minute"),
        ] {
            assert_eq!(duration(Duration::from_secs(secs)), want);
        }
    }
}
