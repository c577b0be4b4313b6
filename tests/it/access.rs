//! Who gets what: pages, git, REST, and the addresses of Bitbucket that are special.

use crate::support::browser::NAVIGATION;
use crate::support::gateway::simple;

const JSON: (&str, &str) = ("accept", "application/json");
const GIT: (&str, &str) = ("user-agent", "git/2.39.5");

#[tokio::test]
async fn a_page_goes_to_the_sign_in_and_keeps_its_address() {
    let setup = simple("").await;
    let mut browser = setup.browser();
    let answer = browser
        .get("/projects/A/repos/b/browse?at=refs%2Fheads%2Fx&y=1")
        .await
        .expect(303);
    let to = answer.location();
    assert_eq!(to.path(), "/sso/login");
    let next = to.query_pairs().find(|(name, _)| name == "next").unwrap().1;
    assert_eq!(next, "/projects/A/repos/b/browse?at=refs%2Fheads%2Fx&y=1");
    let page = format!("{to}&choose=1");
    let page = browser.get(&page).await.expect(200).says("Unused");
    assert!(
        !page.text().contains("backdoor"),
        "the sign-in page advertises the backdoor"
    );
}

#[tokio::test]
async fn programs_get_401_and_never_a_redirect() {
    let setup = simple("").await;
    for (target, headers, basic) in [
        (
            "/scm/demo/hello.git/info/refs?service=git-upload-pack",
            vec![GIT],
            true,
        ),
        (
            "/scm/demo/hello.git/git-upload-pack",
            vec![GIT, ("accept", "text/html")],
            true,
        ),
        (
            "/scm/demo/hello.git/info/lfs/objects/batch",
            vec![JSON],
            true,
        ),
        ("/rest/api/1.0/projects", vec![JSON], false),
        ("/rest/api/1.0/projects", vec![NAVIGATION[0]], false),
        (
            "/dashboard",
            vec![JSON, ("x-requested-with", "XMLHttpRequest")],
            false,
        ),
        (
            "/dashboard",
            vec![("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
            false,
        ),
        (
            "/s/abc/_/download/batch/x.css",
            vec![("accept", "text/css"), ("sec-fetch-dest", "style")],
            false,
        ),
    ] {
        let answer = setup.request("GET", target, &headers).await.expect(401);
        let challenge = answer.header("www-authenticate").unwrap();
        assert_eq!(
            challenge.starts_with("Basic"),
            basic,
            "{target}: {challenge}"
        );
        assert!(answer.json()["errors"][0]["message"].is_string());
        assert!(answer.json()["request_id"].is_string());
    }
    assert!(setup.upstream.seen().is_empty());
}

#[tokio::test]
async fn credentials_go_to_bitbucket_untouched_where_it_reads_them() {
    let setup = simple("").await;
    for target in [
        "/scm/demo/hello.git/info/refs?service=git-upload-pack",
        "/rest/api/1.0/projects?limit=5",
        "/rest/git-lfs/storage/DEMO/hello/abc",
    ] {
        for credentials in ["Basic YW5hOnB3", "Bearer abc.def"] {
            setup
                .request("GET", target, &[("authorization", credentials)])
                .await
                .expect(200);
            let seen = setup.upstream.last();
            assert_eq!(seen.target, target);
            assert_eq!(seen.one("authorization").as_deref(), Some(credentials));
            assert_eq!(seen.one("x-forwarded-user"), None);
        }
    }
}

#[tokio::test]
async fn credentials_open_nothing_but_git_and_rest() {
    let setup = simple("").await;
    for target in [
        "/dashboard",
        "/admin",
        "/plugins/servlet/upm",
        "/rest/../admin",
        "/rest/..;/admin",
        "/scm/%2e%2e/admin",
    ] {
        let answer = setup
            .request(
                "GET",
                target,
                &[("authorization", "Basic YTpi"), NAVIGATION[0]],
            )
            .await;
        assert!(
            [303, 400, 401].contains(&answer.status.as_u16()),
            "{target}: {}",
            answer.status
        );
    }
    assert!(
        setup.upstream.seen().is_empty(),
        "{:?}",
        setup.upstream.seen()
    );
}

#[tokio::test]
async fn api_access_can_be_denied() {
    let setup = simple("[access]\napi = \"deny\"\n").await;
    let answer = setup
        .request(
            "GET",
            "/rest/api/1.0/projects",
            &[("authorization", "Basic YTpi")],
        )
        .await;
    answer.expect(403).says("api_denied");
    assert!(setup.upstream.seen().is_empty());
    assert_eq!(setup.refusals(), ["api_denied"]);
}

#[tokio::test]
async fn the_status_page_is_for_everybody() {
    let setup = simple("").await;
    setup.request("GET", "/status", &[]).await.expect(200);
    setup.request("POST", "/status", &[]).await.expect(401);
    assert_eq!(setup.upstream.seen().len(), 1);
}

#[tokio::test]
async fn bitbuckets_own_sign_in_is_the_gateways() {
    let setup = simple("").await;
    let answer = setup
        .browser()
        .get("/login?next=/projects/A")
        .await
        .expect(303);
    assert_eq!(
        answer.location().as_str(),
        "https://git.example.com/sso/login?next=%2Fprojects%2FA"
    );
    for confusing in [
        "/login?next=/plugins/servlet/external-login",
        "/login?next=https://evil.example",
        "/login?next=//evil.example",
        "/login?next=/login",
    ] {
        let answer = setup.browser().get(confusing).await.expect(303);
        assert_eq!(
            answer.location().as_str(),
            "https://git.example.com/sso/login?next=%2F",
            "{confusing}"
        );
    }
    let cookie = setup.ana().await.cookie("__Host-portcullis").unwrap();
    let cookie = format!("__Host-portcullis={cookie}");
    for target in [
        "/j_atl_security_check",
        "/login",
        "/rest/tsv/1.0/authenticate",
        "/rest/tsv/latest/authenticate",
        "/j_atl_security_check;x=1",
        "/%6a_atl_security_check",
        "//j_atl_security_check",
    ] {
        setup
            .request("POST", target, &[("authorization", "Basic YTpi")])
            .await
            .expect(403);
        setup
            .request("POST", target, &[("cookie", &cookie)])
            .await
            .expect(403);
    }
    assert!(
        setup.upstream.seen().is_empty(),
        "{:?}",
        setup.upstream.seen()
    );
}

#[tokio::test]
async fn a_loop_between_bitbucket_and_the_gateway_ends_in_a_page() {
    let setup = simple("").await;
    let mut ana = setup.ana().await;
    assert_eq!(
        ana.get("/login?next=/dashboard")
            .await
            .expect(303)
            .location()
            .path(),
        "/dashboard"
    );
    assert_eq!(
        ana.get("/login?next=/dashboard")
            .await
            .expect(303)
            .location()
            .path(),
        "/dashboard"
    );
    let page = ana.get("/login?next=/dashboard").await;
    assert!(page.status.is_server_error(), "{}", page.status);
    page.says("header");
    setup.advance(60);
    ana.get("/login?next=/dashboard").await.expect(303);
}

#[tokio::test]
async fn passwords_are_not_changed_here() {
    let setup = simple("").await;
    let mut ana = setup.ana().await;
    ana.get("/account/password")
        .await
        .expect(403)
        .says("provider");
    assert!(setup.upstream.seen().is_empty());
    let setup = simple("[access]\nallow_password_change = true\n").await;
    setup.ana().await.get("/account/password").await.expect(200);
}

#[tokio::test]
async fn app_administration_can_be_kept_to_some_groups() {
    let setup = simple("[access]\nplugin_admin_groups = [\"bitbucket-admins\"]\n").await;
    let mut ana = setup.ana().await;
    for target in [
        "/plugins/servlet/upm",
        "/plugins/servlet/upm/manage/all",
        "/plugins/servlet/upm;x",
        "/rest/plugins/1.0/",
    ] {
        ana.get(target).await.expect(403);
    }
    ana.get("/dashboard").await.expect(200);
    assert_eq!(setup.upstream.seen().len(), 1);
}

#[tokio::test]
async fn rules_of_the_administrator_decide_in_order() {
    let rules = r#"
[[access.rules]]
path = "/internal/*"
action = "deny"
[[access.rules]]
path = "/public/*"
action = "anonymous"
[[access.rules]]
path = "/reports"
action = "sign_in"
groups = ["finance"]
"#;
    let setup = simple(rules).await;
    let mut ana = setup.ana().await;
    setup
        .request("GET", "/public/logo.png", &[])
        .await
        .expect(200);
    assert_eq!(setup.upstream.last().one("x-forwarded-user"), None);
    ana.get("/public/logo.png").await.expect(200);
    assert_eq!(
        setup.upstream.last().one("x-forwarded-user").as_deref(),
        Some("ana")
    );
    setup.upstream.forget();
    ana.get("/internal/x").await.expect(403).says("request");
    ana.get("/reports").await.expect(403);
    for trick in [
        "/public/../internal/x",
        "/public/%2e%2e/internal/x",
        "/public/..;/internal/x",
        "/public/%2e%2e%2finternal/x",
        "/public//../internal/x",
    ] {
        let answer = setup.request("GET", trick, &[]).await;
        assert!(
            [400, 401, 403, 303].contains(&answer.status.as_u16()),
            "{trick}: {}",
            answer.status
        );
    }
    assert!(
        setup.upstream.seen().is_empty(),
        "{:?}",
        setup.upstream.seen()
    );
}

#[tokio::test]
async fn odd_but_honest_addresses_reach_bitbucket_as_they_were() {
    let setup = simple("").await;
    let cookie = format!(
        "__Host-portcullis={}",
        setup.ana().await.cookie("__Host-portcullis").unwrap()
    );
    for target in [
        "/projects/A/repos/b/browse/dir/a%20b.txt?at=refs%2Fheads%2Ffeature%2Fx",
        "/rest/api/1.0/projects/A/repos/b/commits?path=%2Fetc%2Fpasswd&since=..%2F",
        "/users/ana/repos/x/browse/%C3%A9t%C3%A9.md",
        "/projects/A/repos/b/browse/c++/x;y.txt",
        "/rest/api/latest/projects/A/repos/b/browse/a%2Fb",
    ] {
        setup
            .request("GET", target, &[("cookie", &cookie)])
            .await
            .expect(200);
        assert_eq!(setup.upstream.last().target, target);
    }
}

#[tokio::test]
async fn with_sign_in_off_everything_is_forwarded_and_nobody_asserted() {
    let setup = simple("[sign_in]\nenabled = false\n").await;
    for (target, headers) in [
        (
            "/dashboard",
            vec![("X-Forwarded-User", "admin"), NAVIGATION[0]],
        ),
        ("/login", vec![NAVIGATION[0]]),
        ("/rest/api/1.0/projects", vec![]),
    ] {
        setup.request("GET", target, &headers).await.expect(200);
        assert_eq!(setup.upstream.last().one("x-forwarded-user"), None);
    }
    setup
        .request("POST", "/j_atl_security_check", &[])
        .await
        .expect(200);
    // The emergency sign-in still works, and its session is asserted.
    setup.ana().await.get("/dashboard").await.expect(200);
    assert_eq!(
        setup.upstream.last().one("x-forwarded-user").as_deref(),
        Some("ana")
    );
}
