//! The discovery document.

use super::*;

async fn document(edit: impl Fn(&mut Value) + Send + 'static, expected: Result<(), &str>) {
    document_with(edit, |_| {}, expected).await;
}

async fn document_with(
    edit: impl Fn(&mut Value) + Send + 'static,
    configure: impl FnOnce(&mut config::Provider),
    expected: Result<(), &str>,
) {
    let world = world(|script| script.discovery = Box::new(edit), configure).await;
    let result = world.sign_in().await;
    assert_eq!(
        result.as_ref().map(drop).map_err(Error::code),
        expected,
        "{result:?}"
    );
}

#[tokio::test]
async fn discovery_openid_config() {
    let world = World::new().await;
    let provider = world.provider();
    assert!(
        world
            .fake
            .requests("/.well-known/openid-configuration")
            .is_empty(),
        "nothing is fetched before it is needed"
    );
    for _ in 0..3 {
        sign_in(&provider, &world.fake).await.unwrap();
    }
    let fetched = world.fake.requests("/.well-known/openid-configuration");
    assert_eq!(fetched.len(), 1);
    assert_eq!(fetched[0].headers["accept"], "application/json");
    assert_eq!(
        fetched[0].headers["user-agent"],
        concat!("portcullis/", env!("CARGO_PKG_VERSION"))
    );
}

#[tokio::test]
async fn discovery_issuer_mismatch() {
    for found in [
        "https://evil.example",
        "http://127.0.0.1",
        "https://login.microsoftonline.com/{tenantid}/v2.0",
    ] {
        document(
            move |d| d["issuer"] = found.into(),
            Err("discovery_issuer_mismatch"),
        )
        .await;
    }
    document(
        |d| d["issuer"] = format!("{}/", d["issuer"].as_str().unwrap()).into(),
        Err("discovery_issuer_mismatch"),
    )
    .await;
    document(|d| d["issuer"] = 7.into(), Err("discovery_issuer_missing")).await;
    document(
        |d| {
            d.as_object_mut().unwrap().remove("issuer");
        },
        Err("discovery_issuer_missing"),
    )
    .await;
}

#[tokio::test]
async fn after_a_mismatch_no_flow_is_begun() {
    let world = world(
        |script| {
            script.discovery = Box::new(|d| d["issuer"] = "https://evil.example".into());
        },
        |_| {},
    )
    .await;
    let error = world.provider().start(Ask::default()).await.unwrap_err();
    assert_eq!(error.blame(), Blame::Provider);
    let shown = crate::telemetry::chain(&error);
    assert!(
        shown.contains("\"https://evil.example\"") && shown.contains(&world.fake.issuer()),
        "{shown}"
    );
}

#[tokio::test]
async fn endpoints_need_tls_or_the_word_insecure() {
    for name in [
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
        "end_session_endpoint",
    ] {
        document(
            move |d| d[name] = "http://idp.example/x".into(),
            Err("endpoint_insecure"),
        )
        .await;
        for wrong in [
            json!("ftp://idp.example/x"),
            json!("javascript:alert(1)"),
            json!("https://idp.example/x#y"),
            json!("https://user:password@idp.example/x"),
            json!("//idp.example/x"),
            json!("not an address"),
            json!(7),
            json!(["https://idp.example"]),
        ] {
            document(move |d| d[name] = wrong.clone(), Err("endpoint_invalid")).await;
        }
    }
    // Only the authorization endpoint: the others would really be called.
    document_with(
        |d| d["authorization_endpoint"] = "http://idp.example/authorize".into(),
        |config| config.insecure_http = true,
        Ok(()),
    )
    .await;
    document(
        |d| {
            let local = d["token_endpoint"].as_str().unwrap();
            d["token_endpoint"] = local.replace("127.0.0.1", "localhost").into();
        },
        Ok(()),
    )
    .await;
}

#[tokio::test]
async fn endpoints_that_nobody_needs_may_be_anything() {
    document_with(
        |d| {
            d["userinfo_endpoint"] = "http://idp.example".into();
            d["end_session_endpoint"] = 7.into();
            d["registration_endpoint"] = "http://idp.example".into();
            d["mtls_endpoint_aliases"] = json!({"token_endpoint": "https://mtls.example/token"});
        },
        |config| {
            config.userinfo = Userinfo::Off;
            config.logout = false;
        },
        Ok(()),
    )
    .await;
}

#[tokio::test]
async fn endpoints_that_are_needed_must_be_there() {
    for name in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
        for nothing in [json!(""), json!(null)] {
            document(move |d| d[name] = nothing.clone(), Err("endpoint_missing")).await;
        }
    }
    document(|d| d["userinfo_endpoint"] = json!(""), Ok(())).await;
    document_with(
        |d| d["userinfo_endpoint"] = json!(""),
        |config| config.userinfo = Userinfo::Required,
        Err("endpoint_missing"),
    )
    .await;
}

#[tokio::test]
async fn a_path_is_completed_from_the_documents_address() {
    document(
        |d| {
            d["token_endpoint"] = "/token".into();
            d["jwks_uri"] = "/jwks".into();
        },
        Ok(()),
    )
    .await;
}

#[tokio::test]
async fn a_configured_endpoint_wins_over_a_discovered_one() {
    let mut world = World::new().await;
    world.config.endpoints.token = Some(world.fake.url("/token"));
    world.config.endpoints.jwks_uri = Some(world.fake.url("/jwks"));
    world.fake.script(|script| {
        script.discovery = Box::new(|d| {
            d["token_endpoint"] = "https://elsewhere.example/token".into();
            d["jwks_uri"] = "http://elsewhere.example".into();
        });
    });
    world.sign_in().await.unwrap();
}

#[tokio::test]
async fn the_issuer_may_have_a_path_or_end_with_a_slash() {
    // Keycloak; Auth0 and authentik.
    for base in ["/realms/demo", "/", "/application/o/git/"] {
        let world = World::of(FakeProvider::start_at(base).await);
        let claims = world.sign_in().await.unwrap();
        assert!(claims.issuer().ends_with(base));
    }
}

#[tokio::test]
async fn the_document_may_be_at_an_address_that_has_nothing_to_do_with_the_issuer() {
    // Keycloak behind a proxy, B2C, Oracle.
    let issuer = "https://identity.example.com/";
    let mut world = World::new().await;
    world.config.issuer = issuer.to_owned();
    world.fake.script(|script| {
        script.discovery = Box::new(move |d| d["issuer"] = issuer.into());
        script.id_token_claims = Box::new(move |c| c["iss"] = issuer.into());
        script.response = Box::new(move |p| {
            for (name, value) in p {
                if name == "iss" {
                    *value = issuer.to_owned();
                }
            }
        });
    });
    assert_eq!(world.sign_in().await.unwrap().issuer(), issuer);
}

#[tokio::test]
async fn a_provider_without_discovery_works_with_its_endpoints() {
    let mut world = World::new().await;
    let fake = &world.fake;
    world.config.discovery_url = None;
    world.config.endpoints = Endpoints {
        authorization: Some(fake.url("/authorize")),
        token: Some(fake.url("/token")),
        userinfo: None,
        jwks_uri: Some(fake.url("/jwks")),
        end_session: None,
    };
    world.sign_in().await.unwrap();
    assert!(
        world
            .fake
            .requests("/.well-known/openid-configuration")
            .is_empty()
    );
    world.config.endpoints.jwks_uri = None;
    let error = world.sign_in().await.unwrap_err();
    assert_eq!(error.code(), "endpoint_missing");
}

#[tokio::test]
async fn what_the_document_says_about_algorithms_narrows_the_configuration() {
    document(
        |d| d["id_token_signing_alg_values_supported"] = json!(["HS256", "none", "RSA1_5"]),
        Err("no_common_algorithm"),
    )
    .await;
    for nothing in [json!(null), json!([]), json!("RS256")] {
        document(
            move |d| d["id_token_signing_alg_values_supported"] = nothing.clone(),
            Ok(()),
        )
        .await;
    }
}

#[tokio::test]
async fn a_document_that_cannot_be_read_is_refused() {
    for (body, code) in [
        ("", "answer_not_json"),
        ("<html>", "answer_not_json"),
        ("[]", "answer_not_object"),
        (
            "{\"issuer\":\"a\",\"issuer\":\"b\"}",
            "answer_duplicate_member",
        ),
    ] {
        refused(
            |script| {
                script.answers.insert(
                    "/.well-known/openid-configuration",
                    Canned::Body(200, "text/html", body.into()),
                );
            },
            code,
        )
        .await;
    }
}

#[tokio::test]
async fn metadata_is_fetched_again_after_a_day() {
    let world = World::new().await.with_manual_clock();
    let provider = world.provider();
    world.advance(Duration::ZERO);
    sign_in(&provider, &world.fake).await.unwrap();
    world.fake.script(|script| {
        script.discovery = Box::new(|d| d["token_endpoint"] = "/moved".into());
    });
    world.advance(Duration::from_secs(24 * 3600 - 1));
    sign_in(&provider, &world.fake).await.unwrap();
    world.advance(Duration::from_secs(1));
    let error = sign_in(&provider, &world.fake).await.unwrap_err();
    assert_eq!(error.code(), "answer_status");
    assert_eq!(world.fake.requests("/moved").len(), 1);
}

#[tokio::test]
async fn old_metadata_serves_while_new_cannot_be_had() {
    let world = World::new().await.with_manual_clock();
    let provider = world.provider();
    world.advance(Duration::ZERO);
    sign_in(&provider, &world.fake).await.unwrap();
    world.fake.script(|script| {
        script.discovery = Box::new(|d| d["issuer"] = "https://evil.example".into());
    });
    world.advance(Duration::from_secs(25 * 3600));
    sign_in(&provider, &world.fake).await.unwrap();
    let (_, why) = provider.status().last_error.unwrap();
    assert!(why.contains("evil.example"), "{why}");
}
