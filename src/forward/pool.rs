//! Connections to the upstream, kept between requests.
//!
//! One host, HTTP/1.1, last in first out: the connection that was used most recently is the least
//! likely to have been closed by the other side. A connection goes back when its response has come
//! to its end, and only if it can take the next request.

use super::Error;
use super::body::RequestBody;
use super::connect::Connector;
use super::io::Io;
use super::pulse::{Doing, Limits, Pulse};
use crate::session::Endings;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::Phase;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::time::Instant;

/// More idle connections than this are closed.
const MOST_PARKED: usize = 1024;

/// The largest response head, and how much of a body is read at once at most.
const BUFFER: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct Pool {
    connector: Connector,
    limits: Limits,
    parked: Mutex<Vec<Parked>>,
    endings: Endings,
    metrics: Metrics,
}

#[derive(Debug)]
struct Parked {
    sender: SendRequest<RequestBody>,
    pulse: Arc<Pulse>,
}

/// The right to send one request on a connection.
#[derive(Debug)]
pub(super) struct Lease {
    sender: SendRequest<RequestBody>,
    pub(super) pulse: Arc<Pulse>,
    /// It has carried a request before, so the other side may be closing it at this moment.
    pub(super) reused: bool,
    pool: Arc<Pool>,
}

impl Pool {
    pub(super) fn new(
        connector: Connector,
        limits: Limits,
        endings: Endings,
        metrics: Metrics,
    ) -> Arc<Self> {
        Arc::new(Self {
            connector,
            limits,
            parked: Mutex::default(),
            endings,
            metrics,
        })
    }

    pub(super) const fn endings(&self) -> &Endings {
        &self.endings
    }

    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A kept connection, or else a new one.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease, Error> {
        match self.take() {
            Some(lease) => Ok(lease),
            // Boxed, because most requests find a kept one and need not carry this along.
            None => Box::pin(self.open()).await,
        }
    }

    fn take(self: &Arc<Self>) -> Option<Lease> {
        let mut parked = self.parked();
        while let Some(Parked { sender, pulse }) = parked.pop() {
            if sender.is_ready() && !sender.is_closed() {
                return Some(Lease {
                    sender,
                    pulse,
                    reused: true,
                    pool: Arc::clone(self),
                });
            }
        }
        None
    }

    /// A new connection.
    pub(super) async fn open(self: &Arc<Self>) -> Result<Lease, Error> {
        let began = Instant::now();
        let stream = self.connector.connect().await?;
        self.metrics.phase(Phase::UpstreamConnect, began.elapsed());
        let pulse = Arc::new(Pulse::new(self.metrics.upstream_connection()));
        let io = TokioIo::new(Io::new(stream, Arc::clone(&pulse)));
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER)
            .handshake(io)
            .await
            .map_err(Error::Closed)?;
        let task = run(
            connection.with_upgrades(),
            Arc::clone(&pulse),
            self.limits,
            self.endings.clone(),
            Arc::downgrade(self),
        );
        tokio::spawn(task);
        Ok(Lease {
            sender,
            pulse,
            reused: false,
            pool: Arc::clone(self),
        })
    }

    fn park(&self, parked: Parked) {
        let mut all = self.parked();
        if all.len() < MOST_PARKED {
            parked.pulse.now(Doing::Parked);
            all.push(parked);
        }
    }

    fn parked(&self) -> MutexGuard<'_, Vec<Parked>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drives a connection until it ends, or a limit or the end of a session ends it. Whoever waits on
/// it learns that from the drop: hyper fails the waiting request, or the body that is being read.
async fn run(
    connection: impl Future<Output = hyper::Result<()>>,
    pulse: Arc<Pulse>,
    limits: Limits,
    endings: Endings,
    pool: Weak<Pool>,
) {
    {
        let mut connection = std::pin::pin!(connection);
        let mut look = std::pin::pin!(tokio::time::sleep(limits.tick()));
        let mut bell = endings.bell();
        loop {
            tokio::select! {
                biased;
                result = &mut connection => {
                    if let Err(error) = result {
                        tracing::debug!(error = %error, "a connection to the upstream ended");
                    }
                    break;
                }
                () = &mut bell => {
                    // Hung up again before the look, so that no ring is missed.
                    bell = endings.bell();
                    if endings.include(pulse.owner()) {
                        tracing::debug!("a stream was cut, because its session has ended");
                        pulse.cut();
                        break;
                    }
                }
                () = &mut look => match pulse.look(&limits) {
                    Ok(next) => look.as_mut().reset(Instant::now() + next),
                    Err(doing) => {
                        pulse.end(doing);
                        break;
                    }
                },
            }
        }
    }
    if let Some(pool) = pool.upgrade() {
        pool.parked().retain(|parked| !parked.sender.is_closed());
    }
}

impl Lease {
    /// Sends. The request comes back in the error if none of it was written.
    pub(super) fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>> {
        self.sender.try_send_request(request)
    }

    /// The response has come to its end.
    pub(super) fn give_back(self) {
        let Self {
            mut sender,
            pulse,
            pool,
            ..
        } = self;
        if sender.is_ready() {
            pool.park(Parked { sender, pulse });
        } else if !sender.is_closed() {
            // The connection's task has not come round yet, or the client is still sending a body
            // that has been answered already.
            tokio::spawn(async move {
                if sender.ready().await.is_ok() {
                    pool.park(Parked { sender, pulse });
                }
            });
        }
    }
}
