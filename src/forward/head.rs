//! The head of the request as the upstream gets it. The identity is set last.

use super::Error;
use super::assertion::Signer;
use crate::clock::Clock;
use crate::config;
use crate::identity::Person;
use crate::sanitize::Client;
use crate::session::CachedAssertion;
use crate::web::{RequestId, asserted};
use arc_swap::ArcSwapOption;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Version, request};
use http_body::Body as _;
use std::fmt::Write as _;
use std::net::IpAddr;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Whom to assert, and where the assertion signed last is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Who<'a> {
    pub(super) person: &'a Person,
    pub(super) assertion: &'a ArcSwapOption<CachedAssertion>,
}

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whence<'a> {
    pub(super) client: &'a Client,
    pub(super) id: &'a RequestId,
}

/// What the client asked of its connection, to be asked of ours.
#[derive(Debug, Clone)]
pub(super) enum Wish {
    Nothing,
    /// One of these protocols.
    Upgrade(HeaderValue),
    /// Trailers of the response will be read.
    Trailers,
}

/// Writes heads.
#[derive(Debug)]
pub(super) struct Heads {
    identity: config::Identity,
    /// The `Host` of the gateway's own requests.
    authority: HeaderValue,
    /// The browser speaks https: `server.public_url` says so, whatever the last hop speaks.
    https: bool,
    signer: Option<Signer>,
    clock: Clock,
}

impl Heads {
    pub(super) fn new(config: &config::Config, clock: Clock) -> Result<Self, Error> {
        let public = &config.server.public_url;
        Ok(Self {
            identity: config.identity.clone(),
            https: public.https,
            authority: HeaderValue::from_str(&public.authority).map_err(|_| Error::NoHost)?,
            signer: config
                .identity
                .assertion
                .as_ref()
                .map(|assertion| Signer::new(assertion, &public.text))
                .transpose()?,
            clock,
        })
    }

    pub(super) fn jwks(&self) -> Option<&str> {
        self.signer.as_ref().map(Signer::jwks)
    }

    pub(super) fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// Turns a clean head into what the upstream gets. Answers the value of the user header.
    pub(super) fn write(
        &self,
        parts: &mut request::Parts,
        body: &axum::body::Body,
        whence: Whence<'_>,
        who: Option<Who<'_>>,
        wish: Wish,
    ) -> Result<Option<HeaderValue>, Error> {
        parts.version = Version::HTTP_11;
        connection(&mut parts.headers, wish);
        framing(&parts.method, &mut parts.headers, body);
        forwarded(
            &mut parts.headers,
            whence.client,
            whence.client.https || self.https,
        );
        if let Ok(id) = HeaderValue::from_str(whence.id.as_str()) {
            parts.headers.insert(X_REQUEST_ID, id);
        }
        self.identify(&mut parts.headers, who)
    }

    /// Sets the identity, after everything else. Whatever stands there under one of these names
    /// goes first, even where nothing is set in its place.
    fn identify(
        &self,
        headers: &mut HeaderMap,
        who: Option<Who<'_>>,
    ) -> Result<Option<HeaderValue>, Error> {
        for name in self.identity.headers() {
            headers.remove(name);
        }
        let Some(Who { person, assertion }) = who else {
            return Ok(None);
        };
        for (name, text) in asserted(&self.identity, person) {
            headers.insert(name, value(name, &text)?);
        }
        if let Some(signer) = &self.signer {
            let signed = signer.assert(person, assertion, self.clock.now())?;
            headers.insert(signer.header(), signed);
        }
        Ok(headers.get(&self.identity.user_header).cloned())
    }
}

/// A fact as a header value: its UTF-8 bytes as they are (`obs-text`, RFC 9110 §5.5). Tomcat and
/// most others hand them out as ISO-8859-1 or UTF-8; whoever needs certainty about names beyond
/// ASCII takes the signed assertion. A fact that cannot stand there stops the request: leaving it
/// out would show the person as less, or as somebody else.
fn value(name: &HeaderName, text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| Error::Unspeakable {
        header: name.to_string(),
    })
}

/// What we ask of our own connection (RFC 9110 §7.8, §10.1.4). What the client asked of its own is
/// gone from the header.
fn connection(headers: &mut HeaderMap, wish: Wish) {
    let (option, name, value) = match wish {
        Wish::Nothing => return,
        Wish::Upgrade(protocols) => ("upgrade", header::UPGRADE, protocols),
        Wish::Trailers => ("te", header::TE, HeaderValue::from_static("trailers")),
    };
    headers.insert(header::CONNECTION, HeaderValue::from_static(option));
    headers.insert(name, value);
}

/// One unmistakable length, taken from the body that is really there and from nothing else.
fn framing(method: &Method, headers: &mut HeaderMap, body: &axum::body::Body) {
    headers.remove(header::CONTENT_LENGTH);
    if body.is_end_stream() {
        // An expectation about a body that does not exist (RFC 9110 §10.1.1).
        headers.remove(header::EXPECT);
        // These methods say how much content they have, even if none (RFC 9110 §8.6).
        if matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
    } else if let Some(length) = body.size_hint().exact() {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    } else {
        // Said aloud, because hyper leaves the body of a GET out otherwise.
        headers.insert(
            header::TRANSFER_ENCODING,
            HeaderValue::from_static("chunked"),
        );
    }
}

/// Who asked, for which name, and how: both in the old way and as RFC 7239 has it.
fn forwarded(headers: &mut HeaderMap, client: &Client, https: bool) {
    let proto = if https { "https" } else { "http" };
    // A trusted proxy may know another name than the one by which it asks us.
    let asked = || headers.get(header::HOST).cloned();
    let host = client.host.clone().or_else(asked);
    let host_bytes = host.as_ref().map_or(&b""[..], HeaderValue::as_bytes);

    let mut chain = String::with_capacity(16);
    let mut elements = Vec::with_capacity(64);
    let ips = match client.chain.as_slice() {
        [] => std::slice::from_ref(&client.ip),
        chain => chain,
    };
    for ip in ips {
        if !chain.is_empty() {
            chain.push_str(", ");
            elements.extend_from_slice(b", ");
        }
        let start = chain.len();
        // Writing into a string cannot fail.
        let _ = write!(chain, "{ip}");
        element(&mut elements, *ip, chain.get(start..).unwrap_or_default());
    }
    // The last element is ours: what the client said to us.
    elements.extend_from_slice(b";host=\"");
    for byte in host_bytes {
        if matches!(byte, b'"' | b'\\') {
            elements.push(b'\\');
        }
        elements.push(*byte);
    }
    elements.extend_from_slice(b"\";proto=");
    elements.extend_from_slice(proto.as_bytes());

    set(headers, X_FORWARDED_FOR, HeaderValue::try_from(chain));
    set(headers, header::FORWARDED, HeaderValue::try_from(elements));
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(proto));
    match (client.port, port(host_bytes)) {
        (Some(port), _) => {
            headers.insert(X_FORWARDED_PORT, HeaderValue::from(port));
        }
        (None, Some(port)) => set(headers, X_FORWARDED_PORT, HeaderValue::from_bytes(port)),
        (None, None) => {
            let default = if https { "443" } else { "80" };
            headers.insert(X_FORWARDED_PORT, HeaderValue::from_static(default));
        }
    }
    match host {
        Some(host) => headers.insert(X_FORWARDED_HOST, host),
        None => headers.remove(X_FORWARDED_HOST),
    };
}

/// Sets a field, and removes it if there is no value: what the client said must not stay.
fn set<E>(headers: &mut HeaderMap, name: HeaderName, value: Result<HeaderValue, E>) {
    match value {
        Ok(value) => headers.insert(name, value),
        Err(_) => headers.remove(name),
    };
}

/// `for=` with the quotes and brackets that an IPv6 address needs (RFC 7239 §6).
fn element(out: &mut Vec<u8>, ip: IpAddr, text: &str) {
    let (before, after) = match ip {
        IpAddr::V4(_) => ("for=", ""),
        IpAddr::V6(_) => ("for=\"[", "]\""),
    };
    for part in [before, text, after] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// The port of a `Host`, if it has one.
fn port(host: &[u8]) -> Option<&[u8]> {
    let colon = host.iter().rposition(|byte| *byte == b':')?;
    let digits = host.get(colon + 1..)?;
    let fits = (1..=5).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    fits.then_some(digits)
}
