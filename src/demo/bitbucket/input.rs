//! What a REST call says: its parameters and its body, refused in Bitbucket's shape.

use super::Shared;
use super::refusal::{Refusal, error};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use std::sync::Arc;

/// The parameters of the query.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn parse(query: &str) -> Self {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// Every parameter, as it came.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.iter()
            .filter(move |(other, _)| *other == name)
            .map(|(_, value)| value)
    }

    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// One that has to be there with something in it.
    pub(super) fn required(&self, name: &'static str) -> Result<&str, Refusal> {
        required(name, self.first(name))
    }

    /// What a search looks for; nothing lets everything through.
    pub(super) fn filter(&self) -> &str {
        self.first("filter").unwrap_or_default()
    }
}

/// A parameter or field that has to be there with something in it.
pub(super) fn required<'a>(name: &'static str, value: Option<&'a str>) -> Result<&'a str, Refusal> {
    value
        .filter(|value| !value.trim().is_empty())
        .ok_or_else(|| Refusal::invalid(name, format!("\"{name}\" is required")))
}

/// An address, as far as Bitbucket looks at it.
pub(super) fn email<'a>(name: &'static str, value: &'a str) -> Result<&'a str, Refusal> {
    let (local, domain) = value.split_once('@').unwrap_or_default();
    if local.is_empty() || domain.is_empty() || value.contains(char::is_whitespace) {
        return Err(Refusal::invalid(name, "The e-mail address is not valid"));
    }
    Ok(value)
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

/// A JSON body. Fields that Bitbucket doesn't know are refused.
#[derive(Debug)]
pub(super) struct Entity<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for Entity<T> {
    type Rejection = Response;
    async fn from_request(request: Request, app: &Arc<Shared>) -> Result<Self, Response> {
        if media_type(request.headers()) != "application/json" {
            return Err(error(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                None,
                "This call takes application/json",
                None,
            ));
        }
        let bytes = Bytes::from_request(request, app)
            .await
            .map_err(IntoResponse::into_response)?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|wrong| reason(&wrong.to_string()).into_response())
    }
}

/// The parser's words, told as Bitbucket tells them.
fn reason(text: &str) -> Refusal {
    let unknown = text
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split_once('`'));
    match unknown {
        Some((field, _)) => Refusal::UnknownField(field.to_owned()),
        None => Refusal::Malformed(text.to_owned()),
    }
}

/// `Content-Type` without its parameters, in lower case; nothing when there is none.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE);
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or("");
    let name = text.split(';').next().unwrap_or_default();
    name.trim().to_ascii_lowercase()
}
