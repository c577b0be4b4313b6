//! GitHub and GitHub Enterprise Server: plain OAuth 2.0 with further calls.

use super::{Arrives, Vendor, oauth};
use crate::support::provider::Canned;
use serde_json::{Value, json};

/// No ID token, a number for an identifier, a private address, a comma between scopes.
fn github_enterprise() -> Vendor {
    Vendor {
        preset: "github_enterprise",
        issuer: "ORIGIN",
        client_auth: "client_secret_post",
        document: json!({
            "authorization_endpoint": "ORIGIN/login/oauth/authorize",
            "token_endpoint": "ORIGIN/login/oauth/access_token",
            "userinfo_endpoint": "ORIGIN/api/v3/user",
        }),
        token: json!({
            "id_token": "ABSENT",
            "expires_in": "ABSENT",
            "token_type": "bearer",
            "scope": "read:org,read:user,user:email",
        }),
        userinfo: json!({
            "login": "Ana-Example",
            "id": 583_231,
            "node_id": "MDQ6VXNlcjU4MzIzMQ==",
            "avatar_url": "ORIGIN/images/error/octocat_happy.gif",
            "type": "User",
            "site_admin": false,
            "name": "Ana Example",
            "company": null,
            "email": null,
            "two_factor_authentication": true,
            "plan": { "name": "free", "space": 976_562_499 },
        }),
        further: vec![
            (
                "/api/v3/user/emails",
                json!([
                    { "email": "old@example.com", "primary": false, "verified": true, "visibility": null },
                    { "email": "ana@example.com", "primary": true, "verified": true, "visibility": "private" },
                ]),
            ),
            (
                "/api/v3/user/teams",
                json!([
                    { "id": 1, "name": "Developers", "slug": "developers", "permission": "pull",
                      "organization": { "login": "example", "id": 9919 } },
                    { "id": 2, "name": "Release Managers", "slug": "release-managers", "parent": null,
                      "organization": { "login": "example", "id": 9919 } },
                ]),
            ),
            (
                "/api/v3/user/orgs",
                json!([{ "login": "example", "id": 9919, "description": "An example" }]),
            ),
        ],
        ..oauth()
    }
}

const ANA: Arrives = Arrives(
    "ana-example",
    Some("ana@example.com"),
    Some("Ana Example"),
    Some("example/developers,example/release-managers"),
);

#[tokio::test]
async fn enterprise_server_by_its_address_alone() {
    let stage = github_enterprise().stage().await;
    stage.arrives(ANA).await;
    let scope = stage.asked("scope").unwrap();
    assert_eq!(scope, "read:user user:email read:org");

    // Somebody else under the old name is somebody else.
    let mut other = github_enterprise().userinfo;
    other["id"] = json!(583_232);
    stage.provider.script(|script| {
        script.userinfo = Box::new(move |given: &mut Value| *given = other.clone())
    });
    let mut eve = stage.setup.browser();
    stage.setup.sign_in(&mut eve).await.expect(403);
    assert_eq!(stage.setup.refusals().len(), 1);
    eve.get("/sso/me").await.expect(401);
}

/// github.com itself, whose three addresses are spelled out to bring them here.
fn github() -> Vendor {
    Vendor {
        preset: "github",
        issuer: "",
        toml: "authorization_endpoint = \"ORIGIN/login/oauth/authorize\"\ntoken_endpoint = \"ORIGIN/login/oauth/access_token\"\nuserinfo_endpoint = \"ORIGIN/api/v3/user\"\n[providers.require]\norganizations = \"example\"\n",
        ..github_enterprise()
    }
}

#[tokio::test]
async fn members_of_the_organization_come_in() {
    let stage = github().stage().await;
    stage.arrives(ANA).await;
    assert_eq!(stage.provider.requests("/api/v3/user/orgs").len(), 1);
    stage.provider.script(|script| {
        let other = json!([{ "login": "other", "id": 1 }]);
        script
            .answers
            .insert("/api/v3/user/orgs", Canned::json(200, &other));
    });
    stage.refuses("required_claim").await;
}

#[tokio::test]
async fn a_refusal_that_looks_like_success_is_a_refusal() {
    let stage = github().stage().await;
    stage.provider.script(|script| {
        script.token_answer = Box::new(|answer| {
            *answer = json!({
                "error": "bad_verification_code",
                "error_description": "The code passed is incorrect or expired.",
                "error_uri": "https://docs.github.com/apps/oauth",
            });
        });
    });
    stage.refuses("token_refused").await;
}
