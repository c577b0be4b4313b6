//! What has to be asked over the network for the overview: at most every half minute, within a few
//! seconds, and once for however many look at it.

use super::{Knock, Parts, around};
use crate::clock::Timestamp;
use crate::config::{Config, Kind};
use crate::provider::Finding;
use futures_util::future::{BoxFuture, FutureExt, Shared, join_all};
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long an answer is good.
const FRESH: Duration = Duration::from_secs(30);
/// How long each question may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// How everything was.
#[derive(Debug)]
pub(super) struct Health {
    /// When.
    pub(super) at: Timestamp,
    /// Why the store does not answer, if it does not; empty: not in time.
    pub(super) store: Result<(), String>,
    /// The upstream's status, or why there is none; empty: not in time.
    pub(super) upstream: Result<u16, String>,
    /// Bitbucket's version, if it says so.
    pub(super) version: Option<String>,
    /// The doors around the gateway.
    pub(super) around: Vec<Knock>,
    /// What was found at each provider, in the order of the file; none: not in time.
    pub(super) providers: Vec<Option<Vec<Finding>>>,
}

type Answer = Shared<BoxFuture<'static, Option<Arc<Health>>>>;

/// The last answer, or the one that is on its way.
#[derive(Default)]
pub(super) struct Probes(Mutex<Option<(Timestamp, Answer)>>);

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probes")
    }
}

impl Probes {
    /// How everything is. None if the question itself failed, which should not happen.
    pub(super) async fn health(&self, config: &Arc<Config>, parts: &Parts) -> Option<Arc<Health>> {
        let now = parts.clock.now();
        self.answer(now, || look(now, config, parts)).await
    }

    /// The answer of now, asked for if the last is too old.
    fn answer<F: Future<Output = Health> + Send + 'static>(
        &self,
        now: Timestamp,
        ask: impl FnOnce() -> F,
    ) -> Answer {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            // A clock that went back makes no answer good for longer.
            Some((at, answer)) if *at <= now && now.since(*at) < FRESH => answer.clone(),
            _ => {
                // A task of its own: who asked may go away, and others wait for the same.
                let asking = tokio::spawn(ask());
                let answer = asking.map(|done| done.ok().map(Arc::new)).boxed().shared();
                *last = Some((now, answer.clone()));
                answer
            }
        }
    }
}

/// Asks everybody at once.
fn look(
    at: Timestamp,
    config: &Arc<Config>,
    parts: &Parts,
) -> impl Future<Output = Health> + Send + use<> {
    let (config, sessions) = (Arc::clone(config), parts.sessions.clone());
    let (upstream, providers) = (Arc::clone(&parts.upstream), parts.providers.clone());
    async move {
        let is_bitbucket = config.upstream.kind == Kind::Bitbucket;
        let around = async {
            match is_bitbucket {
                true => around(&config).await,
                false => Vec::new(),
            }
        };
        let asked = providers.iter().map(|provider| in_time(provider.probe()));
        let (store, status, version, around, providers) = tokio::join!(
            in_time(sessions.ready()),
            in_time(upstream.probe()),
            in_time(upstream.version()),
            in_time(around),
            join_all(asked),
        );
        // Without a reason, it was not in time; the page has the words.
        let late = String::new;
        Health {
            at,
            store: store.map_or_else(
                || Err(late()),
                |ready| ready.map_err(|error| crate::telemetry::chain(&error)),
            ),
            upstream: status.map_or_else(
                || Err(late()),
                |status| match status {
                    Ok(status) => Ok(status.as_u16()),
                    Err(error) => Err(crate::telemetry::chain(&error)),
                },
            ),
            version: version.flatten(),
            around: around.unwrap_or_default(),
            providers,
        }
    }
}

async fn in_time<T>(question: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(PATIENCE, question).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    fn health(at: Timestamp) -> Health {
        Health {
            at,
            store: Ok(()),
            upstream: Ok(200),
            version: None,
            around: Vec::new(),
            providers: Vec::new(),
        }
    }

    #[tokio::test]
    async fn however_many_look_the_question_is_asked_once_in_half_a_minute() {
        let probes = Probes::default();
        let asked = Arc::new(AtomicUsize::new(0));
        let look = |secs| {
            let (at, asked) = (Timestamp::from_secs(secs), asked.clone());
            probes.answer(at, move || async move {
                asked.fetch_add(1, SeqCst);
                tokio::task::yield_now().await;
                health(at)
            })
        };
        // Whoever asked first may go away.
        drop(look(100));
        let answers = join_all((0..50).map(|_| look(100))).await;
        assert!(answers.iter().all(Option::is_some));
        look(129).await;
        assert_eq!(asked.load(SeqCst), 1);
        look(130).await;
        assert_eq!(asked.load(SeqCst), 2);
        look(1).await;
        assert_eq!(asked.load(SeqCst), 3);
    }
}
