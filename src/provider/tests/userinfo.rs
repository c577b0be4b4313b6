//! The userinfo endpoint of OpenID providers.

use super::*;

async fn check(edit: impl Fn(&mut Value) + Send + 'static, expected: Result<(), &str>) {
    let world = world(|script| script.userinfo = Box::new(edit), |_| {}).await;
    let result = world.sign_in().await;
    assert_eq!(
        result.as_ref().map(drop).map_err(Error::code),
        expected,
        "{result:?}"
    );
}

async fn signed(script: impl FnOnce(&mut Script), expected: Result<(), &str>) {
    let world = world(
        |s| {
            s.signed_userinfo = true;
            script(s);
        },
        |_| {},
    )
    .await;
    let result = world.sign_in().await;
    assert_eq!(
        result.as_ref().map(drop).map_err(Error::code),
        expected,
        "{result:?}"
    );
}

#[tokio::test]
async fn scope_userinfo_claims() {
    let claims = accepted(|script| {
        script.userinfo = Box::new(|u| u["department"] = "engines".into());
        script.id_token_claims = Box::new(|c| {
            c.as_object_mut().unwrap().remove("email");
            c["name"] = "of the ID token".into();
        });
    })
    .await;
    let claims = claims.claims();
    assert_eq!(claims["department"], "engines");
    assert_eq!(claims["email"], "ana@example.com");
    assert_eq!(claims["name"], "of the ID token");
}

#[tokio::test]
async fn userinfo_bearer_header() {
    let world = World::new().await;
    world.sign_in().await.unwrap();
    let request = world.fake.last_request("/userinfo");
    let value = request.headers["authorization"].to_str().unwrap();
    assert!(value.starts_with("Bearer "));
    assert!(request.query.is_empty() && request.form.is_empty());
}

#[tokio::test]
async fn userinfo_invalid_sub() {
    check(
        |u| u["sub"] = "another".into(),
        Err("userinfo_subject_mismatch"),
    )
    .await;
    for wrong in [
        json!(null),
        json!(248_289_761_001_u64),
        json!(["248289761001"]),
    ] {
        check(
            move |u| u["sub"] = wrong.clone(),
            Err("userinfo_subject_missing"),
        )
        .await;
    }
}

#[tokio::test]
async fn a_wrong_sub_is_refused_even_where_userinfo_is_optional() {
    for userinfo in [Userinfo::Optional, Userinfo::Required] {
        refused_with(
            |script| script.userinfo = Box::new(|u| u["sub"] = "another".into()),
            |config| config.userinfo = userinfo,
            "userinfo_subject_mismatch",
        )
        .await;
    }
}

#[tokio::test]
async fn userinfo_signed() {
    signed(|_| {}, Ok(())).await;
    signed(
        |s| s.userinfo = Box::new(|u| u["department"] = "engines".into()),
        Ok(()),
    )
    .await;
    for algorithm in ["PS256", "ES256", "ES512", "EdDSA"] {
        signed(|s| s.rotate(Key::new(algorithm, Some("k"))), Ok(())).await;
    }
}

#[tokio::test]
async fn a_signed_userinfo_that_is_not_ours_is_refused() {
    signed(
        |s| s.userinfo = Box::new(|u| u["iss"] = "https://evil.example".into()),
        Err("issuer_mismatch"),
    )
    .await;
    signed(
        |s| s.userinfo = Box::new(|u| u["aud"] = "another".into()),
        Err("audience_mismatch"),
    )
    .await;
    signed(
        |s| s.userinfo = Box::new(|u| u["aud"] = json!(["portcullis-client", "another"])),
        Err("audience_untrusted"),
    )
    .await;
    signed(
        |s| s.userinfo = Box::new(|u| u["sub"] = "another".into()),
        Err("userinfo_subject_mismatch"),
    )
    .await;
    signed(
        |s| s.userinfo = Box::new(|u| u["exp"] = 1.into()),
        Err("expired"),
    )
    .await;
    // Neither is demanded.
    signed(
        |s| {
            s.userinfo = Box::new(|u| {
                u["iss"] = Value::Null;
                u["aud"] = Value::Null;
            });
        },
        Ok(()),
    )
    .await;
}

#[tokio::test]
async fn a_signed_userinfo_with_a_bad_envelope_is_refused() {
    for (edit, code) in [
        (
            (|t: &mut String| t.truncate(t.rfind('.').unwrap() + 1)) as fn(&mut String),
            "bad_signature",
        ),
        (|t| t.clear(), "token_parts"),
        (|t| *t = "a.b.c.d.e".to_owned(), "token_encrypted"),
        (
            |t| *t = t.replacen(t.split('.').next().unwrap_or(""), "eyJhbGciOiJub25lIn0", 1),
            "algorithm_none",
        ),
    ] {
        signed(|s| s.userinfo_token = Box::new(edit), Err(code)).await;
    }
    signed(
        |s| {
            s.discovery = Box::new(|d| {
                d["userinfo_signing_alg_values_supported"] = json!(["ES256"]);
            });
        },
        Err("algorithm_not_allowed"),
    )
    .await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_refused() {
    for (kind, body, code) in [
        ("application/json", "", "answer_not_json"),
        ("text/html", "<html>", "answer_not_json"),
        ("application/json", "[]", "answer_not_object"),
        (
            "application/json",
            r#"{"sub":"a","sub":"b"}"#,
            "answer_duplicate_member",
        ),
        ("application/jwt", "{}", "token_parts"),
    ] {
        refused(
            |script| {
                let body = Canned::Body(200, kind, body.into());
                script.answers.insert("/userinfo", body);
            },
            code,
        )
        .await;
    }
}

#[tokio::test]
async fn without_userinfo_an_optional_sign_in_goes_on_and_a_required_one_does_not() {
    for (canned, code) in [
        (Canned::json(503, &json!({})), "answer_status"),
        // ADFS, Salesforce, Cognito.
        (
            Canned::json(401, &json!({"error": "MSIS9921"})),
            "answer_status",
        ),
        (
            Canned::Body(403, "text/plain", b"Bad_OAuth_Token".into()),
            "answer_status",
        ),
        (
            Canned::Header(
                401,
                "www-authenticate",
                "Bearer error=\"invalid_token\", error_description=\"expired\"".to_owned(),
            ),
            "answer_status",
        ),
    ] {
        let script = |script: &mut Script| {
            script.answers.insert("/userinfo", canned.clone());
        };
        let claims = accepted(script).await;
        assert_eq!(claims.claims()["email"], "ana@example.com");
        refused_with(script, |c| c.userinfo = Userinfo::Required, code).await;
    }
}

#[tokio::test]
async fn what_a_challenge_says_is_told() {
    let world = world(
        |script| {
            let challenge = "Bearer error=\"invalid_token\", error_description=\"expired\"";
            script.answers.insert(
                "/userinfo",
                Canned::Header(401, "www-authenticate", challenge.to_owned()),
            );
        },
        |config| config.userinfo = Userinfo::Required,
    )
    .await;
    let shown = world.sign_in().await.unwrap_err().to_string();
    assert!(shown.contains("\"invalid_token\" (\"expired\")"), "{shown}");
}

#[tokio::test]
async fn an_optional_userinfo_that_hangs_costs_the_limit_and_no_more() {
    let world = world(
        |script| {
            script.answers.insert("/userinfo", Canned::Silence);
        },
        |_| {},
    )
    .await;
    let provider = world.with_limits(Limits {
        total: Duration::from_millis(300),
        ..Limits::default()
    });
    sign_in(&provider, &world.fake).await.unwrap();
}

#[tokio::test]
async fn switched_off_means_not_asked() {
    let world = world(|_| {}, |config| config.userinfo = Userinfo::Off).await;
    world.sign_in().await.unwrap();
    assert!(world.fake.requests("/userinfo").is_empty());
}

#[tokio::test]
async fn another_claim_can_be_the_subject() {
    // Entra's oid; from userinfo too, once it is about the same person.
    let oid = |config: &mut config::Provider| config.subject_claim = "oid".to_owned();
    let claims = accepted_with(
        |script| script.userinfo = Box::new(|u| u["oid"] = "0d1e".into()),
        oid,
    )
    .await;
    assert_eq!(claims.subject(), "0d1e");
    refused_with(|_| {}, oid, "subject_missing").await;
    refused_with(
        |script| script.id_token_claims = Box::new(|c| c["oid"] = 7.into()),
        oid,
        "subject_type",
    )
    .await;
}

#[tokio::test]
async fn aggregated_claims() {
    let claims = accepted(|script| {
        script.userinfo = Box::new(|u| {
            u["_claim_names"] = json!({"groups": "src1"});
            u["_claim_sources"] = json!({"src1": {"JWT": "a.b.c"}});
        });
    })
    .await;
    assert_eq!(claims.claims()["_claim_names"]["groups"], "src1");
}

#[tokio::test]
async fn distributed_claims() {
    let world = World::new().await;
    let elsewhere = world.fake.url("/elsewhere").to_string();
    world.fake.script(|script| {
        script.id_token_claims = Box::new(move |c| {
            c["_claim_names"] = json!({"groups": "src1"});
            c["_claim_sources"] = json!({"src1": {"endpoint": elsewhere}});
        });
    });
    world.sign_in().await.unwrap();
    assert!(world.fake.requests("/elsewhere").is_empty());
}
