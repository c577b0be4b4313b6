//! Providers that are down, slow, or answer without end.

use super::*;

/// Quick enough for a test to wait for.
fn short() -> Limits {
    Limits {
        total: Duration::from_millis(300),
        ..Limits::default()
    }
}

#[tokio::test]
async fn a_provider_that_is_down_is_asked_less_and_less() {
    let mut world = World::new().await.with_manual_clock();
    world.advance(Duration::ZERO);
    let provider = world.provider();
    world.fake.stop().await;
    let error = provider.start(Ask::default()).await.unwrap_err();
    assert_eq!(error.code(), "provider_unreachable");
    assert_eq!(error.blame(), Blame::Unreachable);
    world.fake.restart().await;
    // It is back, but nobody looks before the pause is over.
    let error = provider.start(Ask::default()).await.unwrap_err();
    assert_eq!(error.code(), "provider_unreachable");
    assert!(crate::telemetry::chain(&error).contains("the next try is in 1 s"));
    world.advance(Duration::from_secs(1));
    sign_in(&provider, &world.fake).await.unwrap();
}

#[tokio::test]
async fn building_a_provider_asks_nobody() {
    let mut world = World::new().await;
    world.fake.stop().await;
    let provider = world.provider();
    assert_eq!(provider.status().last_success, None);
    assert!(provider.status().last_error.is_none());
    assert!(format!("{provider:?}").contains("fake"));
    assert_eq!(provider.config().id, "fake");
}

#[tokio::test]
async fn the_status_tells_what_happened() {
    let mut world = World::new().await.with_manual_clock();
    world.advance(Duration::ZERO);
    let provider = world.provider();
    world.fake.stop().await;
    let _ = provider.start(Ask::default()).await;
    let (at, why) = provider.status().last_error.unwrap();
    assert_eq!(at, world.clock.now());
    assert!(why.contains("discovery"), "{why}");
    world.fake.restart().await;
    world.advance(Duration::from_secs(60));
    sign_in(&provider, &world.fake).await.unwrap();
    assert_eq!(provider.status().last_success, Some(world.clock.now()));
}

#[tokio::test]
async fn an_outage_between_start_and_finish_is_an_error_and_no_panic() {
    let mut world = World::new().await;
    let provider = world.provider();
    let start = provider.start(Ask::default()).await.unwrap();
    let response = world.fake.authorize(&start.url);
    world.fake.stop().await;
    let error = provider.finish(start.attempt, &response).await.unwrap_err();
    assert_eq!(error.code(), "provider_unreachable");
    let code = &response.iter().find(|(n, _)| n == "code").unwrap().1;
    assert!(!crate::telemetry::chain(&error).contains(code.as_str()));
}

#[tokio::test]
async fn silence_is_given_up() {
    for path in ["/.well-known/openid-configuration", "/jwks", "/token"] {
        let world = world(
            |script| {
                script.answers.insert(path, Canned::Silence);
            },
            |_| {},
        )
        .await;
        let provider = world.with_limits(short());
        let error = sign_in(&provider, &world.fake).await.unwrap_err();
        assert_eq!(error.code(), "provider_timeout", "{path}");
        assert_eq!(error.blame(), Blame::Unreachable);
    }
}

#[tokio::test]
async fn an_endless_answer_is_given_up() {
    for path in [
        "/.well-known/openid-configuration",
        "/jwks",
        "/token",
        "/userinfo",
    ] {
        let world = world(
            |script| {
                script.answers.insert(path, Canned::Endless);
            },
            |_| {},
        )
        .await;
        let error = world.sign_in().await.unwrap_err();
        assert_eq!(error.code(), "answer_too_large", "{path}");
    }
}

#[tokio::test]
async fn an_answer_may_be_a_megabyte_and_no_more() {
    for (size, expected) in [
        (1024 * 1024, Err("answer_not_json")),
        (1024 * 1024 + 1, Err("answer_too_large")),
    ] {
        let world = world(
            |script| {
                let body = Canned::Body(200, "application/json", vec![b' '; size]);
                script.answers.insert("/token", body);
            },
            |_| {},
        )
        .await;
        let result = world.sign_in().await;
        assert_eq!(result.map(drop).map_err(|error| error.code()), expected);
    }
}

#[tokio::test]
async fn no_redirect_is_followed() {
    for path in [
        "/.well-known/openid-configuration",
        "/jwks",
        "/token",
        "/userinfo",
    ] {
        for status in [301, 302, 303, 307, 308] {
            let world = World::new().await;
            let elsewhere = world.fake.url("/elsewhere").to_string();
            world.fake.script(|script| {
                script
                    .answers
                    .insert(path, Canned::Header(status, "location", elsewhere));
            });
            let error = world.sign_in().await.unwrap_err();
            assert_eq!(error.code(), "answer_redirected", "{path} {status}");
            assert!(world.fake.requests("/elsewhere").is_empty());
        }
    }
}

#[tokio::test]
async fn every_phase_is_measured() {
    let world = World::new().await;
    world.sign_in().await.unwrap();
    let shown = world.metrics.render();
    for (phase, count) in [
        ("provider_discovery", 2),
        ("provider_token", 1),
        ("provider_userinfo", 1),
    ] {
        let line = format!("portcullis_phase_seconds_count{{phase=\"{phase}\"}} {count}");
        assert!(shown.contains(&line), "{line} is not in:\n{shown}");
    }
}

#[tokio::test]
async fn a_provider_with_its_own_authority_works_through_tls() {
    let world = World::of(FakeProvider::start_tls().await);
    assert!(world.fake.issuer().starts_with("https://"));
    world.sign_in().await.unwrap();
}

#[tokio::test]
async fn a_certificate_by_an_unknown_authority_is_refused() {
    let mut world = World::of(FakeProvider::start_tls().await);
    world.config.ca_file = None;
    let error = world.sign_in().await.unwrap_err();
    assert_eq!(error.code(), "provider_unreachable");
    let shown = crate::telemetry::chain(&error);
    assert!(shown.contains("UnknownIssuer"), "{shown}");
}

#[tokio::test]
async fn a_ca_file_that_cannot_be_used_stops_the_start() {
    let mut world = World::new().await;
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (path, code) in [
        (directory.path().join("absent"), "ca_file"),
        (file("empty", ""), "ca_file_empty"),
        (file("garbage", garbage), "ca_certificate"),
        (file("broken", "-----BEGIN CERTIFICATE-----\n!"), "ca_file"),
    ] {
        world.config.ca_file = Some(path);
        let built = Provider::new(
            &world.config,
            Url::parse(REDIRECT_URI).unwrap(),
            world.clock.clone(),
            world.metrics.clone(),
        );
        let error = built.unwrap_err();
        assert_eq!(error.code(), code, "{}", crate::telemetry::chain(&error));
        assert_eq!(error.blame(), Blame::Gateway);
    }
}
