//! `Expect: 100-continue`, in its three endings.

use super::*;

const EXPECT: &str = "Content-Length: 3\r\nExpect: 100-continue\r\n";

async fn expecting(way: &Way) -> (Wire, Wire) {
    let (near, mut far) = way.begin(&ask("POST /", EXPECT)).await;
    let head = far.head().await;
    assert!(head.contains("\r\nexpect: 100-continue\r\n"), "{head}");
    (near, far)
}

async fn continues(mut near: Wire, mut far: Wire) {
    assert_eq!(near.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    near.say("abc").await;
    far.exactly("abc").await;
    far.say(OK).await;
    assert!(near.until("ok").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn the_upstreams_continue_is_the_clients() {
    let way = Way::new().await;
    let (mut near, mut far) = expecting(&way).await;
    near.says_nothing().await;
    far.say("HTTP/1.1 100 Continue\r\n\r\n").await;
    continues(near, far).await;
}

#[tokio::test]
async fn an_upstream_that_knows_nothing_of_expectations_gets_the_body_after_a_second() {
    let way = Way::new().await;
    let (near, far) = expecting(&way).await;
    continues(near, far).await;
}

#[tokio::test]
async fn another_informational_answer_is_not_a_continue() {
    let way = Way::new().await;
    let (mut near, mut far) = expecting(&way).await;
    far.say("HTTP/1.1 103 Early Hints\r\n\r\n").await;
    near.says_nothing().await;
    far.say("HTTP/1.1 100 Continue\r\n\r\n").await;
    continues(near, far).await;
}

#[tokio::test]
async fn after_a_final_answer_the_body_is_never_asked_for() {
    for answer in [
        "HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\n",
        "HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n",
    ] {
        let way = Way::new().await;
        let (mut near, mut far) = expecting(&way).await;
        far.say(answer).await;
        let head = near.head().await;
        assert!(head.starts_with("HTTP/1.1 4"), "{head}");
        // Long after a silent upstream would have been given the body.
        assert!(
            timeout(2 * super::super::expect::PATIENCE, far.0.read_u8())
                .await
                .is_err()
        );
        far.say("none\r\n0\r\n\r\n").await;
        near.until("none").await;
        assert_eq!(far.rest().await, "", "the connection is not used again");
    }
}

#[tokio::test]
async fn an_expectation_without_a_body_is_dropped() {
    let way = Way::new().await;
    let (mut near, mut far) = way.begin(&ask("GET /", "Expect: 100-continue\r\n")).await;
    assert!(!far.head().await.contains("expect"));
    far.say(OK).await;
    near.until("ok").await;
}
