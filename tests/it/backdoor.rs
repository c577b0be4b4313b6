//! The emergency sign-in: narrow, slow for those who guess, and loud.

use crate::support::Setup;
use crate::support::gateway::{PASSWORD, backdoor, base, simple};
use bytes::Bytes;
use http::Method;
use portcullis::telemetry::audit::Event;

fn outcomes(setup: &Setup) -> Vec<(String, String)> {
    let events = setup.events().into_iter();
    events
        .filter_map(|event| match event {
            Event::Backdoor { outcome, username } => Some((outcome, username)),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn the_right_password_comes_in_and_back_to_where_it_was() {
    let setup = simple("").await;
    let mut browser = setup.browser();
    let page = browser.get("/backdoor?next=/admin").await.expect(200);
    assert!(page.text().contains("password"), "{}", page.text());
    let form = [
        ("username", "ana"),
        ("password", PASSWORD),
        ("next", "/admin?x=1"),
    ];
    let answer = browser.submit("/backdoor", &form).await.expect(303);
    assert_eq!(
        answer.location().as_str(),
        "https://git.example.com/admin?x=1"
    );
    browser.get("/admin").await.expect(200);
    assert_eq!(
        setup.upstream.last().one("x-forwarded-user").as_deref(),
        Some("ana")
    );
    assert_eq!(
        outcomes(&setup),
        [("admitted".to_owned(), "ana".to_owned())]
    );
}

#[tokio::test]
async fn a_foreign_next_leads_to_the_start_page() {
    let setup = simple("").await;
    for next in ["//evil.example", "https://evil.example", "/\\evil.example"] {
        let form = [("username", "ana"), ("password", PASSWORD), ("next", next)];
        let answer = setup.browser().submit("/backdoor", &form).await.expect(303);
        assert_eq!(answer.location().as_str(), "https://git.example.com/");
    }
}

#[tokio::test]
async fn an_unknown_name_and_a_wrong_password_look_alike() {
    let setup = simple("").await;
    let mut texts = Vec::new();
    for username in ["ana", "nobody"] {
        let form = [("username", username), ("password", "wrong")];
        let answer = setup.browser().submit("/backdoor", &form).await;
        assert_eq!(answer.status.as_u16(), 403);
        assert!(answer.headers.get("set-cookie").is_none());
        let text = answer.text().replace(username, "NAME");
        texts.push(text);
    }
    let without_ids = |text: &str| -> String {
        text.split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| word.len() != 32)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(without_ids(&texts[0]), without_ids(&texts[1]));
    assert_eq!(outcomes(&setup).len(), 2);
    assert!(
        outcomes(&setup)
            .iter()
            .all(|(outcome, _)| outcome != "admitted")
    );
}

#[tokio::test]
async fn another_network_learns_nothing_of_the_form_by_a_form_that_cannot_be_read() {
    let toml =
        base() + &backdoor() + "allowed_networks = [\"10.0.0.0/8\"]\n[sign_in]\nenabled = false\n";
    let setup = Setup::start(&toml).await;
    let large = "x".repeat(70_000);
    let mut browser = setup.browser();
    let url = browser.home.join("/backdoor").unwrap();
    for answer in [
        browser.get("/backdoor").await,
        browser.submit("/backdoor", &[("x", &large)]).await,
        browser.send(Method::PUT, &url, &[], Bytes::new()).await,
    ] {
        let answer = answer.expect(404);
        assert_eq!(answer.header("allow"), None);
        assert!(!answer.text().contains("form_unreadable"));
    }
    let refused = ("network_refused".to_owned(), String::new());
    assert_eq!(outcomes(&setup), [refused]);
}

#[tokio::test]
async fn guessing_becomes_slow_even_with_the_right_password_at_last() {
    let setup = simple("").await;
    let mut browser = setup.browser();
    let mut limited = None;
    for attempt in 0..10 {
        let answer = browser
            .submit("/backdoor", &[("username", "ANA"), ("password", "wrong")])
            .await;
        if answer.status.as_u16() == 429 {
            assert!(
                answer
                    .header("retry-after")
                    .unwrap()
                    .parse::<u64>()
                    .unwrap()
                    > 0
            );
            limited = Some(attempt);
            break;
        }
    }
    assert!(limited.is_some(), "ten guesses went through");
    let right = [("username", "ana"), ("password", PASSWORD)];
    browser.submit("/backdoor", &right).await.expect(429);
    assert!(
        outcomes(&setup)
            .iter()
            .any(|(outcome, _)| outcome == "rate_limited")
    );
    setup.advance(3600);
    browser.submit("/backdoor", &right).await.expect(303);
}

#[tokio::test]
async fn another_network_is_not_let_near_the_form() {
    let toml =
        base() + &backdoor() + "allowed_networks = [\"10.0.0.0/8\"]\n[sign_in]\nenabled = false\n";
    let setup = Setup::start(&toml).await;
    let form = [("username", "ana"), ("password", PASSWORD)];
    let answer = setup.browser().submit("/backdoor", &form).await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    assert!(answer.headers.get("set-cookie").is_none());
    assert!(
        outcomes(&setup)
            .iter()
            .all(|(outcome, _)| outcome != "admitted")
    );
}

#[tokio::test]
async fn the_network_is_judged_after_trusted_proxies_only() {
    let toml =
        base() + &backdoor() + "allowed_networks = [\"10.0.0.0/8\"]\n[sign_in]\nenabled = false\n";
    let form = bytes::Bytes::from(format!(
        "username=ana&password={}",
        PASSWORD.replace(' ', "+")
    ));
    let headers = [
        ("X-Forwarded-For", "10.1.2.3"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    for (toml, status) in [
        (toml.clone(), false),
        (
            toml.replace(
                "[upstream]",
                "trusted_proxies = [\"127.0.0.0/8\"]\n[upstream]",
            ),
            true,
        ),
    ] {
        let setup = Setup::start(&toml).await;
        let mut browser = setup.browser();
        let url = browser.home.join("/backdoor").unwrap();
        let answer = browser
            .send(http::Method::POST, &url, &headers, form.clone())
            .await;
        assert_eq!(answer.status.as_u16() == 303, status, "{}", answer.text());
    }
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let setup = simple("").await;
    let mut browser = setup.browser();
    let url = browser.home.join("/backdoor").unwrap();
    let headers = [
        ("origin", "https://evil.example"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let form = bytes::Bytes::from(format!(
        "username=ana&password={}",
        PASSWORD.replace(' ', "+")
    ));
    browser
        .send(http::Method::POST, &url, &headers, form)
        .await
        .expect(403);
}

#[tokio::test]
async fn switched_off_it_is_an_address_like_any_other() {
    let setup = Setup::start(&(base() + "[sign_in]\nenabled = false\n")).await;
    setup
        .browser()
        .get("/backdoor")
        .await
        .expect(200)
        .says("bitbucket GET /backdoor");
}

#[tokio::test]
async fn a_form_that_cannot_be_read_is_an_attempt_too() {
    let setup = simple("").await;
    let mut browser = setup.browser();
    let long = "x".repeat(70 * 1024);
    let form = [("username", "ana"), ("password", long.as_str())];
    browser.submit("/backdoor", &form).await.expect(413);
    assert_eq!(outcomes(&setup), [("malformed".into(), String::new())]);
}

/// The code of this moment for the secret of RFC 6238's test vectors.
fn code(setup: &Setup) -> String {
    let secret = totp_rs::Secret::try_from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    totp.generate(setup.now().as_secs()).to_string()
}

#[tokio::test]
async fn an_account_with_a_code_needs_it_and_each_code_works_once() {
    let account = "username = \"ana\",";
    let toml = base()
        + &backdoor().replace(
            account,
            "username = \"ana\", totp_secret = \"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\",",
        )
        + "[sign_in]\nenabled = false\n";
    let toml = toml.replace("store = \"memory\"", "store = \"sqlite:FOLDER/state.db\"");
    let mut setup = Setup::start(&toml).await;
    let attempt = async |setup: &Setup, code: &str| {
        let mut browser = setup.browser();
        let form = [("username", "ana"), ("password", PASSWORD), ("code", code)];
        let status = browser.submit("/backdoor", &form).await.status.as_u16();
        let known = browser.get("/sso/me").await.status == 200;
        assert_eq!(known, status == 303);
        status
    };
    setup
        .browser()
        .get("/backdoor")
        .await
        .expect(200)
        .says("name=\"code\"");
    assert_eq!(attempt(&setup, "").await, 403);
    assert_eq!(attempt(&setup, "000000").await, 403);
    let seen = code(&setup);
    assert_eq!(attempt(&setup, &seen).await, 303);
    // Seen over the shoulder: worth nothing, before a restart and after it.
    assert_eq!(attempt(&setup, &seen).await, 403);
    setup = setup.restart().await;
    assert_eq!(attempt(&setup, &seen).await, 403);
    setup.advance(60);
    assert_eq!(attempt(&setup, &code(&setup)).await, 303);
}
