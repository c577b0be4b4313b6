//! Who said what: the calls and tokens that errors are about, and the provider's own words.

pub(super) use crate::telemetry::log::printable;
use serde_json::{Map, Value};
use std::fmt;

/// An outgoing call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// The discovery document.
    Discovery,
    /// The keys (JWKS).
    Keys,
    /// The token endpoint.
    Token,
    /// The userinfo endpoint.
    Userinfo,
    /// The address of the provider's own sign-out.
    EndSession,
    /// Salesforce's identity address.
    Identity,
    /// GitHub's list of a person's e-mail addresses.
    Emails,
    /// GitHub's list of a person's organizations.
    Organizations,
    /// GitHub's list of a person's teams.
    Teams,
    /// Discord's list of a person's guilds.
    Guilds,
    /// Microsoft Graph's list of a person's groups.
    Graph,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discovery => "the discovery document",
            Self::Keys => "the key set",
            Self::Token => "the token endpoint",
            Self::Userinfo => "the userinfo endpoint",
            Self::EndSession => "the end-session endpoint",
            Self::Identity => "the identity address",
            Self::Emails => "the list of e-mail addresses",
            Self::Organizations => "the list of organizations",
            Self::Teams => "the list of teams",
            Self::Guilds => "the list of guilds",
            Self::Graph => "Microsoft Graph",
        })
    }
}

/// Which token an error is about: the rules differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// The ID token.
    Id,
    /// Userinfo in the form of a signed JWT.
    Userinfo,
    /// The logout token of a back-channel logout.
    Logout,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Id => "the ID token",
            Self::Userinfo => "the userinfo token",
            Self::Logout => "the logout token",
        })
    }
}

/// What a provider said about an error: `error` and `error_description`, cut and made printable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    code: Option<String>,
    description: Option<String>,
}

impl Said {
    pub(super) fn new(code: Option<&str>, description: Option<&str>) -> Self {
        let keep = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(printable);
        Self {
            code: keep(code),
            description: keep(description),
        }
    }

    /// Reads RFC 6749 §5.2, Facebook's object in `error`, and Salesforce's array of `errorCode`
    /// and `message`.
    pub(super) fn from_json(value: &Value) -> Self {
        fn text<'a>(object: &'a Map<String, Value>, names: &[&str]) -> Option<&'a str> {
            names.iter().find_map(|name| object.get(*name)?.as_str())
        }
        let object = match value {
            Value::Object(object) => object,
            Value::Array(items) => match items.first() {
                Some(Value::Object(object)) => object,
                _ => return Self::default(),
            },
            _ => return Self::default(),
        };
        match object.get("error") {
            Some(Value::Object(inner)) => {
                Self::new(text(inner, &["type", "code"]), text(inner, &["message"]))
            }
            _ => Self::new(
                text(object, &["error", "errorCode"]),
                text(object, &["error_description", "message"]),
            ),
        }
    }

    /// The provider's name for the error, e.g. `invalid_grant`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Whether this is the provider's "no" to a person, not a fault. Salesforce writes both
    /// `access_denied` and `access-denied`, and has upper-case names of its own.
    pub(super) fn is_refusal(&self) -> bool {
        let code = self
            .code
            .as_deref()
            .unwrap_or_default()
            .to_ascii_lowercase()
            .replace('-', "_");
        code.ends_with("access_denied")
            || matches!(
                code.as_str(),
                "account_selection_required"
                    | "consent_required"
                    | "interaction_required"
                    | "login_required"
                    | "oauth_app_blocked"
                    | "oauth_approval_error_generic"
                    | "user_cancelled_authorize"
                    | "user_cancelled_login"
            )
    }
}

impl Said {
    /// Whether a refresh token is worth nothing any more, or the person is not: what RFC 6749 §5.2
    /// says, and GitHub's, Slack's and Salesforce's names for it.
    pub(super) fn ends_grant(&self) -> bool {
        self.is_refusal()
            || matches!(
                self.code.as_deref().unwrap_or_default(),
                "invalid_grant"
                    | "bad_refresh_token"
                    | "invalid_refresh_token"
                    | "token_expired"
                    | "token_revoked"
                    | "account_inactive"
                    | "inactive_user"
                    | "inactive_org"
            )
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.code, &self.description) {
            (Some(code), Some(description)) => write!(f, "\"{code}\" (\"{description}\")"),
            (Some(text), None) | (None, Some(text)) => write!(f, "\"{text}\""),
            (None, None) => f.write_str("nothing"),
        }
    }
}
