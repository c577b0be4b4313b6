//! The code becomes tokens (RFC 6749 §4.1.3), a refresh token others (§6), and the answer is read as
//! real providers write it.

use super::client_auth::Credentials;
use super::error::Error;
use super::fetch::{Answer, Http};
use super::said::{Call, Said, printable};
use crate::secret::Secret;
use http::HeaderValue;
use serde_json::{Map, Value};
use std::time::Duration;
use url::{Url, form_urlencoded};

/// What a code or a refresh token was worth. Scopes are not read: the gateway uses the access token
/// once, at once.
pub(super) struct Tokens {
    /// For userinfo, and for `at_hash`.
    pub(super) access: Secret<String>,
    /// Absent at plain OAuth 2.0 providers; some of them write `false`.
    pub(super) id: Option<Secret<String>>,
    /// Salesforce's address of a page about the person. Nothing in it is believed yet.
    pub(super) identity: Option<String>,
    /// For looking again later.
    pub(super) refresh: Option<Secret<String>>,
    /// How long the access token is good, if the provider says so.
    pub(super) expires_in: Option<Duration>,
}

/// One redemption of a code.
pub(super) struct Grant<'a> {
    /// Where.
    pub(super) endpoint: &'a Url,
    /// The code.
    pub(super) code: &'a str,
    /// The same as in the authorization request.
    pub(super) redirect_uri: &'a Url,
    /// PKCE's secret half.
    pub(super) verifier: Option<&'a str>,
}

/// Redeems a code.
pub(super) async fn exchange(
    http: &Http,
    grant: Grant<'_>,
    credentials: Credentials,
) -> Result<Tokens, Error> {
    let form = form(&grant, &credentials);
    let answer = http
        .post_form(Call::Token, grant.endpoint, credentials.header, form)
        .await?;
    read(&answer, Error::token)
}

/// Redeems a refresh token. No scope is asked for: those of the sign-in stay (RFC 6749 §6).
pub(super) async fn refresh(
    http: &Http,
    endpoint: &Url,
    token: &Secret<String>,
    credentials: Credentials,
) -> Result<Tokens, Error> {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "refresh_token")
        .append_pair("refresh_token", token.expose())
        .extend_pairs(&credentials.fields)
        .finish();
    let answer = http
        .post_form(Call::Token, endpoint, credentials.header, form)
        .await?;
    read(&answer, Error::renewal)
}

fn form(grant: &Grant<'_>, credentials: &Credentials) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", grant.code)
        .append_pair("redirect_uri", grant.redirect_uri.as_str());
    if let Some(verifier) = grant.verifier {
        form.append_pair("code_verifier", verifier);
    }
    form.extend_pairs(&credentials.fields);
    form.finish()
}

fn read(answer: &Answer, refusal: fn(Said) -> Error) -> Result<Tokens, Error> {
    let object = match answer.json() {
        Ok(Value::Object(object)) => object,
        _ if !answer.is_success() => return Err(answer.failure()),
        Ok(_) => return Err(Error::NotObject { call: Call::Token }),
        Err(error) => return Err(error),
    };
    // GitHub and Slack answer 200 to what they refuse.
    if is_error(&object) {
        return Err(refusal(Said::from_json(&Value::Object(object))));
    }
    if !answer.is_success() {
        return Err(answer.failure());
    }
    let text = |name| {
        object
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let access = text("access_token").ok_or(Error::AccessTokenMissing)?;
    let kind = text("token_type").unwrap_or_default();
    if !kind.eq_ignore_ascii_case("bearer") {
        return Err(Error::TokenTypeUnsupported {
            found: printable(kind),
        });
    }
    Ok(Tokens {
        access: Secret::new(access.to_owned()),
        id: text("id_token").map(|token| Secret::new(token.to_owned())),
        identity: text("id").map(str::to_owned),
        refresh: text("refresh_token").map(|token| Secret::new(token.to_owned())),
        expires_in: object.get("expires_in").and_then(lifetime),
    })
}

/// Seconds; some providers write them as text. Anything else, and nothing at all, is not known.
fn lifetime(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    };
    seconds
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
}

fn is_error(object: &Map<String, Value>) -> bool {
    let error = match object.get("error") {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(_) => true,
    };
    error || object.get("ok") == Some(&Value::Bool(false))
}

/// The access token as a field value (RFC 6750 §2.1).
pub(super) fn bearer(access_token: &Secret<String>) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", access_token.expose()))
        .map_err(|_| Error::AccessTokenMissing)?;
    value.set_sensitive(true);
    Ok(value)
}
