//! The last sign-ins, and the reasons of each.

use super::chart::chart;
use super::{Asked, Console, encoded, paged, plain};
use crate::mapping::visible;
use crate::telemetry::audit::{Entry, Event};
use crate::telemetry::trail::{Attempt, Story};
use crate::web::Response;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A request id is no longer.
const MOST_ID: usize = 64;

impl Console {
    /// `GET /sign-ins?username=&page=`
    pub(super) fn sign_ins(&self, asked: &Asked<'_>) -> Response {
        let search = asked.query("username").map(str::trim).unwrap_or_default();
        let entries = self.parts.audit.recent();
        let known: BTreeSet<&str> = entries
            .iter()
            .filter_map(|entry| entry.request_id.as_deref())
            .collect();
        // The trail reaches further back than the audit log's memory: strangers who are refused do
        // not push the sign-ins of people out of it.
        let older = self.parts.trail.recent();
        let older = older
            .iter()
            .filter(|attempt| !known.contains(attempt.request_id.as_str()))
            .map(of_attempt);
        let mut rows: Vec<Value> = entries.iter().filter_map(of_entry).chain(older).collect();
        let wanted = search.to_ascii_lowercase();
        rows.retain(|row| {
            let name = row
                .get("username")
                .and_then(Value::as_str)
                .unwrap_or_default();
            wanted.is_empty() || name.to_ascii_lowercase().contains(&wanted)
        });
        // RFC 3339 of one width sorts as text; of the same moment, the later one first.
        rows.reverse();
        rows.sort_by(|one, other| text(other, "time").cmp(text(one, "time")));
        let count = rows.len();
        let (rows, before, after) = paged(rows, asked.page());
        let page = json!({
            "search": plain(search),
            "search_q": encoded(search),
            "count": count,
            "rows": rows,
            "before": before,
            "after": after,
            "chart": chart(&self.parts.audit.last_day()),
        });
        self.page(asked, "console-sign-ins.html", "sign-ins", &page)
    }

    /// `GET /sign-ins/{request id}`: what `portcullis why` prints.
    pub(super) fn reasons(&self, asked: &Asked<'_>, id: &str) -> Response {
        let story = Story {
            attempt: self.parts.trail.find(id),
            events: self.parts.audit.of_request(id),
        };
        let events: Vec<Value> = story.events.iter().map(told).collect();
        let steps: Vec<Value> = story
            .attempt
            .iter()
            .flat_map(|attempt| &attempt.steps)
            .map(|step| json!({ "stage": step.stage.name(), "detail": visible(&step.detail) }))
            .collect();
        let page = json!({
            "id": plain(id).chars().take(MOST_ID).collect::<String>(),
            "attempt": story.attempt.as_ref().map(of_attempt),
            "cut": story.attempt.as_ref().is_some_and(|attempt| attempt.cut),
            "steps": steps,
            "events": events,
        });
        self.page(asked, "console-reasons.html", "sign-ins", &page)
    }
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn of_attempt(attempt: &Attempt) -> Value {
    json!({
        "time": attempt.time,
        "kind": "sign_in",
        "ok": attempt.outcome.as_deref() == Some("ok"),
        "outcome": attempt.outcome,
        "username": attempt.username.as_deref().map(plain),
        "provider": attempt.provider,
        "client": attempt.client,
        "request_id": attempt.request_id,
    })
}

/// The entry as a row, if it is about a way in.
fn of_entry(entry: &Entry) -> Option<Value> {
    let (kind, outcome, username, provider) = match &entry.event {
        Event::SignIn {
            username, provider, ..
        } => ("sign_in", "ok", Some(username), Some(provider.as_str())),
        Event::Refusal {
            reason,
            username,
            provider,
            ..
        } => (
            "refusal",
            reason.as_str(),
            username.as_ref(),
            provider.as_deref(),
        ),
        Event::Backdoor { outcome, username } => {
            let outcome = match outcome.as_str() {
                "admitted" => "ok",
                other => other,
            };
            ("backdoor", outcome, Some(username), Some("backdoor"))
        }
        Event::Test { provider, outcome } => {
            ("test", outcome.as_str(), None, Some(provider.as_str()))
        }
        _ => return None,
    };
    Some(json!({
        "time": entry.time,
        "kind": kind,
        "ok": outcome == "ok",
        "outcome": plain(outcome),
        "username": username.map(|name| plain(name)),
        "provider": provider,
        "client": entry.client,
        "request_id": entry.request_id,
    }))
}

/// An event as its fields.
fn told(entry: &Entry) -> Value {
    let fields = match serde_json::to_value(&entry.event) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let fields: Vec<(String, String)> = fields
        .into_iter()
        .filter_map(|(name, value)| match value {
            Value::Null => None,
            Value::String(text) => Some((name, visible(&text))),
            Value::Array(items) => {
                let items = items.iter().map(|item| item.as_str().unwrap_or_default());
                Some((name, visible(&items.collect::<Vec<_>>().join("; "))))
            }
            other => Some((name, other.to_string())),
        })
        .collect();
    json!({ "time": entry.time, "fields": fields })
}
