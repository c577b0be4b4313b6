//! Slack.

use super::{Arrives, Vendor, openid};
use crate::support::provider::Canned;
use serde_json::json;

/// Claims named by addresses; answers are wrapped in `ok`, and refusals come with status 200.
fn slack() -> Vendor {
    let person = json!({
        "sub": "U0R7JM",
        "https://slack.com/user_id": "U0R7JM",
        "https://slack.com/team_id": "T0R7GR",
        "https://slack.com/team_name": "Example",
        "https://slack.com/team_domain": "example",
        "email": "ana@example.com",
        "email_verified": true,
        "date_email_verified": 1_622_128_723,
        "name": "Ana Example",
        "picture": "https://secure.gravatar.com/avatar/x.png",
        "given_name": "Ana",
        "family_name": "Example",
        "locale": "en-US",
    });
    let mut userinfo = person.clone();
    userinfo["ok"] = json!(true);
    Vendor {
        preset: "slack",
        toml: "[providers.require]\n\"https://slack.com/team_id\" = [\"T0R7GR\"]\n",
        document: json!({
            "issuer": "ORIGIN",
            "authorization_endpoint": "ORIGIN/openid/connect/authorize",
            "token_endpoint": "ORIGIN/api/openid.connect.token",
            "userinfo_endpoint": "ORIGIN/api/openid.connect.userInfo",
            "jwks_uri": "ORIGIN/openid/connect/keys",
            "scopes_supported": ["openid", "profile", "email"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["form_post"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "claims_supported": ["sub", "auth_time", "iss"],
            "claims_parameter_supported": false,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": true,
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        }),
        token: json!({ "ok": true, "expires_in": "ABSENT" }),
        id_token: person,
        userinfo,
        ..openid()
    }
}

#[tokio::test]
async fn one_workspace() {
    let email = "ana@example.com";
    let ana = Arrives(email, Some(email), Some("Ana Example"), None);
    slack().stage().await.arrives(ana).await;
}

#[tokio::test]
async fn another_workspace_is_refused() {
    let other = json!({ "https://slack.com/team_id": "T0EVIL" });
    let stage = slack().with_id_token(&other).with_userinfo(&other);
    stage.stage().await.refuses("required_claim").await;
}

#[tokio::test]
async fn a_refusal_that_looks_like_success_is_a_refusal() {
    let stage = slack().stage().await;
    stage.provider.script(|script| {
        let refused = json!({ "ok": false, "error": "invalid_code" });
        script.answers.insert("/token", Canned::json(200, &refused));
    });
    let mut browser = stage.setup.browser();
    let answer = stage.setup.sign_in(&mut browser).await;
    assert!(answer.status.as_u16() >= 400, "{}", answer.status);
    assert_eq!(stage.setup.refusals().len(), 1);
    browser.get("/sso/me").await.expect(401);
}
