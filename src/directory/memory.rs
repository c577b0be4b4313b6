//! Pins that are gone with the process.

use super::{Error, Pin, Pins, Subject, same};
use crate::clock::Timestamp;
use crate::identity::Username;
use async_trait::async_trait;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default)]
pub(super) struct MemoryPins(Mutex<Maps>);

#[derive(Debug, Default)]
struct Maps {
    pins: HashMap<Subject, Pin>,
    /// The issuer of the subject that has each username, which is in lower case.
    taken: HashMap<String, String>,
}

#[async_trait]
impl Pins for MemoryPins {
    async fn pin(
        &self,
        subject: &Subject,
        username: &Username,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut maps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pin) = maps.pins.get_mut(subject) {
            if !same(&pin.username, username) {
                return Err(Error::Renamed {
                    pinned: pin.username.clone(),
                    claimed: username.clone(),
                });
            }
            pin.last_seen = now;
            return Ok(());
        }
        match maps.taken.entry(username.as_str().to_ascii_lowercase()) {
            Entry::Occupied(owner) => {
                return Err(Error::Taken {
                    username: username.clone(),
                    issuer: owner.get().clone(),
                });
            }
            Entry::Vacant(free) => {
                free.insert(subject.issuer.clone());
            }
        }
        let pin = Pin {
            username: username.clone(),
            first_seen: now,
            last_seen: now,
        };
        maps.pins.insert(subject.clone(), pin);
        Ok(())
    }

    #[cfg(test)]
    async fn find(&self, subject: &Subject) -> Result<Option<Pin>, Error> {
        Ok(self.0.lock().unwrap().pins.get(subject).cloned())
    }
}
