//! The listener from the outside: raw sockets, and clients of HTTP/2 and TLS.

use super::*;
use bytes::Bytes;
use http::{StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

const LONG: Duration = Duration::from_secs(60);

fn options() -> Options {
    Options {
        head_timeout: LONG,
        stall_timeout: LONG,
        drain_timeout: LONG,
        max_connections: 16,
        metrics: None,
    }
}

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    end: JoinHandle<Drained>,
}

impl Running {
    async fn stop(self) -> Drained {
        self.stop.send(()).unwrap();
        self.end.await.unwrap()
    }
}

fn listener() -> Listener {
    Listener::bind(([127, 0, 0, 1], 0).into()).unwrap()
}

fn start<H, F>(listener: Listener, options: Options, handler: H) -> Running
where
    H: Fn(Request<Body>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let address = listener.local_addr();
    let (stop, stopped) = oneshot::channel();
    let end = tokio::spawn(listener.serve(handler, options, async {
        let _ = stopped.await;
    }));
    Running { address, stop, end }
}

/// Answers at once with the version that the request came in.
fn version(
    request: Request<Body>,
    _peer: SocketAddr,
) -> impl Future<Output = Response> + Send + 'static {
    ready(Response::new(Body::from(format!(
        "{:?}",
        request.version()
    ))))
}

async fn send(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// Everything until the end of the stream; a reset is an end too.
async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    String::from_utf8_lossy(&all).into_owned()
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const GET_AND_CLOSE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

async fn get_over_http2(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> String {
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://a/")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn without_tls_both_versions_are_spoken() {
    let running = start(listener(), options(), version);
    let mut stream = send(running.address, GET_AND_CLOSE).await;
    assert!(rest(&mut stream).await.ends_with("HTTP/1.1"));
    let stream = TcpStream::connect(running.address).await.unwrap();
    assert_eq!(get_over_http2(stream).await, "HTTP/2.0");
    running.stop().await;
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let running = start(listener(), options(), version);
    let mut stream = send(running.address, GET).await;
    let mut head = [0; 15];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    stream.write_all(GET_AND_CLOSE.as_bytes()).await.unwrap();
    assert_eq!(rest(&mut stream).await.matches("200 OK").count(), 1);
    running.stop().await;
}

struct Certificate {
    cert: String,
    key: String,
    der: CertificateDer<'static>,
}

fn certificate() -> Certificate {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    Certificate {
        cert: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
        der: made.cert.der().clone(),
    }
}

fn write(dir: &tempfile::TempDir, certificate: &Certificate) -> config::TlsFiles {
    let files = config::TlsFiles {
        cert_file: dir.path().join("cert.pem"),
        key_file: dir.path().join("key.pem"),
    };
    std::fs::write(&files.cert_file, &certificate.cert).unwrap();
    std::fs::write(&files.key_file, &certificate.key).unwrap();
    files
}

/// A TLS connection that trusts this certificate alone.
async fn tls(
    address: SocketAddr,
    trusted: &Certificate,
    versions: &[&'static rustls::SupportedProtocolVersion],
    protocol: &[u8],
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.der.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let tcp = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
}

#[tokio::test]
async fn tls_offers_both_versions_of_both() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = certificate();
    let metrics = Metrics::new();
    let keys = Tls::load(&write(&dir, &certificate), metrics.clone()).unwrap();
    let running = start(listener().with_tls(keys), options(), version);
    for versions in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let stream = tls(running.address, &certificate, &[versions], b"h2").await;
        assert_eq!(get_over_http2(stream.unwrap()).await, "HTTP/2.0");
        let stream = tls(running.address, &certificate, &[versions], b"http/1.1").await;
        let mut stream = stream.unwrap();
        stream.write_all(GET_AND_CLOSE.as_bytes()).await.unwrap();
        assert!(rest(&mut stream).await.ends_with("HTTP/1.1"));
    }
    // rcgen's certificates end in the year 4096.
    let shown = metrics.render();
    assert!(shown.contains("cert.pem\"} 67090"), "{shown}");
    running.stop().await;
}

#[tokio::test]
async fn a_new_certificate_is_taken_over_and_a_bad_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (certificate(), certificate());
    let files = write(&dir, &old);
    let keys = Tls::load(&files, Metrics::new()).unwrap();
    let running = start(listener().with_tls(Arc::clone(&keys)), options(), version);
    let hello = |trusted| tls(running.address, trusted, rustls::ALL_VERSIONS, b"http/1.1");
    assert!(hello(&old).await.is_ok());
    assert!(!keys.refresh().unwrap(), "nothing has changed");

    write(&dir, &new);
    assert!(keys.refresh().unwrap());
    assert!(hello(&new).await.is_ok());
    assert!(hello(&old).await.is_err());

    // Half written: the new certificate with another key.
    std::fs::write(&files.cert_file, &old.cert).unwrap();
    assert!(matches!(keys.refresh(), Err(TlsError::Pair { .. })));
    std::fs::write(&files.cert_file, "no certificate").unwrap();
    assert!(matches!(keys.reload(&files), Err(TlsError::File { .. })));
    std::fs::remove_file(&files.cert_file).unwrap();
    assert!(matches!(keys.refresh(), Err(TlsError::File { .. })));
    assert!(hello(&new).await.is_ok(), "the good one stays in force");
    running.stop().await;
}

#[tokio::test]
async fn a_client_that_dawdles_loses_its_connection() {
    let dir = tempfile::tempdir().unwrap();
    let keys = Tls::load(&write(&dir, &certificate()), Metrics::new()).unwrap();
    for (listener, text) in [
        (listener(), ""),
        (listener(), "GET / HTTP/1.1\r\nHo"),
        (listener(), "PRI * HTTP/2.0\r\n"),
        (listener().with_tls(keys), ""),
    ] {
        let options = Options {
            head_timeout: Duration::from_millis(100),
            ..options()
        };
        let running = start(listener, options, version);
        let mut stream = send(running.address, text).await;
        assert_eq!(rest(&mut stream).await, "", "{text:?}");
        running.stop().await;
    }
}

/// A handler that says that it runs, and then waits to be let go.
#[derive(Clone, Default)]
struct Slow {
    calls: Arc<AtomicUsize>,
    called: Arc<Notify>,
    go: Arc<Notify>,
}

impl Slow {
    fn handler(
        &self,
    ) -> impl Fn(Request<Body>, SocketAddr) -> futures_util::future::BoxFuture<'static, Response>
    + Clone
    + Send
    + Sync
    + 'static {
        let slow = self.clone();
        move |_, _| {
            let slow = slow.clone();
            Box::pin(async move {
                slow.calls.fetch_add(1, Ordering::SeqCst);
                slow.called.notify_one();
                slow.go.notified().await;
                Response::new(Body::from("done"))
            })
        }
    }
}

#[tokio::test]
async fn a_running_request_finishes_and_an_idle_connection_closes_at_once() {
    let slow = Slow::default();
    let running = start(listener(), options(), slow.handler());
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    let mut idle = send(running.address, GET).await;
    slow.called.notified().await;
    slow.go.notify_one();
    let mut answer = [0; 15];
    idle.read_exact(&mut answer).await.unwrap();
    let mut busy = send(running.address, GET).await;
    slow.called.notified().await;

    running.stop.send(()).unwrap();
    assert!(rest(&mut idle).await.ends_with("done"));
    assert_eq!(rest(&mut silent).await, "");
    assert!(
        TcpStream::connect(running.address).await.is_err(),
        "nobody listens any more"
    );
    slow.go.notify_one();
    assert!(rest(&mut busy).await.ends_with("done"));
    let drained = running.end.await.unwrap();
    assert_eq!(drained.aborted, 0);
    assert!(drained.drained >= 1);
}

#[tokio::test]
async fn at_the_deadline_what_still_runs_is_cut() {
    let slow = Slow::default();
    let options = Options {
        drain_timeout: Duration::from_millis(50),
        ..options()
    };
    let running = start(listener(), options, slow.handler());
    let mut busy = send(running.address, GET).await;
    slow.called.notified().await;
    let expected = Drained {
        drained: 0,
        aborted: 1,
    };
    assert_eq!(running.stop().await, expected);
    assert_eq!(rest(&mut busy).await, "");
}

/// Switches to a protocol that echoes.
fn echo(
    mut request: Request<Body>,
    _peer: SocketAddr,
) -> impl Future<Output = Response> + Send + 'static {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut stream = TokioIo::new(upgrade.await.unwrap());
        let mut byte = [0];
        while let Ok(1) = stream.read(&mut byte).await {
            stream.write_all(&byte).await.unwrap();
        }
    });
    let response = http::Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "echo")
        .body(Body::empty());
    ready(response.unwrap())
}

async fn tunnel(address: SocketAddr) -> TcpStream {
    let ask = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    let mut stream = send(address, ask).await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    stream.write_all(b"x").await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'x');
    stream
}

#[tokio::test]
async fn a_tunnel_goes_on_until_the_deadline() {
    let options = Options {
        drain_timeout: Duration::from_millis(50),
        ..options()
    };
    let running = start(listener(), options, echo);
    let mut stream = tunnel(running.address).await;
    let expected = Drained {
        drained: 0,
        aborted: 1,
    };
    assert_eq!(running.stop().await, expected);
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn a_tunnel_that_ends_by_itself_lets_the_listener_end() {
    let running = start(listener(), options(), echo);
    let mut stream = tunnel(running.address).await;
    running.stop.send(()).unwrap();
    stream.write_all(b"y").await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'y');
    drop(stream);
    let expected = Drained {
        drained: 1,
        aborted: 0,
    };
    assert_eq!(running.end.await.unwrap(), expected);
}

#[tokio::test]
async fn more_connections_than_places_wait() {
    let slow = Slow::default();
    let options = Options {
        max_connections: 1,
        ..options()
    };
    let running = start(listener(), options, slow.handler());
    let first = send(running.address, GET).await;
    slow.called.notified().await;
    let mut second = send(running.address, GET_AND_CLOSE).await;
    let early = tokio::time::timeout(Duration::from_millis(50), second.read_u8()).await;
    assert!(early.is_err());
    assert_eq!(slow.calls.load(Ordering::SeqCst), 1);

    drop(first);
    slow.called.notified().await;
    slow.go.notify_one();
    assert!(rest(&mut second).await.ends_with("done"));
    running.stop().await;
}

#[tokio::test]
async fn a_panic_ends_one_connection_only() {
    let handler = |request: Request<Body>, peer| {
        assert_ne!(request.uri().path(), "/panic", "as asked for");
        version(request, peer)
    };
    let running = start(listener(), options(), handler);
    let mut bad = send(running.address, "GET /panic HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(rest(&mut bad).await, "");
    let mut good = send(running.address, GET_AND_CLOSE).await;
    assert!(rest(&mut good).await.starts_with("HTTP/1.1 200"));
    running.stop().await;
}

#[tokio::test]
async fn connections_are_counted_while_they_are_open() {
    let metrics = Metrics::new();
    let options = Options {
        metrics: Some(metrics.clone()),
        ..options()
    };
    let count = |n| {
        let line = format!("portcullis_client_connections {n}");
        metrics.render().contains(&line)
    };
    let running = start(listener(), options, echo);
    let stream = tunnel(running.address).await;
    assert!(count(1));
    drop(stream);
    running.stop().await;
    assert!(count(0));
}
