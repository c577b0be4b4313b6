//! Whole sign-ins in which the gateway proves who it is. What each vendor's provider does is in
//! `presets`.

use crate::support::gateway::base;
use crate::support::provider::{FakeProvider, Key};
use crate::support::{Browser, Setup};
use serde_json::Value;

/// A gateway with one `[[providers]]` table, with `id = "idp"` in front.
async fn setup(table: &str) -> Setup {
    Setup::start(&(base() + "[[providers]]\nid = \"idp\"\n" + table)).await
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
