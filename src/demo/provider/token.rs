//! The token and userinfo endpoints.

use super::params::Params;
use super::{Access, Client, Grant, Shared, TOKEN_LIFETIME, private_json};
use crate::demo::Person;
use aws_lc_rs::{constant_time, digest};
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Why no token is given: the codes of RFC 6749 §5.2.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnsupportedGrantType,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code) = match self {
            Self::InvalidRequest => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::InvalidGrant => (StatusCode::BAD_REQUEST, "invalid_grant"),
            Self::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        };
        let response = private_json(status, json!({ "error": code }));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = [(header::WWW_AUTHENTICATE, r#"Basic realm="token""#)];
            return (challenge, response).into_response();
        }
        response
    }
}

pub(super) async fn exchange(
    State(provider): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    redeem(&provider, &headers, &Params::read(&body)).unwrap_or_else(IntoResponse::into_response)
}

fn redeem(provider: &Shared, headers: &HeaderMap, params: &Params) -> Result<Response, Refusal> {
    let one = |name| params.one(name).map_err(|_| Refusal::InvalidRequest);
    let client = authenticate(provider, headers, params)?;
    match one("grant_type")? {
        Some("authorization_code") => {}
        Some(_) => return Err(Refusal::UnsupportedGrantType),
        None => return Err(Refusal::InvalidRequest),
    }
    // The code is spent before anything about it is judged: whatever is wrong, it works once.
    let code = one("code")?.ok_or(Refusal::InvalidRequest)?;
    let grant = provider.codes.take(code).ok_or(Refusal::InvalidGrant)?;
    let verifier = one("code_verifier")?.unwrap_or_default();
    let mine = grant.client_id == client.id
        && one("redirect_uri")? == Some(grant.redirect_uri.as_str())
        && (43..=128).contains(&verifier.len())
        && hashed(verifier.as_bytes()) == grant.challenge;
    let subject = grant.session.subject.as_str();
    let person = provider.person(subject).filter(|_| mine);
    let person = person.ok_or(Refusal::InvalidGrant)?;

    let access = provider.tokens.put(Access {
        subject: person.subject.clone(),
        scope: grant.scope.clone(),
    });
    let claims = id_token(provider, person, &grant, &access);
    let signed = provider.keys.sign(&claims);
    let id_token = match signed {
        Ok(token) => token,
        Err(error) => {
            tracing::error!(%error, "the demo's provider cannot sign");
            return Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response());
        }
    };
    Ok(private_json(
        StatusCode::OK,
        json!({
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFETIME.as_secs(),
            "scope": grant.scope.join(" "),
            "id_token": id_token,
        }),
    ))
}

/// One way of authentication, not two (RFC 6749 §2.3).
fn authenticate(
    provider: &Shared,
    headers: &HeaderMap,
    params: &Params,
) -> Result<Client, Refusal> {
    let one = |name| params.one(name).map_err(|_| Refusal::InvalidRequest);
    let (id, secret) = match (basic(headers), one("client_secret")?) {
        (Some(_), Some(_)) => return Err(Refusal::InvalidRequest),
        (Some(both), None) => both,
        (None, Some(secret)) => {
            let id = one("client_id")?.ok_or(Refusal::InvalidClient)?;
            (id.to_owned(), secret.to_owned())
        }
        (None, None) => return Err(Refusal::InvalidClient),
    };
    let client = provider.client(&id).ok_or(Refusal::InvalidClient)?;
    let known = client.secret.expose().as_bytes();
    constant_time::verify_slices_are_equal(known, secret.as_bytes())
        .map_err(|_| Refusal::InvalidClient)?;
    Ok(client)
}

/// Both halves are form-encoded before they are joined (RFC 6749 §2.3.1).
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = |half: &str| {
        let spaced = half.replace('+', " ");
        let text = percent_encoding::percent_decode_str(&spaced).decode_utf8();
        text.ok().map(|text| text.into_owned())
    };
    Some((decoded(id)?, decoded(secret)?))
}

/// OpenID Connect Core 1.0 §2.
fn id_token(provider: &Shared, person: &Person, grant: &Grant, access: &str) -> Value {
    let now = provider.clock.now();
    let mut claims = claims(person, &grant.scope);
    let own = [
        ("iss", json!(provider.issuer)),
        ("aud", json!(grant.client_id)),
        ("iat", json!(now.as_secs())),
        ("exp", json!(now.plus(TOKEN_LIFETIME).as_secs())),
        ("auth_time", json!(grant.session.since.as_secs())),
        ("sid", json!(grant.sid)),
        ("at_hash", json!(half_hashed(access))),
    ];
    claims.extend(own.map(|(name, value)| (name.to_owned(), value)));
    if let Some(nonce) = &grant.nonce {
        claims.insert("nonce".to_owned(), json!(nonce));
    }
    Value::Object(claims)
}

/// What these scopes let out (OpenID Connect Core 1.0 §5.4, and `groups`).
fn claims(person: &Person, scope: &[String]) -> Map<String, Value> {
    let granted = |name: &str| {
        let needed = match name {
            "name" | "given_name" | "family_name" | "preferred_username" => "profile",
            "email" | "email_verified" => "email",
            "groups" => "groups",
            _ => return true,
        };
        scope.iter().any(|scope| scope == needed)
    };
    let mut claims = person.claims.clone();
    claims.retain(|name, _| granted(name));
    claims.insert("sub".to_owned(), json!(person.subject));
    claims
}

/// OpenID Connect Core 1.0 §5.3.
pub(super) async fn userinfo(State(provider): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let access = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .and_then(|(_, token)| provider.tokens.look(token));
    let person = access
        .as_ref()
        .and_then(|access| Some((provider.person(&access.subject)?, access)));
    match person {
        Some((person, access)) => {
            let claims = claims(person, &access.scope);
            private_json(StatusCode::OK, Value::Object(claims))
        }
        None => {
            let challenge = [(header::WWW_AUTHENTICATE, r#"Bearer error="invalid_token""#)];
            (StatusCode::UNAUTHORIZED, challenge).into_response()
        }
    }
}

fn hashed(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, bytes))
}

/// `at_hash`: the left half of the digest (OpenID Connect Core 1.0 §3.1.3.6).
fn half_hashed(token: &str) -> String {
    let digest = digest::digest(&digest::SHA256, token.as_bytes());
    let half = digest.as_ref().len() / 2;
    URL_SAFE_NO_PAD.encode(digest.as_ref().get(..half).unwrap_or_default())
}
