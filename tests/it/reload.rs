//! A reload is whole or not at all, and nobody notices it.

use crate::support::gateway::{KEY, backdoor, base, simple};
use crate::support::{Setup, Upstream};
use portcullis::telemetry::audit::Event;

#[tokio::test]
async fn a_good_change_takes_effect_and_sessions_live_on() {
    let setup = simple("").await;
    let mut ana = setup.ana().await;
    ana.get("/plugins/servlet/upm").await.expect(200);
    let changes = setup
        .reload(
            "[backdoor]",
            "[access]\nplugin_admin_groups = [\"x\"]\n[backdoor]",
        )
        .await
        .unwrap();
    assert_eq!(changes, ["access.plugin_admin_groups"]);
    ana.get("/plugins/servlet/upm").await.expect(403);
    ana.get("/dashboard").await.expect(200);
    let last = setup
        .events()
        .into_iter()
        .rfind(|event| matches!(event, Event::Reload { .. }));
    assert_eq!(
        last,
        Some(Event::Reload {
            outcome: "applied".into(),
            detail: changes
        })
    );
}

#[tokio::test]
async fn a_bad_file_changes_nothing() {
    let setup = simple("").await;
    let mistakes = setup
        .reload("[backdoor]", "[acess]\n[backdoor]")
        .await
        .unwrap_err();
    assert!(mistakes.contains("access"), "{mistakes}");
    setup.ana().await.get("/dashboard").await.expect(200);
}

#[tokio::test]
async fn a_template_that_does_not_render_leaves_the_old_pages_in_force() {
    let setup = simple("").await;
    let templates = setup.folder.path().join("t");
    std::fs::create_dir(&templates).unwrap();
    for (page, bad) in [
        ("login.html", "{% if %}"),
        ("error.html", "{{ mesage }}"),
        ("sign-out.html", "{% include '../portcullis.toml' %}"),
        ("loggin.html", "hello"),
        (
            "test.html",
            "{% for a in range(9999) %}{{ prefix * 10000 }}{% endfor %}",
        ),
    ] {
        let path = templates.join(page);
        std::fs::write(&path, bad).unwrap();
        let branding = "[branding]\ntemplates_dir = \"t\"\n[backdoor]";
        let error = setup.reload("[backdoor]", branding).await.unwrap_err();
        assert_eq!(error, "a part cannot be built", "{page}");
        let page = setup.browser().get("/sso/login?choose=1").await.expect(200);
        page.says("action=\"/sso/start/unused\"");
        std::fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn what_needs_a_restart_refuses_the_whole_reload() {
    let setup = simple("").await;
    let error = setup
        .reload(
            "store = \"memory\"",
            "idle_timeout_secs = 60\nstore = \"sqlite:FOLDER/x.db\"",
        )
        .await
        .unwrap_err();
    assert!(error.contains("session.store"), "{error}");
    let mut ana = setup.ana().await;
    setup.advance(120);
    ana.get("/sso/me").await.expect(200);
}

#[tokio::test]
async fn keys_rotate_without_signing_anybody_out() {
    let toml = base() + &backdoor() + "[sign_in]\nenabled = false\n";
    let setup = Setup::start_with(Upstream::start().await, &toml).await;
    let mut old = setup.ana().await;
    let other = KEY.replace("00", "ff");
    setup
        .reload(
            &format!("keys = [\"{KEY}\"]"),
            &format!("keys = [\"{other}\", \"{KEY}\"]"),
        )
        .await
        .unwrap();
    old.get("/sso/me").await.expect(200);
    let mut new = setup.ana().await;
    setup
        .reload(
            &format!("keys = [\"{KEY}\"]"),
            &format!("keys = [\"{other}\"]"),
        )
        .await
        .unwrap();
    new.get("/sso/me").await.expect(200);
    old.get("/sso/me").await.expect(401);
}
