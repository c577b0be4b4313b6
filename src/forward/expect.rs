//! `Expect: 100-continue` from end to end (RFC 9110 §10.1.1).
//!
//! The server side sends the client its `100 Continue` when somebody first asks for the body. So
//! nobody asks until the upstream has said 100, or has kept silent for a second: some servers
//! know nothing of expectations. When the upstream answers finally instead (401, 413, 417), the
//! body is never asked for, and the client need not send it.

use futures_util::task::AtomicWaker;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

/// How long a silent upstream is waited for. The value of curl and git.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// Stands between the upstream's connection and a body that it may not want.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: AtomicU8,
    waker: AtomicWaker,
}

const WAITING: u8 = 0;
const OPEN: u8 = 1;
const SHUT: u8 = 2;
const OVER: u8 = 3;

/// The exchange is over and nobody wanted the body.
#[derive(Debug)]
pub(super) struct Unwanted;

impl Gate {
    /// The upstream wants the body, or patience is at an end.
    pub(super) fn open(&self) {
        self.change(WAITING, OPEN);
    }

    /// A final response has begun. The body must now neither be read nor end: its end would end
    /// the connection, and the rest of the response with it.
    pub(super) fn shut(&self) {
        self.change(WAITING, SHUT);
    }

    /// The final response is over: now the connection may end.
    pub(super) fn over(&self) {
        self.change(SHUT, OVER);
    }

    fn change(&self, from: u8, to: u8) {
        if self
            .state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
        {
            self.waker.wake();
        }
    }

    /// Whether the upstream has not said anything yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.state.load(Ordering::Acquire) == WAITING
    }

    /// Ready when the body may flow, or never will.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<(), Unwanted>> {
        self.waker.register(cx.waker());
        match self.state.load(Ordering::Acquire) {
            OPEN => Poll::Ready(Ok(())),
            OVER => Poll::Ready(Err(Unwanted)),
            _ => Poll::Pending,
        }
    }
}
