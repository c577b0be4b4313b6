//! First, last and full name. They decide nothing, so what is unusable is left out.

use super::find::{Absent, Document};
use super::{Fact, Rules, Tried};
use crate::config::Mapping;
use crate::identity::DisplayName;
use serde_json::Value;

/// The names: whichever are there make the others.
pub(super) fn names(document: &Document<'_>, rules: Rules<'_>) -> ([Fact; 3], Option<DisplayName>) {
    let claims = &rules.provider.claims;
    let (mut full_fact, full) = name(document, "display_name", &claims.display_name);
    let (mut first_fact, first) = name(document, "first_name", &claims.first_name);
    let (mut last_fact, last) = name(document, "last_name", &claims.last_name);

    let parts = [first.as_deref(), last.as_deref()];
    let joined = parts
        .iter()
        .flatten()
        .copied()
        .collect::<Vec<_>>()
        .join(" ");
    let display_name = match full.as_deref().map(DisplayName::parse) {
        Some(Ok(name)) => Some(name),
        wrong => {
            if let (Some(Err(invalid)), Some(tried)) = (wrong, full_fact.tried.last_mut()) {
                tried.problem = Some(format!("the name {invalid}"));
            }
            DisplayName::parse(joined.as_str())
                .ok()
                .inspect(|_| made(&mut full_fact, "first_name and last_name", &joined, &joined))
        }
    };
    full_fact.value = display_name
        .as_ref()
        .map_or(Value::Null, |n| n.as_str().into());

    if let (Some(full), None, None) = (&display_name, &first, &last) {
        // The last word is the last name: wrong for some, and nothing depends on it.
        let full = full.as_str();
        let (first, last) = full.rsplit_once(' ').unwrap_or((full, ""));
        for (fact, part) in [(&mut first_fact, first.trim()), (&mut last_fact, last)] {
            if !part.is_empty() {
                made(fact, "display_name", full, part);
            }
        }
    }
    ([full_fact, first_fact, last_fact], display_name)
}

/// A text without white space around it, if there is one.
fn name(
    document: &Document<'_>,
    name: &'static str,
    mappings: &[Mapping],
) -> (Fact, Option<String>) {
    let (mut fact, found) = document.resolve(name, mappings, Absent::Empty, |_| Ok(()));
    let text = match found.map(|found| found.value) {
        Some(Value::String(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Some(_) => {
            if let Some(tried) = fact.tried.last_mut() {
                tried.problem = Some("it is no text".to_owned());
            }
            None
        }
        None => None,
    };
    fact.value = text.as_deref().map_or(Value::Null, Value::from);
    (fact, text)
}

/// Notes a fact that was made of others.
fn made(fact: &mut Fact, of: &str, from: &str, value: &str) {
    fact.value = value.into();
    fact.tried.push(Tried {
        mapping: format!("made of {of}"),
        claim: None,
        path: Vec::new(),
        found: from.into(),
        steps: Vec::new(),
        problem: None,
    });
}
