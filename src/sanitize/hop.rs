//! What belongs to one connection: `Connection` and the fields it names, `TE`, `Upgrade`, framing.

use super::Error;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header, request};

/// What a request asked of its own connection, read before those fields go.
#[derive(Debug)]
pub(super) struct Hop {
    /// The protocols to switch to.
    pub(super) upgrade: Option<HeaderValue>,
    /// Whether trailers of the response will be read.
    pub(super) trailers: bool,
}

/// Fields that a nomination in `Connection` does not remove. Policy and the upstream decide by
/// them; a client that could have them dropped between the two would show two faces (CVE-2024-45410,
/// CVE-2026-29054). Identity and forwarding fields need no entry: they are removed by name, and
/// what the gateway sets is set later, when the client's `Connection` is gone.
const KEPT: [HeaderName; 14] = [
    header::ACCEPT,
    header::AUTHORIZATION,
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
    header::TRAILER,
    header::USER_AGENT,
];

impl Hop {
    /// Reads what the request asks of its connection and removes the fields that `Connection`
    /// names (RFC 9110 §7.6.1). The hop-by-hop fields themselves go with the forbidden names.
    ///
    /// # Errors
    ///
    /// If it is doubtful where the body ends.
    pub(super) fn read(head: &mut request::Parts) -> Result<Self, Error> {
        check_framing(head)?;
        let hop = Self {
            upgrade: upgrade(head),
            trailers: tokens(&head.headers, header::TE)
                .any(|token| token.eq_ignore_ascii_case(b"trailers")),
        };
        let nominated: Vec<HeaderName> = tokens(&head.headers, header::CONNECTION)
            .filter_map(|token| HeaderName::from_bytes(token).ok())
            .filter(|name| !KEPT.contains(name))
            .collect();
        for name in nominated {
            head.headers.remove(name);
        }
        Ok(hop)
    }
}

/// A body has one length. `chunked` is the only coding that ends by itself and that is undone
/// here; with `Content-Length` beside it, two parsers would see two requests (RFC 9112 §6.3).
fn check_framing(head: &request::Parts) -> Result<(), Error> {
    let codings = head.headers.get_all(header::TRANSFER_ENCODING);
    let mut values = codings.iter();
    let Some(coding) = values.next() else {
        return Ok(());
    };
    let sound = head.version == Version::HTTP_11
        && values.next().is_none()
        && coding.as_bytes().eq_ignore_ascii_case(b"chunked")
        && !head.headers.contains_key(header::CONTENT_LENGTH);
    if sound { Ok(()) } else { Err(Error::Framing) }
}

/// The protocols of an upgrade that may go through: `GET` without a body on HTTP/1.1 (RFC 9110
/// §7.8). HTTP/2 and TLS on the same connection would carry requests that nobody checked, so they
/// are not offered on.
fn upgrade(head: &request::Parts) -> Option<HeaderValue> {
    let asked = head.method == Method::GET
        && head.version == Version::HTTP_11
        && tokens(&head.headers, header::CONNECTION)
            .any(|token| token.eq_ignore_ascii_case(b"upgrade"));
    let empty = !head.headers.contains_key(header::TRANSFER_ENCODING)
        && head
            .headers
            .get_all(header::CONTENT_LENGTH)
            .iter()
            .all(|length| length == "0");
    if !asked || !empty {
        return None;
    }
    let mut values = head.headers.get_all(header::UPGRADE).iter();
    let value = values.next()?;
    let harmless = values.next().is_none()
        && tokens(&head.headers, header::UPGRADE).all(|protocol| !carries_requests(protocol));
    harmless.then(|| value.clone())
}

fn carries_requests(protocol: &[u8]) -> bool {
    let name = protocol.split(|byte| *byte == b'/').next();
    let name = name.unwrap_or_default().trim_ascii();
    [&b"h2c"[..], b"h2", b"h3", b"http", b"tls"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

/// The members of a list field, trimmed, from all its lines.
fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty())
}
