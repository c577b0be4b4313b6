//! What a connection to the upstream is doing, and since when nothing has moved on it.
//!
//! One clock measures every limit: the last byte that went over the connection in either
//! direction. A client that stops reading stops our reading too (back-pressure), a client that
//! stops sending stops our writing, so silence on this side is silence in both directions. The
//! connection's own task looks at the clock now and then; no request pays for a timer.

use crate::session::Mark;
use crate::telemetry::metrics::OpenConnection;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How long nothing may move, by what the connection is doing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// While the request or the response flows.
    pub(super) idle: Duration,
    /// From the end of the request until the response begins.
    pub(super) head: Duration,
    /// Between two requests.
    pub(super) parked: Duration,
}

impl Limits {
    /// The longest time between two looks at the clock. No limit is shorter, so a limit that
    /// begins after a look cannot end before the next one.
    pub(super) fn tick(&self) -> Duration {
        self.idle.min(self.head).min(self.parked)
    }
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Doing {
    /// Waiting in the pool.
    Parked,
    /// The request's body is still flowing.
    Sending,
    /// The request is sent; the response has not begun.
    Waiting,
    /// The same, and it may take as long as it takes.
    WaitingLong,
    /// The response flows.
    Answering,
}

impl Doing {
    const fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::Parked,
            1 => Self::Sending,
            2 => Self::Waiting,
            3 => Self::WaitingLong,
            _ => Self::Answering,
        }
    }
}

/// The state of one connection, shared by its socket, its task and the exchange that uses it.
#[derive(Debug)]
pub(super) struct Pulse {
    born: Instant,
    /// Milliseconds since `born`.
    last: AtomicU64,
    doing: AtomicU8,
    /// What the current request becomes once its body has ended.
    then: AtomicU8,
    /// Whether a byte came back since the current request began.
    heard: AtomicBool,
    /// What it was doing when a limit ended it.
    ended: AtomicU8,
    /// Whose session the current request belongs to: [`Mark`], in two.
    owner: AtomicU64,
    owner_since: AtomicU64,
    /// That session has ended, and the connection with it.
    cut: AtomicBool,
    _open: OpenConnection,
}

const NOT_ENDED: u8 = u8::MAX;

impl Pulse {
    pub(super) fn new(open: OpenConnection) -> Self {
        Self {
            born: Instant::now(),
            last: AtomicU64::new(0),
            doing: AtomicU8::new(Doing::Parked as u8),
            then: AtomicU8::new(Doing::Waiting as u8),
            heard: AtomicBool::new(false),
            ended: AtomicU8::new(NOT_ENDED),
            owner: AtomicU64::new(0),
            owner_since: AtomicU64::new(0),
            cut: AtomicBool::new(false),
            _open: open,
        }
    }

    /// Bytes went out.
    pub(super) fn beat(&self) {
        let millis = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Ordering::Relaxed);
    }

    /// Bytes came in.
    pub(super) fn hear(&self) {
        self.heard.store(true, Ordering::Relaxed);
        self.beat();
    }

    pub(super) fn heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// A request begins, in this session.
    pub(super) fn begin(&self, has_body: bool, unhurried: bool, owner: Mark) {
        self.owner_since.store(owner.since, Ordering::Relaxed);
        // In one order with the flag of the session: whoever ends it sees this owner, or the request
        // sees that its session has ended.
        self.owner.store(owner.name, Ordering::SeqCst);
        let wait = if unhurried {
            Doing::WaitingLong
        } else {
            Doing::Waiting
        };
        self.heard.store(false, Ordering::Relaxed);
        self.then.store(wait as u8, Ordering::Relaxed);
        self.now(if has_body { Doing::Sending } else { wait });
    }

    /// The request's body has ended. If the response has begun already, nothing changes.
    pub(super) fn sent(&self) {
        self.beat();
        let _ = self.doing.compare_exchange(
            Doing::Sending as u8,
            self.then.load(Ordering::Relaxed),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }

    /// Something else begins now.
    pub(super) fn now(&self, doing: Doing) {
        self.beat();
        self.doing.store(doing as u8, Ordering::Relaxed);
    }

    /// How long nothing has moved.
    pub(super) fn silence(&self) -> Duration {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.born.elapsed().saturating_sub(last)
    }

    /// Whether a limit has passed; otherwise when to look again.
    pub(super) fn look(&self, limits: &Limits) -> Result<Duration, Doing> {
        self.judge(self.silence(), limits)
    }

    fn judge(&self, silence: Duration, limits: &Limits) -> Result<Duration, Doing> {
        let doing = Doing::from_u8(self.doing.load(Ordering::Relaxed));
        let limit = match doing {
            Doing::Parked => limits.parked,
            Doing::Sending | Doing::Answering => limits.idle,
            Doing::Waiting => limits.head,
            Doing::WaitingLong => return Ok(limits.tick()),
        };
        match limit.checked_sub(silence) {
            Some(left) if !left.is_zero() => Ok(left.min(limits.tick())),
            _ => Err(doing),
        }
    }

    /// Whose the current request is; nobody's between two.
    pub(super) fn owner(&self) -> Mark {
        let name = self.owner.load(Ordering::SeqCst);
        match Doing::from_u8(self.doing.load(Ordering::Relaxed)) {
            Doing::Parked => Mark::default(),
            _ => Mark {
                name,
                since: self.owner_since.load(Ordering::Relaxed),
            },
        }
    }

    /// The end of the owner's session has ended the connection.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Release);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// A limit has ended the connection.
    pub(super) fn end(&self, doing: Doing) {
        self.ended.store(doing as u8, Ordering::Release);
    }

    /// What it was doing when a limit ended it, if one did.
    pub(super) fn ended(&self) -> Option<Doing> {
        match self.ended.load(Ordering::Acquire) {
            NOT_ENDED => None,
            value => Some(Doing::from_u8(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    const LIMITS: Limits = Limits {
        idle: Duration::from_secs(300),
        head: Duration::from_secs(120),
        parked: Duration::from_secs(55),
    };

    fn pulse() -> Pulse {
        Pulse::new(Metrics::new().upstream_connection())
    }

    #[track_caller]
    fn check(pulse: &Pulse, silent_secs: u64, expected: Result<u64, Doing>) {
        let judged = pulse.judge(Duration::from_secs(silent_secs), &LIMITS);
        assert_eq!(judged, expected.map(Duration::from_secs));
    }

    #[test]
    fn each_phase_has_its_limit() {
        let pulse = pulse();
        for (doing, limit) in [
            (Doing::Parked, 55),
            (Doing::Sending, 300),
            (Doing::Waiting, 120),
            (Doing::Answering, 300),
        ] {
            pulse.now(doing);
            check(&pulse, limit - 1, Ok(1));
            check(&pulse, limit, Err(doing));
        }
    }

    #[test]
    fn a_look_never_comes_later_than_any_limit() {
        let pulse = pulse();
        pulse.now(Doing::Answering);
        check(&pulse, 0, Ok(55));
    }

    #[test]
    fn an_unhurried_request_waits_forever_but_its_body_does_not() {
        let pulse = pulse();
        pulse.begin(true, true, Mark::default());
        check(&pulse, 300, Err(Doing::Sending));
        pulse.sent();
        check(&pulse, 86_400, Ok(55));
    }

    #[test]
    fn an_answer_before_the_end_of_the_request_is_still_an_answer() {
        let pulse = pulse();
        pulse.begin(true, false, Mark::default());
        pulse.now(Doing::Answering);
        pulse.sent();
        check(&pulse, 200, Ok(55));
    }

    #[test]
    fn a_byte_in_either_direction_breaks_the_silence() {
        let pulse = pulse();
        for beat in [Pulse::beat as fn(&Pulse), Pulse::hear] {
            pulse.last.store(0, Ordering::Relaxed);
            beat(&pulse);
            assert!(pulse.silence() < Duration::from_secs(1));
        }
        assert!(pulse.heard());
    }
}
