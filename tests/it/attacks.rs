//! What somebody would try who wants to be somebody else, or to get past the rules: over raw sockets,
//! because no client library writes such things.

use crate::support::gateway::{PASSWORD, backdoor, base, simple};
use crate::support::provider::FakeProvider;
use crate::support::upstream::Seen;
use crate::support::{Browser, Setup, Upstream};
use portcullis::telemetry::audit::Event;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends these bytes and reads until the other side closes, or answers with what the test waits for.
async fn raw(setup: &Setup, bytes: &[u8], until: &str) -> String {
    let mut stream = TcpStream::connect(setup.running.public_addr())
        .await
        .unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&text).contains(until) {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(count) => text.extend_from_slice(&buffer[..count]),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn cookie(browser: &Browser) -> String {
    browser.cookie_header(&browser.home).unwrap()
}

/// Whom Bitbucket believes each request came from, and the paths.
fn believed(seen: &[Seen]) -> Vec<(String, Option<String>)> {
    let one = |seen: &Seen| (seen.target.clone(), seen.one("x-forwarded-user"));
    seen.iter().map(one).collect()
}

#[tokio::test]
async fn a_request_behind_a_refused_upgrade_is_a_request_like_any_other() {
    let setup = simple("").await;
    let ana = setup.ana().await;
    let smuggled = "GET /admin HTTP/1.1\r\nHost: git.example.com\r\nX-Forwarded-User: root\r\n\
                    Connection: close\r\n\r\n";
    for protocol in ["websocket", "h2c", "TLS/1.0"] {
        setup.upstream.forget();
        let request = format!(
            "GET /x HTTP/1.1\r\nHost: git.example.com\r\nCookie: {}\r\n\
             Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}\r\n\
             HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n{smuggled}",
            cookie(&ana)
        );
        let answers = raw(&setup, request.as_bytes(), "no end").await;
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 2, "{answers}");
        let all = [("/x".to_owned(), Some("ana".to_owned()))];
        assert_eq!(believed(&setup.upstream.seen()), all, "{protocol}");
    }
}

#[tokio::test]
async fn a_request_in_the_body_of_another_is_a_body() {
    let setup = simple("").await;
    let ana = setup.ana().await;
    let inner = "GET /admin HTTP/1.1\r\nHost: git.example.com\r\nX-Forwarded-User: root\r\n\r\n";
    for line in ["GET /sso/me", "GET /x", "HEAD /x", "OPTIONS /x"] {
        setup.upstream.forget();
        let request = format!(
            "{line} HTTP/1.1\r\nHost: git.example.com\r\nCookie: {}\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{inner}",
            cookie(&ana),
            inner.len()
        );
        let answers = raw(&setup, request.as_bytes(), "no end").await;
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
        assert!(setup.upstream.seen().iter().all(|seen| seen.target == "/x"));
    }
}

#[tokio::test]
async fn chunks_and_lengths_that_two_parsers_read_differently_reach_nobody() {
    let setup = simple("").await;
    let ana = setup.ana().await;
    for (fields, body) in [
        ("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"),
        ("Content-Length: 3, 3\r\n", "abc"),
        ("Content-Length: +3\r\n", "abc"),
        ("Content-Length: 0x3\r\n", "abc"),
        ("Content-Length: -1\r\n", ""),
        ("Content-Length: 18446744073709551619\r\n", "abc"),
        ("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n",
        ),
        ("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding:\x0bchunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
        ("X-A: b\r\n X-Forwarded-User: root\r\n", ""),
        ("X-A: b\rX-Forwarded-User: root\r\n", ""),
        ("X-Forwarded-User : root\r\n", ""),
    ] {
        let request = format!(
            "POST /x HTTP/1.1\r\nHost: git.example.com\r\nCookie: {}\r\n{fields}\r\n{body}",
            cookie(&ana)
        );
        let answer = raw(&setup, request.as_bytes(), "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{fields:?}: {answer}");
        assert!(setup.upstream.seen().is_empty(), "{fields:?}");
    }
}

#[tokio::test]
async fn a_length_beside_chunks_is_not_sent_on_and_ends_the_connection() {
    let setup = simple("").await;
    let ana = setup.ana().await;
    // RFC 9112 §6.3: chunks win, and the connection closes, so that nothing behind is a request.
    let request = format!(
        "POST /x HTTP/1.1\r\nHost: git.example.com\r\nCookie: {}\r\nContent-Length: 4\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nHost: git.example.com\r\n\
         Cookie: {0}\r\n\r\n",
        cookie(&ana)
    );
    let answers = raw(&setup, request.as_bytes(), "no end").await;
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
    for seen in setup.upstream.seen() {
        assert_eq!(seen.target, "/x");
        assert_eq!(seen.one("content-length"), None);
        assert_eq!(seen.body, "");
    }
}

#[tokio::test]
async fn trailers_cannot_name_anybody() {
    let setup = simple("").await;
    let ana = setup.ana().await;
    let request = format!(
        "POST /x HTTP/1.1\r\nHost: git.example.com\r\nCookie: {}\r\nConnection: close\r\n\
         Trailer: X-Forwarded-User, X_Forwarded_User\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n0\r\nX-Forwarded-User: root\r\nX_Forwarded_User: root\r\nHost: evil\r\n\r\n",
        cookie(&ana)
    );
    raw(&setup, request.as_bytes(), "no end").await;
    let seen = setup.upstream.last();
    assert_eq!(seen.body, "abc");
    assert_eq!(seen.one("x-forwarded-user").as_deref(), Some("ana"));
    assert_eq!(seen.one("host").as_deref(), Some("git.example.com"));
}

#[tokio::test]
async fn another_spelling_of_an_own_or_open_address_opens_nothing() {
    let setup = simple("").await;
    for path in [
        "/sso/../admin",
        "/sso/%2e%2e/admin",
        "/sso/..%2fadmin",
        "/sso%2f..%2fadmin",
        "//sso/../admin",
        "/sso;x/../admin",
        "/status/../admin",
        "/status/..;/admin",
        "/status%2f..%2fadmin",
        "/status;/admin",
        "/status%3b/../admin",
        "/status/",
        "/status%00",
        "/status%23/admin",
        "/rest/..;/admin",
        "/rest/%2e%2e/admin",
        "/rest/..%252fadmin",
        "/scm/..\\admin",
        "/scm/%5c../admin",
        "/backdoor/../admin",
    ] {
        for headers in [&[][..], &[("Authorization", "Basic YTpi")]] {
            let answer = setup.request("GET", path, headers).await;
            assert!(!answer.status.is_success(), "{path}: {}", answer.status);
            assert!(setup.upstream.seen().is_empty(), "{path} {headers:?}");
        }
    }
}

#[tokio::test]
async fn a_bitbucket_session_cannot_be_carried_past_the_gateway_in_an_old_cookie_spelling() {
    let setup = simple("").await;
    for cookies in [
        "BITBUCKETSESSIONID=1",
        "$Version=1; a=\"b\", BITBUCKETSESSIONID=1",
        "$Version=1; a=\"b; c\",JSESSIONID=1",
        "a=1,BITBUCKETSESSIONID=1; b=2",
    ] {
        let fields = [("Authorization", "Bearer expired"), ("Cookie", cookies)];
        setup
            .request("GET", "/rest/api/1.0/projects", &fields)
            .await;
        let sent = setup.upstream.last().one("cookie").unwrap_or_default();
        assert!(!sent.contains("SESSIONID"), "{cookies:?} became {sent:?}");
    }
}

#[tokio::test]
async fn an_address_that_nobody_verified_makes_nobody() {
    let provider = FakeProvider::start().await;
    provider.script(|script| {
        script
            .person
            .insert("email".into(), json!("admin@example.com"));
        script.person.insert("email_verified".into(), json!(false));
    });
    let claims = "[providers.claims]\nusername = \"email\"\n";
    let setup = Setup::with_provider(&provider, claims).await;
    let mut eve = setup.browser();
    setup.sign_in(&mut eve).await.expect(403);
    assert_eq!(setup.refusals(), ["unverified_email"]);
    eve.get("/sso/me").await.expect(401);
}

fn form(password: &str) -> String {
    format!("username=ana&password={}", password.replace(' ', "+"))
}

async fn post(setup: &Setup, host: &str, fields: &str, form: &str) -> u16 {
    let request = format!(
        "POST /backdoor HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let answer = raw(setup, request.as_bytes(), "\r\n\r\n").await;
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_proxy_on_the_same_machine_does_not_open_the_backdoor_to_the_world() {
    let setup = simple("").await;
    for fields in [
        "X-Forwarded-For: 203.0.113.9\r\n",
        "X-Forwarded-For: 127.0.0.1\r\n",
        "Forwarded: for=203.0.113.9\r\n",
    ] {
        let status = post(&setup, "git.example.com", fields, &form(PASSWORD)).await;
        assert_eq!(status, 404, "{fields}");
    }
    assert_eq!(
        post(&setup, "git.example.com", "", &form(PASSWORD)).await,
        303
    );
}

#[tokio::test]
async fn a_name_that_was_pointed_at_the_gateway_cannot_post_to_the_backdoor() {
    let setup = simple("").await;
    let rebound = "Origin: http://evil.example:8080\r\n";
    assert_eq!(
        post(&setup, "evil.example:8080", rebound, &form(PASSWORD)).await,
        403
    );
    // An administrator who comes by address, because DNS is broken.
    let by_address = "Origin: http://10.0.0.5:8080\r\n";
    assert_eq!(
        post(&setup, "10.0.0.5:8080", by_address, &form(PASSWORD)).await,
        303
    );
}

#[tokio::test]
async fn guessing_in_parallel_under_many_spellings_is_guessing_one_account() {
    let setup = simple("").await;
    let guesses = (0..24).map(|number| {
        let name = if number % 2 == 0 { "ana" } else { "ANA" };
        let form = format!("username={name}&password=guess{number}");
        let spoofed = format!("X-Real-IP: 10.0.0.{number}\r\nTrue-Client-IP: 10.0.1.{number}\r\n");
        let setup = &setup;
        async move { post(setup, "git.example.com", &spoofed, &form).await }
    });
    let statuses = futures_util::future::join_all(guesses).await;
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(403), count(429)), (3, 21), "{statuses:?}");
    let attempts = setup.events().into_iter();
    let attempts = attempts.filter(|event| matches!(event, Event::Backdoor { .. }));
    assert_eq!(attempts.count(), 24);
}

/// A frame of HTTP/2 (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// One request over HTTP/2 with exactly these fields, and whatever came back until its end.
async fn over_http2(setup: &Setup, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        // A literal without indexing, with a new name (RFC 7541 §6.2.2).
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).ok().filter(|n| *n < 127).unwrap());
            block.extend(text.bytes());
        }
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    bytes.extend(frame(1, 0x5, 1, &block));
    let mut stream = TcpStream::connect(setup.running.public_addr())
        .await
        .unwrap();
    stream.write_all(&bytes).await.unwrap();
    let mut kinds = Vec::new();
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).await.is_err() {
            return kinds;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut payload).await.unwrap();
        kinds.push(head[3]);
        let on_stream = head[5..] == [0, 0, 0, 1];
        // HEADERS of the answer, RST_STREAM, GOAWAY.
        if (on_stream && matches!(head[3], 1 | 3)) || head[3] == 7 {
            return kinds;
        }
    }
}

#[tokio::test]
async fn http2_fields_cannot_become_lines_or_lengths_of_http1() {
    let setup = simple("").await;
    let ana = setup.ana().await;
    let session = cookie(&ana);
    let usual = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "git.example.com"),
        (":path", "/x"),
        ("cookie", session.as_str()),
    ];
    let with = |extra: &[(&'static str, &'static str)]| {
        let mut fields: Vec<(&str, &str)> = usual.to_vec();
        for (name, value) in extra {
            match fields.iter_mut().find(|(known, _)| known == name) {
                Some(known) if name.starts_with(':') => known.1 = value,
                _ => fields.push((name, value)),
            }
        }
        fields
    };
    over_http2(&setup, &usual).await;
    assert_eq!(
        believed(&setup.upstream.seen()),
        [("/x".into(), Some("ana".into()))]
    );
    setup.upstream.forget();
    for extra in [
        &[(":path", "/x HTTP/1.1\r\nX-Forwarded-User: root\r\nX: ")][..],
        &[(":path", "/x\r\n")],
        &[(":path", "x")],
        &[(":path", "")],
        &[(":path", "*")],
        &[(
            ":method",
            "GET /admin HTTP/1.1\r\nX-Forwarded-User: root\r\n\r\nGET",
        )],
        &[(":method", "CONNECT")],
        &[(":method", "")],
        &[(":authority", "git.example.com\r\nX-Forwarded-User: root")],
        &[(":authority", "u@git.example.com")],
        &[("x-a", "b\r\nX-Forwarded-User: root")],
        &[("x-a", "b\0c")],
        &[("x-a\r\nx-forwarded-user", "root")],
        &[("x-a: b\r\nx-forwarded-user", "root")],
        &[("X-Forwarded-User", "root")],
        &[("transfer-encoding", "chunked")],
        &[("connection", "x-forwarded-user")],
        &[("content-length", "5")],
        &[("host", "evil.example")],
        &[("host", "git.example.com"), ("host", "evil.example")],
        &[(":protocol", "websocket"), (":method", "CONNECT")],
    ] {
        over_http2(&setup, &with(extra)).await;
        assert_eq!(believed(&setup.upstream.seen()), [], "{extra:?}");
    }
    for extra in [
        &[("x_forwarded_user", "root")][..],
        &[("x-forwarded-user", "root"), ("te", "trailers")],
    ] {
        over_http2(&setup, &with(extra)).await;
        assert_eq!(
            believed(&setup.upstream.seen()),
            [("/x".into(), Some("ana".into()))]
        );
        setup.upstream.forget();
    }
}

#[tokio::test]
async fn switching_sign_in_on_takes_bitbuckets_own_memory_away_at_once() {
    let toml = base() + &backdoor() + "[sign_in]\nenabled = false\n";
    let setup = Setup::start_with(Upstream::start().await, &toml).await;
    setup.upstream.on("/x", |_| {
        http::Response::builder()
            .header("set-cookie", "_atl_bitbucket_remember_me=x; Path=/")
            .body(axum::body::Body::empty())
            .unwrap()
    });
    let remembered = setup.request("GET", "/x", &[]).await;
    assert!(remembered.headers.contains_key("set-cookie"));
    let provider = "[[providers]]\nid = \"a\"\npreset = \"oidc\"\nissuer = \"https://idp.example.com\"\n\
                    client_id = \"c\"\nclient_secret = \"0123456789abcdef0123456789abcdef\"\n";
    setup
        .reload("[sign_in]\nenabled = false\n", provider)
        .await
        .unwrap();
    let mut ana = setup.ana().await;
    let answer = ana.get("/x").await.expect(200);
    assert!(!answer.headers.contains_key("set-cookie"));
}
