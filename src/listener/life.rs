//! One client's connection: what it is doing, since when, and whether it must end.
//!
//! The socket, the connection's task and the requests on it share this. The socket notes when
//! bytes move, requests note that they run, and the task looks at it now and then: no request
//! pays for a timer, and a connection that says nothing costs one.

use super::Limits;
use crate::telemetry::metrics::OpenConnection;
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

/// The state of one connection. Times are milliseconds since `born`, from 1; 0 is never.
#[derive(Debug)]
pub(super) struct Life {
    born: Instant,
    /// When a byte of a request was last read, or a request ended.
    moved: AtomicU64,
    /// Since when the client takes no more bytes.
    blocked: AtomicU64,
    /// Since when the head of a request is being read.
    head: AtomicU64,
    /// Bodies and answers under way.
    running: AtomicU32,
    /// Of these, answers that have begun.
    answering: AtomicU32,
    /// When a piece of an answer was last handed out, or an answer began or ended.
    flowed: AtomicU64,
    /// HTTP/2, where bytes without a request are nothing strange.
    multiplexed: AtomicBool,
    cut: AtomicBool,
    pub(super) reader: AtomicWaker,
    pub(super) writer: AtomicWaker,
    /// The place among `max_connections`. It goes with the socket, wherever that goes.
    _place: OwnedSemaphorePermit,
    _open: Option<OpenConnection>,
}

/// What is to be done about a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing; look again after this.
    Fine(Duration),
    /// It is idle: finish in order.
    Retire,
    /// It holds a place without using it.
    End(&'static str),
}

impl Life {
    pub(super) fn new(place: OwnedSemaphorePermit, open: Option<OpenConnection>) -> Self {
        Self {
            born: Instant::now(),
            moved: AtomicU64::new(1),
            blocked: AtomicU64::new(0),
            // The first head is awaited from the start.
            head: AtomicU64::new(1),
            running: AtomicU32::new(0),
            answering: AtomicU32::new(0),
            flowed: AtomicU64::new(0),
            multiplexed: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            _place: place,
            _open: open,
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).map_or(u64::MAX, |now| now.saturating_add(1))
    }

    /// Bytes came in.
    pub(super) fn read(&self) {
        self.read_at(self.now());
    }

    fn read_at(&self, now: u64) {
        if self.running.load(Ordering::Relaxed) == 0 {
            if self.multiplexed.load(Ordering::Relaxed) {
                // Answers to pings do not make it busy.
                return;
            }
            if self.head.load(Ordering::Relaxed) == 0 {
                self.head.store(now, Ordering::Relaxed);
            }
        }
        self.moved.store(now, Ordering::Relaxed);
    }

    /// The client took bytes.
    pub(super) fn wrote(&self) {
        if self.blocked.load(Ordering::Relaxed) != 0 {
            self.blocked.store(0, Ordering::Relaxed);
        }
    }

    /// The client takes no bytes for now.
    pub(super) fn blocked(&self) {
        if self.blocked.load(Ordering::Relaxed) == 0 {
            self.blocked.store(self.now(), Ordering::Relaxed);
        }
    }

    /// A request's head has been read.
    pub(super) fn begin(self: &Arc<Self>, version: http::Version) -> Running {
        if version == http::Version::HTTP_2 {
            self.multiplexed.store(true, Ordering::Relaxed);
        }
        self.head.store(0, Ordering::Relaxed);
        self.another()
    }

    fn another(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(self))
    }

    /// Breaks the socket off, even one that a tunnel has taken over.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        self.reader.wake();
        self.writer.wake();
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// Judges the connection by its limits.
    pub(super) fn look(&self, limits: &Limits) -> Verdict {
        self.look_at(self.now(), limits)
    }

    fn look_at(&self, now: u64, limits: &Limits) -> Verdict {
        let left = |since: u64, limit: Duration| {
            limit
                .checked_sub(Duration::from_millis(now.saturating_sub(since)))
                .filter(|left| !left.is_zero())
        };
        let tick = limits.tick();
        let moved = self.moved.load(Ordering::Relaxed);
        let blocked = self.blocked.load(Ordering::Relaxed);
        if blocked != 0 && left(blocked.max(moved), limits.stall).is_none() {
            return Verdict::End("the client takes no bytes");
        }
        // HTTP/2 has a window for each stream: a client that keeps them shut holds answers for ever,
        // and blocks no socket. It costs a client little and the gateway a lot.
        if self.multiplexed.load(Ordering::Relaxed)
            && self.answering.load(Ordering::Relaxed) > 0
            && left(self.flowed.load(Ordering::Relaxed), limits.stall).is_none()
        {
            return Verdict::End("the client takes none of its answers");
        }
        if self.running.load(Ordering::Relaxed) > 0 {
            return Verdict::Fine(tick);
        }
        let head = self.head.load(Ordering::Relaxed);
        if head != 0 && !self.multiplexed.load(Ordering::Relaxed) {
            return match left(head, limits.head) {
                Some(left) => Verdict::Fine(left.min(tick)),
                None => Verdict::End("no request's head came in time"),
            };
        }
        match left(moved, limits.keep_alive) {
            Some(left) => Verdict::Fine(left.min(tick)),
            None => Verdict::Retire,
        }
    }
}

/// An answer on its way, until this is dropped.
#[derive(Debug)]
pub(super) struct Answering(Running);

impl Answering {
    pub(super) fn begin(running: Running) -> Self {
        running.0.answering.fetch_add(1, Ordering::Relaxed);
        let this = Self(running);
        this.flows();
        this
    }

    fn flows(&self) {
        self.0.0.flowed.store(self.0.0.now(), Ordering::Relaxed);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.flows();
        self.0.0.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What keeps a connection running while a body lives.
pub(super) trait Keeps: Send + Unpin + 'static {
    /// A piece of the body goes on.
    fn flows(&self);
}

impl Keeps for Running {
    fn flows(&self) {}
}

impl Keeps for Answering {
    fn flows(&self) {
        Self::flows(self);
    }
}

/// A request, or a part of one, that runs on a connection until this is dropped.
#[derive(Debug)]
pub(super) struct Running(Arc<Life>);

impl Running {
    /// Another part of the same request.
    pub(super) fn part(&self) -> Self {
        self.0.another()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.moved.store(self.0.now(), Ordering::Relaxed);
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A body that keeps its connection running.
#[derive(Debug)]
pub(super) struct Counted<B, K> {
    body: B,
    keeps: K,
}

impl<B, K> Counted<B, K> {
    pub(super) fn new(body: B, keeps: K) -> Self {
        Self { body, keeps }
    }
}

impl<B: Body<Data = Bytes> + Unpin, K: Keeps> Body for Counted<B, K> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_ready() {
            self.keeps.flows();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::Semaphore;

    const LIMITS: Limits = Limits {
        head: Duration::from_secs(30),
        keep_alive: Duration::from_secs(75),
        stall: Duration::from_secs(300),
    };

    fn life() -> Arc<Life> {
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        Arc::new(Life::new(place, None))
    }

    #[track_caller]
    fn check(life: &Life, secs: u64, expected: Verdict) {
        assert_eq!(life.look_at(secs * 1000 + 1, &LIMITS), expected);
    }

    fn fine(secs: u64) -> Verdict {
        Verdict::Fine(Duration::from_secs(secs))
    }

    const LATE: Verdict = Verdict::End("no request's head came in time");

    #[test]
    fn a_connection_that_says_nothing_ends() {
        let life = life();
        check(&life, 29, fine(1));
        check(&life, 30, LATE);
    }

    #[test]
    fn a_byte_now_and_then_does_not_prolong_a_head() {
        let life = life();
        drop(life.begin(http::Version::HTTP_11));
        for secs in [40, 50, 60] {
            life.read_at(secs * 1000 + 1);
        }
        check(&life, 69, fine(1));
        check(&life, 70, LATE);
    }

    #[test]
    fn a_running_request_may_take_as_long_as_it_takes() {
        let life = life();
        let running = life.begin(http::Version::HTTP_11);
        let part = running.part();
        drop(running);
        check(&life, 86_400, fine(30));
        drop(part);
        life.moved.store(86_400_001, Ordering::Relaxed);
        check(&life, 86_474, fine(1));
        check(&life, 86_475, Verdict::Retire);
    }

    #[test]
    fn an_idle_http2_connection_may_answer_pings_but_is_idle_all_the_same() {
        let life = life();
        drop(life.begin(http::Version::HTTP_2));
        life.moved.store(1, Ordering::Relaxed);
        life.read_at(40_001);
        check(&life, 50, fine(25));
        check(&life, 75, Verdict::Retire);
    }

    #[test]
    fn a_client_that_opens_no_window_of_http2_ends() {
        let life = life();
        let waiting = life.begin(http::Version::HTTP_2);
        // Nobody has answered yet: the upstream may take as long as it takes.
        check(&life, 86_400, fine(30));
        let answer = Answering::begin(waiting);
        life.flowed.store(1, Ordering::Relaxed);
        // Pings do not count.
        life.read_at(200_001);
        check(&life, 299, fine(30));
        check(
            &life,
            300,
            Verdict::End("the client takes none of its answers"),
        );
        life.flowed.store(100_001, Ordering::Relaxed);
        check(&life, 399, fine(30));
        drop(answer);
        life.moved.store(1, Ordering::Relaxed);
        check(&life, 75, Verdict::Retire);
    }

    #[test]
    fn a_client_that_takes_no_bytes_ends() {
        let life = life();
        let _running = life.begin(http::Version::HTTP_11);
        life.blocked.store(1, Ordering::Relaxed);
        // It still sends, so it is not silent in both directions.
        life.read_at(200_001);
        check(&life, 499, fine(30));
        check(&life, 500, Verdict::End("the client takes no bytes"));
        life.wrote();
        check(&life, 500, fine(30));
    }
}
