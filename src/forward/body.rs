//! Bodies on their way through: never buffered, frame by frame, at the pace of the slower side.

use super::expect::{Gate, PATIENCE, Unwanted};
use super::pool::Lease;
use super::pulse::Pulse;
use crate::sanitize::Names;
use crate::session::InUse;
use axum::body::Body;
use bytes::Bytes;
use http::HeaderName;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::time::Sleep;

/// The client's body on its way to the upstream.
pub(super) struct RequestBody {
    inner: Body,
    gate: Option<Gated>,
    /// The clock of the connection that it goes out on.
    pulse: Option<Arc<Pulse>>,
    names: Names,
}

struct Gated {
    gate: Arc<Gate>,
    /// Runs from when the connection first asks, which is when the head has been written.
    patience: Option<Pin<Box<Sleep>>>,
}

/// Why the request's body ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cut {
    #[error("the client broke off")]
    Client(#[source] axum::Error),
    #[error("the upstream did not want the body")]
    Unwanted,
}

impl RequestBody {
    pub(super) fn new(inner: Body, gate: Option<Arc<Gate>>, names: Names) -> Self {
        Self {
            inner,
            gate: gate.map(|gate| Gated {
                gate,
                patience: None,
            }),
            pulse: None,
            names,
        }
    }

    pub(super) fn empty(names: Names) -> Self {
        Self::new(Body::empty(), None, names)
    }

    /// Tells which connection the body goes out on.
    pub(super) fn goes_out_on(&mut self, pulse: Arc<Pulse>) {
        self.pulse = Some(pulse);
    }

    fn ended(&mut self) {
        if let Some(pulse) = self.pulse.take() {
            pulse.sent();
        }
    }
}

impl Gated {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Unwanted>> {
        if self.gate.is_waiting() {
            let patience = self
                .patience
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
            if patience.as_mut().poll(cx).is_ready() {
                self.gate.open();
            }
        }
        self.gate.poll(cx)
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(gated) = &mut self.gate {
            if ready!(gated.poll(cx)).is_err() {
                return Poll::Ready(Some(Err(Cut::Unwanted)));
            }
            self.gate = None;
        }
        let Some(frame) = ready!(Pin::new(&mut self.inner).poll_frame(cx)) else {
            self.ended();
            return Poll::Ready(None);
        };
        let frame = frame.map_err(Cut::Client)?;
        if self.inner.is_end_stream() {
            self.ended();
        }
        Poll::Ready(Some(Ok(without_forbidden(frame, &self.names))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The upstream's body on its way to the client. A cut stays a cut: an error of the inner body is
/// passed on, and the server side then breaks the client's stream off instead of ending it.
pub(super) struct ResponseBody {
    inner: Incoming,
    /// Goes back to the pool when the body has come to its end, and is dropped, which closes the
    /// connection, when it has not.
    lease: Option<Lease>,
    gate: Option<Arc<Gate>>,
    in_use: Option<InUse>,
    names: Names,
}

impl ResponseBody {
    pub(super) fn new(
        inner: Incoming,
        lease: Lease,
        gate: Option<Arc<Gate>>,
        in_use: Option<InUse>,
        names: Names,
    ) -> Self {
        let mut body = Self {
            inner,
            lease: Some(lease),
            gate,
            in_use,
            names,
        };
        if http_body::Body::is_end_stream(&body.inner) {
            body.ended();
        }
        body
    }

    fn ended(&mut self) {
        self.in_use = None;
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
        if let Some(gate) = self.gate.take() {
            gate.over();
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.over();
        }
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(frame) = ready!(Pin::new(&mut self.inner).poll_frame(cx)) else {
            self.ended();
            return Poll::Ready(None);
        };
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                self.lease = None;
                tracing::debug!(error = %error, "the upstream's response was cut");
                return Poll::Ready(Some(Err(error)));
            }
        };
        // A body of known length is not asked for its end once all of it has come.
        if http_body::Body::is_end_stream(&self.inner) {
            self.ended();
        }
        Poll::Ready(Some(Ok(without_forbidden(frame, &self.names))))
    }

    fn is_end_stream(&self) -> bool {
        http_body::Body::is_end_stream(&self.inner)
    }

    fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.inner)
    }
}

/// Trailers come after everything has been decided by the head, so they cannot carry what decides.
fn without_forbidden(frame: Frame<Bytes>, names: &Names) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            let forbidden: Vec<HeaderName> = trailers
                .keys()
                .filter(|name| names.forbids_trailer(name))
                .cloned()
                .collect();
            for name in forbidden {
                trailers.remove(name);
            }
            Frame::trailers(trailers)
        }
        Err(data) => data,
    }
}
