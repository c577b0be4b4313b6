//! What an answer says: a success with JSON in it, or which of the failures it is.

use crate::provisioning::error::{Call, Error, Said};
use crate::telemetry::log::printable;
use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, StatusCode};
use serde_json::Value;

/// A complete answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// As whom Bitbucket recognized the caller (`X-AUSERNAME`), printable.
    pub(super) user: Option<String>,
    /// `X-Authentication-Denied-Reason` asks for a CAPTCHA.
    captcha: bool,
    html: bool,
    body: Vec<u8>,
}

impl Answer {
    pub(super) fn new(status: StatusCode, headers: &HeaderMap, body: Vec<u8>) -> Self {
        let text = |name: &str| {
            let value = headers.get(name)?.to_str().ok()?.trim();
            (!value.is_empty()).then_some(value)
        };
        let html = text(CONTENT_TYPE.as_str())
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"))
            || body.trim_ascii_start().starts_with(b"<");
        Self {
            status,
            user: text("X-AUSERNAME").map(printable),
            captcha: text("X-Authentication-Denied-Reason")
                .is_some_and(|reason| reason.to_ascii_lowercase().contains("captcha")),
            html,
            body,
        }
    }

    /// This answer, if it says that all went well; a page of HTML never does, whatever its status.
    /// `asked` are the texts of the call.
    pub(super) fn into_success(self, call: Call, asked: &[&str]) -> Result<Self, Error> {
        if !self.status.is_success() {
            return Err(self.failure(call, asked));
        }
        if self.html {
            return Err(self.not_json(call, String::new()));
        }
        Ok(self)
    }

    pub(super) fn json(&self, call: Call) -> Result<Value, Error> {
        serde_json::from_slice(&self.body)
            .map_err(|error| self.not_json(call, printable(&error.to_string())))
    }

    fn not_json(&self, call: Call, why: String) -> Error {
        let found = if self.html {
            "a page of HTML".to_owned()
        } else if self.body.is_empty() {
            "nothing".to_owned()
        } else {
            format!("text that cannot be read ({why})")
        };
        Error::NotJson { call, found }
    }

    fn failure(self, call: Call, asked: &[&str]) -> Error {
        let status = self.status;
        if status.is_redirection() {
            return Error::Redirected { call, status };
        }
        if self.captcha {
            return Error::Captcha { call };
        }
        let said = self.said();
        match status {
            StatusCode::UNAUTHORIZED => match self.user {
                Some(account) => Error::Forbidden {
                    call,
                    account,
                    said,
                },
                None => Error::WrongCredentials { call, said },
            },
            StatusCode::NOT_FOUND if said.mentions(&["nosuch"], asked) => {
                Error::Missing { call, said }
            }
            StatusCode::NOT_FOUND => Error::WrongAddress { call },
            _ if status.is_client_error() && said.mentions(&["licence", "license"], asked) => {
                Error::Licence { call, said }
            }
            // Which of these it is, no source says.
            StatusCode::BAD_REQUEST
            | StatusCode::FORBIDDEN
            | StatusCode::CONFLICT
            | StatusCode::INTERNAL_SERVER_ERROR
                if said.mentions(&["read-only", "read only", "readonly", "directory"], asked) =>
            {
                Error::ReadOnly { call, said }
            }
            StatusCode::CONFLICT => Error::Conflict { call, said },
            _ => Error::Status { call, status, said },
        }
    }

    /// `{"errors":[{"message","exceptionName"}]}`, or `{"message"}`.
    fn said(&self) -> Said {
        let Ok(value) = serde_json::from_slice::<Value>(&self.body) else {
            return Said::default();
        };
        let said = value.pointer("/errors/0").unwrap_or(&value);
        let text = |name: &str| {
            let text = said.get(name)?.as_str()?.trim();
            (!text.is_empty()).then_some(text)
        };
        Said {
            // `com.atlassian.bitbucket.user.NoSuchUserException`
            exception: text("exceptionName")
                .and_then(|name| name.rsplit('.').next())
                .map(printable),
            message: text("message").map(printable),
        }
    }
}
