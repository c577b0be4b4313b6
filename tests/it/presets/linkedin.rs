//! LinkedIn.

use super::{ABSENT, Arrives, Vendor, openid};
use serde_json::json;

/// No nonce in the ID token, truth as text there, a locale that is an object, no word about how
/// clients authenticate.
fn linkedin() -> Vendor {
    Vendor {
        preset: "linkedin",
        issuer: "ORIGIN/oauth",
        toml: "[users]\nallowed_domains = [\"example.com\"]\n",
        client_auth: "client_secret_post",
        discovery_at: "/oauth/.well-known/openid-configuration",
        document: json!({
            "issuer": "ORIGIN/oauth",
            "authorization_endpoint": "ORIGIN/oauth/v2/authorization",
            "token_endpoint": "ORIGIN/oauth/v2/accessToken",
            "userinfo_endpoint": "ORIGIN/v2/userinfo",
            "jwks_uri": "ORIGIN/oauth/openid/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email"],
            "claims_supported": ["iss", "aud", "iat", "exp", "sub", "name", "given_name", "family_name", "picture", "email", "email_verified", "locale"],
        }),
        token: json!({ "scope": "email,openid,profile", "expires_in": 5_183_999 }),
        id_token: json!({
            "nonce": ABSENT,
            "at_hash": ABSENT,
            "sub": "782bbtaQ",
            "name": "Ana Example",
            "given_name": "Ana",
            "family_name": "Example",
            "picture": "https://media.licdn-ei.com/dms/image/x",
            "email": "ana@example.com",
            "email_verified": "true",
            "locale": "en_US",
        }),
        userinfo: json!({
            "sub": "782bbtaQ",
            "name": "Ana Example",
            "given_name": "Ana",
            "family_name": "Example",
            "picture": "https://media.licdn-ei.com/dms/image/x",
            "locale": { "country": "US", "language": "en" },
            "email": "ana@example.com",
            "email_verified": true,
        }),
        ..openid()
    }
}

#[tokio::test]
async fn a_token_without_a_nonce() {
    let email = "ana@example.com";
    let stage = linkedin().stage().await;
    stage
        .arrives(Arrives(email, Some(email), Some("Ana Example"), None))
        .await;
    assert!(stage.asked("nonce").is_some());
}

#[tokio::test]
async fn a_nonce_of_another_sign_in_is_refused() {
    let other = json!({ "nonce": "another" });
    let stage = linkedin().with_id_token(&other).stage().await;
    stage.refuses("nonce_mismatch").await;
}

#[tokio::test]
async fn an_address_that_nobody_confirmed_is_refused() {
    let no = json!({ "email_verified": "false" });
    let stage = linkedin().with_id_token(&no).stage().await;
    stage.refuses("unverified_email").await;
}
