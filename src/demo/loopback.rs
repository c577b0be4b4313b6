//! The demo's only way to listen: on 127.0.0.1, with a switch that stops it and starts it again.
//!
//! While it is stopped the port is closed, as it is when a provider is down: new connections are
//! refused, and those that were open are cut.

use super::Error;
use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tower::ServiceExt;

/// More connections wait until one ends.
const MAX_CONNECTIONS: usize = 1024;
/// How long a connection may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long accepting rests after it failed, for example without file descriptors.
const REST: Duration = Duration::from_millis(100);

/// Where a request came from, as its connection says. A request without it did not come through
/// this listener.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// A port of 127.0.0.1 and what answers there. Clones are handles of the same; when the last is
/// dropped, the port is closed.
#[derive(Debug, Clone)]
pub struct Loopback(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    addr: SocketAddr,
    router: Router,
    running: AtomicBool,
    /// The accepting task, which owns the listener and every connection. Dropping the set ends it.
    accepting: Mutex<JoinSet<()>>,
}

/// A bound port that does not answer yet: its address is known before what answers is built.
#[derive(Debug)]
pub(super) struct Bound {
    listener: TcpListener,
    addr: SocketAddr,
}

impl Bound {
    /// Binds `port` of 127.0.0.1, or any free one when it is 0.
    pub(super) async fn exactly(port: u16) -> Result<Self, Error> {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let bind = async {
            let listener = TcpListener::bind(addr).await?;
            let addr = listener.local_addr()?;
            Ok(Self { listener, addr })
        };
        bind.await.map_err(|source| Error::Listen { addr, source })
    }

    /// Binds `port` if it is free, otherwise any free one.
    pub(super) async fn preferably(port: u16) -> Result<Self, Error> {
        match Self::exactly(port).await {
            Ok(bound) => Ok(bound),
            Err(_) => Self::exactly(0).await,
        }
    }

    /// The address.
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Begins to answer.
    pub(super) fn serve(self, router: Router) -> Loopback {
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(self.listener, router.clone()));
        Loopback(Arc::new(Inner {
            addr: self.addr,
            router,
            running: AtomicBool::new(true),
            accepting: Mutex::new(accepting),
        }))
    }
}

impl Loopback {
    /// The address, which stays the same when it is stopped and started.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.0.addr
    }

    /// Whether it answers.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.0.running.load(Ordering::SeqCst)
    }

    /// Closes the port and cuts every connection. New ones are refused from now on.
    pub async fn stop(&self) {
        let mut accepting = self.0.accepting.lock().await;
        accepting.shutdown().await;
        self.0.running.store(false, Ordering::SeqCst);
    }

    /// Opens the port again.
    ///
    /// # Errors
    ///
    /// If somebody else has taken it meanwhile.
    pub async fn start(&self) -> Result<(), Error> {
        let mut accepting = self.0.accepting.lock().await;
        if accepting.is_empty() {
            let bound = Bound::exactly(self.0.addr.port()).await?;
            accepting.spawn(accept(bound.listener, self.0.router.clone()));
            self.0.running.store(true, Ordering::SeqCst);
        }
        Ok(())
    }
}

async fn accept(listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
            continue;
        }
        match listener.accept().await {
            // The kernel sees to this already; it costs nothing to say it again.
            Ok((_, peer)) if !peer.ip().is_loopback() => {}
            Ok((stream, peer)) => {
                connections.spawn(serve(stream, peer, router.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "the demo cannot accept a connection");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, router: Router) {
    let answer = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    let served = async {
        // A streamed line waits for nothing.
        stream.set_nodelay(true)?;
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), answer)
            .with_upgrades()
            .await
            .map_err(io::Error::other)
    };
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection of the demo ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn ask(addr: SocketAddr) -> io::Result<String> {
        let mut stream = TcpStream::connect(addr).await?;
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn a_stopped_listener_refuses_and_comes_back_at_the_same_address() {
        let bound = Bound::exactly(0).await.unwrap();
        assert!(bound.addr().ip().is_loopback());
        let loopback = bound.serve(Router::new().route("/", get(|| async { "here" })));
        assert!(ask(loopback.addr()).await.unwrap().ends_with("here"));

        let mut open = TcpStream::connect(loopback.addr()).await.unwrap();
        loopback.stop().await;
        assert!(!loopback.is_running());
        assert_eq!(
            ask(loopback.addr()).await.unwrap_err().kind(),
            io::ErrorKind::ConnectionRefused
        );
        // The connection that was open is cut: its end is seen, as silence or as a reset.
        assert!(matches!(open.read(&mut [0]).await, Ok(0) | Err(_)));

        loopback.start().await.unwrap();
        loopback.start().await.unwrap();
        assert!(loopback.is_running());
        assert!(ask(loopback.addr()).await.unwrap().ends_with("here"));
    }

    #[tokio::test]
    async fn a_taken_port_is_an_error_unless_it_was_only_preferred() {
        let taken = Bound::exactly(0).await.unwrap();
        let port = taken.addr().port();
        assert!(matches!(
            Bound::exactly(port).await,
            Err(Error::Listen { .. })
        ));
        assert_ne!(Bound::preferably(port).await.unwrap().addr().port(), port);
    }
}
