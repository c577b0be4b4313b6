//! Reading and cutting `Cookie` fields (RFC 6265 §4.2) without disturbing what is not ours.

use http::{HeaderMap, HeaderValue, header};

/// The values of every cookie of this name, in the order in which they came. A browser may send
/// several when another path or domain has set one of the same name.
pub fn all<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        // Pair by pair: what another application put beside ours need not be text.
        .flat_map(pairs)
        .filter_map(|pair| std::str::from_utf8(pair).ok())
        .filter_map(move |pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then_some(value)
        })
}

/// Cuts every cookie whose name `ours` accepts out of the `Cookie` fields. The others keep their
/// bytes, their order and their fields; a field that is left empty goes.
pub fn cut(headers: &mut HeaderMap, ours: impl Fn(&[u8]) -> bool) {
    let http::header::Entry::Occupied(entry) = headers.entry(header::COOKIE) else {
        return;
    };
    if !entry
        .iter()
        .any(|value| pairs(value).any(|pair| ours(name(pair))))
    {
        return;
    }
    let (_, values) = entry.remove_entry_mult();
    let kept: Vec<HeaderValue> = values.filter_map(|value| without(&value, &ours)).collect();
    for value in kept {
        headers.append(header::COOKIE, value);
    }
}

fn without(value: &HeaderValue, ours: impl Fn(&[u8]) -> bool) -> Option<HeaderValue> {
    if !pairs(value).any(|pair| ours(name(pair))) {
        return Some(value.clone());
    }
    let kept: Vec<&[u8]> = pairs(value)
        .filter(|pair| !ours(name(pair)))
        .map(<[u8]>::trim_ascii)
        .filter(|pair| !pair.is_empty())
        .collect();
    if kept.is_empty() {
        return None;
    }
    // Pieces of a valid value, joined by valid bytes, are a valid value.
    HeaderValue::from_bytes(&kept.join(&b"; "[..])).ok()
}

fn pairs(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|b| *b == b';')
}

fn name(pair: &[u8]) -> &[u8] {
    pair.split(|b| *b == b'=')
        .next()
        .unwrap_or_default()
        .trim_ascii()
}

/// The name of the cookie that holds a browser's pending sign-ins, next to a session cookie of this
/// name: the same prefix (`__Host-`), so the same protection.
#[must_use]
pub fn sign_in_cookie_name(session_cookie: &str) -> String {
    format!("{session_cookie}-signin")
}

/// The names of all our cookies, next to a session cookie of this name: none of them is Bitbucket's
/// business.
#[must_use]
pub fn own_names(session_cookie: &str) -> [String; 4] {
    [
        session_cookie.to_owned(),
        sign_in_cookie_name(session_cookie),
        last_provider_cookie_name(session_cookie),
        signed_out_cookie_name(session_cookie),
    ]
}

/// The name of the cookie that says which provider a browser used last.
#[must_use]
pub fn last_provider_cookie_name(session_cookie: &str) -> String {
    habit(session_cookie, "last")
}

/// The name of the cookie that says that somebody has just signed out in a browser.
#[must_use]
pub fn signed_out_cookie_name(session_cookie: &str) -> String {
    habit(session_cookie, "left")
}

/// `__Host-` asks for `Path=/` (RFC 6265bis §4.1.3.2), and these are for our own pages alone.
fn habit(session_cookie: &str, what: &str) -> String {
    let name = session_cookie.strip_prefix("__Host-");
    format!("{}-{what}", name.unwrap_or(session_cookie))
}

/// A `Set-Cookie` that removes a host-only cookie from the browser.
#[must_use]
pub fn expired(name: &str, path: &str, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    HeaderValue::from_str(&format!(
        "{name}=; Path={path}; Max-Age=0; HttpOnly; SameSite=Lax{secure}"
    ))
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &[&str], after: &[&str]) {
        let mut headers = HeaderMap::new();
        for value in before {
            headers.append(header::COOKIE, value.parse().unwrap());
        }
        cut(&mut headers, |name| name == b"portcullis");
        let left: Vec<_> = headers
            .get_all(header::COOKIE)
            .iter()
            .map(|v| v.to_str().unwrap())
            .collect();
        assert_eq!(left, after);
    }

    #[test]
    fn our_cookie_goes_and_the_others_stay_as_they_were() {
        check(&["a=1;  b=2"], &["a=1;  b=2"]);
        check(&["a=1; portcullis=x; b=\"2\""], &["a=1; b=\"2\""]);
        check(&["portcullis=x", "b=2"], &["b=2"]);
        check(&["portcullis=x; portcullis=y"], &[]);
        check(&["portcullis", "a=b=c; portcullis =z"], &["a=b=c"]);
        check(&["", "a"], &["", "a"]);
    }

    #[test]
    fn what_is_for_our_own_pages_has_no_prefix_that_asks_for_all() {
        let names = own_names("__Host-portcullis");
        let want = [
            "__Host-portcullis",
            "__Host-portcullis-signin",
            "portcullis-last",
            "portcullis-left",
        ];
        assert_eq!(names, want);
        assert_eq!(own_names("sso")[2], "sso-last");
    }

    #[test]
    fn every_cookie_of_a_name_is_found() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "x=1; portcullis=a".parse().unwrap());
        headers.append(header::COOKIE, "portcullis=b".parse().unwrap());
        let beside = b"x=caf\xe9; portcullis=c; y=\xc3\xa9";
        headers.append(header::COOKIE, HeaderValue::from_bytes(beside).unwrap());
        assert_eq!(
            all(&headers, "portcullis").collect::<Vec<_>>(),
            ["a", "b", "c"]
        );
    }
}
