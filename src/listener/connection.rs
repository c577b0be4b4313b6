//! One client's connection from its first byte to its last.

use super::io::{Io, Stream};
use super::life::{Answering, Counted, Life, Verdict};
use super::tls::Tls;
use super::{Limits, Stage};
use crate::web::Response;
use axum::body::Body;
use http::Request;
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

/// The protocol and its limits, the same for every connection.
pub(super) fn protocol() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        // Heads are limited by `Life`, without a timer for each request.
        .header_read_timeout(None)
        // A client that closes its half has gone: its request ends at the upstream too, instead of
        // running on for nobody.
        .half_close(false)
        .max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(128)
        .max_header_list_size(32 * 1024)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

/// What a connection needs to know of its listener.
pub(super) struct Setting {
    pub(super) protocol: Builder<TokioExecutor>,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) limits: Limits,
    pub(super) stage: watch::Receiver<Stage>,
}

/// Serves one connection. Answers its [`Life`] if a tunnel has taken the socket over.
pub(super) async fn serve<H, F>(
    tcp: TcpStream,
    peer: SocketAddr,
    life: Arc<Life>,
    setting: Arc<Setting>,
    handler: H,
) -> Option<Weak<Life>>
where
    H: Fn(Request<Body>, SocketAddr) -> F,
    F: Future<Output = Response> + Send + 'static,
{
    // Small writes (heads, chunks of an event stream) must not wait for an acknowledgement.
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(error = %error, "a connection was gone before it began");
        return None;
    }
    let mut stage = setting.stage.clone();
    let stream = tokio::select! {
        stream = greet(tcp, &setting) => stream?,
        _ = stage.wait_for(|stage| *stage != Stage::Serving) => return None,
    };
    let io = TokioIo::new(Io::new(stream, Arc::clone(&life)));
    let requests = Arc::clone(&life);
    let service = service_fn(move |request: Request<Incoming>| {
        let running = requests.begin(request.version());
        let request = request.map(|body| {
            if body.is_end_stream() {
                Body::empty()
            } else {
                Body::new(Counted::new(body, running.part()))
            }
        });
        // Boxed, because hyper keeps room for one on every connection, and most connections idle.
        let answer = Box::pin(handler(request, peer));
        async move {
            let response = answer.await;
            let answering = Answering::begin(running);
            Ok::<_, Infallible>(response.map(|body| Counted::new(body, answering)))
        }
    });
    drive(io, service, &life, &setting, stage).await;
    // The service and the connection have let go of it, so whoever else holds it is the socket.
    (Arc::strong_count(&life) > 1).then(|| Arc::downgrade(&life))
}

/// The TLS handshake, if there is one, within the time for a head.
async fn greet(tcp: TcpStream, setting: &Setting) -> Option<Stream> {
    let Some(tls) = &setting.tls else {
        return Some(Stream::Plain(tcp));
    };
    let handshake = TlsAcceptor::from(tls.current()).accept(tcp);
    match tokio::time::timeout(setting.limits.head, handshake).await {
        Ok(Ok(stream)) => Some(Stream::Tls(Box::new(stream))),
        Ok(Err(error)) => {
            tracing::debug!(error = %error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!("a TLS handshake took too long");
            None
        }
    }
}

async fn drive<S, F>(
    io: TokioIo<Io>,
    service: S,
    life: &Life,
    setting: &Setting,
    mut stage: watch::Receiver<Stage>,
) where
    S: hyper::service::Service<
            Request<Incoming>,
            Response = http::Response<Counted<Body, Answering>>,
            Error = Infallible,
            Future = F,
        >,
    F: Future<Output = Result<http::Response<Counted<Body, Answering>>, Infallible>>
        + Send
        + 'static,
{
    let connection = setting.protocol.serve_connection_with_upgrades(io, service);
    let mut connection = std::pin::pin!(connection);
    let mut look = std::pin::pin!(tokio::time::sleep(setting.limits.tick()));
    let mut finishing = false;
    loop {
        tokio::select! {
            biased;
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(error = %error, "a client's connection ended");
                }
                return;
            }
            () = look.as_mut() => {
                let again = match life.look(&setting.limits) {
                    Verdict::Fine(again) => again,
                    Verdict::Retire if !finishing => {
                        finishing = true;
                        connection.as_mut().graceful_shutdown();
                        setting.limits.tick()
                    }
                    Verdict::Retire => return,
                    Verdict::End(reason) => {
                        tracing::debug!(reason, "a client's connection was closed");
                        return;
                    }
                };
                look.as_mut().reset(Instant::now() + again);
            }
            changed = stage.changed() => {
                let stage = *stage.borrow_and_update();
                if changed.is_err() || stage == Stage::Stopped {
                    return;
                }
                finishing = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
