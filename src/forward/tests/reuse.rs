//! Connections kept, lost and tried again.

use super::*;

/// A client and an upstream with one request behind them.
async fn warm(way: &Way) -> (Wire, Wire) {
    let (mut near, mut far) = way.begin(&get("/first")).await;
    far.head().await;
    far.say(OK).await;
    near.until("ok").await;
    (near, far)
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let way = Way::new().await;
    let (mut near, mut far) = warm(&way).await;
    assert!(way.shows("portcullis_upstream_connections 1"));
    near.say(&get("/second")).await;
    assert!(far.head().await.starts_with("GET /second HTTP/1.1\r\n"));
    far.say(OK).await;
    near.until("ok").await;
    assert!(way.shows("portcullis_upstream_connections_opened_total 1"));
}

#[tokio::test]
async fn a_connection_that_the_upstream_closed_is_not_used_again() {
    let way = Way::new().await;
    let (mut near, far) = warm(&way).await;
    drop(far);
    near.say(&get("/second")).await;
    let mut far = way.far.accept().await;
    assert!(far.head().await.starts_with("GET /second"));
    far.say(OK).await;
    near.until("ok").await;
    assert!(way.shows("portcullis_upstream_connections 1"));
}

#[tokio::test]
async fn a_connection_that_is_to_be_closed_is_not_kept() {
    let way = Way::new().await;
    let (mut near, mut far) = way.begin(&get("/")).await;
    far.head().await;
    far.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        .await;
    assert!(!near.until("ok").await.contains("connection: close"));
    near.say(&get("/")).await;
    way.far.accept().await.head().await;
}

/// The upstream reads the second request and closes. Answers what it got on a third occasion.
async fn closes_on_the_second(way: &Way, second: &str) -> (Wire, bool) {
    let (mut near, mut far) = warm(way).await;
    near.say(second).await;
    far.head().await;
    drop(far);
    let again = timeout(A_WHILE, way.far.0.accept()).await.is_ok();
    (near, again)
}

#[tokio::test]
async fn a_request_without_a_body_is_tried_once_more() {
    let way = Way::new().await;
    let (mut near, mut far) = warm(&way).await;
    near.say(&get("/second")).await;
    let first = far.head().await;
    drop(far);
    let mut far = way.far.accept().await;
    assert_eq!(far.head().await, first);
    far.say(OK).await;
    near.until("ok").await;
}

#[tokio::test]
async fn it_is_tried_once_more_and_not_twice() {
    let way = Way::new().await;
    let (mut near, mut far) = warm(&way).await;
    near.say(&get("/second")).await;
    far.head().await;
    drop(far);
    let mut far = way.far.accept().await;
    far.head().await;
    drop(far);
    let seen = near.head().await;
    assert!(seen.starts_with("HTTP/1.1 502"), "{seen}");
    way.far.nobody_comes().await;
}

#[tokio::test]
async fn what_may_have_been_carried_out_is_not_sent_twice() {
    for second in [
        &ask("PUT /", "Content-Length: 3\r\n\r\nabc"),
        &ask("POST /", ""),
        &ask("PATCH /", "Content-Length: 0\r\n"),
    ] {
        let way = Way::new().await;
        let (mut near, again) = closes_on_the_second(&way, second).await;
        assert!(!again, "{second}");
        let seen = near.head().await;
        assert!(seen.starts_with("HTTP/1.1 502"), "{seen}");
    }
}

#[tokio::test]
async fn a_request_on_a_new_connection_is_not_repeated() {
    let way = Way::new().await;
    let (mut near, mut far) = way.begin(&get("/")).await;
    far.head().await;
    drop(far);
    assert!(
        near.until("upstream_closed")
            .await
            .starts_with("HTTP/1.1 502")
    );
    way.far.nobody_comes().await;
}

#[tokio::test]
async fn an_answer_that_has_begun_is_not_asked_for_again() {
    let way = Way::new().await;
    let (mut near, mut far) = warm(&way).await;
    near.say(&get("/second")).await;
    far.head().await;
    far.say("HTTP/1.1 200 O").await;
    drop(far);
    assert!(near.head().await.starts_with("HTTP/1.1 502"));
    way.far.nobody_comes().await;
}

#[tokio::test]
async fn concurrent_requests_have_connections_of_their_own() {
    let way = Way::new().await;
    let (mut near_a, mut far_a) = way.begin(&get("/a")).await;
    let (mut near_b, mut far_b) = way.begin(&get("/b")).await;
    assert!(far_a.head().await.starts_with("GET /a"));
    assert!(far_b.head().await.starts_with("GET /b"));
    for (near, far) in [(&mut near_b, &mut far_b), (&mut near_a, &mut far_a)] {
        far.say(OK).await;
        near.until("ok").await;
    }
    assert!(way.shows("portcullis_upstream_connections 2"));
}
