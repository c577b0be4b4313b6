//! Sign-ins that were begun and are not finished, browser by browser.

use crate::clock::{Clock, Timestamp};
use crate::provider;
use crate::random;
use crate::web::ReturnPath;
use quick_cache::Weighter;
use quick_cache::unsync::Cache;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Tabs of one browser that may be at their providers at once; the oldest gives way.
const TABS: usize = 10;
/// Slow typists, second factors, and lunch.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// Sign-ins within this time count as one round dance.
const LOOP_WINDOW: Duration = Duration::from_secs(60);
/// Completed sign-ins within [`LOOP_WINDOW`] after which somebody has to explain.
pub(super) const LOOP_ROUNDS: usize = 3;
/// Cookies of our name that are looked at. A browser sends more than one only when another path or
/// domain has set one too.
const COOKIES: usize = 4;

/// What all of it may occupy. A flood of strangers pushes out other strangers' pending sign-ins,
/// never a session.
const MAX_BYTES: u64 = 48 << 20;
/// About how many browsers fit into that.
const TYPICAL_BROWSERS: usize = 20_000;
/// A browser's entry without its sign-ins.
const BROWSER_BYTES: usize = 400;
/// A sign-in without its return path: state, nonce, verifier and their containers.
const PENDING_BYTES: usize = 1_000;

/// A sign-in that was begun.
#[derive(Debug)]
pub struct Pending<A = provider::Attempt> {
    /// The provider's id.
    pub provider: String,
    /// The `state` that the callback must carry.
    pub state: String,
    /// What the provider room needs to finish.
    pub attempt: A,
    /// Where the browser goes afterwards.
    pub next: ReturnPath,
    /// The person asked to be remembered.
    pub remember: bool,
    /// What it is for.
    pub purpose: Purpose,
}

/// What a sign-in at a provider is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To sign in.
    SignIn,
    /// To see what a sign-in would do: it begins no session and writes nothing.
    Test,
}

/// Why there is no sign-in for a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The browser sent no sign-in cookie.
    #[error("the browser sent no sign-in cookie")]
    NoCookie,
    /// The cookie is of no browser that we know: a restart, a flood, or long ago.
    #[error("the sign-in cookie is not known (any more)")]
    UnknownBrowser,
    /// This browser has begun no sign-in of this state, or has finished it.
    #[error("this browser has no open sign-in of this state")]
    UnknownState,
    /// It took too long.
    #[error("the sign-in was begun more than 30 minutes ago")]
    Expired,
}

impl Lost {
    /// A short, stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoCookie => "sign_in_cookie_missing",
            Self::UnknownBrowser => "sign_in_cookie_unknown",
            Self::UnknownState => "state_unknown",
            Self::Expired => "state_expired",
        }
    }
}

/// All browsers that are signing in. In memory only: after a restart a person begins again. Clones
/// share everything, so that a reload loses nobody.
///
/// A state is looked for only under the token in the browser's own cookie. That binds it to the
/// browser (RFC 9700 §4.7.1), whatever the address of a callback says.
pub struct Browsers<A = provider::Attempt> {
    clock: Clock,
    kept: Arc<Mutex<Kept<A>>>,
}

type Kept<A> = Cache<String, Browser<A>, Bytes>;

impl<A> Clone for Browsers<A> {
    fn clone(&self) -> Self {
        Self {
            clock: self.clock.clone(),
            kept: Arc::clone(&self.kept),
        }
    }
}

impl<A> fmt::Debug for Browsers<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browsers").finish_non_exhaustive()
    }
}

struct Browser<A> {
    /// Oldest first.
    pending: VecDeque<(Timestamp, Pending<A>)>,
    /// When its last sign-ins were completed, oldest first.
    rounds: VecDeque<Timestamp>,
}

impl<A> Default for Browser<A> {
    fn default() -> Self {
        Self {
            pending: VecDeque::new(),
            rounds: VecDeque::new(),
        }
    }
}

#[derive(Clone)]
struct Bytes;

impl<A> Weighter<String, Browser<A>> for Bytes {
    fn weight(&self, _: &String, browser: &Browser<A>) -> u64 {
        let pending: usize = browser
            .pending
            .iter()
            .map(|(_, pending)| PENDING_BYTES + pending.next.as_str().len())
            .sum();
        (BROWSER_BYTES + pending) as u64
    }
}

impl<A> Browsers<A> {
    /// Nobody yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self::with_capacity(clock, TYPICAL_BROWSERS, MAX_BYTES)
    }

    fn with_capacity(clock: Clock, browsers: usize, bytes: u64) -> Self {
        Self {
            clock,
            kept: Arc::new(Mutex::new(Cache::with_weighter(browsers, bytes, Bytes))),
        }
    }

    /// Remembers a sign-in under the browser's token, or under a fresh one if none of its cookies
    /// is known: a client cannot choose its token. Answers the token for the cookie.
    #[must_use]
    pub fn remember<'a>(
        &self,
        cookies: impl Iterator<Item = &'a str>,
        pending: Pending<A>,
    ) -> String {
        let now = self.clock.now();
        let mut kept = self.lock();
        let (token, mut browser) = cookies
            .take(COOKIES)
            .find_map(|token| kept.remove(token))
            .unwrap_or_else(|| (random::token(), Browser::default()));
        browser
            .pending
            .retain(|(begun, _)| now.since(*begun) < LIFETIME);
        if browser.pending.len() == TABS {
            browser.pending.pop_front();
        }
        browser.pending.push_back((now, pending));
        // Taken out and put back, because only putting in weighs and makes room.
        kept.insert(token.clone(), browser);
        token
    }

    /// Hands out the sign-in of a state, once.
    ///
    /// # Errors
    ///
    /// [`Lost`] says why there is none.
    pub fn spend<'a>(
        &self,
        cookies: impl Iterator<Item = &'a str>,
        state: &str,
    ) -> Result<Pending<A>, Lost> {
        let now = self.clock.now();
        let mut kept = self.lock();
        let mut lost = Lost::NoCookie;
        for token in cookies.take(COOKIES) {
            let Some((token, mut browser)) = kept.remove(token) else {
                if lost == Lost::NoCookie {
                    lost = Lost::UnknownBrowser;
                }
                continue;
            };
            let place = browser.pending.iter().position(|(_, p)| p.state == state);
            let found = place.and_then(|place| browser.pending.remove(place));
            kept.insert(token, browser);
            match found {
                Some((begun, pending)) if now.since(begun) < LIFETIME => return Ok(pending),
                Some(_) => return Err(Lost::Expired),
                None => lost = Lost::UnknownState,
            }
        }
        Err(lost)
    }

    /// Notes that this browser completed a sign-in.
    pub fn completed<'a>(&self, cookies: impl Iterator<Item = &'a str>) {
        let now = self.clock.now();
        self.with_rounds(cookies, |rounds| {
            if rounds.len() == LOOP_ROUNDS {
                rounds.pop_front();
            }
            rounds.push_back(now);
        });
    }

    /// Whether this browser has completed so many sign-ins in so short a time that yet another one
    /// would only be the next round of a loop.
    #[must_use]
    pub fn is_looping<'a>(&self, cookies: impl Iterator<Item = &'a str>) -> bool {
        let now = self.clock.now();
        let recent = self.with_rounds(cookies, |rounds| {
            rounds.retain(|round| now.since(*round) < LOOP_WINDOW);
            rounds.len()
        });
        recent.is_some_and(|recent| recent >= LOOP_ROUNDS)
    }

    /// Forgets the rounds, because the person has read about them and wants to try again.
    pub fn start_over<'a>(&self, cookies: impl Iterator<Item = &'a str>) {
        self.with_rounds(cookies, VecDeque::clear);
    }

    fn with_rounds<'a, T>(
        &self,
        cookies: impl Iterator<Item = &'a str>,
        look: impl FnOnce(&mut VecDeque<Timestamp>) -> T,
    ) -> Option<T> {
        let mut kept = self.lock();
        let token = cookies
            .take(COOKIES)
            .find(|token| kept.peek(*token).is_some())?;
        // Rounds do not count into the weight, so looking in place is enough.
        let mut browser = kept.get_mut(token)?;
        Some(look(&mut browser.rounds))
    }

    fn lock(&self) -> MutexGuard<'_, Kept<A>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::iter;

    fn browsers() -> (Browsers<u32>, Clock) {
        let clock = Clock::manual(Timestamp::from_secs(1_000_000));
        (Browsers::new(clock.clone()), clock)
    }

    fn pending(state: &str) -> Pending<u32> {
        Pending {
            provider: "p".into(),
            state: state.into(),
            attempt: 7,
            next: ReturnPath::parse("/x"),
            remember: false,
            purpose: Purpose::SignIn,
        }
    }

    fn begin(browsers: &Browsers<u32>, cookie: Option<&str>, state: &str) -> String {
        browsers.remember(cookie.into_iter(), pending(state))
    }

    #[track_caller]
    fn check(browsers: &Browsers<u32>, cookies: &[&str], state: &str, want: Result<(), Lost>) {
        let found = browsers.spend(cookies.iter().copied(), state);
        assert_eq!(found.map(drop), want, "{cookies:?} {state}");
    }

    #[test]
    fn a_state_works_once() {
        let (browsers, _) = browsers();
        let token = begin(&browsers, None, "s");
        check(&browsers, &[&token], "s", Ok(()));
        check(&browsers, &[&token], "s", Err(Lost::UnknownState));
    }

    #[test]
    fn a_state_works_only_in_its_own_browser() {
        let (browsers, _) = browsers();
        let one = begin(&browsers, None, "one");
        let two = begin(&browsers, None, "two");
        check(&browsers, &[&two], "one", Err(Lost::UnknownState));
        check(&browsers, &[], "one", Err(Lost::NoCookie));
        check(&browsers, &["made-up"], "one", Err(Lost::UnknownBrowser));
        check(&browsers, &[&one], "one", Ok(()));
    }

    #[test]
    fn many_tabs_sign_in_at_once_and_the_oldest_gives_way() {
        let (browsers, _) = browsers();
        let token = begin(&browsers, None, "0");
        for tab in 1..=TABS {
            let same = begin(&browsers, Some(&token), &tab.to_string());
            assert_eq!(same, token);
        }
        check(&browsers, &[&token], "0", Err(Lost::UnknownState));
        for tab in (1..=TABS).rev() {
            check(&browsers, &[&token], &tab.to_string(), Ok(()));
        }
    }

    #[test]
    fn a_slow_typist_has_half_an_hour() {
        let (browsers, clock) = browsers();
        let token = begin(&browsers, None, "s");
        begin(&browsers, Some(&token), "late");
        clock.advance(LIFETIME - Duration::from_secs(1));
        check(&browsers, &[&token], "s", Ok(()));
        clock.advance(Duration::from_secs(1));
        check(&browsers, &[&token], "late", Err(Lost::Expired));
        check(&browsers, &[&token], "late", Err(Lost::UnknownState));
    }

    #[test]
    fn a_client_cannot_choose_its_token() {
        let (browsers, _) = browsers();
        let token = begin(&browsers, Some("planted"), "s");
        assert_ne!(token, "planted");
        check(&browsers, &["planted"], "s", Err(Lost::UnknownBrowser));
    }

    #[test]
    fn a_stale_cookie_does_not_shadow_the_good_one() {
        let (browsers, _) = browsers();
        let token = begin(&browsers, None, "s");
        check(&browsers, &["stale", &token], "s", Ok(()));
        let many: Vec<&str> = iter::repeat_n("stale", COOKIES).chain([&*token]).collect();
        begin(&browsers, Some(&token), "t");
        check(&browsers, &many, "t", Err(Lost::UnknownBrowser));
    }

    #[test]
    fn a_flood_of_strangers_cannot_fill_the_memory() {
        let clock = Clock::manual(Timestamp::from_secs(0));
        let browsers = Browsers::<u32>::with_capacity(clock, 100, 200_000);
        let mut token = String::new();
        for n in 0..5_000 {
            token = begin(&browsers, None, &n.to_string());
        }
        for n in 0..50 {
            begin(&browsers, Some(&token), &format!("again {n}"));
        }
        let kept = browsers.lock();
        assert!(kept.weight() <= 200_000, "{}", kept.weight());
        assert!(kept.len() > 20, "{}", kept.len());
    }

    #[test]
    fn three_rounds_in_a_minute_are_a_loop() {
        let (browsers, clock) = browsers();
        let token = begin(&browsers, None, "s");
        let cookie = || iter::once(&*token);
        for _ in 0..2 {
            browsers.completed(cookie());
            clock.advance(Duration::from_secs(20));
        }
        assert!(!browsers.is_looping(cookie()));
        browsers.completed(cookie());
        assert!(browsers.is_looping(cookie()));
        assert!(!browsers.is_looping(iter::once("other")));
        clock.advance(Duration::from_secs(20));
        assert!(!browsers.is_looping(cookie()));
    }

    #[test]
    fn a_person_who_has_read_about_the_loop_may_try_again() {
        let (browsers, _) = browsers();
        let token = begin(&browsers, None, "s");
        for _ in 0..LOOP_ROUNDS {
            browsers.completed(iter::once(&*token));
        }
        browsers.start_over(iter::once(&*token));
        assert!(!browsers.is_looping(iter::once(&*token)));
    }
}
