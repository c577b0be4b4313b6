//! `Forwarded` (RFC 7239), as far as it names the client, its protocol and its host.

use super::client::{MAX_HOPS, address};
use http::{HeaderMap, header};
use std::net::IpAddr;

/// What one proxy says of the hop on its left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// `for`; none: it is not said, `unknown`, obfuscated (RFC 7239 §6) or no address.
    pub(super) ip: Option<IpAddr>,
    /// `proto`.
    pub(super) proto: Option<String>,
    /// `host`.
    pub(super) host: Option<String>,
}

/// The elements from the last to the first, as many as there may be hops. `None`: it cannot be
/// read.
///
/// They are taken apart from the right. What stands on the right was written by those that we
/// trust, and is whole; read from the left, one quote that a client leaves open would swallow it.
pub(super) fn elements(headers: &HeaderMap) -> Vec<Option<Element>> {
    let values = headers.get_all(header::FORWARDED).iter().rev();
    values
        .flat_map(|value| {
            let mut rest = Some(value.as_bytes());
            std::iter::from_fn(move || {
                let (left, last) = split_last(rest?);
                rest = left;
                Some(last)
            })
        })
        .take(MAX_HOPS)
        .map(|element| read(std::str::from_utf8(element).ok()?))
        .collect()
}

/// The last element and what stands left of it. A comma within quotes is none.
fn split_last(value: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let mut quoted = false;
    for (at, byte) in value.iter().enumerate().rev() {
        let left = value.get(..at).unwrap_or_default();
        match byte {
            b'"' if !is_escaped(left) => quoted = !quoted,
            b',' if !quoted => return (Some(left), value.get(at + 1..).unwrap_or_default()),
            _ => {}
        }
    }
    (None, value)
}

/// Whether the byte after this is one that a backslash quotes (RFC 9110 §5.6.4).
fn is_escaped(left: &[u8]) -> bool {
    let slashes = left.iter().rev().take_while(|byte| **byte == b'\\');
    slashes.count() % 2 == 1
}

/// Reads `name=value` pairs between semicolons, each name once; pairs may be empty (RFC 7239 §4).
fn read(mut rest: &str) -> Option<Element> {
    let (mut node, mut proto, mut host) = (None, None, None);
    loop {
        rest = rest.trim_start_matches([';', ' ', '\t']);
        if rest.is_empty() {
            break;
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = value(after)?;
        let name = name.trim_ascii();
        let place = if name.eq_ignore_ascii_case("for") {
            Some(&mut node)
        } else if name.eq_ignore_ascii_case("proto") {
            Some(&mut proto)
        } else if name.eq_ignore_ascii_case("host") {
            Some(&mut host)
        } else if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            None
        } else {
            return None;
        };
        if place.is_some_and(|place| place.replace(value).is_some()) {
            return None;
        }
        rest = after.trim_ascii();
        if !rest.is_empty() && !rest.starts_with(';') {
            return None;
        }
    }
    Some(Element {
        ip: node.as_deref().and_then(of_node),
        proto,
        host,
    })
}

/// The value at the start of a text, without quotes and escapes, and what comes after it. Colons
/// and brackets want quotes; some proxies forget them, and nothing else is meant then.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
        let (value, after) = text.split_at_checked(end)?;
        let plain = !value.is_empty() && !value.contains(['"', '\\', '=']);
        return plain.then(|| (value.to_owned(), after));
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(chars.next()?),
            other => value.push(other),
        }
    }
}

/// The address of a node; its port may be obfuscated though the address is not (RFC 7239 §6).
fn of_node(node: &str) -> Option<IpAddr> {
    match node.rsplit_once(":_") {
        Some((ip, _)) => address(ip),
        None => address(node),
    }
}
