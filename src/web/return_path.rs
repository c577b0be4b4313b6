//! Where a browser goes after a sign-in.

use std::fmt;
use url::Url;

/// A path on our own origin, with its query: what `next` may say. Everything else becomes `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnPath(String);

/// Longer ones are not worth remembering; browsers and servers stop around here too.
const MAX: usize = 2048;

impl ReturnPath {
    /// The start page.
    #[must_use]
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// Reads a `next` value: an origin-form path (RFC 9112 §3.2.1) that no browser and no URL
    /// parser can take for another origin. Anything doubtful is `/`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::read(text).unwrap_or_else(Self::root)
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() > MAX || !text.starts_with('/') || text.starts_with("//") {
            return None;
        }
        // Browsers read `\` as `/` and skip tabs and line ends, so none of them may occur.
        if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
            return None;
        }
        // The URL parser that browsers agree on has the last word: still our origin, and written
        // out again from what was parsed, without a fragment.
        let base = Url::parse("https://gateway.invalid").ok()?;
        let url = base.join(text).ok()?;
        if url.origin() != base.origin() || url.path().starts_with("//") {
            return None;
        }
        let query = url
            .query()
            .map_or_else(String::new, |query| format!("?{query}"));
        Some(Self(format!("{}{query}", url.path())))
    }

    /// This path, unless it is `prefix` or below: then `/`. A gateway's own page is no place to
    /// return to after a sign-in.
    ///
    /// The console (`/admin/…` below the prefix) is the exception: an administrator follows a link
    /// to it, signs in and wants to be there. None of its pages changes anything when it is opened,
    /// and none sends a person who is signed in back to the sign-in. Only the plain spelling counts;
    /// an encoded one is a page like the others.
    #[must_use]
    pub fn outside(self, prefix: &str) -> Self {
        let plain = |rest: &str| {
            // What the console's addresses are made of, request ids included.
            let byte = |b: u8| b.is_ascii_alphanumeric() || b"/-._".contains(&b);
            rest.bytes().all(byte) && !rest.contains("//")
        };
        match self.path().strip_prefix(prefix) {
            Some("") => Self::root(),
            Some(rest) if rest.starts_with('/') => match rest.strip_prefix("/admin/") {
                Some(rest) if plain(rest) && !rest.starts_with('/') => self,
                _ => Self::root(),
            },
            _ => self,
        }
    }

    /// The path and query.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path alone.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0
            .split_once('?')
            .map_or(self.0.as_str(), |(path, _)| path)
    }

    /// The value of a `next` parameter, percent-encoded.
    #[must_use]
    pub fn encoded(&self) -> String {
        url::form_urlencoded::byte_serialize(self.0.as_bytes()).collect()
    }
}

impl fmt::Display for ReturnPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        assert_eq!(ReturnPath::parse(text).as_str(), want, "{text:?}");
    }

    #[test]
    fn a_path_of_ours_comes_back_with_its_query() {
        check(
            "/projects/A/repos/b?at=refs%2Fheads%2Fx&y=1",
            "/projects/A/repos/b?at=refs%2Fheads%2Fx&y=1",
        );
        check("/a%20b", "/a%20b");
        check("/x#fragment", "/x");
    }

    #[test]
    fn a_return_path_cannot_leave_our_origin() {
        for bad in [
            "",
            "x",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            " //evil.example",
            "/.//evil.example",
            "/..//evil.example",
            "/%2e//evil.example",
            "/é",
            "/a b",
            "/\0",
        ] {
            check(bad, "/");
        }
    }

    #[test]
    fn a_page_of_the_gateway_is_no_place_to_return_to() {
        for (text, want) in [
            ("/sso", "/"),
            ("/sso/login?next=/x", "/"),
            ("/sso?x", "/"),
            ("/ssox", "/ssox"),
            ("/a/sso", "/a/sso"),
            ("/sso/admin", "/"),
            ("/sso/admin/../logout", "/"),
            ("/sso/admin/%2e%2e/logout", "/"),
            ("/sso/admin/%2e%2e%2flogout", "/"),
            ("/sso/admin//evil.example", "/"),
            ("/sso/admin//", "/"),
            ("/sso/admin/;x", "/"),
            ("/sso/Admin/", "/"),
            ("/sso/administrator", "/"),
        ] {
            let path = ReturnPath::parse(text).outside("/sso");
            assert_eq!(path.as_str(), want, "{text}");
        }
    }

    #[test]
    fn an_administrator_comes_back_to_the_console() {
        for text in [
            "/sso/admin/",
            "/sso/admin/sign-ins/0123abcd-ef",
            "/sso/admin/sign-ins/A.proxys_id",
            "/sso/admin/sessions?username=ana%2F..",
        ] {
            let path = ReturnPath::parse(text).outside("/sso");
            assert_eq!(path.as_str(), text);
        }
    }

    proptest! {
        #[test]
        fn every_return_path_stays_on_our_origin(text in "\\PC*|[/\\\\.@:a-z%\\t]{0,12}") {
            let base = Url::parse("https://git.example.com/x/y").unwrap();
            let path = ReturnPath::parse(&text);
            let url = base.join(path.as_str()).unwrap();
            prop_assert_eq!(url.origin(), base.origin());
            let again = ReturnPath::parse(path.as_str());
            prop_assert_eq!(again, path);
        }
    }
}
