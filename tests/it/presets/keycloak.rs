//! Keycloak.

use super::self_hosted::{ana, document};
use super::{ABSENT, Vendor, openid};
use serde_json::json;

/// Groups are paths with a slash in front.
fn keycloak() -> Vendor {
    let mut document = document(
        "ORIGIN/realms/example",
        "ORIGIN/realms/example/protocol/openid-connect",
        ["/auth", "/token", "/userinfo", "/certs"],
    );
    document["end_session_endpoint"] =
        json!("ORIGIN/realms/example/protocol/openid-connect/logout");
    document["authorization_response_iss_parameter_supported"] = json!(true);
    document["backchannel_logout_supported"] = json!(true);
    let person = json!({
        "sub": "f:550e8400-e29b-41d4-a716-446655440000:ana",
        "email_verified": true,
        "name": "Ana Example",
        "groups": ["/developers", "/developers/backend"],
        "preferred_username": "ana",
        "given_name": "Ana",
        "family_name": "Example",
        "email": "ana@example.com",
    });
    let mut vendor = Vendor {
        preset: "keycloak",
        issuer: "ORIGIN/realms/example",
        discovery_at: "/realms/example/.well-known/openid-configuration",
        document,
        token: json!({ "not-before-policy": 0, "session_state": "7a2c", "refresh_expires_in": 1800 }),
        id_token: person.clone(),
        userinfo: person,
        ..openid()
    };
    super::set(
        &mut vendor.id_token,
        &json!({ "typ": "ID", "azp": "portcullis-client", "sid": "7a2c", "acr": "1", "auth_time": 1_700_000_000 }),
    );
    vendor
}

#[tokio::test]
async fn keycloak_with_paths_of_groups_or_roles() {
    let stage = keycloak().stage().await;
    let mut browser = stage.arrives(ana("developers,developers/backend")).await;
    let end = browser
        .submit("/sso/logout", &[])
        .await
        .expect(303)
        .location();
    let sent = |name: &str| end.query_pairs().any(|(key, _)| key == name);
    assert!(sent("id_token_hint") && sent("post_logout_redirect_uri"));
    browser
        .follow(end.as_str())
        .await
        .expect(200)
        .says("signed out");

    let roles =
        json!({ "groups": ABSENT, "realm_access": { "roles": ["offline_access", "developers"] } });
    let stage = keycloak()
        .with_id_token(&roles)
        .with_userinfo(&json!({ "groups": ABSENT }));
    stage
        .stage()
        .await
        .arrives(ana("offline_access,developers"))
        .await;
}

#[tokio::test]
async fn keycloak_s_token_for_another_client_is_refused() {
    let other = json!({ "azp": "another-client" });
    let stage = keycloak().with_id_token(&other).stage().await;
    stage.refuses("authorized_party_mismatch").await;
}
