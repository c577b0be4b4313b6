//! The code becomes tokens (RFC 6749 §4.1.3), and the answer is read as real providers write it.

use super::client_auth::Credentials;
use super::error::Error;
use super::fetch::{Answer, Http};
use super::said::{Call, Said, printable};
use crate::secret::Secret;
use http::HeaderValue;
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

/// What the code was worth. Lifetime, scope and refresh token are not read: the gateway uses the
/// access token once, at once.
pub(super) struct Tokens {
    /// For userinfo, and for `at_hash`.
    pub(super) access: Secret<String>,
    /// Absent at plain OAuth 2.0 providers; some of them write `false`.
    pub(super) id: Option<Secret<String>>,
    /// Salesforce's address of a page about the person. Nothing in it is believed yet.
    pub(super) identity: Option<String>,
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
    read(&answer)
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

fn read(answer: &Answer) -> Result<Tokens, Error> {
    let object = match answer.json() {
        Ok(Value::Object(object)) => object,
        _ if !answer.is_success() => return Err(answer.failure()),
        Ok(_) => return Err(Error::NotObject { call: Call::Token }),
        Err(error) => return Err(error),
    };
    // GitHub and Slack answer 200 to what they refuse.
    if is_error(&object) {
        return Err(Error::token(Said::from_json(&Value::Object(object))));
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
    })
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
