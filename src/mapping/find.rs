//! Finding a claim by its configured name.

use serde_json::{Map, Value};

/// The first of these references that is there, and what it holds.
///
/// `null`, an empty text and, unless `empty_list_counts`, an empty list are not there: providers
/// send them for facts that they do not have.
pub(super) fn first<'a>(
    claims: &'a Map<String, Value>,
    references: &'a [String],
    empty_list_counts: bool,
) -> Option<(&'a str, &'a Value)> {
    let is_there = |value: &&Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty() || empty_list_counts,
        _ => true,
    };
    references.iter().find_map(|reference| {
        // The literal name first: `https://ns.example/groups` is no path.
        let literal = claims.get(reference).filter(is_there);
        let value = literal.or_else(|| path(claims, reference).filter(is_there))?;
        Some((reference.as_str(), value))
    })
}

/// Follows a dotted path through objects.
fn path<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut names = path.split('.');
    let first = claims.get(names.next()?)?;
    names.try_fold(first, |value, name| value.as_object()?.get(name))
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
pub(super) fn quoted(references: &[String]) -> String {
    let quoted: Vec<_> = references
        .iter()
        .map(|name| format!("\"{name}\""))
        .collect();
    quoted.join(", ")
}
