//! The one place where something that went wrong becomes an answer.

use super::Word;
use http::{HeaderName, HeaderValue, StatusCode};

/// Who reads an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Somebody at a browser: a page.
    Person,
    /// A program: JSON.
    Machine,
}

/// What went wrong, by the name of its words and, apart from them, the reason for the log.
///
/// The person sees the title, the message, the ways forward and the request id, in a language of
/// their own: the words stand in `languages/*.toml`. The detail goes to the log under that id and
/// never to the client.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The status of the answer.
    pub status: StatusCode,
    /// A short, stable name, the same in the log, the JSON body and the metrics.
    pub code: &'static str,
    /// Under which code the words stand.
    pub(super) words: &'static str,
    /// `{name}` in the words, and what it becomes.
    pub(super) values: Vec<(&'static str, Word)>,
    /// Suspects besides those that stand with the words.
    pub(super) causes: Vec<Cause>,
    /// Ways forward.
    pub(super) actions: Vec<Action>,
    /// The reason in full, for the log.
    pub detail: Option<String>,
    /// Further header fields: challenges, `Retry-After`, cookies.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// What may be behind a problem.
#[derive(Debug, Clone)]
pub(super) enum Cause {
    /// A text's key.
    Key(&'static str),
    /// A message of the log, for a page that only administrators see.
    Log(String),
}

/// A link on a problem's page.
#[derive(Debug, Clone)]
pub(super) struct Action {
    pub(super) key: &'static str,
    pub(super) value: Option<(&'static str, Word)>,
    pub(super) href: String,
}

impl Problem {
    /// A problem whose words stand in the languages' files under its code: `problem.CODE.title`,
    /// `problem.CODE.message`, and as many of `problem.CODE.cause.1` … as there are.
    #[must_use]
    pub const fn told(status: StatusCode, code: &'static str) -> Self {
        Self {
            status,
            code,
            words: code,
            values: Vec::new(),
            causes: Vec::new(),
            actions: Vec::new(),
            detail: None,
            headers: Vec::new(),
        }
    }

    /// The same words under a narrower name.
    #[must_use]
    pub const fn with_code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    /// A value for the words: `{name}` in them. `{product}` is known without.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Word>) -> Self {
        self.values.push((name, value.into()));
        self
    }

    /// Names one more suspect by its text's key, `cause.…`.
    #[must_use]
    pub fn cause(mut self, key: &'static str) -> Self {
        self.causes.push(Cause::Key(key));
        self
    }

    /// Shows a message of the log as a suspect. Only for pages that administrators alone see.
    #[must_use]
    pub fn logged_cause(mut self, message: impl Into<String>) -> Self {
        self.causes.push(Cause::Log(message.into()));
        self
    }

    /// Adds a way forward: the key of its text, `action.…`, and its address.
    #[must_use]
    pub fn action(mut self, key: &'static str, href: impl Into<String>) -> Self {
        self.actions.push(Action {
            key,
            value: None,
            href: href.into(),
        });
        self
    }

    /// Adds a way forward whose text has a value of its own, such as another provider's name.
    #[must_use]
    pub fn action_with(
        mut self,
        key: &'static str,
        name: &'static str,
        value: impl Into<Word>,
        href: impl Into<String>,
    ) -> Self {
        self.actions.push(Action {
            key,
            value: Some((name, value.into())),
            href: href.into(),
        });
        self
    }

    /// Keeps the chain of causes for the log.
    #[must_use]
    pub fn because(mut self, error: &dyn std::error::Error) -> Self {
        self.detail = Some(crate::telemetry::chain(error));
        self
    }

    /// Keeps a reason for the log.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds a header field to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}
