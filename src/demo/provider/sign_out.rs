//! OpenID Connect RP-Initiated Logout 1.0.

use super::params::Params;
use super::{Shared, authorize, fields, see_other};
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use minijinja::context;
use serde_json::Value;
use std::sync::Arc;
use url::Url;

pub(super) async fn ask(
    State(provider): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Response {
    answer(
        &provider,
        &Params::read(query.unwrap_or_default().as_bytes()),
    )
}

pub(super) async fn confirm(State(provider): State<Arc<Shared>>, body: Bytes) -> Response {
    answer(&provider, &Params::read(&body))
}

fn answer(provider: &Shared, params: &Params) -> Response {
    let one = |name| params.one(name).ok().flatten();
    let hint =
        one("id_token_hint").and_then(|token| provider.keys.read_hint(token, &provider.issuer));
    let claim = |name: &str| hint.as_ref()?.get(name).and_then(Value::as_str);
    let client = claim("aud").or(one("client_id"));
    let back = one("post_logout_redirect_uri").and_then(|uri| registered(provider, client?, uri));
    // Without a hint anybody's link could end a session, so the person is asked (§2).
    if hint.is_none() && one("confirm").is_none() {
        let values = context! { fields => fields(&params.without(&["confirm"])) };
        let pages = &provider.pages;
        return pages.show(
            "provider-sign-out.html",
            StatusCode::OK,
            back.as_ref(),
            values,
        );
    }
    if let Some(sid) = claim("sid") {
        provider.sessions.take(sid);
    }
    let mut response = match back {
        Some(mut url) => {
            if let Some(state) = one("state") {
                url.query_pairs_mut().append_pair("state", state);
            }
            see_other(&url)
        }
        None => provider.message(
            StatusCode::OK,
            "You are signed out of the provider",
            "You can close this page.",
        ),
    };
    authorize::forget(&mut response);
    response
}

/// The address to go to, if it belongs to the application.
fn registered(provider: &Shared, client: &str, uri: &str) -> Option<Url> {
    let url = Url::parse(uri).ok()?;
    let client = provider.client(client)?;
    let mut known = client
        .redirect_uris
        .iter()
        .filter_map(|uri| Url::parse(uri).ok());
    known
        .any(|known| known.origin() == url.origin())
        .then_some(url)
}
