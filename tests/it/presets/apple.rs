//! Sign in with Apple.

use super::{ABSENT, Arrives, Stage, Vendor, openid};
use crate::support::Answer;
use crate::support::browser::Browser;
use crate::support::provider::Key;
use bytes::Bytes;
use http::Method;
use serde_json::json;

/// A P-256 key, made for these tests.
fn key() -> Key {
    Key::new("ES256", Some("ABC123DEFG"))
}

/// The answer is posted from Apple's page, the secret is a token, truth is text, the name comes in a
/// form once and in no claim.
fn apple(key: &Key) -> Vendor {
    let toml = format!(
        "private_key = \"\"\"\n{}\"\"\"\nprivate_key_id = \"ABC123DEFG\"\nteam_id = \"DEF123GHIJ\"\n[users]\nallowed_domains = [\"example.com\"]\n",
        key.pem()
    );
    Vendor {
        preset: "apple",
        toml: Box::leak(toml.into_boxed_str()),
        client_auth: "apple",
        document: json!({
            "issuer": "ORIGIN",
            "authorization_endpoint": "ORIGIN/auth/authorize",
            "token_endpoint": "ORIGIN/auth/token",
            "revocation_endpoint": "ORIGIN/auth/revoke",
            "jwks_uri": "ORIGIN/auth/keys",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "name"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "claims_supported": ["aud", "email", "email_verified", "exp", "iat", "is_private_email", "iss", "nonce", "nonce_supported", "real_user_status", "sub", "transfer_sub"],
        }),
        token: json!({ "refresh_token": "r5c3" }),
        id_token: json!({
            "sub": "001473.fe6f83bf4b8e4590aacbabdcb8598bd0.2039",
            "email": "ana@example.com",
            "email_verified": "true",
            "is_private_email": "false",
            "auth_time": 1_700_000_000,
            "nonce_supported": true,
        }),
        ..openid()
    }
}

async fn stage(vendor: Vendor, key: &Key) -> Stage {
    let stage = vendor.stage().await;
    stage.provider.script(|script| {
        script.client_auth = Some("client_secret_post");
        script.apple_team = Some((key.clone(), "DEF123GHIJ"));
    });
    stage
}

/// Through Apple's page, which posts the answer from another site: no cookie of ours comes along.
async fn sign_in(stage: &Stage, browser: &mut Browser) -> Answer {
    let to_apple = browser.get("/sso/start/idp").await.expect(303).location();
    let mut asked = to_apple.query_pairs();
    assert!(asked.any(|pair| pair == ("response_mode".into(), "form_post".into())));
    let mut answer = stage.provider.authorize(&to_apple);
    let user = json!({ "name": { "firstName": "Ana", "lastName": "Example" }, "email": "ana@example.com" });
    answer.push(("user".to_owned(), user.to_string()));
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(&answer)
        .finish();
    let url = browser.home.join("/sso/callback/idp").unwrap();
    let fields = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", "https://appleid.apple.com"),
        ("sec-fetch-site", "cross-site"),
    ];
    let mut cookieless = stage.setup.browser();
    let bounced = cookieless
        .send(Method::POST, &url, &fields, Bytes::from(body))
        .await
        .expect(303);
    browser.follow(bounced.location().as_str()).await
}

#[tokio::test]
async fn a_form_from_another_site_and_a_signed_secret() {
    let key = key();
    let stage = stage(apple(&key), &key).await;
    let mut ana = stage.setup.browser();
    let answer = sign_in(&stage, &mut ana).await;
    let email = "ana@example.com";
    // Nobody signs the name in the form, so it is not believed.
    stage.expect(answer, Arrives(email, Some(email), None, None));
}

#[tokio::test]
async fn another_team_s_secret_or_a_missing_nonce_is_refused() {
    let key = key();
    let wrong = stage(apple(&key), &key).await;
    wrong
        .provider
        .script(|script| script.apple_team = Some((key.clone(), "OTHERTEAM1")));
    let answer = sign_in(&wrong, &mut wrong.setup.browser()).await;
    assert_eq!(wrong.setup.refusals().len(), 1);
    assert!(answer.status.as_u16() >= 400);

    let vendor = apple(&key).with_id_token(&json!({ "nonce": ABSENT }));
    let stage = stage(vendor, &key).await;
    let answer = sign_in(&stage, &mut stage.setup.browser()).await;
    stage.expect_refusal(&answer, "nonce_missing");
}
