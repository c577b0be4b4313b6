//! Makes a [`CleanRequest`]: strips what the client must not say, reads path and client once.
//!
//! Everything that comes in from outside passes here before anybody decides on it. The order is
//! the point: first the client is found from what trusted proxies say; then go the fields that
//! `Connection` names, then every spelling of every field that only the gateway may set, then the
//! gateway's cookies. What `forward` sets comes after all of this, so no trick of the client's can
//! reach it. The path is read here once: policy matches what will be forwarded.
//!
//! This room never decides whether somebody may do something.

mod client;
mod forwarded;
mod hop;
mod names;
mod reading;
mod target;

#[cfg(test)]
pub(crate) mod tests;

pub use client::Client;
pub use names::Names;
pub(crate) use reading::literal;
pub use target::{Reading, Target};

use crate::config::{Config, Kind};
use crate::web::{RequestId, cookies};
use axum::body::Body;
use client::Clients;
use hop::Hop;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header, request};
use std::net::SocketAddr;
use std::sync::Arc;

/// Bitbucket's own "keep me logged in". It would bring back a person whom the gateway has signed
/// out, and Bitbucket cancels it anyway whenever the chain of addresses changes.
const REMEMBER_ME_COOKIE: &str = "_atl_bitbucket_remember_me";

/// Cookies by which Bitbucket knows somebody again, whatever the gateway says.
const UPSTREAM_SESSION_COOKIES: [&[u8]; 4] = [
    b"BITBUCKETSESSIONID",
    b"JSESSIONID",
    b"_atl_bitbucket_remember_me",
    b"crowd.token_key",
];

/// A request of which nothing that the client says about itself is left.
#[derive(Debug)]
pub struct CleanRequest {
    head: request::Parts,
    body: Body,
    target: Target,
    client: Client,
    id: RequestId,
    hop: Hop,
}

/// Why a request is not even looked at. The client is to blame for all of these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A method that a gateway in front of one application has no use for, or one in lower case.
    #[error("the method {0:?} is not served here")]
    Method(String),
    /// Not a path: `*`, an authority, or nothing.
    #[error("the request target is not a path")]
    NotAPath,
    /// The limit, in bytes.
    #[error("the request target is longer than {0} bytes")]
    TooLong(usize),
    /// Not visible ASCII, or `#`, or a control character in an escape.
    #[error("the request target contains {0:?}")]
    Character(char),
    /// `%` without two hexadecimal digits, or an overlong encoding behind it.
    #[error("the request target has a broken escape")]
    Escape,
    /// Some server would read it as a path above the root.
    #[error("the request target climbs above the root")]
    OutsideRoot,
    /// Nothing honest looks like this.
    #[error("the request target can be read in too many ways")]
    Readings,
    /// No `Host`, several, one that is no host, or another one than the target's (RFC 9112 §3.2).
    #[error("the request does not name one host")]
    Host,
    /// Two readers could disagree on where the body ends (RFC 9112 §6.3).
    #[error("the length of the request body is doubtful")]
    Framing,
}

impl Error {
    /// The status that says so.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLong(_) => StatusCode::URI_TOO_LONG,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// A short, stable name for problems and logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Method(_) => "method_not_served",
            Self::TooLong(_) => "target_too_long",
            Self::NotAPath => "target_not_a_path",
            Self::Character(_) => "target_character",
            Self::Escape => "target_escape",
            Self::OutsideRoot => "target_outside_root",
            Self::Readings => "target_too_ambiguous",
            Self::Host => "host_doubtful",
            Self::Framing => "body_length_doubtful",
        }
    }
}

/// Cleans requests. Built once from the configuration.
#[derive(Debug)]
pub struct Sanitizer {
    clients: Clients,
    names: Names,
    /// Cookies that stay here.
    cookies: Vec<String>,
    context: Arc<str>,
    /// For HTTP/1.0, which need not name a host.
    public_host: Option<HeaderValue>,
}

impl Sanitizer {
    /// Knows every identity header, cookie and trusted proxy of this configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let session = &config.session.cookie_name;
        let mut own = cookies::own_names(session).to_vec();
        // With sign-in off, Bitbucket's own page signs in, and remembering is its business.
        if config.upstream.kind == Kind::Bitbucket && config.sign_in.enabled {
            own.push(REMEMBER_ME_COOKIE.to_owned());
        }
        Self {
            clients: Clients::new(config),
            names: Names::of(config),
            cookies: own,
            context: Arc::from(config.upstream.context_path.as_str()),
            public_host: HeaderValue::from_str(&config.server.public_url.authority).ok(),
        }
    }

    /// The field names that no client may send on, for whoever forwards trailers.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The client and the id of a request that the gateway answers itself.
    #[must_use]
    pub fn client(&self, headers: &HeaderMap, peer: SocketAddr) -> (Client, RequestId) {
        self.clients.of(headers, peer)
    }

    /// Cleans a request. The gateway's cookies are cut out of it, so the visitor is recognized
    /// from the header before.
    ///
    /// # Errors
    ///
    /// If the target cannot be read as a path of ours, or the request could be understood as two
    /// different ones.
    pub fn clean(
        &self,
        request: http::Request<Body>,
        peer: SocketAddr,
    ) -> Result<CleanRequest, Error> {
        let (mut head, body) = request.into_parts();
        check_method(&head.method)?;
        let target = Target::read(&head.uri, &self.context)?;
        self.settle_host(&mut head)?;
        let (client, id) = self.clients.of(&head.headers, peer);
        let hop = Hop::read(&mut head)?;
        self.names.strip(&mut head.headers);
        let ours = |name: &[u8]| self.cookies.iter().any(|own| own.as_bytes() == name);
        cookies::cut(&mut head.headers, ours);
        join_cookies(&mut head.headers);
        head.uri = target.to_uri();
        Ok(CleanRequest {
            head,
            body,
            target,
            client,
            id,
            hop,
        })
    }

    /// Leaves exactly one `Host`. HTTP/2 names it in `:authority`, and a proxy-style target names
    /// it a second time; two names would be two virtual hosts to two servers.
    fn settle_host(&self, head: &mut request::Parts) -> Result<(), Error> {
        let mut hosts = head.headers.get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => Some(host),
            (None, None) => None,
            _ => return Err(Error::Host),
        };
        if let Some(host) = host {
            let text = host.to_str().map_err(|_| Error::Host)?;
            let named = Authority::try_from(text).map_err(|_| Error::Host)?;
            let same = head.uri.authority().is_none_or(|target| *target == named);
            return if same && !text.contains('@') {
                Ok(())
            } else {
                Err(Error::Host)
            };
        }
        let named = match head.uri.authority() {
            Some(target) if head.version == Version::HTTP_2 && !target.as_str().contains('@') => {
                HeaderValue::from_str(target.as_str()).ok()
            }
            None if head.version == Version::HTTP_10 => self.public_host.clone(),
            _ => None,
        };
        head.headers.insert(header::HOST, named.ok_or(Error::Host)?);
        Ok(())
    }
}

/// `CONNECT` would make a tunnel and `TRACE` an echo of what proxies add (RFC 9110 §9.3.6,
/// §9.3.8). Methods are case-sensitive, and no registered one has a lower-case letter; a server
/// that does not care would let `put` past a rule for `PUT` (CVE-2020-14359).
fn check_method(method: &Method) -> Result<(), Error> {
    let odd = method.as_str().bytes().any(|b| b.is_ascii_lowercase());
    if odd || method == Method::CONNECT || method == Method::TRACE {
        return Err(Error::Method(method.as_str().to_owned()));
    }
    Ok(())
}

/// HTTP/2 may split `Cookie` into crumbs; HTTP/1.1 knows one field (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let values: Vec<&[u8]> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if values.len() < 2 {
        return;
    }
    // Pieces of valid values, joined by valid bytes, are a valid value.
    if let Ok(joined) = HeaderValue::from_bytes(&values.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}

impl CleanRequest {
    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// The path and query.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What is left of the header.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// Who sent it.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &RequestId {
        &self.id
    }

    /// The protocols that the client would switch to: the value of the `Upgrade` to send upstream.
    #[must_use]
    pub fn upgrade(&self) -> Option<&HeaderValue> {
        self.hop.upgrade.as_ref()
    }

    /// Whether the client said `TE: trailers`, which is to be said upstream again.
    #[must_use]
    pub fn accepts_trailers(&self) -> bool {
        self.hop.trailers
    }

    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1).
    /// The field itself is still in the header.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.head
            .headers
            .get(header::EXPECT)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
    }

    /// Removes the client's own credentials: they never go together with an identity.
    pub(crate) fn drop_authorization(&mut self) {
        self.head.headers.remove(header::AUTHORIZATION);
    }

    /// Removes the cookies by which Bitbucket would recognize somebody.
    pub(crate) fn drop_upstream_session(&mut self) {
        cookies::cut(&mut self.head.headers, |name| {
            UPSTREAM_SESSION_COOKIES.contains(&name)
        });
        // In the grammar of RFC 2109 (`$Version=1`, which Tomcat 9 still reads) pairs are separated
        // by commas too, and quotes hide a semicolon. No honest cookie is lost with that.
        let hidden = self
            .head
            .headers
            .get_all(header::COOKIE)
            .iter()
            .any(|value| {
                UPSTREAM_SESSION_COOKIES.iter().any(|name| {
                    let mut places = value.as_bytes().windows(name.len());
                    places.any(|place| place == *name)
                })
            });
        if hidden {
            self.head.headers.remove(header::COOKIE);
        }
    }

    /// Takes it apart: head (its URI is the path and query; hyper's upgrade handle is in its
    /// extensions), body, client, id.
    pub fn into_parts(self) -> (request::Parts, Body, Client, RequestId) {
        (self.head, self.body, self.client, self.id)
    }
}
