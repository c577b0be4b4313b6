//! The signed assertion beside the header, and its keys.

use crate::support::gateway::simple;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

fn config(keys: &[&str]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| format!("'''{key}'''")).collect();
    format!(
        "[identity]\nassertion_header = \"X-Assertion\"\nassertion_audience = \"bitbucket\"\nassertion_keys = [{}]\n",
        keys.join(",")
    )
}

fn verify(token: &str, keys: &JwkSet) -> Result<Value, String> {
    let kid = decode_header(token).unwrap().kid.unwrap();
    let key = keys.find(&kid).ok_or("unknown key")?;
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&["bitbucket"]);
    validation.set_issuer(&["https://git.example.com"]);
    validation.set_required_spec_claims(&["exp", "iat", "sub", "aud", "iss"]);
    validation.validate_exp = false;
    decode::<Value>(token, &DecodingKey::from_jwk(key).unwrap(), &validation)
        .map(|token| token.claims)
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn the_assertion_can_be_checked_with_the_published_keys() {
    let (first, second) = (
        portcullis::config::generate_assertion_key(),
        portcullis::config::generate_assertion_key(),
    );
    let setup = simple(&config(&[&first, &second])).await;
    let mut ana = setup.ana().await;
    ana.send(
        http::Method::GET,
        &ana.home.join("/dashboard").unwrap(),
        &[("X-Assertion", "forged"), ("x_assertion", "forged")],
        bytes::Bytes::new(),
    )
    .await
    .expect(200);
    let token = setup.upstream.last().one("x-assertion").unwrap();
    assert_eq!(setup.upstream.last().one("x_assertion"), None);
    let keys: JwkSet =
        serde_json::from_slice(&ana.get("/sso/jwks.json").await.expect(200).body).unwrap();
    assert_eq!(keys.keys.len(), 2);
    let claims = verify(&token, &keys).unwrap();
    assert_eq!(claims["sub"], "ana");
    assert_eq!(
        claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(),
        60
    );

    // The same one while it is fresh, another one later.
    ana.get("/dashboard").await;
    assert_eq!(setup.upstream.last().one("x-assertion").unwrap(), token);
    setup.advance(50);
    ana.get("/dashboard").await;
    let later = setup.upstream.last().one("x-assertion").unwrap();
    assert_ne!(later, token);
    assert_eq!(verify(&later, &keys).unwrap()["sub"], "ana");

    // Rotation: the second key comes to the front, and a reader with the old key set can follow.
    let quoted = |key: &str| format!("'''{key}'''");
    let (from, to) = (
        format!("{},{}", quoted(&first), quoted(&second)),
        format!("{},{}", quoted(&second), quoted(&first)),
    );
    setup.reload(&from, &to).await.unwrap();
    ana.get("/dashboard").await;
    let rotated = setup.upstream.last().one("x-assertion").unwrap();
    assert_ne!(
        decode_header(&rotated).unwrap().kid,
        decode_header(&token).unwrap().kid
    );
    assert_eq!(verify(&rotated, &keys).unwrap()["sub"], "ana");
}

#[tokio::test]
async fn nobody_is_asserted_for_a_stranger() {
    let key = portcullis::config::generate_assertion_key();
    let setup = simple(&config(&[&key])).await;
    setup
        .request("GET", "/status", &[("X-Assertion", "forged")])
        .await
        .expect(200);
    assert_eq!(setup.upstream.last().one("x-assertion"), None);
}

#[tokio::test]
async fn without_the_setting_there_are_no_keys() {
    let setup = simple("").await;
    setup.browser().get("/sso/jwks.json").await.expect(404);
}
