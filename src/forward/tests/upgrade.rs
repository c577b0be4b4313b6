//! `Upgrade`: only when both sides want it.

use super::*;

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                      Upgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\n";

async fn open(way: &Way) -> (Wire, Wire) {
    let (mut near, mut far) = way.begin(&ask("GET /ws", UPGRADE)).await;
    let head = far.head().await;
    for field in [
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-key: x",
        "x-forwarded-user: ana",
    ] {
        assert!(head.contains(&format!("\r\n{field}\r\n")), "{head}");
    }
    far.say(SWITCH).await;
    let head = near.head().await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    for field in [
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-accept: y",
    ] {
        assert!(head.contains(&format!("\r\n{field}\r\n")), "{head}");
    }
    (near, far)
}

#[tokio::test]
async fn bytes_flow_both_ways_until_one_side_ends() {
    let way = Way::with(Some(ana()), |_| {}).await;
    let (mut near, mut far) = open(&way).await;
    for _ in 0..3 {
        near.say("ping").await;
        far.exactly("ping").await;
        far.say("pong").await;
        near.exactly("pong").await;
    }
    assert!(way.shows("portcullis_upstream_connections 1"));
    drop(far);
    assert_eq!(near.rest().await, "");
    drop(near);
}

#[tokio::test]
async fn a_silent_tunnel_is_closed() {
    let way = Way::with(Some(ana()), |config| {
        config.upstream.idle_timeout = Duration::from_millis(60);
    })
    .await;
    let (mut near, mut far) = open(&way).await;
    assert_eq!(near.rest().await, "");
    assert_eq!(far.rest().await, "");
}

#[tokio::test]
async fn an_upstream_may_decline() {
    let way = Way::new().await;
    let (mut near, mut far) = way.begin(&ask("GET /ws", UPGRADE)).await;
    far.head().await;
    far.say(OK).await;
    assert!(near.until("ok").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_protocol_that_nobody_asked_for_is_refused() {
    let other = SWITCH.replace("websocket", "irc");
    for (request, answer) in [
        (get("/"), SWITCH),
        (
            ask("POST /", "Connection: upgrade\r\nUpgrade: websocket\r\n"),
            SWITCH,
        ),
        (ask("GET /ws", UPGRADE), other.as_str()),
    ] {
        let way = Way::new().await;
        let (mut near, mut far) = way.begin(&request).await;
        far.head().await;
        far.say(answer).await;
        let seen = near.until("below.").await;
        assert!(seen.starts_with("HTTP/1.1 502"), "{seen}");
        assert_eq!(far.rest().await, "");
    }
}
