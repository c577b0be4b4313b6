//! The one place where something that went wrong becomes an answer.

use http::{HeaderName, HeaderValue, StatusCode};

/// Who reads an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Somebody at a browser: a page.
    Person,
    /// A program: JSON.
    Machine,
}

/// What went wrong, in words for the person and, apart from them, the reason for the log.
///
/// The person sees the title, the message, the ways forward and the request id. The detail goes to
/// the log under that id and never to the client.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The status of the answer.
    pub status: StatusCode,
    /// A short, stable name, the same in the log, the JSON body and the metrics.
    pub code: &'static str,
    /// The heading.
    pub title: String,
    /// What happened and what to do next, in plain words.
    pub message: String,
    /// What may be behind it, one sentence each, where there is more than one suspect.
    pub causes: Vec<String>,
    /// Ways forward: text of the link and its address.
    pub actions: Vec<(String, String)>,
    /// The reason in full, for the log.
    pub detail: Option<String>,
    /// Further header fields: challenges, `Retry-After`, cookies.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem without ways forward or detail.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            title: title.into(),
            message: message.into(),
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

    /// A problem that is told by its code alone.
    #[must_use]
    pub fn told(status: StatusCode, code: &'static str) -> Self {
        Self::new(status, code, code, code)
    }

    /// A value that the reason in full names.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let detail = self.detail.get_or_insert_default();
        detail.push_str(&format!("{name}: {} ", value.into()));
        self
    }

    /// Names a suspect.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds a way forward.
    #[must_use]
    pub fn action(mut self, label: impl Into<String>, href: impl Into<String>) -> Self {
        self.actions.push((label.into(), href.into()));
        self
    }

    /// Keeps the chain of causes for the log.
    #[must_use]
    pub fn because(mut self, error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        self.detail = Some(text);
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
