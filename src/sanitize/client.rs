//! Who sent a request: the peer, or what proxies that we trust say of it.

use super::forwarded;
use crate::config::Config;
use crate::web::{RequestId, RequestIds};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use ipnet::IpNet;
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// More proxies than stand in front of anybody.
pub(super) const MAX_HOPS: usize = 32;

/// The client as far as we can know it: the peer, or what a trusted proxy says of it.
#[derive(Debug, Clone)]
pub struct Client {
    /// The address that decides and is logged.
    pub ip: IpAddr,
    /// Whether the browser speaks https, to us or to a trusted proxy.
    pub https: bool,
    /// The `X-Forwarded-For` chain to send upstream: the client, the trusted proxies, the peer.
    /// What stood left of the client was written by the client, and is gone.
    pub chain: Vec<IpAddr>,
    /// The host and the port that the browser asked for, where a trusted proxy says so.
    pub host: Option<HeaderValue>,
    /// See [`Client::host`].
    pub port: Option<u16>,
    /// The peer forwards for somebody, and we do not believe or do not understand for whom.
    pub concealed: bool,
}

/// What trusted proxies tell of the client.
struct Told<'a> {
    /// As [`Client::chain`].
    chain: Vec<IpAddr>,
    proto: Option<Cow<'a, str>>,
    host: Option<Cow<'a, str>>,
    port: Option<&'a str>,
}

/// Knows whom to believe.
#[derive(Debug)]
pub(super) struct Clients {
    trusted: Vec<IpNet>,
    listener_https: bool,
    ids: RequestIds,
}

impl Clients {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            trusted: config.server.trusted_proxies.clone(),
            listener_https: config.server.tls.is_some(),
            ids: RequestIds::new(),
        }
    }

    /// The client of a request, and the request's id. A peer that is not a trusted proxy is itself
    /// the client, whatever it says.
    pub(super) fn of(&self, headers: &HeaderMap, peer: SocketAddr) -> (Client, RequestId) {
        let peer = peer.ip().to_canonical();
        if !self.trusts(peer) {
            let client = Client {
                ip: peer,
                https: self.listener_https,
                chain: vec![peer],
                host: None,
                port: None,
                concealed: is_forwarded(headers),
            };
            return (client, self.ids.next());
        }
        let Told {
            chain,
            proto,
            host,
            port,
        } = self.told(headers, peer);
        let client = Client {
            ip: chain.first().copied().unwrap_or(peer),
            // The outermost trusted proxy knows what the browser speaks.
            https: match proto {
                Some(proto) => proto.eq_ignore_ascii_case("https"),
                None => self.listener_https,
            },
            host: host
                .filter(|host| is_host(host))
                .and_then(|host| HeaderValue::from_str(&host).ok()),
            port: port.and_then(|port| port.parse().ok()),
            concealed: chain.len() == 1 && is_forwarded(headers),
            chain,
        };
        let id = single(headers, &REQUEST_ID).and_then(RequestId::from_trusted);
        (client, id.unwrap_or_else(|| self.ids.next()))
    }

    fn trusts(&self, ip: IpAddr) -> bool {
        self.trusted.iter().any(|net| net.contains(&ip))
    }

    /// `X-Forwarded-*` if there is any of it, and otherwise `Forwarded`: never a mixture, as a
    /// proxy that writes the one often lets the other pass as the client has written it.
    fn told<'a>(&self, headers: &'a HeaderMap, peer: IpAddr) -> Told<'a> {
        let older = [
            FORWARDED_FOR,
            FORWARDED_PROTO,
            FORWARDED_HOST,
            FORWARDED_PORT,
        ];
        if headers.contains_key(header::FORWARDED)
            && !older.iter().any(|name| headers.contains_key(name))
        {
            return self.told_in_forwarded(headers, peer);
        }
        let chain = self.chain(
            entries(headers, &FORWARDED_FOR).map(|entry| entry.and_then(address)),
            peer,
        );
        let said = |name| outermost(headers, name, chain.len());
        Told {
            proto: said(&FORWARDED_PROTO).map(Cow::Borrowed),
            host: said(&FORWARDED_HOST).map(Cow::Borrowed),
            port: said(&FORWARDED_PORT),
            chain,
        }
    }

    fn told_in_forwarded<'a>(&self, headers: &HeaderMap, peer: IpAddr) -> Told<'a> {
        let elements = forwarded::elements(headers);
        let addresses = elements.iter().map(|element| element.as_ref()?.ip);
        let chain = self.chain(addresses, peer);
        let (mut proto, mut host) = (None, None);
        for element in elements.into_iter().take(trusted_hops(chain.len())) {
            // What cannot be read may have said anything, so an inner proxy's word is not enough.
            let unread = || forwarded::Element {
                ip: None,
                proto: Some(String::new()),
                host: Some(String::new()),
            };
            let element = element.unwrap_or_else(unread);
            proto = element.proto.or(proto);
            host = element.host.or(host);
        }
        Told {
            chain,
            proto: proto.map(Cow::Owned),
            host: host.map(Cow::Owned),
            port: None,
        }
    }

    /// Walks the addresses from the right: each entry was written by the hop on its right, so it
    /// counts as long as that hop is trusted. What cannot be read ends the walk, and the last hop
    /// that we know is the client.
    fn chain(&self, addresses: impl Iterator<Item = Option<IpAddr>>, peer: IpAddr) -> Vec<IpAddr> {
        let mut chain = vec![peer];
        for ip in addresses.take(MAX_HOPS) {
            let Some(ip) = ip else {
                break;
            };
            chain.push(ip);
            if !self.trusts(ip) {
                break;
            }
        }
        chain.reverse();
        chain
    }
}

/// How many entries of a list are trusted proxies' words. Where every proxy adds an entry, the
/// outermost trusted one's stands as far from the right as there are trusted hops; what stands
/// further left is the client's own.
fn trusted_hops(hops: usize) -> usize {
    hops.saturating_sub(1).max(1)
}

/// What the outermost trusted proxy says in a list field. Empty: nothing that could be read.
fn outermost<'a>(headers: &'a HeaderMap, name: &HeaderName, hops: usize) -> Option<&'a str> {
    let said = entries(headers, name).take(trusted_hops(hops)).last()?;
    Some(said.unwrap_or_default())
}

/// Whether a text names one host, and nothing more than a host and a port.
fn is_host(text: &str) -> bool {
    let named = text.parse::<Authority>();
    named.is_ok_and(|named| !named.host().is_empty()) && !text.contains(['@', ','])
}

/// Whether the peer says that it speaks for another.
fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED_FOR) || headers.contains_key(header::FORWARDED)
}

/// The entries of a list field, from the last to the first. `None`: not text.
fn entries<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = Option<&'a str>> {
    headers.get_all(name).iter().rev().flat_map(|value| {
        value
            .as_bytes()
            .rsplit(|byte| *byte == b',')
            .map(|entry| std::str::from_utf8(entry.trim_ascii()).ok())
    })
}

/// An address as proxies write it: bare, in brackets, or with a port.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let ip = bare.parse().ok();
    let ip = ip.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    ip.map(|ip: IpAddr| ip.to_canonical())
}

/// The value of a field that came once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.to_str().ok())?
}
