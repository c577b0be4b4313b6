//! Bodies: at once, whole or visibly cut, never kept.

use super::*;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};

#[tokio::test]
async fn what_the_upstream_flushes_arrives_at_once() {
    let way = Way::new().await;
    let (mut near, mut far) = way.begin(&get("/events")).await;
    far.head().await;
    far.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    assert!(near.head().await.contains("transfer-encoding: chunked"));
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        far.say(&format!("{:x}\r\n{event}\r\n", event.len())).await;
        near.exactly(&format!("{:X}\r\n{event}\r\n", event.len()))
            .await;
    }
    far.say("0\r\n\r\n").await;
    near.exactly("0\r\n\r\n").await;
}

#[tokio::test]
async fn what_the_client_flushes_arrives_at_once() {
    let way = Way::new().await;
    let (mut near, mut far) = way
        .begin(&ask("POST /up", "Transfer-Encoding: chunked\r\n"))
        .await;
    assert!(far.head().await.contains("transfer-encoding: chunked"));
    for piece in ["4\r\nabcd\r\n", "1\r\ne\r\n", "0\r\n\r\n"] {
        near.say(piece).await;
        far.exactly(piece).await;
    }
}

/// What the client sees of an upstream that says this and closes.
async fn cut(answer: &str) -> String {
    let way = Way::new().await;
    let (mut near, mut far) = way.begin(&get("/")).await;
    far.head().await;
    far.say(answer).await;
    drop(far);
    near.rest().await
}

#[tokio::test]
async fn a_cut_answer_of_known_length_stays_short() {
    let seen = cut("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345").await;
    assert!(seen.contains("content-length: 10\r\n"), "{seen}");
    assert!(seen.ends_with("\r\n\r\n12345"), "{seen}");
}

#[tokio::test]
async fn a_cut_chunked_answer_has_no_end() {
    let seen = cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n").await;
    assert!(seen.ends_with("5\r\n12345\r\n"), "{seen}");
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_is_whole() {
    let way = Way::new().await;
    let (mut near, mut far) = way.begin(&get("/")).await;
    far.head().await;
    far.say("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n12345")
        .await;
    near.head().await;
    near.exactly("5\r\n12345\r\n").await;
    drop(far);
    near.exactly("0\r\n\r\n").await;
}

#[tokio::test]
async fn an_answer_of_two_lengths_gets_the_one_that_was_read() {
    let way = Way::new().await;
    let (mut near, mut far) = way.begin(&get("/")).await;
    far.head().await;
    far.say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    far.say("2\r\nok\r\n0\r\n\r\n").await;
    let head = near.head().await;
    has(&head, &["transfer-encoding: chunked"], &["content-length"]);
    near.exactly("2\r\nok\r\n0\r\n\r\n").await;

    for same in [
        "Content-Length: 2\r\nContent-Length: 2",
        "Content-Length: 2, 2",
    ] {
        let way = Way::new().await;
        let (mut near, mut far) = way.begin(&get("/")).await;
        far.head().await;
        far.say(&format!("HTTP/1.1 200 OK\r\n{same}\r\n\r\nok"))
            .await;
        let head = near.head().await;
        has(&head, &["content-length: 2"], &["transfer-encoding"]);
        assert_eq!(head.matches("content-length").count(), 1);
        near.exactly("ok").await;
    }
}

#[tokio::test]
async fn a_cut_answer_is_a_reset_in_http2() {
    let way = Way::new().await;
    let stream = TokioIo::new(TcpStream::connect(way.address).await.unwrap());
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://git.example.com/x")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let asked = tokio::spawn(client.send_request(request));
    let mut far = way.far.accept().await;
    assert!(far.head().await.contains("host: git.example.com\r\n"));
    far.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        .await;
    let response = asked.await.unwrap().unwrap();
    drop(far);
    assert!(response.into_body().collect().await.is_err());
}

#[tokio::test]
async fn answers_without_a_body_are_passed_as_such_and_keep_the_connection() {
    let way = Way::new().await;
    let (mut near, mut far) = way.begin(&ask("HEAD /", "")).await;
    for (answer, seen) in [
        ("200 OK\r\nContent-Length: 99", "content-length: 99"),
        ("200 OK\r\nTransfer-Encoding: chunked", "HTTP/1.1 200"),
    ] {
        far.head().await;
        far.say(&format!("HTTP/1.1 {answer}\r\n\r\n")).await;
        assert!(near.head().await.contains(seen));
        near.say(&ask("HEAD /", "")).await;
    }
    far.head().await;
    far.say("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert!(near.head().await.starts_with("HTTP/1.1 204"));
    for answer in ["ETag: \"a\"", "ETag: \"a\"\r\nContent-Length: 99"] {
        near.say(&get("/")).await;
        far.head().await;
        far.say(&format!("HTTP/1.1 304 Not Modified\r\n{answer}\r\n\r\n"))
            .await;
        assert!(near.head().await.contains("etag: \"a\""));
    }
    near.say(&get("/")).await;
    far.head().await;
    far.say(OK).await;
    assert!(near.until("ok").await.starts_with("HTTP/1.1 200"));
}

#[track_caller]
fn has(head: &str, fields: &[&str], without: &[&str]) {
    for field in fields {
        assert!(
            head.contains(&format!("\r\n{field}\r\n")),
            "{field}: {head}"
        );
    }
    for name in without {
        assert!(!head.contains(&format!("\r\n{name}:")), "{name}: {head}");
    }
}

#[tokio::test]
async fn any_method_may_have_a_body() {
    for method in ["GET", "POST", "DELETE", "PROPFIND"] {
        let way = Way::new().await;
        let (mut near, mut far) = way
            .begin(&ask(&format!("{method} /"), "Content-Length: 3\r\n"))
            .await;
        near.say("abc").await;
        let head = far.head().await;
        has(&head, &["content-length: 3"], &["transfer-encoding"]);
        far.exactly("abc").await;

        let (mut near, mut far) = way
            .begin(&ask(
                &format!("{method} /"),
                "Transfer-Encoding: chunked\r\n",
            ))
            .await;
        near.say("3\r\nabc\r\n0\r\n\r\n").await;
        let head = far.head().await;
        has(&head, &["transfer-encoding: chunked"], &["content-length"]);
        far.exactly("3\r\nabc\r\n0\r\n\r\n").await;
    }
}

#[tokio::test]
async fn a_missing_body_has_no_doubtful_length() {
    let way = Way::new().await;
    for (line, fields, without) in [
        (
            "GET /",
            &[][..],
            &["content-length", "transfer-encoding"][..],
        ),
        ("POST /", &["content-length: 0"], &["transfer-encoding"]),
    ] {
        let (_near, mut far) = way.begin(&ask(line, "")).await;
        has(&far.head().await, fields, without);
    }
}

#[tokio::test]
async fn trailers_pass_but_carry_no_identity() {
    let way = Way::new().await;
    let trailer = "Trailer: x-checksum, x-forwarded-user\r\n";
    let (mut near, mut far) = way
        .begin(&ask(
            "POST /",
            &format!("Transfer-Encoding: chunked\r\nTE: trailers\r\n{trailer}"),
        ))
        .await;
    near.say("1\r\na\r\n0\r\nx-checksum: 1\r\nx-forwarded-user: root\r\n\r\n")
        .await;
    has(&far.head().await, &["te: trailers", "connection: te"], &[]);
    far.exactly("1\r\na\r\n0\r\nx-checksum: 1\r\n\r\n").await;
    far.say(&format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{trailer}\r\n\
         1\r\nb\r\n0\r\nx-checksum: 2\r\nx-forwarded-user: root\r\n\r\n"
    ))
    .await;
    near.head().await;
    near.exactly("1\r\nb\r\n0\r\nx-checksum: 2\r\n\r\n").await;
}

#[tokio::test]
async fn an_upload_goes_at_the_pace_of_the_upstream() {
    let way = Way::new().await;
    let length = 1_u64 << 40;
    let (mut near, mut far) = way
        .begin(&ask("PUT /", &format!("Content-Length: {length}\r\n")))
        .await;
    far.head().await;
    // Nobody reads: what fits is in the sockets and a few small buffers.
    let piece = vec![0; 1 << 20];
    let mut taken = 0;
    while let Ok(written) = timeout(A_WHILE, near.0.write(&piece)).await {
        taken += written.unwrap();
        assert!(taken < 64 << 20, "the body is being kept somewhere");
    }
    let mut bytes = vec![0; 1 << 20];
    let mut read = 0;
    while read < taken {
        read += far.0.read(&mut bytes).await.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_breaks_off_its_upload_ends_it_at_the_upstream() {
    let way = Way::new().await;
    let (mut near, mut far) = way.begin(&ask("PUT /", "Content-Length: 10\r\n")).await;
    near.say("12345").await;
    far.head().await;
    drop(near);
    assert_eq!(far.rest().await, "12345");
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_request_at_the_upstream() {
    let way = Way::new().await;
    let (near, mut far) = way.begin(&get("/slow")).await;
    far.head().await;
    drop(near);
    assert_eq!(far.rest().await, "");

    let (mut near, mut far) = way.begin(&get("/download")).await;
    far.head().await;
    far.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        .await;
    near.until("12345").await;
    drop(near);
    assert_eq!(far.rest().await, "");
}

#[tokio::test]
async fn an_answer_may_come_before_the_end_of_the_request() {
    let way = Way::new().await;
    let (mut near, mut far) = way
        .begin(&ask("POST /", "Transfer-Encoding: chunked\r\n"))
        .await;
    near.say("1\r\na\r\n").await;
    far.until("1\r\na\r\n").await;
    far.say("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
        .await;
    assert!(near.until("no").await.starts_with("HTTP/1.1 401"));
    near.say("0\r\n\r\n").await;
    far.exactly("0\r\n\r\n").await;
}
