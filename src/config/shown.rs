//! The configuration in force, for an administrator's eyes: every key with its value, and no secret.
//!
//! What is shown is made from `Debug`, so nothing has to be remembered: a
//! [`Secret`](crate::secret::Secret) prints `[secret]` wherever it stands, and there is no other way
//! to its value in here. `Debug`'s text is read back and written in a form that people read; a text
//! that this does not understand is not shown at all.

use super::Config;
use std::net::Ipv6Addr;

/// Longer values are cut, in characters.
const MOST: usize = 2000;
/// No value of a configuration is nested deeper.
const DEEPEST: usize = 32;

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Dotted, as in the file; a provider's begin with `providers.ID`.
    pub key: String,
    /// The value in force, with defaults and presets filled in.
    pub value: String,
}

impl Config {
    /// Every key in the order of the file. Secrets are `(secret)`.
    #[must_use]
    pub fn settings(&self) -> Vec<Setting> {
        let rows = self.compared(self).into_iter();
        rows.map(|row| Setting {
            value: shown(&row.value),
            key: row.key,
        })
        .collect()
    }
}

/// `Debug`'s text in a readable form.
fn shown(debug: &str) -> String {
    let mut reader = Reader { rest: debug };
    let value = reader.value(0);
    match value.filter(|_| reader.rest.is_empty()) {
        Some(value) => value.write().chars().take(MOST).collect(),
        None => "(cannot be shown)".to_owned(),
    }
}

/// A value as `Debug` writes it.
enum Value {
    /// A string, without its quotes.
    Text(String),
    /// A number, a variant, a moment.
    Word(String),
    /// Elements in brackets.
    List(Vec<Value>),
    /// A name and its elements in parentheses.
    Tuple(String, Vec<Value>),
    /// A name and its fields in braces.
    Struct(String, Vec<(String, Value)>),
    /// Pairs in braces.
    Map(Vec<(Value, Value)>),
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        if self.rest.starts_with('"') {
            return self.text().map(Value::Text);
        }
        if self.eat("[secret]") {
            return Some(Value::Word("(secret)".to_owned()));
        }
        if let Some(word) = self.address() {
            return Some(Value::Word(word));
        }
        if self.eat("[") {
            return self.elements("]", depth).map(Value::List);
        }
        if self.eat("{") {
            return self.pairs(depth).map(Value::Map);
        }
        let word = self.word();
        if self.eat("(") {
            return self
                .elements(")", depth)
                .map(|elements| Value::Tuple(word, elements));
        }
        if self.eat(" { ") {
            return self.fields(depth).map(|fields| Value::Struct(word, fields));
        }
        (!word.is_empty()).then_some(Value::Word(word))
    }

    /// `[::1]:8080`, which begins like a list.
    fn address(&mut self) -> Option<String> {
        let (address, port) = self.rest.strip_prefix('[')?.split_once("]:")?;
        address.parse::<Ipv6Addr>().ok()?;
        let digits = port.bytes().take_while(u8::is_ascii_digit).count();
        let (word, rest) = self.rest.split_at_checked(address.len() + 3 + digits)?;
        self.rest = rest;
        Some(word.to_owned())
    }

    fn text(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = self.rest.get(at + 1..)?;
                    return Some(text);
                }
                // Escapes stay as they are, but for the two that only quote.
                '\\' => match chars.next()?.1 {
                    c @ ('"' | '\\' | '\'') => text.push(c),
                    c => text.extend(['\\', c]),
                },
                c => text.push(c),
            }
        }
        None
    }

    fn word(&mut self) -> String {
        let end = |c: char| ",()[]{} \"".contains(c);
        let mut length = self.rest.find(end).unwrap_or(self.rest.len());
        // A key of a map or the name of a field.
        if self.rest.get(..length).is_some_and(|it| it.ends_with(':')) {
            length -= 1;
        }
        let (word, rest) = self.rest.split_at_checked(length).unwrap_or_default();
        self.rest = rest;
        word.to_owned()
    }

    fn elements(&mut self, close: &str, depth: usize) -> Option<Vec<Value>> {
        let mut elements = Vec::new();
        while !self.eat(close) {
            elements.push(self.value(depth + 1)?);
            if !self.eat(", ") && !self.rest.starts_with(close) {
                return None;
            }
        }
        Some(elements)
    }

    fn pairs(&mut self, depth: usize) -> Option<Vec<(Value, Value)>> {
        let mut pairs = Vec::new();
        while !self.eat("}") {
            let key = self.value(depth + 1)?;
            if !self.eat(": ") {
                return None;
            }
            pairs.push((key, self.value(depth + 1)?));
            if !self.eat(", ") && !self.rest.starts_with('}') {
                return None;
            }
        }
        Some(pairs)
    }

    fn fields(&mut self, depth: usize) -> Option<Vec<(String, Value)>> {
        let mut fields = Vec::new();
        while !self.eat(" }") && !self.eat(".. }") {
            let name = self.word();
            if !self.eat(": ") {
                return None;
            }
            fields.push((name, self.value(depth + 1)?));
            if !self.eat(", ") && !self.rest.starts_with(" }") {
                return None;
            }
        }
        Some(fields)
    }
}

impl Value {
    fn write(&self) -> String {
        match self {
            Self::Text(text) if text.is_empty() => "(empty)".to_owned(),
            Self::Text(text) => text.clone(),
            Self::Word(word) if word == "None" => "none".to_owned(),
            Self::Word(word) => word.clone(),
            Self::List(elements) if elements.is_empty() => "none".to_owned(),
            Self::List(elements) => list(elements),
            Self::Map(pairs) if pairs.is_empty() => "none".to_owned(),
            Self::Map(pairs) => {
                let pairs = pairs.iter();
                let pairs =
                    pairs.map(|(key, value)| format!("{} = {}", key.write(), value.write()));
                pairs.collect::<Vec<_>>().join(", ")
            }
            Self::Tuple(name, elements) if is_transparent(name) => list(elements),
            Self::Tuple(name, elements) => format!("{name}({})", list(elements)),
            Self::Struct(name, fields) => match name.as_str() {
                "Url" => url(fields),
                "Origin" => field(fields, "text").map_or_else(String::new, Self::write),
                _ => {
                    let fields = fields.iter();
                    let fields = fields.map(|(name, value)| format!("{name} = {}", value.write()));
                    format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
                }
            },
        }
    }
}

fn list(elements: &[Value]) -> String {
    let elements: Vec<String> = elements.iter().map(Value::write).collect();
    elements.join(", ")
}

/// Types that say nothing which their value does not.
fn is_transparent(name: &str) -> bool {
    let names = [
        "",
        "Some",
        "GroupName",
        "Username",
        "Email",
        "Domain",
        "Pattern",
        "JmesPath",
    ];
    names.contains(&name)
}

fn field<'a>(fields: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    fields
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value)
}

/// An address from its pieces. Of those, user and password are left out.
fn url(fields: &[(String, Value)]) -> String {
    let text = |name: &str| match field(fields, name)? {
        Value::Text(text) => Some(text.clone()),
        Value::Tuple(_, inner) => match inner.as_slice() {
            [Value::Text(text)] | [Value::Tuple(_, _), Value::Text(text)] => Some(text.clone()),
            [inner] => Some(inner.write()),
            _ => None,
        },
        Value::Word(word) if word != "None" => Some(word.clone()),
        _ => None,
    };
    let host = match field(fields, "host") {
        // `Some(Domain("idp.example.com"))`, `Some(Ipv6(::1))`
        Some(Value::Tuple(_, inner)) => inner.first().map(|host| match host {
            Value::Tuple(kind, inner) if kind == "Ipv6" => format!("[{}]", list(inner)),
            Value::Tuple(_, inner) => list(inner),
            other => other.write(),
        }),
        _ => None,
    };
    let port = text("port").map_or_else(String::new, |port| format!(":{port}"));
    let query = text("query").map_or_else(String::new, |query| format!("?{query}"));
    format!(
        "{}://{}{port}{}{query}",
        text("scheme").unwrap_or_default(),
        host.unwrap_or_default(),
        text("path").unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{Try, accepted};
    use crate::secret::Secret;
    use std::collections::BTreeMap;
    use std::time::Duration;
    use url::Url;

    #[track_caller]
    fn check(value: impl std::fmt::Debug, want: &str) {
        assert_eq!(shown(&format!("{value:?}")), want);
    }

    #[test]
    fn values_read_like_a_file() {
        check("", "(empty)");
        check("a \"b\" \\ c", "a \"b\" \\ c");
        check(Some("x"), "x");
        check(None::<u8>, "none");
        check(Duration::from_secs(90), "90s");
        check(["a, b", "c"], "a, b, c");
        check(Vec::<u8>::new(), "none");
        check(BTreeMap::from([("a", "b"), ("c", "}")]), "a = b, c = }");
        check(("a", 1), "a, 1");
        let any: std::net::SocketAddr = "[::1]:8080".parse().unwrap();
        check(any, "[::1]:8080");
        check(
            vec![any, "0.0.0.0:1".parse().unwrap()],
            "[::1]:8080, 0.0.0.0:1",
        );
        for url in [
            "https://idp.example.com/",
            "http://[::1]:8080/a/b?c=d",
            "http://127.0.0.1:1/",
        ] {
            check(Url::parse(url).unwrap(), url);
        }
        check(
            Url::parse("https://u:hunter2@a.example/").unwrap(),
            "https://a.example/",
        );
    }

    #[test]
    fn a_secret_is_not_shown_wherever_it_stands() {
        let secret = || Secret::new("hunter2".to_owned());
        check(secret(), "(secret)");
        check(vec![Some(secret())], "(secret)");
        check(BTreeMap::from([("a", secret())]), "a = (secret)");
    }

    #[test]
    fn what_is_not_understood_is_not_shown() {
        for odd in ["\"", "[1", "{a}", "A { b }", "a b", "\"a\"b", ""] {
            assert_eq!(shown(odd), "(cannot be shown)", "{odd}");
        }
    }

    #[test]
    fn every_key_of_a_configuration_can_be_shown_without_its_secrets() {
        let config = Try::new(
            "[[providers]]\nid = \"a\"\nissuer = \"https://idp.example.com\"\nclient_id = \"c\"\nclient_secret = \"hunter2\"\n[providers.claims]\nusername = { claim = \"upn\", steps = [\"lower\", { regex = \"^(.*)$\", replace = \"$1\" }] }\n[groups]\nmode = \"manual\"\n[groups.map]\n\"devs\" = [\"a\", \"b\"]\n",
        )
        .accepted();
        for config in [config, accepted("")] {
            let settings = config.settings();
            assert!(settings.len() > 60);
            for setting in &settings {
                assert!(!setting.value.contains("hunter2"), "{setting:?}");
                assert!(!setting.value.contains("cannot be shown"), "{setting:?}");
            }
            let value = |key: &str| {
                let found = settings.iter().find(|setting| setting.key == key);
                found.map(|setting| setting.value.as_str())
            };
            assert_eq!(value("session.keys"), Some("(secret)"));
            assert_eq!(value("session.idle_timeout_secs"), Some("28800s"));
            assert_eq!(value("identity.user_header"), Some("x-forwarded-user"));
        }
    }
}
