//! A fake Bitbucket that records what reached it.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// One request as it reached Bitbucket.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    /// Every value of a field, in order.
    pub fn all(&self, name: &str) -> Vec<String> {
        let values = self.headers.get_all(name).iter();
        values
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect()
    }

    /// The one value of a field.
    pub fn one(&self, name: &str) -> Option<String> {
        let mut all = self.all(name);
        assert!(all.len() <= 1, "{name} came {} times: {all:?}", all.len());
        all.pop()
    }
}

type Script = Arc<dyn Fn(&Seen) -> Response<Body> + Send + Sync>;

/// A fake Bitbucket on a port of its own.
#[derive(Clone)]
pub struct Upstream {
    pub addr: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    scripts: Arc<Mutex<HashMap<String, Script>>>,
}

impl Upstream {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self {
            addr: listener.local_addr().unwrap(),
            seen: Arc::default(),
            scripts: Arc::default(),
        };
        let serving = this.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let this = serving.clone();
                tokio::spawn(async move {
                    let service =
                        hyper::service::service_fn(move |request| this.clone().answer(request));
                    let builder =
                        hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    let _ = builder
                        .serve_connection_with_upgrades(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        this
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Answers a path in a way of its own from now on.
    pub fn on(&self, path: &str, script: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static) {
        self.scripts
            .lock()
            .unwrap()
            .insert(path.to_owned(), Arc::new(script));
    }

    /// Everything that reached it so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The last request that reached it.
    pub fn last(&self) -> Seen {
        self.seen().pop().expect("something reached the upstream")
    }

    /// Forgets what it saw.
    pub fn forget(&self) {
        self.seen.lock().unwrap().clear();
    }

    async fn answer(
        self,
        request: Request<hyper::body::Incoming>,
    ) -> Result<Response<Body>, std::io::Error> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, 1 << 20)
            .collect()
            .await
            .map_err(std::io::Error::other)?
            .to_bytes();
        let seen = Seen {
            method: head.method.to_string(),
            target: head.uri.to_string(),
            headers: head.headers,
            body,
        };
        self.seen.lock().unwrap().push(seen.clone());
        let script = self.scripts.lock().unwrap().get(head.uri.path()).cloned();
        Ok(script.map_or_else(|| usual(&seen), |script| script(&seen)))
    }
}

/// What Bitbucket does when nothing else was said: it believes the header and says so.
fn usual(seen: &Seen) -> Response<Body> {
    let mut response = Response::builder()
        .status(StatusCode::OK)
        .header("Content-Type", "text/html");
    if let Some(user) = seen.one("x-forwarded-user") {
        response = response.header("X-AUSERNAME", user);
    }
    response
        .body(Body::from(format!(
            "bitbucket {} {}",
            seen.method, seen.target
        )))
        .unwrap()
}
