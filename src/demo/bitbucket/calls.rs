//! The REST calls about people that reached it, for whoever tests a client.

use http::request::Parts;
use http::{Method, StatusCode};
use std::collections::VecDeque;

/// Calls that are remembered; the oldest go first.
const MAX_CALLS: usize = 1000;

/// A REST call about people, groups or permissions, as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// Path and query as they were sent, passwords and all.
    pub target: String,
    /// The body.
    pub body: String,
    /// Who it was taken to be from, when it was answered.
    pub username: Option<String>,
    /// What it was answered; none: not yet, or never.
    pub status: Option<StatusCode>,
}

impl Call {
    /// Whether it was meant to change something.
    #[must_use]
    pub fn is_write(&self) -> bool {
        self.method != Method::GET && self.method != Method::HEAD
    }
}

/// Whether a path is one of the calls that are recorded and disturbed.
pub(super) fn concerns_people(path: &str) -> bool {
    let version = path.strip_prefix("/rest/api/").unwrap_or_default();
    let Some((_, call)) = version.split_once('/') else {
        return false;
    };
    let first = call.split('/').next().unwrap_or_default();
    matches!(first, "admin" | "users" | "groups")
}

/// What was recorded. Numbers go on when it is emptied, so that an answer never finds another call.
#[derive(Debug, Default)]
pub(super) struct Calls {
    list: VecDeque<(u64, Call)>,
    next: u64,
}

impl Calls {
    pub(super) fn record(&mut self, parts: &Parts, body: &[u8]) -> u64 {
        if self.list.len() >= MAX_CALLS {
            self.list.pop_front();
        }
        let call = Call {
            method: parts.method.clone(),
            target: parts.uri.to_string(),
            body: String::from_utf8_lossy(body).into_owned(),
            username: None,
            status: None,
        };
        let number = self.next;
        self.next += 1;
        self.list.push_back((number, call));
        number
    }

    pub(super) fn answered(&mut self, number: u64, status: StatusCode, username: Option<String>) {
        let found = self.list.iter_mut().find(|(other, _)| *other == number);
        if let Some((_, call)) = found {
            call.status = Some(status);
            call.username = username;
        }
    }

    pub(super) fn list(&self) -> Vec<Call> {
        self.list.iter().map(|(_, call)| call.clone()).collect()
    }

    pub(super) fn forget(&mut self) {
        self.list.clear();
    }
}
