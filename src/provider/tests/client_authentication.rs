//! How the gateway proves who it is.

use super::*;

async fn check(method: &'static str, client_auth: ClientAuth, script: impl FnOnce(&mut Script)) {
    let world = world(
        |s| {
            s.client_auth = Some(method);
            script(s);
        },
        |config| config.client_auth = client_auth,
    )
    .await;
    world.sign_in().await.unwrap();
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

#[tokio::test]
async fn client_secret_basic() {
    let hard = "a:b c+d%e/f&g=ä\"";
    let world = world(
        |script| {
            script.client_auth = Some("client_secret_basic");
            script.client_secret = hard.to_owned();
            script.client_id = "3MVG9.x_y:z/ü".to_owned();
        },
        |config| {
            config.client_auth = ClientAuth::Basic(secret(hard));
            config.client_id = "3MVG9.x_y:z/ü".to_owned();
        },
    )
    .await;
    world.sign_in().await.unwrap();
    let request = world.fake.last_request("/token");
    assert_eq!(request.param("client_id"), None);
    assert_eq!(request.param("client_secret"), None);
}

#[tokio::test]
async fn client_secret_post() {
    let auth = ClientAuth::Post(secret("p&ss=wörd"));
    let script = |script: &mut Script| script.client_secret = "p&ss=wörd".to_owned();
    check("client_secret_post", auth, script).await;
}

#[tokio::test]
async fn a_public_client() {
    check("none", ClientAuth::None, |_| {}).await;
}

#[tokio::test]
async fn private_key_jwt() {
    for (name, algorithm) in [
        ("RS256", Algorithm::RS256),
        ("RS384", Algorithm::RS384),
        ("RS512", Algorithm::RS512),
        ("PS256", Algorithm::PS256),
        ("PS384", Algorithm::PS384),
        ("PS512", Algorithm::PS512),
        ("ES256", Algorithm::ES256),
        ("ES384", Algorithm::ES384),
        ("EdDSA", Algorithm::EdDSA),
    ] {
        for id in [None, Some("our-key")] {
            let key = Key::new(name, id);
            let auth = ClientAuth::PrivateKeyJwt {
                key: secret(&key.pem()),
                key_id: id.map(str::to_owned),
                algorithm,
            };
            check("private_key_jwt", auth, |s| s.client_key = Some(key)).await;
        }
    }
}

/// The fake's library cannot check ES512, so this room's own does.
#[test]
fn private_key_jwt_with_es512() {
    let key = Key::new("ES512", Some("k"));
    let proof = Proof::new(&ClientAuth::PrivateKeyJwt {
        key: secret(&key.pem()),
        key_id: Some("k".to_owned()),
        algorithm: Algorithm::ES512,
    })
    .unwrap();
    let now = Clock::system().now();
    let credentials = proof.credentials("us", "https://idp/token", now).unwrap();
    let (_, assertion) = &credentials.fields[2];
    let document = object(json!({"keys": [key.jwk()]}));
    let keys = KeySet::parse(&document, Url::parse("https://idp/jwks").unwrap()).unwrap();
    let claims = UnverifiedToken::parse(Token::Id, assertion, &[Algorithm::ES512])
        .unwrap()
        .verify(&keys)
        .unwrap();
    assert_eq!(claims["aud"], "https://idp/token");
    assert_eq!(claims["iss"], claims["sub"]);
    assert_eq!(claims["exp"], now.as_secs() + 60);
}

#[tokio::test]
async fn an_assertion_is_used_once() {
    let key = Key::new("ES256", None);
    let world = world(
        |script| script.client_key = Some(key.clone()),
        |config| {
            config.client_auth = ClientAuth::PrivateKeyJwt {
                key: secret(&key.pem()),
                key_id: None,
                algorithm: Algorithm::ES256,
            };
        },
    )
    .await;
    world.sign_in().await.unwrap();
    world.sign_in().await.unwrap();
    let requests = world.fake.requests("/token");
    assert_ne!(
        requests[0].param("client_assertion"),
        requests[1].param("client_assertion")
    );
}

#[test]
fn a_key_that_does_not_fit_stops_the_start() {
    let check = |pem: &str, algorithm| {
        let proof = Proof::new(&ClientAuth::PrivateKeyJwt {
            key: secret(pem),
            key_id: None,
            algorithm,
        });
        let error = proof.err().expect("refused");
        assert_eq!(error.code(), "client_key");
        assert_eq!(error.blame(), Blame::Gateway);
    };
    check("no key", Algorithm::RS256);
    check("", Algorithm::ES256);
    check(&Key::new("ES256", None).pem(), Algorithm::RS256);
    check(&Key::new("ES256", None).pem(), Algorithm::ES384);
    check(&Key::new("RS256", None).pem(), Algorithm::EdDSA);
    check(&Key::new("EdDSA", None).pem(), Algorithm::ES256);
    check(&Key::new("RS256", None).pem(), Algorithm::HS256);
}

#[tokio::test]
async fn a_wrong_secret_is_the_providers_refusal_and_shows_nothing() {
    let world = world(
        |_| {},
        |config| config.client_auth = ClientAuth::Basic(secret("wrong-s3cret")),
    )
    .await;
    let error = world.sign_in().await.unwrap_err();
    assert_eq!(error.code(), "token_refused");
    let shown = format!("{} {error:?}", probe::chain(&error));
    assert!(shown.contains("invalid_client"), "{shown}");
    assert!(!shown.contains("s3cret"), "{shown}");
}
