//! The provider says that somebody has signed out, and somebody who signs out says it to the provider.

use crate::support::gateway::{PUBLIC, base, provider_table};
use crate::support::provider::FakeProvider;
use crate::support::{Answer, Browser, Setup};
use bytes::Bytes;
use http::Method;
use portcullis::telemetry::audit::Event;
use serde_json::Value;
use url::Url;

const TOKENS: &str = include_str!("../data/sign-out/logout-tokens.txt");
const GZIP: (&str, &str) = ("content-encoding", "gzip");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

struct World {
    provider: FakeProvider,
    setup: Setup,
}

impl World {
    async fn new() -> Self {
        let provider = FakeProvider::start().await;
        let setup = Setup::with_provider(&provider, "").await;
        Self { provider, setup }
    }

    /// A browser of this person, in this session at the provider.
    async fn sign_in(&self, sub: &str, username: &str, sid: &str) -> Browser {
        self.provider.script(|script| {
            for (name, value) in [("sub", sub), ("preferred_username", username), ("sid", sid)] {
                script.person.insert(name.to_owned(), value.into());
            }
        });
        let mut browser = self.setup.browser();
        self.setup.sign_in(&mut browser).await.expect(200);
        browser
    }

    /// The provider calls, without any cookie.
    async fn back_channel(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let url = Url::parse(PUBLIC).unwrap().join(path).unwrap();
        let mut provider = self.setup.browser();
        let body = Bytes::from(body.to_owned());
        provider.send(Method::POST, &url, headers, body).await
    }

    async fn logout(&self, token: &str) -> Answer {
        let body = form(&[("logout_token", token)]);
        self.back_channel("/sso/backchannel-logout/idp", &[FORM], &body)
            .await
    }

    /// A browser asks, from a frame or a link.
    async fn front_channel(
        &self,
        browser: &mut Browser,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut url = Url::parse(PUBLIC).unwrap();
        url.set_path("/sso/frontchannel-logout/idp");
        url.query_pairs_mut().extend_pairs(query);
        browser.send(Method::GET, &url, headers, Bytes::new()).await
    }

    fn ended(&self) -> Vec<(String, String)> {
        let events = self.setup.events().into_iter();
        events
            .filter_map(|event| match event {
                Event::SessionEnded {
                    username, reason, ..
                } => Some((username, reason)),
                _ => None,
            })
            .collect()
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

fn about(sub: Option<&str>, sid: Option<&str>) -> impl FnOnce(&mut Value) {
    let (sub, sid) = (sub.map(Value::from), sid.map(Value::from));
    move |claims| {
        claims["sub"] = sub.unwrap_or_default();
        claims["sid"] = sid.unwrap_or_default();
    }
}

async fn is_known(browser: &mut Browser) -> bool {
    browser.get("/sso/me").await.status == 200
}

#[track_caller]
fn never_kept(answer: &Answer) {
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_sign_out_of_a_person_ends_all_sessions_of_that_person_alone() {
    let world = World::new().await;
    let mut first = world.sign_in("1", "ana", "s-1").await;
    let mut second = world.sign_in("1", "ana", "s-2").await;
    let mut other = world.sign_in("2", "eva", "s-3").await;
    let token = world.provider.logout_token(about(Some("1"), None));
    let answer = world.logout(&token).await.expect(200);
    never_kept(&answer);
    assert!(answer.header("set-cookie").is_none());
    assert!(!is_known(&mut first).await && !is_known(&mut second).await);
    assert!(is_known(&mut other).await);
    let ended = ("ana".to_owned(), "back_channel_logout".to_owned());
    assert_eq!(world.ended(), [ended.clone(), ended]);
}

#[tokio::test]
async fn a_sign_out_of_a_session_ends_that_one() {
    let world = World::new().await;
    let mut first = world.sign_in("1", "ana", "s-1").await;
    let mut second = world.sign_in("1", "ana", "s-2").await;
    let token = world.provider.logout_token(about(None, Some("s-1")));
    world.logout(&token).await.expect(200);
    assert!(!is_known(&mut first).await);
    assert!(is_known(&mut second).await);
    // Both named: both must fit.
    let token = world.provider.logout_token(about(Some("7"), Some("s-2")));
    world.logout(&token).await.expect(200);
    assert!(is_known(&mut second).await);
    let token = world.provider.logout_token(about(Some("1"), Some("s-2")));
    world.logout(&token).await.expect(200);
    assert!(!is_known(&mut second).await);
}

#[tokio::test]
async fn a_logout_token_works_once() {
    let world = World::new().await;
    let mut ana = world.sign_in("1", "ana", "s-1").await;
    let token = world.provider.logout_token(about(Some("1"), None));
    world.logout(&token).await.expect(200);
    assert!(!is_known(&mut ana).await);
    let mut ana = world.sign_in("1", "ana", "s-2").await;
    let answer = world.logout(&token).await.expect(400);
    assert_eq!(answer.json()["error_description"], "logout_replayed");
    never_kept(&answer);
    assert!(is_known(&mut ana).await);
}

#[tokio::test]
async fn a_sign_out_of_nobody_we_know_is_fine() {
    let world = World::new().await;
    let token = world.provider.logout_token(about(Some("9"), Some("s-9")));
    world.logout(&token).await.expect(200);
    assert!(world.ended().is_empty());
}

#[tokio::test]
async fn a_bad_logout_token_ends_nothing_and_says_so() {
    let world = World::new().await;
    let mut ana = world.sign_in("1", "ana", "s-1").await;
    let nonce = world.provider.logout_token(|claims| {
        claims["sub"] = "1".into();
        claims["nonce"] = "n".into();
    });
    let answer = world.logout(&nonce).await.expect(400);
    assert_eq!(answer.json()["error"], "invalid_request");
    assert_eq!(answer.json()["error_description"], "logout_nonce");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    never_kept(&answer);
    assert_eq!(world.setup.refusals(), ["logout_nonce"]);
    assert!(is_known(&mut ana).await);
}

#[tokio::test]
async fn what_the_provider_has_not_signed_ends_nothing() {
    let world = World::new().await;
    let mut ana = world.sign_in("1", "ana", "s-1").await;
    let tokens = TOKENS.lines().filter(|line| !line.starts_with('#'));
    for token in tokens {
        let shown: String = token.chars().take(200).collect();
        let body = format!("logout_token={token}");
        let answer = world
            .back_channel("/sso/backchannel-logout/idp", &[FORM], &body)
            .await;
        assert_eq!(answer.status, 400, "{shown}");
        never_kept(&answer);
        assert_eq!(answer.json()["error"], "invalid_request", "{shown}");
        assert!(answer.body.len() < 300, "{shown}");
    }
    assert!(is_known(&mut ana).await);
    // Names of keys that nobody knows have the keys fetched once more, and not each time.
    assert!(world.provider.requests("/jwks").len() <= 2);
}

#[tokio::test]
async fn only_a_form_with_one_token_is_a_logout() {
    let world = World::new().await;
    let mut ana = world.sign_in("1", "ana", "s-1").await;
    let token = world.provider.logout_token(about(Some("1"), None));
    let here = "/sso/backchannel-logout/idp";
    let good = form(&[("logout_token", &token)]);
    let twice = form(&[("logout_token", &token), ("logout_token", &token)]);
    let large = form(&[("logout_token", &"x".repeat(70_000))]);
    let json = [("content-type", "application/json")];
    for (path, headers, body, status) in [
        (here, &[FORM][..], "", 400),
        (here, &[FORM], twice.as_str(), 400),
        (here, &json, good.as_str(), 400),
        (here, &[FORM], large.as_str(), 400),
        ("/sso/backchannel-logout/other", &[FORM], good.as_str(), 400),
        // A compressed body is not unpacked, whatever it unpacks to.
        (here, &[FORM, GZIP][..], "\u{1f}not a form", 400),
    ] {
        let answer = world.back_channel(path, headers, body).await;
        never_kept(&answer.expect(status));
    }
    let query = format!("{here}?{good}");
    world.back_channel(&query, &[FORM], "").await.expect(400);
    let read = ana.clone().get(&query).await.expect(400);
    assert_eq!(read.header("allow"), Some("POST"));
    never_kept(&read);
    assert!(is_known(&mut ana).await);
    world.logout(&token).await.expect(200);
    assert!(!is_known(&mut ana).await);
}

#[tokio::test]
async fn a_frame_of_the_provider_ends_the_session_that_it_names_without_a_cookie() {
    let world = World::new().await;
    let mut first = world.sign_in("1", "ana", "s-1").await;
    let mut second = world.sign_in("1", "ana", "s-2").await;
    let issuer = world.provider.issuer();
    let mut bare = world.setup.browser();
    let named = [("iss", issuer.as_str()), ("sid", "s-1")];
    let answer = world.front_channel(&mut bare, &named, &[]).await;
    let answer = answer.expect(200);
    never_kept(&answer);
    assert!(answer.header("x-frame-options").is_none());
    let policy = answer.header("content-security-policy").unwrap();
    let framed_by = format!("frame-ancestors {}", world.provider.origin());
    assert!(policy.ends_with(&framed_by), "{policy}");
    assert!(!is_known(&mut first).await);
    assert!(is_known(&mut second).await);
    // Okta's guide has a form.
    let url = first.home.join("/sso/frontchannel-logout/idp").unwrap();
    let body = Bytes::from(form(&[("iss", &issuer), ("sid", "s-2")]));
    let answer = bare.send(Method::POST, &url, &[FORM], body).await;
    answer.expect(200);
    assert!(!is_known(&mut second).await);
    let reasons: Vec<_> = world.ended().into_iter().map(|(_, why)| why).collect();
    assert_eq!(reasons, ["front_channel_logout", "front_channel_logout"]);
}

#[tokio::test]
async fn what_userinfo_calls_sid_ends_no_session() {
    let world = World::new().await;
    // Windows' name for an account, which is no secret.
    let known = "S-1-5-21-1004336348-1177238915-682003330-512";
    world.provider.script(|script| {
        script.userinfo = Box::new(move |info| info["sid"] = known.into());
    });
    let mut ana = world.setup.browser();
    world.setup.sign_in(&mut ana).await.expect(200);
    assert_eq!(world.provider.requests("/userinfo").len(), 1);
    let issuer = world.provider.issuer();
    let named = [("iss", issuer.as_str()), ("sid", known)];
    let mut anybody = world.setup.browser();
    world.front_channel(&mut anybody, &named, &[]).await;
    assert!(is_known(&mut ana).await);
}

#[tokio::test]
async fn a_frame_that_does_not_know_the_session_ends_none() {
    let world = World::new().await;
    let mut ana = world.sign_in("1", "ana", "s-1").await;
    let issuer = world.provider.issuer();
    let issuer = issuer.as_str();
    for (query, status) in [
        (vec![("iss", issuer), ("sid", "s-2")], 200),
        (vec![("iss", "https://evil.example"), ("sid", "s-1")], 400),
        (vec![("sid", "s-1")], 400),
        (vec![("iss", issuer)], 400),
        (vec![("iss", issuer), ("sid", "")], 400),
        (vec![("iss", issuer), ("sid", "s-1"), ("sid", "s-1")], 400),
    ] {
        let answer = world.front_channel(&mut ana, &query, &[]).await;
        answer.expect(status);
        assert!(is_known(&mut ana).await, "{query:?}");
    }
    let elsewhere = ana.get("/sso/frontchannel-logout/other").await;
    elsewhere.expect(404);
}

#[tokio::test]
async fn without_a_name_only_the_providers_own_page_signs_the_browser_out() {
    let world = World::new().await;
    let mut ana = world.sign_in("1", "ana", "s-1").await;
    let frame = ("sec-fetch-dest", "iframe");
    let like = format!("{}.evil.example/", world.provider.origin());
    for referer in [
        vec![],
        vec![("referer", "https://evil.example/")],
        vec![("referer", PUBLIC)],
        vec![("referer", like.as_str())],
        vec![("referer", "not an address")],
    ] {
        let headers: Vec<_> = referer.iter().copied().chain([frame]).collect();
        let answer = world.front_channel(&mut ana, &[], &headers).await;
        answer.expect(403);
        assert!(is_known(&mut ana).await, "{referer:?}");
    }
    // A stranger has nothing to lose.
    let mut stranger = world.setup.browser();
    let answer = world.front_channel(&mut stranger, &[], &[]).await;
    answer.expect(200);
    let page = format!("{}/logout?x=1", world.provider.origin());
    let headers = [("referer", page.as_str()), frame];
    let answer = world.front_channel(&mut ana, &[], &headers).await;
    let answer = answer.expect(200);
    let removed = answer.header("set-cookie").unwrap();
    assert!(removed.starts_with("__Host-portcullis=;"), "{removed}");
    assert!(!is_known(&mut ana).await);
}

#[tokio::test]
async fn a_sign_out_at_the_provider_is_not_undone_by_the_next_page() {
    let world = World::new().await;
    let mut ana = world.sign_in("1", "ana", "s-1").await;
    let mut eva = world.sign_in("2", "eva", "s-2").await;
    let mut leo = world.sign_in("3", "leo", "s-3").await;
    let token = world.provider.logout_token(about(Some("1"), None));
    world.logout(&token).await.expect(200);
    let issuer = world.provider.issuer();
    let named = [("iss", issuer.as_str()), ("sid", "s-2")];
    let mut frame = world.setup.browser();
    world.front_channel(&mut frame, &named, &[]).await;
    let page = format!("{}/logout", world.provider.origin());
    let headers = [("referer", page.as_str())];
    world.front_channel(&mut leo, &[], &headers).await;
    assert!(leo.cookie("portcullis-left").is_some());
    // The provider of these tests asks nobody who they are: whoever gets there is signed in.
    for browser in [&mut ana, &mut eva, &mut leo] {
        let page = browser.follow("/dashboard").await.expect(200);
        assert_eq!(page.url.path(), "/sso/login");
        assert_eq!(page.header("refresh"), None);
        assert!(!is_known(browser).await);
    }
}

#[tokio::test]
async fn one_provider_does_not_end_the_sessions_of_another() {
    let provider = FakeProvider::start().await;
    let toml = base() + &provider_table(&provider, "idp") + &provider_table(&provider, "twin");
    let world = World {
        setup: Setup::start(&toml).await,
        provider,
    };
    let mut ana = world.sign_in("1", "ana", "s-1").await;
    let token = world.provider.logout_token(about(Some("1"), Some("s-1")));
    let body = form(&[("logout_token", &token)]);
    let twin = "/sso/backchannel-logout/twin";
    world.back_channel(twin, &[FORM], &body).await.expect(200);
    let page = format!("{}/logout", world.provider.origin());
    let url = ana.home.join("/sso/frontchannel-logout/twin").unwrap();
    let headers = [("referer", page.as_str())];
    let answer = ana.send(Method::GET, &url, &headers, Bytes::new()).await;
    answer.expect(200);
    assert!(is_known(&mut ana).await);
}

#[tokio::test]
async fn a_sign_out_says_when_the_provider_could_not_be_told() {
    let mut world = World::new().await;
    let mut ana = world.sign_in("1", "ana", "s-1").await;
    world.provider.stop().await;
    let page = ana.submit("/sso/logout", &[]).await.expect(200);
    let page = page.says("provider_not_signed_out");
    // There it could be tried once more.
    let page = page.says(&format!("{}/end_session", world.provider.issuer()));
    let page = page.says("/sso/signed-out");
    let removed = page.header("set-cookie").unwrap();
    assert!(removed.starts_with("__Host-portcullis=;"), "{removed}");
    assert!(!is_known(&mut ana).await);
}

#[tokio::test]
async fn a_provider_is_told_in_its_own_words() {
    let provider = FakeProvider::start().await;
    let toml = base()
        + &provider_table(&provider, "idp")
        + "logout_style = \"cognito\"\nend_session_endpoint = \"PROVIDER/logout\"\n"
            .replace("PROVIDER", provider.origin())
            .as_str();
    let setup = Setup::start(&toml).await;
    let mut ana = setup.browser();
    setup.sign_in(&mut ana).await.expect(200);
    let to = ana.submit("/sso/logout", &[]).await.expect(303).location();
    assert_eq!(to.path(), "/logout");
    let query: Vec<_> = to.query_pairs().into_owned().collect();
    let back = format!("{PUBLIC}/sso/signed-out");
    assert_eq!(
        query,
        [
            ("client_id".to_owned(), "portcullis-client".to_owned()),
            ("logout_uri".to_owned(), back)
        ]
    );
}
