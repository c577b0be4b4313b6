//! Sockets, TLS, connection limits, draining.
//!
//! The first room of a request's way. It speaks HTTP/1.1 and HTTP/2, with TLS or without, hands
//! each request to a handler together with the peer's address, and sees to it that no client holds
//! a connection without using it. It decides nothing about requests and reads none of their
//! fields.

mod connection;
mod io;
mod life;
#[cfg(test)]
mod tests;
mod tls;

pub use tls::{Tls, TlsError};

use crate::config;
use crate::telemetry::Metrics;
use crate::web::Response;
use axum::body::Body;
use connection::Setting;
use http::Request;
use life::Life;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior};

/// Connections that the operating system keeps for us, e.g. while all places are taken.
const BACKLOG: u32 = 4096;

/// How long an idle connection is kept: longer than the 60 seconds of the usual proxies before
/// us, so that they close first and never send into a connection that is being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How often the certificate's files are looked at.
const LOOK_AT_FILES: Duration = Duration::from_secs(30);

/// How long to wait when the operating system has no more sockets to give.
const EXHAUSTED: Duration = Duration::from_millis(200);

/// How long connections that were told to stop may take to be gone.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why a listener cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is taken, or is none of this machine's.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
}

/// Limits of a listener and its connections.
#[derive(Debug, Clone)]
pub struct Options {
    /// For the TLS handshake, and for the head of a request from its first byte (the first one:
    /// from the beginning of the connection).
    pub head_timeout: Duration,
    /// How long a client may take no bytes, and send none, while there are some for it.
    pub stall_timeout: Duration,
    /// How long requests may run on after the shutdown.
    pub drain_timeout: Duration,
    /// Connections at once; tunnels count. More wait in the operating system's queue.
    pub max_connections: usize,
    /// Counts the connections, if they are to be counted.
    pub metrics: Option<Metrics>,
}

impl Options {
    /// The public listener's.
    #[must_use]
    pub fn public(config: &config::Config, metrics: Metrics) -> Self {
        Self {
            head_timeout: config.server.head_timeout,
            stall_timeout: config.upstream.idle_timeout,
            drain_timeout: config.server.drain_timeout,
            max_connections: config.server.max_connections,
            metrics: Some(metrics),
        }
    }

    /// The admin listener's: few connections, not counted.
    #[must_use]
    pub fn admin(config: &config::Config) -> Self {
        Self {
            max_connections: 128,
            metrics: None,
            ..Self::public(config, Metrics::new())
        }
    }
}

/// How a listener ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were open at the shutdown and came to their own end.
    pub drained: usize,
    /// Connections that were cut at the deadline.
    pub aborted: usize,
}

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
}

/// How far a listener's life has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Serving,
    Draining,
    Stopped,
}

/// How long a connection may do what.
#[derive(Debug, Clone, Copy)]
struct Limits {
    head: Duration,
    keep_alive: Duration,
    stall: Duration,
}

impl Limits {
    /// The longest time between two looks at a connection. No limit is shorter, so a limit that
    /// begins after a look cannot end before the next one.
    fn tick(&self) -> Duration {
        self.head.min(self.keep_alive).min(self.stall)
    }
}

impl Listener {
    /// Listens, from now on, for connections that [`Listener::serve`] will take.
    ///
    /// # Errors
    ///
    /// If the address cannot be listened on.
    pub fn bind(address: SocketAddr) -> Result<Self, Error> {
        let failed = |source| Error::Bind { address, source };
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        }
        .map_err(failed)?;
        // A restart must not wait for the old connections' last packets.
        socket.set_reuseaddr(true).map_err(failed)?;
        socket.bind(address).map_err(failed)?;
        let socket = socket.listen(BACKLOG).map_err(failed)?;
        Ok(Self {
            address: socket.local_addr().map_err(failed)?,
            socket,
            tls: None,
        })
    }

    /// Speaks TLS. Without it: HTTP/1.1, and HTTP/2 with prior knowledge.
    #[must_use]
    pub fn with_tls(mut self, tls: Arc<Tls>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves connections until `shutdown`, and then lets running requests finish: idle
    /// connections close at once, and what still runs at the deadline is cut.
    ///
    /// A panic of the handler ends the connection that it belongs to and nothing else.
    pub async fn serve<H, F>(
        self,
        handler: H,
        options: Options,
        shutdown: impl Future<Output = ()>,
    ) -> Drained
    where
        H: Fn(Request<Body>, SocketAddr) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let most = options
            .max_connections
            .clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        let places = Arc::new(Semaphore::new(most));
        let (stages, stage) = watch::channel(Stage::Serving);
        let tunnels = Arc::new(Mutex::new(Vec::<Weak<Life>>::new()));
        let setting = Arc::new(Setting {
            protocol: connection::protocol(),
            tls: self.tls.clone(),
            limits: Limits {
                head: options.head_timeout,
                keep_alive: KEEP_ALIVE,
                stall: options.stall_timeout,
            },
            stage,
        });

        let accepting = async {
            loop {
                let (tcp, peer, place) = self.accept(&places).await;
                let open = options.metrics.as_ref().map(Metrics::client_connection);
                let life = Arc::new(Life::new(place, open));
                let serving =
                    connection::serve(tcp, peer, life, Arc::clone(&setting), handler.clone());
                let tunnels = Arc::clone(&tunnels);
                tokio::spawn(async move {
                    if let Some(tunnel) = serving.await {
                        let mut tunnels = tunnels.lock().unwrap_or_else(PoisonError::into_inner);
                        tunnels.retain(|tunnel| tunnel.strong_count() > 0);
                        tunnels.push(tunnel);
                    }
                });
            }
        };
        tokio::select! {
            () = accepting => {}
            () = watch_files(self.tls.as_deref()) => {}
            () = shutdown => {}
        }
        drop(self.socket);

        let open = most - places.available_permits();
        stages.send_replace(Stage::Draining);
        let all = u32::try_from(most).unwrap_or(u32::MAX);
        let gone = || places.acquire_many(all);
        if tokio::time::timeout(options.drain_timeout, gone())
            .await
            .is_ok()
        {
            return Drained {
                drained: open,
                aborted: 0,
            };
        }
        let aborted = most - places.available_permits();
        stages.send_replace(Stage::Stopped);
        let left = std::mem::take(&mut *tunnels.lock().unwrap_or_else(PoisonError::into_inner));
        for tunnel in left.iter().filter_map(Weak::upgrade) {
            tunnel.cut();
        }
        if tokio::time::timeout(FAREWELL, gone()).await.is_err() {
            tracing::warn!("some connections did not let themselves be cut");
        }
        Drained {
            drained: open.saturating_sub(aborted),
            aborted,
        }
    }

    /// The next connection, once there is a place for it.
    async fn accept(
        &self,
        places: &Arc<Semaphore>,
    ) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        loop {
            // Never closed, so this does not fail; if it did, there would be no place.
            let Ok(place) = Arc::clone(places).acquire_owned().await else {
                std::future::pending::<()>().await;
                continue;
            };
            match self.socket.accept().await {
                Ok((tcp, peer)) => return (tcp, peer, place),
                Err(error) if is_the_connections(&error) => {
                    tracing::debug!(error = %error, "a connection was gone before it began");
                }
                Err(error) => {
                    // Out of file descriptors or memory: trying again at once would spin.
                    tracing::error!(error = %error, "no connection can be accepted");
                    tokio::time::sleep(EXHAUSTED).await;
                }
            }
        }
    }
}

/// Whether an error of `accept` belongs to the connection rather than to the socket that listens.
fn is_the_connections(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::ConnectionAborted
            | std::io::ErrorKind::ConnectionRefused
            | std::io::ErrorKind::ConnectionReset
            | std::io::ErrorKind::Interrupted
    )
}

/// Takes new certificates over when their files change. Never ends.
async fn watch_files(tls: Option<&Tls>) {
    let Some(tls) = tls else {
        return std::future::pending().await;
    };
    let mut ticks = tokio::time::interval_at(Instant::now() + LOOK_AT_FILES, LOOK_AT_FILES);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // Two small files on a local disk, twice a minute: not worth a thread.
        match tls.refresh() {
            Ok(false) => {}
            Ok(true) => tracing::info!("the listener's certificate was read again"),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the listener's new certificate cannot be used; the old one stays in force"
            ),
        }
    }
}
