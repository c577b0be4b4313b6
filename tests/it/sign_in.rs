//! The whole way from a page through the provider and back, and every way to get lost.

use crate::support::gateway::{base, provider_table};
use crate::support::provider::{FakeProvider, Key};
use crate::support::{Browser, Setup, Upstream};
use bytes::Bytes;
use http::Method;
use serde_json::json;

async fn setup() -> (FakeProvider, Setup) {
    let provider = FakeProvider::start().await;
    let setup = Setup::with_provider(&provider, "").await;
    (provider, setup)
}

async fn is_known(browser: &mut Browser) -> bool {
    browser.get("/sso/me").await.status == 200
}

#[tokio::test]
async fn a_person_signs_in_and_lands_where_they_wanted_to_go() {
    let (_provider, setup) = setup().await;
    let mut ana = setup.browser();
    let end = ana.follow("/projects/A?x=1%2F2").await.expect(200);
    assert_eq!(
        end.url.as_str(),
        "https://git.example.com/projects/A?x=1%2F2"
    );
    let seen = setup.upstream.last();
    assert_eq!(seen.target, "/projects/A?x=1%2F2");
    assert_eq!(seen.one("x-forwarded-user").as_deref(), Some("ana"));
    let me = ana.get("/sso/me").await.expect(200).json();
    assert_eq!(me["username"], "ana");
    assert_eq!(me["email"], "ana@example.com");
    assert_eq!(me["display_name"], "Ana Example");
    assert_eq!(me["groups"], json!(["developers"]));
    assert_eq!(me["provider"], "idp");
    assert_eq!(
        setup
            .metric("portcullis_sign_ins_total{provider=\"idp\",outcome=\"ok\"}")
            .unwrap()
            .split(' ')
            .next_back(),
        Some("1")
    );
}

#[tokio::test]
async fn the_request_to_the_provider_carries_every_protection() {
    let (provider, setup) = setup().await;
    setup.sign_in(&mut setup.browser()).await.expect(200);
    let request = provider.last_request("/authorize");
    for (name, want) in [
        ("response_type", "code"),
        ("redirect_uri", "https://git.example.com/sso/callback/idp"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(request.param(name), Some(want));
    }
    for name in ["state", "nonce", "code_challenge"] {
        assert!(request.param(name).unwrap().len() >= 43, "{name}");
    }
    assert!(
        provider
            .last_request("/token")
            .param("code_verifier")
            .unwrap()
            .len()
            >= 43
    );
}

#[tokio::test]
async fn no_token_of_the_provider_reaches_browser_or_bitbucket() {
    let (_provider, setup) = setup().await;
    let mut ana = setup.browser();
    let callback = setup.to_callback(&mut ana, "/sso/start/idp").await;
    let answer = ana.get(&callback).await.expect(303);
    let all = format!("{:?}{}", answer.headers, answer.text());
    assert!(!all.contains("eyJ"), "{all}");
    ana.get("/dashboard").await.expect(200);
    assert!(!format!("{:?}", setup.upstream.last()).contains("eyJ"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn many_tabs_may_sign_in_at_once() {
    let (_provider, setup) = setup().await;
    let mut ana = setup.browser();
    let mut callbacks = Vec::new();
    for tab in 0..5 {
        callbacks.push(
            setup
                .to_callback(&mut ana, &format!("/sso/start/idp?next=/tab/{tab}"))
                .await,
        );
        setup.advance(1);
    }
    for (tab, callback) in callbacks.iter().enumerate().rev().take(2) {
        let end = ana.get(callback).await.expect(303);
        assert_eq!(end.location().path(), format!("/tab/{tab}"));
    }
}

#[tokio::test]
async fn of_too_many_pending_sign_ins_the_oldest_is_dropped() {
    let (_provider, setup) = setup().await;
    let mut ana = setup.browser();
    let mut callbacks = Vec::new();
    for _ in 0..30 {
        callbacks.push(setup.to_callback(&mut ana, "/sso/start/idp").await);
    }
    let lost = ana.get(callbacks.first().unwrap()).await;
    assert!(lost.status.is_client_error());
    lost.says("/sso/login");
    ana.get(callbacks.last().unwrap()).await.expect(303);
    let cookies = ana.cookie_header(&ana.home).unwrap();
    assert!(cookies.len() < 500, "cookies pile up: {cookies}");
}

#[tokio::test]
async fn a_callback_works_once_and_a_reload_of_it_is_harmless() {
    let (provider, setup) = setup().await;
    let mut ana = setup.browser();
    let callback = setup.to_callback(&mut ana, "/sso/start/idp").await;
    ana.get(&callback).await.expect(303);
    let again = ana.get(&callback).await;
    assert!(
        !again.status.is_redirection() && !again.status.is_server_error(),
        "{}",
        again.status
    );
    again.says("signed in");
    assert!(is_known(&mut ana).await);
    assert_eq!(provider.requests("/token").len(), 1);
}

#[tokio::test]
async fn a_callback_in_another_browser_signs_nobody_in() {
    let (provider, setup) = setup().await;
    let mut attacker = setup.browser();
    let callback = setup.to_callback(&mut attacker, "/sso/start/idp").await;
    let mut victim = setup.browser();
    let answer = victim.get(&callback).await;
    assert!(answer.status.is_client_error());
    answer.says("/sso/login");
    assert!(!is_known(&mut victim).await);
    // Not even if the victim's browser has begun a sign-in of its own.
    setup.to_callback(&mut victim, "/sso/start/idp").await;
    assert!(victim.get(&callback).await.status.is_client_error());
    assert!(provider.requests("/token").is_empty());
}

#[tokio::test]
async fn a_stale_page_after_a_restart_has_a_way_forward() {
    let (_provider, setup) = setup().await;
    let mut ana = setup.browser();
    let callback = setup.to_callback(&mut ana, "/sso/start/idp").await;
    let jar = ana.clone();
    let setup = setup.restart().await;
    let mut ana = setup.browser();
    let cookie = "__Host-portcullis-signin";
    ana.set_cookie(cookie, &jar.cookie(cookie).unwrap());
    let answer = ana.get(&callback).await;
    assert!(answer.status.is_client_error());
    answer.says("/sso/login");
    setup.sign_in(&mut ana).await.expect(200);
}

#[tokio::test]
async fn who_waits_too_long_starts_again() {
    let (_provider, setup) = setup().await;
    let mut ana = setup.browser();
    let callback = setup.to_callback(&mut ana, "/sso/start/idp").await;
    setup.advance(29 * 60);
    let mut slow = ana.clone();
    setup.advance(2 * 60);
    assert!(slow.get(&callback).await.status.is_client_error());
    assert!(!is_known(&mut slow).await);
}

#[tokio::test]
async fn a_loop_of_sign_ins_ends_in_a_page_that_explains_it() {
    let (_provider, setup) = setup().await;
    let mut ana = setup.browser();
    for _ in 0..3 {
        let callback = setup.to_callback(&mut ana, "/sso/start/idp").await;
        ana.get(&callback).await.expect(303);
        // A browser that does not keep the session's cookie.
        ana.drop_cookie("__Host-portcullis");
    }
    for page in ["/sso/start/idp", "/sso/login"] {
        let stopped = ana.get(page).await;
        assert!(
            !stopped.status.is_redirection(),
            "{page}: {}",
            stopped.status
        );
        stopped.says("(sign_in_loop)");
    }
    setup.advance(120);
    ana.get("/sso/start/idp").await.expect(303);
}

#[tokio::test]
async fn hostile_callbacks_are_refused_without_a_token_request() {
    let (provider, setup) = setup().await;
    for change in [
        |url: &mut url::Url| url.set_query(None),
        |url: &mut url::Url| url.set_query(Some("code=x")),
        |url: &mut url::Url| url.set_query(Some("code=x&state=unknown")),
        |url: &mut url::Url| {
            let twice = format!("{}&code=other", url.query().unwrap());
            url.set_query(Some(&twice));
        },
        |url: &mut url::Url| {
            let twice = format!("{0}&{0}", url.query().unwrap());
            url.set_query(Some(&twice));
        },
        |url: &mut url::Url| {
            let both = format!("{}&error=access_denied", url.query().unwrap());
            url.set_query(Some(&both));
        },
        |url: &mut url::Url| {
            let iss = format!("{}&iss=https://evil.example", url.query().unwrap());
            url.set_query(Some(&iss));
        },
    ] {
        let mut ana = setup.browser();
        let mut callback: url::Url = setup
            .to_callback(&mut ana, "/sso/start/idp")
            .await
            .parse()
            .unwrap();
        change(&mut callback);
        let answer = ana.get(callback.as_str()).await;
        assert!(
            (400..600).contains(&answer.status.as_u16()) && answer.status != 500,
            "{callback}: {}",
            answer.status
        );
        assert!(!is_known(&mut ana).await, "{callback}");
        let _ = answer.says("/sso/login");
    }
    assert!(provider.requests("/token").is_empty());
}

#[tokio::test]
async fn one_providers_answer_is_not_anothers() {
    let (good, evil) = (FakeProvider::start().await, FakeProvider::start().await);
    let toml = base() + &provider_table(&good, "good") + &provider_table(&evil, "evil");
    let setup = Setup::start(&toml).await;
    let mut ana = setup.browser();
    let callback = setup.to_callback(&mut ana, "/sso/start/good").await;
    let answer = ana
        .get(&callback.replace("/callback/good", "/callback/evil"))
        .await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    assert!(!is_known(&mut ana).await);
    assert!(evil.requests("/token").is_empty() && good.requests("/token").is_empty());
}

async fn refused(person: serde_json::Value, extra: &str, reason: &str) {
    let provider = FakeProvider::start().await;
    provider.script(|script| {
        for (name, value) in person.as_object().unwrap() {
            script.person.insert(name.clone(), value.clone());
        }
    });
    let setup = Setup::with_provider(&provider, extra).await;
    let mut browser = setup.browser();
    let page = setup.sign_in(&mut browser).await;
    assert_eq!(page.status.as_u16(), 403, "{person}: {}", page.text());
    assert_eq!(setup.refusals(), [reason], "{person}");
    let id = setup
        .running
        .audit()
        .recent()
        .last()
        .unwrap()
        .request_id
        .clone()
        .unwrap();
    page.says(&id).says("/sso/login");
    assert!(!is_known(&mut browser).await);
    assert!(setup.upstream.seen().is_empty());
}

#[tokio::test]
async fn claims_that_make_nobody_are_refused_with_the_reason() {
    let domains = "[users]\nallowed_domains = [\"example.com\"]\n";
    for (person, extra, reason) in [
        (
            json!({ "preferred_username": "" }),
            "[providers.claims]\nusername = \"preferred_username\"\n",
            "no_username",
        ),
        (
            json!({ "preferred_username": null }),
            "[providers.claims]\nusername = \"preferred_username\"\n",
            "no_username",
        ),
        (
            json!({ "preferred_username": { "x": 1 } }),
            "",
            "username_type",
        ),
        (
            json!({ "preferred_username": ["a", "b"] }),
            "",
            "ambiguous_username",
        ),
        (
            json!({ "preferred_username": "a\r\nX-Forwarded-User: admin" }),
            "",
            "invalid_username",
        ),
        (
            json!({ "preferred_username": "../admin" }),
            "",
            "invalid_username",
        ),
        (
            json!({ "preferred_username": "a".repeat(300) }),
            "",
            "invalid_username",
        ),
        (
            json!({ "preferred_username": "\u{430}na" }),
            "",
            "invalid_username",
        ),
        (
            json!({ "email_verified": false }),
            domains,
            "unverified_email",
        ),
        (
            json!({ "email_verified": "false" }),
            domains,
            "unverified_email",
        ),
        (
            json!({ "email_verified": false }),
            "[users]\nmatch_by = \"email\"\n",
            "unverified_email",
        ),
        (
            json!({ "email": "ana@evil.example" }),
            domains,
            "domain_not_allowed",
        ),
        (
            json!({ "email": "ana@evil-example.com" }),
            domains,
            "domain_not_allowed",
        ),
        (
            json!({ "email": "ana@evil.example@example.com" }),
            domains,
            "invalid_email",
        ),
        (json!({ "email": null }), domains, "no_email"),
    ] {
        refused(person, extra, reason).await;
    }
}

#[tokio::test]
async fn a_second_subject_of_the_same_name_is_refused() {
    let (provider, setup) = setup().await;
    setup.sign_in(&mut setup.browser()).await.expect(200);
    for name in ["ana", "ANA", "Ana"] {
        provider.script(|script| {
            script.person.insert("sub".into(), json!("another-subject"));
            script
                .person
                .insert("preferred_username".into(), json!(name));
        });
        let mut other = setup.browser();
        setup.sign_in(&mut other).await.expect(403);
        assert!(!is_known(&mut other).await);
    }
    // And a known subject does not come back as somebody else.
    provider.script(|script| {
        script.person.insert("sub".into(), json!("248289761001"));
        script
            .person
            .insert("preferred_username".into(), json!("admin"));
    });
    setup.sign_in(&mut setup.browser()).await.expect(403);
    assert_eq!(setup.refusals().len(), 4);
}

#[tokio::test]
async fn the_pin_survives_a_restart() {
    let provider = FakeProvider::start().await;
    let toml = base().replace("store = \"memory\"", "store = \"sqlite:FOLDER/p.db\"")
        + &provider_table(&provider, "idp");
    let setup = Setup::start_with(Upstream::start().await, &toml).await;
    setup.sign_in(&mut setup.browser()).await.expect(200);
    let setup = setup.restart().await;
    provider.script(|script| script.person.insert("sub".into(), json!("another-subject")));
    setup.sign_in(&mut setup.browser()).await.expect(403);
}

#[tokio::test]
async fn match_by_email_makes_the_address_the_name() {
    let provider = FakeProvider::start().await;
    provider.script(|script| {
        script
            .person
            .insert("email".into(), json!("Ana.Silva@Example.com"))
    });
    let setup = Setup::with_provider(&provider, "[users]\nmatch_by = \"email\"\n").await;
    let mut ana = setup.browser();
    setup.sign_in(&mut ana).await.expect(200);
    assert_eq!(
        setup.upstream.last().one("x-forwarded-user").as_deref(),
        Some("ana.silva@example.com")
    );
}

#[tokio::test]
async fn a_denial_at_the_provider_is_told_in_plain_words() {
    let (provider, setup) = setup().await;
    provider.script(|script| script.deny = Some(("access_denied", "<script>alert(1)</script>")));
    let mut ana = setup.browser();
    let page = setup.sign_in(&mut ana).await;
    assert_eq!(page.status.as_u16(), 403);
    assert!(!page.text().contains("<script"), "{}", page.text());
    page.says("/sso/login");
}

#[tokio::test]
async fn the_gateway_starts_and_serves_while_the_provider_is_down() {
    let mut provider = FakeProvider::start().await;
    provider.stop().await;
    let setup = Setup::with_provider(&provider, "").await;
    let mut ana = setup.browser();
    ana.get("/sso/login?choose=1").await.expect(200);
    let page = ana.get("/sso/start/idp").await;
    assert!(
        [502, 504].contains(&page.status.as_u16()),
        "{}",
        page.status
    );
    page.says("Example");
    setup.request("GET", "/status", &[]).await.expect(200);
    provider.restart().await;
    // Not at once: a provider that was down is not asked again for a moment.
    setup.advance(120);
    setup.sign_in(&mut ana).await.expect(200);
}

#[tokio::test]
async fn keys_rotate_between_and_during_sign_ins() {
    let (provider, setup) = setup().await;
    setup.sign_in(&mut setup.browser()).await.expect(200);
    let fetched = provider.requests("/jwks").len();

    // Between two sign-ins. A refetch for an unknown key is throttled, hence the minute.
    provider.rotate(Key::other("RS256", Some("second")));
    setup.advance(60);
    setup.sign_in(&mut setup.browser()).await.expect(200);
    assert_eq!(provider.requests("/jwks").len(), fetched + 1);

    // While somebody is at the provider's page.
    setup.advance(60);
    let mut ana = setup.browser();
    let callback = setup.to_callback(&mut ana, "/sso/start/idp").await;
    provider.rotate(Key::new("RS256", Some("third")));
    ana.get(&callback).await.expect(303);
    assert!(is_known(&mut ana).await);
    assert_eq!(setup.refusals(), Vec::<String>::new());
}

#[tokio::test]
async fn a_token_signed_with_a_withdrawn_key_signs_nobody_in() {
    let (provider, setup) = setup().await;
    setup.sign_in(&mut setup.browser()).await.expect(200);
    let old = provider.script(|script| script.published.clone());
    provider.rotate(Key::other("RS256", Some("second")));
    // The provider signs with a key that it does not publish.
    provider.script(|script| script.published = old);
    setup.advance(60);
    let mut ana = setup.browser();
    setup.sign_in(&mut ana).await.expect(502);
    assert!(!is_known(&mut ana).await);
    assert_eq!(setup.refusals(), ["unknown_key"]);
}

#[tokio::test]
async fn a_form_post_comes_back_through_the_same_door() {
    let provider = FakeProvider::start().await;
    let toml = base() + &provider_table(&provider, "idp") + "response_mode = \"form_post\"\n";
    let setup = Setup::start(&toml).await;
    let mut ana = setup.browser();
    let to_provider = ana
        .get("/sso/start/idp?next=/x")
        .await
        .expect(303)
        .location();
    assert!(
        to_provider
            .query()
            .unwrap()
            .contains("response_mode=form_post")
    );
    let response = provider.authorize(&to_provider);
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(&response)
        .finish();
    let url = ana.home.join("/sso/callback/idp").unwrap();
    // The provider's page posts it from another site, so no cookie of ours comes along.
    let mut cookieless = setup.browser();
    let fields = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", "https://idp.example.com"),
        ("sec-fetch-site", "cross-site"),
    ];
    let bounced = cookieless
        .send(Method::POST, &url, &fields, Bytes::from(body))
        .await
        .expect(303);
    let end = ana.get(bounced.location().as_str()).await.expect(303);
    assert_eq!(end.location().path(), "/x");
    assert!(is_known(&mut ana).await);
}

#[tokio::test]
async fn remembering_is_a_choice_that_outlives_the_browser() {
    let (provider, setup) = setup().await;
    for (choice, remembered) in [("", false), ("?remember=1", true)] {
        provider.script(|script| script.now_secs = Some(setup.now().as_secs()));
        let mut ana = setup.browser();
        let callback = setup
            .to_callback(&mut ana, &format!("/sso/start/idp{choice}"))
            .await;
        let answer = ana.get(&callback).await.expect(303);
        let cookie = answer
            .headers
            .get_all("set-cookie")
            .iter()
            .map(|v| v.to_str().unwrap())
            .find(|c| c.starts_with("__Host-portcullis="))
            .unwrap();
        assert_eq!(cookie.contains("Max-Age"), remembered, "{cookie}");
        setup.advance(28_800 + 60);
        assert_eq!(is_known(&mut ana).await, remembered);
    }
}

#[tokio::test]
async fn the_session_of_another_person_in_bitbucket_is_not_inherited() {
    let (_provider, setup) = setup().await;
    let mut ana = setup.browser();
    let callback = setup.to_callback(&mut ana, "/sso/start/idp").await;
    let answer = ana.get(&callback).await.expect(303);
    let removed = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .any(|v| v.to_str().unwrap().starts_with("BITBUCKETSESSIONID=;"));
    assert!(removed, "{:?}", answer.headers);
}
