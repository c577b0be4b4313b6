//! Sessions that follow their provider.
//!
//! Where a provider gave a refresh token, what it says about the person is looked at again from time
//! to time: groups change in Bitbucket, and who has been switched off is out. The request that notices
//! that a look is due does not wait for it; only when one is overdue by `session.stale_secs` does a
//! request wait, and if the provider cannot be asked even then, the session ends.
//!
//! A refresh token may work once, and a second use is taken for theft (RFC 9700 §4.14.2). So a session
//! has one flight at a time, however many requests notice, and its new token is written down before
//! anything else can fail.

use super::finish;
use crate::clock::{Clock, Timestamp};
use crate::config::{self, Config};
use crate::directory::{self, Identities, Standing, Subject};
use crate::identity::{Person, Username};
use crate::mapping::{self, Candidate};
use crate::provider::{Known, Provider, Renewal};
use crate::provisioning::{self, Provisioner};
use crate::session::{self, How, Live, Sessions};
use crate::telemetry::audit::{Audit, Event, Origin};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Looks at one provider at once, of all its sessions together.
const AT_ONCE: usize = 32;
/// Sessions whose flight is under way, waits, or has just failed. More than that go on with what is
/// known, until they are overdue.
const MOST: usize = 20_000;
/// Flights of one person, under way and waiting. Whoever has more sessions that are due at once has a
/// script, and does not keep everybody else waiting for a place.
const MOST_EACH: usize = 16;
/// After a failure, a session's provider is left alone for this long.
const REST: Duration = Duration::from_secs(30);
/// A person whose session is overdue waits for this long.
const PATIENCE: Duration = Duration::from_secs(15);

/// What looks again, from what the provider gave just now.
pub(super) fn next(renewal: &Renewal, config: &config::Session, now: Timestamp) -> session::Upkeep {
    let after = renewal.expires_in.unwrap_or_default().max(config.refresh);
    session::Upkeep {
        token: renewal.token.clone(),
        due: now.plus(after),
    }
}

/// Which sessions are being looked after. Lives through a reload. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Flights(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sessions: Mutex<Board>,
    /// By the provider's id: a slow one takes no place from the others.
    calls: Mutex<HashMap<String, Arc<Semaphore>>>,
}

#[derive(Debug, Default)]
struct Board {
    sessions: HashMap<String, State>,
    /// How many of them fly, of each person for whom one does.
    people: HashMap<String, usize>,
}

#[derive(Debug)]
enum State {
    Flies(Arc<Flight>),
    /// Has failed, and is not tried again until then.
    Rests(Timestamp),
}

/// One look at the provider. Those who wait see the sender go.
#[derive(Debug)]
struct Flight {
    landed: watch::Receiver<()>,
    /// Somebody has ended the session for it.
    ended: AtomicBool,
}

/// What a request finds.
enum Boarding {
    /// It is the one that begins the flight.
    First(Arc<Flight>, watch::Sender<()>),
    /// Another one has begun it.
    Joined(Arc<Flight>),
    /// Not now.
    Not,
}

impl Default for Flights {
    fn default() -> Self {
        Self(Arc::new(Inner {
            sessions: Mutex::default(),
            calls: Mutex::default(),
        }))
    }
}

impl Flights {
    /// `overdue`: a failure of a moment ago does not count.
    fn board(&self, session: &str, person: &str, now: Timestamp, overdue: bool) -> Boarding {
        let mut board = self.lock();
        let Board { sessions, people } = &mut *board;
        match sessions.get(session) {
            Some(State::Flies(flight)) => return Boarding::Joined(Arc::clone(flight)),
            Some(State::Rests(until)) if now < *until && !overdue => return Boarding::Not,
            _ => {}
        }
        if sessions.len() >= MOST {
            sessions.retain(|_, state| match state {
                State::Flies(_) => true,
                State::Rests(until) => now < *until,
            });
            if sessions.len() >= MOST {
                return Boarding::Not;
            }
        }
        if people
            .get(person)
            .is_some_and(|flying| *flying >= MOST_EACH)
        {
            return Boarding::Not;
        }
        *people.entry(person.to_owned()).or_default() += 1;
        let (sender, landed) = watch::channel(());
        let flight = Arc::new(Flight {
            landed,
            ended: AtomicBool::new(false),
        });
        sessions.insert(session.to_owned(), State::Flies(Arc::clone(&flight)));
        Boarding::First(flight, sender)
    }

    /// Waits for a place at this provider; none: the process ends.
    async fn place(&self, provider: &str) -> Option<OwnedSemaphorePermit> {
        let places = {
            let mut calls = self.calls();
            let places = calls.entry(provider.to_owned());
            Arc::clone(places.or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))))
        };
        places.acquire_owned().await.ok()
    }

    /// Waits until none is under way: a token that was spent must not be lost with the process.
    /// Flights that still wait for a place have spent none, and do not begin any more.
    pub async fn landed(&self) {
        for places in self.calls().values() {
            places.close();
        }
        loop {
            let flying = self.lock().sessions.values().find_map(|state| match state {
                State::Flies(flight) => Some(flight.landed.clone()),
                State::Rests(_) => None,
            });
            let Some(mut landed) = flying else { return };
            // An error is how a flight lands.
            let _ = landed.changed().await;
        }
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<String, Arc<Semaphore>>> {
        self.0.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.0
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the flight when dropped, also by a panic: nobody may wait for ever.
struct Landing {
    flights: Flights,
    session: String,
    person: String,
    rests_until: Option<Timestamp>,
    /// Dropped after the session is off the list, so that who waits for it does not find it there.
    _landed: watch::Sender<()>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut board = self.flights.lock();
        let Board { sessions, people } = &mut *board;
        match self.rests_until {
            Some(until) => sessions.insert(self.session.clone(), State::Rests(until)),
            None => sessions.remove(&self.session),
        };
        match people.get_mut(&self.person) {
            Some(flying) if *flying > 1 => *flying -= 1,
            _ => drop(people.remove(&self.person)),
        }
    }
}

/// How a look came out.
enum Outcome {
    /// The session goes on; what is known is as new as it can be.
    Fresh,
    /// The session ends: a short code, and the reason in full.
    Over(&'static str, String),
    /// It could not be found out.
    Unknown(&'static str, String),
}

/// Looks after sessions, under one configuration.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) config: Arc<Config>,
    pub(super) providers: Vec<Arc<Provider>>,
    pub(super) sessions: Sessions,
    pub(super) identities: Identities,
    pub(super) provisioner: Option<Provisioner>,
    pub(super) audit: Audit,
    pub(super) clock: Clock,
    pub(super) flights: Flights,
}

impl super::Login {
    /// Sees to a session whose look at the provider is due. Answers whether it had to wait for that,
    /// in which case the session may be over now: recognize the visitor once more.
    pub async fn keep_up(&self, live: &Arc<Live>) -> bool {
        self.keeper.keep_up(live).await
    }
}

impl Keeper {
    async fn keep_up(self: &Arc<Self>, live: &Arc<Live>) -> bool {
        let now = self.clock.now();
        let Some(upkeep) = live.upkeep().filter(|upkeep| upkeep.due <= now) else {
            return false;
        };
        let overdue = now >= upkeep.due.plus(self.config.session.stale);
        let person = live.person().username.as_str().to_ascii_lowercase();
        let flight = match self.flights.board(&live.handle(), &person, now, overdue) {
            Boarding::First(flight, landed) => {
                let landing = Landing {
                    flights: self.flights.clone(),
                    session: live.handle(),
                    person,
                    rests_until: None,
                    _landed: landed,
                };
                let (keeper, live, flown) = (Arc::clone(self), Arc::clone(live), flight.clone());
                // A task of its own: no request waits for it, and none that goes away may break it
                // off between a token that is spent and the one that takes its place.
                tokio::spawn(async move { keeper.fly(&live, &flown, landing).await });
                flight
            }
            Boarding::Joined(flight) => flight,
            Boarding::Not if overdue => {
                let why = "too many sessions are waiting for their provider";
                self.end(live, "provider_unavailable", why.to_owned()).await;
                return true;
            }
            Boarding::Not => return false,
        };
        if !overdue {
            return false;
        }
        let mut landed = flight.landed.clone();
        // It is never sent anything: what comes is the end.
        if tokio::time::timeout(PATIENCE, landed.changed())
            .await
            .is_err()
        {
            let why = format!("no answer within {} s", PATIENCE.as_secs());
            self.end_once(live, &flight, "provider_unavailable", why)
                .await;
        }
        true
    }

    async fn fly(&self, live: &Live, flight: &Flight, mut landing: Landing) {
        let Some(_place) = self.flights.place(live.how().provider()).await else {
            return;
        };
        if live.has_ended() {
            return;
        }
        // Another flight may have landed between this one's first question and its beginning.
        let Some(upkeep) = live.upkeep().filter(|it| it.due <= self.clock.now()) else {
            return;
        };
        let session = live.handle();
        match self.look(live, &upkeep).await {
            Outcome::Fresh => tracing::debug!(session, "a session is in step with its provider"),
            Outcome::Over(code, detail) => self.end_once(live, flight, code, detail).await,
            Outcome::Unknown(code, detail) => {
                tracing::warn!(
                    session,
                    code,
                    ?detail,
                    "a session's provider could not be asked"
                );
                let now = self.clock.now();
                landing.rests_until = Some(now.plus(REST));
                if now >= upkeep.due.plus(self.config.session.stale) {
                    self.end_once(live, flight, "provider_unavailable", detail)
                        .await;
                    landing.rests_until = None;
                }
            }
        }
    }

    async fn look(&self, live: &Live, upkeep: &session::Upkeep) -> Outcome {
        let How::Provider {
            id,
            issuer,
            subject,
        } = live.how()
        else {
            return Outcome::Fresh;
        };
        let Some(provider) = self.providers.iter().find(|it| it.config().id == *id) else {
            let detail = format!("no provider has the id \"{id}\" any more");
            return Outcome::Unknown("unknown_provider", detail);
        };
        // The token is a secret between two: an address that took over the id does not see it.
        if !provider.issues(issuer) {
            let detail = format!("the provider \"{id}\" is not {issuer:?} any more");
            return Outcome::Unknown("unknown_provider", detail);
        }
        if !provider.config().refresh {
            return self.keep(live, live.person().as_ref().clone(), None).await;
        }
        let renewal = Renewal {
            token: upkeep.token.clone(),
            expires_in: None,
        };
        let renewed = match provider.renew(&renewal).await {
            Ok(renewed) => renewed,
            Err(error) => return outcome(&error),
        };
        if renewed.renewal().token != upkeep.token {
            // The old one is spent: from here on, only the new one can ask again.
            let kept = session::Upkeep {
                token: renewed.renewal().token.clone(),
                due: upkeep.due,
            };
            let person = live.person().as_ref().clone();
            if let Err(error) = self.sessions.renew(live, person, Some(kept)).await {
                tracing::error!(%error, session = live.handle(), "a refresh token could not be kept");
            }
        }
        let next = next(renewed.renewal(), &self.config.session, self.clock.now());
        let known = Known {
            issuer,
            subject,
            id_token: live.id_token(),
        };
        let claims = match provider.look_again(renewed, known).await {
            Ok(claims) => claims,
            Err(error) => return outcome(&error),
        };
        let rules = mapping::Rules::of(&self.config, provider.config());
        let candidate = match mapping::candidate(&claims, rules) {
            Ok(candidate) => candidate,
            Err(refused) => return Outcome::Over(refused.code(), refused.to_string()),
        };
        let subject = Subject {
            issuer: issuer.clone(),
            subject: subject.clone(),
        };
        match self
            .apply(live, provider.config(), &subject, &candidate)
            .await
        {
            Ok(()) => {
                let person = Person {
                    username: live.person().username.clone(),
                    ..candidate.person
                };
                self.keep(live, person, Some(next)).await
            }
            Err(outcome) => outcome,
        }
    }

    /// What a sign-in would do with what is known now: the name must be the same, and Bitbucket is
    /// told what has changed. In the order of a sign-in.
    async fn apply(
        &self,
        live: &Live,
        provider: &config::Provider,
        subject: &Subject,
        candidate: &Candidate,
    ) -> Result<(), Outcome> {
        let person = live.person();
        let own = &person.username;
        let found = match &self.provisioner {
            Some(provisioner) => match provisioner.find(candidate).await {
                Ok(found) => Some((provisioner, found)),
                Err(error) => {
                    self.not_provisioned(own, &error)?;
                    None
                }
            },
            None => None,
        };
        let username = match (&found, &self.provisioner) {
            (Some((_, found)), _) => found.username(),
            (None, None) => &candidate.person.username,
            // Which name the person has there is not known now; nothing is written either.
            (None, Some(_)) => own,
        };
        // The pin may say the same by now, if an administrator gave the subject another name or took
        // its pin away: the session is of the name that it began with all the same.
        if !username.as_str().eq_ignore_ascii_case(own.as_str()) {
            let detail = format!("the person is \"{username}\" now, and the session \"{own}\"'s");
            return Err(Outcome::Over("username_changed", detail));
        }
        let claim = finish::claim(&self.config, provider, subject, username, candidate);
        // Names are bound at sign-ins alone: a pin that an administrator has taken away does not come
        // back by itself.
        let confirmed = match self.identities.standing(claim.clone()).await {
            Ok(Standing::Known) => self.identities.pin(claim).await,
            standing => standing,
        };
        if let Err(error) = confirmed {
            let detail = error.to_string();
            return Err(match error {
                directory::Error::Taken { .. } => Outcome::Over("username_taken", detail),
                directory::Error::Renamed { .. } => Outcome::Over("username_changed", detail),
                directory::Error::Store(_) => Outcome::Unknown("identity_store_failed", detail),
            });
        }
        if let Some((provisioner, found)) = found {
            match provisioner.apply(found, candidate).await {
                Ok(plan) if plan.is_empty() => {}
                Ok(plan) => self.provisioned(own, "updated", plan.decisions),
                Err(error) => self.not_provisioned(own, &error)?,
            }
        }
        Ok(())
    }

    /// A refusal ends the session. A failure does not: the person is in already, and the next look
    /// tries again.
    fn not_provisioned(
        &self,
        username: &Username,
        error: &provisioning::Error,
    ) -> Result<(), Outcome> {
        let detail = error.to_string();
        let refused = error.is_refusal();
        let outcome = if refused { "refused" } else { "failed" };
        self.provisioned(username, outcome, vec![detail.clone()]);
        if refused {
            return Err(Outcome::Over(error.code(), detail));
        }
        tracing::error!(
            user.name = username.as_str(),
            code = error.code(),
            ?detail,
            "a change at the provider could not be passed on"
        );
        Ok(())
    }

    fn provisioned(&self, username: &Username, outcome: &str, changes: Vec<String>) {
        let event = Event::Provisioning {
            username: username.as_str().to_owned(),
            outcome: outcome.to_owned(),
            changes,
        };
        self.audit.record(&Origin::default(), event);
    }

    async fn keep(&self, live: &Live, person: Person, next: Option<session::Upkeep>) -> Outcome {
        match self.sessions.renew(live, person, next).await {
            Ok(()) => Outcome::Fresh,
            Err(error) => Outcome::Unknown("session_store_failed", error.to_string()),
        }
    }

    async fn end_once(&self, live: &Live, flight: &Flight, code: &'static str, detail: String) {
        if !flight.ended.swap(true, SeqCst) {
            self.end(live, code, detail).await;
        }
    }

    async fn end(&self, live: &Live, code: &'static str, detail: String) {
        if let Err(error) = self.sessions.end(live).await {
            tracing::error!(%error, session = live.handle(), "a session that is over could not be removed from the store");
        }
        tracing::info!(
            session = live.handle(),
            user.name = live.person().username.as_str(),
            code,
            ?detail,
            "a session ended, because it follows its provider"
        );
        let event = Event::SessionEnded {
            username: live.person().username.as_str().to_owned(),
            provider: live.how().provider().to_owned(),
            reason: code.to_owned(),
            detail,
        };
        self.audit.record(&Origin::default(), event);
    }
}

fn outcome(error: &crate::provider::Error) -> Outcome {
    let detail = crate::telemetry::chain(error);
    if error.ends_session() {
        Outcome::Over(error.code(), detail)
    } else {
        Outcome::Unknown(error.code(), detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use futures_util::FutureExt;

    const NOW: Timestamp = Timestamp::from_secs(1000);

    fn landing(flights: &Flights, session: &str, landed: watch::Sender<()>) -> Landing {
        Landing {
            flights: flights.clone(),
            session: session.to_owned(),
            person: "ana".to_owned(),
            rests_until: None,
            _landed: landed,
        }
    }

    #[tokio::test]
    async fn a_session_has_one_flight_and_all_see_it_land() {
        let flights = Flights::default();
        let Boarding::First(_, landed) = flights.board("a", "ana", NOW, false) else {
            panic!("nobody was there before");
        };
        let mut waiting = Vec::new();
        for _ in 0..200 {
            match flights.board("a", "ana", NOW, true) {
                Boarding::Joined(flight) => waiting.push(flight),
                _ => panic!("there is one flight"),
            }
        }
        let Boarding::First(_, other) = flights.board("b", "ana", NOW, false) else {
            panic!("another session has a flight of its own");
        };
        drop(landing(&flights, "a", landed));
        let all_landed = flights.landed();
        tokio::pin!(all_landed);
        assert!(
            futures_util::poll!(all_landed.as_mut()).is_pending(),
            "\"b\" flies"
        );
        for flight in waiting {
            assert!(flight.landed.clone().changed().await.is_err());
        }
        assert!(matches!(
            flights.board("a", "ana", NOW, false),
            Boarding::First(..)
        ));
        drop(landing(&flights, "b", other));
    }

    #[test]
    fn a_failure_rests_unless_somebody_has_to_know() {
        let flights = Flights::default();
        let Boarding::First(_, landed) = flights.board("a", "ana", NOW, false) else {
            panic!("nobody was there before");
        };
        let mut failed = landing(&flights, "a", landed);
        failed.rests_until = Some(NOW.plus(REST));
        drop(failed);
        assert!(matches!(
            flights.board("a", "ana", NOW, false),
            Boarding::Not
        ));
        assert!(matches!(
            flights.board("a", "ana", NOW, true),
            Boarding::First(..)
        ));
    }

    #[tokio::test]
    async fn a_slow_provider_takes_no_place_from_another() {
        let flights = Flights::default();
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            held.push(flights.place("slow").await);
        }
        assert!(held.iter().all(Option::is_some));
        assert!(flights.place("slow").now_or_never().is_none());
        assert!(matches!(
            flights.place("other").now_or_never(),
            Some(Some(_))
        ));
    }

    #[tokio::test]
    async fn at_the_end_no_flight_begins_that_was_waiting() {
        let flights = Flights::default();
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            held.push(flights.place("slow").await);
        }
        let mut waiting = std::pin::pin!(flights.place("slow"));
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        flights.landed().await;
        assert!(waiting.await.is_none());
    }

    #[test]
    fn one_person_with_many_sessions_keeps_nobody_else_waiting() {
        let flights = Flights::default();
        let board = |session: &str, person| flights.board(session, person, NOW, true);
        let mut landings = Vec::new();
        for n in 0..MOST_EACH {
            let session = n.to_string();
            let Boarding::First(_, landed) = board(&session, "ana") else {
                panic!("there is room for {n}");
            };
            landings.push(landing(&flights, &session, landed));
        }
        assert!(matches!(board("more", "ana"), Boarding::Not));
        assert!(matches!(board("0", "ana"), Boarding::Joined(_)));
        assert!(matches!(board("other", "bob"), Boarding::First(..)));
        landings.pop();
        assert!(matches!(board("more", "ana"), Boarding::First(..)));
        landings.clear();
        assert_eq!(flights.lock().people.get("ana"), Some(&1), "\"more\" flies");
    }

    #[test]
    fn the_number_of_flights_is_bounded() {
        let flights = Flights::default();
        let senders: Vec<_> = (0..MOST + 5)
            .map(|n| flights.board(&n.to_string(), &n.to_string(), NOW, false))
            .collect();
        let begun = senders
            .iter()
            .filter(|it| matches!(it, Boarding::First(..)));
        assert_eq!(begun.count(), MOST);
    }

    #[track_caller]
    fn due(expires_in: Option<u64>, refresh: u64, want: u64) {
        let renewal = Renewal {
            token: Secret::new("t".to_owned()),
            expires_in: expires_in.map(Duration::from_secs),
        };
        let config = config::Session {
            store: config::Store::Memory,
            keys: Vec::new(),
            cookie_name: String::new(),
            idle_timeout: Duration::ZERO,
            max_age: Duration::ZERO,
            remember_me: false,
            remember_me_max_age: Duration::ZERO,
            refresh: Duration::from_secs(refresh),
            stale: Duration::ZERO,
        };
        let due = next(&renewal, &config, NOW).due;
        assert_eq!(due, NOW.plus(Duration::from_secs(want)));
    }

    #[test]
    fn a_look_is_due_when_the_access_token_ends_and_no_sooner_than_configured() {
        due(Some(3600), 300, 3600);
        due(Some(60), 300, 300);
        due(None, 300, 300);
    }
}
