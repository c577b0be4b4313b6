use super::*;
use crate::config::*;
use crate::secret::Secret;
use http::{HeaderName, Request};
use proptest::prelude::*;
use std::net::IpAddr;
use std::time::Duration;
use url::Url;

fn origin(text: &str) -> Origin {
    let url = Url::parse(text).unwrap();
    Origin {
        https: url.scheme() == "https",
        authority: url.authority().to_owned(),
        text: text.to_owned(),
        url,
    }
}

/// Bitbucket behind the gateway with every identity header.
pub(crate) fn config() -> Config {
    let name = |text| Some(HeaderName::from_static(text));
    Config {
        server: Server {
            public_url: origin("https://git.example.com"),
            listen: "127.0.0.1:0".parse().unwrap(),
            admin_listen: "127.0.0.1:0".parse().unwrap(),
            prefix: "/sso".to_owned(),
            trusted_proxies: vec![],
            tls: None,
            head_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(10),
            max_connections: 10,
        },
        upstream: Upstream {
            url: origin("http://bitbucket:7990"),
            kind: Kind::Bitbucket,
            context_path: String::new(),
            connect_timeout: Duration::from_secs(5),
            head_timeout: Duration::from_secs(120),
            idle_timeout: Duration::from_secs(300),
            ca_file: None,
            client_tls: None,
        },
        identity: Identity {
            user_header: HeaderName::from_static("x-forwarded-user"),
            email_header: name("x-corp-email"),
            name_header: name("x-corp-name"),
            groups_header: name("x-corp-groups"),
            assertion: Some(Assertion {
                header: HeaderName::from_static("x-corp-assertion"),
                audience: "http://bitbucket:7990".to_owned(),
                keys: vec![],
            }),
        },
        session: Session {
            store: Store::Memory,
            keys: vec![Secret::new([7; 64])],
            cookie_name: "__Host-portcullis".to_owned(),
            idle_timeout: Duration::from_secs(28800),
            max_age: Duration::from_secs(604_800),
            remember_me: true,
            remember_me_max_age: Duration::from_secs(2_592_000),
            refresh: Duration::from_secs(300),
            stale: Duration::from_secs(3600),
        },
        providers: vec![],
        users: Users {
            match_by: MatchBy::Username,
            username_case: UsernameCase::Lower,
            require_verified_email: true,
            allowed_domains: vec![],
            create: true,
            update_profile: true,
            link_by_verified_email: false,
            link_providers: vec![],
        },
        groups: Groups::default(),
        provisioning: Provisioning::default(),
        branding: Branding::default(),
        admin: Admin::default(),
        sign_in: SignIn {
            enabled: true,
            auto_redirect: true,
            auto_redirect_delay: Duration::ZERO,
            default_provider: None,
            rules: Vec::new(),
        },
        sign_out: SignOut {
            provider_logout: true,
            redirect_to: None,
        },
        access: Access {
            api: ApiAccess::Pass,
            allow_password_change: false,
            plugin_admin_groups: vec![],
            rules: vec![],
        },
        backdoor: Backdoor {
            enabled: false,
            path: "/backdoor".to_owned(),
            accounts: vec![],
            allowed_networks: vec![],
            max_age: Duration::from_secs(3600),
        },
        log: Log {
            format: LogFormat::Text,
            level: "info".to_owned(),
        },
    }
}

/// The lines of a corpus without its comments.
pub(crate) fn lines(corpus: &str) -> impl Iterator<Item = &str> {
    corpus
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "))
}

const IDENTITY: &str = include_str!("../../tests/data/headers/identity.txt");
const TRUST: &str = include_str!("../../tests/data/headers/trust.txt");
const HARMLESS: &str = include_str!("../../tests/data/headers/harmless.txt");
const NOMINATIONS: &str = include_str!("../../tests/data/headers/nominations.txt");

fn peer() -> SocketAddr {
    "203.0.113.7:4711".parse().unwrap()
}

pub(crate) fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut builder = Request::builder().method(method).uri(target);
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        builder = builder.header("host", "git.example.com");
    }
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Body::empty()).unwrap()
}

fn clean_with(config: &Config, headers: &[(&str, &str)]) -> CleanRequest {
    Sanitizer::new(config)
        .clean(request("GET", "/x", headers), peer())
        .unwrap()
}

fn left(request: &CleanRequest) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = request.headers().iter();
    let all = headers.map(|(name, value)| (name.to_string(), text(value)));
    all.filter(|(name, _)| name != "host").collect()
}

/// What is left of these header fields.
#[track_caller]
fn check(before: &[(&str, &str)], after: &[(&str, &str)]) {
    let left = left(&clean_with(&config(), before));
    let left: Vec<(&str, &str)> = left.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(left, after, "{before:?}");
}

#[test]
fn a_client_cannot_name_itself_in_any_spelling() {
    for name in lines(IDENTITY) {
        check(&[(name, "admin")], &[]);
        check(
            &[(name, "admin"), ("a", "b"), (name, "root")],
            &[("a", "b")],
        );
    }
}

#[test]
fn a_client_cannot_choose_address_scheme_path_or_method() {
    for name in lines(TRUST) {
        check(&[(name, "x")], &[]);
    }
}

#[test]
fn fields_that_nobody_trusts_pass_as_they_are() {
    for name in lines(HARMLESS) {
        check(&[(name, "x")], &[(&name.to_ascii_lowercase(), "x")]);
    }
}

#[test]
fn identity_headers_are_stripped_on_every_method_and_for_every_kind() {
    for kind in [Kind::Bitbucket, Kind::Generic] {
        let mut config = config();
        config.upstream.kind = kind;
        let sanitizer = Sanitizer::new(&config);
        for method in ["GET", "OPTIONS", "HEAD", "POST", "PROPFIND", "PATCH"] {
            let request = request(method, "/x", &[("x_forwarded_user", "admin")]);
            let clean = sanitizer.clean(request, peer()).unwrap();
            assert_eq!(left(&clean), [], "{method}");
        }
    }
}

/// GHSA-w9mr-28mw-j8hg, CVE-2024-45410, CVE-2026-29054.
#[test]
fn a_client_cannot_have_a_field_dropped_that_decides_something() {
    for nomination in lines(NOMINATIONS) {
        let clean = clean_with(
            &config(),
            &[
                ("connection", nomination),
                ("cookie", "a=b"),
                ("authorization", "Bearer t"),
                ("content-length", "0"),
                ("expect", "100-continue"),
                ("trailer", "x-checksum"),
                ("x-forwarded-user", "admin"),
            ],
        );
        let want = [
            ("cookie", "a=b"),
            ("authorization", "Bearer t"),
            ("content-length", "0"),
            ("expect", "100-continue"),
            ("trailer", "x-checksum"),
        ];
        let want: Vec<_> = want.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec();
        let mut left = left(&clean);
        left.sort_by_key(|(name, _)| want.iter().position(|(wanted, _)| wanted == name));
        assert_eq!(left, want, "{nomination}");
        assert_eq!(clean.headers()[header::HOST], "git.example.com");
    }
}

#[test]
fn a_nomination_does_not_decide_who_the_client_is() {
    let mut config = config();
    config.server.trusted_proxies = vec!["203.0.113.0/24".parse().unwrap()];
    let headers = [
        ("connection", "x-forwarded-for, x-request-id"),
        ("x-forwarded-for", "198.51.100.9"),
        ("x-request-id", "abc"),
    ];
    let clean = clean_with(&config, &headers);
    assert_eq!(clean.client().ip.to_string(), "198.51.100.9");
    assert_eq!(clean.id().as_str(), "abc");
}

#[test]
fn fields_of_the_connection_and_those_it_names_go() {
    check(
        &[
            ("Connection", "keep-alive, X-Hop"),
            ("connection", " x-other ,"),
            ("keep-alive", "timeout=5"),
            ("x-hop", "1"),
            ("X-Other", "2"),
            ("te", "trailers"),
            ("proxy-authorization", "Basic eDp5"),
            ("proxy-connection", "close"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABkAAQAAP__"),
            ("trailer", "x-sum"),
            ("x-stays", "3"),
        ],
        &[("trailer", "x-sum"), ("x-stays", "3")],
    );
    check(&[("transfer-encoding", "chunked")], &[]);
}

#[test]
fn what_the_connection_was_asked_is_remembered() {
    let clean = clean_with(
        &config(),
        &[
            ("te", "gzip;q=0.5, Trailers"),
            ("expect", "100-Continue"),
            ("connection", "te"),
        ],
    );
    assert!(clean.accepts_trailers() && clean.expects_continue());
    let clean = clean_with(&config(), &[("te", "gzip")]);
    assert!(!clean.accepts_trailers() && !clean.expects_continue());
}

#[track_caller]
fn check_upgrade(headers: &[(&str, &str)], want: Option<&str>) {
    let clean = clean_with(&config(), headers);
    let upgrade = clean.upgrade().map(|value| value.to_str().unwrap());
    assert_eq!(upgrade, want, "{headers:?}");
    assert!(!clean.headers().contains_key(header::UPGRADE));
}

#[test]
fn a_websocket_may_be_asked_for() {
    check_upgrade(
        &[
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
        ],
        Some("websocket"),
    );
    check_upgrade(
        &[("connection", "upgrade"), ("upgrade", "a/1, b/2")],
        Some("a/1, b/2"),
    );
}

#[test]
fn an_upgrade_cannot_smuggle_requests() {
    for upgrade in [
        "h2c",
        "H2C",
        "websocket, h2c",
        "HTTP/2.0",
        "TLS/1.0",
        "h2c/1",
    ] {
        check_upgrade(&[("connection", "upgrade"), ("upgrade", upgrade)], None);
    }
    // Not asked for by this connection; with a body; named twice.
    check_upgrade(&[("upgrade", "websocket")], None);
    check_upgrade(&[("connection", "close"), ("upgrade", "websocket")], None);
    let asked = [("connection", "upgrade"), ("upgrade", "websocket")];
    check_upgrade(&[&asked[..], &[("content-length", "3")]].concat(), None);
    check_upgrade(
        &[&asked[..], &[("transfer-encoding", "chunked")]].concat(),
        None,
    );
    check_upgrade(&[&asked[..], &[("upgrade", "websocket")]].concat(), None);
    let mut post = request("POST", "/x", &asked);
    assert!(clean(post).unwrap().upgrade().is_none());
    post = request("GET", "/x", &asked);
    *post.version_mut() = Version::HTTP_2;
    assert!(clean(post).unwrap().upgrade().is_none());
}

fn clean(request: Request<Body>) -> Result<CleanRequest, Error> {
    Sanitizer::new(&config()).clean(request, peer())
}

#[test]
fn a_body_has_one_length() {
    let check = |headers: &[(&str, &str)], want| {
        let result = clean(request("POST", "/x", headers)).map(drop);
        assert_eq!(result, want, "{headers:?}");
    };
    check(&[("transfer-encoding", "Chunked")], Ok(()));
    check(&[("content-length", "3")], Ok(()));
    let chunked = ("transfer-encoding", "chunked");
    check(&[chunked, ("content-length", "3")], Err(Error::Framing));
    check(&[chunked, chunked], Err(Error::Framing));
    for coding in [
        "gzip, chunked",
        "chunked, chunked",
        "identity",
        "",
        "chunked;x",
    ] {
        check(&[("transfer-encoding", coding)], Err(Error::Framing));
    }
    let mut old = request("POST", "/x", &[("transfer-encoding", "chunked")]);
    *old.version_mut() = Version::HTTP_10;
    assert_eq!(clean(old).map(drop), Err(Error::Framing));
}

#[test]
fn cookies_of_the_gateway_and_remember_me_stay_here() {
    check(
        &[(
            "cookie",
            "a=1; __Host-portcullis=s; BITBUCKETSESSIONID=b; __Host-portcullis-signin=t; _atl_bitbucket_remember_me=r; c=2",
        )],
        &[("cookie", "a=1; BITBUCKETSESSIONID=b; c=2")],
    );
    check(&[("cookie", "__Host-portcullis=s")], &[]);
    check(
        &[
            ("cookie", "__Host-portcullis=s; __Host-portcullis=t"),
            ("cookie", "x"),
        ],
        &[("cookie", "x")],
    );
    let headers = [(
        "cookie",
        "_atl_bitbucket_remember_me=r; __Host-portcullis=s",
    )];
    let kept = [(
        "cookie".to_owned(),
        "_atl_bitbucket_remember_me=r".to_owned(),
    )];
    let mut generic = config();
    generic.upstream.kind = Kind::Generic;
    assert_eq!(left(&clean_with(&generic, &headers)), kept);
    let mut off = config();
    off.sign_in.enabled = false;
    assert_eq!(left(&clean_with(&off, &headers)), kept);
}

/// CVE-2023-28625 was a crash on an empty field.
#[test]
fn odd_cookie_fields_do_no_harm() {
    for value in [
        "",
        ";",
        ";;;",
        "=",
        "=x",
        "__Host-portcullis",
        " ; a",
        "a\u{e9}=b",
    ] {
        let _ = clean_with(&config(), &[("cookie", value)]);
    }
}

#[test]
fn crumbs_of_cookies_become_one_field() {
    check(
        &[
            ("cookie", "a=1"),
            ("cookie", "__Host-portcullis=s"),
            ("cookie", "b=2"),
        ],
        &[("cookie", "a=1; b=2")],
    );
}

#[test]
fn methods_that_make_tunnels_echoes_or_two_meanings_are_refused() {
    for method in ["CONNECT", "TRACE", "get", "Put", "dELETE"] {
        let mut odd = request("GET", "/x", &[]);
        *odd.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
        let error = clean(odd).unwrap_err();
        assert_eq!(error, Error::Method(method.to_owned()));
        assert_eq!(error.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    assert!(clean(request("VERSION-CONTROL", "/x", &[])).is_ok());
}

#[track_caller]
fn check_host(target: &str, version: Version, hosts: &[&str], want: Option<&str>) {
    let mut request = Request::builder().uri(target).version(version);
    for host in hosts {
        request = request.header("host", *host);
    }
    let cleaned = clean(request.body(Body::empty()).unwrap());
    let host = cleaned.map(|clean| {
        assert_eq!(clean.headers().get_all("host").iter().count(), 1);
        assert!(clean.head.uri.authority().is_none());
        clean.headers()["host"].to_str().unwrap().to_owned()
    });
    assert_eq!(host.as_deref().ok(), want, "{target} {hosts:?}");
    if want.is_none() {
        assert_eq!(host, Err(Error::Host));
    }
}

#[test]
fn a_request_names_exactly_one_host() {
    use Version as V;
    check_host(
        "/x",
        V::HTTP_11,
        &["git.example.com"],
        Some("git.example.com"),
    );
    check_host("/x", V::HTTP_11, &["other:8080"], Some("other:8080"));
    check_host("/x", V::HTTP_11, &["[::1]:80"], Some("[::1]:80"));
    check_host("/x", V::HTTP_11, &[], None);
    check_host("/x", V::HTTP_11, &[""], None);
    check_host("/x", V::HTTP_11, &["a", "a"], None);
    check_host("/x", V::HTTP_11, &["a/b"], None);
    check_host("/x", V::HTTP_11, &["user@a"], None);
    check_host("/x", V::HTTP_11, &["a b"], None);
    check_host("/x", V::HTTP_10, &[], Some("git.example.com"));
    check_host("http://a/x", V::HTTP_11, &["a"], Some("a"));
    check_host("http://A/x", V::HTTP_11, &["a"], Some("a"));
    check_host("http://a/x", V::HTTP_11, &["b"], None);
    check_host("http://a/x", V::HTTP_11, &[], None);
    check_host("http://u@a/x", V::HTTP_11, &["a"], None);
    check_host("https://a/x", V::HTTP_2, &[], Some("a"));
    check_host("https://a/x", V::HTTP_2, &["a"], Some("a"));
    check_host("https://a/x", V::HTTP_2, &["b"], None);
    check_host("https://u@a/x", V::HTTP_2, &[], None);
}

// The client.

#[track_caller]
fn check_client(peer: &str, headers: &[(&str, &str)], ip: &str, https: bool, chain: &[&str]) {
    let mut config = config();
    config.server.trusted_proxies = ["10.0.0.0/8", "2001:db8::/32"]
        .map(|net| net.parse().unwrap())
        .to_vec();
    let peer = SocketAddr::new(peer.parse().unwrap(), 1);
    let request = request("GET", "/x", headers);
    let clean = Sanitizer::new(&config).clean(request, peer).unwrap();
    let client = clean.client();
    assert_eq!(client.ip, ip.parse::<IpAddr>().unwrap(), "{headers:?}");
    assert_eq!(client.https, https, "{headers:?}");
    let chain: Vec<IpAddr> = chain.iter().map(|ip| ip.parse().unwrap()).collect();
    assert_eq!(client.chain, chain, "{headers:?}");
}

/// CVE-2023-36456, CVE-2026-40575, CVE-2026-76835.
#[test]
fn forwarding_fields_of_strangers_do_not_count() {
    let lies = [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "mine"),
    ];
    check_client("192.0.2.1", &lies, "192.0.2.1", false, &["192.0.2.1"]);
    let clean = clean_with(&config(), &lies);
    assert_ne!(clean.id().as_str(), "mine");
    assert_eq!(clean.client().ip, peer().ip());
}

#[test]
fn trusted_proxies_say_who_the_client_is() {
    check_client("10.0.0.1", &[], "10.0.0.1", false, &["10.0.0.1"]);
    check_client(
        "10.0.0.1",
        &[
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
        ],
        "192.0.2.1",
        true,
        &["192.0.2.1", "10.0.0.1"],
    );
    check_client(
        "::ffff:10.0.0.1",
        &[
            ("x-forwarded-for", "192.0.2.1:5000, [2001:db8::5]:443"),
            ("x-forwarded-for", "[2001:db8::6]"),
        ],
        "192.0.2.1",
        false,
        &["192.0.2.1", "2001:db8::5", "2001:db8::6", "10.0.0.1"],
    );
    check_client(
        "10.0.0.1",
        &[("x-forwarded-for", "10.0.0.3, 10.0.0.2")],
        "10.0.0.3",
        false,
        &["10.0.0.3", "10.0.0.2", "10.0.0.1"],
    );
}

/// CVE-2024-21498: the leftmost entry is whatever the client wrote.
#[test]
fn what_stands_left_of_the_client_is_its_own_word() {
    check_client(
        "10.0.0.1",
        &[
            (
                "x-forwarded-for",
                "127.0.0.1, 10.9.9.9, 192.0.2.1, 10.0.0.2",
            ),
            ("x-forwarded-proto", "https, http, http"),
        ],
        "192.0.2.1",
        false,
        &["192.0.2.1", "10.0.0.2", "10.0.0.1"],
    );
    check_client(
        "10.0.0.1",
        &[
            ("x-forwarded-for", "192.0.2.1, 10.0.0.2"),
            ("x-forwarded-proto", "https,http"),
        ],
        "192.0.2.1",
        true,
        &["192.0.2.1", "10.0.0.2", "10.0.0.1"],
    );
}

/// CVE-2024-47070: what could not be read was taken for permission.
#[test]
fn an_unreadable_address_ends_at_the_last_hop_we_know() {
    for odd in [
        "",
        "unknown",
        "_hidden",
        "192.0.2.1.5",
        "192.0.2.1 10.0.0.9",
        "é",
        "1",
        "[::1",
        "0x7f.1",
    ] {
        check_client(
            "10.0.0.1",
            &[("x-forwarded-for", odd)],
            "10.0.0.1",
            false,
            &["10.0.0.1"],
        );
    }
    check_client(
        "10.0.0.1",
        &[("x-forwarded-for", "192.0.2.1, x, 10.0.0.2")],
        "10.0.0.2",
        false,
        &["10.0.0.2", "10.0.0.1"],
    );
}

#[test]
fn forwarded_is_read_like_the_older_fields() {
    for (value, ip, https, chain) in [
        (
            "for=192.0.2.1;proto=https",
            "192.0.2.1",
            true,
            &["192.0.2.1", "10.0.0.1"][..],
        ),
        (
            r#"By=_gate; FOR="192.0.2.1:5000" ; Proto="HTTPS";host="a\,b""#,
            "192.0.2.1",
            true,
            &["192.0.2.1", "10.0.0.1"],
        ),
        (
            r#"for="[2001:db8::5]:443", for="[2001:db8::6]", for=10.0.0.2:_port"#,
            "2001:db8::5",
            false,
            &["2001:db8::5", "2001:db8::6", "10.0.0.2", "10.0.0.1"],
        ),
        // The proxies that wrote it forgot the quotes.
        (
            "for=[2001:db9::7]:443;;proto=https;",
            "2001:db9::7",
            true,
            &["2001:db9::7", "10.0.0.1"],
        ),
        // What stands left of the client is its own word.
        (
            "for=127.0.0.1, for=192.0.2.1;proto=https, for=10.0.0.2;proto=http",
            "192.0.2.1",
            true,
            &["192.0.2.1", "10.0.0.2", "10.0.0.1"],
        ),
        (
            "for=10.9.9.9;proto=https, for=192.0.2.1;proto=http",
            "192.0.2.1",
            false,
            &["192.0.2.1", "10.0.0.1"],
        ),
        // It can swallow nothing of what comes after.
        (
            r#"for=10.9.9.9;by=", for=192.0.2.1;by="x""#,
            "192.0.2.1",
            false,
            &["192.0.2.1", "10.0.0.1"],
        ),
        (
            r#"for=10.9.9.9;by="\, for=192.0.2.1"#,
            "192.0.2.1",
            false,
            &["192.0.2.1", "10.0.0.1"],
        ),
        // Only the inner proxy says what the browser speaks.
        (
            "for=192.0.2.1, for=10.0.0.2;proto=https",
            "192.0.2.1",
            true,
            &["192.0.2.1", "10.0.0.2", "10.0.0.1"],
        ),
    ] {
        check_client("10.0.0.1", &[("forwarded", value)], ip, https, chain);
    }
    check_client(
        "10.0.0.1",
        &[
            ("forwarded", "for=192.0.2.1;proto=https"),
            ("forwarded", "for=10.0.0.2"),
        ],
        "192.0.2.1",
        true,
        &["192.0.2.1", "10.0.0.2", "10.0.0.1"],
    );
}

#[test]
fn forwarded_of_strangers_does_not_count() {
    let lie = [("forwarded", "for=10.0.0.1;proto=https;host=evil.example")];
    check_client("192.0.2.1", &lie, "192.0.2.1", false, &["192.0.2.1"]);
    let clean = clean_with(&config(), &lie);
    assert!(clean.client().concealed);
    assert_eq!(clean.client().host, None);
}

/// A proxy that writes the one often passes the other on as the client wrote it.
#[test]
fn forwarded_counts_only_where_there_is_no_older_field() {
    let forwarded = ("forwarded", "for=10.9.9.9;proto=https;host=evil.example");
    for (older, ip, chain) in [
        (
            ("x-forwarded-for", "192.0.2.1"),
            "192.0.2.1",
            &["192.0.2.1", "10.0.0.1"][..],
        ),
        (("x-forwarded-proto", "http"), "10.0.0.1", &["10.0.0.1"]),
        (("x-forwarded-host", "a.example"), "10.0.0.1", &["10.0.0.1"]),
        (("x-forwarded-port", "80"), "10.0.0.1", &["10.0.0.1"]),
    ] {
        check_client("10.0.0.1", &[forwarded, older], ip, false, chain);
    }
}

#[test]
fn a_host_in_forwarded_is_taken_over_if_it_is_one() {
    let mut config = config();
    config.server.trusted_proxies = vec!["203.0.113.0/24".parse().unwrap()];
    for (value, host) in [
        (
            "for=192.0.2.1;host=git.example.com",
            Some("git.example.com"),
        ),
        (
            r#"host="git.example.com:8443""#,
            Some("git.example.com:8443"),
        ),
        (r#"for=192.0.2.1;host="a, b""#, None),
        (r#"for=192.0.2.1;host="a@b""#, None),
        ("for=192.0.2.1", None),
        ("host=evil.example, for=192.0.2.1", None),
    ] {
        let clean = clean_with(&config, &[("forwarded", value)]);
        let said = clean
            .client()
            .host
            .as_ref()
            .map(|host| host.to_str().unwrap());
        assert_eq!(said, host, "{value}");
    }
}

#[test]
fn an_unreadable_forwarded_ends_at_the_last_hop_we_know() {
    let open_quote = format!("for=\"{}", "192.0.2.1,".repeat(5000));
    let slashes = format!("for=\"{}\"", "\\\"".repeat(20_000));
    for odd in [
        "",
        ",",
        ";",
        "=",
        "for",
        "for=",
        "for=\"\"",
        "for=unknown",
        "for=_hidden",
        "for=\"_hidden:_port\"",
        "for=192.0.2.1;for=192.0.2.1",
        "for=192.0.2.1 10.0.0.9",
        "for=192.0.2.1=",
        "for=\"192.0.2.1\"x",
        "for=\"192.0.2.1",
        "for=192.0.2.1\"",
        "for=\"[::1\"",
        "for=é",
        "f or=192.0.2.1",
        "192.0.2.1",
        &open_quote,
        &slashes,
        &"\"".repeat(30_000),
        &"\\".repeat(30_000),
        &",".repeat(30_000),
    ] {
        check_client(
            "10.0.0.1",
            &[("forwarded", odd)],
            "10.0.0.1",
            false,
            &["10.0.0.1"],
        );
        let mut config = config();
        config.server.trusted_proxies = vec!["203.0.113.0/24".parse().unwrap()];
        assert!(
            clean_with(&config, &[("forwarded", odd)])
                .client()
                .concealed
        );
    }
    check_client(
        "10.0.0.1",
        &[("forwarded", "for=192.0.2.1, for=x, for=10.0.0.2")],
        "10.0.0.2",
        false,
        &["10.0.0.2", "10.0.0.1"],
    );
}

#[test]
fn the_own_listeners_scheme_holds_where_no_proxy_says_another() {
    let mut config = config();
    config.server.tls = Some(TlsFiles {
        cert_file: "cert.pem".into(),
        key_file: "key.pem".into(),
    });
    assert!(
        clean_with(&config, &[("x-forwarded-proto", "http")])
            .client()
            .https
    );
    config.server.trusted_proxies = vec!["203.0.113.0/24".parse().unwrap()];
    assert!(clean_with(&config, &[]).client().https);
    assert!(
        !clean_with(&config, &[("x-forwarded-proto", "http")])
            .client()
            .https
    );
    assert!(
        !clean_with(&config, &[("x-forwarded-proto", "gopher")])
            .client()
            .https
    );
}

#[test]
fn a_trusted_proxys_request_id_is_taken_over_if_it_is_one() {
    let mut config = config();
    config.server.trusted_proxies = vec!["203.0.113.0/24".parse().unwrap()];
    let id = |headers: &[(&str, &str)]| clean_with(&config, headers).id().as_str().to_owned();
    assert_eq!(id(&[("x-request-id", "a-1")]), "a-1");
    assert_eq!(id(&[("x-request-id", "<script>")]).len(), 32);
    assert_eq!(
        id(&[("x-request-id", "a"), ("x-request-id", "b")]).len(),
        32
    );
}

// The target.

fn context() -> Arc<str> {
    Arc::from("")
}

#[track_caller]
fn check_readings(path: &str, want: &[&str]) {
    let target = Target::parse(path, &context()).unwrap();
    let mut readings: Vec<&str> = target.readings().map(|reading| reading.full).collect();
    assert_eq!(readings.first(), want.first(), "{path}");
    readings.sort_unstable();
    let mut want = want.to_vec();
    want.sort_unstable();
    assert_eq!(readings, want, "{path}");
    assert_eq!(target.path_and_query(), path);
    assert_eq!(target.is_ambiguous(), want.len() > 1);
}

#[test]
fn usual_paths_have_one_reading() {
    check_readings("/", &["/"]);
    check_readings("/a/b/", &["/a/b/"]);
    check_readings("/a%20b/caf%C3%A9%40%7E", &["/a b/café@~"]);
    check_readings("/a.b/...", &["/a.b/..."]);
    check_readings("/%E9", &["/\u{FFFD}"]);
}

#[test]
fn doubtful_paths_have_every_reading() {
    check_readings("/a%2Fb", &["/a%2Fb", "/a/b"]);
    check_readings("/a;x/b", &["/a;x/b", "/a/b"]);
    check_readings("/a//b", &["/a//b", "/a/b"]);
    check_readings("/a\\b", &["/a\\b", "/a/b"]);
    check_readings("/%61", &["/%61", "/a"]);
    check_readings("/a%3Fb", &["/a%3Fb", "/a?b", "/a"]);
    check_readings("/100%25", &["/100%25", "/100%"]);
    check_readings("/a/./b/../c", &["/a/./b/../c", "/a/c"]);
    check_readings("/a/b/..", &["/a/b/..", "/a/"]);
    check_readings("/a//../b", &["/a//../b", "/a/b", "/a/../b", "/b"]);
    check_readings("/%252F", &["/%252F", "/%2F", "//", "/"]);
    check_readings(
        "/a;x%2F../b",
        &["/a;x%2F../b", "/a/b", "/a;x/../b", "/b", "/a/../b"],
    );
}

#[test]
fn a_path_cannot_make_the_gateway_work_for_nothing() {
    let long = "b/".repeat(1900);
    for path in [
        format!("/{long}%3bx%2f%5c"),
        format!("/{long}%25252541;x"),
        format!("/{long}%{}41;a", "25".repeat(40)),
        format!("/a%{}41", "25".repeat(1900)),
        format!("/a{}", ";x//%2f./\\".repeat(300)),
    ] {
        assert_eq!(
            Target::parse(&path, &context()).map(|_| ()),
            Err(Error::Readings),
            "{path}"
        );
    }
    // Long and honest: a branch in a path, a file with a long name in another script.
    for path in [
        format!("/{long}feature%2Fx"),
        format!("/{}", "%E4%BD%A0/".repeat(400)),
    ] {
        assert!(Target::parse(&path, &context()).is_ok(), "{path}");
    }
}

#[test]
fn only_dot_segments_are_evasive() {
    let evasive = |path| Target::parse(path, &context()).unwrap().is_evasive();
    for path in [
        "/a/../b",
        "/a/.",
        "/a/%2e%2e/b",
        "/a/..%2fb",
        "/a/..;/b",
        "/a%252f..%252fb",
    ] {
        assert!(evasive(path), "{path}");
    }
    for path in [
        "/a/b", "/a%2Fb", "/a;b", "/..a/b..", "/a//b", "/a\\b", "/...",
    ] {
        assert!(!evasive(path), "{path}");
    }
}

#[test]
fn targets_that_are_no_path_are_refused() {
    let parse = |text: &str| Target::parse(text, &context()).map(drop);
    for (text, want) in [
        ("", Error::NotAPath),
        ("*", Error::NotAPath),
        ("x", Error::NotAPath),
        ("?x", Error::NotAPath),
        ("/a b", Error::Character(' ')),
        ("/a#b", Error::Character('#')),
        ("/a?b#c", Error::Character('#')),
        ("/\0", Error::Character('\0')),
        ("/\u{7f}", Error::Character('\u{7f}')),
        ("/é", Error::Character('é')),
        ("/?é", Error::Character('é')),
        ("/a%00", Error::Character('\0')),
        ("/a%0D%0a", Error::Character('\r')),
        ("/a%7F", Error::Character('\u{7f}')),
        ("/%", Error::Escape),
        ("/%4", Error::Escape),
        ("/%zz", Error::Escape),
        ("/%+1", Error::Escape),
        ("/%u002e", Error::Escape),
        ("/%c0%ae", Error::Escape),
        ("/%e0%80%af", Error::Escape),
        ("/..", Error::OutsideRoot),
        ("/a/../..", Error::OutsideRoot),
        ("/%2e%2e", Error::OutsideRoot),
        ("/a/..%2f..", Error::OutsideRoot),
        ("/..;/x", Error::OutsideRoot),
        ("/\\..\\..", Error::OutsideRoot),
        ("/%252e%252e/x", Error::OutsideRoot),
    ] {
        assert_eq!(parse(text), Err(want), "{text:?}");
    }
    let long = format!("/{}", "a".repeat(16 * 1024));
    assert_eq!(parse(&long), Err(Error::TooLong(16 * 1024)));
    assert_eq!(Error::TooLong(1).status(), StatusCode::URI_TOO_LONG);
    assert_eq!(parse(&long[..long.len() - 1]), Ok(()));
    assert_eq!(
        parse(&format!("/%{}61", "25".repeat(1000))),
        Err(Error::Readings)
    );
    let ambiguous = format!("/{};", "a".repeat(4096));
    assert_eq!(parse(&ambiguous), Err(Error::TooLong(4096)));
    assert_eq!(parse(&format!("/{}", "%C3%A9".repeat(1000))), Ok(()));
    for target in ["*", "git.example.com"] {
        assert_eq!(
            clean(request("OPTIONS", target, &[])).map(drop),
            Err(Error::NotAPath)
        );
    }
}

#[test]
fn paths_are_read_from_the_context_path() {
    let context: Arc<str> = Arc::from("/bitbucket");
    let inside = |path| {
        let target = Target::parse(path, &context).unwrap();
        target.in_context().map(str::to_owned)
    };
    assert_eq!(inside("/bitbucket/login?x").as_deref(), Some("/login"));
    assert_eq!(inside("/bitbucket").as_deref(), Some("/"));
    assert_eq!(inside("/bitbucket/").as_deref(), Some("/"));
    assert_eq!(inside("/bitbucketx/login"), None);
    assert_eq!(inside("/login"), None);
    assert_eq!(inside("/"), None);
}

#[test]
fn the_forwarded_target_is_the_one_that_was_read() {
    let clean = clean(request(
        "GET",
        "http://git.example.com/a%2Fb?c=%2e%2e/d",
        &[],
    ))
    .unwrap();
    assert_eq!(clean.target().path_and_query(), "/a%2Fb?c=%2e%2e/d");
    let (head, ..) = clean.into_parts();
    assert_eq!(head.uri.to_string(), "/a%2Fb?c=%2e%2e/d");
}

// Trailers.

#[test]
fn trailers_cannot_say_what_headers_cannot() {
    let names = Names::of(&config());
    let forbids =
        |name: &str| names.forbids_trailer(&HeaderName::from_bytes(name.as_bytes()).unwrap());
    for name in lines(IDENTITY).chain(lines(TRUST)) {
        assert!(forbids(name), "{name}");
    }
    for name in [
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Authorization",
        "Cookie",
        "Trailer",
    ] {
        assert!(forbids(name), "{name}");
    }
    assert!(!forbids("X-Checksum") && !forbids("Grpc-Status"));
}

/// One of a corpus' names with some separators and letters in another form, or any name.
fn any_name() -> impl Strategy<Value = String> {
    let names: Vec<String> = lines(IDENTITY)
        .chain(lines(TRUST))
        .chain(lines(HARMLESS))
        .map(str::to_owned)
        .collect();
    let respelled = (
        proptest::sample::select(names),
        "[-_.~!+]{20}",
        any::<u32>(),
    )
        .prop_map(|(name, separators, case)| {
            let respell = |(at, c): (usize, char)| match c {
                c if !c.is_ascii_alphanumeric() => {
                    char::from(separators.as_bytes()[at % separators.len()])
                }
                c if case >> (at % 32) & 1 == 1 => c.to_ascii_uppercase(),
                c => c,
            };
            name.chars().enumerate().map(respell).collect()
        });
    prop_oneof![respelled, "[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,40}"]
}

/// As CGI and its descendants see a name.
fn as_cgi(name: &str) -> String {
    let fold = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    name.chars().map(fold).collect()
}

proptest! {
    #[test]
    fn cleaning_leaves_no_alias_and_is_done_after_once(
        fields in proptest::collection::vec((any_name(), "[ -~]{0,30}"), 0..12),
        nominated in proptest::collection::vec(any_name(), 0..4),
        target in "/[a-z/.;%25fF2e\\\\]{0,20}",
    ) {
        let host = fields.iter().all(|(name, _)| !name.eq_ignore_ascii_case("host"));
        let mut builder = Request::builder().uri(&target).header("connection", nominated.join(","));
        if host {
            builder = builder.header("host", "git.example.com");
        }
        for (name, value) in &fields {
            builder = builder.header(name, value);
        }
        let Ok(request) = builder.body(Body::empty()) else { return Ok(()) };
        let sanitizer = Sanitizer::new(&config());
        let Ok(clean) = sanitizer.clean(request, peer()) else { return Ok(()) };
        for name in clean.headers().keys() {
            let name = as_cgi(name.as_str());
            prop_assert!(
                !["X_FORWARDED_USER", "X_CORP_EMAIL", "X_CORP_NAME", "X_CORP_GROUPS", "X_CORP_ASSERTION", "REMOTE_USER"]
                    .contains(&name.as_str())
                    && !name.starts_with("X_FORWARDED_")
                    && !["CONNECTION", "TE", "UPGRADE", "TRANSFER_ENCODING"].contains(&name.as_str()),
                "{}", name
            );
        }
        let before = left(&clean);
        let path = clean.target().path_and_query().to_owned();
        let (head, body, ..) = clean.into_parts();
        let again = sanitizer.clean(Request::from_parts(head, body), peer());
        let again = again.unwrap();
        prop_assert_eq!(left(&again), before);
        prop_assert_eq!(again.target().path_and_query(), path);
    }

    #[test]
    fn no_target_panics_and_every_one_is_kept_byte_for_byte(text in "/\\PC{0,40}|/[/.;\\\\%2efF5cC0a3b?#-]{0,40}") {
        if let Ok(target) = Target::parse(&text, &context()) {
            prop_assert_eq!(target.path_and_query(), &text);
            prop_assert!(target.readings().count() >= 1);
            for reading in target.readings() {
                prop_assert!(reading.full.starts_with('/'));
            }
        }
    }

    #[test]
    fn no_forwarded_panics_and_what_the_proxy_adds_counts(text in "[ -~]{0,60}|((for|by|host|proto)=|[0-9.:,;\\[\\] \"\\\\]){0,40}") {
        let mut config = config();
        config.server.trusted_proxies = vec!["0.0.0.0/0".parse().unwrap()];
        let clean = clean_with(&config, &[("forwarded", &text)]);
        prop_assert_eq!(clean.client().chain.last(), Some(&peer().ip()));
        prop_assert_eq!(clean.client().chain.first(), Some(&clean.client().ip));
        config.server.trusted_proxies = vec!["203.0.113.0/24".parse().unwrap()];
        let added = format!(r#"{text}, for="192.0.2.1:5";host="a\"\\";proto=https"#);
        let clean = clean_with(&config, &[("forwarded", &added)]);
        prop_assert_eq!(clean.client().ip, "192.0.2.1".parse::<IpAddr>().unwrap());
        prop_assert!(clean.client().https);
    }

    #[test]
    fn no_forwarded_for_panics_and_the_peer_ends_the_chain(text in "[ -~]{0,60}|([0-9.:,\\[\\] ]{0,60})") {
        let mut config = config();
        config.server.trusted_proxies = vec!["0.0.0.0/0".parse().unwrap()];
        let clean = clean_with(&config, &[("x-forwarded-for", &text)]);
        prop_assert_eq!(clean.client().chain.last(), Some(&peer().ip()));
        prop_assert_eq!(clean.client().chain.first(), Some(&clean.client().ip));
    }
}
