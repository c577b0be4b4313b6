//! Every claim in a table.

use super::ClaimRow;
use crate::config::Provider;
use crate::mapping::{Examined, visible};
use crate::provider::Source;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, VecDeque};

/// More rows than anybody reads.
const MOST_ROWS: usize = 500;
/// Longer values are cut.
const MOST_CHARS: usize = 2000;

/// What is known about where claims came from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sources<'a> {
    /// Nothing: they stood in a file.
    None,
    /// By the claim's name; the ID token, where it is not there.
    Verified(&'a BTreeMap<String, Source>),
}

/// The claims, level by level.
pub(super) fn rows(
    provider: &Provider,
    claims: &Map<String, Value>,
    examined: &Examined,
    sources: Sources<'_>,
) -> Vec<ClaimRow> {
    let mut rows = Vec::new();
    let mut waiting: VecDeque<(Vec<&str>, &Value)> = claims
        .iter()
        .map(|(name, value)| (vec![name.as_str()], value))
        .collect();
    while let Some((path, value)) = waiting.pop_front() {
        if rows.len() == MOST_ROWS {
            break;
        }
        rows.push(ClaimRow {
            name: visible(&path.join(".")),
            source: source(&path, sources),
            kind: kind(value),
            value: short(value),
            used_for: used_for(&path, provider, examined),
        });
        // What would not be shown need not be looked at.
        if let Value::Object(members) = value
            && rows.len() + waiting.len() < MOST_ROWS
        {
            waiting.extend(members.iter().map(|(name, value)| {
                let mut path = path.clone();
                path.push(name);
                (path, value)
            }));
        }
    }
    rows
}

fn source(path: &[&str], sources: Sources<'_>) -> Option<&'static str> {
    match (sources, path.first()) {
        (Sources::Verified(sources), Some(name)) => Some(
            sources
                .get(*name)
                .copied()
                .unwrap_or(Source::IdToken)
                .name(),
        ),
        _ => None,
    }
}

/// The facts that came of this claim, or of something in it.
fn used_for(path: &[&str], provider: &Provider, examined: &Examined) -> Vec<&'static str> {
    let mut facts: Vec<&'static str> = examined
        .facts
        .iter()
        .filter(|fact| {
            let gave = |tried: &&crate::mapping::Tried| tried.problem.is_none();
            fact.tried.iter().rfind(gave).is_some_and(|tried| {
                !tried.path.is_empty()
                    && tried.path.len() >= path.len()
                    && tried.path.iter().zip(path).all(|(one, other)| one == other)
            })
        })
        .map(|fact| fact.name)
        .collect();
    let whole = path.join(".");
    if provider.require.iter().any(|one| one.claim == whole) {
        facts.push("require");
    }
    facts
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// Of every value that is longer than anybody reads, the beginning: each step of each mapping holds
/// one, and together they may be a hundred times as long as the claims.
pub(super) fn shorten(examined: &mut Examined) {
    let shorten = |value: &mut Value| {
        let text = match &*value {
            Value::Null | Value::Bool(_) | Value::Number(_) => return,
            Value::String(text) if text.len() <= MOST_CHARS => return,
            other => other.to_string(),
        };
        if text.len() > MOST_CHARS {
            *value = Value::String(cut(&visible(&text), MOST_CHARS));
        }
    };
    for fact in &mut examined.facts {
        shorten(&mut fact.value);
        for tried in &mut fact.tried {
            shorten(&mut tried.found);
            for step in &mut tried.steps {
                shorten(&mut step.value);
            }
        }
    }
}

/// Compact JSON, cut, and harmless to a terminal.
pub(super) fn short(value: &Value) -> String {
    cut(&visible(&value.to_string()), MOST_CHARS)
}

/// The first so many characters, with a mark where something is missing.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text
            .chars()
            .take(most.saturating_sub(1))
            .chain(['…'])
            .collect(),
    }
}
