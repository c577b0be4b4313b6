//! Providers that nobody knows anything about, and miniOrange, which is spoken to as plain OAuth 2.0.

use super::{ABSENT, Arrives, Vendor, oauth, openid};
use serde_json::json;

fn oidc() -> Vendor {
    Vendor {
        document: json!({
            "issuer": "ORIGIN",
            "authorization_endpoint": "ORIGIN/connect/authorize",
            "token_endpoint": "ORIGIN/connect/token",
            "userinfo_endpoint": "ORIGIN/connect/userinfo",
            "jwks_uri": "ORIGIN/connect/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }),
        id_token: json!({ "sub": "24400320" }),
        userinfo: json!({
            "sub": "24400320",
            "preferred_username": "ana",
            "given_name": "Ana",
            "family_name": "Example",
            "email": "ana@example.com",
            "groups": "[\"developers\", \"reviewers\"]",
        }),
        ..openid()
    }
}

/// Custom mappers write JSON into a text; a step reads it.
#[tokio::test]
async fn a_list_in_a_text_is_one_when_the_file_says_so() {
    let rule = "[providers.claims]\ngroups = { claim = \"groups\", steps = [\"json\"] }\n";
    let groups = Some("developers,reviewers");
    let ana = Arrives("ana", Some("ana@example.com"), Some("Ana Example"), groups);
    oidc().with_toml(rule).stage().await.arrives(ana).await;
}

#[tokio::test]
async fn a_token_without_an_expiry_is_refused() {
    let stage = oidc()
        .with_id_token(&json!({ "exp": ABSENT }))
        .stage()
        .await;
    stage.refuses("claim_missing").await;
}

fn oauth2() -> Vendor {
    Vendor {
        preset: "oauth2",
        toml: "authorization_endpoint = \"ORIGIN/oauth/authorize\"\ntoken_endpoint = \"ORIGIN/oauth/token\"\nuserinfo_endpoint = \"ORIGIN/api/me\"\nscopes = [\"profile\"]\n",
        document: json!({
            "authorization_endpoint": "ORIGIN/oauth/authorize",
            "token_endpoint": "ORIGIN/oauth/token",
            "userinfo_endpoint": "ORIGIN/api/me",
        }),
        userinfo: json!({
            "sub": "7",
            "login": "ana",
            "display_name": "Ana Example",
            "email": "ana@example.com",
            "groups": ["developers"],
        }),
        ..oauth()
    }
}

#[tokio::test]
async fn plain_oauth2_says_who_it_is_in_userinfo() {
    let groups = Some("developers");
    let ana = || Arrives("ana", Some("ana@example.com"), Some("Ana Example"), groups);
    oauth2().stage().await.arrives(ana()).await;
    let nobody = oauth2().with_userinfo(&json!({ "sub": ABSENT }));
    nobody.stage().await.refuses("subject_missing").await;
}

fn miniorange() -> Vendor {
    Vendor {
        preset: "miniorange",
        issuer: "ORIGIN",
        client_auth: "client_secret_post",
        document: json!({
            "authorization_endpoint": "ORIGIN/moas/idp/openidsso",
            "token_endpoint": "ORIGIN/moas/rest/oauth/token",
            "userinfo_endpoint": "ORIGIN/moas/rest/oauth/getuserinfo",
        }),
        userinfo: json!({
            "sub": "ana@example.com",
            "username": "ana",
            "email": "ana@example.com",
            "first_name": "Ana",
            "last_name": "Example",
            "groups": ["developers"],
        }),
        ..oauth()
    }
}

#[tokio::test]
async fn miniorange_by_its_address_alone() {
    let groups = Some("developers");
    let ana = Arrives("ana", Some("ana@example.com"), Some("Ana Example"), groups);
    miniorange().stage().await.arrives(ana).await;
    let unnamed = json!({ "username": ABSENT, "email": ABSENT });
    let nobody = miniorange().with_userinfo(&unnamed).stage().await;
    nobody.refuses("no_username").await;
}
