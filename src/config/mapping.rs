//! How a fact is taken out of claims: what is written in `[providers.claims]`, checked.
//!
//! A mapping is a string (a claim's name, a dotted path, or a JSON pointer), or a table with `claim`
//! or `jmespath` and `steps`. What the parts do is the mapping room's business; here they are only
//! made sure to be able to.

use super::expression;
use crate::identity::Domain;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Where a value is found, and what is done to it, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Where.
    pub from: Reference,
    /// What is done, in order. Empty: taken as it is.
    pub steps: Vec<Step>,
}

impl Mapping {
    /// A claim by its name or dotted path, or by a JSON pointer when it begins with `/`, taken as it
    /// is.
    #[must_use]
    pub fn plain(reference: &str) -> Self {
        Self {
            from: Reference::parse(reference),
            steps: Vec::new(),
        }
    }
}

/// For tests: whether it is plain and written like this.
#[cfg(test)]
impl PartialEq<&str> for Mapping {
    fn eq(&self, other: &&str) -> bool {
        *self == Self::plain(other)
    }
}

/// Where a value is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A claim of exactly this name, or else a dotted path through objects.
    Claim(String),
    /// RFC 6901; begins with `/`.
    Pointer(String),
    /// An expression over all claims.
    JmesPath(JmesPath),
}

impl Reference {
    /// A JSON pointer when it begins with `/`, a name or path otherwise.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.starts_with('/') {
            Self::Pointer(text.to_owned())
        } else {
            Self::Claim(text.to_owned())
        }
    }
}

/// As it was written, for messages.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim(text) | Self::Pointer(text) => f.write_str(text),
            Self::JmesPath(expression) => write!(f, "jmespath: {}", expression.text),
        }
    }
}

/// A compiled JMESPath expression. Equal when its text is.
#[derive(Clone)]
pub struct JmesPath {
    text: String,
    compiled: Arc<jmespath::Expression<'static>>,
}

impl JmesPath {
    /// Compiles an expression.
    ///
    /// # Errors
    ///
    /// What the parser says, in one line, or why the expression could do harm.
    pub fn parse(text: &str) -> Result<Self, String> {
        expression::text(text)?;
        let compiled = jmespath::compile(text).map_err(|error| {
            let reason = match &error.reason {
                jmespath::ErrorReason::Parse(reason) => reason.clone(),
                reason @ jmespath::ErrorReason::Runtime(_) => reason.to_string(),
            };
            let place = error.offset.min(text.len()) + 1;
            format!("{} (at {place})", one_line(&reason))
        })?;
        expression::tree(compiled.as_ast())?;
        Ok(Self {
            text: text.to_owned(),
            compiled: Arc::new(compiled),
        })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The expression.
    #[must_use]
    pub fn compiled(&self) -> &jmespath::Expression<'static> {
        &self.compiled
    }
}

impl PartialEq for JmesPath {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for JmesPath {}

impl fmt::Debug for JmesPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JmesPath").field(&self.text).finish()
    }
}

/// One typed step. Steps on text work on every text of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `"trim"`: white space at both ends goes.
    Trim,
    /// `"lower"`
    Lower,
    /// `"upper"`
    Upper,
    /// `"json"`: a text that begins with `[` or `{` is read as JSON.
    Json,
    /// `"keys"`: the names of an object; of one with booleans as values, those that are true.
    Keys,
    /// `{ split = ";" }`: at any of these, and each piece trimmed; empty pieces go.
    Split(Vec<String>),
    /// `{ pick = "name" }`: a member of an object, or of every object of a list.
    Pick(String),
    /// `{ strip_prefix = "/" }`: where there is one.
    StripPrefix(String),
    /// `{ last_segment = "/" }`: what stands after the last one.
    LastSegment(String),
    /// `{ regex = "…", replace = "$1" }`: must match the whole text; what does not is dropped.
    Regex(Rewrite),
    /// `{ local_part = ["example.com"] }`: what stands before the `@` of an address in one of these
    /// domains; other texts are dropped.
    LocalPart(Vec<Domain>),
    /// `{ table = { … }, other = "keep" | "drop" }`: one text for another.
    Table {
        /// From, to.
        map: BTreeMap<String, String>,
        /// What is not in the table.
        other: Keep,
    },
    /// `{ allow = ["bitbucket-*"], deny = [] }`: which texts of a list stay.
    Filter {
        /// One of these must fit; empty: all fit.
        allow: Vec<Pattern>,
        /// None of these may fit.
        deny: Vec<Pattern>,
    },
    /// `{ limit = 50 }`: the first so many of a list.
    Limit(usize),
}

/// What happens to a text that a table does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// It stays.
    Keep,
    /// It goes.
    Drop,
}

/// An anchored regular expression with its replacement. Equal when the texts are.
#[derive(Debug, Clone)]
pub struct Rewrite {
    pattern: String,
    replacement: String,
    compiled: regex::Regex,
}

impl Rewrite {
    /// Compiles an expression that must match a whole text. `replacement` knows `$1` and `${name}`.
    ///
    /// # Errors
    ///
    /// What the engine says, in one line: the syntax, or that it would be too large.
    pub fn parse(pattern: &str, replacement: &str) -> Result<Self, String> {
        // Alone first: `a)|(b` must not become two halves of the anchors' group.
        let alone = |text: &str| {
            regex::RegexBuilder::new(text)
                .size_limit(1 << 20)
                .build()
                .map_err(|error| one_line(&error.to_string()))
        };
        alone(pattern)?;
        Ok(Self {
            pattern: pattern.to_owned(),
            replacement: replacement.to_owned(),
            compiled: alone(&format!(r"\A(?:{pattern})\z"))?,
        })
    }

    /// As it was written.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// As it was written.
    #[must_use]
    pub fn replacement(&self) -> &str {
        &self.replacement
    }

    /// A group that the replacement names and the expression does not have: the engine would put
    /// nothing in its place.
    #[must_use]
    pub fn unknown_group(&self) -> Option<&str> {
        let mut rest = self.replacement.as_str();
        while let Some((_, after)) = rest.split_once('$') {
            if let Some(after) = after.strip_prefix('$') {
                rest = after;
                continue;
            }
            let braced = after.strip_prefix('{');
            let (name, after) = braced
                .and_then(|braced| braced.split_once('}'))
                .unwrap_or_else(|| {
                    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    let end = after.find(|c| !is_name(c)).unwrap_or(after.len());
                    after.split_at(end)
                });
            let known = match name.parse::<usize>() {
                Ok(number) => number < self.compiled.captures_len(),
                Err(_) => {
                    let mut names = self.compiled.capture_names().flatten();
                    name.is_empty() || names.any(|group| group == name)
                }
            };
            if !known {
                return Some(name);
            }
            rest = after;
        }
        None
    }

    /// The replacement for a text that matches as a whole.
    #[must_use]
    pub fn rewrite(&self, text: &str) -> Option<String> {
        let found = self.compiled.captures(text)?;
        let mut result = String::new();
        found.expand(&self.replacement, &mut result);
        Some(result)
    }
}

/// The reason alone: engines draw the text with an arrow below it, and then say what is wrong.
fn one_line(error: &str) -> String {
    let last = error.lines().rfind(|line| !line.trim().is_empty());
    let reason = last.unwrap_or(error).trim();
    let reason = reason.strip_prefix("error: ").unwrap_or(reason);
    let mut reason = reason.trim_end_matches('.').to_owned();
    if let Some(first) = reason.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    reason
}

impl PartialEq for Rewrite {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern && self.replacement == other.replacement
    }
}

impl Eq for Rewrite {}

/// A name in which `*` stands for any text and `?` for one character. Upper and lower case are the
/// same, as Bitbucket compares groups.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    wild: wildmatch::WildMatch,
}

impl Pattern {
    /// A pattern; every text is one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            wild: wildmatch::WildMatch::new(&text.to_lowercase()),
        }
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it fits.
    #[must_use]
    pub fn fits(&self, name: &str) -> bool {
        self.wild.matches(&name.to_lowercase())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_matches_the_whole_text_or_nothing() {
        let rewrite = Rewrite::parse("cn=([^,]+),.*", "$1").unwrap();
        assert_eq!(rewrite.rewrite("cn=dev,ou=groups").as_deref(), Some("dev"));
        assert_eq!(rewrite.rewrite("x cn=dev,ou=groups"), None);
        let either = Rewrite::parse("a|b", "x").unwrap();
        assert_eq!(either.rewrite("ab"), None);
        assert_eq!(either.rewrite("b\n"), None);
        assert!(Rewrite::parse("a)|(b", "x").is_err());
        assert!(Rewrite::parse("(", "x").is_err());
        assert!(Rewrite::parse("(a{1000}){1000}", "x").is_err());
    }

    #[test]
    fn what_is_wrong_with_an_expression_fits_in_one_line() {
        let error = |pattern: &str| Rewrite::parse(pattern, "x").unwrap_err();
        assert_eq!(error("a("), "unclosed group");
        assert!(error("(a{1000}){1000}").starts_with("compiled regex exceeds size limit"));
        let error = |text: &str| JmesPath::parse(text).unwrap_err();
        assert!(!error("a[").contains('\n'), "{}", error("a["));
        assert!(error("a b").ends_with("(at 3)"), "{}", error("a b"));
        assert!(JmesPath::parse("roles[?active].name | [0]").is_ok());
    }

    /// Parser and interpreter recurse, and a stack that overflows ends the process.
    #[test]
    fn the_deepest_expression_fits_on_the_stack() {
        let claims = serde_json::json!({ "a": { "a": [[1]] } });
        for text in [
            format!("{}a{}", "(".repeat(50), ")".repeat(50)),
            format!("{}a{}", "[".repeat(50), "]".repeat(50)),
            format!("{}a", "!".repeat(50)),
            format!("a{}", "[]".repeat(50)),
            format!("a{}", ".*".repeat(50)),
            format!("a{}", ".a".repeat(99)),
            format!("a{}", "|a".repeat(99)),
            format!("a{}", ".a".repeat(499)),
            format!("a{}", "|a".repeat(499)),
        ] {
            // Some could become too large, and are refused for that; all come back.
            if let Ok(expression) = JmesPath::parse(&text) {
                let _ = expression.compiled().search(&claims);
            }
        }
    }

    #[test]
    fn a_function_that_does_not_exist_is_found_wherever_it_stands() {
        for text in [
            "lenght(a)",
            "[lenght(a)]",
            "{ a: lenght(b) }",
            "a[?lenght(@) > `1`]",
            "sort_by(a, &lenght(b))",
            "!lenght(a) || b",
            "a[].lenght(@)",
        ] {
            assert_eq!(
                JmesPath::parse(text).unwrap_err(),
                "there is no function \"lenght\"",
                "{text}"
            );
        }
        assert!(JmesPath::parse("sort_by(a[*].b, &c)[:2].length(@)").is_ok());
    }

    #[test]
    fn a_replacement_names_groups_that_are_there() {
        let unknown = |pattern: &str, replacement: &str| {
            let rewrite = Rewrite::parse(pattern, replacement).unwrap();
            rewrite.unknown_group().map(str::to_owned)
        };
        for replacement in ["$0", "$1-$name", "${1}a", "$$2", "$", "a$-", "${name}"] {
            assert_eq!(unknown("(a)(?<name>b)", replacement), None, "{replacement}");
        }
        assert_eq!(unknown("(a)", "$2").as_deref(), Some("2"));
        assert_eq!(unknown("(a)", "$1a").as_deref(), Some("1a"));
        assert_eq!(unknown("(a)", "$$${x}").as_deref(), Some("x"));
    }

    #[test]
    fn a_pattern_fits_without_case() {
        assert!(Pattern::new("LDAP-*").fits("ldap-Developers"));
        assert!(!Pattern::new("ldap").fits("ldap-x"));
    }
}
