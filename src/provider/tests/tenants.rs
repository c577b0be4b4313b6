//! Issuers with several tenants, and issuers with several spellings.

use super::*;

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const OTHER: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// What a provider with tenants says. An address that begins with `/` is at the fake's origin.
struct Entra {
    discovery: String,
    response: Option<String>,
    tid: Value,
    iss: String,
}

fn of(tenant: &str) -> String {
    format!("/{tenant}/v2.0")
}

/// Entra, when somebody of [`TENANT`] signs in at its shared addresses.
fn entra() -> Entra {
    Entra {
        discovery: of("{tenantid}"),
        response: Some(of(TENANT)),
        tid: TENANT.into(),
        iss: of(TENANT),
    }
}

impl Entra {
    async fn world(self) -> World {
        let mut world = World::new().await;
        let origin = world.fake.issuer();
        let whole = |text: String| match text.strip_prefix('/') {
            Some(path) => format!("{origin}/{path}"),
            None => text,
        };
        world.config.issuer = whole(of("{tenantid}"));
        let (discovery, iss) = (whole(self.discovery), whole(self.iss));
        let (response, tid) = (self.response.map(whole), self.tid);
        world.fake.script(|script| {
            script.discovery = Box::new(move |d| {
                d["issuer"] = discovery.clone().into();
                d["authorization_response_iss_parameter_supported"] = Value::Null;
            });
            script.response = Box::new(move |p| {
                p.retain(|(name, _)| name != "iss");
                p.extend(
                    response
                        .clone()
                        .map(|response| ("iss".to_owned(), response)),
                );
            });
            script.id_token_claims = Box::new(move |c| {
                c["iss"] = iss.clone().into();
                c["tid"] = tid.clone();
            });
        });
        world
    }

    async fn check(self, expected: Result<&str, &str>) {
        let world = self.world().await;
        let result = world.sign_in().await;
        let found = result.as_ref().map(|claims| claims.issuer().to_owned());
        assert_eq!(
            found.map_err(Error::code),
            expected.map(|tenant| format!("{}{}", world.fake.issuer(), of(tenant))),
            "{result:?}"
        );
    }
}

#[tokio::test]
async fn a_tenants_person_is_pinned_to_the_tenants_issuer() {
    entra().check(Ok(TENANT)).await;
    Entra {
        tid: OTHER.into(),
        iss: of(OTHER),
        response: Some(of(OTHER)),
        ..entra()
    }
    .check(Ok(OTHER))
    .await;
    Entra {
        response: None,
        ..entra()
    }
    .check(Ok(TENANT))
    .await;
}

#[tokio::test]
async fn discovery_prints_the_template_and_nothing_else() {
    for discovery in [
        of(TENANT),
        of("common"),
        of("{tenantId}"),
        of("{tenantid}") + "/",
    ] {
        Entra {
            discovery,
            ..entra()
        }
        .check(Err("discovery_issuer_mismatch"))
        .await;
    }
}

#[tokio::test]
async fn the_issuer_is_that_of_the_tokens_own_tenant() {
    for iss in [
        of(OTHER),
        of("{tenantid}"),
        of(TENANT) + "/",
        "https://evil.example/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0".to_owned(),
    ] {
        Entra { iss, ..entra() }.check(Err("issuer_mismatch")).await;
    }
}

#[tokio::test]
async fn a_tenant_is_a_guid() {
    for (tid, code) in [
        (Value::Null, "claim_missing"),
        (json!(7), "claim_type"),
        (json!([TENANT]), "claim_type"),
        (json!(""), "tenant_unusable"),
        (json!("common"), "tenant_unusable"),
        (json!("{tenantid}"), "tenant_unusable"),
        (json!(TENANT.to_uppercase()), "tenant_unusable"),
    ] {
        // The issuer fits what the token calls its tenant; that is not enough.
        let iss = of(tid.as_str().unwrap_or(TENANT));
        Entra {
            tid,
            iss,
            ..entra()
        }
        .check(Err(code))
        .await;
    }
}

#[tokio::test]
async fn the_response_is_from_the_tokens_tenant() {
    for response in [of(OTHER), of("common"), of("{tenantid}"), of(TENANT) + "/"] {
        Entra {
            response: Some(response),
            ..entra()
        }
        .check(Err("response_issuer_mismatch"))
        .await;
    }
    // What cannot be any tenant's is refused before the code is spent.
    let foreign = Entra {
        response: Some("https://evil.example/x/v2.0".to_owned()),
        ..entra()
    };
    let world = foreign.world().await;
    let error = world.sign_in().await.unwrap_err();
    assert_eq!(error.code(), "response_issuer_mismatch");
    assert!(world.fake.requests("/token").is_empty());
}

#[tokio::test]
async fn signed_userinfo_is_by_the_same_tenant() {
    for (tenant, expected) in [(TENANT, Ok(())), (OTHER, Err("issuer_mismatch"))] {
        let world = entra().world().await;
        let issuer = format!("{}{}", world.fake.issuer(), of(tenant));
        world.fake.script(|script| {
            script.signed_userinfo = true;
            script.userinfo = Box::new(move |u| u["iss"] = issuer.clone().into());
        });
        let result = world.sign_in().await;
        assert_eq!(result.as_ref().map(drop).map_err(Error::code), expected);
    }
}

/// Of the keys that all tenants share, some sign for one issuer alone.
#[tokio::test]
async fn a_key_of_one_tenant_does_not_sign_for_another() {
    for (key, expected) in [
        (of("{tenantid}"), Ok(())),
        (of(TENANT), Ok(())),
        (of(OTHER), Err("key_issuer_mismatch")),
        ("/".to_owned(), Err("key_issuer_mismatch")),
    ] {
        let world = entra().world().await;
        let issuer = format!("{}{key}", world.fake.issuer());
        world
            .fake
            .script(|script| script.published[0]["issuer"] = issuer.into());
        let result = world.sign_in().await;
        assert_eq!(result.as_ref().map(drop).map_err(Error::code), expected);
    }
}

#[tokio::test]
async fn without_a_template_a_tenant_means_nothing() {
    let claims = accepted(|script| {
        script.id_token_claims = Box::new(|c| c["tid"] = "whatever".into());
        script.published[0]["issuer"] = "https://elsewhere.example".into();
    })
    .await;
    assert_eq!(claims.claims()["tid"], "whatever");
}

/// Google's old tokens leave the scheme out.
async fn google(iss: &'static str, response: Option<&'static str>) -> World {
    let mut world = World::new().await;
    world.config.issuer_aliases = vec!["accounts.google.com".to_owned()];
    world.fake.script(|script| {
        script.id_token_claims = Box::new(move |c| c["iss"] = iss.into());
        script.response = Box::new(move |p| {
            if let Some(response) = response {
                p.retain(|(name, _)| name != "iss");
                p.push(("iss".to_owned(), response.to_owned()));
            }
        });
    });
    world
}

#[tokio::test]
async fn an_alias_is_another_spelling_and_the_pin_stays_the_same() {
    for response in [None, Some("accounts.google.com")] {
        let world = google("accounts.google.com", response).await;
        let claims = world.sign_in().await.unwrap();
        assert_eq!(claims.issuer(), world.fake.issuer());
    }
    let mut world = google("accounts.google.com", None).await;
    world.config.issuer_aliases.clear();
    let error = world.sign_in().await.unwrap_err();
    assert_eq!(error.code(), "issuer_mismatch");
    assert!(error.remedy().contains("accounts.google.com"));
}

#[tokio::test]
async fn an_alias_is_compared_like_the_issuer() {
    for iss in [
        "accounts.google.com/",
        "Accounts.google.com",
        "evil.example",
    ] {
        let error = google(iss, None).await.sign_in().await.unwrap_err();
        assert_eq!(error.code(), "issuer_mismatch");
        let world = google("accounts.google.com", Some(iss)).await;
        let error = world.sign_in().await.unwrap_err();
        assert_eq!(error.code(), "response_issuer_mismatch");
    }
    // Discovery says the issuer itself.
    let world = google("accounts.google.com", None).await;
    world.fake.script(|script| {
        script.discovery = Box::new(|d| d["issuer"] = "accounts.google.com".into());
    });
    let error = world.sign_in().await.unwrap_err();
    assert_eq!(error.code(), "discovery_issuer_mismatch");
}
