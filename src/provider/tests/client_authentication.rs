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
        .unwrap()
        .claims;
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

fn apple(key: &Key) -> ClientAuth {
    ClientAuth::AppleJwt {
        key: secret(&key.pem()),
        key_id: "ABC123DEFG".to_owned(),
        team_id: "DEF123GHIJ".to_owned(),
    }
}

/// The fake compares the secret, so the checks here are those of Apple's own documentation.
#[tokio::test]
async fn apples_client_secret_is_a_token_signed_for_this_call() {
    let key = Key::new("ES256", Some("ABC123DEFG"));
    let proof = Proof::new(&apple(&key)).unwrap();
    assert_eq!(proof.name(), "client_secret_post");
    let clock = Clock::manual(Clock::system().now());
    let secret = || {
        let credentials = proof
            .credentials(
                "com.example.git",
                "https://appleid.apple.com/auth/token",
                clock.now(),
            )
            .unwrap();
        assert!(credentials.header.is_none());
        assert_eq!(
            credentials.fields[0],
            ("client_id", "com.example.git".to_owned())
        );
        assert_eq!(credentials.fields[1].0, "client_secret");
        assert_eq!(credentials.fields.len(), 2);
        credentials.fields[1].1.clone()
    };
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    rules.set_audience(&["https://appleid.apple.com"]);
    rules.set_issuer(&["DEF123GHIJ"]);
    rules.sub = Some("com.example.git".to_owned());
    rules.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
    let jwk = serde_json::from_value(key.jwk()).unwrap();
    let decode = |token: &str| {
        let public = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
        jsonwebtoken::decode::<Value>(token, &public, &rules).unwrap()
    };
    let first = secret();
    let token = decode(&first);
    assert_eq!(token.header.kid.as_deref(), Some("ABC123DEFG"));
    let issued = clock.now().as_secs();
    assert_eq!(token.claims["iat"], issued);
    assert_eq!(token.claims["exp"], issued + 300);
    clock.advance(Duration::from_secs(60));
    assert_eq!(decode(&secret()).claims["exp"], issued + 360);
}

/// Apple: no userinfo, the answer as a form, facts as text.
#[tokio::test]
async fn a_sign_in_with_apples_secret() {
    let key = Key::new("ES256", Some("ABC123DEFG"));
    let world = world(
        |script| {
            script.client_auth = Some("client_secret_post");
            script.apple_team = Some((key.clone(), "DEF123GHIJ"));
            script.person = object(json!({
                "sub": "001951.ab12.0829", "email": "x@privaterelay.appleid.com",
                "email_verified": "true", "is_private_email": "true", "nonce_supported": true,
                "real_user_status": 2,
            }));
        },
        |config| {
            config.client_auth = apple(&key);
            config.response_mode = ResponseMode::FormPost;
            config.userinfo = Userinfo::Off;
        },
    )
    .await;
    let claims = world.sign_in().await.unwrap();
    assert_eq!(claims.subject(), "001951.ab12.0829");
    world.sign_in().await.unwrap();
    let requests = world.fake.requests("/token");
    assert_ne!(
        requests[0].param("client_secret"),
        requests[1].param("client_secret")
    );
}

#[test]
fn apples_key_is_on_p256() {
    for key in ["no key".to_owned(), Key::new("ES384", None).pem()] {
        let error = Proof::new(&ClientAuth::AppleJwt {
            key: secret(&key),
            key_id: "k".to_owned(),
            team_id: "t".to_owned(),
        });
        assert_eq!(error.err().expect("refused").code(), "client_key");
    }
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
    let shown = format!("{} {error:?}", crate::telemetry::chain(&error));
    assert!(shown.contains("invalid_client"), "{shown}");
    assert!(!shown.contains("s3cret"), "{shown}");
}
