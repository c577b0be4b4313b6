//! How the REST calls about people behave besides: slow, held, failing, recorded.
//!
//! This stands in front of everything else, as what goes wrong between a client and Bitbucket does.
//! The other addresses are left alone.

use super::calls::{Call, Calls, concerns_people};
use super::faults::Fault;
use super::{Bitbucket, MAX_FORM, Shared};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// The server's own limit of a page, for most lists.
const PAGE_CAP: usize = 1000;
/// Faults that wait for their call.
const MAX_PLANNED: usize = 100;

/// What is set.
#[derive(Debug)]
pub(super) struct Behaviour {
    page_cap: AtomicUsize,
    tokens_administer: AtomicBool,
    delay: Mutex<Duration>,
    /// While it is true, calls wait.
    held: watch::Sender<bool>,
    faults: Mutex<Faults>,
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Faults {
    /// For every call.
    standing: Option<Fault>,
    planned: VecDeque<Planned>,
}

/// A fault of the next calls that are meant.
#[derive(Debug)]
struct Planned {
    /// In the method, a blank and the target.
    about: String,
    times: usize,
    fault: Fault,
}

/// Calls wait until this is dropped.
#[derive(Debug)]
pub struct Hold(Bitbucket);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.shared.behaviour.held.send_replace(false);
    }
}

impl Behaviour {
    pub(super) fn new() -> Self {
        Self {
            page_cap: AtomicUsize::new(PAGE_CAP),
            tokens_administer: AtomicBool::new(false),
            delay: Mutex::default(),
            held: watch::Sender::new(false),
            faults: Mutex::default(),
            calls: Mutex::default(),
        }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        lock(&self.calls)
    }

    fn delay(&self) -> Duration {
        *lock(&self.delay)
    }

    async fn wait(&self) {
        let delay = self.delay();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        // The sender lives as long as this does.
        let _ = self.held.subscribe().wait_for(|held| !held).await;
    }

    fn fault(&self, parts: &Parts) -> Option<Fault> {
        let mut faults = lock(&self.faults);
        let said = format!("{} {}", parts.method, parts.uri);
        let meant = |planned: &Planned| said.contains(&planned.about);
        let Some(place) = faults.planned.iter().position(meant) else {
            return faults.standing.clone();
        };
        let planned = faults.planned.get_mut(place)?;
        planned.times -= 1;
        let fault = planned.fault.clone();
        if planned.times == 0 {
            faults.planned.remove(place);
        }
        Some(fault)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs around every handler, before anybody is recognized.
pub(super) async fn behave(
    State(app): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    if !concerns_people(request.uri().path()) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_FORM).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let number = app.behaviour.calls().record(&parts, &body);
    app.behaviour.wait().await;
    let fault = app.behaviour.fault(&parts);
    let done = next.run(Request::from_parts(parts, Body::from(body)));
    let response = match fault {
        Some(fault) => fault.answer(done).await,
        None => done.await,
    };
    let username = response
        .headers()
        .get("x-ausername")
        .and_then(|name| name.to_str().ok())
        .map(str::to_owned);
    app.behaviour
        .calls()
        .answered(number, response.status(), username);
    response
}

impl Shared {
    /// The most that a page has.
    pub(super) fn page_cap(&self) -> usize {
        self.behaviour.page_cap.load(Ordering::Relaxed)
    }

    /// Whether administrative calls take HTTP access tokens.
    pub(super) fn tokens_administer(&self) -> bool {
        self.behaviour.tokens_administer.load(Ordering::Relaxed)
    }

    /// Whether calls take longer than they must.
    pub(super) fn is_slow(&self) -> bool {
        !self.behaviour.delay().is_zero()
    }

    /// Whether every call fails.
    pub(super) fn is_failing(&self) -> bool {
        lock(&self.behaviour.faults).standing.is_some()
    }

    pub(super) fn set_delay(&self, delay: Duration) {
        *lock(&self.behaviour.delay) = delay;
    }

    pub(super) fn fail_always(&self, fault: Option<Fault>) {
        lock(&self.behaviour.faults).standing = fault;
    }
}

/// What tests set. It counts for the REST calls about people, groups and permissions alone.
impl Bitbucket {
    /// The calls that reached it, the oldest first; at most the last 1000.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.shared.behaviour.calls().list()
    }

    /// Those of the calls that were meant to change something.
    #[must_use]
    pub fn writes(&self) -> Vec<Call> {
        let mut calls = self.calls();
        calls.retain(Call::is_write);
        calls
    }

    /// Begins a new list of calls.
    pub fn forget_calls(&self) {
        self.shared.behaviour.calls().forget();
    }

    /// Every call waits this long before it is looked at.
    pub fn set_delay(&self, delay: Duration) {
        self.shared.set_delay(delay);
    }

    /// Every call waits until the hold is dropped. It is among [`Self::calls`] meanwhile, without a
    /// status.
    #[must_use]
    pub fn hold(&self) -> Hold {
        self.shared.behaviour.held.send_replace(true);
        Hold(self.clone())
    }

    /// The next `times` calls go wrong like this.
    pub fn fail_next(&self, times: usize, fault: Fault) {
        self.fail_next_at("", times, fault);
    }

    /// The next `times` calls with this in `METHOD TARGET` go wrong like this. Of several faults for
    /// one call, the one that was set first counts.
    pub fn fail_next_at(&self, about: &str, times: usize, fault: Fault) {
        let mut faults = lock(&self.shared.behaviour.faults);
        if times > 0 && faults.planned.len() < MAX_PLANNED {
            faults.planned.push_back(Planned {
                about: about.to_owned(),
                times,
                fault,
            });
        }
    }

    /// Every call goes wrong like this, until it is told otherwise.
    pub fn fail_always(&self, fault: Option<Fault>) {
        self.shared.fail_always(fault);
    }

    /// Forgets every fault that is still to come.
    pub fn recover(&self) {
        *lock(&self.shared.behaviour.faults) = Faults::default();
    }

    /// The most that a page has, whatever is asked for.
    pub fn set_page_cap(&self, cap: usize) {
        self.shared.behaviour.page_cap.store(cap, Ordering::Relaxed);
    }

    /// Whether administrative calls take HTTP access tokens. The real ones don't, so neither does
    /// this until it is told to.
    pub fn set_access_tokens_administer(&self, yes: bool) {
        self.shared
            .behaviour
            .tokens_administer
            .store(yes, Ordering::Relaxed);
    }
}
