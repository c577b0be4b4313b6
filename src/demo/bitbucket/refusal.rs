//! Why a REST call is refused, as Bitbucket says it.
//!
//! Statuses are those of its published description. Names of exceptions are Bitbucket's where a
//! public source shows them (`NoSuchUserException`, `AuthorisationException`,
//! `ArgumentValidationException`, `IntegrityException`); the others are built alike, and a client
//! must not depend on them.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

/// A call that changes nothing, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 400: a field or a parameter is wrong.
    #[error("{message}")]
    Invalid {
        /// The field.
        context: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// 400: the body has a field that Bitbucket doesn't know.
    #[error("Unrecognized field \"{0}\", not marked as ignorable")]
    UnknownField(String),
    /// 400: the body is not what the call takes.
    #[error("the request entity could not be read: {0}")]
    Malformed(String),
    /// 401, with or without somebody being known: they may not do this.
    #[error("You are not permitted to access this resource")]
    NotPermitted,
    /// 401: they have proven who they are, but may not log in. The words are not published.
    #[error("You do not have permission to access Bitbucket: your account has no license")]
    NotLicensed,
    /// 401: the call would give away more than the caller has.
    #[error("You may not grant {0}, because you do not have it")]
    GrantsTooMuch(&'static str),
    /// 403, 401 or 409, as the call has it: its object has a higher permission than the caller.
    #[error("\"{name}\" has a higher permission level than you")]
    Outranked {
        /// The person or group.
        name: String,
        /// What this call answers to it.
        status: StatusCode,
    },
    /// 409: the caller's own permission would sink, or the caller would be gone.
    #[error("This would reduce your own permission level")]
    OwnLevel,
    /// 403: more people than the licence has seats.
    #[error("This would exceed the license limit of {0} users")]
    LicenceFull(usize),
    /// 404: there is no such person.
    #[error("No such user: {0}")]
    NoSuchUser(String),
    /// 404: there is no such group.
    #[error("No such group: {0}")]
    NoSuchGroup(String),
    /// 404: nothing to take away.
    #[error("User {user} is not a member of group {group}")]
    NotAMember {
        /// The person.
        user: String,
        /// The group.
        group: String,
    },
    /// 409: the username is taken.
    #[error("A user with the name \"{0}\" already exists")]
    UserExists(String),
    /// 409: the group's name is taken.
    #[error("A group with the name \"{0}\" already exists")]
    GroupExists(String),
    /// 409: somebody else looks after this person or group. No public source shows what Bitbucket
    /// answers; a connector's tests have 409 for "managed by an external directory".
    #[error("The directory \"{0}\" is read-only")]
    ReadOnlyDirectory(&'static str),
    /// 503: the stand-in remembers no more.
    #[error("The stand-in has no room for more")]
    Full,
}

impl Refusal {
    /// A parameter or field that is wrong.
    pub(super) fn invalid(context: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid {
            context,
            message: message.into(),
        }
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Invalid { .. } | Self::UnknownField(_) | Self::Malformed(_) => {
                StatusCode::BAD_REQUEST
            }
            // Bitbucket says 401 to people whom it knows too.
            Self::NotPermitted | Self::NotLicensed | Self::GrantsTooMuch(_) => {
                StatusCode::UNAUTHORIZED
            }
            Self::Outranked { status, .. } => *status,
            Self::LicenceFull(_) => StatusCode::FORBIDDEN,
            Self::NoSuchUser(_) | Self::NoSuchGroup(_) | Self::NotAMember { .. } => {
                StatusCode::NOT_FOUND
            }
            Self::OwnLevel
            | Self::UserExists(_)
            | Self::GroupExists(_)
            | Self::ReadOnlyDirectory(_) => StatusCode::CONFLICT,
            Self::Full => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn exception(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => {
                "com.atlassian.bitbucket.validation.ArgumentValidationException"
            }
            Self::UnknownField(_) => {
                "com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException"
            }
            Self::Malformed(_) => "com.fasterxml.jackson.core.JsonParseException",
            Self::NotPermitted | Self::NotLicensed | Self::GrantsTooMuch(_) => {
                "com.atlassian.bitbucket.AuthorisationException"
            }
            Self::Outranked { status, .. } if *status == StatusCode::UNAUTHORIZED => {
                "com.atlassian.bitbucket.AuthorisationException"
            }
            Self::Outranked { status, .. } if *status == StatusCode::FORBIDDEN => {
                "com.atlassian.bitbucket.ForbiddenException"
            }
            Self::LicenceFull(_) => "com.atlassian.bitbucket.license.LicenseLimitException",
            Self::NoSuchUser(_) => "com.atlassian.bitbucket.user.NoSuchUserException",
            Self::NoSuchGroup(_) => "com.atlassian.bitbucket.user.NoSuchGroupException",
            Self::NotAMember { .. } => "com.atlassian.bitbucket.NoSuchEntityException",
            Self::Outranked { .. }
            | Self::OwnLevel
            | Self::UserExists(_)
            | Self::GroupExists(_)
            | Self::ReadOnlyDirectory(_) => "com.atlassian.bitbucket.IntegrityException",
            Self::Full => "com.atlassian.bitbucket.ServerException",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let context = match &self {
            Self::Invalid { context, .. } => Some(*context),
            _ => None,
        };
        error(
            self.status(),
            context,
            &self.to_string(),
            Some(self.exception()),
        )
    }
}

/// An error in Bitbucket's shape.
pub(super) fn error(
    status: StatusCode,
    context: Option<&str>,
    message: &str,
    exception: Option<&str>,
) -> Response {
    let error = json!({ "context": context, "message": message, "exceptionName": exception });
    (status, Json(json!({ "errors": [error] }))).into_response()
}
