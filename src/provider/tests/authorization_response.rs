//! What the browser brings back.

use super::*;

/// Finishes with the response as this leaves it.
async fn check(edit: impl Fn(&mut Params) + Send + 'static, expected: Result<(), &str>) {
    let world = world(|script| script.response = Box::new(edit), |_| {}).await;
    let result = world.sign_in().await;
    assert_eq!(result.as_ref().map(drop).map_err(Error::code), expected);
    if expected.is_err() {
        assert!(
            world.fake.requests("/token").is_empty(),
            "no code is redeemed after a bad response"
        );
    }
}

fn set(params: &mut Params, name: &str, value: &str) {
    params.retain(|(n, _)| n != name);
    params.push((name.to_owned(), value.to_owned()));
}

fn remove(params: &mut Params, name: &str) {
    params.retain(|(n, _)| n != name);
}

fn push(params: &mut Params, name: &str, value: &str) {
    params.push((name.to_owned(), value.to_owned()));
}

#[tokio::test]
async fn ensure_authorization_response_with_invalid_state_fails() {
    check(|p| set(p, "state", "something else"), Err("state_mismatch")).await;
}

#[tokio::test]
async fn ensure_authorization_response_with_invalid_missing_state_fails() {
    check(|p| remove(p, "state"), Err("state_missing")).await;
    check(|p| set(p, "state", ""), Err("state_missing")).await;
}

#[tokio::test]
async fn a_parameter_that_stands_there_twice_is_refused() {
    for name in ["state", "code", "iss", "error", "error_description"] {
        check(
            move |p| {
                let value = p.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
                let value = value.unwrap_or_default();
                remove(p, name);
                push(p, name, &value);
                push(p, name, &value);
            },
            Err("duplicate_parameter"),
        )
        .await;
    }
}

#[tokio::test]
async fn a_code_beside_an_error_is_refused() {
    check(|p| push(p, "error", "access_denied"), Err("code_and_error")).await;
}

#[tokio::test]
async fn neither_a_code_nor_an_error_is_refused() {
    check(|p| remove(p, "code"), Err("code_missing")).await;
    check(|p| set(p, "code", ""), Err("code_missing")).await;
}

#[tokio::test]
async fn invalid_authorization_response_iss() {
    let wrong = |p: &mut Params| set(p, "iss", "https://evil.example");
    check(wrong, Err("response_issuer_mismatch")).await;
    // A slash at the end is another issuer.
    check(
        |p| {
            let issuer = p.iter_mut().find(|(n, _)| n == "iss").unwrap();
            issuer.1.push('/');
        },
        Err("response_issuer_mismatch"),
    )
    .await;
    // On errors too (RFC 9207 section 2.4).
    check(
        move |p| {
            remove(p, "code");
            push(p, "error", "access_denied");
            wrong(p);
        },
        Err("response_issuer_mismatch"),
    )
    .await;
}

#[tokio::test]
async fn remove_authorization_response_iss() {
    check(|p| remove(p, "iss"), Err("response_issuer_missing")).await;
    check(
        |p| {
            remove(p, "iss");
            remove(p, "code");
            push(p, "error", "access_denied");
        },
        Err("response_issuer_missing"),
    )
    .await;
}

#[tokio::test]
async fn without_a_promise_the_issuer_may_be_missing_but_not_wrong() {
    let silent = |edit: fn(&mut Params)| {
        world(
            move |script| {
                script.discovery = Box::new(|document| {
                    document["authorization_response_iss_parameter_supported"] = false.into();
                });
                script.response = Box::new(edit);
            },
            |_| {},
        )
    };
    silent(|p| remove(p, "iss")).await.sign_in().await.unwrap();
    let error = silent(|p| set(p, "iss", "https://evil.example"))
        .await
        .sign_in()
        .await
        .unwrap_err();
    assert_eq!(error.code(), "response_issuer_mismatch");
}

#[tokio::test]
async fn what_else_is_in_the_response_does_not_matter() {
    check(
        |p| {
            push(p, "sfdc_community_url", "https://evil.example");
            push(p, "sfdc_community_id", "0DB");
            push(p, "session_state", "x");
            push(p, "scope", "a");
            push(p, "scope", "b");
            push(p, "error", "");
        },
        Ok(()),
    )
    .await;
}

/// The provider answers with this error.
async fn denied(error: &'static str, description: &'static str) -> Error {
    let world = world(
        |script| {
            script.deny = Some((error, description));
            script.response = Box::new(|p| push(p, "error_uri", "https://evil.example"));
        },
        |_| {},
    )
    .await;
    world.sign_in().await.unwrap_err()
}

#[tokio::test]
async fn a_refusal_is_told_from_a_fault_in_every_spelling() {
    for (error, blame) in [
        ("access_denied", Blame::Refused),
        ("access-denied", Blame::Refused),
        ("OAUTH_APP_ACCESS_DENIED", Blame::Refused),
        ("OAUTH_APP_BLOCKED", Blame::Refused),
        ("OAUTH_APPROVAL_ERROR_GENERIC", Blame::Refused),
        ("consent_required", Blame::Refused),
        ("login_required", Blame::Refused),
        ("user_cancelled_login", Blame::Refused),
        ("server_error", Blame::Provider),
        ("temporarily_unavailable", Blame::Provider),
        ("invalid_scope", Blame::Provider),
        ("invalid_client_id", Blame::Provider),
        ("OAUTH_EC_APP_NOT_FOUND", Blame::Provider),
    ] {
        let found = denied(error, "").await;
        assert_eq!(found.blame(), blame, "{error}");
        assert!(found.to_string().contains(error), "{found}");
    }
}

#[tokio::test]
async fn an_error_cannot_forge_a_log_line_or_lead_anywhere() {
    let long: &'static str = "x".repeat(1000).leak();
    let shown = denied("bad\r\n{\"event\"}\u{1b}[31m\u{202e}", long)
        .await
        .to_string();
    assert!(
        shown.chars().all(|c| matches!(c, ' '..='~')),
        "only visible ASCII: {shown}"
    );
    assert!(shown.len() < 600, "{shown}");
    assert!(!shown.contains("evil.example"), "{shown}");
}

#[tokio::test]
async fn form_post_error() {
    let world = world(
        |script| script.deny = Some(("access_denied", "no")),
        |config| config.response_mode = ResponseMode::FormPost,
    )
    .await;
    assert_eq!(world.sign_in().await.unwrap_err().code(), "denied");
}
