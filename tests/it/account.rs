//! Sessions seen and ended by their owner, and by an administrator.

use crate::support::gateway::simple;
use crate::support::{Answer, Browser, Setup};
use bytes::Bytes;
use http::Method;
use portcullis::command::{self, SessionsAction};
use portcullis::identity::Username;
use portcullis::session::{Summary, Which};
use portcullis::telemetry::audit::Event;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

async fn is_known(browser: &mut Browser) -> bool {
    browser.get("/sso/me").await.status == 200
}

async fn run(setup: &Setup, action: SessionsAction) -> String {
    command::sessions(&setup.config(), action, &setup.clock)
        .await
        .unwrap()
}

async fn list(setup: &Setup, username: Option<&str>) -> Vec<Summary> {
    let username = username.map(|name| Username::parse(name).unwrap());
    let action = SessionsAction::List {
        username,
        json: true,
    };
    serde_json::from_str(&run(setup, action).await).unwrap()
}

/// What was ended: whose, by whom, how many.
fn revocations(setup: &Setup) -> Vec<(Option<String>, String, usize)> {
    let events = setup.events().into_iter();
    events
        .filter_map(|event| match event {
            Event::Revocation {
                username,
                by,
                count,
                ..
            } => Some((username, by, count)),
            _ => None,
        })
        .collect()
}

fn ended(username: &str, by: &str, count: usize) -> (Option<String>, String, usize) {
    (Some(username.to_owned()), by.to_owned(), count)
}

/// A browser that says what it is, with a session of `ana`.
async fn firefox(setup: &Setup) -> Browser {
    let mut browser = setup.browser();
    let url = browser.home.join("/backdoor").unwrap();
    let form = format!(
        "username=ana&password={}",
        crate::support::gateway::PASSWORD.replace(' ', "+")
    );
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("user-agent", FIREFOX),
        ("sec-fetch-site", "same-origin"),
    ];
    let answer = browser
        .send(Method::POST, &url, &headers, form.into())
        .await;
    answer.expect(303);
    browser
}

async fn end_one(browser: &mut Browser, handle: &str) -> Answer {
    let form = [("which", "one"), ("handle", handle)];
    browser.submit("/sso/account", &form).await
}

#[tokio::test]
async fn a_person_sees_own_sessions_and_no_others() {
    let setup = simple("").await;
    let mut ana = firefox(&setup).await;
    setup.advance(60);
    let _phone = setup.ana().await;
    let _root = setup.signed_in("root").await;
    let page = ana.get("/sso/account").await.expect(200);
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let text = page.text();
    for part in [
        "Firefox on Linux",
        "127.0.0.1",
        "Emergency sign-in",
        "<time datetime=\"",
        " UTC</time>",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert_eq!(text.matches("this session").count(), 1);
    assert_eq!(text.matches("name=\"handle\"").count(), 2);
    for session in list(&setup, Some("root")).await {
        assert!(!text.contains(&session.handle));
    }
    // A stranger signs in first, and comes back here.
    let stranger = setup.browser().get("/sso/account").await.expect(303);
    assert_eq!(stranger.location().path(), "/sso/login");
    let want = "choose=1&next=%2Fsso%2Faccount";
    assert_eq!(stranger.location().query(), Some(want));
    let back = ana
        .get("/sso/login?next=%2Fsso%2Faccount")
        .await
        .expect(303);
    assert_eq!(back.location().path(), "/sso/account");
    setup.request("PUT", "/sso/account", &[]).await.expect(405);
}

#[tokio::test]
async fn a_person_ends_one_the_others_or_all() {
    let setup = simple("").await;
    let mut ana = setup.ana().await;
    let own = list(&setup, Some("ana")).await.remove(0).handle;
    let mut phone = setup.ana().await;
    let sessions = list(&setup, Some("ana")).await;
    let of_phone = sessions.iter().find(|it| it.handle != own).unwrap();
    let answer = end_one(&mut ana, &of_phone.handle).await.expect(303);
    assert_eq!(answer.location().path(), "/sso/account");
    assert!(!is_known(&mut phone).await && is_known(&mut ana).await);
    // It is gone, and says so.
    end_one(&mut ana, &of_phone.handle).await.expect(404);
    end_one(&mut ana, "nonsense").await.expect(404);

    let (mut two, mut three) = (setup.ana().await, setup.ana().await);
    let mut root = setup.signed_in("root").await;
    let form = [("which", "others")];
    ana.submit("/sso/account", &form).await.expect(303);
    assert!(!is_known(&mut two).await && !is_known(&mut three).await);
    assert!(is_known(&mut ana).await && is_known(&mut root).await);

    // All of them only after a question.
    let mut two = setup.ana().await;
    let form = [("which", "all")];
    let asked = ana.submit("/sso/account", &form).await.expect(200);
    asked.says("Sign out everywhere?").says("name=\"sure\"");
    assert!(is_known(&mut two).await);
    let form = [("which", "all"), ("sure", "yes")];
    let answer = ana.submit("/sso/account", &form).await.expect(303);
    assert_eq!(answer.location().path(), "/sso/signed-out");
    assert_eq!(ana.cookie("__Host-portcullis"), None);
    assert!(!is_known(&mut two).await && !is_known(&mut ana).await);
    assert!(is_known(&mut root).await);
    assert_eq!(
        revocations(&setup),
        [
            ended("ana", "ana", 1),
            ended("ana", "ana", 2),
            ended("ana", "ana", 2)
        ]
    );

    // The one that asks: an ordinary sign-out.
    let own = list(&setup, Some("root")).await.remove(0).handle;
    let answer = end_one(&mut root, &own).await.expect(303);
    assert_eq!(answer.location().path(), "/sso/signed-out");
    assert!(!is_known(&mut root).await);
}

#[tokio::test]
async fn nobody_ends_anothers_session_with_its_handle() {
    let setup = simple("").await;
    let mut ana = setup.ana().await;
    let mut root = setup.signed_in("root").await;
    let theirs = list(&setup, Some("root")).await.remove(0).handle;
    end_one(&mut ana, &theirs).await.expect(404);
    assert!(is_known(&mut root).await);
    assert_eq!(revocations(&setup), []);
}

#[tokio::test]
async fn who_is_thrown_out_throws_nobody_out_with_a_form_that_was_on_its_way() {
    let setup = simple("").await;
    let thief = setup.ana().await;
    let stolen = list(&setup, Some("ana")).await.remove(0).handle;
    let mut ana = setup.ana().await;
    let thrown_out = async {
        end_one(&mut ana.clone(), &stolen).await.expect(303);
    };
    let answer = setup
        .submit_slowly(&thief, "/sso/account", "which=others", thrown_out)
        .await;
    assert!(answer.contains("location: /sso/login"), "{answer}");
    assert!(is_known(&mut ana).await);
    assert_eq!(revocations(&setup), [ended("ana", "ana", 1)]);
}

#[tokio::test]
async fn a_browsers_name_reorders_no_page() {
    let setup = simple("").await;
    let mut ana = setup.browser();
    let url = ana.home.join("/backdoor").unwrap();
    let password = crate::support::gateway::PASSWORD.replace(' ', "+");
    let form = format!("username=ana&password={password}");
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("user-agent", "\u{202e}\u{2066}xoferiF<b>"),
        ("sec-fetch-site", "same-origin"),
    ];
    let answer = ana.send(Method::POST, &url, &headers, form.into()).await;
    answer.expect(303);
    let page = ana.get("/sso/account").await.expect(200);
    let text = page.says("xoferiF&lt;b&gt;").text();
    assert!(!text.contains(['\u{202e}', '\u{2066}']), "{text}");
    let text = run(
        &setup,
        SessionsAction::List {
            username: None,
            json: true,
        },
    )
    .await;
    assert!(
        text.contains("xoferiF") && !text.contains('\u{202e}'),
        "{text}"
    );
}

#[tokio::test]
async fn a_page_elsewhere_ends_no_session() {
    let setup = simple("").await;
    let mut ana = setup.ana().await;
    let mut phone = setup.ana().await;
    let url = ana.home.join("/sso/account").unwrap();
    for headers in [
        [
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "cross-site"),
        ],
        [("origin", "null"), ("accept", "text/html")],
    ] {
        for form in ["which=others", "which=all&sure=yes"] {
            let body = Bytes::from_static(form.as_bytes());
            let answer = ana.send(Method::POST, &url, &headers, body).await;
            answer.expect(403);
        }
    }
    // Without a session, there is nothing to end.
    let mut stranger = setup.browser();
    let stranger = stranger.submit("/sso/account", &[("which", "all")]);
    assert_eq!(stranger.await.expect(303).location().path(), "/sso/login");
    assert!(is_known(&mut ana).await && is_known(&mut phone).await);
    assert_eq!(revocations(&setup), []);
}

#[tokio::test]
async fn an_administrator_lists_and_revokes_from_the_command_line() {
    let setup = simple("").await;
    let (mut ana, mut phone) = (setup.ana().await, setup.ana().await);
    let (mut root, mut other) = (setup.signed_in("root").await, setup.signed_in("root").await);
    let shown = SessionsAction::List {
        username: None,
        json: false,
    };
    let table = run(&setup, shown).await;
    assert!(table.starts_with("USERNAME") && table.lines().count() == 5);
    assert!(!table.contains(&ana.cookie("__Host-portcullis").unwrap()[..22]));

    let revoke = |which| run(&setup, SessionsAction::Revoke(which));
    let handle = list(&setup, Some("root")).await.remove(0).handle;
    let said = revoke(Which::Handle(handle.clone())).await;
    assert!(
        said.starts_with("ended:") && said.contains(&handle),
        "{said}"
    );
    let left = is_known(&mut root).await ^ is_known(&mut other).await;
    assert!(left, "one of the two");
    let said = revoke(Which::Username(Username::parse("ANA").unwrap())).await;
    assert_eq!(said.lines().count(), 4, "{said}");
    assert!(!is_known(&mut ana).await && !is_known(&mut phone).await);
    let said = revoke(Which::Handle(handle)).await;
    assert_eq!(said, "there was no such session");
    revoke(Which::All).await;
    assert!(!is_known(&mut root).await && !is_known(&mut other).await);
    let by = "command line";
    assert_eq!(
        revocations(&setup),
        [
            ended("root", by, 1),
            ended("ANA", by, 2),
            (None, by.to_owned(), 0),
            (None, by.to_owned(), 1),
        ]
    );
    // With another key nobody is signed out.
    let mut config = setup.config();
    config.session.keys = vec![portcullis::secret::Secret::new([9; 64])];
    let order = SessionsAction::Revoke(Which::All);
    let refused = command::sessions(&config, order, &setup.clock).await;
    assert!(refused.unwrap_err().to_string().contains("not signed"));
}

/// An upstream that changes the protocol, or sends a body without an end.
async fn endless(answer: &'static str) -> (std::net::SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let gone = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        // Until the gateway lets go.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    });
    (addr, gone)
}

/// What a revocation does to what is open. Long enough for anything that happens at all.
async fn check_cut(request: &str, answer: &'static str) {
    let (addr, gone) = endless(answer).await;
    let setup = simple("").await;
    let ana = setup.ana().await;
    let upstream = setup.upstream.url();
    setup
        .reload(&upstream, &format!("http://{addr}"))
        .await
        .unwrap();
    let mut client = TcpStream::connect(setup.running.public_addr())
        .await
        .unwrap();
    let cookie = ana.cookie_header(&ana.home).unwrap();
    let head = format!("{request}Host: git.example.com\r\nCookie: {cookie}\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
    let mut begun = Vec::new();
    while !begun.ends_with(b"\r\n\r\n") {
        begun.push(client.read_u8().await.unwrap());
    }
    let which = Which::Username(Username::parse("ana").unwrap());
    run(&setup, SessionsAction::Revoke(which)).await;
    let soon = Duration::from_secs(20);
    let mut rest = Vec::new();
    let cut = tokio::time::timeout(soon, client.read_to_end(&mut rest)).await;
    assert!(cut.is_ok(), "{request:?} goes on");
    assert!(tokio::time::timeout(soon, gone).await.is_ok());
}

#[tokio::test]
async fn whom_an_administrator_signs_out_is_not_signed_in_again_without_being_asked() {
    let setup = simple("").await;
    let mut ana = setup.ana().await;
    let which = Which::Username(Username::parse("ana").unwrap());
    run(&setup, SessionsAction::Revoke(which)).await;
    let page = ana.follow("/dashboard").await.expect(200);
    assert_eq!(page.url.path(), "/sso/login");
    let mut root = setup.signed_in("root").await;
    run(&setup, SessionsAction::Revoke(Which::All)).await;
    root.get("/sso/login").await.expect(200);
    // Whoever was never here goes on as ever.
    setup.browser().get("/sso/login").await.expect(303);
}

#[tokio::test]
async fn an_open_websocket_of_a_revoked_session_is_cut() {
    check_cut(
        "GET /live HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    )
    .await;
}

#[tokio::test]
async fn an_endless_download_of_a_revoked_session_is_cut() {
    check_cut(
        "GET /archive HTTP/1.1\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n",
    )
    .await;
}
