//! The head of a CGI program's answer (RFC 3875 §6).

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// The longest head that is read.
pub(super) const MAX_HEAD: usize = 16 * 1024;

/// Status and fields of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
}

/// What is wrong with a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("the head of the answer is too long")]
    TooLong,
    #[error("a line of the head is not a field")]
    NotAField,
    #[error("the status is not a status")]
    BadStatus,
    #[error("the head has no field")]
    Empty,
}

/// Reads a head from the beginning of what a program wrote, with its length up to and including the
/// empty line; none: there is more to come.
pub(super) fn parse(written: &[u8]) -> Result<Option<(Head, usize)>, Malformed> {
    let Some((lines, length)) = split(written)? else {
        return Ok(None);
    };
    let mut head = Head {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
    };
    let mut said_status = false;
    for line in lines {
        let colon = line
            .iter()
            .position(|b| *b == b':')
            .ok_or(Malformed::NotAField)?;
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let name = HeaderName::from_bytes(name).map_err(|_| Malformed::NotAField)?;
        if name.as_str() == "status" {
            let code = value.get(..3).unwrap_or_default();
            head.status = StatusCode::from_bytes(code).map_err(|_| Malformed::BadStatus)?;
            said_status = true;
            continue;
        }
        let value = HeaderValue::from_bytes(value).map_err(|_| Malformed::NotAField)?;
        head.headers.append(name, value);
    }
    if head.headers.is_empty() && !said_status {
        return Err(Malformed::Empty);
    }
    // An answer with a Location and no Status is a redirect (§6.2.3).
    if !said_status && head.headers.contains_key(header::LOCATION) {
        head.status = StatusCode::FOUND;
    }
    Ok(Some((head, length)))
}

/// The lines of a head, and where the body begins.
type Lines<'a> = (Vec<&'a [u8]>, usize);

/// The lines before the first empty one. Lines end with LF or CR LF.
fn split(written: &[u8]) -> Result<Option<Lines<'_>>, Malformed> {
    let mut lines = Vec::new();
    let mut length = 0;
    for line in written.split_inclusive(|b| *b == b'\n') {
        length += line.len();
        if length > MAX_HEAD {
            return Err(Malformed::TooLong);
        }
        let Some(line) = line.strip_suffix(b"\n") else {
            return Ok(None);
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Ok(Some((lines, length)));
        }
        lines.push(line);
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(written: &str, status: u16, fields: &[(&str, &str)], body: &str) {
        let (head, length) = parse(written.as_bytes()).unwrap().unwrap();
        assert_eq!(head.status, status);
        let seen: Vec<_> = head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        assert_eq!(seen, fields);
        assert_eq!(&written[length..], body);
    }

    #[test]
    fn a_head_ends_at_the_first_empty_line() {
        check(
            "Content-Type: a/b\n\nbody",
            200,
            &[("content-type", "a/b")],
            "body",
        );
        check(
            "Content-Type:a/b\r\n\r\n\r\nx",
            200,
            &[("content-type", "a/b")],
            "\r\nx",
        );
        check("A: 1\nA: 2:3\n\n", 200, &[("a", "1"), ("a", "2:3")], "");
    }

    #[test]
    fn the_status_field_becomes_the_status_and_no_field() {
        check("Status: 404 Not Found\nA: b\n\n", 404, &[("a", "b")], "");
        check("status: 403\n\n", 403, &[], "");
        check("Location: /x\n\n", 302, &[("location", "/x")], "");
        check(
            "Location: /x\nStatus: 201\n\n",
            201,
            &[("location", "/x")],
            "",
        );
    }

    #[test]
    fn an_unfinished_head_waits_for_more() {
        for written in ["", "A", "A: b\n", "A: b\r\n\r", "A: b\nC: d"] {
            assert_eq!(parse(written.as_bytes()), Ok(None), "{written:?}");
        }
    }

    #[test]
    fn a_malformed_head_is_an_error() {
        for (written, error) in [
            ("\n", Malformed::Empty),
            ("no field\n\n", Malformed::NotAField),
            ("a b: c\n\n", Malformed::NotAField),
            ("A: b\u{1}c\n\n", Malformed::NotAField),
            ("Status: ok\n\n", Malformed::BadStatus),
            ("Status:\n\n", Malformed::BadStatus),
        ] {
            assert_eq!(parse(written.as_bytes()), Err(error), "{written:?}");
        }
        let long = "A: b\n".repeat(MAX_HEAD);
        assert_eq!(parse(long.as_bytes()), Err(Malformed::TooLong));
        let endless = vec![b'x'; MAX_HEAD + 1];
        assert_eq!(parse(&endless), Err(Malformed::TooLong));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(written in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&written);
        }
    }
}
