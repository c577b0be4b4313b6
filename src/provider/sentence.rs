//! What an administrator is told of a provider, for a terminal and for a page.

use std::fmt;

/// A sentence in English, as terminals and logs have it, with what a page needs to say the same in
/// its reader's language.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sentence {
    key: Option<&'static str>,
    values: Vec<(&'static str, String)>,
    english: String,
}

impl Sentence {
    /// The key of its text, and the text in English with `{name}` where a value stands: the same as
    /// in `languages/en.toml`, which a test looks after.
    pub(super) fn new<const N: usize>(
        key: &'static str,
        english: &str,
        values: [(&'static str, &str); N],
    ) -> Self {
        let mut text = String::with_capacity(english.len());
        // What a value holds is not looked at again.
        let mut pieces = english.split('{');
        text.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let (name, rest) = piece.split_once('}').unwrap_or(("", piece));
            let value = values.iter().find(|(known, _)| *known == name);
            text.push_str(value.map_or("", |(_, value)| value));
            text.push_str(rest);
        }
        Self {
            key: Some(key),
            values: values.map(|(name, value)| (name, value.to_owned())).into(),
            english: text,
        }
    }

    /// Nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.english.is_empty()
    }

    /// In English.
    #[must_use]
    pub fn english(&self) -> &str {
        &self.english
    }

    /// The key of its text; none: it is an error's own words, which are the log's too.
    #[must_use]
    pub const fn key(&self) -> Option<&'static str> {
        self.key
    }

    /// The values in its text, by name.
    #[must_use]
    pub fn values(&self) -> &[(&'static str, String)] {
        &self.values
    }
}

/// Words that are no text of a page: those of an error.
impl From<String> for Sentence {
    fn from(english: String) -> Self {
        Self {
            english,
            ..Self::default()
        }
    }
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.english)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_their_names_do_and_are_not_read_again() {
        let said = Sentence::new("k", "a {x}, {y} b", [("x", "{y}"), ("y", "2")]);
        assert_eq!(said.english(), "a {y}, 2 b");
        assert_eq!(said.key(), Some("k"));
        let words = Sentence::from("{x".to_owned());
        assert_eq!((words.to_string(), words.key()), ("{x".to_owned(), None));
    }
}
