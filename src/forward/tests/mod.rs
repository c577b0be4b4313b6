//! The whole way through on real sockets: a client that speaks raw HTTP, a listener, the cleaning,
//! this room, and an upstream whose every byte the test says.

mod bodies;
mod ends;
mod expect;
mod heads;
mod limits;
mod reuse;
mod tls;
mod upgrade;

use super::head::Who;
use super::{Error, Upstream};
use crate::clock::Clock;
use crate::config::{Config, Kind, Origin};
use crate::identity::{DisplayName, Email, GroupName, Person, Username};
use crate::listener::{Listener, Options};
use crate::sanitize::{Sanitizer, tests::config};
use crate::session::{Endings, Live};
use crate::telemetry::Metrics;
use crate::web::Response;
use arc_swap::ArcSwapOption;
use axum::body::Body;
use http::Request;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use url::Url;

/// Long enough for anything that happens at all on this machine.
const SOON: Duration = Duration::from_secs(20);

/// Long enough to see that something does not happen.
const A_WHILE: Duration = Duration::from_millis(150);

/// A raw connection, on either end.
struct Wire(TcpStream);

impl Wire {
    async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Everything up to and with `end`.
    async fn until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        let read = async {
            while !text.ends_with(end.as_bytes()) {
                match self.0.read_u8().await {
                    Ok(byte) => text.push(byte),
                    Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&text)),
                }
            }
        };
        let done = timeout(SOON, read).await;
        assert!(done.is_ok(), "{end:?} did not come");
        String::from_utf8(text).unwrap()
    }

    async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    async fn exactly(&mut self, text: &str) {
        let mut bytes = vec![0; text.len()];
        timeout(SOON, self.0.read_exact(&mut bytes))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), text);
    }

    /// Everything until the end; a reset is an end too.
    async fn rest(&mut self) -> String {
        let mut all = Vec::new();
        let end = timeout(SOON, self.0.read_to_end(&mut all)).await;
        assert!(end.is_ok(), "the connection stays open");
        String::from_utf8_lossy(&all).into_owned()
    }

    async fn says_nothing(&mut self) {
        if let Ok(result) = timeout(A_WHILE, self.0.read_u8()).await {
            panic!("it said something, or ended: {result:?}");
        }
    }
}

/// An upstream of which the test says every byte.
struct Far(TcpListener);

impl Far {
    async fn listen() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    async fn accept(&self) -> Wire {
        let (stream, _) = timeout(SOON, self.0.accept()).await.unwrap().unwrap();
        Wire(stream)
    }

    async fn nobody_comes(&self) {
        assert!(timeout(A_WHILE, self.0.accept()).await.is_err());
    }
}

/// The gateway's part of the way, and its upstream.
struct Way {
    far: Far,
    address: SocketAddr,
    metrics: Metrics,
}

impl Way {
    async fn new() -> Self {
        Self::with(None, |_| {}).await
    }

    async fn with(person: Option<Person>, change: impl FnOnce(&mut Config)) -> Self {
        let far = Far::listen().await;
        let config = settings(far.address(), change);
        let metrics = Metrics::new();
        let upstream = Upstream::new(
            &config,
            Endings::default(),
            Clock::system(),
            metrics.clone(),
        )
        .unwrap();
        let address = serve(&config, upstream, person, None);
        Self {
            far,
            address,
            metrics,
        }
    }

    async fn connect(&self) -> Wire {
        Wire(TcpStream::connect(self.address).await.unwrap())
    }

    /// A client that has said this, and the upstream that it came to.
    async fn begin(&self, text: &str) -> (Wire, Wire) {
        let mut near = self.connect().await;
        near.say(text).await;
        (near, self.far.accept().await)
    }

    fn shows(&self, line: &str) -> bool {
        self.metrics.render().lines().any(|shown| shown == line)
    }
}

fn origin(text: &str) -> Origin {
    let url = Url::parse(text).unwrap();
    Origin {
        https: url.scheme() == "https",
        authority: url.authority().to_owned(),
        text: text.to_owned(),
        url,
    }
}

fn settings(upstream: SocketAddr, change: impl FnOnce(&mut Config)) -> Config {
    let mut config = config();
    config.upstream.url = origin(&format!("http://{upstream}"));
    config.identity.assertion = None;
    change(&mut config);
    config
}

/// Listens, cleans and forwards as the gateway does.
fn serve(
    config: &Config,
    upstream: Arc<Upstream>,
    person: Option<Person>,
    owner: Option<Arc<Live>>,
) -> SocketAddr {
    let sanitizer = Arc::new(Sanitizer::new(config));
    let kind = config.upstream.kind;
    let person = person.map(Arc::new);
    let handler = move |request: Request<Body>, peer| {
        let (upstream, sanitizer) = (Arc::clone(&upstream), Arc::clone(&sanitizer));
        let (person, owner) = (person.clone(), owner.clone());
        async move {
            let request = sanitizer.clean(request, peer).unwrap();
            let assertion = ArcSwapOption::empty();
            let who = person.as_deref().map(|person| Who {
                person,
                assertion: &assertion,
            });
            match upstream.pass(request, who, owner.as_ref()).await {
                Ok(response) => response,
                Err(error) => problem(&error, kind),
            }
        }
    };
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.local_addr();
    let options = Options {
        head_timeout: SOON,
        stall_timeout: SOON,
        drain_timeout: SOON,
        max_connections: 100,
        metrics: None,
    };
    tokio::spawn(listener.serve(handler, options, std::future::pending()));
    address
}

/// What the gateway answers to a program.
fn problem(error: &Error, kind: Kind) -> Response {
    let pages = crate::web::Pages::new("/sso").unwrap();
    let id = crate::web::RequestId::fresh();
    pages.problem(&error.problem(kind), crate::web::Audience::Machine, &id)
}

fn ana() -> Person {
    Person {
        username: Username::parse("ana").unwrap(),
        email: Some(Email::parse("ana@example.com").unwrap()),
        display_name: Some(DisplayName::parse("Ana Núñez").unwrap()),
        groups: ["stash-users", "café crew"]
            .map(|name| GroupName::parse(name).unwrap())
            .to_vec(),
    }
}

/// A request without a body.
fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: git.example.com\r\n\r\n")
}

/// A request with these further fields.
fn ask(line: &str, fields: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: git.example.com\r\n{fields}\r\n")
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
