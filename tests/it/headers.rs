//! Who Bitbucket is told the person is, whatever the client says about itself.

use crate::support::Setup;
use crate::support::gateway::simple;
use bytes::Bytes;
use http::Method;

const ALIASES: &[&str] = &[
    "X-Forwarded-User",
    "x-forwarded-user",
    "X_Forwarded_User",
    "X-Forwarded_User",
    "X.Forwarded.User",
    "x-FORWARDED~user",
    "X-Forwarded-Email",
    "X_Forwarded_Groups",
    "Remote-User",
    "REMOTE_USER",
];

const IDENTITY: &str = r#"
[identity]
email_header = "X-Forwarded-Email"
name_header = "X-Forwarded-Name"
groups_header = "X-Forwarded-Groups"
"#;

/// Every field that a reader could take for the user header.
fn users(seen: &crate::support::upstream::Seen) -> Vec<(String, String)> {
    let fold = |name: &str| -> String {
        name.chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_lowercase()
                } else {
                    '-'
                }
            })
            .collect()
    };
    seen.headers
        .iter()
        .filter(|(name, _)| {
            ["x-forwarded-user", "remote-user"].contains(&fold(name.as_str()).as_str())
        })
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect()
}

async fn check(setup: &Setup, headers: &[(&str, &str)]) {
    let mut ana = setup.ana().await;
    let url = ana.home.join("/dashboard").unwrap();
    ana.send(Method::GET, &url, headers, Bytes::new())
        .await
        .expect(200);
    let seen = setup.upstream.last();
    assert_eq!(
        users(&seen),
        [("x-forwarded-user".to_owned(), "ana".to_owned())],
        "{headers:?}"
    );
    for other in ["x-forwarded-email", "x-forwarded-groups"] {
        assert_eq!(seen.one(other), None, "{headers:?}");
    }
}

#[tokio::test]
async fn a_client_cannot_name_itself() {
    let setup = simple(IDENTITY).await;
    for alias in ALIASES {
        check(&setup, &[(alias, "admin")]).await;
        check(&setup, &[(alias, "admin"), (alias, "root")]).await;
    }
}

#[tokio::test]
async fn a_client_cannot_have_its_identity_header_dropped() {
    let setup = simple(IDENTITY).await;
    for connection in [
        "X-Forwarded-User",
        "x-forwarded-user, close",
        "close, X-FORWARDED-USER",
        "keep-alive,x-forwarded-user",
    ] {
        check(&setup, &[("Connection", connection)]).await;
        check(
            &setup,
            &[("Connection", connection), ("X-Forwarded-User", "admin")],
        )
        .await;
    }
    check(
        &setup,
        &[("Connection", "close"), ("connection", "x-forwarded-user")],
    )
    .await;
}

#[tokio::test]
async fn connection_cannot_take_away_what_bitbucket_needs() {
    let setup = simple("").await;
    let mut ana = setup.ana().await;
    let url = ana.home.join("/dashboard").unwrap();
    let headers = [
        (
            "Connection",
            "Host, Cookie, X-Forwarded-For, X-Forwarded-Proto",
        ),
        ("Cookie", "BITBUCKETSESSIONID=1"),
    ];
    ana.send(Method::GET, &url, &headers, Bytes::new())
        .await
        .expect(200);
    let seen = setup.upstream.last();
    assert_eq!(seen.one("host").as_deref(), Some("git.example.com"));
    assert_eq!(seen.one("x-forwarded-proto").as_deref(), Some("https"));
    assert_eq!(seen.one("x-forwarded-for").as_deref(), Some("127.0.0.1"));
}

#[tokio::test]
async fn a_stranger_with_an_identity_header_is_a_stranger() {
    let setup = simple("").await;
    for alias in ALIASES {
        setup
            .request("GET", "/rest/api/1.0/projects", &[(alias, "admin")])
            .await
            .expect(401);
        setup
            .request("OPTIONS", "/rest/api/1.0/projects", &[(alias, "admin")])
            .await
            .expect(401);
        setup
            .request("GET", "/status", &[(alias, "admin")])
            .await
            .expect(200);
        assert_eq!(
            users(&setup.upstream.last()),
            [],
            "{alias} on an anonymous path"
        );
        let basic = [(*alias, "admin"), ("Authorization", "Basic YTpi")];
        setup
            .request("GET", "/rest/api/1.0/projects", &basic)
            .await
            .expect(200);
        assert_eq!(
            users(&setup.upstream.last()),
            [],
            "{alias} beside own credentials"
        );
    }
}

#[tokio::test]
async fn credentials_of_its_own_and_an_identity_never_travel_together() {
    let setup = simple("").await;
    let mut ana = setup.ana().await;
    let url = ana.home.join("/rest/api/1.0/projects").unwrap();
    ana.send(
        Method::GET,
        &url,
        &[("Authorization", "Bearer token")],
        Bytes::new(),
    )
    .await
    .expect(200);
    let seen = setup.upstream.last();
    assert_eq!(seen.one("authorization").as_deref(), Some("Bearer token"));
    assert_eq!(users(&seen), []);
}

#[tokio::test]
async fn forwarding_fields_are_ours() {
    let setup = simple("").await;
    let mut ana = setup.ana().await;
    let url = ana.home.join("/dashboard?x=1").unwrap();
    let lies = [
        ("X-Forwarded-For", "10.9.9.9"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Port", "1"),
        ("Forwarded", "for=10.9.9.9;host=evil.example"),
        ("X-Real-IP", "10.9.9.9"),
        ("X-Original-URL", "/admin"),
        ("X-Request-Id", "chosen-by-the-client"),
        ("Origin", "https://git.example.com"),
        ("Referer", "https://git.example.com/x"),
    ];
    ana.send(Method::GET, &url, &lies, Bytes::new())
        .await
        .expect(200);
    let seen = setup.upstream.last();
    for (name, want) in [
        ("x-forwarded-for", Some("127.0.0.1")),
        ("x-forwarded-proto", Some("https")),
        ("x-forwarded-host", Some("git.example.com")),
        ("x-forwarded-port", Some("443")),
        ("x-real-ip", None),
        ("x-original-url", None),
        ("origin", Some("https://git.example.com")),
        ("referer", Some("https://git.example.com/x")),
        ("host", Some("git.example.com")),
    ] {
        assert_eq!(seen.one(name).as_deref(), want, "{name}");
    }
    let forwarded = seen.one("forwarded").unwrap();
    assert!(
        forwarded.contains("for=127.0.0.1") && forwarded.contains("proto=https"),
        "{forwarded}"
    );
    assert_ne!(
        seen.one("x-request-id").as_deref(),
        Some("chosen-by-the-client")
    );
}

#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let upstream = crate::support::Upstream::start().await;
    let toml = crate::support::gateway::base().replace(
        "[upstream]",
        "trusted_proxies = [\"127.0.0.1\"]\n[upstream]",
    ) + "[sign_in]\nenabled = false\n";
    let setup = Setup::start_with(upstream, &toml).await;
    let chain = [
        ("X-Forwarded-For", "203.0.113.7, 198.51.100.1"),
        ("X-Request-Id", "from-the-proxy"),
    ];
    setup.request("GET", "/dashboard", &chain).await.expect(200);
    let seen = setup.upstream.last();
    // The proxy vouches for the last address only; what stands before it, the client wrote.
    assert_eq!(
        seen.one("x-forwarded-for").as_deref(),
        Some("198.51.100.1, 127.0.0.1")
    );
    assert_eq!(seen.one("x-request-id").as_deref(), Some("from-the-proxy"));
}

#[tokio::test]
async fn the_gateways_cookies_are_cut_out_and_the_others_stay() {
    let setup = simple("").await;
    let mut ana = setup.ana().await;
    let url = ana.home.join("/dashboard").unwrap();
    let session = ana.cookie("__Host-portcullis").unwrap();
    ana.clear_cookies();
    let cookies = format!(
        "BITBUCKETSESSIONID=abc; __Host-portcullis={session}; theme=\"dark; blue\"; _atl_bitbucket_remember_me=xyz; __Host-portcullis-signin=1"
    );
    ana.send(Method::GET, &url, &[("cookie", &cookies)], Bytes::new())
        .await
        .expect(200);
    let seen = setup.upstream.last();
    assert_eq!(users(&seen).len(), 1);
    assert_eq!(
        seen.one("cookie").as_deref(),
        Some("BITBUCKETSESSIONID=abc; theme=\"dark; blue\"")
    );
}

#[tokio::test]
async fn bitbucket_cannot_set_the_gateways_cookies_and_remembers_nobody() {
    let setup = simple("").await;
    setup.upstream.on("/dashboard", |_| {
        http::Response::builder()
            .header("Set-Cookie", "__Host-portcullis=stolen; Path=/; Secure")
            .header("Set-Cookie", "_atl_bitbucket_remember_me=abc; Path=/")
            .header("Set-Cookie", "BITBUCKETSESSIONID=1; Path=/")
            .header("X-AUSERNAME", "ANA")
            .body(axum::body::Body::empty())
            .unwrap()
    });
    let mut ana = setup.ana().await;
    let answer = ana.get("/dashboard").await.expect(200);
    let set: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(set, ["BITBUCKETSESSIONID=1; Path=/"]);
    assert_eq!(
        setup
            .metric("portcullis_identity_mismatches_total")
            .as_deref(),
        Some("portcullis_identity_mismatches_total 0")
    );
}

#[tokio::test]
async fn another_x_ausername_than_the_asserted_is_counted() {
    let setup = simple("").await;
    setup.upstream.on("/dashboard", |_| {
        http::Response::builder()
            .header("X-AUSERNAME", "bob")
            .body(axum::body::Body::empty())
            .unwrap()
    });
    setup.ana().await.get("/dashboard").await.expect(200);
    assert_eq!(
        setup
            .metric("portcullis_identity_mismatches_total")
            .as_deref(),
        Some("portcullis_identity_mismatches_total 1")
    );
}
