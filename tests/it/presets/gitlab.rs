//! GitLab, gitlab.com or one's own.

use super::{ABSENT, Arrives, Vendor, openid};
use serde_json::json;

/// The ID token has hardly more than identifiers; `sub` is a number in a text.
fn gitlab() -> Vendor {
    Vendor {
        preset: "gitlab",
        document: json!({
            "issuer": "ORIGIN",
            "authorization_endpoint": "ORIGIN/oauth/authorize",
            "token_endpoint": "ORIGIN/oauth/token",
            "revocation_endpoint": "ORIGIN/oauth/revoke",
            "introspection_endpoint": "ORIGIN/oauth/introspect",
            "userinfo_endpoint": "ORIGIN/oauth/userinfo",
            "jwks_uri": "ORIGIN/oauth/discovery/keys",
            "scopes_supported": ["api", "read_api", "read_user", "openid", "profile", "email"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "grant_types_supported": ["authorization_code", "password", "client_credentials", "refresh_token"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "claim_types_supported": ["normal"],
            "claims_supported": ["iss", "sub", "aud", "exp", "iat", "sub_legacy", "name", "nickname", "preferred_username", "email", "email_verified", "website", "profile", "picture", "groups", "groups_direct"],
            "code_challenge_methods_supported": ["plain", "S256"],
        }),
        token: json!({ "scope": "openid profile email", "created_at": 1_700_000_000 }),
        id_token: json!({
            "sub": "583231",
            "sub_legacy": "6c9ab6b6a0a1ee9a0a7ae8d1e1f2a3b4c5d6e7f8",
            "auth_time": 1_700_000_000,
            "email": "ana@example.com",
            "email_verified": true,
            "groups_direct": ["example", "example/backend"],
        }),
        userinfo: json!({
            "sub": "583231",
            "sub_legacy": "6c9ab6b6a0a1ee9a0a7ae8d1e1f2a3b4c5d6e7f8",
            "name": "Ana Example",
            "nickname": "ana",
            "preferred_username": "ana",
            "email": "ana@example.com",
            "email_verified": true,
            "profile": "ORIGIN/ana",
            "picture": "ORIGIN/uploads/avatar.png",
            "groups": ["example", "example/backend", "example/backend/db"],
            "https://gitlab.org/claims/groups/maintainer": ["example/backend"],
        }),
        ..openid()
    }
}

#[tokio::test]
async fn groups_are_those_of_one_s_own() {
    let groups = Some("example,example/backend");
    let ana = Arrives("ana", Some("ana@example.com"), Some("Ana Example"), groups);
    let stage = gitlab().stage().await;
    let mut ana = stage.arrives(ana).await;
    // It has no logout address: signing out ends here.
    let end = ana.submit("/sso/logout", &[]).await.expect(303).location();
    assert_eq!(end.host_str(), Some("git.example.com"));
}

#[tokio::test]
async fn somebody_outside_the_group_is_refused() {
    let outside = json!({ "groups_direct": ["other"] });
    let rule = "[providers.require]\ngroups_direct = \"example\"\n";
    let stage = gitlab()
        .with_id_token(&outside)
        .with_toml(rule)
        .stage()
        .await;
    stage.refuses("required_claim").await;
    let none = json!({ "groups_direct": ABSENT });
    let stage = gitlab().with_id_token(&none).with_toml(rule).stage().await;
    stage.refuses("required_claim").await;
}
