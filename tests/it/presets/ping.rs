//! Ping Identity: PingFederate and PingOne.

use super::{ABSENT, Arrives, Vendor, openid};
use serde_json::json;

/// Its own logout address, a claim with a dot in its name, `mail` instead of `email`.
fn pingfederate() -> Vendor {
    Vendor {
        preset: "pingfederate",
        document: json!({
            "issuer": "ORIGIN",
            "authorization_endpoint": "ORIGIN/as/authorization.oauth2",
            "token_endpoint": "ORIGIN/as/token.oauth2",
            "revocation_endpoint": "ORIGIN/as/revoke_token.oauth2",
            "userinfo_endpoint": "ORIGIN/idp/userinfo.openid",
            "introspection_endpoint": "ORIGIN/as/introspect.oauth2",
            "jwks_uri": "ORIGIN/pf/JWKS",
            "ping_end_session_endpoint": "ORIGIN/idp/startSLO.ping",
            "ping_revoked_sris_endpoint": "ORIGIN/pf-ws/rest/sessionMgmt/revokedSris",
            "end_session_endpoint": "ORIGIN/idp/init_logout.openid",
            "scopes_supported": ["address", "phone", "openid", "profile", "email"],
            "response_types_supported": ["code", "token", "id_token", "code token"],
            "response_modes_supported": ["fragment", "query", "form_post"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["none", "HS256", "RS256", "ES256", "PS256"],
            "token_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "private_key_jwt"],
            "code_challenge_methods_supported": ["plain", "S256"],
        }),
        id_token: json!({
            "sub": "ana",
            "jti": "Vgb2Uv",
            "pi.sri": "xLaAq3mYKJ",
            "acr": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password",
            "auth_time": 1_700_000_000,
        }),
        userinfo: json!({
            "sub": "ana",
            "mail": "ana@example.com",
            "given_name": "Ana",
            "family_name": "Example",
            "groups": ["CN=developers,OU=Groups,DC=example,DC=com", "CN=reviewers,OU=Groups,DC=example,DC=com"],
        }),
        ..openid()
    }
}

#[tokio::test]
async fn pingfederate_with_groups_of_a_directory() {
    let rule = "[providers.claims]\ngroups = { claim = \"groups\", steps = [{ regex = \"CN=([^,]+),.*\", replace = \"$1\" }] }\n";
    let stage = pingfederate().with_toml(rule).stage().await;
    stage
        .arrives(Arrives(
            "ana",
            Some("ana@example.com"),
            Some("Ana Example"),
            Some("developers,reviewers"),
        ))
        .await;
}

#[tokio::test]
async fn pingfederate_s_token_for_another_client_is_refused() {
    let other = json!({ "aud": "another-client" });
    let stage = pingfederate().with_id_token(&other).stage().await;
    stage.refuses("audience_mismatch").await;
}

fn pingone() -> Vendor {
    Vendor {
        preset: "pingone",
        issuer: "ORIGIN/3dcd4bbc-0000-4000-8000-000000000000/as",
        discovery_at: "/3dcd4bbc-0000-4000-8000-000000000000/as/.well-known/openid-configuration",
        document: json!({
            "issuer": "ORIGIN/3dcd4bbc-0000-4000-8000-000000000000/as",
            "authorization_endpoint": "ORIGIN/3dcd4bbc-0000-4000-8000-000000000000/as/authorize",
            "pushed_authorization_request_endpoint": "ORIGIN/3dcd4bbc-0000-4000-8000-000000000000/as/par",
            "token_endpoint": "ORIGIN/3dcd4bbc-0000-4000-8000-000000000000/as/token",
            "userinfo_endpoint": "ORIGIN/3dcd4bbc-0000-4000-8000-000000000000/as/userinfo",
            "jwks_uri": "ORIGIN/3dcd4bbc-0000-4000-8000-000000000000/as/jwks",
            "end_session_endpoint": "ORIGIN/3dcd4bbc-0000-4000-8000-000000000000/as/signoff",
            "scopes_supported": ["openid", "profile", "email", "address", "phone"],
            "response_types_supported": ["code", "id_token", "token id_token"],
            "response_modes_supported": ["pi.flow", "query", "fragment", "form_post"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"],
            "code_challenge_methods_supported": ["plain", "S256"],
        }),
        id_token: json!({
            "sub": "8f9fe2b1-0000-4000-8000-000000000000",
            "env": "3dcd4bbc-0000-4000-8000-000000000000",
            "org": "1aa9e2b1-0000-4000-8000-000000000000",
            "acr": "Single_Factor",
            "sid": "a9c1f2",
        }),
        userinfo: json!({
            "sub": "8f9fe2b1-0000-4000-8000-000000000000",
            "preferred_username": "ana",
            "given_name": "Ana",
            "family_name": "Example",
            "email": "ana@example.com",
            "updated_at": 1_700_000_000,
            "groups": ["developers"],
        }),
        ..openid()
    }
}

#[tokio::test]
async fn pingone_with_the_profile_in_userinfo() {
    let groups = Some("developers");
    let ana = Arrives("ana", Some("ana@example.com"), Some("Ana Example"), groups);
    pingone().stage().await.arrives(ana).await;
}

#[tokio::test]
async fn pingone_without_a_profile_names_nobody() {
    let bare = json!({ "preferred_username": ABSENT });
    let stage = pingone().with_userinfo(&bare).stage().await;
    stage.refuses("no_username").await;
}
