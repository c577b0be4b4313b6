//! The typed steps of a mapping.
//!
//! A step on text works on a text, and on each text of a list; an exact integer is text too, because
//! identifiers are numbers at some providers. What is neither passes the steps that only tidy, so
//! that its kind can be named in the refusal, and never passes the ones that decide what may stay.

use super::{StepTaken, written};
use crate::config::{Keep, Pattern, Step};
use crate::identity::{Domain, Email};
use serde_json::{Map, Value};

/// What all texts of one value may take together. Claims are at most half of it.
pub(super) const MOST_BYTES: usize = 2 << 20;
/// Longer texts are nobody's name; a rewriting step drops them, whose result can be many times as
/// long.
const MOST_REWRITTEN: usize = 16 << 10;

/// Elements of a list that are noted.
const MOST_NOTED: usize = 1000;

/// Takes the steps in order, and notes what each leaves. `null`: nothing is left.
pub(super) fn run(
    value: Value,
    steps: &[Step],
    taken: &mut Vec<StepTaken>,
) -> Result<Value, String> {
    steps.iter().try_fold(value, |value, step| {
        let value = take(value, step)?;
        taken.push(StepTaken {
            step: written::step(step),
            value: noted(&value),
        });
        Ok(value)
    })
}

/// A note of a value: of a list that nobody reads to its end, the beginning. A megabyte of claims is
/// a quarter of a million of texts, and there may be many steps.
fn noted(value: &Value) -> Value {
    match value {
        Value::Array(items) if items.len() > MOST_NOTED => {
            let beginning = items.iter().take(MOST_NOTED).cloned();
            Value::Array(beginning.chain([Value::from("…")]).collect())
        }
        other => other.clone(),
    }
}

fn take(value: Value, step: &Step) -> Result<Value, String> {
    use Others::{Go, Stay};
    match step {
        Step::Trim => texts(value, Stay, |text| Some(text.trim().to_owned())),
        Step::Lower => texts(value, Stay, |text| Some(cased(text, char::to_lowercase))),
        Step::Upper => texts(value, Stay, |text| Some(cased(text, char::to_uppercase))),
        Step::Json => Ok(json(value)),
        Step::Keys => Ok(keys(value)),
        Step::Split(at) => Ok(split(value, at)),
        Step::Pick(name) => Ok(pick(value, name)),
        Step::StripPrefix(prefix) => texts(value, Stay, |text| {
            Some(text.strip_prefix(prefix).unwrap_or(text).to_owned())
        }),
        Step::LastSegment(separator) => texts(value, Stay, |text| {
            text.rsplit(separator.as_str()).next().map(str::to_owned)
        }),
        Step::Regex(rewrite) => texts(value, Go, |text| {
            (text.len() <= MOST_REWRITTEN)
                .then(|| rewrite.rewrite(text))
                .flatten()
        }),
        Step::LocalPart(domains) => texts(value, Go, |text| local_part(text, domains)),
        Step::Table { map, other } => {
            let others = match other {
                Keep::Keep => Stay,
                Keep::Drop => Go,
            };
            texts(value, others, |text| match (map.get(text), other) {
                (Some(to), _) => Some(to.clone()),
                (None, Keep::Keep) => Some(text.to_owned()),
                (None, Keep::Drop) => None,
            })
        }
        Step::Filter { allow, deny } => texts(value, Go, |text| {
            let fits = |patterns: &[Pattern]| patterns.iter().any(|one| one.fits(text));
            ((allow.is_empty() || fits(allow)) && !fits(deny)).then(|| text.to_owned())
        }),
        Step::Limit(most) => Ok(match value {
            Value::Array(mut items) => {
                items.truncate(*most);
                Value::Array(items)
            }
            other => other,
        }),
    }
}

/// What happens to what is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    Stay,
    Go,
}

/// Changes or drops each text.
fn texts(
    value: Value,
    others: Others,
    change: impl Fn(&str) -> Option<String>,
) -> Result<Value, String> {
    let mut room = MOST_BYTES;
    let mut one = |value: Value| -> Result<Option<Value>, String> {
        match (text(&value), others) {
            (Some(text), _) => {
                let Some(changed) = change(&text) else {
                    return Ok(None);
                };
                room = room
                    .checked_sub(changed.len())
                    .ok_or("the step makes too much of it")?;
                Ok(Some(Value::String(changed)))
            }
            (None, Others::Stay) => Ok(Some(value)),
            (None, Others::Go) => Ok(None),
        }
    };
    match value {
        Value::Array(items) => {
            let mut changed = Vec::with_capacity(items.len());
            for item in items {
                // Nothing is no element.
                changed.extend(one(item)?.filter(|left| left.as_str() != Some("")));
            }
            Ok(Value::Array(changed))
        }
        other => Ok(one(other)?.unwrap_or_default()),
    }
}

/// A text, or an exact integer as one.
pub(super) fn text(value: &Value) -> Option<std::borrow::Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            Some(number.to_string().into())
        }
        _ => None,
    }
}

/// Upper or lower case, without ever making ASCII of something else: the Kelvin sign's lower case is
/// `k`, and `ſ`'s upper case `S`, which would make one person of two.
fn cased<C: Iterator<Item = char>>(text: &str, case: impl Fn(char) -> C) -> String {
    let mut cased = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() || case(c).all(|c| !c.is_ascii()) {
            cased.extend(case(c));
        } else {
            cased.push(c);
        }
    }
    cased
}

/// Texts that are JSON become what they say; the elements of a list in a list are elements.
fn json(value: Value) -> Value {
    let read = |value: Value| match &value {
        // The reader has a limit of its own for how deep it goes.
        Value::String(text) if text.trim_start().starts_with(['[', '{']) => {
            serde_json::from_str(text).unwrap_or(value)
        }
        _ => value,
    };
    match value {
        Value::Array(items) => flat(items.into_iter().map(|item| match item {
            Value::String(_) => read(item),
            // Was a list before, and is not made flat in passing.
            other => Value::Array(vec![other]),
        })),
        other => read(other),
    }
}

fn keys(value: Value) -> Value {
    let names = |members: Map<String, Value>| {
        let names = members.into_iter().filter_map(|(name, member)| {
            let is = !matches!(member, Value::Null | Value::Bool(false));
            is.then_some(Value::String(name))
        });
        Value::Array(names.collect())
    };
    match value {
        Value::Object(members) => names(members),
        Value::Array(items) => flat(items.into_iter().map(|item| match item {
            Value::Object(members) => names(members),
            other => Value::Array(vec![other]),
        })),
        other => other,
    }
}

fn split(value: Value, at: &[String]) -> Value {
    let pieces = |text: &str| -> Value {
        let mut pieces = vec![text];
        for separator in at.iter().filter(|separator| !separator.is_empty()) {
            pieces = pieces
                .into_iter()
                .flat_map(|piece| piece.split(separator.as_str()))
                .collect();
        }
        let pieces = pieces.into_iter().map(str::trim);
        let pieces = pieces.filter(|piece| !piece.is_empty());
        Value::Array(pieces.map(Value::from).collect())
    };
    match value {
        Value::String(text) => pieces(&text),
        Value::Array(items) => flat(items.into_iter().map(|item| match item {
            Value::String(text) => pieces(&text),
            other => Value::Array(vec![other]),
        })),
        other => other,
    }
}

fn pick(value: Value, name: &str) -> Value {
    match value {
        Value::Object(mut members) => members.remove(name).unwrap_or_default(),
        Value::Array(items) => flat(items.into_iter().filter_map(|item| match item {
            Value::Object(mut members) => members.remove(name),
            _ => None,
        })),
        _ => Value::Null,
    }
}

/// One list of several, and of what stands alone.
fn flat(items: impl Iterator<Item = Value>) -> Value {
    let mut all = Vec::new();
    for item in items {
        match item {
            Value::Array(items) => all.extend(items),
            other => all.push(other),
        }
    }
    Value::Array(all)
}

/// Of a whole address in one of these domains, and of nothing else: the name before the `@` of
/// anybody's domain is anybody's name.
fn local_part(text: &str, domains: &[Domain]) -> Option<String> {
    let email = Email::parse(text).ok()?;
    domains
        .iter()
        .any(|domain| email.is_in(domain))
        .then(|| email.local_part().to_owned())
}
