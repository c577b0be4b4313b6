//! Mistakes in the file, all of them at once, for the person who has to correct them.

use std::fmt;

/// Every mistake that was found, in the order of the file. Never empty.
///
/// There is no enum of ways to fail here: nothing in the program tells one mistake from another,
/// only a person does, and for that the text and the remedy stand where the rule is checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(Vec<Problem>);

/// One mistake. No part of it ever holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The configuration file, as it was named.
    pub file: String,
    /// Line and column, both from 1; none when the file could not be read at all.
    pub place: Option<(usize, usize)>,
    /// The dotted key, such as `providers.salesforce.client_id`; empty for the file as a whole.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problems {
    /// `None` when there is no problem.
    pub(super) fn new(mut found: Vec<Problem>) -> Option<Self> {
        found.sort_by_key(|problem| problem.place);
        (!found.is_empty()).then_some(Self(found))
    }

    /// A single problem.
    pub(super) fn one(problem: Problem) -> Self {
        Self(vec![problem])
    }

    /// The mistakes, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}\n    {}", self.what, self.remedy)
    }
}

/// What a check says about a value: what is wrong with it, and the remedy.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) what: String,
    pub(super) remedy: String,
}

/// A mistake in words: lower case, no full stop, the offending value in quotes, never a secret.
pub(super) fn mistake(what: impl Into<String>, remedy: impl Into<String>) -> Mistake {
    Mistake {
        what: what.into(),
        remedy: remedy.into(),
    }
}

/// A value in quotes, without anything that could disturb a terminal, and not endless.
pub(super) fn quoted(text: &str) -> String {
    const MAX: usize = 120;
    let mut shown: String = text
        .chars()
        .take(MAX)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(MAX).is_some() {
        shown.push('…');
    }
    // A single quote disturbs nobody between double ones.
    format!("\"{}\"", shown.replace("\\'", "'"))
}

/// The one of `known` that `written` was probably meant to be.
pub(super) fn meant<'k>(
    written: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> Option<&'k str> {
    let written = written.to_ascii_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|name| {
            let plain = name.to_ascii_lowercase().replace('-', "_");
            (strsim::damerau_levenshtein(&written, &plain), name)
        })
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `"a", "b" or "c"`.
pub(super) fn one_of(names: &[&str]) -> String {
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => format!("\"{last}\""),
        Some((last, rest)) => format!("\"{}\" or \"{last}\"", rest.join("\", \"")),
    }
}

/// Line and column of a byte, both from 1; columns count characters.
pub(super) fn place(text: &str, offset: usize) -> (usize, usize) {
    let offset = (0..=offset.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    let before = text.get(..offset).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters() {
        let text = "a\nöb = 1\r\nc";
        assert_eq!(place(text, 0), (1, 1));
        assert_eq!(place(text, 2), (2, 1));
        assert_eq!(place(text, 3), (2, 1), "inside a character");
        assert_eq!(place(text, 4), (2, 2));
        assert_eq!(place(text, text.len()), (3, 2));
        assert_eq!(place(text, 1000), (3, 2));
    }

    #[test]
    fn a_near_name_is_meant_and_a_far_one_is_not() {
        let known = ["url", "kind", "connect_timeout_secs"];
        assert_eq!(meant("urll", known), Some("url"));
        assert_eq!(
            meant("connect-timeout-secs", known),
            Some("connect_timeout_secs")
        );
        assert_eq!(
            meant("connect_timeout", known),
            Some("connect_timeout_secs")
        );
        assert_eq!(meant("password", known), None);
    }

    #[test]
    fn a_quoted_value_cannot_disturb_a_terminal() {
        assert_eq!(quoted("o'a\u{1b}[31m\n"), "\"o'a\\u{1b}[31m\\n\"");
        assert_eq!(quoted(&"x".repeat(500)).chars().count(), 123);
    }
}
