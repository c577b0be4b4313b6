//! The REST calls that look after people, groups and permissions.
//!
//! Each looks in the same order: who asks, whether they may, whether the call makes sense, whether
//! its objects exist, whether they outrank the caller, and only then what the change would do.
//! Bitbucket's own order between the last of these is not published.

mod caller;
mod groups;
mod licence;
mod permissions;
mod shapes;
mod users;

use super::Shared;
use super::input::media_type;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use std::sync::Arc;

/// The calls below a version of the interface.
pub(super) fn api(base: &str) -> Router<Arc<Shared>> {
    Router::new()
        .merge(users::api(base))
        .merge(groups::api(base))
        .merge(permissions::api(base))
        .merge(licence::api(base))
        .layer(from_fn(refuse_forms))
}

/// What a form of another site could send needs a field that no form sends.
async fn refuse_forms(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let unchecked = headers
        .get("x-atlassian-token")
        .is_some_and(|value| value == "no-check");
    let form = matches!(
        media_type(headers).as_str(),
        "application/x-www-form-urlencoded" | "multipart/form-data" | "text/plain"
    );
    if request.method() != Method::GET && form && !unchecked {
        return (StatusCode::FORBIDDEN, "XSRF check failed\n").into_response();
    }
    next.run(request).await
}
