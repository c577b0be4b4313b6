//! Finding a value by its configured reference, and what the steps make of it.

use super::{Fact, Tried, expression, steps, written};
use crate::config::{Mapping, Reference};
use serde_json::{Map, Value};
use std::cell::OnceCell;

/// The claims, and the same for expressions once one asks.
pub(super) struct Document<'a> {
    claims: &'a Map<String, Value>,
    variable: OnceCell<Result<jmespath::Rcvar, String>>,
}

/// Which values say as little as no claim at all: providers send them for facts that they do not
/// have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// `null`, an empty text, an empty list.
    Empty,
    /// The same, but an empty list says that there is nothing, whatever further claims hold; so does
    /// a list of which the steps leave nothing.
    EmptyButLists,
    /// `null` alone.
    Null,
}

impl Absent {
    pub(super) fn is_there(self, value: &Value) -> bool {
        match (value, self) {
            (Value::Null, _) => false,
            (_, Self::Null) => true,
            (Value::String(text), _) => !text.is_empty(),
            (Value::Array(items), Self::Empty) => !items.is_empty(),
            _ => true,
        }
    }
}

/// A value that a mapping came to.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) mapping: &'a Mapping,
    /// The reference, for messages.
    pub(super) claim: String,
    pub(super) value: Value,
}

impl<'a> Document<'a> {
    pub(super) fn new(claims: &'a Map<String, Value>) -> Self {
        Self {
            claims,
            variable: OnceCell::new(),
        }
    }

    /// All claims.
    pub(super) const fn claims(&self) -> &Map<String, Value> {
        self.claims
    }

    /// Tries mappings in order until one comes to something. `usable` may rule one out.
    pub(super) fn resolve<'m>(
        &self,
        name: &'static str,
        mappings: &'m [Mapping],
        absent: Absent,
        usable: impl Fn(&Mapping) -> Result<(), String>,
    ) -> (Fact, Option<Found<'m>>) {
        let mut tried = Vec::new();
        let mut found = None;
        for mapping in mappings {
            let (path, looked) = self.look(&mapping.from, absent);
            let mut one = Tried {
                mapping: written::mapping(mapping),
                claim: path.first().cloned(),
                path,
                found: looked.as_ref().cloned().unwrap_or_default(),
                steps: Vec::new(),
                problem: None,
            };
            let value = match looked {
                Ok(Value::Null) => Err("there is no such claim".to_owned()),
                Ok(value) if !absent.is_there(&value) => Err("it is empty".to_owned()),
                Ok(value) => usable(mapping)
                    .and_then(|()| steps::run(value, &mapping.steps, &mut one.steps))
                    .map(|value| match (absent, value) {
                        (Absent::EmptyButLists, Value::Null) => Value::Array(Vec::new()),
                        (_, value) => value,
                    }),
                Err(problem) => Err(problem),
            };
            match value {
                Ok(value) if absent.is_there(&value) => {
                    found = Some(Found {
                        mapping,
                        claim: mapping.from.to_string(),
                        value,
                    });
                }
                Ok(_) => one.problem = Some("the steps leave nothing".to_owned()),
                Err(problem) => one.problem = Some(problem),
            }
            tried.push(one);
            if found.is_some() {
                break;
            }
        }
        let value = found.as_ref().map(|found| found.value.clone());
        let fact = Fact {
            name,
            tried,
            value: value.unwrap_or_default(),
        };
        (fact, found)
    }

    /// What a reference leads to, and by which names; `null`: nothing.
    fn look(&self, reference: &Reference, absent: Absent) -> (Vec<String>, Result<Value, String>) {
        let looked = match reference {
            Reference::Claim(text) => claim(self.claims, text, absent),
            Reference::Pointer(text) => pointer(self.claims, text),
            Reference::JmesPath(expression) => {
                let variable = self
                    .variable
                    .get_or_init(|| expression::variable(self.claims));
                let value = match variable {
                    Ok(variable) => expression::search(expression, variable),
                    Err(problem) => Err(problem.clone()),
                };
                return (Vec::new(), value);
            }
        };
        match looked {
            Some((path, value)) => (path, Ok(value.clone())),
            None => (Vec::new(), Ok(Value::Null)),
        }
    }
}

/// A claim by its literal name, or else by its dotted path: `https://ns.example/groups` is no path.
pub(super) fn claim<'a>(
    claims: &'a Map<String, Value>,
    reference: &str,
    absent: Absent,
) -> Option<(Vec<String>, &'a Value)> {
    let literal = claims
        .get(reference)
        .map(|value| (vec![reference.to_owned()], value));
    let is_there = |found: &(Vec<String>, &Value)| absent.is_there(found.1);
    if let Some(found) = literal.clone().filter(is_there) {
        return Some(found);
    }
    let mut names = reference.split('.');
    let path = names
        .next()
        .and_then(|first| claims.get(first))
        .and_then(|first| names.try_fold(first, |value, name| value.as_object()?.get(name)))
        .map(|value| (reference.split('.').map(str::to_owned).collect(), value));
    path.filter(is_there).or(literal)
}

/// RFC 6901. The document is an object, so the first name is a claim's.
fn pointer<'a>(claims: &'a Map<String, Value>, text: &str) -> Option<(Vec<String>, &'a Value)> {
    let inner = text.strip_prefix('/')?;
    let (first, rest) = match inner.find('/') {
        Some(at) => inner.split_at(at),
        None => (inner, ""),
    };
    let value = claims.get(&unescaped(first))?.pointer(rest)?;
    Some((inner.split('/').map(unescaped).collect(), value))
}

/// RFC 6901 §4: `~1` first, so that `~01` is `~1`.
pub(super) fn unescaped(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

/// What a value is, for a message that must not show it.
pub(super) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// References as a message shows them.
pub(super) fn tried(references: &[Mapping]) -> String {
    let quoted: Vec<_> = references
        .iter()
        .map(|mapping| format!("\"{}\"", mapping.from))
        .collect();
    quoted.join(", ")
}
