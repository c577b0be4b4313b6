//! What a person and a program see when Bitbucket does not answer, and what is tried once more.

use crate::support::Setup;
use crate::support::gateway::{base, simple};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Everything is forwarded and nobody asserted.
fn open(upstream: &str) -> String {
    base().replace("UPSTREAM", upstream) + "[sign_in]\nenabled = false\n"
}

/// Asks as a page and as a program.
async fn check(toml: &str, status: u16, code: &str, says: &str) {
    let setup = Setup::start(toml).await;
    let page = setup.browser().get("/dashboard").await.expect(status);
    let id = page.text();
    assert!(id.contains(code), "{id}");
    let page = page.says(says).says("Bitbucket");
    assert!(page.header("content-security-policy").is_some());

    let answer = setup.request("GET", "/rest/api/1.0/projects", &[]).await;
    let answer = answer.expect(status).json();
    assert_eq!(
        answer["errors"][0]["exceptionName"],
        format!("portcullis.{code}")
    );
    assert!(
        answer["request_id"]
            .as_str()
            .is_some_and(|id| id.len() == 32)
    );
}

/// An upstream that does this with each connection once a request's head has come.
async fn wire<F: Future<Output = ()> + Send + 'static>(
    answer: impl Fn(usize, TcpStream, String) -> F + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let head = head(&mut stream).await;
            tokio::spawn(answer(number, stream, head));
        }
    });
    url
}

/// One request's head; empty when the other side has closed.
async fn head(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => text.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn nobody_listens() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", taken.local_addr().unwrap());
    drop(taken);
    check(
        &open(&url),
        502,
        "upstream_unreachable",
        "connection refused",
    )
    .await;
}

#[tokio::test]
async fn the_answer_does_not_begin_in_time() {
    let url = wire(|_, stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let toml = open(&url).replace("[session]", "head_timeout_secs = 1\n[session]");
    check(
        &toml,
        504,
        "upstream_timeout",
        "no answer began within 1 second",
    )
    .await;
}

#[tokio::test]
async fn the_connection_ends_without_an_answer() {
    let url = wire(|_, stream, _| async move { drop(stream) }).await;
    check(
        &open(&url),
        502,
        "upstream_closed",
        "closed before an answer began",
    )
    .await;
}

#[tokio::test]
async fn what_answers_does_not_speak_http() {
    let url = wire(|_, mut stream, _| async move {
        stream
            .write_all(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
            .await
            .unwrap();
    })
    .await;
    check(&open(&url), 502, "upstream_bad_response", "no valid answer").await;
}

/// Answers the first request of the first connection, and closes it on the second one.
async fn closes_on_reuse() -> (String, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let url = wire(move |number, mut stream, mut head_text| {
        let log = log.clone();
        async move {
            while !head_text.is_empty() {
                let line = head_text.lines().next().unwrap().to_owned();
                log.lock().unwrap().push(format!("{number}: {line}"));
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    .await
                    .unwrap();
                head_text = head(&mut stream).await;
                if number == 0 {
                    let line = head_text.lines().next().unwrap_or_default();
                    log.lock().unwrap().push(format!("closed on: {line}"));
                    return;
                }
            }
        }
    })
    .await;
    (url, seen)
}

#[tokio::test]
async fn a_request_that_met_a_closing_connection_is_tried_once_more() {
    let (url, seen) = closes_on_reuse().await;
    let setup = Setup::start(&open(&url)).await;
    setup.request("GET", "/one", &[]).await.expect(200);
    setup.request("GET", "/two", &[]).await.expect(200);
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "0: GET /one HTTP/1.1",
            "closed on: GET /two HTTP/1.1",
            "1: GET /two HTTP/1.1"
        ]
    );
}

#[tokio::test]
async fn a_post_is_never_sent_twice() {
    let (url, seen) = closes_on_reuse().await;
    let setup = Setup::start(&open(&url)).await;
    setup.request("GET", "/one", &[]).await.expect(200);
    setup.request("POST", "/two", &[]).await.expect(502);
    let seen = seen.lock().unwrap().clone();
    assert_eq!(
        seen,
        ["0: GET /one HTTP/1.1", "closed on: POST /two HTTP/1.1"]
    );
}

#[tokio::test]
async fn one_failure_does_not_spoil_the_next_request() {
    let setup = simple("").await;
    let mut ana = setup.ana().await;
    setup.upstream.on("/broken", |_| {
        let cut = futures_util::stream::iter([Err::<bytes::Bytes, _>(std::io::Error::other("x"))]);
        http::Response::new(axum::body::Body::from_stream(cut))
    });
    for _ in 0..3 {
        let mut client = TcpStream::connect(setup.running.public_addr())
            .await
            .unwrap();
        let cookie = ana.cookie_header(&ana.home).unwrap();
        let request = format!(
            "GET /broken HTTP/1.1\r\nHost: git.example.com\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        );
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer).await;
        ana.get("/dashboard").await.expect(200);
    }
}

#[tokio::test]
async fn a_head_that_never_ends_is_not_read_for_ever() {
    let url = wire(|_, mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        let field = format!("X-Endless: {}\r\n", "a".repeat(8000));
        while stream.write_all(field.as_bytes()).await.is_ok() {}
    })
    .await;
    let setup = Setup::start(&open(&url)).await;
    setup.request("GET", "/x", &[]).await.expect(502);
}
