//! Every way in which a server may read a path.
//!
//! Servers cut parameters off (`;`), decode once or twice, before or after that, take `\` for `/`,
//! merge slashes, resolve dots, and do it in an order of their own. Each of these steps is one
//! function here, and a path's readings are all that any sequence of steps can make of it. What
//! upstream does is then one of the readings, without our knowing which.

use super::Error;

/// All readings of a path that has more to it than meets the eye.
#[derive(Debug)]
pub(super) struct Readings {
    /// The most literal one first, without repeats.
    pub(super) paths: Vec<String>,
    /// Some reading has dot segments.
    pub(super) evasive: bool,
}

/// More readings than an honest path has.
const MAX: usize = 32;

/// Longer paths than git keeps, so that nobody makes the gateway work for nothing.
const MAX_BYTES: usize = 4096;

/// Bytes of readings that are taken further, all together. One of them costs about 20 ns, so that
/// no request's path costs more than a third of a millisecond.
const MAX_WORK: usize = 16 * 1024;

/// What decoders leave encoded: nothing, or what they pass on for the next one to decide. Tomcat
/// that passes an encoded slash or backslash on leaves `%25` alone with it.
const KEPT: [&[u8]; 5] = [b"", b"/", b"/%", b"\\%", b"/\\%"];

/// The readings of a path; none: it can only be read as it stands.
///
/// # Errors
///
/// If an escape is broken or hides a control character or an overlong character, if a reading
/// climbs above the root, or if there are too many.
pub(super) fn all(path: &str) -> Result<Option<Readings>, Error> {
    let bytes = path.as_bytes();
    if is_plain(bytes) {
        return Ok(None);
    }
    check_escapes(bytes)?;
    let mut found = vec![decode(bytes, is_harmless)];
    let mut evasive = false;
    let mut work = 0;
    let mut next = 0;
    while let Some(path) = found.get(next).cloned() {
        work += path.len();
        if work > MAX_WORK && next > 0 {
            return Err(Error::Readings);
        }
        let mut learn = |step: Vec<u8>| {
            if found.contains(&step) {
                return Ok(());
            }
            if bytes.len() > MAX_BYTES {
                return Err(Error::TooLong(MAX_BYTES));
            }
            if found.len() == MAX {
                return Err(Error::Readings);
            }
            found.push(step);
            Ok(())
        };
        if path.contains(&b';') {
            learn(cut_parameters(&path))?;
        }
        if path.contains(&b'\\') {
            learn(backslashes(&path))?;
        }
        if path.iter().any(|byte| matches!(byte, b'?' | b'#')) {
            learn(cut_tail(&path))?;
        }
        if path.windows(2).any(|pair| pair == b"//") {
            learn(merge_slashes(&path))?;
        }
        if path.windows(2).any(|pair| pair == b"/.") {
            let resolved = resolve_dots(&path)?;
            evasive |= resolved != path;
            learn(resolved)?;
        }
        if path.contains(&b'%') {
            for kept in KEPT {
                learn(decode(&path, |byte| !kept.contains(&byte)))?;
            }
        }
        next += 1;
    }
    // Bytes that are not UTF-8 become U+FFFD, which no rule names.
    let mut paths: Vec<String> = found.into_iter().map(into_text).collect();
    let mut seen = std::collections::HashSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    Ok(Some(Readings { paths, evasive }))
}

/// A configured path as the readings write it.
pub(crate) fn literal(path: &str) -> String {
    into_text(decode(path.as_bytes(), is_harmless))
}

/// Nothing in it that any step would change.
fn is_plain(path: &[u8]) -> bool {
    if path.iter().any(|byte| matches!(byte, b'%' | b';' | b'\\')) {
        return false;
    }
    let mut segments = path.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let doubled = segment.is_empty() && segments.peek().is_some();
        if doubled || matches!(segment, b"." | b"..") {
            return false;
        }
    }
    true
}

/// Decoding these changes nothing that anybody looks at. Letters and digits are not among them:
/// nobody encodes them but to hide a word.
fn is_harmless(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && !b"/\\.;%?#".contains(&byte)
}

/// Broken escapes mean what each server likes. Encoded control characters end strings and lines.
/// Overlong UTF-8 hides a slash or a dot from whoever decodes by the book (CVE-2008-2938).
fn check_escapes(path: &[u8]) -> Result<(), Error> {
    let mut rest = path;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let byte = escape(tail).ok_or(Error::Escape)?;
            if byte.is_ascii_control() {
                return Err(Error::Character(char::from(byte)));
            }
        }
    }
    let decoded = decode(path, |_| true);
    let overlong = decoded.windows(2).any(|pair| {
        matches!(
            pair,
            [0xC0 | 0xC1, 0x80..=0xBF] | [0xE0, 0x80..=0x9F] | [0xF0, 0x80..=0x8F]
        )
    });
    if overlong { Err(Error::Escape) } else { Ok(()) }
}

/// The byte that two hexadecimal digits stand for.
fn escape(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

/// Decodes the escapes of the bytes that `which` names, once. What is no escape stays.
fn decode(path: &[u8], which: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, tail)) = rest.split_first() {
        match escape(tail) {
            Some(byte) if *first == b'%' && which(byte) => {
                decoded.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                decoded.push(*first);
                rest = tail;
            }
        }
    }
    decoded
}

/// Cuts `;…` off every segment, as servlet containers do (Servlet 6.0 §3.5).
fn cut_parameters(path: &[u8]) -> Vec<u8> {
    let segments = path.split(|byte| *byte == b'/');
    let cut: Vec<&[u8]> = segments
        .map(|segment| segment.split(|byte| *byte == b';').next().unwrap_or(&[]))
        .collect();
    cut.join(&b'/')
}

fn backslashes(path: &[u8]) -> Vec<u8> {
    let slash = |byte: &u8| if *byte == b'\\' { b'/' } else { *byte };
    path.iter().map(slash).collect()
}

/// Cuts at a `?` or `#` that was encoded: for a second parser, query or fragment begin there.
fn cut_tail(path: &[u8]) -> Vec<u8> {
    let end = path.iter().position(|byte| matches!(byte, b'?' | b'#'));
    path.get(..end.unwrap_or(path.len()))
        .unwrap_or_default()
        .to_vec()
}

fn merge_slashes(path: &[u8]) -> Vec<u8> {
    let mut merged = path.to_vec();
    merged.dedup_by(|a, b| *a == b'/' && *b == b'/');
    merged
}

/// RFC 3986 §5.2.4, but what climbs above the root is refused.
fn resolve_dots(path: &[u8]) -> Result<Vec<u8>, Error> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut segments = path.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            b".." => {
                kept.pop().ok_or(Error::OutsideRoot)?;
            }
            b"." => {}
            name => {
                kept.push(name);
                continue;
            }
        }
        if last {
            kept.push(b"");
        }
    }
    let mut resolved = vec![b'/'];
    resolved.extend(kept.join(&b'/'));
    Ok(resolved)
}

fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
