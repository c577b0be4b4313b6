//! What doesn't end at once: a page that streams, server-sent events, a WebSocket.

use super::visitor::{Member, Visitor};
use super::{Shared, pages};
use axum::body::Body;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderMap, StatusCode};
use minijinja::context;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

const PAUSE: Duration = Duration::from_secs(1);
/// Lines of the page that streams.
const LINES: u32 = 30;
/// Events before the stream ends; the browser then asks again.
const EVENTS: u32 = 3600;
/// The longest WebSocket message.
const MAX_MESSAGE: usize = 1024 * 1024;
/// Where the template is cut in two.
const CUT: &str = "\u{1}";

pub(super) async fn page(
    State(app): State<Arc<Shared>>,
    Member(user, by): Member,
    headers: HeaderMap,
) -> Response {
    let values = pages::frame(&Visitor::Known(user, by), &headers);
    app.pages.show("live.html", StatusCode::OK, None, values)
}

pub(super) async fn stream(
    State(app): State<Arc<Shared>>,
    Member(user, by): Member,
    headers: HeaderMap,
) -> Response {
    let frame = pages::frame(&Visitor::Known(user, by), &headers);
    let text = app
        .pages
        .text("stream.html", context! { cut => CUT, ..frame });
    let text = text.unwrap_or_else(|error| {
        tracing::error!(%error, "a page of the demo could not be rendered");
        CUT.to_owned()
    });
    let (before, after) = text.split_once(CUT).unwrap_or((&text, ""));
    let line = |number| format!("line {number} of {LINES}\n");
    let pieces = stream::iter([before.to_owned()])
        .chain(seconds(LINES).map(line))
        .chain(stream::iter([after.to_owned()]))
        .map(Ok::<_, Infallible>);
    app.pages
        .finish(StatusCode::OK, None, Body::from_stream(pieces))
}

pub(super) async fn events(
    Member(user, _): Member,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let event = move |number: u32| {
        let text = format!("event {number} for {}", user.username);
        Ok(Event::default().id(number.to_string()).data(text))
    };
    Sse::new(seconds(EVENTS).map(event))
}

/// 1 at once, then a number a second.
fn seconds(last: u32) -> impl Stream<Item = u32> {
    stream::unfold(1, move |number| async move {
        if number > last {
            return None;
        }
        if number > 1 {
            tokio::time::sleep(PAUSE).await;
        }
        Some((number, number + 1))
    })
}

pub(super) async fn echo(
    _: Member,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    match socket {
        Ok(socket) => socket.max_message_size(MAX_MESSAGE).on_upgrade(answer),
        Err(_) => {
            let message = "This is a WebSocket; the page at /live speaks with it.\n";
            (StatusCode::UPGRADE_REQUIRED, message).into_response()
        }
    }
}

/// Says everything once more. An error means that the other side is gone.
async fn answer(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let again = match message {
            Message::Text(_) | Message::Binary(_) => message,
            Message::Close(_) => break,
            // Pings are answered by the library.
            Message::Ping(_) | Message::Pong(_) => continue,
        };
        if socket.send(again).await.is_err() {
            break;
        }
    }
}
