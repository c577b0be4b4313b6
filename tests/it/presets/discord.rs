//! Discord as plain OAuth 2.0.

use super::{Arrives, Vendor, oauth};
use serde_json::json;

/// An `@` in an address is written as `%40` in the file.
/// `verified` instead of `email_verified`, a discriminator that no longer tells anything, a snowflake.
fn discord() -> Vendor {
    Vendor {
        preset: "discord",
        toml: "authorization_endpoint = \"ORIGIN/oauth2/authorize\"\ntoken_endpoint = \"ORIGIN/api/oauth2/token\"\nuserinfo_endpoint = \"ORIGIN/api/users/%40me\"\n[providers.require]\nguilds = \"197038439483310086\"\n[users]\nallowed_domains = [\"example.com\"]\n",
        client_auth: "client_secret_post",
        document: json!({
            "authorization_endpoint": "ORIGIN/oauth2/authorize",
            "token_endpoint": "ORIGIN/api/oauth2/token",
            "userinfo_endpoint": "ORIGIN/api/users/%40me",
        }),
        token: json!({ "id_token": "ABSENT", "scope": "identify guilds email" }),
        userinfo: json!({
            "id": "80351110224678912",
            "username": "ana.example",
            "discriminator": "0",
            "global_name": "Ana Example",
            "avatar": "8342729096ea3675442027381ff50dfe",
            "verified": true,
            "email": "ana@example.com",
            "flags": 64,
            "banner": null,
            "accent_color": 16_711_680,
            "premium_type": 1,
            "mfa_enabled": true,
            "locale": "en-US",
        }),
        further: vec![(
            "/api/users/@me/guilds",
            json!([{
                "id": "197038439483310086",
                "name": "Example",
                "icon": null,
                "owner": true,
                "permissions": "36953089",
                "features": ["COMMUNITY"],
            }]),
        )],
        ..oauth()
    }
}

#[tokio::test]
async fn a_member_of_the_server() {
    let email = Some("ana@example.com");
    let stage = discord().stage().await;
    stage
        .arrives(Arrives("ana.example", email, Some("Ana Example"), None))
        .await;
    assert_eq!(
        stage.asked("scope").as_deref(),
        Some("identify email guilds")
    );
}

#[tokio::test]
async fn a_stranger_or_an_unverified_address_is_refused() {
    let mut stranger = discord();
    stranger.further = vec![("/api/users/@me/guilds", json!([]))];
    stranger.stage().await.refuses("required_claim").await;
    let unverified = discord().with_userinfo(&json!({ "verified": false }));
    unverified.stage().await.refuses("unverified_email").await;
}
