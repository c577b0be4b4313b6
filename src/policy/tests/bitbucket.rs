//! Bitbucket's own sign-in, sign-out and administration.

use super::*;

const LOOPS: &str = include_str!("../../../tests/data/redirects/loops.txt");

const REDIRECTS: &str = include_str!("../../../tests/data/redirects/hostile.txt");

#[test]
fn bitbuckets_sign_in_page_is_the_gateways() {
    let everybody = &EVERYBODY;
    check(
        &config(),
        everybody,
        "GET",
        "/login",
        &[PAGE],
        sign_in_page("/"),
    );
    check(
        &config(),
        everybody,
        "HEAD",
        "/login/",
        &[],
        sign_in_page("/"),
    );
    check(
        &config(),
        everybody,
        "GET",
        "/login?next=%2Fprojects%3Fa%3Db",
        &[PAGE],
        sign_in_page("/projects?a=b"),
    );
    check(
        &config(),
        everybody,
        "GET",
        "/login?nextUrl=/x&permission=ADMIN",
        &[PAGE],
        sign_in_page("/x"),
    );
    check(
        &config(),
        everybody,
        "GET",
        "/login?next=&nextUrl=/x",
        &[PAGE],
        sign_in_page("/x"),
    );
    check(
        &config(),
        everybody,
        "GET",
        "/login?next=https://git.example.com/x",
        &[PAGE],
        sign_in_page("/x"),
    );
    check(
        &config(),
        STRANGER,
        "GET",
        "/login",
        &[BASIC],
        unauthorized(false),
    );
}

#[test]
fn sign_in_never_returns_to_another_site() {
    let base = url::Url::parse("https://git.example.com/sso/login").unwrap();
    for next in lines(REDIRECTS) {
        let target = format!("/login?next={next}");
        let Ok(uri) = target.parse::<http::Uri>() else {
            panic!("the corpus has a line that no browser could send: {next}");
        };
        let verdict = decide(&config(), Who::Stranger, "GET", &uri.to_string(), &[PAGE]);
        let Verdict::Refuse(Refusal::SignInPage(path)) = verdict else {
            panic!("{next}: {verdict:?}");
        };
        let joined = base.join(path.as_str()).unwrap();
        assert_eq!(joined.origin(), base.origin(), "{next}");
        assert!(!path.as_str().starts_with("//"), "{next}");
        assert!(!path.as_str().contains('\\'), "{next}");
    }
}

#[test]
fn sign_in_never_returns_to_where_a_session_begins_or_ends() {
    let config = with(|config| config.backdoor.enabled = true);
    for next in lines(LOOPS) {
        let target = format!("/login?next={next}");
        check(
            &config,
            STRANGER,
            "GET",
            &target,
            &[PAGE],
            sign_in_page("/"),
        );
    }
    check(
        &config,
        STRANGER,
        "GET",
        "/plugins/servlet/external-login/1",
        &[PAGE],
        sign_in_first("/"),
    );
}

#[test]
fn passwords_do_not_go_around_the_gateway() {
    let reason = forbidden(Reason::PasswordSignIn);
    for target in lines(FORBIDDEN) {
        for method in ["POST", "GET", "PUT", "OPTIONS"] {
            for headers in [&[][..], &[BASIC], &[PAGE], &[JSON, BEARER]] {
                check(
                    &config(),
                    &EVERYBODY,
                    method,
                    target,
                    headers,
                    reason.clone(),
                );
            }
        }
    }
    check(
        &config(),
        &EVERYBODY,
        "POST",
        "/login",
        &[PAGE],
        reason.clone(),
    );
    check(&config(), &EVERYBODY, "PUT", "/Login/;x", &[PAGE], reason);
}

#[test]
fn no_rule_opens_the_password_sign_in() {
    let open = with(|config| {
        config.access.rules = vec![rule(below(""), AccessAction::Anonymous)];
        config.access.plugin_admin_groups = vec![group("bitbucket-admins")];
    });
    for target in lines(FORBIDDEN) {
        check(
            &open,
            &EVERYBODY,
            "POST",
            target,
            &[],
            forbidden(Reason::PasswordSignIn),
        );
    }
    check(&open, STRANGER, "GET", "/login", &[PAGE], sign_in_page("/"));
    check(
        &open,
        STRANGER,
        "POST",
        "/passwordreset",
        &[],
        forbidden(Reason::PasswordChange),
    );
    check(
        &open,
        STRANGER,
        "GET",
        "/rest/plugins/1.0/",
        &[],
        unauthorized(false),
    );
    check(&open, STRANGER, "GET", "/projects", &[], Verdict::Open);
}

#[test]
fn bitbuckets_sign_out_is_the_gateways() {
    for target in [
        "/j_atl_security_logout",
        "/logout",
        "/logout?x",
        "/logout/",
        "/J_atl_security_Logout",
        "/x/../logout",
        "/logout;x",
    ] {
        for method in ["GET", "POST"] {
            check(
                &config(),
                &EVERYBODY,
                method,
                target,
                &[PAGE],
                Verdict::Refuse(Refusal::SignOut),
            );
        }
    }
}

#[test]
fn password_pages_need_permission() {
    let allowed = with(|config| config.access.allow_password_change = true);
    for (method, target) in [
        ("GET", "/account/password"),
        ("POST", "/account/password"),
        ("GET", "/passwordreset"),
        ("POST", "/passwordReset/"),
        ("PUT", "/rest/api/latest/users/credentials"),
        ("PUT", "/rest/api/1.0/users/credentials.json"),
        ("PUT", "/rest/api/1.0/users/%63redentials"),
    ] {
        for headers in [&[][..], &[BASIC]] {
            check(
                &config(),
                &EVERYBODY,
                method,
                target,
                headers,
                forbidden(Reason::PasswordChange),
            );
        }
        check(&allowed, KNOWN, method, target, &[], Verdict::Assert);
    }
    check(
        &config(),
        KNOWN,
        "GET",
        "/rest/api/latest/users/credentials",
        &[],
        Verdict::Assert,
    );
}

#[test]
fn app_administration_can_be_kept_to_some_groups() {
    let narrow = with(|config| {
        config.access.plugin_admin_groups = vec![group("x"), group("bitbucket-admins")];
    });
    for target in [
        "/plugins/servlet/upm",
        "/plugins/servlet/upm/marketplace?x",
        "/plugins/servlet/UPM",
        "/plugins/servlet/applinks/listApplicationLinks",
        "/plugins/servlet/oauth/consumers",
        "/rest/plugins/1.0/",
        "/rest/plugins/1.0/x-key",
        "/rest/applinks/3.0/applicationlink/1",
        "/rest/api/../plugins/1.0/",
        "/rest//plugins/1.0/",
        "/rest/plugins;x/1.0/",
    ] {
        let reason = forbidden(Reason::PluginAdministration);
        check(
            &narrow,
            &[Who::Ana, Who::Backdoor],
            "GET",
            target,
            &[],
            reason.clone(),
        );
        check(&narrow, &[Who::Admin], "GET", target, &[], Verdict::Assert);
        check(
            &narrow,
            &[Who::Ana, Who::Stranger],
            "GET",
            target,
            &[BASIC],
            reason,
        );
        let verdict = decide(&narrow, Who::Stranger, "GET", target, &[PAGE]);
        assert!(
            matches!(
                verdict,
                Verdict::Refuse(Refusal::SignInFirst(_) | Refusal::Unauthorized { .. })
            ),
            "{target}"
        );
        check(&config(), &[Who::Ana], "GET", target, &[], Verdict::Assert);
    }
    check(
        &narrow,
        &[Who::Ana],
        "GET",
        "/rest/applinks/3.0/manifest",
        &[BASIC],
        Verdict::Pass,
    );
    check(
        &narrow,
        &[Who::Ana],
        "GET",
        "/plugins/servlet/applinks/whoami",
        &[],
        Verdict::Assert,
    );
}
