//! Pins that are gone with the process.

use super::{Claim, Error, Identity, Pins, Standing, Subject, Whom, confirmed, decide, same};
use crate::clock::Timestamp;
use crate::identity::Username;
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
pub(super) struct MemoryPins(Mutex<Maps>);

#[derive(Debug, Default)]
struct Maps {
    pins: HashMap<Subject, Identity>,
    /// The subjects that have each username, which is in lower case.
    owners: HashMap<String, Vec<Subject>>,
}

impl MemoryPins {
    fn maps(&self) -> MutexGuard<'_, Maps> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maps {
    fn of(&self, username: &Username) -> Vec<Identity> {
        let owners = self.owners.get(&key(username));
        let pins = owners.into_iter().flatten();
        pins.filter_map(|subject| self.pins.get(subject).cloned())
            .collect()
    }

    fn put(&mut self, identity: Identity) -> Option<Username> {
        let before = self.remove(&identity.subject);
        self.owners
            .entry(key(&identity.username))
            .or_default()
            .push(identity.subject.clone());
        self.pins.insert(identity.subject.clone(), identity);
        before
    }

    fn remove(&mut self, subject: &Subject) -> Option<Username> {
        let before = self.pins.remove(subject)?.username;
        if let Some(owners) = self.owners.get_mut(&key(&before)) {
            owners.retain(|owner| owner != subject);
            if owners.is_empty() {
                self.owners.remove(&key(&before));
            }
        }
        Some(before)
    }
}

fn key(username: &Username) -> String {
    username.as_str().to_ascii_lowercase()
}

#[async_trait]
impl Pins for MemoryPins {
    async fn pin(&self, claim: Claim, now: Timestamp, write: bool) -> Result<Standing, Error> {
        let mut maps = self.maps();
        let own = maps.pins.get(&claim.subject).cloned();
        let standing = decide(own.as_ref(), &maps.of(&claim.username), &claim)?;
        if write {
            maps.put(confirmed(own.as_ref(), claim, now));
        }
        Ok(standing)
    }

    async fn find(&self, subject: &Subject) -> Result<Option<Identity>, Error> {
        Ok(self.maps().pins.get(subject).cloned())
    }

    async fn list(&self, username: Option<&Username>, limit: u32) -> Result<Vec<Identity>, Error> {
        let maps = self.maps();
        let mut found: Vec<_> = maps
            .pins
            .values()
            .filter(|pin| username.is_none_or(|name| same(&pin.username, name)))
            .cloned()
            .collect();
        found.sort_by_key(|pin| (key(&pin.username), pin.subject.issuer.clone()));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found)
    }

    async fn put(&self, identity: Identity) -> Result<Option<Username>, Error> {
        Ok(self.maps().put(identity))
    }

    async fn forget(&self, who: Whom) -> Result<usize, Error> {
        let mut maps = self.maps();
        let subjects = match who {
            Whom::Subject(subject) => vec![subject],
            Whom::Username(name) => maps.owners.get(&key(&name)).cloned().unwrap_or_default(),
        };
        let gone = subjects.iter().filter_map(|subject| maps.remove(subject));
        Ok(gone.count())
    }
}
