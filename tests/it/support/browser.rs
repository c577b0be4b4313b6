//! A client that keeps cookies like a browser, and can send what no browser would.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::net::TcpStream;
use url::Url;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub url: Url,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Where it redirects to, as an absolute address.
    #[track_caller]
    pub fn location(&self) -> Url {
        assert!(
            self.status.is_redirection(),
            "{} {}: {}",
            self.url,
            self.status,
            self.text()
        );
        self.url.join(self.header("location").unwrap()).unwrap()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{}: {}",
            self.url,
            self.text()
        );
        self
    }

    /// Asserts that a page says something.
    #[track_caller]
    pub fn says(self, part: &str) -> Self {
        let text = self.text().replace("&#x2f;", "/");
        assert!(
            text.contains(part),
            "{part:?} is not in {} {}: {}",
            self.url,
            self.status,
            self.text()
        );
        self
    }
}

/// A browser: navigates, keeps cookies per host and port, and follows redirects when asked.
#[derive(Debug, Clone)]
pub struct Browser {
    pub home: Url,
    /// Where the gateway's public name really is.
    gateway: SocketAddr,
    jar: BTreeMap<String, BTreeMap<String, String>>,
}

impl Browser {
    pub fn new(home: &str, gateway: SocketAddr) -> Self {
        Self {
            home: home.parse().unwrap(),
            gateway,
            jar: BTreeMap::new(),
        }
    }

    /// Goes to an address, or a path of the gateway, like somebody who clicks a link.
    pub async fn get(&mut self, address: &str) -> Answer {
        let url = self.home.join(address).unwrap();
        self.send(Method::GET, &url, NAVIGATION, Bytes::new()).await
    }

    /// Goes to an address and follows redirects to the end.
    pub async fn follow(&mut self, address: &str) -> Answer {
        let answer = self.get(address).await;
        self.follow_from(answer).await
    }

    /// Follows redirects to the end.
    pub async fn follow_from(&mut self, mut answer: Answer) -> Answer {
        for _ in 0..20 {
            if !answer.status.is_redirection() {
                return answer;
            }
            let next = answer.location();
            answer = self
                .send(Method::GET, &next, NAVIGATION, Bytes::new())
                .await;
        }
        panic!("a redirect loop at {}", answer.url);
    }

    /// Sends a form like a page of ours.
    pub async fn submit(&mut self, address: &str, form: &[(&str, &str)]) -> Answer {
        let url = self.home.join(address).unwrap();
        let origin = self.home.origin().ascii_serialization();
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let extra = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("origin", &origin),
            ("sec-fetch-site", "same-origin"),
        ];
        let headers: Vec<_> = NAVIGATION
            .iter()
            .copied()
            .filter(|(n, _)| *n != "sec-fetch-site")
            .chain(extra)
            .collect();
        self.send(Method::POST, &url, &headers, Bytes::from(body))
            .await
    }

    /// Sends anything, with the jar's cookies.
    pub async fn send(
        &mut self,
        method: Method,
        url: &Url,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Answer {
        let mut all: Vec<(String, String)> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        if let Some(cookies) = self.cookie_header(url) {
            all.push(("cookie".into(), cookies));
        }
        let at = if url.origin() == self.home.origin() {
            self.gateway.to_string()
        } else {
            authority(url)
        };
        let answer = raw(&at, method, url, &all, body).await;
        let jar = self.jar.entry(authority(url)).or_default();
        for value in answer.headers.get_all(header::SET_COOKIE) {
            let value = value.to_str().unwrap();
            let (name, rest) = value.split_once('=').unwrap();
            let content = rest.split(';').next().unwrap();
            if rest.to_ascii_lowercase().contains("max-age=0") || content.is_empty() {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), content.to_owned());
            }
        }
        answer
    }

    /// The cookies for an address, as a browser sends them.
    pub fn cookie_header(&self, url: &Url) -> Option<String> {
        let jar = self.jar.get(&authority(url))?;
        let pairs: Vec<_> = jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar.get(&authority(&self.home))?.get(name).cloned()
    }

    pub fn set_cookie(&mut self, name: &str, value: &str) {
        let home = authority(&self.home);
        self.jar
            .entry(home)
            .or_default()
            .insert(name.into(), value.into());
    }

    pub fn drop_cookie(&mut self, name: &str) {
        let home = authority(&self.home);
        self.jar.entry(home).or_default().remove(name);
    }

    pub fn clear_cookies(&mut self) {
        self.jar.clear();
    }
}

/// What a browser sends with a click.
pub const NAVIGATION: &[(&str, &str)] = &[
    ("accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-site", "none"),
];

fn authority(url: &Url) -> String {
    format!(
        "{}:{}",
        url.host_str().unwrap(),
        url.port_or_known_default().unwrap()
    )
}

/// One HTTP/1.1 request over a connection of its own.
pub async fn raw(
    at: &str,
    method: Method,
    url: &Url,
    headers: &[(String, String)],
    body: Bytes,
) -> Answer {
    let target = url.query().map_or_else(
        || url.path().to_owned(),
        |query| format!("{}?{query}", url.path()),
    );
    exact(at, method, url, &target, headers, body).await
}

/// The same with a target that no URL parser has tidied up.
pub async fn exact(
    at: &str,
    method: Method,
    url: &Url,
    target: &str,
    headers: &[(String, String)],
    body: Bytes,
) -> Answer {
    let stream = TcpStream::connect(at).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection.with_upgrades());
    let mut request = Request::builder()
        .method(method)
        .uri(target.parse::<Uri>().unwrap());
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        request = request.header("host", url.authority());
    }
    for (name, value) in headers {
        request = request.header(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    let response = sender
        .send_request(request.body(Full::new(body)).unwrap())
        .await
        .unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        url: url.clone(),
        status: head.status,
        headers: head.headers,
        body,
    }
}
