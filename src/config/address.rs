//! Addresses, paths, networks and header names: from text to something that can be trusted.

use super::Origin;
use super::problems::{Mistake, mistake, quoted};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use url::{Host, Position, Url};

/// An `http` or `https` address without userinfo and fragment.
pub(super) fn web_address(text: &str) -> Result<Url, Mistake> {
    let refuse =
        |what: &str, remedy: &str| Err(mistake(format!("{} {what}", quoted(text)), remedy));
    // The URL standard drops or turns these, so that the text would say one thing and mean another.
    if text.contains(|c: char| c.is_whitespace() || c == '\\') {
        return refuse("contains white space or a backslash", "remove it");
    }
    let Ok(url) = Url::parse(text) else {
        return refuse(
            "is not an address",
            "write scheme and host, such as https://git.example.com",
        );
    };
    if !matches!(url.scheme(), "http" | "https") || !has_slashes(text) {
        return refuse(
            "is not an http or https address",
            "write scheme and host, such as https://git.example.com",
        );
    }
    if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
        // The password isn't repeated.
        return Err(mistake(
            "the address holds a user name or password, or an \"@\"",
            "remove it; credentials have their own keys",
        ));
    }
    if url.fragment().is_some() {
        return refuse("has a fragment", "remove everything from the \"#\" on");
    }
    Ok(url)
}

/// The URL standard also reads `https:host` and `https:/host`.
fn has_slashes(text: &str) -> bool {
    text.split_once("://")
        .is_some_and(|(_, rest)| !rest.starts_with('/'))
}

/// Scheme, host and port, and nothing else (RFC 6454).
pub(super) fn origin(text: &str) -> Result<Origin, Mistake> {
    let url = web_address(text)?;
    if url.path() != "/" || url.query().is_some() {
        return Err(mistake(
            format!("{} has a path or query", quoted(text)),
            format!(
                "only scheme, host and port: {}",
                url.origin().ascii_serialization()
            ),
        ));
    }
    Ok(Origin::of(&url))
}

impl Origin {
    /// The origin of an `http` or `https` address.
    #[must_use]
    pub fn of(address: &Url) -> Self {
        let mut url = address.clone();
        url.set_path("/");
        url.set_query(None);
        url.set_fragment(None);
        Self {
            text: url.origin().ascii_serialization(),
            https: url.scheme() == "https",
            authority: url[Position::BeforeHost..Position::AfterPort].to_owned(),
            url,
        }
    }
}

/// Whether an address never leaves this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        // RFC 6761 §6.3: the name and everything below it.
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// An address and port to listen on.
pub(super) fn socket_address(text: &str) -> Result<SocketAddr, Mistake> {
    text.parse().map_err(|_| {
        mistake(
            format!("{} is not an IP address with a port", quoted(text)),
            "for example 0.0.0.0:8080, 127.0.0.1:9090 or [::]:8080",
        )
    })
}

/// A network in CIDR form, or one address.
pub(super) fn network(text: &str) -> Result<IpNet, Mistake> {
    let one = text.parse::<IpAddr>().map(IpNet::from);
    let network = one.or_else(|_| text.parse::<IpNet>()).map_err(|_| {
        mistake(
            format!("{} is neither an address nor a network", quoted(text)),
            "for example 10.0.0.5, 10.0.0.0/8 or fd00::/8",
        )
    })?;
    if network.addr() != network.network() {
        return Err(mistake(
            format!("{} has bits beyond its prefix length", quoted(text)),
            format!(
                "write {} for the network or {} for the address",
                network.trunc(),
                network.addr()
            ),
        ));
    }
    Ok(network)
}

/// A path that has one reading only: begins with `/`, plain characters, no empty or dot segments.
/// `/` itself passes, and so does a slash at the end.
pub(super) fn plain_path(text: &str) -> Result<(), Mistake> {
    let Some(rest) = text.strip_prefix('/') else {
        return Err(mistake(
            format!("{} does not begin with \"/\"", quoted(text)),
            format!("write {}", quoted(&format!("/{text}"))),
        ));
    };
    // RFC 3986 §3.3, without what servers read in two ways: "%", ";" and "\".
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()+,=:@".contains(&b);
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if (segment.is_empty() && !last) || segment == "." || segment == ".." {
            return Err(mistake(
                format!("{} has an empty or dot segment", quoted(text)),
                "write the path as it is after resolving it",
            ));
        }
        if !segment.bytes().all(plain) {
            return Err(mistake(
                format!("{} is not a plain path", quoted(text)),
                "letters, digits and -._~!$&'()+,=:@ between slashes; no query, no escapes",
            ));
        }
    }
    Ok(())
}

/// A path under which everything belongs to one owner: not `/`, and no slash at the end.
pub(super) fn own_path(text: &str) -> Result<String, Mistake> {
    plain_path(text)?;
    match text.strip_suffix('/') {
        None => Ok(text.to_owned()),
        Some("") => Err(mistake(
            "\"/\" would take every address of the upstream",
            "choose a path of its own, such as \"/sso\"",
        )),
        Some(path) => Err(mistake(
            format!("{} ends with \"/\"", quoted(text)),
            format!("write {}", quoted(path)),
        )),
    }
}

/// Whether `path` is `parent` or below it.
pub(super) fn is_within(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_origin(text: &str, want: Result<(&str, &str), &str>) {
        match (origin(text), want) {
            (Ok(origin), Ok(want)) => assert_eq!((&*origin.text, &*origin.authority), want),
            (Err(mistake), Err(want)) => {
                assert!(mistake.what.contains(want), "{text}: {}", mistake.what);
            }
            (got, want) => panic!("{text}: {got:?} instead of {want:?}"),
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        check_origin(
            "https://git.example.com",
            Ok(("https://git.example.com", "git.example.com")),
        );
        check_origin(
            "https://GIT.example.com:443/",
            Ok(("https://git.example.com", "git.example.com")),
        );
        check_origin(
            "http://bitbucket:7990",
            Ok(("http://bitbucket:7990", "bitbucket:7990")),
        );
        check_origin("http://[::1]:8080", Ok(("http://[::1]:8080", "[::1]:8080")));
    }

    #[test]
    fn an_address_with_two_readings_is_none() {
        check_origin(
            "https://git.example.com/bitbucket",
            Err("has a path or query"),
        );
        check_origin("https://git.example.com/?", Err("has a path or query"));
        check_origin("https://git.example.com/#x", Err("has a fragment"));
        check_origin("https://git.example.com\\@evil.example", Err("backslash"));
        check_origin(" https://git.example.com", Err("white space"));
        check_origin("https:git.example.com", Err("not an http or https address"));
        check_origin(
            "https:///git.example.com",
            Err("not an http or https address"),
        );
        check_origin("git.example.com", Err("is not an address"));
        check_origin("git.example.com:443", Err("not an http or https address"));
        check_origin("ftp://git.example.com", Err("not an http or https address"));
        check_origin("https://", Err("is not an address"));
    }

    #[test]
    fn a_password_in_an_address_is_not_repeated() {
        let mistake = origin("https://ana:hunter2@git.example.com").unwrap_err();
        assert!(!mistake.what.contains("hunter2") && !mistake.remedy.contains("hunter2"));
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (text, want) in [
            ("http://127.0.0.1:8080", true),
            ("http://127.9.9.9", true),
            ("http://[::1]/", true),
            ("http://localhost", true),
            ("http://a.localhost", true),
            ("http://localhost.example.com", false),
            ("http://10.0.0.1", false),
            ("http://127.0.0.1.example.com", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(text).unwrap()), want, "{text}");
        }
    }

    #[test]
    fn a_path_is_within_itself_and_not_within_its_namesake() {
        assert!(is_within("/sso", "/sso"));
        assert!(is_within("/sso/a", "/sso"));
        assert!(!is_within("/ssoa", "/sso"));
    }
}
