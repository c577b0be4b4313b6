//! A few REST calls, in Bitbucket's shapes. Those about people are in [`super::admin`].

use super::refusal::error;
use super::visitor::{Member, Visitor};
use super::{Shared, User, admin};
use aws_lc_rs::digest;
use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::middleware;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use axum::{BoxError, Router};
use futures_util::{StreamExt, stream};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// A piece of what `send` sends.
const PIECE: Bytes = Bytes::from_static(&[b'p'; 64 * 1024]);

/// The calls below a version of the interface.
pub(super) fn api(base: &str) -> Router<Arc<Shared>> {
    let at = |path| format!("{base}{path}");
    Router::new()
        .route(&at("/application-properties"), get(properties))
        .route(
            &at("/projects"),
            get(|_: Member| async { page(vec![project()]) }),
        )
        .route(
            &at("/projects/DEMO"),
            get(|_: Member| async { Json(project()) }),
        )
        .route(
            &at("/projects/DEMO/repos"),
            get(|_: Member| async { page(vec![repository()]) }),
        )
        .route(
            &at("/projects/DEMO/repos/hello"),
            get(|_: Member| async { Json(repository()) }),
        )
        .merge(admin::api(base))
        .layer(middleware::map_response(spelled))
}

/// Bitbucket's description spells the media type of good answers with a charset, and of errors
/// without; a client that compares the text must meet the same here.
async fn spelled(mut response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    if response.status().is_success() && kind.is_some_and(|kind| kind == "application/json") {
        let kind = HeaderValue::from_static("application/json;charset=UTF-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}

pub(super) async fn status() -> Json<Value> {
    Json(json!({ "state": "RUNNING" }))
}

async fn properties() -> Json<Value> {
    Json(json!({
        "version": "9.4.0", "buildNumber": "9004000", "buildDate": "1735689600000",
        "displayName": "Bitbucket stand-in",
    }))
}

fn page(values: Vec<Value>) -> Json<Value> {
    let size = values.len();
    Json(json!({ "size": size, "limit": 25, "start": 0, "isLastPage": true, "values": values }))
}

fn project() -> Value {
    json!({ "key": "DEMO", "id": 1, "name": "Demo", "public": false, "type": "NORMAL" })
}

fn repository() -> Value {
    json!({
        "slug": "hello", "id": 1, "name": "hello", "scmId": "git", "state": "AVAILABLE",
        "project": project(),
    })
}

/// Somebody whom only the header has named.
pub(super) fn describe(user: &User) -> Value {
    json!({
        "id": user.id, "name": user.username, "slug": user.username.to_lowercase(),
        "displayName": if user.name.is_empty() { &user.username } else { &user.name },
        "emailAddress": user.email, "active": true, "type": "NORMAL",
    })
}

pub(super) async fn unknown(_: Member) -> Response {
    error(
        StatusCode::NOT_FOUND,
        None,
        "There is no such resource.",
        Some("com.atlassian.bitbucket.NoSuchEntityException"),
    )
}

/// The username as plain text; nothing for nobody.
pub(super) async fn whoami(visitor: Visitor) -> String {
    visitor
        .user()
        .map(|user| user.username.clone())
        .unwrap_or_default()
}

/// How much `send` sends.
#[derive(Debug, Deserialize)]
pub(super) struct Amount {
    bytes: u64,
}

/// Sends as many bytes as asked for, without a length in front.
pub(super) async fn send(_: Member, Query(Amount { bytes }): Query<Amount>) -> Response {
    let pieces = stream::unfold(bytes, |left| async move {
        let piece =
            PIECE.slice(..usize::try_from(left).map_or(PIECE.len(), |n| n.min(PIECE.len())));
        let left = left.checked_sub(piece.len() as u64)?;
        (!piece.is_empty()).then_some((Ok::<_, BoxError>(piece), left))
    });
    let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
    (kind, Body::from_stream(pieces)).into_response()
}

/// Counts and digests a body of any size. A body that was cut is an error, not a short one.
pub(super) async fn receive(_: Member, body: Body) -> Response {
    let mut digest = digest::Context::new(&digest::SHA256);
    let mut bytes = 0_u64;
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let Ok(piece) = piece else {
            return error(
                StatusCode::BAD_REQUEST,
                None,
                "The body was cut.",
                Some("java.io.EOFException"),
            );
        };
        bytes += piece.len() as u64;
        digest.update(&piece);
    }
    let digest = digest.finish();
    let hex: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    Json(json!({ "bytes": bytes, "sha256": hex })).into_response()
}

/// What wrong credentials get, everywhere.
pub(super) fn wrong_credentials() -> Response {
    error(
        StatusCode::UNAUTHORIZED,
        None,
        "Authentication failed. Please check your credentials and try again.",
        Some("com.atlassian.bitbucket.auth.IncorrectPasswordAuthenticationException"),
    )
}
