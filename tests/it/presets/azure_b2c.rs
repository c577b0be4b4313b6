//! Azure AD B2C.

use super::{ABSENT, Arrives, Vendor, openid};
use serde_json::json;

/// The issuer knows nothing of the policy, addresses are a list, and there is no userinfo.
fn b2c() -> Vendor {
    Vendor {
        preset: "azure_b2c",
        issuer: "ORIGIN/775527ff-9a37-4307-8b3d-cc311f58d925/v2.0/",
        toml: "discovery_url = \"ORIGIN/example.onmicrosoft.com/b2c_1_signin/v2.0/.well-known/openid-configuration\"\n",
        client_auth: "client_secret_post",
        discovery_at: "/example.onmicrosoft.com/b2c_1_signin/v2.0/.well-known/openid-configuration",
        document: json!({
            "issuer": "ORIGIN/775527ff-9a37-4307-8b3d-cc311f58d925/v2.0/",
            "authorization_endpoint": "ORIGIN/example.onmicrosoft.com/b2c_1_signin/oauth2/v2.0/authorize",
            "token_endpoint": "ORIGIN/example.onmicrosoft.com/b2c_1_signin/oauth2/v2.0/token",
            "end_session_endpoint": "ORIGIN/example.onmicrosoft.com/b2c_1_signin/oauth2/v2.0/logout",
            "jwks_uri": "ORIGIN/example.onmicrosoft.com/b2c_1_signin/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "response_types_supported": ["code", "code id_token", "id_token"],
            "scopes_supported": ["openid"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "claims_supported": ["name", "emails", "idp", "oid", "sub", "tfp", "iss", "aud"],
        }),
        token: json!({ "not_before": 1_700_000_000, "expires_on": 1_700_003_600, "resource": "c" }),
        id_token: json!({
            "ver": "1.0",
            "sub": "884408e1-2918-4cz0-b12d-3aa027d7563b",
            "oid": "884408e1-2918-4cz0-b12d-3aa027d7563b",
            "name": "unknown",
            "given_name": "Ana",
            "family_name": "Example",
            "emails": ["ana@example.com", "ana@old.example"],
            "tfp": "B2C_1_signin",
            "auth_time": 1_700_000_000,
        }),
        ..openid()
    }
}

#[tokio::test]
async fn azure_b2c() {
    let stage = b2c().stage().await;
    stage
        .arrives(Arrives(
            "884408e1-2918-4cz0-b12d-3aa027d7563b",
            Some("ana@example.com"),
            Some("unknown"),
            None,
        ))
        .await;
    let scope = stage.asked("scope").unwrap();
    assert_eq!(scope, "openid portcullis-client");
}

/// Old policies write the same sentence into everybody's `sub`.
#[tokio::test]
async fn everybody_under_one_subject_is_told_apart_by_oid() {
    let old = json!({ "sub": "Not supported currently. Use oid claim." });
    let stage = b2c().with_id_token(&old).stage().await;
    let oid = "884408e1-2918-4cz0-b12d-3aa027d7563b";
    let email = Some("ana@example.com");
    stage
        .arrives(Arrives(oid, email, Some("unknown"), None))
        .await;
    let stage = b2c().with_id_token(&old);
    let stage = stage.with_id_token(&json!({ "oid": ABSENT })).stage().await;
    stage.refuses("subject_missing").await;
}
