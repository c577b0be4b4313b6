//! The token endpoint's answer.

use super::*;

async fn answer(edit: impl Fn(&mut Value) + Send + 'static, expected: Result<(), &str>) {
    let world = world(|script| script.token_answer = Box::new(edit), |_| {}).await;
    let result = world.sign_in().await;
    assert_eq!(
        result.as_ref().map(drop).map_err(Error::code),
        expected,
        "{result:?}"
    );
}

async fn canned(canned: Canned) -> Error {
    let world = world(
        |script| {
            script.answers.insert("/token", canned);
        },
        |_| {},
    )
    .await;
    world.sign_in().await.unwrap_err()
}

#[tokio::test]
async fn the_exchange_carries_what_it_must() {
    let world = World::new().await;
    let provider = world.provider();
    let start = provider.start(Ask::default()).await.unwrap();
    let verifier = start.attempt.verifier().unwrap().to_owned();
    let response = world.fake.authorize(&start.url);
    provider.finish(start.attempt, &response).await.unwrap();
    let request = world.fake.last_request("/token");
    assert_eq!(request.param("grant_type"), Some("authorization_code"));
    assert_eq!(request.param("redirect_uri"), Some(REDIRECT_URI));
    assert_eq!(request.param("code_verifier"), Some(verifier.as_str()));
    assert_eq!(request.headers["accept"], "application/json");
    assert!(request.query.is_empty(), "nothing secret in an address");
}

#[tokio::test]
async fn token_type_case_insensitivity() {
    for kind in ["bearer", "BEARER", "bEARER"] {
        answer(move |a| a["token_type"] = kind.into(), Ok(())).await;
    }
}

#[tokio::test]
async fn another_token_type_is_refused() {
    for kind in [
        json!("DPoP"),
        json!("mac"),
        json!(""),
        json!(null),
        json!(7),
    ] {
        answer(
            move |a| a["token_type"] = kind.clone(),
            Err("token_type_unsupported"),
        )
        .await;
    }
}

#[tokio::test]
async fn token_endpoint_response_without_expires_in() {
    answer(
        |a| {
            a.as_object_mut().unwrap().remove("expires_in");
        },
        Ok(()),
    )
    .await;
}

#[tokio::test]
async fn what_is_not_used_may_have_any_shape() {
    for (name, value) in [
        ("expires_in", json!("3600")),
        ("expires_in", json!(3599.5)),
        ("expires_in", json!(-1)),
        ("expires_in", json!(null)),
        ("scope", json!("read:user,user:email")),
        ("scope", json!(["openid", "email"])),
        ("scope", json!(null)),
        ("refresh_token", json!(null)),
        ("error", json!(null)),
        ("error", json!("")),
        ("ok", json!(true)),
        ("issued_at", json!("1700000000000")),
        ("instance_url", json!("https://evil.example")),
    ] {
        answer(move |a| a[name] = value.clone(), Ok(())).await;
    }
}

#[tokio::test]
async fn no_scope_in_token_endpoint_response() {
    answer(|a| assert!(a.get("scope").is_none()), Ok(())).await;
}

#[tokio::test]
async fn an_answer_without_a_usable_access_token_is_refused() {
    for wrong in [json!(null), json!(""), json!(7), json!(["a"])] {
        answer(
            move |a| a["access_token"] = wrong.clone(),
            Err("access_token_missing"),
        )
        .await;
    }
    // It would end up in a header field.
    let world = world(
        |script| {
            script.token_answer = Box::new(|a| a["access_token"] = "a\r\nHost: evil".into());
            script.id_token_claims = Box::new(|c| c["at_hash"] = Value::Null);
        },
        |_| {},
    )
    .await;
    let error = world.sign_in().await.unwrap_err();
    assert_eq!(error.code(), "access_token_missing");
    assert!(world.fake.requests("/userinfo").is_empty());
}

#[tokio::test]
async fn an_answer_without_an_id_token_is_refused() {
    for nothing in [json!(null), json!(false), json!(""), json!({})] {
        answer(
            move |a| a["id_token"] = nothing.clone(),
            Err("id_token_missing"),
        )
        .await;
    }
}

#[tokio::test]
async fn an_error_is_an_error_whatever_the_status_says() {
    for (status, body, code, blame) in [
        // GitHub and Slack.
        (
            200,
            json!({"error": "bad_verification_code", "error_description": "expired"}),
            "token_refused",
            Blame::Provider,
        ),
        (
            200,
            json!({"error": "incorrect_client_credentials"}),
            "token_refused",
            Blame::Provider,
        ),
        (
            200,
            json!({"ok": false, "error": "invalid_code"}),
            "token_refused",
            Blame::Provider,
        ),
        (200, json!({"ok": false}), "token_refused", Blame::Provider),
        (
            200,
            json!({"error": "x", "access_token": "a", "token_type": "Bearer"}),
            "token_refused",
            Blame::Provider,
        ),
        // Facebook.
        (
            400,
            json!({"error": {"message": "bad code", "type": "OAuthException", "code": 100}}),
            "token_refused",
            Blame::Provider,
        ),
        // Salesforce.
        (
            400,
            json!({"error": "invalid_grant", "error_description": "expired authorization code"}),
            "code_refused",
            Blame::Client,
        ),
        (
            400,
            json!({"error": "invalid_client_id", "error_description": "client identifier invalid"}),
            "token_refused",
            Blame::Provider,
        ),
        (
            401,
            json!({"error": "invalid_client"}),
            "token_refused",
            Blame::Provider,
        ),
        (
            400,
            json!({"error": "access_denied"}),
            "denied",
            Blame::Refused,
        ),
        (
            400,
            json!([{"message": "Session expired", "errorCode": "INVALID_SESSION_ID"}]),
            "answer_status",
            Blame::Provider,
        ),
        (503, json!({}), "answer_status", Blame::Provider),
    ] {
        let error = canned(Canned::json(status, &body)).await;
        assert_eq!(error.code(), code, "{body}");
        assert_eq!(error.blame(), blame, "{body}");
    }
}

#[tokio::test]
async fn the_words_of_an_error_are_kept_and_a_body_is_not() {
    let error = canned(Canned::json(
        400,
        &json!({"error": "invalid_client", "error_description": "no such app", "secret": "s3cret"}),
    ))
    .await;
    let shown = error.to_string();
    assert!(
        shown.contains("\"invalid_client\" (\"no such app\")"),
        "{shown}"
    );
    assert!(!shown.contains("s3cret"));
    let error = canned(Canned::Body(
        403,
        "text/plain",
        b"Bad_OAuth_Token s3cret".into(),
    ))
    .await;
    assert_eq!(error.code(), "answer_status");
    assert!(!crate::telemetry::chain(&error).contains("s3cret"));
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_refused() {
    for (body, code) in [
        ("<html>sign in</html>", "answer_not_json"),
        ("access_token=x&token_type=bearer", "answer_not_json"),
        ("", "answer_not_json"),
        ("[]", "answer_not_object"),
        (
            r#"{"access_token":"a","access_token":"b","token_type":"bearer"}"#,
            "answer_duplicate_member",
        ),
    ] {
        let error = canned(Canned::Body(200, "application/json", body.into())).await;
        assert_eq!(error.code(), code, "{body}");
    }
}

#[tokio::test]
async fn neither_the_status_nor_the_type_need_be_the_usual_ones() {
    let world = World::new().await;
    let provider = world.provider();
    // Everything but the token answer as usual; that one as 201 and text.
    let start = provider.start(Ask::default()).await.unwrap();
    let response = world.fake.authorize(&start.url);
    let nonce = start.attempt.nonce().to_owned();
    let issuer = world.fake.issuer();
    world.fake.script(|script| {
        let claims = json!({
            "iss": issuer, "aud": script.client_id, "sub": "7",
            "iat": Clock::system().now().as_secs(), "exp": Clock::system().now().as_secs() + 60,
            "nonce": nonce,
        });
        let header = r#"{"alg":"RS256","kid":"first"}"#;
        let token = script.signing.token(header, &claims.to_string());
        let body = json!({"access_token": "a", "token_type": "bearer", "id_token": token});
        script.answers.insert(
            "/token",
            Canned::Body(201, "text/javascript", body.to_string().into_bytes()),
        );
    });
    let claims = provider.finish(start.attempt, &response).await.unwrap();
    assert_eq!(claims.subject(), "7");
}
