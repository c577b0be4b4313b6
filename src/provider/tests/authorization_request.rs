//! Where the browser is sent.

use super::*;
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

async fn start(configure: impl FnOnce(&mut config::Provider), hint: Option<&str>) -> Start {
    let world = world(|_| {}, configure).await;
    world
        .provider()
        .start(Ask {
            login_hint: hint,
            fresh: false,
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn the_request_is_a_code_request_with_state_nonce_and_s256() {
    let Start { url, attempt } = start(|_| {}, None).await;
    for (name, value) in [
        ("response_type", Some("code")),
        ("client_id", Some("portcullis-client")),
        ("redirect_uri", Some(REDIRECT_URI)),
        ("scope", Some("openid profile email")),
        ("state", Some(attempt.state())),
        ("nonce", Some(attempt.nonce())),
        ("code_challenge_method", Some("S256")),
        ("response_mode", None),
        ("login_hint", None),
        ("code_verifier", None),
        ("client_secret", None),
    ] {
        assert_eq!(query(&url, name).as_deref(), value, "{name}");
    }
    // RFC 7636 sections 4.1 and 4.2.
    let verifier = attempt.verifier().unwrap();
    assert!((43..=128).contains(&verifier.len()));
    let digest = digest::digest(&digest::SHA256, verifier.as_bytes());
    assert_eq!(
        query(&url, "code_challenge").unwrap(),
        URL_SAFE_NO_PAD.encode(digest.as_ref())
    );
    assert!(!url.as_str().contains(verifier));
}

#[tokio::test]
async fn every_request_has_its_own_secrets() {
    let world = World::new().await;
    let provider = world.provider();
    let one = provider.start(Ask::default()).await.unwrap().attempt;
    let two = provider.start(Ask::default()).await.unwrap().attempt;
    assert_ne!(one.state(), two.state());
    assert_ne!(one.nonce(), two.nonce());
    assert_ne!(one.verifier(), two.verifier());
    let shown = format!("{one:?}");
    for secret in [one.state(), one.nonce(), one.verifier().unwrap()] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn pkce_is_sent_though_discovery_does_not_mention_it() {
    let world = World::new().await;
    world.fake.script(|script| {
        script.discovery = Box::new(|document| {
            document
                .as_object_mut()
                .unwrap()
                .remove("code_challenge_methods_supported");
        });
    });
    let start = world.provider().start(Ask::default()).await.unwrap();
    assert_eq!(
        query(&start.url, "code_challenge_method").as_deref(),
        Some("S256")
    );
}

#[tokio::test]
async fn options_reach_the_request_and_cannot_replace_what_protects_it() {
    let Start { url, attempt } = start(
        |config| {
            config.response_mode = ResponseMode::FormPost;
            config.extra_params = [
                ("prompt", "login"),
                ("hd", "example.com"),
                ("state", "fixed"),
                ("nonce", "fixed"),
                ("code_challenge_method", "plain"),
                ("redirect_uri", "https://evil.example"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        },
        Some("ana+x@example.com"),
    )
    .await;
    for (name, value) in [
        ("response_mode", "form_post"),
        ("prompt", "login"),
        ("hd", "example.com"),
        ("login_hint", "ana+x@example.com"),
        ("state", attempt.state()),
        ("code_challenge_method", "S256"),
        ("redirect_uri", REDIRECT_URI),
    ] {
        assert_eq!(query(&url, name).as_deref(), Some(value), "{name}");
    }
}

#[tokio::test]
async fn an_endpoint_keeps_its_own_query() {
    let Start { url, .. } = start(
        |config| {
            let own = Url::parse("https://b2c.example/authorize?p=b2c_1_signin").unwrap();
            config.endpoints.authorization = Some(own);
        },
        None,
    )
    .await;
    assert_eq!(query(&url, "p").as_deref(), Some("b2c_1_signin"));
    assert_eq!(query(&url, "response_type").as_deref(), Some("code"));
}

#[tokio::test]
async fn pkce_can_be_switched_off_for_a_provider_that_breaks_on_it() {
    let world = world(|_| {}, |config| config.pkce = false).await;
    let start = world.provider().start(Ask::default()).await.unwrap();
    assert_eq!(query(&start.url, "code_challenge"), None);
    world.sign_in().await.unwrap();
    assert_eq!(
        world.fake.last_request("/token").param("code_verifier"),
        None
    );
}

#[tokio::test]
async fn a_fresh_sign_in_is_asked_for_and_nothing_is_demanded_of_the_answer() {
    let fresh = Ask {
        login_hint: None,
        fresh: true,
    };
    let world = world(
        |_| {},
        |config| {
            config
                .extra_params
                .insert("prompt".to_owned(), "consent".to_owned());
        },
    )
    .await;
    let provider = world.provider();
    let start = provider.start(fresh).await.unwrap();
    assert_eq!(query(&start.url, "prompt").as_deref(), Some("login"));
    assert_eq!(query(&start.url, "max_age"), None);
    // No auth_time comes back, and that is no matter.
    let response = world.fake.authorize(&start.url);
    provider.finish(start.attempt, &response).await.unwrap();
    let usual = provider.start(Ask::default()).await.unwrap();
    assert_eq!(query(&usual.url, "prompt").as_deref(), Some("consent"));
}

#[tokio::test]
async fn plain_oauth_has_no_way_to_ask_for_a_fresh_sign_in() {
    let mut world = World::new().await;
    configure_oauth2(&world.fake, &mut world.config);
    let ask = Ask {
        login_hint: None,
        fresh: true,
    };
    let start = world.provider().start(ask).await.unwrap();
    assert_eq!(query(&start.url, "prompt"), None);
}
