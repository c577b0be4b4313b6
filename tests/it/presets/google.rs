//! Google, with a Workspace domain.

use super::{ABSENT, Arrives, Vendor, openid};
use serde_json::json;

fn google() -> Vendor {
    Vendor {
        preset: "google",
        toml: "[providers.require]\nhd = \"example.com\"\n",
        client_auth: "client_secret_post",
        document: json!({
            "issuer": "ORIGIN",
            "authorization_endpoint": "ORIGIN/o/oauth2/v2/auth",
            "device_authorization_endpoint": "ORIGIN/device/code",
            "token_endpoint": "ORIGIN/token",
            "userinfo_endpoint": "ORIGIN/v1/userinfo",
            "revocation_endpoint": "ORIGIN/revoke",
            "jwks_uri": "ORIGIN/oauth2/v3/certs",
            "response_types_supported": ["code", "token", "id_token", "code token", "none"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "profile"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "claims_supported": ["aud", "email", "email_verified", "exp", "family_name", "given_name", "iat", "iss", "name", "picture", "sub"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "authorization_response_iss_parameter_supported": true,
        }),
        token: json!({ "scope": "openid https://www.googleapis.com/auth/userinfo.email" }),
        id_token: json!({
            "azp": "portcullis-client",
            "sub": "110169484474386276334",
            "hd": "example.com",
            "email": "ana@example.com",
            "email_verified": true,
            "name": "Ana Example",
            "picture": "https://lh3.googleusercontent.com/a-/photo",
            "given_name": "Ana",
            "family_name": "Example",
        }),
        userinfo: json!({
            "sub": "110169484474386276334",
            "name": "Ana Example",
            "given_name": "Ana",
            "family_name": "Example",
            "picture": "https://lh3.googleusercontent.com/a-/photo",
            "email": "ana@example.com",
            "email_verified": true,
            "hd": "example.com",
        }),
        ..openid()
    }
}

const ANA: Arrives = Arrives(
    "ana@example.com",
    Some("ana@example.com"),
    Some("Ana Example"),
    None,
);

#[tokio::test]
async fn workspace() {
    google().stage().await.arrives(ANA).await;
}

/// Older tokens leave the scheme out. The preset knows that of Google's own issuer only.
#[tokio::test]
async fn an_issuer_without_a_scheme_is_one_when_it_is_listed() {
    let old = json!({ "iss": "accounts.google.com" });
    let listed =
        "issuer_aliases = [\"accounts.google.com\"]\n[providers.require]\nhd = \"example.com\"\n";
    let stage = google().with_id_token(&old).with_toml(listed);
    stage.stage().await.arrives(ANA).await;
    let stage = google().with_id_token(&old).stage().await;
    stage.refuses("issuer_mismatch").await;
}

#[tokio::test]
async fn a_private_account_or_another_domain_is_refused() {
    for hd in [ABSENT, "evil.example"] {
        let other = json!({ "hd": hd });
        let stage = google().with_id_token(&other).with_userinfo(&other);
        stage.stage().await.refuses("required_claim").await;
    }
}
