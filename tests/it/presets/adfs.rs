//! Active Directory Federation Services.

use super::{ABSENT, Arrives, Vendor, openid};
use serde_json::json;

/// One group is a text and several are a list; so are addresses. Userinfo refuses the token.
fn adfs() -> Vendor {
    Vendor {
        preset: "adfs",
        issuer: "ORIGIN/adfs",
        client_auth: "client_secret_post",
        discovery_at: "/adfs/.well-known/openid-configuration",
        document: json!({
            "issuer": "ORIGIN/adfs",
            "authorization_endpoint": "ORIGIN/adfs/oauth2/authorize/",
            "token_endpoint": "ORIGIN/adfs/oauth2/token/",
            "jwks_uri": "ORIGIN/adfs/discovery/keys",
            "token_endpoint_auth_methods_supported":
                ["client_secret_post", "client_secret_basic", "private_key_jwt", "windows_client_authentication"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "scopes_supported": ["allatclaims", "email", "openid", "profile"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "access_token_issuer": "http://adfs.example.com/adfs/services/trust",
            "userinfo_endpoint": "ORIGIN/adfs/userinfo",
            "end_session_endpoint": "ORIGIN/adfs/oauth2/logout",
            "frontchannel_logout_supported": true,
            "frontchannel_logout_session_supported": true,
        }),
        token: json!({ "resource": "urn:microsoft:userinfo", "refresh_token_expires_in": 28800 }),
        id_token: json!({
            "sub": "MUlqb0ZJ5RkJ/Fa2x0Yk0w==",
            "upn": "ana@corp.example.com",
            "unique_name": "CORP\\ana",
            "email": ["ana@example.com"],
            "given_name": "Ana",
            "family_name": "Example",
            "name": "Ana Example",
            "group": "Developers",
            "auth_time": 1_700_000_000,
            "apptype": "Confidential",
            "sid": "S-1-5-21-1",
        }),
        ..openid()
    }
}

#[tokio::test]
async fn adfs_with_one_group_and_with_several() {
    let ana = |groups| {
        Arrives(
            "ana@corp.example.com",
            Some("ana@example.com"),
            Some("Ana Example"),
            Some(groups),
        )
    };
    let stage = adfs().stage().await;
    stage.arrives(ana("Developers")).await;
    assert!(stage.provider.requests("/userinfo").is_empty());
    let scope = stage.asked("scope").unwrap();
    assert_eq!(scope, "openid profile email allatclaims");
    let several = json!({ "group": ["Developers", "Domain Users"] });
    let stage = adfs().with_id_token(&several).stage().await;
    stage.arrives(ana("Developers,Domain Users")).await;
}

#[tokio::test]
async fn adfs_without_its_rules_names_nobody() {
    let stage = adfs().with_id_token(&json!({ "upn": ABSENT, "unique_name": ABSENT }));
    stage.stage().await.refuses("no_username").await;
}
