//! Sessions follow their provider by its refresh tokens.

use crate::support::gateway::{base, provider_table, provisioned};
use crate::support::provider::{Canned, FakeProvider, ana};
use crate::support::{Answer, Browser, Setup, Upstream};
use futures_util::future::join_all;
use portcullis::command::{self, IdentitiesAction};
use portcullis::identity::Username;
use portcullis::telemetry::audit::Event;
use serde_json::{Value, json};
use std::time::Duration;

/// The lifetime of the provider's access tokens.
const HOUR: u64 = 3600;
const GROUPS: &str = "[groups]\nmode = \"on_the_fly\"\n";

struct World {
    provider: FakeProvider,
    setup: Setup,
}

impl World {
    /// `session` goes into `[session]`, `extra` to the end.
    async fn new(session: &str, extra: &str) -> Self {
        let provider = FakeProvider::start().await;
        provider.script(|script| script.refresh = true);
        let mut base = base();
        if session.contains("store =") {
            base = base.replace("store = \"memory\"\n", "");
        }
        let toml = base.replace("[session]\n", &format!("[session]\n{session}\n"))
            + &provider_table(&provider, "idp")
            + extra;
        let setup = Setup::start_with(Upstream::start().await, &toml).await;
        Self { provider, setup }
    }

    /// A person whose requests wait for the provider as soon as it has to be asked.
    async fn impatient(extra: &str) -> Self {
        Self::new("stale_secs = 0", extra).await
    }

    async fn sign_in(&self) -> Browser {
        let mut browser = self.setup.browser();
        self.setup.sign_in(&mut browser).await.expect(200);
        browser
    }

    /// Time passes on both sides.
    fn advance(&self, secs: u64) {
        self.setup.advance(secs);
        let now = self.setup.now().as_secs();
        self.provider.script(|script| script.now_secs = Some(now));
    }

    fn refreshes(&self) -> usize {
        let requests = self.provider.requests("/token");
        let refreshes = requests
            .iter()
            .filter(|request| request.param("grant_type") == Some("refresh_token"));
        refreshes.count()
    }

    /// Why sessions ended, by the audit log.
    fn ended(&self) -> Vec<String> {
        let events = self.setup.events().into_iter();
        events
            .filter_map(|event| match event {
                Event::SessionEnded { reason, .. } => Some(reason),
                _ => None,
            })
            .collect()
    }

    fn person(&self, claims: &Value) {
        self.provider.script(|script| {
            script.person = ana();
            for (name, value) in claims.as_object().unwrap() {
                script.person.insert(name.clone(), value.clone());
            }
        });
    }
}

async fn is_known(browser: &mut Browser) -> bool {
    browser.get("/sso/me").await.status == 200
}

/// Waits for what happens beside the requests.
async fn eventually(what: &str, mut happened: impl AsyncFnMut() -> bool) {
    for _ in 0..1000 {
        if happened().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen that {what}");
}

async fn burst(browser: &Browser, count: usize) -> Vec<Answer> {
    join_all((0..count).map(|n| {
        let mut tab = browser.clone();
        async move { tab.get(&format!("/projects/{n}")).await }
    }))
    .await
}

#[tokio::test]
async fn two_hundred_requests_at_once_make_one_refresh_and_wait_for_none() {
    let world = World::new("", "").await;
    let mut browser = world.sign_in().await;
    burst(&browser, 20).await;
    assert_eq!(world.refreshes(), 0, "it is not due yet");
    world.advance(HOUR);
    for answer in burst(&browser, 200).await {
        answer.expect(200);
    }
    eventually("it is refreshed", async || world.refreshes() > 0).await;
    // The next one is due an hour later, and only then.
    world.advance(HOUR - 1);
    burst(&browser, 20).await;
    assert_eq!(world.refreshes(), 1);
    world.advance(1);
    burst(&browser, 20).await;
    eventually("it is refreshed", async || world.refreshes() == 2).await;
    assert!(is_known(&mut browser).await);
    assert!(world.ended().is_empty());
}

#[tokio::test]
async fn a_slow_provider_holds_nobody_up() {
    let world = World::new("", "").await;
    let browser = world.sign_in().await;
    world.provider.script(|script| {
        script.answers.insert("/token", Canned::Silence);
    });
    world.advance(HOUR);
    for answer in burst(&browser, 50).await {
        answer.expect(200);
    }
    eventually("it is asked", async || world.refreshes() == 1).await;
    burst(&browser, 50).await;
    assert_eq!(world.refreshes(), 1);
}

#[tokio::test]
async fn a_restart_goes_on_with_the_token_of_the_last_time() {
    let mut world = World::new(
        "stale_secs = 0\nstore = \"sqlite:FOLDER/portcullis.db\"",
        "",
    )
    .await;
    let mut browser = world.sign_in().await;
    world.advance(HOUR);
    browser.get("/projects").await.expect(200);
    let cookie = browser.cookie("__Host-portcullis").unwrap();
    world.setup = world.setup.restart().await;
    let mut browser = world.setup.browser();
    browser.set_cookie("__Host-portcullis", &cookie);
    world.advance(HOUR);
    browser.get("/projects").await.expect(200);
    assert_eq!(world.refreshes(), 2);
    assert!(world.ended().is_empty());
}

#[tokio::test]
async fn two_hundred_requests_that_have_to_wait_share_one_refresh() {
    let world = World::impatient("").await;
    let browser = world.sign_in().await;
    // The provider withdraws everything if a token comes twice.
    for round in 1..=3 {
        world.advance(HOUR);
        for answer in burst(&browser, 200).await {
            answer.expect(200);
        }
        assert_eq!(world.refreshes(), round);
    }
}

#[tokio::test]
async fn who_is_refused_is_out() {
    let world = World::impatient("").await;
    let mut browser = world.sign_in().await;
    world
        .provider
        .script(|script| script.refuse_refresh = Some("invalid_grant"));
    assert!(is_known(&mut browser).await, "nobody has asked yet");
    world.advance(HOUR);
    let answer = browser.get("/projects").await.expect(303);
    assert_eq!(answer.location().path(), "/sso/login");
    assert_eq!(world.ended(), ["renewal_refused"]);
    assert!(!is_known(&mut browser).await);
    // And stays out, until the person chooses to sign in.
    let page = browser.follow("/projects").await.expect(200);
    assert_eq!(page.url.path(), "/sso/login");
}

#[tokio::test]
async fn who_is_refused_meanwhile_is_out_at_the_next_request() {
    let world = World::new("", "").await;
    let mut browser = world.sign_in().await;
    world
        .provider
        .script(|script| script.refuse_refresh = Some("invalid_grant"));
    world.advance(HOUR);
    browser.get("/projects").await.expect(200);
    eventually("the session ends", async || {
        !is_known(&mut browser.clone()).await
    })
    .await;
    assert_eq!(world.ended(), ["renewal_refused"]);
}

#[tokio::test]
async fn a_session_outlives_an_outage_for_as_long_as_configured() {
    let mut world = World::new("stale_secs = 1000", "").await;
    let mut browser = world.sign_in().await;
    world.provider.stop().await;
    world.advance(HOUR);
    browser.get("/projects").await.expect(200);
    world.advance(999);
    browser.get("/projects").await.expect(200);
    assert!(world.ended().is_empty());
    world.advance(1);
    browser.get("/projects").await.expect(303);
    assert_eq!(world.ended(), ["provider_unavailable"]);
    assert!(!is_known(&mut browser).await);
}

#[tokio::test]
async fn a_session_goes_on_when_the_provider_is_back_in_time() {
    let mut world = World::new("stale_secs = 1000", "").await;
    let mut browser = world.sign_in().await;
    world.provider.stop().await;
    world.advance(HOUR + 500);
    browser.get("/projects").await.expect(200);
    world.provider.restart().await;
    // At the last moment, a request waits, and the failure of before does not count.
    world.advance(600);
    browser.get("/projects").await.expect(200);
    assert!(world.ended().is_empty());
    assert_eq!(world.refreshes(), 1);
}

#[tokio::test]
async fn without_patience_an_outage_ends_the_session_at_once() {
    let mut world = World::impatient("").await;
    let mut browser = world.sign_in().await;
    world.provider.stop().await;
    assert!(is_known(&mut browser).await);
    world.advance(HOUR);
    for answer in burst(&browser, 20).await {
        answer.expect(303);
    }
    assert_eq!(world.ended(), ["provider_unavailable"]);
}

#[tokio::test]
async fn an_outage_that_speaks_is_no_refusal() {
    let world = World::new("", "").await;
    let mut browser = world.sign_in().await;
    world.provider.script(|script| script.outage = true);
    world.advance(HOUR);
    browser.get("/projects").await.expect(200);
    eventually("it is asked", async || world.refreshes() == 1).await;
    browser.get("/projects").await.expect(200);
    assert!(world.ended().is_empty());
}

#[tokio::test]
async fn a_short_lifetime_is_rounded_up() {
    let world = World::new("stale_secs = 0\nrefresh_secs = 600", "").await;
    world.provider.script(|script| script.expires_in = Some(60));
    let mut browser = world.sign_in().await;
    world.advance(599);
    browser.get("/projects").await.expect(200);
    assert_eq!(world.refreshes(), 0);
    world.advance(1);
    browser.get("/projects").await.expect(200);
    assert_eq!(world.refreshes(), 1);
}

#[tokio::test]
async fn groups_follow_the_provider() {
    let world = World::impatient(GROUPS).await;
    let mut browser = world.sign_in().await;
    let me = browser.get("/sso/me").await.json();
    assert_eq!(me["groups"], json!(["developers"]));
    world.person(&json!({ "groups": ["admins"], "name": "Ana Newname" }));
    world.advance(HOUR);
    let me = browser.get("/sso/me").await.expect(200).json();
    assert_eq!(me["groups"], json!(["admins"]));
    assert_eq!(me["display_name"], "Ana Newname");
}

#[tokio::test]
async fn bitbucket_is_told_of_a_change() {
    let (bitbucket, target) = provisioned("").await;
    let world = World::impatient(&format!("{GROUPS}create_missing = true\n{target}")).await;
    let mut browser = world.sign_in().await;
    assert_eq!(bitbucket.people().groups_of("ana"), ["developers"]);
    world.person(&json!({ "groups": ["developers", "testers"] }));
    world.advance(HOUR);
    assert!(is_known(&mut browser).await);
    let mut groups = bitbucket.people().groups_of("ana");
    groups.sort();
    assert_eq!(groups, ["developers", "testers"]);
}

async fn ends_with(claims: Value, code: &str) {
    let world = World::impatient("").await;
    let mut browser = world.sign_in().await;
    world.person(&claims);
    world.advance(HOUR);
    browser.get("/projects").await.expect(303);
    assert_eq!(world.ended(), [code], "{claims}");
}

#[tokio::test]
async fn what_refuses_a_sign_in_ends_a_session() {
    ends_with(json!({ "preferred_username": "eva" }), "username_changed").await;
    ends_with(json!({ "preferred_username": null }), "no_username").await;
    ends_with(json!({ "sub": "somebody-else" }), "claim_changed").await;
    ends_with(json!({ "active": false }), "inactive_account").await;
}

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

impl World {
    async fn order(&self, action: IdentitiesAction) -> String {
        command::identities(&self.setup.config(), action, &self.setup.clock)
            .await
            .unwrap()
    }

    /// The pins, by subject and name.
    async fn pins(&self) -> Vec<(String, String)> {
        let action = IdentitiesAction::List {
            username: None,
            json: true,
        };
        let pins: Vec<Value> = serde_json::from_str(&self.order(action).await).unwrap();
        let text = |pin: &Value, key: &str| pin[key].as_str().unwrap().to_owned();
        pins.iter()
            .map(|pin| (text(pin, "subject"), text(pin, "username")))
            .collect()
    }
}

#[tokio::test]
async fn nobody_goes_on_under_a_name_that_is_another_ones_now() {
    for forgotten in [false, true] {
        let world = World::impatient("").await;
        let mut browser = world.sign_in().await;
        let subject = world.pins().await.remove(0).0;
        // An administrator says that this subject was never "ana", and so does the provider.
        world
            .order(match forgotten {
                true => IdentitiesAction::ForgetUsername(name("ana")),
                false => IdentitiesAction::Relink {
                    provider: "idp".to_owned(),
                    issuer: None,
                    subject,
                    username: name("mallory"),
                },
            })
            .await;
        world.person(&json!({ "preferred_username": "mallory" }));
        world.advance(HOUR);
        browser.get("/projects").await.expect(303);
        assert_eq!(world.ended(), ["username_changed"], "{forgotten}");
        assert!(!is_known(&mut browser).await);
    }
}

#[tokio::test]
async fn a_session_takes_back_no_name_that_was_forgotten() {
    let world = World::impatient("").await;
    let mut browser = world.sign_in().await;
    world
        .order(IdentitiesAction::ForgetUsername(name("ana")))
        .await;
    // Sessions go on until they end, but it is the next sign-in that gets the name.
    world.advance(HOUR);
    browser.get("/projects").await.expect(200);
    assert_eq!(world.refreshes(), 1);
    assert_eq!(world.pins().await, []);
    world.person(&json!({ "sub": "the-next-ana" }));
    let mut next = world.sign_in().await;
    assert!(is_known(&mut next).await);
    world.person(&json!({}));
    world.advance(HOUR - 1);
    assert!(is_known(&mut next).await);
    world.advance(1);
    browser.get("/projects").await.expect(303);
    assert_eq!(world.ended(), ["username_taken"]);
}

#[tokio::test]
async fn a_refresh_token_goes_to_no_other_provider_of_the_same_name() {
    let world = World::impatient("").await;
    let mut browser = world.sign_in().await;
    let other = FakeProvider::start().await;
    let (from, to) = (world.provider.issuer(), other.issuer());
    world.setup.reload(&from, &to).await.unwrap();
    world.advance(HOUR);
    browser.get("/projects").await.expect(303);
    assert!(other.requests("/token").is_empty());
    assert_eq!(world.ended(), ["provider_unavailable"]);
}

#[tokio::test]
async fn without_a_refresh_token_or_the_wish_nobody_is_asked() {
    let given = World::impatient("refresh = false\n").await;
    let never = World::impatient("").await;
    never.provider.script(|script| script.refresh = false);
    for world in [given, never] {
        let mut browser = world.sign_in().await;
        world.advance(2 * HOUR);
        browser.get("/projects").await.expect(200);
        assert_eq!(world.refreshes(), 0);
    }
}

#[tokio::test]
async fn the_browser_never_sees_a_refresh_token() {
    let world = World::impatient("").await;
    let mut browser = world.setup.browser();
    let answer = world.setup.sign_in(&mut browser).await;
    world.advance(HOUR);
    let me = browser.get("/sso/me").await;
    let token = world.provider.last_request("/token");
    let token = token.param("refresh_token").unwrap().to_owned();
    for answer in [answer, me] {
        let shown = format!("{:?} {}", answer.headers, answer.text());
        assert!(!shown.contains(&token));
    }
}
