//! Microsoft Entra ID for one tenant and for several, and Entra External ID.

use super::{ABSENT, Arrives, Vendor, openid};
use serde_json::{Value, json};

const TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

fn document(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": "ORIGIN/tenant/oauth2/v2.0/authorize",
        "token_endpoint": "ORIGIN/tenant/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported":
            ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": "ORIGIN/tenant/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "request_uri_parameter_supported": false,
        "userinfo_endpoint": "ORIGIN/oidc/userinfo",
        "device_authorization_endpoint": "ORIGIN/tenant/oauth2/v2.0/devicecode",
        "http_logout_supported": true,
        "frontchannel_logout_supported": true,
        "end_session_endpoint": "ORIGIN/tenant/oauth2/v2.0/logout",
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "ver", "at_hash", "c_hash", "email"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
        "msgraph_host": "graph.microsoft.com",
    })
}

fn entra() -> Vendor {
    Vendor {
        preset: "entra",
        issuer: "ORIGIN/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        client_auth: "client_secret_post",
        discovery_at: "/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0/.well-known/openid-configuration",
        document: document("ORIGIN/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"),
        token: json!({ "ext_expires_in": 3599, "scope": "openid profile email" }),
        id_token: json!({
            "ver": "2.0",
            "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
            "oid": "00000000-0000-0000-66f3-3332eca7ea81",
            "tid": TENANT,
            "preferred_username": "Ana@example.onmicrosoft.com",
            "name": "Ana Example",
            "email": "ana@example.com",
            "groups": ["6a7b0d0a-1b5c-4a5e-9d0e-000000000001", "6a7b0d0a-1b5c-4a5e-9d0e-000000000002"],
            "roles": ["Reviewer"],
            "uti": "q0dk9z8cEUOF",
            "rh": "0.AAAA",
            "at_hash": ABSENT,
        }),
        ..openid()
    }
}

const ANA: Arrives = Arrives(
    "ana@example.onmicrosoft.com",
    Some("ana@example.com"),
    Some("Ana Example"),
    Some("6a7b0d0a-1b5c-4a5e-9d0e-000000000001,6a7b0d0a-1b5c-4a5e-9d0e-000000000002"),
);

#[tokio::test]
async fn entra_of_one_tenant() {
    let stage = entra().stage().await;
    stage.arrives(ANA).await;
    assert!(stage.provider.requests("/userinfo").is_empty());
}

#[tokio::test]
async fn an_address_of_entra_s_decides_nothing_unless_it_is_confirmed() {
    let rule = "[users]\nallowed_domains = [\"example.com\"]\n";
    let stage = entra().with_toml(rule).stage().await;
    stage.refuses("unverified_email").await;
    // The optional claim comes in several spellings.
    for confirmed in [json!("1"), json!(1), json!(true)] {
        let stage = entra().with_id_token(&json!({ "xms_edov": confirmed }));
        stage.with_toml(rule).stage().await.arrives(ANA).await;
    }
}

fn too_many_groups() -> Value {
    json!({
        "groups": ABSENT,
        "_claim_names": { "groups": "src1" },
        "_claim_sources": {
            "src1": { "endpoint": "https://graph.windows.net/9188040d/users/66f3/getMemberObjects" }
        },
    })
}

#[tokio::test]
async fn too_many_groups_are_not_none() {
    let stage = entra().with_id_token(&too_many_groups()).stage().await;
    stage.refuses("groups_overage").await;
}

#[tokio::test]
async fn too_many_groups_are_asked_for_at_graph() {
    let stage = Vendor {
        toml: "fetch = [\"graph_groups\"]\ngraph_url = \"ORIGIN/graph\"\n",
        further: vec![(
            "/graph/v1.0/me/getMemberObjects",
            json!({
                "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#Collection(Edm.String)",
                "value": ["6a7b0d0a-1b5c-4a5e-9d0e-000000000003"],
            }),
        )],
        ..entra()
    };
    let stage = stage.with_id_token(&too_many_groups()).stage().await;
    let groups = Some("6a7b0d0a-1b5c-4a5e-9d0e-000000000003");
    stage.arrives(Arrives(ANA.0, ANA.1, ANA.2, groups)).await;
    assert_eq!(
        stage.asked("scope").as_deref(),
        Some("openid profile email User.Read")
    );
}

/// The document has `{tenantid}` in its issuer, and the token has the tenant.
fn several() -> Vendor {
    Vendor {
        preset: "entra_multi",
        issuer: "ORIGIN/{tenantid}/v2.0",
        toml: "[providers.require]\ntid = [\"9188040d-6c67-4c5b-b112-36a304b66dad\"]\n",
        discovery_at: "/organizations/v2.0/.well-known/openid-configuration",
        document: document("ORIGIN/{tenantid}/v2.0"),
        ..entra()
    }
    .with_id_token(&json!({ "iss": "ORIGIN/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0" }))
}

#[tokio::test]
async fn entra_of_several_tenants() {
    let stage = several().stage().await;
    stage
        .arrives(Arrives(ANA.0, ANA.1, ANA.2, Some("Reviewer")))
        .await;
}

#[tokio::test]
async fn another_tenant_is_refused() {
    let other = "0aa51d4e-0000-4000-8000-000000000000";
    let stage = several().with_id_token(&json!({
        "tid": other,
        "iss": format!("ORIGIN/{other}/v2.0"),
    }));
    stage.stage().await.refuses("required_claim").await;
    // One that only pretends.
    let stage = several().with_id_token(&json!({ "tid": other }));
    stage.stage().await.refuses("issuer_mismatch").await;
}

#[tokio::test]
async fn entra_external_id() {
    let stage = Vendor {
        preset: "entra_external_id",
        ..entra()
    };
    stage.stage().await.arrives(ANA).await;
    // Who has no `oid` has no identity here: `sub` is another for every client.
    let stage = Vendor {
        preset: "entra_external_id",
        ..entra().with_id_token(&json!({ "oid": ABSENT }))
    };
    stage.stage().await.refuses("subject_missing").await;
}
