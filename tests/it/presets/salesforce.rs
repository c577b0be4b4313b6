//! Salesforce: My Domain, sandbox, Experience site and the generic host.

use super::{ABSENT, Arrives, Vendor, openid};
use serde_json::{Value, json};

const DOCUMENT_PATHS: &str = r#"{
    "issuer": "SITE",
    "authorization_endpoint": "SITE/services/oauth2/authorize",
    "token_endpoint": "SITE/services/oauth2/token",
    "revocation_endpoint": "SITE/services/oauth2/revoke",
    "userinfo_endpoint": "SITE/services/oauth2/userinfo",
    "jwks_uri": "SITE/id/keys",
    "registration_endpoint": "SITE/services/oauth2/register",
    "introspection_endpoint": "SITE/services/oauth2/introspect",
    "end_session_endpoint": "SITE/services/auth/idp/oidc/logout",
    "scopes_supported": ["openid", "id", "profile", "email", "api", "web", "full", "refresh_token"],
    "response_types_supported": ["code", "token", "token id_token"],
    "subject_types_supported": ["public"],
    "id_token_signing_alg_values_supported": ["RS256"],
    "display_values_supported": ["page", "popup", "touch"],
    "token_endpoint_auth_methods_supported":
        ["client_secret_post", "client_secret_basic", "private_key_jwt"],
    "claims_supported": ["active", "address", "email", "organization_id", "preferred_username"],
    "frontchannel_logout_supported": true,
    "frontchannel_logout_session_supported": false
}"#;

fn document(site: &str) -> Value {
    serde_json::from_str(&DOCUMENT_PATHS.replace("SITE", site)).unwrap()
}

/// `sub` is an address on another host than the issuer's, dates are text, some facts are null, nothing
/// says how long a token lives, and groups are one string that only userinfo has.
fn salesforce() -> Vendor {
    let person = json!({
        "sub": "https://login.salesforce.com/id/00Dx0000000BV7zEAG/005x00000012Q9PAAU",
        "preferred_username": "Ana@Example.com.dev",
        "nickname": "User17100",
        "name": "Ana Example",
        "email": "ana@example.com",
        "email_verified": true,
        "given_name": "Ana",
        "family_name": "Example",
        "phone_number": null,
        "zoneinfo": "Europe/Berlin",
        "locale": "fi_FI_EURO",
        "address": { "country": "FI" },
        "profile": "ORIGIN/005x00000012Q9PAAU",
        "updated_at": "2026-03-25T10:01:14Z",
    });
    let mut id_token = person.clone();
    id_token["at_hash"] = json!(ABSENT);
    let mut userinfo = person;
    for (name, value) in json!({
        "user_id": "005x00000012Q9PAAU",
        "organization_id": "00Dx0000000BV7zEAG",
        "photos": { "picture": "ORIGIN/profilephoto/F", "thumbnail": "ORIGIN/profilephoto/T" },
        "phone_number_verified": false,
        "address": {},
        "is_salesforce_integration_user": false,
        "urls": { "rest": "ORIGIN/services/data/v{version}/" },
        "active": true,
        "user_type": "STANDARD",
        "language": "en_US",
        "utcOffset": 3_600_000,
        "updated_at": "2026-03-25T10:01:14.000+0000",
        "is_app_installed": true,
        "custom_attributes": { "groups": "developers;release managers; ;developers" },
        "custom_permissions": { "Deploy": true },
    })
    .as_object()
    .unwrap()
    {
        userinfo[name] = value.clone();
    }
    Vendor {
        preset: "salesforce",
        client_auth: "client_secret_post",
        document: document("ORIGIN"),
        token: json!({
            "expires_in": ABSENT,
            "signature": "U2lnbmF0dXJl",
            "scope": "openid profile email",
            "instance_url": "https://example.my.salesforce.com",
            "id": "https://login.salesforce.com/id/00Dx0000000BV7zEAG/005x00000012Q9PAAU",
            "issued_at": "1774432874000",
        }),
        id_token,
        userinfo,
        ..openid()
    }
}

const ANA: Arrives = Arrives(
    "ana@example.com.dev",
    Some("ana@example.com"),
    Some("Ana Example"),
    Some("developers,release managers"),
);

#[tokio::test]
async fn my_domain() {
    let stage = salesforce().stage().await;
    let mut ana = stage.arrives(ANA).await;
    // PKCE, though the document does not promise it.
    assert_eq!(
        stage.asked("code_challenge_method").as_deref(),
        Some("S256")
    );
    assert_eq!(
        stage.asked("scope").as_deref(),
        Some("openid profile email")
    );

    // Its logout address ignores where to go back to, so it is not asked for that.
    let end = ana.submit("/sso/logout", &[]).await.expect(303).location();
    assert_eq!(end.path(), "/services/auth/idp/oidc/logout");
    let mut asked = end.query_pairs();
    assert!(asked.all(|(name, _)| name != "post_logout_redirect_uri"));
    ana.get("/sso/me").await.expect(401);
}

#[tokio::test]
async fn an_experience_site_is_an_issuer_with_a_path() {
    let stage = Vendor {
        issuer: "ORIGIN/customers",
        discovery_at: "/customers/.well-known/openid-configuration",
        document: document("ORIGIN/customers"),
        ..salesforce()
    };
    let stage = stage
        .with_id_token(&json!({
            "sub": "https://test.salesforce.com/id/00Dx0000000BV7zEAG/005x00000012Q9PAAU",
        }))
        .with_userinfo(&json!({
            "sub": "https://test.salesforce.com/id/00Dx0000000BV7zEAG/005x00000012Q9PAAU",
            "user_type": "CSP_LITE_PORTAL",
        }));
    stage.stage().await.arrives(ANA).await;
}

/// The identity address has names of its own. It is asked at the issuer or at Salesforce only.
#[tokio::test]
async fn the_identity_address_is_asked_on_demand() {
    let mut vendor = salesforce();
    vendor.toml = "fetch = [\"salesforce_identity\"]\n[providers.claims]\nusername = \"username\"\nfirst_name = \"first_name\"\nlast_name = \"last_name\"\n";
    vendor.token["id"] = json!("ORIGIN/id/00Dx0000000BV7zEAG/005x00000012Q9PAAU");
    vendor.further = vec![(
        "/id/00Dx0000000BV7zEAG/005x00000012Q9PAAU",
        json!({
            "id": "https://login.salesforce.com/id/00Dx0000000BV7zEAG/005x00000012Q9PAAU",
            "asserted_user": true,
            "user_id": "005x00000012Q9PAAU",
            "organization_id": "00Dx0000000BV7zEAG",
            "username": "ana.dev@example.com",
            "nick_name": "User17100",
            "display_name": "Ana Example",
            "email": "ana@example.com",
            "first_name": "Ana",
            "last_name": "Example",
            "status": { "created_date": null, "body": null },
            "active": true,
            "user_type": "STANDARD",
            "last_modified_date": "2026-03-25T10:01:14.000+0000",
            "mobile_policy": { "pin_length": 4, "screen_lock": 10 },
        }),
    )];
    let stage = vendor.stage().await;
    stage
        .arrives(Arrives("ana.dev@example.com", ANA.1, ANA.2, ANA.3))
        .await;
    assert_eq!(
        stage.asked("scope").as_deref(),
        Some("openid profile email id")
    );

    let mut elsewhere = salesforce();
    elsewhere.toml = "fetch = [\"salesforce_identity\"]\n";
    elsewhere.token["id"] = json!("https://evil.example/id/00Dx0000000BV7zEAG/005x00000012Q9PAAU");
    elsewhere.stage().await.refuses("identity_elsewhere").await;
}

#[tokio::test]
async fn permissions_can_be_groups() {
    let stage = salesforce()
        .with_toml(
            "[providers.claims]\ngroups = { claim = \"custom_permissions\", steps = [\"keys\"] }\n",
        )
        .stage()
        .await;
    stage
        .arrives(Arrives(ANA.0, ANA.1, ANA.2, Some("Deploy")))
        .await;
}

/// The generic host's tokens may name the organization's own address.
#[tokio::test]
async fn another_spelling_of_the_issuer_is_one_when_it_is_listed() {
    let said = json!({ "iss": "https://example.my.salesforce.com" });
    let stage = salesforce()
        .with_id_token(&said)
        .with_toml(
            "issuer_aliases = [\"https://example.my.salesforce.com\"]\n[providers.require]\norganization_id = \"00Dx0000000BV7zEAG\"\n",
        )
        .stage()
        .await;
    stage.arrives(ANA).await;
    let stage = salesforce().with_id_token(&said).stage().await;
    stage.refuses("issuer_mismatch").await;
}

#[tokio::test]
async fn another_organization_is_refused() {
    let stage = salesforce()
        .with_userinfo(&json!({ "organization_id": "00Dx0000000EVILEAG" }))
        .with_toml("[providers.require]\norganization_id = \"00Dx0000000BV7zEAG\"\n")
        .stage()
        .await;
    stage.refuses("required_claim").await;
}

#[tokio::test]
async fn somebody_who_left_is_refused() {
    let left = json!({ "active": false });
    let stage = salesforce().with_userinfo(&left).stage().await;
    stage.refuses("inactive_account").await;
}
