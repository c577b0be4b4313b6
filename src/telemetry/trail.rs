//! The last sign-ins, step by step: what `portcullis why` and the console tell.
//!
//! Bounded in every direction: so many attempts, so many bytes each. Strangers can make as many
//! failed attempts as they like, so those of people whom a provider vouches for are kept apart from
//! the rest, and no stranger pushes them out. In memory only, and for administrators only: the steps
//! hold what a provider says about a person, though never a token.

use super::audit::{Entry, Origin, rfc3339};
use crate::clock::Clock;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Attempts of people whom a provider vouched for.
const MOST_VOUCHED: usize = 200;
/// Attempts that did not get that far.
const MOST_OTHERS: usize = 100;
/// The text of one attempt, in bytes.
const MOST_BYTES: usize = 16 * 1024;
/// One detail, in bytes.
const MOST_DETAIL: usize = 600;
/// A name or an id, in bytes: usernames are shorter.
const MOST_NAME: usize = 256;

/// Which part of a sign-in a step belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// What the provider answered, and whether it holds.
    Provider,
    /// What the provider says about the person.
    Claim,
    /// How a fact was found in that.
    Mapping,
    /// What became of a group.
    Group,
    /// A rule of the configuration.
    Rule,
    /// The binding of a name to the provider's subject.
    Pin,
    /// What was done in Bitbucket.
    Provisioning,
    /// The session.
    Session,
    /// Why nobody got in.
    Refusal,
}

impl Stage {
    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Claim => "claim",
            Self::Mapping => "mapping",
            Self::Group => "group",
            Self::Rule => "rule",
            Self::Pin => "pin",
            Self::Provisioning => "provisioning",
            Self::Session => "session",
            Self::Refusal => "refused",
        }
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Where.
    pub stage: Stage,
    /// What happened, in one line.
    pub detail: String,
}

/// One attempt to sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The request that came back from the provider.
    pub request_id: String,
    /// When it began, in RFC 3339.
    pub time: String,
    /// From where.
    pub client: Option<IpAddr>,
    /// With which provider, if that far.
    pub provider: Option<String>,
    /// Who, if known.
    pub username: Option<String>,
    /// `ok`, or the code of what refused; none: it is under way, or was cut off.
    pub outcome: Option<String>,
    /// In order.
    pub steps: Vec<Step>,
    /// Something had to be left out.
    pub cut: bool,
    #[serde(skip)]
    vouched: bool,
    #[serde(skip)]
    bytes: usize,
}

/// Everything that is known about one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// The sign-in that it was, if it was one.
    pub attempt: Option<Attempt>,
    /// The audit events under its id, oldest first.
    pub events: Vec<Entry>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// With which provider, if that far.
    pub provider: Option<&'a str>,
    /// Who, if known.
    pub username: Option<&'a str>,
    /// `ok`, or the code of what refused.
    pub outcome: &'a str,
}

/// Remembers the last attempts. Cheap to clone; clones remember together.
#[derive(Debug, Clone)]
pub struct Trail {
    clock: Clock,
    attempts: Arc<Mutex<VecDeque<Attempt>>>,
}

impl Trail {
    /// Nothing yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            attempts: Arc::default(),
        }
    }

    /// Adds steps to the attempt of this request. A claim among them means that a provider vouches
    /// for somebody.
    pub fn note(&self, origin: &Origin, steps: impl IntoIterator<Item = (Stage, String)>) {
        self.with(origin, |attempt| {
            for (stage, detail) in steps {
                attempt.vouched |= stage == Stage::Claim;
                attempt.add(Step {
                    stage,
                    detail: cut(&detail, MOST_DETAIL),
                });
            }
        });
    }

    /// Says how the attempt of this request ended, and adds the reason in full as its last step.
    pub fn end(&self, origin: &Origin, ending: Ending<'_>, last: Option<(Stage, &str)>) {
        self.with(origin, |attempt| {
            attempt.provider = ending.provider.map(|id| cut(id, MOST_NAME));
            attempt.username = ending.username.map(|name| cut(name, MOST_NAME));
            attempt.outcome = Some(cut(ending.outcome, MOST_NAME));
            if let Some((stage, detail)) = last.filter(|(_, detail)| !detail.is_empty()) {
                // The one step that is never left out: it says why. Of a request id that a proxy takes
                // over from its clients there may be many ends; the first ones tell.
                match attempt.bytes < MOST_BYTES {
                    true => attempt.push(Step {
                        stage,
                        detail: cut(detail, MOST_DETAIL),
                    }),
                    false => attempt.cut = true,
                }
            }
        });
    }

    /// The attempt of a request.
    #[must_use]
    pub fn find(&self, request_id: &str) -> Option<Attempt> {
        let attempts = self.attempts();
        let found = attempts
            .iter()
            .rev()
            .find(|known| known.request_id == request_id);
        found.cloned()
    }

    /// All attempts that are remembered, oldest first, without their steps.
    #[must_use]
    pub fn recent(&self) -> Vec<Attempt> {
        let attempts = self.attempts();
        let without_steps = attempts.iter().map(|attempt| Attempt {
            request_id: attempt.request_id.clone(),
            time: attempt.time.clone(),
            client: attempt.client,
            provider: attempt.provider.clone(),
            username: attempt.username.clone(),
            outcome: attempt.outcome.clone(),
            steps: Vec::new(),
            cut: attempt.cut,
            vouched: attempt.vouched,
            bytes: attempt.bytes,
        });
        without_steps.collect()
    }

    fn with(&self, origin: &Origin, change: impl FnOnce(&mut Attempt)) {
        let Some(id) = origin.request_id.as_deref() else {
            return;
        };
        let mut attempts = self.attempts();
        // The newest first: an attempt in progress is near the end.
        match attempts.iter_mut().rev().find(|it| it.request_id == id) {
            Some(attempt) => change(attempt),
            None => {
                let mut attempt = Attempt {
                    request_id: cut(id, MOST_NAME),
                    time: rfc3339(self.clock.now()),
                    client: origin.client,
                    provider: None,
                    username: None,
                    outcome: None,
                    steps: Vec::new(),
                    cut: false,
                    vouched: false,
                    bytes: 0,
                };
                change(&mut attempt);
                attempts.push_back(attempt);
            }
        }
        for (vouched, most) in [(true, MOST_VOUCHED), (false, MOST_OTHERS)] {
            let of_kind = attempts.iter().filter(|it| it.vouched == vouched).count();
            if of_kind > most
                && let Some(oldest) = attempts.iter().position(|it| it.vouched == vouched)
            {
                attempts.remove(oldest);
            }
        }
    }

    fn attempts(&self) -> MutexGuard<'_, VecDeque<Attempt>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    fn add(&mut self, step: Step) {
        // Room for the last one.
        if self.bytes + step.detail.len() > MOST_BYTES - MOST_DETAIL - 4 * MOST_NAME {
            self.cut = true;
            return;
        }
        self.push(step);
    }

    fn push(&mut self, step: Step) {
        // A step is never free, so their number is bounded too.
        self.bytes += step.detail.len().max(16);
        self.steps.push(step);
    }
}

/// At most so many bytes, with a mark where something is missing.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mark = '…';
    let mut end = most.saturating_sub(mark.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut cut = text.get(..end).unwrap_or_default().to_owned();
    cut.push(mark);
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn trail() -> Trail {
        Trail::new(Clock::manual(Timestamp::from_secs(1)))
    }

    fn origin(id: &str) -> Origin {
        Origin {
            request_id: Some(id.to_owned()),
            client: Some([192, 0, 2, 1].into()),
        }
    }

    const OK: Ending<'_> = Ending {
        provider: Some("idp"),
        username: Some("ana"),
        outcome: "ok",
    };

    #[test]
    fn the_steps_of_one_request_are_one_attempt() {
        let trail = trail();
        trail.note(&origin("a"), [(Stage::Provider, "answered".to_owned())]);
        trail.note(&origin("b"), []);
        trail.note(&origin("a"), [(Stage::Claim, "sub = \"1\"".to_owned())]);
        assert_eq!(trail.find("a").unwrap().outcome, None);
        trail.end(&origin("a"), OK, Some((Stage::Session, "begun")));
        let found = trail.find("a").unwrap();
        assert_eq!(found.steps.len(), 3);
        assert_eq!(found.steps[2].detail, "begun");
        assert_eq!(found.outcome.as_deref(), Some("ok"));
        assert_eq!(found.time, "1970-01-01T00:00:01.000Z");
        assert!(trail.find("c").is_none());
        trail.note(&Origin::default(), [(Stage::Claim, "x".to_owned())]);
    }

    #[test]
    fn an_attempt_takes_little_room_and_keeps_its_reason() {
        let trail = trail();
        for _ in 0..3000 {
            let long = "é".repeat(5000);
            trail.note(
                &origin("a"),
                [(Stage::Claim, long), (Stage::Claim, String::new())],
            );
        }
        trail.end(&origin("a"), OK, Some((Stage::Rule, &"x".repeat(100_000))));
        let found = trail.find("a").unwrap();
        let bytes: usize = found.steps.iter().map(|step| step.detail.len()).sum();
        assert!(bytes <= MOST_BYTES, "{bytes}");
        assert!(found.steps.len() <= MOST_BYTES / 16);
        assert!(found.cut && found.steps[0].detail.ends_with('…'));
        assert_eq!(found.steps.last().unwrap().stage, Stage::Rule);
    }

    #[test]
    fn an_id_that_comes_again_and_again_takes_no_more_room() {
        let trail = trail();
        for _ in 0..10_000 {
            trail.end(&origin("a"), OK, Some((Stage::Refusal, &"x".repeat(1000))));
        }
        let found = trail.find("a").unwrap();
        let bytes: usize = found.steps.iter().map(|step| step.detail.len()).sum();
        assert!(bytes <= MOST_BYTES + MOST_DETAIL, "{bytes}");
        assert!(found.cut);
    }

    #[test]
    fn no_stranger_pushes_out_the_sign_ins_of_people() {
        let trail = trail();
        for n in 0..MOST_VOUCHED + 5 {
            trail.note(&origin(&format!("p{n}")), [(Stage::Claim, "c".to_owned())]);
        }
        for n in 0..10 * MOST_OTHERS {
            trail.end(&origin(&format!("s{n}")), OK, None);
        }
        assert!(trail.find("p4").is_none());
        assert!(trail.find("p5").is_some() && trail.find("s999").is_some());
        assert_eq!(trail.attempts().len(), MOST_VOUCHED + MOST_OTHERS);
    }
}
