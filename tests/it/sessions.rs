//! How long a session lives, what its cookie is, and that it ends.

use crate::support::gateway::{backdoor, base, simple};
use crate::support::{Setup, Upstream};

const COOKIE: &str = "__Host-portcullis";

async fn is_known(browser: &mut crate::support::Browser) -> bool {
    match browser.get("/sso/me").await.status.as_u16() {
        200 => true,
        401 => false,
        other => panic!("/sso/me answers {other}"),
    }
}

#[tokio::test]
async fn me_says_who_and_how_long() {
    let setup = simple("").await;
    setup.browser().get("/sso/me").await.expect(401);
    let me = setup.ana().await.get("/sso/me").await.expect(200).json();
    assert_eq!(me["username"], "ana");
    assert_eq!(me["provider"], "backdoor");
    assert_eq!(me["groups"], serde_json::json!([]));
    assert!(me["signed_in_at"].as_str().unwrap().ends_with('Z'));
    assert!(me["expires_at"].as_str().unwrap() > me["signed_in_at"].as_str().unwrap());
    assert!(me.get("email").is_some() && me.get("display_name").is_some());
}

#[tokio::test]
async fn the_cookie_is_host_only_and_out_of_reach_of_scripts() {
    let setup = simple("").await;
    let mut browser = setup.browser();
    let form = [
        ("username", "ana"),
        ("password", crate::support::gateway::PASSWORD),
    ];
    let answer = browser.submit("/backdoor", &form).await.expect(303);
    let cookies: Vec<_> = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|v| v.to_str().unwrap())
        .collect();
    let session = cookies
        .iter()
        .find(|cookie| cookie.starts_with("__Host-portcullis="))
        .unwrap();
    for part in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
        assert!(session.contains(part), "{part} is not in {session}");
    }
    assert!(!session.contains("Domain"), "{session}");
    let value = session.split(['=', ';']).nth(1).unwrap();
    assert!(
        value.len() < 128,
        "the cookie holds more than an identifier: {value}"
    );
}

#[tokio::test]
async fn a_changed_cookie_is_a_stranger() {
    let setup = simple("").await;
    let mut ana = setup.ana().await;
    let good = ana.cookie(COOKIE).unwrap();
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let bad = String::from_utf8(bytes).unwrap();
        ana.set_cookie(COOKIE, &bad);
        // The last digit of base64 may carry unused bits, which a strict reader refuses too.
        assert!(!is_known(&mut ana).await, "byte {at}");
    }
    for bad in [
        "",
        ".",
        "x",
        &"A".repeat(5000),
        &format!("{good}x"),
        &format!("{good}.{good}"),
    ] {
        ana.set_cookie(COOKIE, bad);
        assert!(!is_known(&mut ana).await, "{bad:?}");
    }
    ana.set_cookie(COOKIE, &good);
    assert!(is_known(&mut ana).await);
}

#[tokio::test]
async fn signing_in_again_changes_the_identifier_and_ends_the_old_session() {
    let setup = simple("").await;
    let mut ana = setup.ana().await;
    let first = ana.cookie(COOKIE).unwrap();
    let form = [
        ("username", "root"),
        ("password", crate::support::gateway::PASSWORD),
    ];
    ana.submit("/backdoor", &form).await.expect(303);
    assert_ne!(ana.cookie(COOKIE).unwrap(), first);
    let mut thief = setup.browser();
    thief.set_cookie(COOKIE, &first);
    assert!(!is_known(&mut thief).await);
}

#[tokio::test]
async fn an_emergency_session_is_short() {
    let setup = simple("").await;
    let mut ana = setup.ana().await;
    setup.advance(3599);
    assert!(is_known(&mut ana).await);
    setup.advance(2);
    assert!(!is_known(&mut ana).await);
}

#[tokio::test]
async fn a_session_in_sqlite_survives_a_restart() {
    let toml = base().replace(
        "store = \"memory\"",
        "store = \"sqlite:FOLDER/portcullis.db\"",
    ) + &backdoor()
        + "[sign_in]\nenabled = false\n";
    let setup = Setup::start_with(Upstream::start().await, &toml).await;
    let ana = setup.ana().await;
    let mut gone = setup.ana().await;
    gone.submit("/sso/logout", &[]).await;
    let cookie = ana.cookie(COOKIE).unwrap();
    let setup = setup.restart().await;
    let mut ana = setup.browser();
    ana.set_cookie(COOKIE, &cookie);
    assert!(is_known(&mut ana).await);
    let database = std::fs::read(setup.folder.path().join("portcullis.db")).unwrap();
    let id = cookie.split('.').next().unwrap();
    assert!(
        !database
            .windows(id.len())
            .any(|window| window == id.as_bytes()),
        "the database holds what is in the cookie"
    );
}

#[tokio::test]
async fn with_the_store_gone_nobody_is_taken_for_a_stranger_or_let_in() {
    let toml = base().replace(
        "store = \"memory\"",
        "store = \"sqlite:FOLDER/portcullis.db\"",
    ) + &backdoor()
        + "[sign_in]\nenabled = false\n";
    let setup = Setup::start_with(Upstream::start().await, &toml).await;
    let cookie = setup.ana().await.cookie(COOKIE).unwrap();
    let setup = setup.restart().await;
    // Another process has dropped the tables behind our back.
    let database = rusqlite::Connection::open(setup.folder.path().join("portcullis.db")).unwrap();
    let tables: Vec<String> = database
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for table in tables {
        database
            .execute_batch(&format!("DROP TABLE {table}"))
            .unwrap();
    }
    let mut ana = setup.browser();
    ana.set_cookie(COOKIE, &cookie);
    ana.get("/dashboard").await.expect(503);
    assert!(setup.upstream.seen().is_empty());
}
