//! Bitbucket Cloud as a provider: plain OAuth 2.0.

use super::{Arrives, Vendor, oauth};
use serde_json::json;

/// The identifier has braces, and the address is not told.
fn bitbucket_cloud() -> Vendor {
    Vendor {
        preset: "bitbucket_cloud",
        toml: "authorization_endpoint = \"ORIGIN/site/oauth2/authorize\"\ntoken_endpoint = \"ORIGIN/site/oauth2/access_token\"\nuserinfo_endpoint = \"ORIGIN/2.0/user\"\n",
        document: json!({
            "authorization_endpoint": "ORIGIN/site/oauth2/authorize",
            "token_endpoint": "ORIGIN/site/oauth2/access_token",
            "userinfo_endpoint": "ORIGIN/2.0/user",
        }),
        token: json!({
            "id_token": "ABSENT",
            "token_type": "bearer",
            "scopes": "account",
            "state": "authorization_code",
            "expires_in": 7200,
        }),
        userinfo: json!({
            "type": "user",
            "username": "ana_example",
            "nickname": "ana",
            "display_name": "Ana Example",
            "account_id": "557058:9f1c",
            "uuid": "{8a2f3c1e-0000-4000-8000-000000000000}",
            "account_status": "active",
            "is_staff": false,
            "location": null,
            "created_on": "2018-03-25T10:01:14.000000+00:00",
            "links": { "self": { "href": "https://api.bitbucket.org/2.0/users/%7B8a2f%7D" } },
        }),
        ..oauth()
    }
}

#[tokio::test]
async fn a_person_of_bitbucket_cloud() {
    let stage = bitbucket_cloud().stage().await;
    stage
        .arrives(Arrives("ana_example", None, Some("Ana Example"), None))
        .await;
    assert_eq!(stage.asked("scope").as_deref(), Some("account"));
}

#[tokio::test]
async fn only_the_people_who_are_named_come_in() {
    let mut vendor = bitbucket_cloud();
    vendor.toml = "authorization_endpoint = \"ORIGIN/site/oauth2/authorize\"\ntoken_endpoint = \"ORIGIN/site/oauth2/access_token\"\nuserinfo_endpoint = \"ORIGIN/2.0/user\"\n[providers.require]\nuuid = [\"{00000000-0000-4000-8000-000000000000}\"]\n";
    vendor.stage().await.refuses("required_claim").await;
    let nobody = bitbucket_cloud().with_userinfo(&json!({ "uuid": "ABSENT" }));
    nobody.stage().await.refuses("subject_missing").await;
}
