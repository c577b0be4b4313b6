//! Ways in which an answer can be wrong.

use super::refusal::error;
use axum::BoxError;
use axum::body::{Body, Bytes};
use axum::response::{Html, IntoResponse, Response};
use futures_util::{StreamExt, stream};
use http::{HeaderValue, StatusCode, header};
use std::time::Duration;

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, and the answer is an error of this status in Bitbucket's shape.
    Status(StatusCode),
    /// 429, with the time to wait in `Retry-After`, in whole seconds.
    RateLimited(Duration),
    /// 200 and `application/json`, but no JSON.
    Garbage,
    /// 200 and somebody's login page.
    LoginPage,
    /// A redirect to this address.
    Moved(String),
    /// 404 of something in between, which knows nothing of Bitbucket's exceptions.
    ProxyNotFound,
    /// 200 and `application/json` that never ends.
    Endless,
    /// The connection breaks in the middle of the body.
    Cut,
    /// No answer, for as long as the client waits.
    Silence,
    /// The call is done, but the answer is this instead of its own.
    AnswerLost(StatusCode),
}

/// A piece of JSON's white space, for the body that never ends.
const BLANK: Bytes = Bytes::from_static(&[b' '; 16 * 1024]);
const JSON: (http::HeaderName, &str) = (header::CONTENT_TYPE, "application/json;charset=UTF-8");

impl Fault {
    /// The answer. `done` does what was asked for.
    pub(super) async fn answer(self, done: impl Future<Output = Response>) -> Response {
        match self {
            Self::Status(status) => failed(status),
            Self::RateLimited(wait) => {
                let mut answer = error(
                    StatusCode::TOO_MANY_REQUESTS,
                    None,
                    "Too many requests",
                    None,
                );
                let wait = HeaderValue::from(wait.as_secs());
                answer.headers_mut().insert(header::RETRY_AFTER, wait);
                answer
            }
            Self::Garbage => ([JSON], "{\"size\": 1, \"values\": [").into_response(),
            Self::LoginPage => Html(
                "<!doctype html><title>Log in</title><form method=\"post\"><input name=\"j_username\"></form>",
            )
            .into_response(),
            Self::Moved(to) => {
                (StatusCode::FOUND, [(header::LOCATION, to)], "").into_response()
            }
            Self::ProxyNotFound => {
                let page = Html("<!doctype html><h1>404 Not Found</h1>");
                (StatusCode::NOT_FOUND, page).into_response()
            }
            Self::Endless => {
                let pieces = stream::repeat_with(|| Ok::<_, BoxError>(BLANK));
                ([JSON], Body::from_stream(pieces)).into_response()
            }
            Self::Cut => {
                let begin = Ok::<_, BoxError>(Bytes::from_static(b"{\"size\":"));
                // What is there is sent before the rest is waited for.
                let end = stream::once(async {
                    tokio::task::yield_now().await;
                    Err("cut".into())
                });
                let pieces = stream::iter([begin]).chain(end);
                ([JSON], Body::from_stream(pieces)).into_response()
            }
            Self::Silence => std::future::pending().await,
            Self::AnswerLost(status) => {
                done.await;
                failed(status)
            }
        }
    }
}

fn failed(status: StatusCode) -> Response {
    let message = "An error occurred while processing the request. Check the server logs for more information.";
    error(status, None, message, None)
}
