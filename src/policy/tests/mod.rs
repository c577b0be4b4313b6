//! Who gets what. The helpers are here, each family has its file.

mod bitbucket;
mod class;
mod paths;
mod rules;

use super::*;
use crate::config::{AccessAction, AccessRule, PathRule};
use crate::sanitize::Sanitizer;
use crate::sanitize::tests::{config, lines, request};

const FORBIDDEN: &str = include_str!("../../../tests/data/paths/forbidden.txt");
const LEGITIMATE: &str = include_str!("../../../tests/data/paths/legitimate.txt");
const OWN_CREDENTIALS: &str = include_str!("../../../tests/data/paths/own-credentials.txt");

/// "ana:secret", and a token.
const BASIC: (&str, &str) = ("authorization", "Basic YW5hOnNlY3JldA==");
const BEARER: (&str, &str) = ("authorization", "Bearer NDc4OTUz.x-y_z/+==");
const PAGE: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
const GIT: (&str, &str) = ("user-agent", "git/2.45.1");
const JSON: (&str, &str) = ("accept", "application/json");

/// Who asks, without a session behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Stranger,
    Ana,
    Admin,
    Backdoor,
}

const EVERYBODY: [Who; 4] = [Who::Stranger, Who::Ana, Who::Admin, Who::Backdoor];

fn group(name: &str) -> GroupName {
    GroupName::parse(name).unwrap()
}

fn rule(path: PathRule, action: AccessAction) -> AccessRule {
    AccessRule {
        path,
        action,
        groups: vec![],
        methods: vec![],
    }
}

fn exact(path: &str) -> PathRule {
    PathRule::Exact(path.to_owned())
}

fn below(path: &str) -> PathRule {
    PathRule::Below(path.to_owned())
}

fn with(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = config();
    change(&mut config);
    config
}

fn decide(
    config: &Config,
    who: Who,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
) -> Verdict {
    let peer = "203.0.113.7:4711".parse().unwrap();
    let request = Sanitizer::new(config)
        .clean(request(method, target, headers), peer)
        .unwrap();
    decide_clean(config, who, &request)
}

fn decide_clean(config: &Config, who: Who, request: &CleanRequest) -> Verdict {
    let policy = Policy::new(config);
    let class = class_of(config, request);
    let ask = Ask {
        method: request.method(),
        target: request.target(),
        class,
        credentials: Credentials::of(request.headers()),
    };
    let groups = match who {
        Who::Admin => vec![group("users"), group("bitbucket-admins")],
        Who::Ana => vec![group("users")],
        Who::Stranger | Who::Backdoor => vec![],
    };
    let asker = match who {
        Who::Stranger => Asker::Stranger,
        _ => Asker::Known {
            groups: &groups,
            backdoor: who == Who::Backdoor,
        },
    };
    policy.decide(ask, asker)
}

fn class_of(config: &Config, request: &CleanRequest) -> Class {
    Class::of(
        config.upstream.kind == Kind::Bitbucket,
        request.method(),
        request.target().in_context(),
        request.headers(),
    )
}

#[track_caller]
fn check(
    config: &Config,
    who: &[Who],
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    want: Verdict,
) {
    for who in who {
        let verdict = decide(config, *who, method, target, headers);
        assert_eq!(verdict, want, "{who:?} {method} {target} {headers:?}");
    }
}

fn forbidden(reason: Reason) -> Verdict {
    Verdict::Refuse(Refusal::Forbidden(reason))
}

fn unauthorized(basic: bool) -> Verdict {
    Verdict::Refuse(Refusal::Unauthorized { basic })
}

fn sign_in_first(next: &str) -> Verdict {
    Verdict::Refuse(Refusal::SignInFirst(ReturnPath::parse(next)))
}

fn sign_in_page(next: &str) -> Verdict {
    Verdict::Refuse(Refusal::SignInPage(ReturnPath::parse(next)))
}

const STRANGER: &[Who] = &[Who::Stranger];
const KNOWN: &[Who] = &[Who::Ana, Who::Admin, Who::Backdoor];

#[test]
fn people_we_know_go_through_with_their_identity() {
    for target in lines(LEGITIMATE) {
        for who in KNOWN {
            let verdict = decide(&config(), *who, "GET", target, &[PAGE]);
            assert_eq!(verdict, Verdict::Assert, "{who:?} {target}");
        }
    }
    check(
        &config(),
        KNOWN,
        "POST",
        "/rest/api/latest/x",
        &[JSON],
        Verdict::Assert,
    );
    check(
        &config(),
        KNOWN,
        "GET",
        "/scm/a/b.git/info/refs",
        &[GIT],
        Verdict::Assert,
    );
}

#[test]
fn a_strangers_browser_signs_in_and_comes_back_to_where_it_was() {
    let path = "/projects/A/repos/b/browse?at=refs%2Fheads%2Fx&y=1";
    check(
        &config(),
        STRANGER,
        "GET",
        path,
        &[PAGE],
        sign_in_first(path),
    );
    check(
        &config(),
        STRANGER,
        "HEAD",
        path,
        &[PAGE],
        sign_in_first(path),
    );
    let navigate = [
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    check(
        &config(),
        STRANGER,
        "GET",
        "/",
        &navigate,
        sign_in_first("/"),
    );
    check(
        &config(),
        STRANGER,
        "GET",
        "/a%2Fb",
        &navigate,
        sign_in_first("/a%2Fb"),
    );
    // What was posted is gone, so there is nothing to come back to.
    check(
        &config(),
        STRANGER,
        "POST",
        "/x",
        &navigate,
        sign_in_first("/"),
    );
    check(
        &config(),
        STRANGER,
        "POST",
        "/x",
        &[PAGE],
        sign_in_first("/"),
    );
}

#[test]
fn programs_are_never_redirected() {
    let config = config();
    let api = "/rest/api/latest/projects";
    check(&config, STRANGER, "GET", api, &[], unauthorized(false));
    check(&config, STRANGER, "GET", api, &[PAGE], unauthorized(false));
    check(
        &config,
        STRANGER,
        "GET",
        api,
        &[("sec-fetch-mode", "navigate")],
        unauthorized(false),
    );
    check(&config, STRANGER, "GET", "/x", &[], unauthorized(false));
    check(
        &config,
        STRANGER,
        "GET",
        "/x",
        &[("accept", "*/*")],
        unauthorized(false),
    );
    check(&config, STRANGER, "GET", "/x", &[JSON], unauthorized(false));
    check(
        &config,
        STRANGER,
        "GET",
        "/x",
        &[PAGE, ("x-requested-with", "XMLHttpRequest")],
        unauthorized(false),
    );
    check(
        &config,
        STRANGER,
        "GET",
        "/x",
        &[PAGE, BEARER],
        unauthorized(false),
    );
    for mode in ["cors", "same-origin", "no-cors", "websocket"] {
        let headers = [PAGE, ("sec-fetch-mode", mode), ("sec-fetch-dest", "empty")];
        check(
            &config,
            STRANGER,
            "GET",
            "/x",
            &headers,
            unauthorized(false),
        );
        check(
            &config,
            STRANGER,
            "GET",
            "/x",
            &headers[..2],
            unauthorized(false),
        );
    }
    for dest in ["image", "script", "style", "font"] {
        let headers = [("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", dest)];
        check(
            &config,
            STRANGER,
            "GET",
            "/x",
            &headers,
            unauthorized(false),
        );
    }
    check(
        &config,
        STRANGER,
        "GET",
        "/s/1/_/x.css",
        &[("accept", "text/css,*/*")],
        unauthorized(false),
    );
}

#[test]
fn git_without_credentials_is_asked_for_them() {
    for target in [
        "/scm/PRJ/repo.git/info/refs?service=git-upload-pack",
        "/scm/~ana/x.git/git-receive-pack",
        "/scm/PRJ/repo.git/info/lfs/objects/batch",
        "/rest/git-lfs/storage/PRJ/repo/0a1b",
        "/git/PRJ/repo.git/info/refs",
    ] {
        check(
            &config(),
            STRANGER,
            "GET",
            target,
            &[GIT],
            unauthorized(true),
        );
        check(&config(), STRANGER, "POST", target, &[], unauthorized(true));
        check(
            &config(),
            STRANGER,
            "GET",
            target,
            &[PAGE],
            unauthorized(true),
        );
        let broken = ("authorization", "Basic !");
        check(
            &config(),
            STRANGER,
            "GET",
            target,
            &[GIT, broken],
            unauthorized(true),
        );
    }
    // Where credentials open nothing, none are asked for.
    check(
        &config(),
        STRANGER,
        "GET",
        "/x/info/refs",
        &[GIT],
        unauthorized(false),
    );
    check(
        &config(),
        STRANGER,
        "GET",
        "/dashboard",
        &[GIT],
        unauthorized(false),
    );
}

#[test]
fn own_credentials_pass_without_an_identity() {
    let oauth = (
        "authorization",
        "OAuth oauth_consumer_key=\"k\", oauth_signature=\"s\"",
    );
    for target in lines(OWN_CREDENTIALS) {
        for credentials in [
            BASIC,
            BEARER,
            oauth,
            ("authorization", "basic  YW5hOnNlY3JldA"),
        ] {
            for who in EVERYBODY {
                let verdict = decide(&config(), who, "POST", target, &[credentials, GIT]);
                assert_eq!(verdict, Verdict::Pass, "{who:?} {target} {credentials:?}");
            }
        }
    }
}

/// CVE-2026-21589: what Bitbucket shows to strangers is not for strangers. A made-up header must
/// not be the way to it.
#[test]
fn credentials_open_only_what_checks_them() {
    for target in [
        "/",
        "/projects",
        "/dashboard",
        "/plugins/servlet/x",
        "/s/x.css",
        "/restx/a",
        "/rest",
        "/scm",
        "/SCM/a",
        "/x/rest/api",
        "/download/x",
        "/plugins/servlet/oauthx/y",
    ] {
        check(
            &config(),
            STRANGER,
            "GET",
            target,
            &[BASIC],
            unauthorized(false),
        );
        // One opinion on who is asking: the identity, and the credentials go.
        check(&config(), KNOWN, "GET", target, &[BASIC], Verdict::Assert);
    }
}

#[test]
fn credentials_that_bitbucket_could_overlook_open_nothing() {
    for value in [
        "",
        "x",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic Og==",
        "Basic OnNlY3JldA==",
        "Basic YW5h",
        "Bearer",
        "Bearer ",
        "Bearer =",
        "Bearer a b",
        "Bearer é",
        "OAuth",
        "OAuth realm=\"x\"",
        "OAuth oauth_consumer_key=\"k\"",
        "Digest username=\"x\"",
        "Negotiate YII=",
        "NTLM TlRM",
        "Basic:YW5hOnNlY3JldA==",
        "Basic\tYW5hOnNlY3JldA==",
        "Token abc",
        "JWT a.b.c",
    ] {
        let headers = [("authorization", value)];
        check(
            &config(),
            STRANGER,
            "GET",
            "/rest/api/1.0/projects",
            &headers,
            unauthorized(false),
        );
        check(
            &config(),
            KNOWN,
            "GET",
            "/rest/api/1.0/projects",
            &headers,
            Verdict::Assert,
        );
    }
    // Which of two would Bitbucket read?
    check(
        &config(),
        STRANGER,
        "GET",
        "/rest/api/1.0/x",
        &[BASIC, BEARER],
        unauthorized(false),
    );
}

#[test]
fn the_api_can_be_closed() {
    let closed = with(|config| config.access.api = ApiAccess::Deny);
    for target in lines(OWN_CREDENTIALS) {
        check(
            &closed,
            &EVERYBODY,
            "GET",
            target,
            &[BASIC],
            forbidden(Reason::Api),
        );
    }
    let git = "/scm/PRJ/repo.git/info/refs";
    let rest = "/rest/api/1.0/x";
    check(
        &closed,
        &EVERYBODY,
        "GET",
        rest,
        &[("authorization", "x")],
        forbidden(Reason::Api),
    );
    check(
        &closed,
        STRANGER,
        "GET",
        git,
        &[GIT],
        forbidden(Reason::Api),
    );
    check(&closed, STRANGER, "GET", rest, &[], unauthorized(false));
    check(&closed, KNOWN, "GET", rest, &[], Verdict::Assert);
    check(&closed, KNOWN, "GET", git, &[GIT], Verdict::Assert);
}

#[test]
fn probes_are_open_and_nothing_else_is() {
    for method in ["GET", "HEAD"] {
        check(&config(), STRANGER, method, "/status", &[], Verdict::Open);
        check(
            &config(),
            STRANGER,
            method,
            "/status?x=y",
            &[PAGE],
            Verdict::Open,
        );
        check(&config(), KNOWN, method, "/status", &[], Verdict::Assert);
    }
    check(
        &config(),
        STRANGER,
        "POST",
        "/status",
        &[],
        unauthorized(false),
    );
    for target in lines(LEGITIMATE).filter(|target| *target != "/status") {
        let verdict = decide(&config(), Who::Stranger, "GET", target, &[PAGE]);
        assert!(
            matches!(verdict, Verdict::Refuse(_)),
            "{target}: {verdict:?}"
        );
    }
}

/// CVE-2026-34457: the health checker's name was the password.
#[test]
fn no_user_agent_opens_anything() {
    for agent in [
        "GoogleHC/1.0",
        "kube-probe/1.30",
        "ELB-HealthChecker/2.0",
        "git/2.45.1",
        "git-lfs/3.5",
        "JGit/6",
        "Atlassian",
    ] {
        for target in [
            "/",
            "/projects",
            "/rest/api/1.0/projects",
            "/scm/a/b.git/info/refs",
        ] {
            let verdict = decide(
                &config(),
                Who::Stranger,
                "GET",
                target,
                &[("user-agent", agent)],
            );
            assert!(
                matches!(verdict, Verdict::Refuse(Refusal::Unauthorized { .. })),
                "{agent} {target}"
            );
        }
    }
}

#[test]
fn bitbuckets_paths_are_below_the_context_path() {
    let config = with(|config| config.upstream.context_path = "/bitbucket".to_owned());
    let home = "/bitbucket/";
    check(
        &config,
        STRANGER,
        "GET",
        "/bitbucket/status",
        &[],
        Verdict::Open,
    );
    check(
        &config,
        STRANGER,
        "GET",
        "/status",
        &[],
        unauthorized(false),
    );
    check(
        &config,
        STRANGER,
        "GET",
        "/bitbucket/login",
        &[PAGE],
        sign_in_page(home),
    );
    check(
        &config,
        STRANGER,
        "GET",
        "/bitbucket/login?next=/projects",
        &[PAGE],
        sign_in_page("/bitbucket/projects"),
    );
    check(
        &config,
        STRANGER,
        "GET",
        "/bitbucket/login?next=/bitbucket/projects",
        &[PAGE],
        sign_in_page("/bitbucket/projects"),
    );
    check(
        &config,
        STRANGER,
        "GET",
        "/bitbucket/login?next=/login",
        &[PAGE],
        sign_in_page(home),
    );
    check(
        &config,
        STRANGER,
        "GET",
        "/bitbucket/login?next=/../sso/logout",
        &[PAGE],
        sign_in_page(home),
    );
    check(
        &config,
        STRANGER,
        "GET",
        "/login",
        &[PAGE],
        sign_in_first("/login"),
    );
    check(&config, STRANGER, "GET", "/", &[PAGE], sign_in_first(home));
    check(
        &config,
        &EVERYBODY,
        "POST",
        "/bitbucket/j_atl_security_check",
        &[],
        forbidden(Reason::PasswordSignIn),
    );
    check(
        &config,
        &EVERYBODY,
        "POST",
        "/x/../bitbucket//j_atl_security_check",
        &[],
        forbidden(Reason::PasswordSignIn),
    );
    check(
        &config,
        STRANGER,
        "GET",
        "/bitbucket/rest/api/1.0/x",
        &[BASIC],
        Verdict::Pass,
    );
    check(
        &config,
        STRANGER,
        "GET",
        "/rest/api/1.0/x",
        &[BASIC],
        unauthorized(false),
    );
    check(
        &config,
        KNOWN,
        "GET",
        "/elsewhere",
        &[BASIC],
        Verdict::Assert,
    );
}

#[test]
fn nothing_is_special_in_a_generic_upstream() {
    let config = with(|config| config.upstream.kind = Kind::Generic);
    for target in [
        "/login",
        "/logout",
        "/j_atl_security_check",
        "/status",
        "/rest/api/1.0/x",
        "/scm/a/b.git/info/refs",
    ] {
        check(&config, KNOWN, "GET", target, &[BASIC], Verdict::Assert);
        check(
            &config,
            STRANGER,
            "GET",
            target,
            &[PAGE],
            sign_in_first(target),
        );
        check(
            &config,
            STRANGER,
            "GET",
            target,
            &[BASIC],
            unauthorized(false),
        );
        check(
            &config,
            STRANGER,
            "GET",
            target,
            &[GIT],
            unauthorized(false),
        );
    }
}

#[test]
fn with_sign_in_off_bitbucket_signs_in_and_only_the_backdoor_is_asserted() {
    let groups = || AccessRule {
        groups: vec![group("bitbucket-admins")],
        ..rule(exact("/narrow"), AccessAction::SignIn)
    };
    let config = with(|config| {
        config.sign_in.enabled = false;
        config.access.plugin_admin_groups = vec![group("bitbucket-admins")];
        config.access.rules = vec![
            rule(exact("/secret"), AccessAction::Deny),
            rule(exact("/inner"), AccessAction::SignIn),
            groups(),
        ];
    });
    let unasserted = &[Who::Stranger, Who::Ana, Who::Admin];
    for target in [
        "/",
        "/login",
        "/j_atl_security_logout",
        "/account/password",
        "/a%2Fb",
        "/inner",
        "/x/../y",
    ] {
        check(&config, unasserted, "GET", target, &[PAGE], Verdict::Open);
    }
    for target in [
        "/login",
        "/j_atl_security_check",
        "/rest/tsv/latest/authenticate",
    ] {
        check(&config, unasserted, "POST", target, &[], Verdict::Open);
    }
    check(
        &config,
        unasserted,
        "GET",
        "/rest/api/1.0/x",
        &[BASIC],
        Verdict::Pass,
    );
    check(
        &config,
        unasserted,
        "GET",
        "/scm/a/b.git/info/refs",
        &[GIT],
        Verdict::Open,
    );
    check(
        &config,
        &[Who::Backdoor],
        "GET",
        "/projects",
        &[PAGE],
        Verdict::Assert,
    );
    check(
        &config,
        &[Who::Backdoor],
        "GET",
        "/logout",
        &[PAGE],
        Verdict::Refuse(Refusal::SignOut),
    );
    // What the configuration forbids in so many words stays forbidden.
    check(
        &config,
        &EVERYBODY,
        "GET",
        "/secret",
        &[PAGE],
        forbidden(Reason::Rule),
    );
    check(
        &config,
        &EVERYBODY,
        "GET",
        "/x/..%2fsecret",
        &[PAGE],
        forbidden(Reason::Rule),
    );
    check(
        &config,
        &EVERYBODY,
        "GET",
        "/narrow",
        &[PAGE],
        forbidden(Reason::Rule),
    );
    check(
        &config,
        &EVERYBODY,
        "GET",
        "/rest/plugins/1.0/",
        &[],
        forbidden(Reason::PluginAdministration),
    );
}

fn admit(
    config: &Config,
    target: &str,
    headers: &[(&str, &str)],
) -> Result<Admitted, Box<Refused>> {
    let peer = "203.0.113.7:4711".parse().unwrap();
    let request = Sanitizer::new(config)
        .clean(request("GET", target, headers), peer)
        .unwrap();
    Policy::new(config).admit(request, Visitor::Stranger)
}

#[test]
fn own_credentials_reach_bitbucket_untouched_and_bring_no_session_of_its() {
    let cookie = (
        "cookie",
        "a=1; BITBUCKETSESSIONID=x; JSESSIONID=y; crowd.token_key=z; b=2",
    );
    let target = "/rest/api/1.0/commits/feature%2Fx?at=%2F";
    let admitted = admit(&config(), target, &[BASIC, cookie]).unwrap();
    let (request, who, class) = admitted.into_parts();
    assert!(who.is_none());
    assert_eq!(class, Class::Rest);
    assert_eq!(request.headers()["authorization"], BASIC.1);
    assert_eq!(request.headers()["cookie"], "a=1; b=2");
    assert_eq!(request.target().path_and_query(), target);
    let (request, ..) = admit(&config(), "/status", &[cookie]).unwrap().into_parts();
    assert_eq!(request.headers()["cookie"], "a=1; b=2");
    let off = with(|config| config.sign_in.enabled = false);
    let (request, who, _) = admit(&off, "/projects", &[BASIC, cookie])
        .unwrap()
        .into_parts();
    assert!(who.is_none());
    assert_eq!(request.headers()["cookie"], cookie.1);
    assert_eq!(request.headers()["authorization"], BASIC.1);
}

#[test]
fn a_refusal_gives_the_request_back() {
    let cookie = ("cookie", "BITBUCKETSESSIONID=x");
    let refused = admit(&config(), "/j_atl_security_logout", &[cookie, PAGE]).unwrap_err();
    assert_eq!(refused.refusal, Refusal::SignOut);
    assert_eq!(refused.class, Class::Navigation);
    assert_eq!(refused.request.headers()["cookie"], cookie.1);
    assert!(refused.who.is_none());
}
