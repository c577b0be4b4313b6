//! Whole sign-ins with the providers of the presets, each in the shape in which the real one answers.

use crate::support::gateway::base;
use crate::support::provider::{FakeProvider, Key, Params};
use crate::support::{Browser, Setup};
use serde_json::{Map, Value, json};

/// A gateway with one `[[providers]]` table, with `id = "idp"` in front.
async fn setup(table: &str) -> Setup {
    Setup::start(&(base() + "[[providers]]\nid = \"idp\"\n" + table)).await
}

fn person(claims: Value) -> Map<String, Value> {
    claims.as_object().unwrap().clone()
}

fn drop_param(params: &mut Params, name: &str) {
    params.retain(|(key, _)| key != name);
}

/// Signs in and answers what `/sso/me` says.
async fn signed_in(setup: &Setup, browser: &mut Browser) -> Value {
    setup
        .sign_in(browser)
        .await
        .expect(200)
        .says("bitbucket GET /");
    browser.get("/sso/me").await.expect(200).json()
}

/// `sub` is an address on another host than the issuer's, dates are text, some facts are null, the
/// discovery document promises neither PKCE nor `iss`, and nothing says how long a token lives.
fn as_salesforce(provider: &FakeProvider) {
    provider.script(|script| {
        script.client_auth = Some("client_secret_post");
        script.person = person(json!({
            "sub": "https://login.salesforce.com/id/00Dx0000000BV7zEAG/005x00000012Q9PAAU",
            "user_id": "005x00000012Q9PAAU",
            "organization_id": "00Dx0000000BV7zEAG",
            "preferred_username": "Ana@Example.com.dev",
            "nickname": "User17100",
            "name": "Ana Example",
            "email": "ana@example.com",
            "email_verified": true,
            "given_name": "Ana",
            "family_name": "Example",
            "phone_number": null,
            "zoneinfo": "Europe/Berlin",
            "locale": "fi_FI_EURO",
            "utcOffset": 3_600_000,
            "address": {},
            "urls": { "rest": "https://example.my.salesforce.com/services/data/v{version}/" },
            "active": true,
            "updated_at": "2026-03-25T10:01:14Z",
            "custom_attributes": { "groups": "developers;release managers; ;developers" },
        }));
        script.discovery = Box::new(|document| {
            let document = document.as_object_mut().unwrap();
            document.remove("code_challenge_methods_supported");
            document.remove("authorization_response_iss_parameter_supported");
            document["id_token_signing_alg_values_supported"] = json!(["RS256"]);
            document["response_types_supported"] = json!(["code", "token", "token id_token"]);
        });
        script.response = Box::new(|params| {
            drop_param(params, "iss");
            params.push(("sfdc_community_id".into(), "0DBx".into()));
        });
        script.id_token_claims = Box::new(|claims| {
            claims.as_object_mut().unwrap().remove("at_hash");
        });
        script.token_answer = Box::new(|answer| {
            let answer = answer.as_object_mut().unwrap();
            answer.remove("expires_in");
            answer.insert("signature".into(), "U2lnbmF0dXJl".into());
            answer.insert("scope".into(), "openid profile email id".into());
            answer.insert(
                "instance_url".into(),
                "https://example.my.salesforce.com".into(),
            );
            answer.insert(
                "id".into(),
                "https://login.salesforce.com/id/00D/005".into(),
            );
            answer.insert("issued_at".into(), "1774432874000".into());
        });
    });
}

#[tokio::test]
async fn salesforce() {
    let provider = FakeProvider::start().await;
    as_salesforce(&provider);
    let (id, secret) = provider.script(|s| (s.client_id.clone(), s.client_secret.clone()));
    let setup = setup(&format!(
        "preset = \"salesforce\"\nissuer = \"{}\"\nclient_id = \"{id}\"\nclient_secret = \"{secret}\"\n",
        provider.issuer()
    ))
    .await;
    let mut ana = setup.browser();
    let me = signed_in(&setup, &mut ana).await;
    assert_eq!(me["username"], "ana@example.com.dev");
    assert_eq!(me["email"], "ana@example.com");
    assert_eq!(me["groups"], json!(["developers", "release managers"]));
    let user = setup.upstream.last().one("x-forwarded-user");
    assert_eq!(user.as_deref(), Some("ana@example.com.dev"));
    // PKCE all the same.
    assert!(
        provider
            .last_request("/token")
            .param("code_verifier")
            .is_some()
    );

    // Its logout address ignores where to go back to, so it is not asked for that.
    let end = ana.submit("/sso/logout", &[]).await.expect(303).location();
    assert!(
        end.as_str()
            .starts_with(provider.url("/end_session").as_str()),
        "{end}"
    );
    assert!(
        end.query_pairs()
            .all(|(name, _)| name != "post_logout_redirect_uri")
    );
    ana.get("/sso/me").await.expect(401);
}

#[tokio::test]
async fn keycloak() {
    let provider = FakeProvider::start_at("/realms/example").await;
    provider.script(|script| {
        script.person = person(json!({
            "sub": "f:550e8400-e29b-41d4-a716-446655440000:ana",
            "typ": "ID",
            "auth_time": 1_700_000_000,
            "session_state": "7a2c",
            "sid": "7a2c",
            "acr": "1",
            "email_verified": true,
            "name": "Ana Example",
            "preferred_username": "ana",
            "email": "ana@example.com",
            "realm_access": { "roles": ["offline_access", "developers"] },
        }));
        script.id_token_claims = Box::new(|claims| {
            let us = claims["aud"].clone();
            claims["azp"] = us;
        });
        script.response = Box::new(|params| {
            params.push(("session_state".into(), "7a2c".into()));
        });
    });
    let (id, secret) = provider.script(|s| (s.client_id.clone(), s.client_secret.clone()));
    let setup = setup(&format!(
        "preset = \"keycloak\"\nissuer = \"{}\"\nclient_id = \"{id}\"\nclient_secret = \"{secret}\"\n",
        provider.issuer()
    ))
    .await;
    let mut ana = setup.browser();
    let me = signed_in(&setup, &mut ana).await;
    assert_eq!(me["username"], "ana");
    assert_eq!(me["groups"], json!(["offline_access", "developers"]));

    let end = ana.submit("/sso/logout", &[]).await.expect(303).location();
    let find = |name: &str| {
        let mut pairs = end.query_pairs();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, v)| v.into_owned())
    };
    assert!(find("id_token_hint").is_some());
    let back = find("post_logout_redirect_uri");
    assert_eq!(
        back.as_deref(),
        Some("https://git.example.com/sso/signed-out")
    );
    ana.follow(end.as_str())
        .await
        .expect(200)
        .says("signed out");
}

/// No ID token, no `iss`, a number for an identifier, a private address, and 200 for refusals.
fn as_github(provider: &FakeProvider) -> String {
    provider.script(|script| {
        script.client_auth = Some("client_secret_post");
        script.person = person(json!({
            "login": "Ana-Example",
            "id": 583_231,
            "node_id": "MDQ6VXNlcjU4MzIzMQ==",
            "type": "User",
            "site_admin": false,
            "name": "Ana Example",
            "email": null,
        }));
        script.emails = json!([
            { "email": "old@example.com", "primary": false, "verified": true, "visibility": null },
            { "email": "ana@example.com", "primary": true, "verified": true, "visibility": "private" },
        ]);
        script.response = Box::new(|params| drop_param(params, "iss"));
        script.token_answer = Box::new(|answer| {
            let answer = answer.as_object_mut().unwrap();
            answer.remove("id_token");
            answer.remove("expires_in");
            answer.insert("token_type".into(), "bearer".into());
            answer.insert("scope".into(), "read:user,user:email".into());
        });
    });
    let (id, secret) = provider.script(|s| (s.client_id.clone(), s.client_secret.clone()));
    format!(
        "preset = \"github\"\nclient_id = \"{id}\"\nclient_secret = \"{secret}\"\n\
         authorization_endpoint = \"{}\"\ntoken_endpoint = \"{}\"\nuserinfo_endpoint = \"{}\"\n",
        provider.url("/authorize"),
        provider.url("/token"),
        provider.url("/userinfo"),
    )
}

#[tokio::test]
async fn github() {
    let provider = FakeProvider::start().await;
    let setup = setup(&as_github(&provider)).await;
    let mut ana = setup.browser();
    let me = signed_in(&setup, &mut ana).await;
    assert_eq!(me["username"], "ana-example");
    assert_eq!(me["email"], "ana@example.com");
    assert_eq!(me["display_name"], "Ana Example");

    // Somebody else under the old name is somebody else.
    provider.script(|script| script.person["id"] = json!(583_232));
    let mut eve = setup.browser();
    setup.sign_in(&mut eve).await.expect(403);
    assert_eq!(setup.refusals().len(), 1);
    eve.get("/sso/me").await.expect(401);
}

#[tokio::test]
async fn a_refusal_of_githubs_that_looks_like_success_is_a_refusal() {
    let provider = FakeProvider::start().await;
    let setup = setup(&as_github(&provider)).await;
    provider.script(|script| {
        script.token_answer = Box::new(|answer| {
            *answer = json!({
                "error": "bad_verification_code",
                "error_description": "The code passed is incorrect or expired.",
            });
        });
    });
    let mut ana = setup.browser();
    let page = setup.sign_in(&mut ana).await;
    assert!(
        page.status.is_client_error() || page.status == 502,
        "{}",
        page.status
    );
    page.says("/sso/login");
    ana.get("/sso/me").await.expect(401);
}

#[tokio::test]
async fn the_gateway_proves_itself_with_a_key() {
    let provider = FakeProvider::start().await;
    let key = Key::new("ES256", Some("our-key"));
    let pem = key.pem();
    let id = provider.script(|script| {
        script.client_auth = Some("private_key_jwt");
        script.client_key = Some(key);
        script.client_id.clone()
    });
    let setup = setup(&format!(
        "preset = \"oidc\"\nissuer = \"{}\"\nclient_id = \"{id}\"\n\
         client_auth = \"private_key_jwt\"\nprivate_key = \"\"\"\n{pem}\"\"\"\nprivate_key_id = \"our-key\"\n",
        provider.issuer()
    ))
    .await;
    let me = signed_in(&setup, &mut setup.browser()).await;
    assert_eq!(me["username"], "ana");
    let request = provider.last_request("/token");
    assert_eq!(request.param("client_secret"), None);
}
