//! Sets the identity on an [`Admitted`], streams it to the upstream and the answer back.
//!
//! The last room of a request's way: `listener` → `sanitize` → `session` → `policy` → here. What
//! arrives here has been decided; this room never asks who somebody is or whether they may.
//!
//! It never buffers a body, never sends a body twice, never lets a client's word stand where the
//! gateway speaks (identity, forwarding, request id), and never makes a cut response look whole.

mod answer;
mod assertion;
mod body;
mod connect;
mod error;
mod expect;
mod head;
mod io;
mod pool;
mod pulse;
#[cfg(test)]
mod tests;
mod tunnel;
mod version;

pub use error::Error;

use crate::clock::Clock;
use crate::config::{Config, Kind};
use crate::policy::{Admitted, is_git};
use crate::sanitize::{CleanRequest, Names};
use crate::session::{Endings, Live, Mark};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::Phase;
use crate::web::{RequestId, Response};
use answer::Answers;
use axum::body::Body;
use body::{RequestBody, ResponseBody};
use connect::Connector;
use expect::Gate;
use head::{Heads, Whence, Who, Wish};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use pool::{Lease, Pool};
use pulse::{Doing, Limits};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long an unused connection is kept: less than the 60 seconds after which Tomcat closes it,
/// so that hardly ever a request meets a connection that is just being closed.
const PARKED: Duration = Duration::from_secs(55);

/// How long [`Upstream::probe`] waits.
const PROBE: Duration = Duration::from_secs(5);

/// How long [`Upstream::end_bitbucket_session`] waits.
const SIGN_OUT: Duration = Duration::from_secs(2);

/// The upstream: its connections, and what it is told about people.
#[derive(Debug)]
pub struct Upstream {
    pool: Arc<Pool>,
    heads: Heads,
    answers: Answers,
    names: Names,
    metrics: Metrics,
    kind: Kind,
    context_path: String,
}

impl Upstream {
    /// Prepares connections to the upstream; opens none yet. Reads certificate files. What is open
    /// for a session is cut when it is among these `endings`.
    ///
    /// # Errors
    ///
    /// If a certificate or key cannot be used.
    pub fn new(
        config: &Config,
        endings: Endings,
        clock: Clock,
        metrics: Metrics,
    ) -> Result<Arc<Self>, Error> {
        let limits = Limits {
            idle: config.upstream.idle_timeout,
            head: config.upstream.head_timeout,
            parked: PARKED,
        };
        let heads = Heads::new(config, clock)?;
        let connector = Connector::new(&config.upstream, &metrics)?;
        Ok(Arc::new(Self {
            pool: Pool::new(connector, limits, endings, metrics.clone()),
            heads,
            names: Names::of(config),
            answers: Answers::new(config, metrics.clone()),
            metrics,
            kind: config.upstream.kind,
            context_path: config.upstream.context_path.clone(),
        }))
    }

    /// Forwards. Only an [`Admitted`] fits in here.
    ///
    /// # Errors
    ///
    /// If no response's head came back. A response that is cut later is cut for the client too.
    pub async fn forward(&self, admitted: Admitted) -> Result<Response, Error> {
        let (request, live, _) = admitted.into_parts();
        let present = live.as_ref().map(|live| live.kept_present());
        let who = present.as_ref().map(|present| Who {
            person: present.person(),
            assertion: present.assertion(),
        });
        self.pass(request, who, live.as_ref()).await
    }

    /// The public keys of the signed assertion as a JWK Set (RFC 7517), if it is configured.
    #[must_use]
    pub fn jwks(&self) -> Option<&str> {
        self.heads.jwks()
    }

    /// Asks the upstream's `/status` (or `/` of a generic one) within a few seconds, for readiness
    /// and `check --online`. Answers the HTTP status.
    ///
    /// # Errors
    ///
    /// If it cannot be reached.
    pub async fn probe(&self) -> Result<StatusCode, Error> {
        let path = match self.kind {
            Kind::Bitbucket => "/status",
            Kind::Generic => "/",
        };
        let asked = self.ask(path, None);
        match tokio::time::timeout(PROBE, asked).await {
            Ok(status) => status,
            Err(_) => Err(Error::HeadTimeout(PROBE)),
        }
    }

    /// Ends Bitbucket's own session that these `Cookie` fields belong to, as far as it will: best
    /// effort within two seconds. The cookies are all that is sent, so that Bitbucket ends the
    /// session it knows them by, and begins none.
    pub async fn end_bitbucket_session(&self, cookies: &HeaderMap) {
        let sent = self.kind == Kind::Bitbucket && cookies.contains_key(header::COOKIE);
        if !sent {
            return;
        }
        let asked = self.ask("/j_atl_security_logout", Some(cookies));
        match tokio::time::timeout(SIGN_OUT, asked).await {
            Ok(Ok(status)) => {
                tracing::debug!(http.status = status.as_u16(), "Bitbucket signed out")
            }
            Ok(Err(error)) => tracing::info!(error = %error, "Bitbucket's sign-out failed"),
            Err(_) => tracing::info!("Bitbucket's sign-out took too long"),
        }
    }

    /// Asks for a path of Bitbucket's in the gateway's own name: no identity, no client.
    async fn ask(&self, path: &str, cookies: Option<&HeaderMap>) -> Result<StatusCode, Error> {
        let (response, _) = self.inquire(path, cookies).await?;
        Ok(response.status())
    }

    /// The same with the whole answer.
    async fn inquire(
        &self,
        path: &str,
        cookies: Option<&HeaderMap>,
    ) -> Result<(http::Response<Incoming>, Lease), Error> {
        let uri =
            Uri::try_from(format!("{}{path}", self.context_path)).map_err(|_| Error::Target)?;
        let mut request = Request::new(RequestBody::empty(self.names.clone()));
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.heads.authority().clone());
        for value in cookies
            .iter()
            .flat_map(|headers| headers.get_all(header::COOKIE))
        {
            headers.append(header::COOKIE, value.clone());
        }
        self.exchange(request, false, None).await
    }

    /// What [`Upstream::forward`] does, once it is decided who is asserted. The whole of it ends with
    /// the session, if it is one's.
    async fn pass(
        &self,
        request: CleanRequest,
        who: Option<Who<'_>>,
        owner: Option<&Arc<Live>>,
    ) -> Result<Response, Error> {
        // Until the answer has come to its end: nobody's transfer is cut for idleness. Tunnels and
        // event streams are no transfers: they stay open in a forgotten tab for days.
        let in_use = owner.map(Live::use_it);
        let owner = owner.map(Arc::as_ref);
        let asked = request.upgrade().cloned();
        let wish = match &asked {
            Some(protocols) => Wish::Upgrade(protocols.clone()),
            None if request.accepts_trailers() => Wish::Trailers,
            None => Wish::Nothing,
        };
        // By the address alone: a class is also what a `User-Agent` says, and no client may lift a
        // limit by a name that it gives itself.
        let git = request.target().in_context().is_some_and(is_git);
        let (mut parts, body, client, id) = request.into_parts();
        let unhurried = git || is_archive(&parts.uri);
        let whence = Whence {
            client: &client,
            id: &id,
        };
        let user = self.heads.write(&mut parts, &body, whence, who, wish)?;
        let client_side = parts.extensions.remove::<OnUpgrade>();
        // What the server side kept there is no business of the connection to the upstream.
        parts.extensions.clear();

        let gate = expects_continue(&parts.headers).then(Arc::<Gate>::default);
        let body = RequestBody::new(body, gate.clone(), self.names.clone());
        let mut request = Request::from_parts(parts, body);
        if let Some(gate) = &gate {
            let gate = Arc::clone(gate);
            hyper::ext::on_informational(&mut request, move |response| {
                if response.status() == StatusCode::CONTINUE {
                    gate.open();
                }
            });
        }

        let (response, lease) = self.exchange(request, unhurried, owner).await?;
        lease.pulse.now(Doing::Answering);
        if let Some(gate) = &gate {
            gate.shut();
        }
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let sides = (client_side, owner.map(Live::mark).unwrap_or_default());
            return self.switch(response, &lease, sides, asked.as_ref(), &id);
        }
        let (mut parts, incoming) = response.into_parts();
        let in_use = in_use.filter(|_| !is_event_stream(&parts.headers));
        self.answers.clean(&mut parts, user.as_ref(), &id);
        parts.extensions.clear();
        let body = ResponseBody::new(incoming, lease, gate, in_use, self.names.clone());
        Ok(Response::from_parts(parts, Body::new(body)))
    }

    /// Sends a request and waits for the response's head.
    ///
    /// A connection from the pool may be closed by the other side at the very moment of its use.
    /// Then the request is tried once more, on a new connection: always if none of it was written,
    /// and otherwise only if it has no body, its method is idempotent (a proxy must not repeat
    /// others, RFC 9110 §9.2.2) and not a byte came back.
    async fn exchange(
        &self,
        mut request: Request<RequestBody>,
        unhurried: bool,
        owner: Option<&Live>,
    ) -> Result<(http::Response<Incoming>, Lease), Error> {
        let mark = owner.map(Live::mark).unwrap_or_default();
        let has_body = !request.body().is_end_stream();
        let repeatable = !has_body && request.method().is_idempotent();
        let mut lease = self.pool.lease().await?;
        loop {
            let spare = (lease.reused && repeatable).then(|| self.copy(&request));
            let began = Instant::now();
            lease.pulse.begin(has_body, unhurried, mark);
            // The bell may have rung between the recognition and here.
            if owner.is_some_and(Live::has_ended) {
                return Err(Error::SessionOver);
            }
            request.body_mut().goes_out_on(Arc::clone(&lease.pulse));
            let mut failed = match lease.send(request).await {
                Ok(response) => {
                    self.metrics.phase(Phase::UpstreamHead, began.elapsed());
                    return Ok((response, lease));
                }
                Err(failed) => failed,
            };
            if lease.pulse.is_cut() && self.pool.endings().include(mark) {
                return Err(Error::SessionOver);
            }
            let again = if lease.reused {
                failed
                    .take_message()
                    .or(spare.filter(|_| !lease.pulse.heard() && lease.pulse.ended().is_none()))
            } else {
                None
            };
            match again {
                Some(again) => {
                    tracing::debug!("a pooled connection had just been closed; trying a new one");
                    request = again;
                    lease = Box::pin(self.pool.open()).await?;
                }
                None => return Err(self.blame(failed.into_error(), &lease)),
            }
        }
    }

    /// A second copy of a request without a body.
    fn copy(&self, request: &Request<RequestBody>) -> Request<RequestBody> {
        let mut copy = Request::new(RequestBody::empty(self.names.clone()));
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        copy
    }

    /// Why there is no response.
    fn blame(&self, error: hyper::Error, lease: &Lease) -> Error {
        match lease.pulse.ended() {
            Some(Doing::Waiting) => Error::HeadTimeout(self.pool.limits().head),
            Some(_) => Error::Silence(self.pool.limits().idle),
            None if error.is_parse() => Error::BadResponse(error),
            None if error.is_user() => Error::ClientGone(error),
            None => Error::Closed(error),
        }
    }

    /// Passes a change of protocol on (RFC 9110 §7.8). An upstream that changes it unasked, or to something else,
    /// could make us carry the next client's bytes as something they are not.
    fn switch(
        &self,
        mut response: http::Response<Incoming>,
        lease: &Lease,
        (client_side, owner): (Option<OnUpgrade>, Mark),
        asked: Option<&HeaderValue>,
        id: &RequestId,
    ) -> Result<Response, Error> {
        let (Some(asked), Some(client_side)) = (asked, client_side) else {
            return Err(Error::UnaskedUpgrade);
        };
        let protocol = response
            .headers()
            .get(header::UPGRADE)
            .filter(|given| offers(asked, given))
            .cloned()
            .ok_or(Error::UnaskedUpgrade)?;
        let upstream_side = hyper::upgrade::on(&mut response);
        tunnel::join(
            client_side,
            upstream_side,
            Arc::clone(&lease.pulse),
            self.pool.limits().idle,
            (self.pool.endings().clone(), owner),
        );
        let (mut parts, _) = response.into_parts();
        self.answers.clean(&mut parts, None, id);
        parts.extensions.clear();
        parts
            .headers
            .insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        parts.headers.insert(header::UPGRADE, protocol);
        Ok(Response::from_parts(parts, Body::empty()))
    }
}

/// Repository archives are made while they are asked for, which takes as long as the repository
/// is large: `…/repos/{slug}/archive` of the REST interface.
fn is_archive(uri: &Uri) -> bool {
    uri.path().ends_with("/archive")
}

/// Server-sent events, which have no end of their own.
fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.as_bytes().split(|byte| *byte == b';').next());
    kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"text/event-stream"))
}

/// Whether the protocol that the upstream chose is one of those that the client offered.
fn offers(asked: &HeaderValue, given: &HeaderValue) -> bool {
    asked
        .as_bytes()
        .split(|byte| *byte == b',')
        .any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(given.as_bytes()))
}

fn expects_continue(headers: &HeaderMap) -> bool {
    headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}
