//! One request, from the socket to the answer: a straight line of calls.

use super::gate::Gate;
use super::{Shared, refusal, routes};
use crate::sanitize;
use crate::session::{self, Live, Visitor};
use crate::web::{Audience, Problem, Reader, RequestId, Response, Wanted};
use axum::body::Body;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// Answers one request. A panic ends this request alone.
pub(super) async fn serve(shared: &Shared, request: Request<Body>, peer: SocketAddr) -> Response {
    let gate = shared.gate.load_full();
    match AssertUnwindSafe(pass(shared, &gate, request, peer))
        .catch_unwind()
        .await
    {
        Ok(response) => response,
        Err(_) => {
            // The panic hook has written the place to the log.
            shared.lasting.metrics.request("panic", 500);
            let problem = Problem::told(StatusCode::INTERNAL_SERVER_ERROR, "internal")
                .action("action.back_to_start", "/");
            gate.pages
                .problem(&problem, Audience::Person, &RequestId::fresh())
        }
    }
}

async fn pass(
    shared: &Shared,
    gate: &Arc<Gate>,
    request: Request<Body>,
    peer: SocketAddr,
) -> Response {
    let audience = audience(request.headers());
    // Which language they read, should there be something to tell them.
    let wanted = Wanted::by(request.headers());
    // Who is asking, by the cookie that the next step cuts out.
    let visitor = match gate.sessions.recognize(request.headers()).await {
        Ok(Visitor::Known(live)) if is_due(shared, &live) => {
            Box::pin(up_to_date(gate, live, request.headers())).await
        }
        Ok(Visitor::Known(live)) if live.is_orphaned(&gate.config) => Ok(Visitor::Stranger),
        visitor => visitor,
    };
    let own = gate
        .is_own(request.uri().path())
        .then(|| request.headers().clone());
    // What the client says about itself ends here.
    let request = match gate.sanitizer.clean(request, peer) {
        Ok(request) => request,
        Err(error) => {
            shared
                .lasting
                .metrics
                .request("unreadable", error.status().as_u16());
            let reader = wanted.reader(RequestId::fresh());
            return problem(gate, &unreadable(&error), audience, reader);
        }
    };
    let id = *request.id();
    if let Some(headers) = own {
        // Boxed, as all that is rare here: what a future may become, every request carries along.
        let response = Box::pin(routes::own(gate, request, headers, visitor)).await;
        shared
            .lasting
            .metrics
            .request("own", response.status().as_u16());
        return response;
    }
    let visitor = match visitor {
        Ok(visitor) => visitor,
        Err(error) => {
            shared.lasting.metrics.request("store", 503);
            let unavailable = store_unavailable().because(&error);
            return problem(gate, &unavailable, audience, wanted.reader(id));
        }
    };
    // May they.
    let admitted = match gate.policy.admit(request, visitor) {
        Ok(admitted) => admitted,
        Err(refused) => {
            let class = refused.class;
            let response = Box::pin(refusal::answer(shared, gate, *refused)).await;
            shared
                .lasting
                .metrics
                .request(class.name(), response.status().as_u16());
            return response;
        }
    };
    // Nothing but an `Admitted` fits in here.
    let class = admitted.class();
    let response = match gate.upstream.forward(admitted).await {
        Ok(response) => response,
        Err(error) => problem(
            gate,
            &error.problem(gate.config.upstream.kind),
            class.audience(),
            wanted.reader(id),
        ),
    };
    shared
        .lasting
        .metrics
        .request(class.name(), response.status().as_u16());
    response
}

/// Whether the session's provider has to be asked again: a comparison, since every request asks.
fn is_due(shared: &Shared, live: &Live) -> bool {
    live.upkeep_due()
        .is_some_and(|due| due <= shared.lasting.clock.now())
}

/// The same visitor, unless the provider had to be asked first and says otherwise.
async fn up_to_date(
    gate: &Gate,
    live: Arc<Live>,
    headers: &HeaderMap,
) -> Result<Visitor, session::Error> {
    if gate.login.keep_up(&live).await {
        gate.sessions.recognize(headers).await
    } else {
        Ok(Visitor::Known(live))
    }
}

/// Answers a problem and writes its reason to the log, once.
pub(super) fn problem(
    gate: &Gate,
    problem: &Problem,
    audience: Audience,
    reader: impl Into<Reader>,
) -> Response {
    let reader = reader.into();
    let id = reader.id();
    let detail = problem.detail.as_deref().unwrap_or_default();
    if problem.status.is_server_error() {
        tracing::warn!(request.id = %id, code = problem.code, detail, "a request failed");
    } else {
        tracing::info!(request.id = %id, code = problem.code, detail, "a request was refused");
    }
    gate.pages.problem(problem, audience, &reader)
}

/// Who reads the answer to a request that is not understood well enough to be classified.
fn audience(headers: &HeaderMap) -> Audience {
    let html = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if html {
        Audience::Person
    } else {
        Audience::Machine
    }
}

fn unreadable(error: &sanitize::Error) -> Problem {
    let status = error.status();
    let problem = match error {
        // RFC 9110 §15.5.6 asks for the field.
        sanitize::Error::Method(_) => Problem::told(status, "method_not_served").header(
            header::ALLOW,
            HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        ),
        sanitize::Error::Host | sanitize::Error::Framing => {
            Problem::told(status, "request_unreadable")
        }
        _ => Problem::told(status, "address_unreadable"),
    };
    problem
        .with_code(error.code())
        .action("action.back_to_start", "/")
        .because(error)
}

pub(super) fn store_unavailable() -> Problem {
    Problem::told(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable")
        .header(header::RETRY_AFTER, HeaderValue::from_static("30"))
        .action("action.back_to_start", "/")
}
