//! Mappings as they are written in the configuration.

use crate::config::{Keep, Mapping, Pattern, Reference, Step};
use std::fmt::Write as _;

/// A text as a basic string of TOML: quotes, backslashes, and whatever cannot be seen or would move
/// what follows it are escaped, so that it can be shown anywhere.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() || is_invisible(c) => {
                // Writing into a string cannot fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A text without characters that cannot be seen or would move what follows them, such as those that
/// talk to a terminal.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_invisible(c) {
            visible.extend(c.escape_unicode());
        } else {
            visible.push(c);
        }
    }
    visible
}

/// The same for a text that is JSON already, which stays the same JSON: what cannot be seen is written
/// as JSON escapes it (RFC 8259 §7). Such characters stand in its strings alone, but for the ends of
/// lines.
#[must_use]
pub fn visible_json(json: &str) -> String {
    let mut visible = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && (c.is_control() || is_invisible(c)) {
            visible.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            visible.push(c);
        }
    }
    visible
}

/// A name as a key of TOML: quoted only where it has to be.
#[must_use]
pub fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// Characters that hide, or that reorder what is shown. All of them take four digits.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// A mapping.
pub(super) fn mapping(mapping: &Mapping) -> String {
    let from = match &mapping.from {
        Reference::Claim(text) | Reference::Pointer(text) if mapping.steps.is_empty() => {
            return text.clone();
        }
        Reference::Claim(text) | Reference::Pointer(text) => format!("claim = {}", quoted(text)),
        Reference::JmesPath(expression) => format!("jmespath = {}", quoted(expression.as_str())),
    };
    if mapping.steps.is_empty() {
        return format!("{{ {from} }}");
    }
    let steps: Vec<String> = mapping.steps.iter().map(step).collect();
    format!("{{ {from}, steps = [{}] }}", steps.join(", "))
}

/// A step.
pub(super) fn step(step: &Step) -> String {
    match step {
        Step::Trim => quoted("trim"),
        Step::Lower => quoted("lower"),
        Step::Upper => quoted("upper"),
        Step::Json => quoted("json"),
        Step::Keys => quoted("keys"),
        Step::Split(at) => match at.as_slice() {
            [one] => format!("{{ split = {} }}", quoted(one)),
            several => format!("{{ split = {} }}", list(several.iter().map(String::as_str))),
        },
        Step::Pick(name) => format!("{{ pick = {} }}", quoted(name)),
        Step::StripPrefix(prefix) => format!("{{ strip_prefix = {} }}", quoted(prefix)),
        Step::LastSegment(separator) => format!("{{ last_segment = {} }}", quoted(separator)),
        Step::Regex(rewrite) => format!(
            "{{ regex = {}, replace = {} }}",
            quoted(rewrite.pattern()),
            quoted(rewrite.replacement())
        ),
        Step::LocalPart(domains) => format!(
            "{{ local_part = {} }}",
            list(domains.iter().map(|domain| domain.as_str()))
        ),
        Step::Table { map, other } => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(from, to)| format!("{} = {}", key(from), quoted(to)))
                .collect();
            let other = match other {
                Keep::Keep => ", other = \"keep\"",
                Keep::Drop => "",
            };
            format!("{{ table = {{ {} }}{other} }}", pairs.join(", "))
        }
        Step::Filter { allow, deny } => {
            let patterns = |name: &str, patterns: &[Pattern]| {
                let texts = patterns.iter().map(Pattern::as_str);
                (!patterns.is_empty()).then(|| format!("{name} = {}", list(texts)))
            };
            let parts: Vec<String> = [patterns("allow", allow), patterns("deny", deny)]
                .into_iter()
                .flatten()
                .collect();
            format!("{{ {} }}", parts.join(", "))
        }
        Step::Limit(most) => format!("{{ limit = {most} }}"),
    }
}

/// Texts as a list of TOML.
#[must_use]
pub fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let texts: Vec<String> = texts.map(quoted).collect();
    format!("[{}]", texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_for_a_terminal_moves_no_cursor_and_stays_the_same_json() {
        let hostile = "\u{9b}2J\u{7f}\u{202e}\u{1b}[31m\n\"\\é\u{2028}";
        let json = serde_json::to_string_pretty(&[hostile]).unwrap();
        let shown = visible_json(&json);
        assert!(
            shown
                .chars()
                .all(|c| c == '\n' || !c.is_control() && !is_invisible(c))
        );
        let read: Vec<String> = serde_json::from_str(&shown).unwrap();
        assert_eq!(read, [hostile]);
        assert!(shown.contains('é'));
    }
}
