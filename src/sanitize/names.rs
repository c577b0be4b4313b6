//! Which header fields a client may not send on: one table, read for every field of every request.

use crate::config::Config;
use http::{HeaderMap, HeaderName, header};
use std::sync::Arc;

/// Fields that say who somebody is, by the habits of proxies and of the applications behind them.
/// They go even where they are not configured: an upstream that once stood behind another proxy
/// may still believe them. Written folded, see [`fold`].
const IDENTITY: [&str; 22] = [
    "auth-user",
    "authenticated-user",
    "cf-access-authenticated-user-email",
    "cf-access-jwt-assertion",
    "remote-display-name",
    "remote-email",
    "remote-group",
    "remote-groups",
    "remote-name",
    "remote-user",
    "ssl-client-cert",
    "x-auth-email",
    "x-auth-groups",
    "x-auth-user",
    "x-auth-username",
    "x-client-cert",
    "x-goog-iap-jwt-assertion",
    "x-proxy-user",
    "x-user",
    "x-user-email",
    "x-user-groups",
    "x-username",
];

/// Fields by which a client would choose its own address, scheme, host, path or method.
const TRUST: [&str; 28] = [
    "cf-connecting-ip",
    "client-ip",
    "fastly-client-ip",
    "forwarded",
    "forwarded-for",
    "forwarded-proto",
    "front-end-https",
    // CGI turns it into HTTP_PROXY, which programs take for their own proxy (CVE-2016-5385).
    "proxy",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-envoy-original-path",
    // A rule for `PUT` must see the `PUT`.
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-forwarded",
    "x-host",
    "x-originating-ip",
    "x-originating-url",
    "x-proxyuser-ip",
    "x-real-ip",
    "x-real-port",
    "x-real-proto",
    "x-real-scheme",
    "x-request-id",
    "x-scheme",
    "x-url-scheme",
];

/// Families of both kinds.
const PREFIXES: [&str; 16] = [
    "oidc-claim-",
    "ssl-client-",
    "x-amzn-oidc-",
    "x-auth-request-",
    "x-authenticated-",
    "x-authentik-",
    "x-forwarded-",
    "x-goog-authenticated-user-",
    "x-ms-client-principal",
    "x-original-",
    "x-pomerium-",
    "x-remote-",
    "x-rewrite-",
    "x-ssl-client-",
    "x-vouch-",
    "x-webauth-",
];

/// Fields of one connection (RFC 9110 §7.6.1), which go whether `Connection` names them or not.
/// `Proxy-Authorization` is for us and nobody behind us (§11.7.2); `HTTP2-Settings` would open an
/// HTTP/2 tunnel through the gateway, past its rules.
const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    "x-proxy-connection",
];

/// Fields that cannot come after the body: framing, routing, credentials, and how the body is to
/// be read (RFC 9110 §6.5.1).
const NOT_IN_TRAILERS: [HeaderName; 14] = [
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::EXPECT,
    header::HOST,
    header::ORIGIN,
    header::RANGE,
    header::REFERER,
    header::SET_COOKIE,
    header::TRAILER,
];

/// The names that no client may send on. Cheap to clone; `forward` holds one for trailers.
#[derive(Debug, Clone)]
pub struct Names(Arc<Table>);

#[derive(Debug)]
struct Table {
    /// Folded names by their length, so that most fields are compared with nothing at all.
    by_length: Vec<Vec<Box<str>>>,
}

impl Names {
    /// Every configured identity header, and what is forbidden everywhere.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let fixed = IDENTITY.iter().chain(&TRUST).chain(&HOP_BY_HOP);
        let all = fixed
            .map(|name| Box::from(*name))
            .chain(config.identity.headers().map(|name| folded(name.as_str())));
        let mut by_length: Vec<Vec<Box<str>>> = Vec::new();
        for name in all {
            if by_length.len() <= name.len() {
                by_length.resize(name.len() + 1, Vec::new());
            }
            if let Some(bucket) = by_length.get_mut(name.len())
                && !bucket.contains(&name)
            {
                bucket.push(name);
            }
        }
        Self(Arc::new(Table { by_length }))
    }

    /// Whether a client may not send this field, in any spelling: CGI and the application servers
    /// that descend from it turn `-` into `_`, and some of them `.` and every other sign too, so
    /// that `X_Forwarded_User` and `X.Forwarded.User` arrive as `X-Forwarded-User`.
    #[must_use]
    pub fn forbids(&self, name: &HeaderName) -> bool {
        let name = name.as_str().as_bytes();
        let bucket = self.0.by_length.get(name.len());
        bucket.is_some_and(|bucket| bucket.iter().any(|known| folds_to(name, known.as_bytes())))
            || PREFIXES.iter().any(|prefix| {
                name.get(..prefix.len())
                    .is_some_and(|start| folds_to(start, prefix.as_bytes()))
            })
    }

    /// Whether a client may not send this field after the body.
    #[must_use]
    pub fn forbids_trailer(&self, name: &HeaderName) -> bool {
        NOT_IN_TRAILERS.contains(name) || self.forbids(name)
    }

    /// Removes every forbidden field.
    pub(super) fn strip(&self, headers: &mut HeaderMap) {
        let forbidden: Vec<HeaderName> = headers
            .keys()
            .filter(|name| self.forbids(name))
            .cloned()
            .collect();
        for name in forbidden {
            headers.remove(name);
        }
    }
}

/// Lower case, and `-` for everything that is neither letter nor digit.
const fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() {
        byte.to_ascii_lowercase()
    } else {
        b'-'
    }
}

fn folded(name: &str) -> Box<str> {
    name.bytes().map(|byte| char::from(fold(byte))).collect()
}

/// Both have the same length. The first bytes differ most of the time, so this is short.
fn folds_to(name: &[u8], known: &[u8]) -> bool {
    name.iter().zip(known).all(|(a, b)| fold(*a) == *b)
}
