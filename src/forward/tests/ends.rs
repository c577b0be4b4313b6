//! What is open for a session ends with it, and nothing else does.

use super::*;
use crate::clock::Timestamp;
use crate::session::{How, Sessions, SignedIn, Visitor, Which};

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                      Upgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\n";
const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                      Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";

/// A gateway where everybody who asks at `way` is in the session `live`, and whoever asks at
/// `others` is in none; both over the same connections.
struct Room {
    sessions: Sessions,
    live: Arc<Live>,
    clock: Clock,
    way: Way,
    others: SocketAddr,
}

impl Room {
    async fn new() -> Self {
        let far = Far::listen().await;
        let config = settings(far.address(), |_| {});
        let metrics = Metrics::new();
        let start = Timestamp::from_secs(1_000_000);
        let (clock, https) = (Clock::manual(start), true);
        let sessions = Sessions::open(&config.session, https, clock.clone(), metrics.clone());
        let sessions = sessions.await.unwrap();
        let signed_in = SignedIn {
            person: ana(),
            how: How::Backdoor,
            id_token: None,
            remember: false,
            max_age: None,
            sid: None,
            upkeep: None,
            client: None,
            browser: None,
        };
        let begun = sessions.begin(&Visitor::Stranger, signed_in).await;
        let live = begun.unwrap().1;
        let endings = sessions.endings();
        let upstream = Upstream::new(&config, endings, clock.clone(), metrics.clone()).unwrap();
        let owner = Some(Arc::clone(&live));
        let others = serve(&config, Arc::clone(&upstream), None, None);
        let address = serve(&config, upstream, Some(ana()), owner);
        let way = Way {
            far,
            address,
            metrics,
        };
        Self {
            sessions,
            live,
            clock,
            way,
            others,
        }
    }

    /// Nobody begins a request for this long, and then the gateway looks.
    async fn idle(&self, time: Duration) {
        self.clock.advance(time);
        self.sessions.sweep().await.unwrap();
    }

    async fn end(&self) {
        let which = Which::Username(self.live.person().username.clone());
        assert_eq!(self.sessions.revoke(&which).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_open_websocket_is_cut() {
    let room = Room::new().await;
    let (mut near, mut far) = room.way.begin(&ask("GET /ws", UPGRADE)).await;
    far.head().await;
    far.say(SWITCH).await;
    near.head().await;
    near.say("ping").await;
    far.exactly("ping").await;
    room.end().await;
    assert_eq!(near.rest().await, "");
    assert_eq!(far.rest().await, "");
}

#[tokio::test]
async fn an_endless_download_is_cut_and_does_not_look_whole() {
    let room = Room::new().await;
    let (mut near, mut far) = room.way.begin(&get("/archive")).await;
    far.head().await;
    far.say(STREAM).await;
    near.until("first\r\n").await;
    room.end().await;
    let rest = near.rest().await;
    assert!(!rest.contains("0\r\n\r\n"), "{rest:?}");
    assert_eq!(far.rest().await, "");
}

#[tokio::test]
async fn an_upload_and_a_request_that_waits_are_cut_with_a_word_on_why() {
    for request in [
        ask("POST /upload", "Content-Length: 1000\r\n") + "some of it",
        get("/slow"),
    ] {
        let room = Room::new().await;
        let (mut near, mut far) = room.way.begin(&request).await;
        far.head().await;
        room.end().await;
        let seen = near.until("portcullis.session_over").await;
        assert!(seen.starts_with("HTTP/1.1 401"), "{seen}");
        far.rest().await;
    }
}

const DOWNLOAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\n\
                        Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";

/// More than the idle limit, and less than the longest life.
const LONG: Duration = Duration::from_secs(2 * 86_400);

#[tokio::test]
async fn no_transfer_is_cut_for_idleness_and_a_revocation_still_cuts_it() {
    for request in [
        ask("POST /upload", "Content-Length: 1000\r\n") + "some of it",
        get("/archive"),
    ] {
        let room = Room::new().await;
        let (mut near, mut far) = room.way.begin(&request).await;
        far.head().await;
        room.idle(LONG).await;
        far.say(DOWNLOAD).await;
        near.until("first\r\n").await;
        room.idle(LONG).await;
        far.say("6\r\nsecond\r\n").await;
        near.until("second\r\n").await;
        // It can still be found and ended.
        room.end().await;
        let rest = near.rest().await;
        assert!(!rest.contains("0\r\n\r\n"), "{rest:?}");
        far.rest().await;
    }
}

#[tokio::test]
async fn after_the_last_transfer_a_session_is_idle_again() {
    let room = Room::new().await;
    let (mut near, mut far) = room.way.begin(&get("/archive")).await;
    far.head().await;
    far.say(DOWNLOAD).await;
    room.idle(LONG).await;
    far.say("0\r\n\r\n").await;
    near.until("0\r\n\r\n").await;
    assert!(!room.live.has_ended());
    room.idle(LONG).await;
    assert!(room.live.has_ended());
}

#[tokio::test]
async fn the_longest_life_ends_a_transfer_and_idleness_what_has_no_end() {
    let room = Room::new().await;
    let (mut near, mut far) = room.way.begin(&get("/archive")).await;
    far.head().await;
    far.say(DOWNLOAD).await;
    near.until("first\r\n").await;
    room.idle(4 * LONG).await;
    near.rest().await;
    assert_eq!(far.rest().await, "");

    for (request, answer) in [(ask("GET /ws", UPGRADE), SWITCH), (get("/events"), STREAM)] {
        let room = Room::new().await;
        let (mut near, mut far) = room.way.begin(&request).await;
        far.head().await;
        far.say(answer).await;
        near.head().await;
        room.idle(LONG).await;
        let rest = near.rest().await;
        assert!(!rest.contains("0\r\n\r\n"), "{rest:?}");
        assert_eq!(far.rest().await, "");
    }
}

#[tokio::test]
async fn a_request_that_comes_too_late_does_not_reach_the_upstream() {
    let room = Room::new().await;
    room.end().await;
    let (mut near, mut far) = room.way.begin(&get("/")).await;
    let seen = near.until("portcullis.session_over").await;
    assert!(seen.starts_with("HTTP/1.1 401"), "{seen}");
    assert_eq!(far.rest().await, "");
}

#[tokio::test]
async fn what_is_finished_and_what_is_others_is_not_disturbed() {
    let room = Room::new().await;
    // Another's stream, without a session.
    let mut other = Wire(TcpStream::connect(room.others).await.unwrap());
    other.say(&get("/other")).await;
    let mut far_of_other = room.way.far.accept().await;
    far_of_other.head().await;
    far_of_other.say(STREAM).await;
    other.until("first\r\n").await;
    // The session's own, which is whole.
    let (mut near, mut far) = room.way.begin(&get("/")).await;
    far.head().await;
    far.say(OK).await;
    near.until("ok").await;

    room.end().await;

    far_of_other.say("6\r\nsecond\r\n0\r\n\r\n").await;
    other.until("second\r\n0\r\n\r\n").await;
    // Both connections wait for the next request, whoever's it is.
    let mut next = Wire(TcpStream::connect(room.others).await.unwrap());
    next.say(&get("/next")).await;
    room.way.far.nobody_comes().await;
}

#[tokio::test]
async fn the_connection_of_a_session_serves_others_after_it() {
    let room = Room::new().await;
    let (mut near, mut far) = room.way.begin(&get("/")).await;
    far.head().await;
    far.say(OK).await;
    near.until("ok").await;
    // The same connection, now for somebody without a session.
    let mut next = Wire(TcpStream::connect(room.others).await.unwrap());
    next.say(&get("/next")).await;
    far.head().await;
    far.say(STREAM).await;
    next.until("first\r\n").await;
    room.end().await;
    far.say("6\r\nsecond\r\n0\r\n\r\n").await;
    next.until("second\r\n0\r\n\r\n").await;
}
