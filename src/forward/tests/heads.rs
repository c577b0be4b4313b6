//! What the upstream is told, and what the client is told of it.

use super::*;

/// The head that reaches the upstream.
async fn sent(person: Option<Person>, change: impl FnOnce(&mut Config), fields: &str) -> String {
    let way = Way::with(person, change).await;
    let (_near, mut far) = way.begin(&ask("GET /a?b=c", fields)).await;
    far.head().await
}

/// The head that reaches the client.
async fn answered(way: &Way, fields: &str) -> String {
    let (mut near, mut far) = way.begin(&get("/")).await;
    far.head().await;
    far.say(&format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{fields}\r\n"
    ))
    .await;
    near.head().await
}

#[track_caller]
fn check(head: &str, fields: &[&str], without: &[&str]) {
    for field in fields {
        let line = format!("\r\n{field}\r\n");
        assert_eq!(head.matches(&line).count(), 1, "{field}:\n{head}");
    }
    for name in without {
        assert!(!head.contains(&format!("\r\n{name}:")), "{name}:\n{head}");
    }
}

#[tokio::test]
async fn a_person_is_named_by_the_gateway_alone() {
    let lies = "X-Forwarded-User: root\r\nX_Forwarded_User: root\r\nX-Corp-Groups: admins\r\n\
                Connection: x-forwarded-user\r\n";
    let head = sent(Some(ana()), |_| {}, lies).await;
    check(
        &head,
        &[
            "x-forwarded-user: ana",
            "x-corp-email: ana@example.com",
            "x-corp-name: Ana Núñez",
            "x-corp-groups: stash-users,café crew",
        ],
        &["x_forwarded_user"],
    );
    assert!(!head.contains("root") && !head.contains("admins"), "{head}");
    let nobody = sent(None, |_| {}, lies).await;
    check(
        &nobody,
        &[],
        &[
            "x-forwarded-user",
            "x-corp-email",
            "x-corp-name",
            "x-corp-groups",
        ],
    );
}

#[tokio::test]
async fn facts_that_are_missing_or_not_wanted_are_not_sent() {
    let mut person = ana();
    person.email = None;
    person.groups.clear();
    let head = sent(
        Some(person),
        |config| config.identity.name_header = None,
        "",
    )
    .await;
    check(
        &head,
        &["x-forwarded-user: ana"],
        &[
            "x-corp-email",
            "x-corp-groups",
            "x-corp-name",
            "x-corp-assertion",
        ],
    );
}

#[tokio::test]
async fn the_upstream_learns_where_the_request_came_from() {
    let fields = "Origin: https://git.example.com\r\nReferer: https://git.example.com/x\r\n\
                  X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Request-Id: mine\r\n\
                  Git-Protocol: version=2\r\nCookie: a=1; __Host-portcullis=secret; b=2\r\n";
    let head = sent(None, |_| {}, fields).await;
    assert!(head.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{head}");
    check(
        &head,
        &[
            "host: git.example.com",
            "origin: https://git.example.com",
            "referer: https://git.example.com/x",
            "git-protocol: version=2",
            "cookie: a=1; b=2",
            "x-forwarded-for: 127.0.0.1",
            // The peer spoke http, and is no proxy that we believe; but browsers see https.
            "x-forwarded-proto: https",
            "x-forwarded-host: git.example.com",
            "x-forwarded-port: 443",
            "forwarded: for=127.0.0.1;host=\"git.example.com\";proto=https",
        ],
        &["connection"],
    );
    let id = head.split("x-request-id: ").nth(1).unwrap();
    assert_eq!(id.split("\r\n").next().unwrap().len(), 32, "{head}");
}

#[tokio::test]
async fn a_chain_of_trusted_proxies_is_passed_on() {
    let fields = "X-Forwarded-For: 2001:db8::1, 127.0.0.2\r\nX-Forwarded-Proto: https\r\n";
    let trust = |config: &mut Config| {
        config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    };
    let head = sent(None, trust, fields).await;
    check(
        &head,
        &[
            "x-forwarded-for: 2001:db8::1, 127.0.0.2, 127.0.0.1",
            "x-forwarded-proto: https",
            "x-forwarded-port: 443",
            "forwarded: for=\"[2001:db8::1]\", for=127.0.0.2, for=127.0.0.1;\
             host=\"git.example.com\";proto=https",
        ],
        &[],
    );
}

#[tokio::test]
async fn a_trusted_proxy_knows_the_name_and_the_port_that_were_asked_for() {
    let trust = |config: &mut Config| {
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    };
    for (fields, host, port) in [
        (
            "X-Forwarded-Host: public.example\r\nX-Forwarded-Port: 8443\r\n",
            "public.example",
            "8443",
        ),
        (
            "X-Forwarded-Host: evil.example, public.example:444\r\n",
            "public.example:444",
            "444",
        ),
        (
            "X-Forwarded-Host: u@evil\r\nX-Forwarded-Port: 99999\r\n",
            "git.example.com",
            "443",
        ),
        (
            "X-Forwarded-Host: /x\r\nX-Forwarded-Port: 1 2\r\n",
            "git.example.com",
            "443",
        ),
    ] {
        let head = sent(None, trust, fields).await;
        check(
            &head,
            &[
                "host: git.example.com",
                &format!("x-forwarded-host: {host}"),
                &format!("x-forwarded-port: {port}"),
            ],
            &[],
        );
        assert!(head.contains(&format!("host=\"{host}\";proto=https")));
    }
}

#[tokio::test]
async fn a_port_in_the_host_is_passed_on() {
    let way = Way::new().await;
    let (_near, mut far) = way
        .begin("GET / HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n")
        .await;
    check(
        &far.head().await,
        &[
            "host: [::1]:8443",
            "x-forwarded-host: [::1]:8443",
            "x-forwarded-port: 8443",
            "forwarded: for=127.0.0.1;host=\"[::1]:8443\";proto=https",
        ],
        &[],
    );
}

#[tokio::test]
async fn the_connections_own_fields_stay_on_it() {
    let way = Way::new().await;
    let head = answered(
        &way,
        "Connection: keep-alive, X-Internal, Set-Cookie, Content-Security-Policy\r\n\
         Keep-Alive: timeout=5\r\nProxy-Connection: x\r\nX-Internal: 1\r\nSet-Cookie: s=1\r\n\
         Content-Security-Policy: default-src 'self'\r\nStrict-Transport-Security: max-age=1\r\n\
         Alt-Svc: h3\r\nX-Request-Id: theirs\r\nX-Forwarded-User: root\r\nServer: Tomcat\r\n",
    )
    .await;
    check(
        &head,
        &[
            "set-cookie: s=1",
            "content-security-policy: default-src 'self'",
            "strict-transport-security: max-age=1",
            "alt-svc: h3",
            "server: Tomcat",
        ],
        &[
            "keep-alive",
            "proxy-connection",
            "x-internal",
            "x-forwarded-user",
        ],
    );
    assert!(
        head.contains("\r\nx-request-id: ") && !head.contains("theirs"),
        "{head}"
    );
}

#[tokio::test]
async fn an_upstream_cannot_set_the_gateways_cookies() {
    let cookies = "Set-Cookie: BITBUCKETSESSIONID=1; Path=/\r\n\
                   Set-Cookie: __Host-portcullis=forged; Path=/\r\n\
                   Set-Cookie: __host-portcullis-signin=forged\r\n\
                   Set-Cookie: _atl_bitbucket_remember_me=x\r\n\
                   Set-Cookie: __Host-portcullisx=1\r\n";
    let way = Way::new().await;
    let head = answered(&way, cookies).await;
    check(
        &head,
        &[
            "set-cookie: BITBUCKETSESSIONID=1; Path=/",
            "set-cookie: __Host-portcullisx=1",
        ],
        &[],
    );
    assert_eq!(head.matches("set-cookie").count(), 2, "{head}");

    // A generic application may have a cookie of that name, and so may a Bitbucket whose own
    // sign-in page serves.
    for change in [
        (|config: &mut Config| config.upstream.kind = Kind::Generic) as fn(&mut Config),
        |config: &mut Config| config.sign_in.enabled = false,
    ] {
        let way = Way::with(None, change).await;
        let head = answered(&way, cookies).await;
        assert_eq!(head.matches("set-cookie").count(), 3, "{head}");
    }
}

#[tokio::test]
async fn bitbucket_believing_somebody_else_is_counted() {
    for (believed, count) in [
        ("X-AUSERNAME: ana\r\n", 0),
        ("X-AUSERNAME: Ana\r\n", 0),
        ("X-AUSERNAME: a%6Ea\r\n", 0),
        ("X-AUSERNAME:\r\n", 0),
        ("", 0),
        ("X-AUSERNAME: bob\r\n", 1),
        ("X-AUSERNAME: %00\r\n", 1),
    ] {
        let way = Way::with(Some(ana()), |_| {}).await;
        answered(&way, believed).await;
        let line = format!("portcullis_identity_mismatches_total {count}");
        assert!(way.shows(&line), "{believed}");
    }
    let way = Way::new().await;
    answered(&way, "X-AUSERNAME: bob\r\n").await;
    assert!(way.shows("portcullis_identity_mismatches_total 0"));
}

#[tokio::test]
async fn an_old_client_and_an_old_upstream_are_understood() {
    let way = Way::new().await;
    let (mut near, mut far) = way.begin("GET / HTTP/1.0\r\n\r\n").await;
    let head = far.head().await;
    assert!(head.starts_with("GET / HTTP/1.1\r\n"), "{head}");
    check(&head, &["host: git.example.com"], &[]);
    far.say("HTTP/1.0 200 OK\r\n\r\nold").await;
    drop(far);
    let seen = near.rest().await;
    assert!(
        seen.starts_with("HTTP/1.0 200") && seen.ends_with("\r\n\r\nold"),
        "{seen}"
    );
}

async fn upstream(change: impl FnOnce(&mut Config)) -> (Far, Arc<Upstream>) {
    let far = Far::listen().await;
    let config = settings(far.address(), change);
    let upstream =
        Upstream::new(&config, Endings::default(), Clock::system(), Metrics::new()).unwrap();
    (far, upstream)
}

#[tokio::test]
async fn a_probe_asks_for_the_status_and_nothing_else() {
    for (kind, path) in [(Kind::Bitbucket, "/bb/status"), (Kind::Generic, "/bb/")] {
        let (far, upstream) = upstream(|config| {
            config.upstream.kind = kind;
            config.upstream.context_path = "/bb".to_owned();
        })
        .await;
        let probe = tokio::spawn(async move { upstream.probe().await });
        let mut far = far.accept().await;
        let expected = format!("GET {path} HTTP/1.1\r\nhost: git.example.com\r\n\r\n");
        assert_eq!(far.head().await, expected);
        far.say("HTTP/1.1 503 Starting\r\nContent-Length: 0\r\n\r\n")
            .await;
        assert_eq!(probe.await.unwrap().unwrap().as_u16(), 503);
    }
}

#[tokio::test]
async fn bitbuckets_session_is_ended_with_its_cookies_alone() {
    let mut cookies = http::HeaderMap::new();
    cookies.insert("cookie", "BITBUCKETSESSIONID=1".parse().unwrap());
    cookies.insert("authorization", "Basic x".parse().unwrap());
    let (far, bitbucket) = upstream(|_| {}).await;
    let sent = cookies.clone();
    let ended = tokio::spawn(async move { bitbucket.end_bitbucket_session(&sent).await });
    let mut wire = far.accept().await;
    assert_eq!(
        wire.head().await,
        "GET /j_atl_security_logout HTTP/1.1\r\nhost: git.example.com\r\n\
         cookie: BITBUCKETSESSIONID=1\r\n\r\n"
    );
    wire.say(OK).await;
    ended.await.unwrap();

    let (far, bitbucket) = upstream(|_| {}).await;
    bitbucket
        .end_bitbucket_session(&http::HeaderMap::new())
        .await;
    far.nobody_comes().await;
    let (far, generic) = upstream(|config| config.upstream.kind = Kind::Generic).await;
    generic.end_bitbucket_session(&cookies).await;
    far.nobody_comes().await;
}
