//! The test page: a real sign-in that changes nothing and tells everything.

use crate::support::gateway::{backdoor, base, provider_table, provisioned};
use crate::support::provider::{FakeProvider, ana};
use crate::support::{Answer, Browser, Setup};
use http::StatusCode;
use portcullis::command;
use portcullis::demo::bitbucket::Fault;
use portcullis::telemetry::audit::Event;
use serde_json::json;

async fn setup(extra: &str) -> (FakeProvider, Setup) {
    let provider = FakeProvider::start().await;
    let toml = base() + &backdoor() + &provider_table(&provider, "idp") + extra;
    (provider, Setup::start(&toml).await)
}

/// By a one-time address.
async fn test(setup: &Setup, browser: &mut Browser) -> Answer {
    let url = command::test_url(&setup.config(), "idp", &setup.clock)
        .await
        .unwrap();
    browser.follow(&url).await
}

#[tokio::test]
async fn a_one_time_address_shows_who_one_would_be_and_signs_nobody_in() {
    let (provider, setup) = setup("").await;
    let mut browser = setup.browser();
    let page = test(&setup, &mut browser).await.expect(200);
    for part in [
        "could sign in as ana",
        "X-Forwarded-User: ana",
        "ana@example.com",
        "developers",
        "preferred_username",
        "ID token",
        "248289761001",
    ] {
        assert!(
            page.text().to_lowercase().contains(&part.to_lowercase()),
            "{part}\n{}",
            page.text()
        );
    }
    browser.get("/sso/me").await.expect(401);
    let asked = provider.last_request("/authorize");
    assert_eq!(asked.param("prompt"), Some("login"));
    // Nothing was pinned: the name is still free for another subject.
    provider.script(|script| script.person.insert("sub".into(), json!("another")));
    setup.sign_in(&mut setup.browser()).await.expect(200);
    let tests = setup.events().into_iter();
    let tests =
        tests.filter(|event| matches!(event, Event::Test { outcome, .. } if outcome == "ana"));
    assert_eq!(tests.count(), 1);
}

#[tokio::test]
async fn a_one_time_address_works_once_and_for_its_provider() {
    let (provider, setup) = setup("").await;
    let _ = provider;
    let url = command::test_url(&setup.config(), "idp", &setup.clock)
        .await
        .unwrap();
    setup.browser().follow(&url).await.expect(200);
    setup
        .browser()
        .get(&url)
        .await
        .expect(403)
        .says("test_not_allowed");
    let late = command::test_url(&setup.config(), "idp", &setup.clock)
        .await
        .unwrap();
    setup.advance(15 * 60);
    setup.browser().get(&late).await.expect(403);
    let none = command::test_url(&setup.config(), "nobody", &setup.clock).await;
    assert!(none.unwrap_err().to_string().contains("\"idp\""));
}

#[tokio::test]
async fn administrators_need_no_one_time_address_and_others_get_nothing() {
    let (provider, setup) = setup("").await;
    setup.browser().get("/sso/test/idp").await.expect(403);
    // A person who is no administrator.
    let mut ana = setup.browser();
    setup.sign_in(&mut ana).await.expect(200);
    ana.get("/sso/test/idp")
        .await
        .expect(403)
        .says("administrators");
    // The backdoor.
    let mut root = setup.signed_in("root").await;
    root.get("/sso/test/idp").await.expect(303);
    // A member of admin.groups.
    provider.script(|script| {
        script.person = crate::support::provider::ana();
        script
            .person
            .insert("groups".into(), json!(["bitbucket-admins"]));
    });
    let mut admin = setup.browser();
    setup.sign_in(&mut admin).await.expect(200);
    admin
        .follow("/sso/test/idp")
        .await
        .expect(200)
        .says("could sign in as ana");
    // Who tests stays who they are.
    let me = admin.get("/sso/me").await.expect(200).json();
    assert_eq!(me["username"], "ana");
    root.get("/sso/test/nobody").await.expect(404);
}

#[tokio::test]
async fn what_would_refuse_is_shown_with_its_cure() {
    let (provider, setup) = setup("[users]\nallowed_domains = [\"example.org\"]\n").await;
    let page = test(&setup, &mut setup.browser()).await.expect(200);
    for part in [
        "could not sign in",
        "domain_not_allowed",
        "allowed_domains = [",
        "example.com",
    ] {
        assert!(page.text().contains(part), "{part}\n{}", page.text());
    }
    // Also what only the pin knows.
    setup.reload("example.org", "example.com").await.unwrap();
    setup.sign_in(&mut setup.browser()).await.expect(200);
    provider.script(|script| script.person.insert("sub".into(), json!("another one")));
    let page = test(&setup, &mut setup.browser()).await.expect(200);
    for part in [
        "username_taken",
        "portcullis identities relink --provider idp --subject",
    ] {
        assert!(page.text().contains(part), "{part}\n{}", page.text());
    }
}

#[tokio::test]
async fn a_provider_that_fails_the_test_is_told_in_full() {
    let (provider, setup) = setup("").await;
    provider.script(|script| {
        script.rotate(crate::support::provider::Key::new("RS256", Some("unknown")));
        script.published.clear();
    });
    let page = test(&setup, &mut setup.browser()).await;
    assert!(page.status.is_server_error());
    page.says("failed before there were claims").says("key set");
}

#[tokio::test]
async fn the_plan_is_shown_and_bitbucket_stays_as_it_is() {
    let (bitbucket, target) = provisioned("").await;
    let (_provider, setup) =
        setup(&("[groups]\nmode = \"on_the_fly\"\ncreate_missing = true\n".to_owned() + &target))
            .await;
    let page = test(&setup, &mut setup.browser()).await.expect(200);
    page.says("would make the account").says("developers");
    assert!(bitbucket.writes().is_empty());
    assert!(bitbucket.people().user("ana").is_none());
}

#[tokio::test]
async fn a_failure_that_is_let_through_is_told_and_refuses_nobody() {
    for (on_error, verdict) in [
        ("allow", "could sign in as ana"),
        ("deny", "could not sign in"),
    ] {
        let (bitbucket, target) = provisioned(&format!("on_error = \"{on_error}\"")).await;
        let (_provider, setup) = setup(&target).await;
        let broken = Fault::Status(StatusCode::INTERNAL_SERVER_ERROR);
        bitbucket.fail_always(Some(broken));
        let page = test(&setup, &mut setup.browser()).await.expect(200);
        page.says(verdict).says("on_error");
    }
}

#[tokio::test]
async fn hostile_claims_are_shown_and_stay_text() {
    let (provider, setup) = setup("").await;
    provider.script(|script| {
        script.person = ana();
        script
            .person
            .insert("name".into(), json!("<script>alert(1)</script>"));
        script
            .person
            .insert("<img src=x>".into(), json!({"\"'>": ["</code><b>"]}));
    });
    let page = test(&setup, &mut setup.browser()).await.expect(200);
    assert!(page.text().contains("&lt;script&gt;"));
    for bad in ["<script>", "<img", "<b>"] {
        assert!(!page.text().contains(bad), "{bad}");
    }
}
