//! The administrator's console: who gets in, what is shown, and that nothing happens by accident.

use crate::support::gateway::{KEY, PASSWORD, PUBLIC, backdoor, base, provider_table, provisioned};
use crate::support::provider::{FakeProvider, ana};
use crate::support::{Answer, Browser, Setup};
use bytes::Bytes;
use http::Method;
use portcullis::clock::Clock;
use portcullis::command::{self, SessionsAction};
use portcullis::identity::Username;
use portcullis::session::Which;
use portcullis::telemetry::audit::Event;
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use time::OffsetDateTime;

/// Every page, as far as it can be opened without knowing anything.
const PAGES: &[&str] = &[
    "/sso/admin/",
    "/sso/admin/configuration",
    "/sso/admin/sign-ins",
    "/sso/admin/sign-ins/0123",
    "/sso/admin/identities",
    "/sso/admin/tests",
    "/sso/admin/tests/address?provider=idp",
];

/// The pages about sessions.
const SESSION_PAGES: &[&str] = &[
    "/sso/admin/sessions",
    "/sso/admin/sessions?username=ana",
    "/sso/admin/sessions/revoke?all=1",
    "/sso/admin/sessions/revoke?username=ana",
];

/// Every action, with a form that would be carried out.
const ACTIONS: &[(&str, &[(&str, &str)])] = &[
    ("/sso/admin/sessions/revoke", &[("all", "1")]),
    ("/sso/admin/identities/forget", &[("username", "ana")]),
    (
        "/sso/admin/identities/relink",
        &[("issuer", "i"), ("subject", "s"), ("username", "eve")],
    ),
    ("/sso/admin/tests/address", &[("provider", "idp")]),
];

async fn setup(extra: &str) -> (FakeProvider, Setup) {
    let provider = FakeProvider::start().await;
    let toml = base()
        + &backdoor()
        + &provider_table(&provider, "idp")
        + "\n[admin]\ngroups = [\"keepers\"]\n"
        + extra;
    (provider, Setup::start(&toml).await)
}

fn in_group(provider: &FakeProvider, name: &str, subject: &str, groups: &[&str]) {
    provider.script(|script| {
        script.person = ana();
        let person = &mut script.person;
        person.insert("sub".into(), json!(subject));
        person.insert("preferred_username".into(), json!(name));
        person.insert("groups".into(), json!(groups));
    });
}

/// A browser whose person is a member of `admin.groups`.
async fn keeper(provider: &FakeProvider, setup: &Setup) -> Browser {
    in_group(provider, "kim", "kims-subject", &["keepers"]);
    let mut browser = setup.browser();
    setup.sign_in(&mut browser).await.expect(200);
    provider.script(|script| script.person = ana());
    browser
}

/// The token of a page's form.
#[track_caller]
fn token(page: &Answer) -> String {
    let text = page.text();
    let (_, rest) = text
        .split_once("name=\"token\" value=\"")
        .unwrap_or_else(|| panic!("no token in {text}"));
    rest.split_once('"').unwrap().0.to_owned()
}

/// Opens a confirmation page and sends its form.
async fn act(browser: &mut Browser, question: &str, action: &str, form: &[(&str, &str)]) -> Answer {
    let page = browser.get(question).await.expect(200);
    let token = token(&page);
    let mut form = form.to_vec();
    form.push(("token", &token));
    browser.submit(action, &form).await
}

fn orders(setup: &Setup) -> Vec<(String, String)> {
    let events = setup.events().into_iter();
    events
        .filter_map(|event| match event {
            Event::Order { order, detail } => Some((order, detail)),
            Event::Revocation {
                username,
                by,
                count,
                which,
                ..
            } => {
                let whose = username.as_deref().unwrap_or("everybody");
                Some((
                    "revoke".to_owned(),
                    format!("{by}, {whose}, {count}, {which}"),
                ))
            }
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn a_stranger_signs_in_first_and_comes_back() {
    let (provider, setup) = setup("").await;
    for page in PAGES.iter().chain(SESSION_PAGES) {
        let mut browser = setup.browser();
        let to = browser.get(page).await.expect(303).location();
        assert_eq!(to.path(), "/sso/login", "{page}");
        let next = to.query_pairs().find(|(name, _)| name == "next").unwrap().1;
        assert_eq!(next, *page);
    }
    in_group(&provider, "kim", "kims-subject", &["keepers"]);
    let mut browser = setup.browser();
    let start = "/sso/start/idp?next=%2Fsso%2Fadmin%2Fsign-ins%2F0123abcd";
    let end = browser.follow(start).await.expect(200);
    assert_eq!(end.url.path(), "/sso/admin/sign-ins/0123abcd");
    // And by the backdoor, when the provider is down.
    let mut root = setup.browser();
    let form = [
        ("username", "root"),
        ("password", PASSWORD),
        ("next", "/sso/admin/"),
    ];
    let to = root.submit("/backdoor", &form).await.location();
    assert_eq!(to.path(), "/sso/admin/");
}

#[tokio::test]
async fn where_single_sign_on_is_off_a_stranger_is_led_to_the_backdoor() {
    let setup = Setup::start(&(base() + &backdoor() + "[sign_in]\nenabled = false\n")).await;
    let to = setup.browser().get("/sso/admin/").await.location();
    assert_eq!(to.path(), "/backdoor");
    let mut root = setup.signed_in("root").await;
    root.get("/sso/admin/")
        .await
        .expect(200)
        .says("sign_in.enabled = false");
}

#[tokio::test]
async fn only_administrators_get_in() {
    let (provider, setup) = setup("").await;
    let mut person = setup.browser();
    setup.sign_in(&mut person).await.expect(200);
    for page in PAGES.iter().chain(SESSION_PAGES) {
        person
            .get(page)
            .await
            .expect(403)
            .says("console_not_allowed");
    }
    for (action, form) in ACTIONS {
        person
            .submit(action, form)
            .await
            .expect(403)
            .says("console_not_allowed");
        let to = setup
            .browser()
            .submit(action, form)
            .await
            .expect(303)
            .location();
        assert_eq!(
            (to.path(), to.query()),
            ("/sso/login", Some("next=%2Fsso%2Fadmin%2F"))
        );
    }
    assert!(orders(&setup).is_empty());
    assert!(setup.refusals().contains(&"console_not_allowed".to_owned()));
    for mut browser in [
        keeper(&provider, &setup).await,
        setup.signed_in("root").await,
    ] {
        for page in PAGES {
            browser.get(page).await.expect(200);
        }
        browser.get("/sso/admin").await.expect(303);
        browser.get("/sso/admin/nothing").await.expect(404);
        browser.get("/sso/admin/sessions/").await.expect(404);
    }
}

#[tokio::test]
async fn who_loses_the_group_or_the_backdoor_is_out_at_once() {
    let (provider, setup) = setup("").await;
    let mut kim = keeper(&provider, &setup).await;
    let mut root = setup.signed_in("root").await;
    kim.get("/sso/admin/tests").await.expect(200);
    root.get("/sso/admin/tests").await.expect(200);
    let form = kim.get("/sso/admin/tests/address?provider=idp").await;
    let token = token(&form);
    setup.reload("\"keepers\"", "\"others\"").await.unwrap();
    kim.get("/sso/admin/tests").await.expect(403);
    let sent = [("provider", "idp"), ("token", &token)];
    kim.submit("/sso/admin/tests/address", &sent)
        .await
        .expect(403);
    root.get("/sso/admin/tests").await.expect(200);
    setup
        .reload("username = \"root\"", "username = \"other\"")
        .await
        .unwrap();
    root.get("/sso/admin/tests").await.expect(303);
    let to = root.submit("/sso/admin/tests/address", &sent).await;
    assert_eq!(to.location().path(), "/sso/login");
    setup
        .reload("enabled = true", "enabled = false")
        .await
        .unwrap();
    root.get("/sso/admin/tests").await.expect(303);
}

#[tokio::test]
async fn an_emergency_session_is_worth_nothing_once_its_account_is_gone() {
    let (_provider, setup) = setup("").await;
    let (mut root, mut ana) = (setup.signed_in("root").await, setup.ana().await);
    root.get("/dashboard").await.expect(200);
    setup
        .reload("username = \"root\"", "username = \"other\"")
        .await
        .unwrap();
    let seen = setup.upstream.seen().len();
    root.get("/dashboard").await.expect(303);
    root.get("/sso/me").await.expect(401);
    assert_eq!(setup.upstream.seen().len(), seen);
    ana.get("/dashboard").await.expect(200);
    setup
        .reload("enabled = true", "enabled = false")
        .await
        .unwrap();
    ana.get("/dashboard").await.expect(303);
}

#[tokio::test]
async fn a_form_of_a_session_that_is_revoked_while_it_comes_does_nothing() {
    let (_provider, setup) = setup("").await;
    setup.sign_in(&mut setup.browser()).await.expect(200);
    let mut root = setup.signed_in("root").await;
    let token = token(&root.get("/sso/admin/tests/address?provider=idp").await);
    let body = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("username", "ana")
        .append_pair("token", &token)
        .finish();
    let revoked = async {
        let which = Which::Username(Username::parse("root").unwrap());
        let action = SessionsAction::Revoke(which);
        command::sessions(&setup.config(), action, &setup.clock)
            .await
            .unwrap();
    };
    let path = "/sso/admin/identities/forget";
    let answer = setup.submit_slowly(&root, path, &body, revoked).await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    assert!(answer.contains("/sso/login?next="), "{answer}");
    assert!(!orders(&setup).iter().any(|(order, _)| order == "forget"));
}

#[tokio::test]
async fn no_page_of_bitbuckets_gets_hold_of_a_window_of_the_console() {
    let (_provider, setup) = setup("").await;
    let mut root = setup.signed_in("root").await;
    for page in PAGES.iter().chain(SESSION_PAGES) {
        let answer = root.get(page).await.expect(200);
        assert_eq!(
            answer.header("cross-origin-opener-policy"),
            Some("noopener-allow-popups"),
            "{page}"
        );
    }
}

#[tokio::test]
async fn a_question_says_whose_session_it_is_and_none_is_asked_about_nothing() {
    let (_provider, setup) = setup("").await;
    let mut root = setup.signed_in("root").await;
    for handle in ["0".repeat(32), "nonsense".to_owned()] {
        let question = format!("/sso/admin/sessions/revoke?handle={handle}");
        let to = root.get(&question).await.expect(303).location();
        assert_eq!(to.path(), "/sso/admin/sessions");
        root.get("/sso/admin/sessions")
            .await
            .says("Nothing was changed");
    }
}

#[tokio::test]
async fn a_revocation_that_the_store_refuses_is_in_the_audit_log_with_its_reason() {
    let provider = FakeProvider::start().await;
    let toml = base().replace(
        "store = \"memory\"",
        "store = \"sqlite:FOLDER/portcullis.db\"",
    ) + &backdoor()
        + &provider_table(&provider, "idp");
    let setup = Setup::start(&toml).await;
    let mut ana = setup.ana().await;
    let mut root = setup.signed_in("root").await;
    let question = "/sso/admin/sessions/revoke?username=ana";
    let token = token(&root.get(question).await.expect(200));
    // Another process has taken the table away behind our back.
    let database = rusqlite::Connection::open(setup.folder.path().join("portcullis.db")).unwrap();
    database.execute_batch("DROP TABLE sessions").unwrap();
    let form = [("username", "ana"), ("token", token.as_str())];
    root.submit("/sso/admin/sessions/revoke", &form)
        .await
        .expect(303);
    let recent = setup.running.audit().recent();
    let event = serde_json::to_value(recent.last().unwrap()).unwrap();
    assert_eq!(event["event"], "revocation");
    assert_eq!(
        (&event["by"], &event["username"]),
        (&json!("root"), &json!("ana"))
    );
    // What was in memory is over all the same.
    assert_eq!(event["count"], 1);
    let error = event["error"].as_str().unwrap();
    assert!(error.contains("no such table"), "{error}");
    assert_ne!(ana.get("/sso/me").await.status, 200);

    // The same of other actions.
    database.execute_batch("DROP TABLE identities").unwrap();
    for (action, form) in [
        ("forget", vec![("username", "ana")]),
        (
            "relink",
            vec![("issuer", "i"), ("subject", "s"), ("username", "eve")],
        ),
    ] {
        let form = [form, vec![("token", token.as_str())]].concat();
        root.submit(&format!("/sso/admin/identities/{action}"), &form)
            .await
            .expect(303);
        let told = orders(&setup).pop().unwrap();
        assert_eq!(told.0, action);
        assert!(told.1.contains("it failed: "), "{told:?}");
    }
}

#[tokio::test]
async fn no_page_and_no_action_is_there_for_another_method_or_a_script() {
    let (_provider, setup) = setup("").await;
    let mut root = setup.signed_in("root").await;
    let url = format!("{PUBLIC}/sso/admin/tests").parse().unwrap();
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = root.send(method, &url, &[], Bytes::new()).await;
        answer.expect(405);
    }
    let fetched = [
        ("sec-fetch-mode", "cors"),
        ("sec-fetch-dest", "empty"),
        ("sec-fetch-site", "same-origin"),
    ];
    let answer = root.send(Method::GET, &url, &fetched, Bytes::new()).await;
    answer.expect(403).says("console_script");
    // The style sheet is no secret, and browsers fetch it as one.
    let url = format!("{PUBLIC}/sso/admin/style.css").parse().unwrap();
    let style = root.send(Method::GET, &url, &fetched, Bytes::new()).await;
    assert_eq!(
        style.expect(200).header("content-type"),
        Some("text/css; charset=utf-8")
    );
}

#[tokio::test]
async fn a_forged_form_does_nothing() {
    let (provider, setup) = setup("").await;
    setup.sign_in(&mut setup.browser()).await.expect(200);
    let mut kim = keeper(&provider, &setup).await;
    let mut root = setup.signed_in("root").await;
    let question = "/sso/admin/tests/address?provider=idp";
    let of_kim = token(&kim.get(question).await);
    let of_root = token(&root.get(question).await);
    assert_ne!(of_kim, of_root);
    for (action, form) in ACTIONS {
        // Without a token, with an empty one, with somebody else's, with a changed one.
        let changed = of_root.replace(&of_root[..4], "AAAA");
        for token in [
            None,
            Some(""),
            Some(of_kim.as_str()),
            Some(&changed),
            Some("\u{0}"),
        ] {
            let mut form = form.to_vec();
            form.extend(token.map(|token| ("token", token)));
            root.submit(action, &form)
                .await
                .expect(403)
                .says("console_forged");
        }
        // With the right one, from a page elsewhere.
        let url = format!("{PUBLIC}{action}").parse().unwrap();
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        let body = body
            .extend_pairs(*form)
            .append_pair("token", &of_root)
            .finish();
        for origin in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
        ] {
            let fields = [
                ("content-type", "application/x-www-form-urlencoded"),
                origin,
            ];
            let answer = root
                .send(Method::POST, &url, &fields, Bytes::from(body.clone()))
                .await;
            answer.expect(403).says("console_forged");
        }
        // And no GET does what a form does. (Sessions are looked up for the question.)
        if !action.contains("sessions") {
            let status = root.get(&format!("{action}?{body}")).await.status;
            assert!(status == 200 || status == 303, "{action}: {status}");
        }
    }
    assert!(orders(&setup).is_empty(), "{:?}", orders(&setup));
    let config = setup.config();
    let listed = command::identities(
        &config,
        command::IdentitiesAction::List {
            username: None,
            json: true,
        },
        &setup.clock,
    );
    let listed = listed.await.unwrap();
    assert!(
        listed.contains("\"ana\"") && listed.contains("\"kim\""),
        "{listed}"
    );
}

#[tokio::test]
async fn a_session_that_was_renewed_has_another_token() {
    let (_provider, setup) = setup("").await;
    let mut root = setup.signed_in("root").await;
    let old = token(&root.get("/sso/admin/tests/address?provider=idp").await);
    setup.advance(1);
    let mut again = setup.signed_in("root").await;
    let form = [("provider", "idp"), ("token", &old)];
    again
        .submit("/sso/admin/tests/address", &form)
        .await
        .expect(403);
}

#[tokio::test]
async fn an_administrator_forgets_and_relinks_by_name_in_the_audit_log() {
    let (provider, setup) = setup("").await;
    let issuer = provider.issuer().to_string();
    setup.sign_in(&mut setup.browser()).await.expect(200);
    let mut kim = keeper(&provider, &setup).await;
    let page = kim
        .get("/sso/admin/identities?search=248289")
        .await
        .expect(200);
    page.says(">ana<").says("Found: 1");

    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let query = query
        .append_pair("issuer", &issuer)
        .append_pair("subject", "248289761001")
        .finish();
    let question = format!("/sso/admin/identities/relink?{query}");
    kim.get(&question)
        .await
        .expect(200)
        .says("Username from now on");
    let bad = format!("{question}&username=a%2Fb");
    kim.get(&bad).await.expect(200).says("cannot be a username");
    let question = format!("{question}&username=anna");
    kim.get(&question)
        .await
        .expect(200)
        .says("Give this subject the name anna?");
    let form = [
        ("issuer", issuer.as_str()),
        ("subject", "248289761001"),
        ("username", "anna"),
    ];
    let done = act(&mut kim, &question, "/sso/admin/identities/relink", &form).await;
    assert_eq!(done.expect(303).location().path(), "/sso/admin/identities");
    kim.get("/sso/admin/identities")
        .await
        .says(">anna<")
        .says("has the name anna");
    // It is no other administrator's notice.
    let mut root = setup.signed_in("root").await;
    let page = root.get("/sso/admin/identities").await.expect(200);
    assert!(!page.text().contains("has the name anna"));

    let question = "/sso/admin/identities/forget?username=anna";
    let form = [("username", "anna")];
    let done = act(&mut root, question, "/sso/admin/identities/forget", &form).await;
    done.expect(303);
    root.get("/sso/admin/identities")
        .await
        .says("Pins forgotten: 1");
    let told = orders(&setup);
    assert_eq!(told[0].0, "relink");
    assert!(told[0].1.starts_with("by \"kim\" (idp): "), "{told:?}");
    assert_eq!(told[1].0, "forget");
    assert!(
        told[1]
            .1
            .starts_with("by \"root\" (backdoor): 1 pins of \"anna\""),
        "{told:?}"
    );
    // Twice is once.
    root.get(question).await.expect(303);
    root.get("/sso/admin/identities")
        .await
        .says("Nothing was changed");
}

#[tokio::test]
async fn a_one_time_address_is_shown_to_who_made_it_and_works_once() {
    let (_provider, setup) = setup("").await;
    let mut root = setup.signed_in("root").await;
    let question = "/sso/admin/tests/address?provider=idp";
    let form = [("provider", "idp")];
    let done = act(&mut root, question, "/sso/admin/tests/address", &form).await;
    assert_eq!(done.location().path(), "/sso/admin/tests");
    let text = root
        .get("/sso/admin/tests")
        .await
        .text()
        .replace("&#x2f;", "/");
    let (_, rest) = text.split_once("/sso/test/idp?ticket=").unwrap();
    let ticket: String = rest.chars().take_while(|c| *c != '<').collect();
    let address = format!("/sso/test/idp?ticket={ticket}");
    setup.browser().get(&address).await.expect(303);
    setup.browser().get(&address).await.expect(403);
    assert_eq!(orders(&setup)[0].0, "test_url");
    assert!(!format!("{:?}", setup.events()).contains(&ticket));
    setup.advance(121);
    let page = root.get("/sso/admin/tests").await;
    assert!(!page.text().contains(&ticket));
    let question = "/sso/admin/tests/address?provider=nobody";
    root.get(question).await.expect(303);
}

#[tokio::test]
async fn the_reasons_of_a_sign_in_are_told_step_by_step() {
    let (provider, setup) = setup("[users]\nallowed_domains = [\"example.org\"]\n").await;
    let refused = setup.sign_in(&mut setup.browser()).await;
    let id = request_id(&refused);
    let mut root = setup.signed_in("root").await;
    root.get("/sso/admin/sign-ins")
        .await
        .says("domain_not_allowed")
        .says(&id);
    let page = root
        .get(&format!("/sso/admin/sign-ins/{id}"))
        .await
        .expect(200);
    let page = page.says("domain_not_allowed").says("preferred_username");
    page.says("signature, issuer, audience")
        .says("refused")
        .says("portcullis why");
    let _ = provider;

    let config = setup.config();
    let told = command::why(&config, &id, false, &setup.clock)
        .await
        .unwrap();
    for part in [
        "outcome   domain_not_allowed",
        "signature, issuer, audience",
        "preferred_username",
        "mapping",
        "allowed_domains",
        "event: refusal",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    let json = command::why(&config, &id, true, &setup.clock)
        .await
        .unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["attempt"]["outcome"], "domain_not_allowed");
    let none = command::why(&config, "0000", false, &setup.clock).await;
    assert!(none.unwrap_err().to_string().contains("\"0000\""));
}

/// The id that a page shows to the person.
#[track_caller]
fn request_id(page: &Answer) -> String {
    let text = page.text();
    let (_, rest) = text.rsplit_once("<code>").unwrap();
    rest.split_once("</code>").unwrap().0.to_owned()
}

#[tokio::test]
async fn a_sign_in_that_works_tells_its_pin_and_what_was_provisioned() {
    let (bitbucket, tables) = provisioned("").await;
    let (_provider, setup) = setup(&tables).await;
    setup.sign_in(&mut setup.browser()).await.expect(200);
    let entry = setup.running.audit().recent();
    let entry = entry
        .iter()
        .find(|entry| matches!(entry.event, Event::SignIn { .. }));
    let id = entry.unwrap().request_id.clone().unwrap();
    let told = command::why(&setup.config(), &id, false, &setup.clock)
        .await
        .unwrap();
    for part in [
        "outcome   ok",
        "pin ",
        "provisioning",
        "created: ",
        "event: sign_in",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    drop(bitbucket);
}

#[tokio::test]
async fn the_overview_shows_how_everything_is_and_asks_seldom() {
    let (provider, setup) = setup("").await;
    let mut root = setup.signed_in("root").await;
    let page = root.get("/sso/admin/").await.expect(200);
    for part in [
        env!("CARGO_PKG_VERSION"),
        "Last refused reload",
        "none since the start",
        "in memory",
        "armed",
        &setup.upstream.url(),
        "The last 24 hours",
        &provider.issuer().to_string(),
    ] {
        let text = page.text().replace("&#x2f;", "/");
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let asked = || {
        let seen = setup.upstream.seen();
        seen.iter()
            .filter(|seen| seen.target.starts_with("/status"))
            .count()
    };
    let before = asked();
    for _ in 0..5 {
        root.get("/sso/admin/").await.expect(200);
    }
    assert_eq!(asked(), before);
    setup.advance(31);
    root.get("/sso/admin/").await.expect(200);
    assert_eq!(asked(), before + 1);

    setup
        .reload("[admin]", "[admin]\nnonsense = 1")
        .await
        .unwrap_err();
    setup
        .running
        .reload_refused(&["admin.nonsense: <b>unknown key</b>".to_owned()]);
    setup.advance(1);
    let page = root.get("/sso/admin/").await.expect(200);
    page.says("admin.nonsense: &lt;b&gt;unknown key")
        .says("not in force");
    setup.advance(1);
    setup.reload("\"keepers\"", "\"others\"").await.unwrap();
    root.get("/sso/admin/")
        .await
        .says("another one was accepted since");
}

/// A page of the console in a language.
async fn in_language(browser: &mut Browser, path: &str, language: &str) -> Answer {
    let url = format!("{PUBLIC}{path}").parse().unwrap();
    let fields = [
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-site", "same-origin"),
        ("accept-language", language),
    ];
    let answer = browser.send(Method::GET, &url, &fields, Bytes::new()).await;
    let found = answer.header("content-language").map(str::to_owned);
    assert_eq!(found.as_deref(), Some(language), "{path}");
    answer.says(&format!("<html lang=\"{language}\""))
}

#[tokio::test]
async fn an_administrator_reads_the_overview_in_their_language() {
    let (mut provider, setup) = setup("").await;
    let mut root = setup.signed_in("root").await;
    let issuer = provider.issuer().to_string();
    let page = in_language(&mut root, "/sso/admin/", "de")
        .await
        .expect(200);
    let german = [
        "<h1>Übersicht</h1>",
        "Sie sind als root angemeldet.",
        "Zuletzt abgelehntes Neuladen",
        "im Arbeitsspeicher",
        "scharf geschaltet",
        "Schlüssel: verwendbar: 1",
        "registrieren Sie beim Anbieter genau „",
        "Anmeldungen: 1. Ablehnungen: 0.",
    ];
    german
        .into_iter()
        .fold(page, |page, part| page.says(part))
        .says(&issuer);
    let page = in_language(&mut root, "/sso/admin/", "ja")
        .await
        .expect(200);
    let japanese = [
        "<h1>概要</h1>",
        "root としてサインインしています。",
        "最後に拒否された再読み込み",
        "鍵: 使用可能: 1",
        "をこのとおりに登録してください",
        "過去 24 時間",
    ];
    japanese
        .into_iter()
        .fold(page, |page, part| page.says(part))
        .says(&issuer);

    // What to do about a provider that is down is said too; why it is down, as the log says it.
    provider.stop().await;
    setup.advance(31);
    let page = in_language(&mut root, "/sso/admin/", "de")
        .await
        .expect(200);
    page.says("Discovery: <span lang=\"en\"")
        .says("<strong>prüfen Sie Namensauflösung, Firewall");
}

#[tokio::test]
async fn no_page_of_the_console_lacks_a_value_in_any_language() {
    let (_provider, setup) = setup("").await;
    setup.sign_in(&mut setup.browser()).await.expect(200);
    let mut root = setup.signed_in("root").await;
    for language in ["en", "de", "fr", "es", "ja", "tr"] {
        let more = [
            "/sso/admin/sessions?username=%3C",
            "/sso/admin/sessions?username=nobody",
            "/sso/admin/identities/forget?username=ana",
        ];
        for path in PAGES.iter().chain(SESSION_PAGES).chain(&more) {
            let text = in_language(&mut root, path, language)
                .await
                .expect(200)
                .text();
            // Escaped twice, or a name that no value took the place of.
            assert!(!text.contains("&amp;#x2f;"), "{language} {path}");
            let name = text.split('{').skip(1).any(|rest| {
                let name = rest.split('}').next().unwrap_or_default();
                !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            });
            assert!(!name, "{language} {path}: {text}");
        }
    }
}

#[tokio::test]
async fn the_overview_shows_when_certificate_and_secret_of_a_provider_end() {
    const DAY: u64 = 86_400;
    let now = Clock::system().now().as_secs();
    let at = |secs: u64| OffsetDateTime::from_unix_timestamp(secs.try_into().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.not_after = at(now + 20 * DAY + 3600);
    let ends = params.not_after.unix_timestamp();
    let pem = params.self_signed(&key).unwrap().pem();
    let (chain, key) = (pem.as_bytes(), key.serialize_pem());
    let provider = FakeProvider::start_tls_with(chain, key.as_bytes()).await;
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, chain).unwrap();

    let day = at(now + 200 * DAY).date();
    let of_secret = format!("client_secret_expires_on = \"{day}\"\n");
    let table = provider_table(&provider, "idp") + "ca_file = \"" + &ca_file.display().to_string();
    let setup = Setup::start(&(base() + &backdoor() + &table + "\"\n" + &of_secret)).await;
    let secret = "portcullis_provider_secret_expiry_seconds{";
    let midnight = |day: time::Date| day.midnight().assume_utc().unix_timestamp().to_string();
    assert!(setup.metric(secret).unwrap().ends_with(&midnight(day)));
    let left = |day: time::Date| (day - at(setup.now().as_secs()).date()).whole_days();
    let mut root = setup.signed_in("root").await;
    let page = root.get("/sso/admin/").await.expect(200);
    let page = page
        .says("days left: 20;")
        .says(&provider.issuer().replace("https://", ""))
        .says(&format!("ends {day}, days left: {}", left(day)));
    assert_eq!(page.text().matches("ends soon").count(), 1);
    let url = format!("{PUBLIC}/sso/admin/").parse().unwrap();
    let german = [("accept-language", "de")];
    let page = root.send(Method::GET, &url, &german, Bytes::new()).await;
    page.expect(200)
        .says("endet bald")
        .says("verbleibende Tage: 20;");
    let certificate = "portcullis_provider_certificate_expiry_seconds{provider=\"idp\"}";
    let shown = format!("{certificate} {ends}");
    assert_eq!(setup.metric(certificate), Some(shown.clone()));

    // Nothing but the day has changed.
    let (near, past) = (at(now + 12 * DAY).date(), at(now - DAY).date());
    let (from, to) = (day.to_string(), near.to_string());
    setup.reload(&from, &to).await.unwrap();
    assert!(setup.metric(secret).unwrap().ends_with(&midnight(near)));
    setup.advance(31);
    let page = root.get("/sso/admin/").await.expect(200);
    let page = page.says(&format!("ends {near}, days left: {}", left(near)));
    assert_eq!(page.text().matches("ends soon").count(), 2);
    assert_eq!(setup.metric(certificate), Some(shown));
    setup.reload(&from, &past.to_string()).await.unwrap();
    let page = root.get("/sso/admin/").await.expect(200);
    page.says("has ended").says(&format!("ended {past}"));
    setup.reload(&of_secret, "").await.unwrap();
    assert_eq!(setup.metric(secret), None);
    let page = root.get("/sso/admin/").await.expect(200);
    page.says("Set client_secret_expires_on to the day");
    // The connection goes by the machine's clock, the page by the gateway's.
    setup.advance(21 * DAY);
    let page = setup.signed_in("root").await.get("/sso/admin/").await;
    page.expect(200).says("has ended");
}

#[tokio::test]
async fn a_provider_without_tls_has_no_certificate_to_show() {
    let (_provider, setup) = setup("").await;
    let mut root = setup.signed_in("root").await;
    let page = root.get("/sso/admin/").await.expect(200);
    page.says("none: spoken to without TLS");
    assert_eq!(setup.metric("portcullis_provider_certificate"), None);
}

#[tokio::test]
async fn bitbuckets_version_is_shown_where_it_says_it() {
    let (bitbucket, tables) = provisioned("").await;
    let provider = FakeProvider::start().await;
    let toml = base().replace("UPSTREAM", &format!("http://{}", bitbucket.addr()))
        + &backdoor()
        + &provider_table(&provider, "idp")
        + &tables;
    let setup = Setup::start(&toml).await;
    let mut root = setup.signed_in("root").await;
    root.get("/sso/admin/").await.expect(200).says("9.4.0");
}

#[tokio::test]
async fn no_page_holds_a_secret_and_none_is_longer_than_it_should_be() {
    let totp = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
    let extra = format!(
        "\n[provisioning]\ntarget = \"bitbucket\"\non_error = \"allow\"\n[provisioning.bitbucket]\nurl = \"UPSTREAM\"\nusername = \"svc\"\npassword = \"service-password\"\n[identity]\nassertion_header = \"X-Assertion\"\nassertion_keys = ['''{}''']\n",
        portcullis::config::generate_assertion_key()
    );
    let hash = portcullis::backdoor::hash_password(PASSWORD).unwrap();
    let root = format!("{{ username = \"root\", password_hash = \"{hash}\" }}");
    let provider = FakeProvider::start().await;
    let toml = base()
        + &backdoor()
            .replace(
                "username = \"root\"",
                &format!("totp_secret = \"{totp}\", username = \"tim\""),
            )
            .replace("\n]\n", &format!("\n{root}\n]\n"))
        + &provider_table(&provider, "idp")
        + &extra;
    let setup = Setup::start(&toml).await;
    setup.sign_in(&mut setup.browser()).await;
    let mut root = setup.signed_in("root").await;
    let client_secret = provider.script(|script| script.client_secret.clone());
    let cookie = root.cookie("__Host-portcullis").unwrap();
    let mut secrets = vec![
        KEY.to_owned(),
        client_secret,
        "service-password".to_owned(),
        totp.to_owned(),
        "$argon2id$".to_owned(),
        "BEGIN PRIVATE KEY".to_owned(),
        cookie,
    ];
    let ids = setup
        .running
        .audit()
        .recent()
        .into_iter()
        .filter_map(|entry| entry.request_id);
    let reasons: Vec<String> = ids.map(|id| format!("/sso/admin/sign-ins/{id}")).collect();
    assert!(!reasons.is_empty());
    // The tokens and codes that went through the sign-in.
    secrets.extend(provider.issued());
    for page in PAGES
        .iter()
        .copied()
        .chain(reasons.iter().map(String::as_str))
    {
        let answer = root.get(page).await.expect(200);
        let text = answer.text();
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{secret} is in {page}");
        }
        assert!(text.len() < 256 * 1024, "{page} has {} bytes", text.len());
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self'"),
            "{policy}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(
            !text.contains("style=") && !text.contains("<script"),
            "{page}"
        );
    }
}

#[tokio::test]
async fn what_people_and_providers_are_called_is_text() {
    let (provider, setup) = setup("").await;
    let hostile = "<script>alert(1)</script>\"'>{{ prefix }}\u{202e}\u{1b}[2J";
    provider.script(|script| {
        let person = &mut script.person;
        person.insert("sub".into(), json!("<i>\"&subject"));
        person.insert("name".into(), json!(hostile));
        person.insert("groups".into(), json!([hostile, "x".repeat(5000)]));
        person.insert(hostile.into(), json!(hostile));
    });
    setup.sign_in(&mut setup.browser()).await;
    let mut root = setup.browser();
    let form = [("username", hostile), ("password", "wrong")];
    root.submit("/backdoor", &form).await;
    let mut root = setup.signed_in("root").await;
    let ids = setup
        .running
        .audit()
        .recent()
        .into_iter()
        .filter_map(|entry| entry.request_id);
    let mut pages: Vec<String> = ids.map(|id| format!("/sso/admin/sign-ins/{id}")).collect();
    let encoded: String = url::form_urlencoded::byte_serialize(hostile.as_bytes()).collect();
    pages.extend([
        "/sso/admin/sign-ins".to_owned(),
        "/sso/admin/identities".to_owned(),
        format!("/sso/admin/sign-ins?username={encoded}"),
        format!("/sso/admin/identities?search={encoded}&page=99999999999999999999"),
        "/sso/admin/sign-ins/%3Cscript%3Ealert(1)%3C%2Fscript%3E".to_owned(),
    ]);
    let mut shown = false;
    for page in pages {
        let text = root.get(&page).await.expect(200).text();
        shown |= text.contains("&lt;script&gt;");
        for bad in ["<script", "<i>", "\"'>", "\u{1b}", "{{"] {
            assert!(
                !text.contains(bad) || bad == "{{" && text.contains("{{ prefix }}"),
                "{bad:?} is in {page}"
            );
        }
    }
    assert!(shown);
}

#[tokio::test]
async fn long_lists_have_pages() {
    let (_provider, setup) = setup("").await;
    let mut stranger = setup.browser();
    for _ in 0..60 {
        stranger.get("/sso/callback/idp?state=x").await;
    }
    let mut root = setup.signed_in("root").await;
    let first = root
        .get("/sso/admin/sign-ins")
        .await
        .expect(200)
        .says("Next page");
    assert_eq!(
        first.text().matches("<tr><th scope=\"row\"").count(),
        50 + 24
    );
    let last = root
        .get("/sso/admin/sign-ins?page=2")
        .await
        .says("Previous page");
    assert_eq!(
        last.text().matches("<tr><th scope=\"row\"").count(),
        11 + 24
    );
    first.says("Refusals: 60");
}

#[tokio::test]
async fn an_administrator_sees_the_sessions_and_ends_them() {
    let (provider, setup) = setup("").await;
    let mut ana = setup.browser();
    setup.sign_in(&mut ana).await.expect(200);
    let mut other = setup.browser();
    setup.sign_in(&mut other).await.expect(200);
    let mut kim = keeper(&provider, &setup).await;
    for page in SESSION_PAGES {
        kim.get(page).await.expect(200);
    }
    kim.get("/sso/admin/sessions")
        .await
        .says("Live sessions: 3")
        .says("(this one)");
    kim.get("/sso/admin/sessions?username=nobody")
        .await
        .says("Live sessions of nobody: 0");
    kim.get("/sso/admin/sessions?username=%3Ci%3E")
        .await
        .says("cannot be a username");

    // One.
    let text = kim.get("/sso/admin/sessions?username=ana").await.text();
    let (_, rest) = text.split_once("revoke?handle=").unwrap();
    let handle = rest.split_once('"').unwrap().0.to_owned();
    let question = format!("/sso/admin/sessions/revoke?handle={handle}");
    let form = [("handle", handle.as_str())];
    act(&mut kim, &question, "/sso/admin/sessions/revoke", &form)
        .await
        .expect(303);
    kim.get("/sso/admin/sessions")
        .await
        .says("Sessions ended: 1")
        .says("Live sessions: 2");
    let left = [
        ana.get("/sso/me").await.status,
        other.get("/sso/me").await.status,
    ];
    assert!(left.contains(&http::StatusCode::OK) && left.contains(&http::StatusCode::UNAUTHORIZED));

    // A person's.
    setup.sign_in(&mut ana).await.expect(200);
    let question = "/sso/admin/sessions/revoke?username=ANA";
    let form = [("username", "ANA")];
    act(&mut kim, question, "/sso/admin/sessions/revoke", &form)
        .await
        .expect(303);
    ana.get("/sso/me").await.expect(401);
    other.get("/sso/me").await.expect(401);
    kim.get("/sso/me").await.expect(200);

    // Everybody's.
    let form = [("all", "1")];
    let question = "/sso/admin/sessions/revoke?all=1";
    act(&mut kim, question, "/sso/admin/sessions/revoke", &form)
        .await
        .expect(303);
    let to = kim.get("/sso/admin/sessions").await.location();
    assert_eq!(to.path(), "/sso/login");
    let told: Vec<_> = orders(&setup)
        .into_iter()
        .map(|(_, detail)| detail)
        .collect();
    let one = format!("kim, ana, 1, handle {handle:?}");
    // Ana's own session may have been the one above, and is replaced otherwise.
    let person = ["1", "2"].map(|count| format!("kim, ANA, {count}, all of a person"));
    assert!(person.contains(&told[1]), "{told:?}");
    assert_eq!(
        (&*told[0], &*told[2]),
        (&*one, "kim, everybody, 1, everybody")
    );
}
