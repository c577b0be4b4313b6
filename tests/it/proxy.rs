//! What passes through: bodies, streams, upgrades, cuts.

use crate::support::gateway::simple;
use crate::support::{Browser, Setup};
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};

async fn socket(setup: &Setup) -> TcpStream {
    TcpStream::connect(setup.running.public_addr())
        .await
        .unwrap()
}

/// The head of a request that a browser with this session sends.
fn head(browser: &Browser, line: &str, fields: &str) -> String {
    let cookie = browser.cookie_header(&browser.home).unwrap();
    format!("{line} HTTP/1.1\r\nHost: git.example.com\r\nCookie: {cookie}\r\n{fields}\r\n")
}

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains(end) {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.unwrap();
        assert_ne!(
            count,
            0,
            "closed after {:?}",
            String::from_utf8_lossy(&text)
        );
        text.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8(text).unwrap()
}

type Pieces = mpsc::Sender<Result<Bytes, std::io::Error>>;

/// A body whose pieces the test hands out one by one.
fn body_by_hand() -> (Pieces, Arc<Mutex<Option<Body>>>) {
    let (sender, receiver) = mpsc::channel(1);
    let pieces = stream::unfold(receiver, async |mut receiver| {
        Some((receiver.recv().await?, receiver))
    });
    (
        sender,
        Arc::new(Mutex::new(Some(Body::from_stream(pieces)))),
    )
}

#[tokio::test]
async fn events_pass_as_they_come() {
    let setup = simple("").await;
    let (sender, body) = body_by_hand();
    setup.upstream.on("/events", move |_| {
        let body = body.try_lock().unwrap().take().unwrap();
        Response::builder()
            .header("content-type", "text/event-stream")
            .body(body)
            .unwrap()
    });
    let ana = setup.ana().await;
    let mut client = socket(&setup).await;
    client
        .write_all(head(&ana, "GET /events", "Accept: text/event-stream\r\n").as_bytes())
        .await
        .unwrap();
    for event in ["data: one\n\n", "data: two\n\n"] {
        // The next event is sent only after this one has arrived.
        sender.send(Ok(Bytes::from(event))).await.unwrap();
        read_until(&mut client, event).await;
    }
}

#[tokio::test]
async fn a_cut_answer_is_a_cut_answer() {
    let setup = simple("").await;
    let (sender, body) = body_by_hand();
    setup.upstream.on("/archive", move |_| {
        Response::new(body.try_lock().unwrap().take().unwrap())
    });
    let ana = setup.ana().await;
    let mut client = socket(&setup).await;
    client
        .write_all(head(&ana, "GET /archive", "").as_bytes())
        .await
        .unwrap();
    sender.send(Ok(Bytes::from("half"))).await.unwrap();
    read_until(&mut client, "half").await;
    sender
        .send(Err(std::io::Error::other("cut")))
        .await
        .unwrap();
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest).await;
    assert!(
        !rest.ends_with(b"0\r\n\r\n"),
        "the cut answer ends like a whole one"
    );
}

#[tokio::test]
async fn bodies_and_their_encoding_pass_untouched() {
    let setup = simple("").await;
    setup.upstream.on("/scm/a/b.git/git-receive-pack", |seen| {
        Response::builder()
            .header("content-encoding", "gzip")
            .body(Body::from(seen.body.clone()))
            .unwrap()
    });
    let mut ana = setup.ana().await;
    let url = ana.home.join("/scm/a/b.git/git-receive-pack").unwrap();
    let pack: Vec<u8> = (0..300_000_u32).map(|n| (n * 7) as u8).collect();
    let fields = [
        ("content-encoding", "gzip"),
        ("git-protocol", "version=2"),
        ("content-type", "application/x-git-receive-pack-request"),
    ];
    let answer = ana
        .send(Method::POST, &url, &fields, Bytes::from(pack.clone()))
        .await
        .expect(200);
    assert_eq!(answer.body, pack);
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    let seen = setup.upstream.last();
    assert_eq!(seen.one("git-protocol").as_deref(), Some("version=2"));
    assert_eq!(seen.one("content-encoding").as_deref(), Some("gzip"));
}

#[tokio::test]
async fn answers_without_a_body_stay_without_one() {
    let setup = simple("").await;
    for (path, status) in [("/none", 204), ("/unchanged", 304)] {
        setup.upstream.on(path, move |_| {
            Response::builder()
                .status(status)
                .header("etag", "\"x\"")
                .body(Body::empty())
                .unwrap()
        });
    }
    setup.upstream.on("/large", |_| {
        Response::builder()
            .header("content-length", "12345")
            .body(Body::empty())
            .unwrap()
    });
    let mut ana = setup.ana().await;
    for (path, status) in [("/none", 204), ("/unchanged", 304)] {
        let answer = ana.get(path).await.expect(status);
        assert!(answer.body.is_empty());
        assert_eq!(answer.header("etag"), Some("\"x\""));
    }
    let url = ana.home.join("/large").unwrap();
    let answer = ana
        .send(Method::HEAD, &url, &[], Bytes::new())
        .await
        .expect(200);
    assert_eq!(answer.header("content-length"), Some("12345"));
}

#[tokio::test]
async fn a_client_that_asks_first_is_answered_before_it_sends() {
    let setup = simple("").await;
    let ana = setup.ana().await;
    let mut client = socket(&setup).await;
    let fields = "Content-Length: 5\r\nExpect: 100-continue\r\n";
    client
        .write_all(head(&ana, "POST /upload", fields).as_bytes())
        .await
        .unwrap();
    let interim = read_until(&mut client, "\r\n\r\n").await;
    assert!(interim.starts_with("HTTP/1.1 100"), "{interim}");
    client.write_all(b"hello").await.unwrap();
    read_until(&mut client, "bitbucket POST /upload").await;
    assert_eq!(setup.upstream.last().body, "hello");
    // A stranger is refused without having to send anything.
    let mut client = socket(&setup).await;
    let request = "POST /scm/a/b.git/git-receive-pack HTTP/1.1\r\nHost: git.example.com\r\nContent-Length: 5000000000\r\nExpect: 100-continue\r\n\r\n";
    client.write_all(request.as_bytes()).await.unwrap();
    let refusal = read_until(&mut client, "\r\n\r\n").await;
    assert!(refusal.starts_with("HTTP/1.1 401"), "{refusal}");
}

#[tokio::test]
async fn an_upgraded_connection_carries_both_ways() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await.unwrap();
        let mut five = [0; 5];
        stream.read_exact(&mut five).await.unwrap();
        stream.write_all(&five).await.unwrap();
        head
    });
    let setup = simple("").await;
    let ana = setup.ana().await;
    setup
        .reload(&setup.upstream.url(), &format!("http://{addr}"))
        .await
        .unwrap();
    let mut client = socket(&setup).await;
    let fields = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX_Forwarded_User: admin\r\n";
    client
        .write_all(head(&ana, "GET /echo", fields).as_bytes())
        .await
        .unwrap();
    let answer = read_until(&mut client, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    client.write_all(b"hello").await.unwrap();
    let mut five = [0; 5];
    client.read_exact(&mut five).await.unwrap();
    assert_eq!(&five, b"hello");
    let head = upstream.await.unwrap().to_ascii_lowercase();
    assert!(
        head.contains("upgrade: websocket") && head.contains("x-forwarded-user: ana"),
        "{head}"
    );
    assert!(!head.contains("admin"), "{head}");
}

#[tokio::test]
async fn a_stranger_cannot_upgrade() {
    let setup = simple("").await;
    let mut client = socket(&setup).await;
    let request = "GET /echo HTTP/1.1\r\nHost: git.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    client.write_all(request.as_bytes()).await.unwrap();
    let answer = read_until(&mut client, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(setup.upstream.seen().is_empty());
}

#[tokio::test]
async fn http_2_is_spoken_to_clients_and_http_1_to_bitbucket() {
    let setup = simple("").await;
    let ana = setup.ana().await;
    let stream = socket(&setup).await;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = |path: &str| {
        Request::post(format!("https://git.example.com{path}"))
            .header("cookie", ana.cookie_header(&ana.home).unwrap())
            .header("cookie", "theme=dark")
            .header("x_forwarded_user", "admin")
            .body(Full::new(Bytes::from("hello")))
            .unwrap()
    };
    let (one, two) = (
        sender.send_request(request("/one")),
        sender.clone().send_request(request("/two")),
    );
    let (one, two) = tokio::join!(one, two);
    for answer in [one.unwrap(), two.unwrap()] {
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.headers().get("connection").is_none());
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(text.starts_with(b"bitbucket POST /"));
    }
    let seen = setup.upstream.last();
    assert_eq!(seen.one("host").as_deref(), Some("git.example.com"));
    assert_eq!(seen.one("cookie").as_deref(), Some("theme=dark"));
    assert_eq!(seen.one("x-forwarded-user").as_deref(), Some("ana"));
    assert_eq!(seen.body, "hello");
}

#[tokio::test]
async fn requests_that_frame_a_body_twice_are_refused() {
    let setup = simple("").await;
    let ana = setup.ana().await;
    setup.upstream.forget();
    for fields in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding : chunked\r\n",
    ] {
        let mut client = socket(&setup).await;
        client
            .write_all(head(&ana, "POST /x", fields).as_bytes())
            .await
            .unwrap();
        client
            .write_all(b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: git.example.com\r\n\r\n")
            .await
            .unwrap();
        client.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
            "{fields:?}: {answer}"
        );
    }
    assert!(
        setup
            .upstream
            .seen()
            .iter()
            .all(|seen| seen.target != "/smuggled" && seen.target != "/x"),
        "{:?}",
        setup.upstream.seen()
    );
}

#[tokio::test]
async fn a_target_that_is_no_path_of_ours_is_refused() {
    let setup = simple("").await;
    let ana = setup.ana().await;
    for line in [
        "GET https://evil.example/dashboard",
        "CONNECT evil.example:443",
        "TRACE /dashboard",
        "GET /../../etc/passwd",
        "OPTIONS *",
    ] {
        let mut client = socket(&setup).await;
        client
            .write_all(head(&ana, line, "").as_bytes())
            .await
            .unwrap();
        let answer = read_until(&mut client, "\r\n").await;
        let status: u16 = answer.split(' ').nth(1).unwrap().parse().unwrap();
        assert!((400..500).contains(&status), "{line}: {answer}");
    }
    assert!(
        setup.upstream.seen().is_empty(),
        "{:?}",
        setup.upstream.seen()
    );
}

#[tokio::test]
async fn draining_lets_a_running_answer_finish() {
    let setup = simple("").await;
    let (sender, body) = body_by_hand();
    setup.upstream.on("/clone", move |_| {
        Response::new(body.try_lock().unwrap().take().unwrap())
    });
    let ana = setup.ana().await;
    let mut client = socket(&setup).await;
    client
        .write_all(head(&ana, "GET /clone", "").as_bytes())
        .await
        .unwrap();
    sender.send(Ok(Bytes::from("first half"))).await.unwrap();
    read_until(&mut client, "first half").await;
    let addr = setup.running.public_addr();
    let shutdown = tokio::spawn(setup.running.shutdown());
    // New connections are refused once the listener is gone.
    while TcpStream::connect(addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
    sender.send(Ok(Bytes::from("second half"))).await.unwrap();
    drop(sender);
    read_until(&mut client, "0\r\n\r\n").await;
    shutdown.await.unwrap();
}
