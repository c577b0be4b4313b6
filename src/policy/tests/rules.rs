//! `[[access.rules]]`.

use super::*;

#[test]
fn the_first_rule_that_fits_decides() {
    let config = with(|config| {
        let admins = AccessRule {
            groups: vec![group("bitbucket-admins")],
            ..rule(below("/admin"), AccessAction::SignIn)
        };
        let reads = AccessRule {
            methods: vec!["GET".to_owned()],
            ..rule(below("/open"), AccessAction::Anonymous)
        };
        config.access.rules = vec![
            rule(exact("/open/secret"), AccessAction::Deny),
            reads,
            rule(below("/open"), AccessAction::SignIn),
            admins,
            rule(below("/scm"), AccessAction::SignIn),
            rule(exact("/rest/oauth2/latest/token"), AccessAction::Anonymous),
            rule(exact("/a b"), AccessAction::Anonymous),
        ];
    });
    let forbidden = forbidden(Reason::Rule);
    check(
        &config,
        &EVERYBODY,
        "GET",
        "/open/secret",
        &[PAGE],
        forbidden.clone(),
    );
    check(
        &config,
        &EVERYBODY,
        "GET",
        "/open/secret/",
        &[PAGE],
        forbidden.clone(),
    );
    check(
        &config,
        &EVERYBODY,
        "GET",
        "/open//secret",
        &[PAGE],
        forbidden.clone(),
    );
    check(
        &config,
        &EVERYBODY,
        "GET",
        "/open/x/..%2fsecret",
        &[PAGE],
        forbidden.clone(),
    );
    for method in ["GET", "HEAD"] {
        check(&config, STRANGER, method, "/open", &[], Verdict::Open);
        check(&config, STRANGER, method, "/open/x/y?z", &[], Verdict::Open);
        check(&config, KNOWN, method, "/open/x", &[], Verdict::Assert);
    }
    check(
        &config,
        STRANGER,
        "POST",
        "/open/x",
        &[],
        unauthorized(false),
    );
    check(&config, STRANGER, "GET", "/openx", &[], unauthorized(false));
    check(
        &config,
        STRANGER,
        "GET",
        "/open%2Fx",
        &[],
        unauthorized(false),
    );
    check(
        &config,
        &[Who::Ana, Who::Backdoor],
        "GET",
        "/admin/x",
        &[],
        forbidden.clone(),
    );
    check(
        &config,
        &[Who::Ana],
        "GET",
        "/admin/",
        &[],
        forbidden.clone(),
    );
    check(&config, &[Who::Ana], "GET", "/x/../admin", &[], forbidden);
    check(
        &config,
        &[Who::Admin],
        "GET",
        "/admin/x",
        &[],
        Verdict::Assert,
    );
    check(
        &config,
        STRANGER,
        "GET",
        "/admin/x",
        &[PAGE],
        sign_in_first("/admin/x"),
    );
    // A session is what the rule asks for, and credentials are none.
    check(
        &config,
        STRANGER,
        "GET",
        "/scm/a/b.git/info/refs",
        &[GIT, BASIC],
        unauthorized(false),
    );
    check(
        &config,
        KNOWN,
        "GET",
        "/scm/a/b.git/info/refs",
        &[GIT, BASIC],
        Verdict::Assert,
    );
    check(
        &config,
        STRANGER,
        "POST",
        "/rest/oauth2/latest/token",
        &[],
        Verdict::Open,
    );
    check(&config, STRANGER, "GET", "/a%20b", &[], Verdict::Open);
}

#[test]
fn a_trailing_slash_does_not_lead_to_a_wider_rule() {
    let config = with(|config| {
        let admins = AccessRule {
            groups: vec![group("bitbucket-admins")],
            ..rule(exact("/x"), AccessAction::SignIn)
        };
        config.access.rules = vec![
            admins,
            rule(exact("/y"), AccessAction::Anonymous),
            rule(exact("/z"), AccessAction::Deny),
            rule(below("/"), AccessAction::SignIn),
        ];
    });
    check(
        &config,
        &[Who::Ana],
        "GET",
        "/x//",
        &[],
        forbidden(Reason::Rule),
    );
    check(
        &config,
        &[Who::Ana],
        "GET",
        "/x/",
        &[],
        forbidden(Reason::Rule),
    );
    check(&config, KNOWN, "GET", "/z/", &[], forbidden(Reason::Rule));
    check(&config, STRANGER, "GET", "/y/", &[], unauthorized(false));
    check(&config, STRANGER, "GET", "/y", &[], Verdict::Open);
}

/// CVE-2025-54576: the rule was looked for in the query as well.
#[test]
fn the_query_never_takes_part() {
    let config = with(|config| {
        config.access.rules = vec![rule(below("/public"), AccessAction::Anonymous)];
    });
    for target in [
        "/admin?/public/x",
        "/admin?x=/status",
        "/admin?/../public",
        "/?/public",
    ] {
        check(&config, STRANGER, "GET", target, &[], unauthorized(false));
    }
    check(
        &config,
        STRANGER,
        "GET",
        "/public?/../admin",
        &[],
        Verdict::Open,
    );
}
