//! Okta, with its own server and with a custom one.

use super::{ABSENT, Arrives, Vendor, openid};
use serde_json::{Value, json};

fn document(issuer: &str, base: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{base}/v1/authorize"),
        "token_endpoint": format!("{base}/v1/token"),
        "userinfo_endpoint": format!("{base}/v1/userinfo"),
        "registration_endpoint": "ORIGIN/oauth2/v1/clients",
        "jwks_uri": format!("{base}/v1/keys"),
        "response_types_supported": ["code", "id_token", "code id_token", "code token", "id_token token"],
        "response_modes_supported": ["query", "fragment", "form_post", "okta_post_message"],
        "grant_types_supported": ["authorization_code", "implicit", "refresh_token", "password"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "email", "profile", "address", "phone", "offline_access", "groups"],
        "token_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"],
        "claims_supported": ["iss", "ver", "sub", "aud", "iat", "exp", "jti", "auth_time", "amr", "idp", "nonce", "name", "nickname", "preferred_username", "given_name", "family_name", "email", "email_verified"],
        "code_challenge_methods_supported": ["S256"],
        "introspection_endpoint": format!("{base}/v1/introspect"),
        "revocation_endpoint": format!("{base}/v1/revoke"),
        "end_session_endpoint": format!("{base}/v1/logout"),
        "request_parameter_supported": true,
    })
}

/// The ID token is thin: the profile and the groups are in userinfo alone.
fn okta() -> Vendor {
    Vendor {
        preset: "okta",
        document: document("ORIGIN", "ORIGIN/oauth2"),
        token: json!({ "scope": "openid profile email groups" }),
        id_token: json!({
            "sub": "00uid4BxXw6I6TV4m0g3",
            "ver": 1,
            "jti": "ID.4eAWJOCMB3SX8XewDfVR",
            "amr": ["pwd"],
            "idp": "00oid4BxXw6I6TV4m0g3",
            "auth_time": 1_700_000_000,
            "preferred_username": "ana@example.com",
        }),
        userinfo: json!({
            "sub": "00uid4BxXw6I6TV4m0g3",
            "name": "Ana Example",
            "profile": "https://www.example.com/ana",
            "locale": "en-US",
            "preferred_username": "ana@example.com",
            "given_name": "Ana",
            "family_name": "Example",
            "zoneinfo": "America/Los_Angeles",
            "updated_at": 1_700_000_000,
            "email": "ana@example.com",
            "email_verified": true,
            "groups": ["Everyone", "developers"],
        }),
        ..openid()
    }
}

const ANA: Arrives = Arrives(
    "ana@example.com",
    Some("ana@example.com"),
    Some("Ana Example"),
    Some("Everyone,developers"),
);

#[tokio::test]
async fn the_organization_s_own_server() {
    let stage = okta().stage().await;
    let mut ana = stage.arrives(ANA).await;
    let scope = stage.asked("scope").unwrap();
    assert_eq!(scope, "openid profile email groups");
    let end = ana.submit("/sso/logout", &[]).await.expect(303).location();
    assert_eq!(end.path(), "/oauth2/v1/logout");
    let sent: Vec<_> = end
        .query_pairs()
        .map(|(name, _)| name.into_owned())
        .collect();
    assert!(sent.iter().any(|name| name == "id_token_hint"), "{sent:?}");
}

#[tokio::test]
async fn a_custom_server() {
    let stage = Vendor {
        issuer: "ORIGIN/oauth2/default",
        discovery_at: "/oauth2/default/.well-known/openid-configuration",
        document: document("ORIGIN/oauth2/default", "ORIGIN/oauth2/default"),
        ..okta()
    };
    let stage = stage.stage().await;
    stage.arrives(ANA).await;
    assert_eq!(
        stage.asked("scope").as_deref(),
        Some("openid profile email")
    );
}

#[tokio::test]
async fn somebody_else_s_userinfo_is_refused() {
    let other = json!({ "sub": "00uOTHERXw6I6TV4m0g3" });
    let stage = okta().with_userinfo(&other).stage().await;
    stage.refuses("userinfo_subject_mismatch").await;
    let stage = okta().with_id_token(&json!({ "nonce": ABSENT }));
    stage.stage().await.refuses("nonce_missing").await;
}
