//! Health, readiness, metrics, request ids, and the gateway's own pages.

use crate::support::browser::raw;
use crate::support::gateway::{KEY, simple};
use crate::support::{Answer, Setup};
use bytes::Bytes;
use http::Method;
use portcullis::config;

async fn admin(setup: &Setup, path: &str) -> Answer {
    let at = setup.running.admin_addr().to_string();
    let url = format!("http://{at}{path}").parse().unwrap();
    raw(&at, Method::GET, &url, &[], Bytes::new()).await
}

#[tokio::test]
async fn each_component_shows_its_state() {
    let setup = simple("").await;
    admin(&setup, "/healthz").await.expect(200).says("ok");
    let ready = admin(&setup, "/readyz").await.expect(200).json();
    let state = |name: &str| {
        let all = ready["components"].as_array().unwrap();
        all.iter()
            .find(|component| component["name"] == name)
            .map(|component| component["state"].clone())
    };
    assert_eq!(state("store"), Some("up".into()));
    assert_eq!(state("upstream"), Some("up".into()));
    assert_eq!(state("provider:unused"), Some("unknown".into()));
}

#[tokio::test]
async fn an_unreachable_bitbucket_is_degraded_and_the_gateway_serves() {
    let setup = simple("").await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    setup.reload(&setup.upstream.url(), &nobody).await.unwrap();
    assert_eq!(
        admin(&setup, "/readyz").await.expect(200).json()["status"],
        "degraded"
    );
    let mut ana = setup.ana().await;
    ana.get("/dashboard").await.expect(502).says("Bitbucket");
    ana.get("/sso/me").await.expect(200);
}

#[tokio::test]
async fn requests_and_sign_ins_are_counted() {
    let setup = simple("").await;
    setup.ana().await.get("/dashboard").await.expect(200);
    let text = admin(&setup, "/metrics").await.expect(200).text();
    for line in [
        "portcullis_requests_total{class=\"navigation\",status=\"200\"} 1",
        "portcullis_sessions 1",
        "portcullis_phase_seconds_count{phase=\"upstream_head\"} 1",
        "portcullis_client_connections",
        "portcullis_upstream_connections_opened_total",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

#[tokio::test]
async fn internals_are_not_on_the_public_listener() {
    let setup = simple("").await;
    for path in ["/metrics", "/healthz", "/readyz"] {
        setup.request("GET", path, &[]).await.expect(401);
    }
    assert!(setup.upstream.seen().is_empty());
}

#[tokio::test]
async fn own_pages_are_strict_and_self_contained() {
    let setup = simple("").await;
    for path in [
        "/sso/login?choose=1",
        "/sso/logout",
        "/sso/signed-out",
        "/backdoor",
        "/sso/nothing-here",
    ] {
        let page = setup.browser().get(path).await;
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("cache-control"), Some("no-store"), "{path}");
        let referrer = page.header("referrer-policy").unwrap();
        assert!(
            ["no-referrer", "same-origin"].contains(&referrer),
            "{path}: {referrer}"
        );
        assert_eq!(
            page.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
        let text = page.text();
        assert!(
            !text.contains("<script") && !text.contains("style=") && !text.contains("://"),
            "{path}: {text}"
        );
        assert!(
            text.contains("name=\"viewport\"") && text.contains("lang=\"en\""),
            "{path}: {text}"
        );
    }
    let style = setup.browser().get("/sso/style.css").await.expect(200);
    assert!(!style.text().contains("url("));
}

#[tokio::test]
async fn own_pages_bring_their_own_icon_and_leave_the_upstreams_alone() {
    let setup = simple("").await;
    let page = setup.browser().get("/sso/login?choose=1").await.expect(200);
    page.says("rel=\"icon\" href=\"/sso/icon.svg\"");
    let icon = setup.browser().get("/sso/icon.svg").await.expect(200);
    assert_eq!(icon.header("content-type"), Some("image/svg+xml"));
    assert!(setup.upstream.seen().is_empty());
}

#[tokio::test]
async fn the_sign_in_form_may_lead_to_a_provider_on_ipv6_loopback() {
    let setup = simple("").await;
    let policy = async || {
        let page = setup.browser().get("/sso/login?choose=1").await.expect(200);
        page.header("content-security-policy").unwrap().to_owned()
    };
    assert!(!policy().await.contains(" http:;"));
    setup
        .reload("https://idp.example.com", "http://[::1]:1")
        .await
        .unwrap();
    assert!(policy().await.contains("'self' https: http:;"));
}

#[tokio::test]
async fn hostile_text_is_shown_as_text() {
    let setup = simple("").await;
    let script = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    for path in [
        "/sso/login?choose=1&next=/",
        "/backdoor?next=/",
        "/sso/callback/unused?state=x&error=",
        "/sso/callback/unused?code=1&state=",
        "/sso/start/unused?login_hint=",
        "/sso/start/",
        "/sso/callback/",
    ] {
        let page = setup.browser().get(&format!("{path}{script}")).await;
        assert!(!page.text().contains("<script"), "{path}: {}", page.text());
    }
}

#[tokio::test]
async fn a_refusal_shows_a_request_id_that_the_audit_log_knows() {
    let setup = simple("[access]\nplugin_admin_groups = [\"bitbucket-admins\"]\n").await;
    let page = setup
        .ana()
        .await
        .get("/plugins/servlet/upm")
        .await
        .expect(403);
    let id = setup
        .running
        .audit()
        .recent()
        .last()
        .unwrap()
        .request_id
        .clone()
        .unwrap();
    page.says(&id);
}

#[tokio::test]
async fn an_own_address_is_only_used_as_it_is_meant() {
    let setup = simple("").await;
    setup.request("POST", "/sso/login", &[]).await.expect(405);
    setup
        .request("DELETE", "/sso/logout", &[])
        .await
        .expect(405);
    setup.request("GET", "/sso/nothing", &[]).await.expect(404);
    setup.request("GET", "/sso", &[]).await.expect(404);
    // Another spelling is not one of ours, and a stranger gets nowhere with it.
    setup.request("GET", "/%73so/me", &[]).await.expect(401);
    assert!(setup.upstream.seen().is_empty());
}

#[tokio::test]
async fn a_bitbucket_on_loopback_is_not_called_open_to_everybody() {
    let setup = simple("").await;
    let bitbucket = setup.upstream.url();
    let toml = format!(
        "[server]\npublic_url = \"http://127.0.0.1:1\"\n[upstream]\nurl = \"{bitbucket}\"\n[session]\nkeys = [\"{KEY}\"]\n[sign_in]\nenabled = false\n"
    );
    let loaded = config::parse(&toml, "test.toml", setup.folder.path(), &|_| None).unwrap();
    let findings = portcullis::gateway::online(&loaded.config).await;
    let port = bitbucket.rsplit_once(':').unwrap().1;
    let found = findings.iter().find(|finding| {
        finding
            .what
            .starts_with(&format!("around the gateway: 127.0.0.1:{port}"))
    });
    assert!(found.unwrap().ok, "{findings:?}");
}

/// Both addresses that a provider has to know are printed as they have to be registered.
#[tokio::test]
async fn an_online_check_prints_the_addresses_to_register() {
    let setup = simple("").await;
    let toml = format!(
        "[server]\npublic_url = \"https://git.example.com\"\nprefix = \"/auth\"\n[upstream]\nurl = \"{}\"\n[session]\nkeys = [\"{KEY}\"]\n[[providers]]\nid = \"idp\"\nissuer = \"http://127.0.0.1:1\"\nclient_id = \"c\"\nclient_secret = \"s\"\n",
        setup.upstream.url()
    );
    let online = async |toml: &str| {
        let loaded = config::parse(toml, "test.toml", setup.folder.path(), &|_| None).unwrap();
        let findings = portcullis::gateway::online(&loaded.config).await;
        let texts: Vec<String> = findings.into_iter().map(|finding| finding.what).collect();
        texts.join("\n")
    };
    let printed = online(&toml).await;
    assert!(printed.contains("register exactly \"https://git.example.com/auth/callback/idp\""));
    let back = "register exactly \"https://git.example.com/auth/signed-out\"";
    assert!(printed.contains(back), "{printed}");
    // Where nobody is sent to the provider to sign out, nothing has to be registered for that.
    let printed = online(&(toml + "[sign_out]\nprovider_logout = false\n")).await;
    assert!(!printed.contains(back), "{printed}");
}

#[test]
fn a_reader_who_has_read_enough_is_no_error_to_tell() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .arg("schema")
        .stdout(writer)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert!(!output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
