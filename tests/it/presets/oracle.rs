//! Oracle Identity Cloud Service, or an identity domain of Oracle Cloud.

use super::{Arrives, Vendor, openid};
use serde_json::json;

/// One issuer for everybody and a discovery document elsewhere; groups are objects; the samples of
/// the manual have endpoints without a host.
fn oracle() -> Vendor {
    Vendor {
        preset: "oracle_idcs",
        issuer: "ORIGIN/issuer/",
        toml: "discovery_url = \"ORIGIN/idcs-example/.well-known/openid-configuration\"\n",
        discovery_at: "/idcs-example/.well-known/openid-configuration",
        document: json!({
            "issuer": "ORIGIN/issuer/",
            "authorization_endpoint": "/oauth2/v1/authorize",
            "token_endpoint": "/oauth2/v1/token",
            "userinfo_endpoint": "/oauth2/v1/userinfo",
            "revocation_endpoint": "/oauth2/v1/revoke",
            "introspection_endpoint": "/oauth2/v1/introspect",
            "end_session_endpoint": "/oauth2/v1/userlogout",
            "jwks_uri": "/admin/v1/SigningCert/jwk",
            "scopes_supported": ["openid", "profile", "offline_access", "email", "address", "phone", "groups", "get_groups"],
            "response_types_supported": ["code", "token", "id_token", "code token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_jwt"],
        }),
        id_token: json!({
            "sub": "ana@example.com",
            "sub_mappingattr": "userName",
            "user_id": "f9ee5a8f1c3d4b7e",
            "user_displayname": "Ana Example",
            "user_tenantname": "idcs-example",
            "user_lang": "en",
            "tok_type": "IT",
            "authn_strength": 2,
            "sid": "8d1f",
        }),
        userinfo: json!({
            "sub": "ana@example.com",
            "email": "ana@example.com",
            "email_verified": true,
            "family_name": "Example",
            "given_name": "Ana",
            "name": "Ana Example",
            "preferred_username": "ana@example.com",
            "groups": [
                { "name": "developers", "id": "d1f5", "$ref": "http://idcs-example/admin/v1/Groups/d1f5" },
                { "name": "reviewers", "id": "e2a6", "$ref": "http://idcs-example/admin/v1/Groups/e2a6" },
            ],
        }),
        ..openid()
    }
}

#[tokio::test]
async fn groups_are_objects_with_names() {
    let email = "ana@example.com";
    let groups = Some("developers,reviewers");
    let ana = Arrives(email, Some(email), Some("Ana Example"), groups);
    oracle().stage().await.arrives(ana).await;
}

#[tokio::test]
async fn the_tenant_s_own_address_is_not_the_issuer() {
    let stage = oracle().with_id_token(&json!({ "iss": "ORIGIN/idcs-example" }));
    stage.stage().await.refuses("issuer_mismatch").await;
}
