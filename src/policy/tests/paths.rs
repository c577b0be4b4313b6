//! Paths with two readings: the corpora, properties, and other people's normalizers.

use super::*;
use crate::policy::bitbucket::{self, Special};
use crate::sanitize::Target;
use http::Method;
use proptest::prelude::*;

const HOSTILE: &str = include_str!("../../../tests/data/paths/hostile.txt");

fn public() -> Config {
    with(|config| {
        config.access.rules = vec![
            rule(exact("/status"), AccessAction::Anonymous),
            rule(below("/public"), AccessAction::Anonymous),
        ];
    })
}

#[test]
fn hostile_paths_open_nothing() {
    let peer = "203.0.113.7:4711".parse().unwrap();
    for config in [public(), config()] {
        for target in lines(HOSTILE) {
            for headers in [&[][..], &[PAGE], &[BASIC]] {
                let Ok(uri) = target.parse::<http::Uri>() else {
                    continue;
                };
                let request = request("GET", &uri.to_string(), headers);
                let Ok(clean) = Sanitizer::new(&config).clean(request, peer) else {
                    continue;
                };
                let verdict = decide_clean(&config, Who::Stranger, &clean);
                assert!(
                    matches!(verdict, Verdict::Refuse(_)),
                    "{target}: {verdict:?}"
                );
            }
        }
    }
}

#[test]
fn credentials_do_not_pass_where_a_reading_leaves_the_api() {
    for target in [
        "/rest/../projects",
        "/rest/%2e%2e/projects",
        "/rest/..%2fprojects",
        "/rest/..;/projects",
        "/rest/api/..%2f..%2f..;/projects/x/..",
        "/projects/../rest/api",
        "/projects%2f..%2frest/api",
        "//rest/api",
        "/%72est/api",
        "/rest%2fapi",
        "/rest;x/api",
        "/;x/rest/api",
        "\\rest\\api",
        "/rest\\api",
        "/rest/api/./x",
        "/rest/api/x/../y",
        "/scm/a/../../rest/api",
        "/rest%3f/api",
        "/rest%23/api",
    ] {
        let Ok(uri) = target.parse::<http::Uri>() else {
            continue;
        };
        let peer = "203.0.113.7:4711".parse().unwrap();
        let request = request("GET", &uri.to_string(), &[BASIC]);
        let Ok(clean) = Sanitizer::new(&config()).clean(request, peer) else {
            continue;
        };
        let verdict = decide_clean(&config(), Who::Stranger, &clean);
        assert_eq!(verdict, unauthorized(false), "{target}");
        assert_eq!(
            decide_clean(&config(), Who::Ana, &clean),
            Verdict::Assert,
            "{target}"
        );
    }
}

/// Decodes once; `slashes`: `%2F` too.
fn percent(path: &str, slashes: bool) -> Option<String> {
    let mut out = Vec::new();
    let bytes = path.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let escaped =
            (bytes[at] == b'%').then(|| u8::from_str_radix(path.get(at + 1..at + 3)?, 16).ok());
        match escaped {
            Some(None) => return None,
            Some(Some(b'/')) if !slashes => {
                out.extend(b"%2F");
                at += 3;
            }
            Some(Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).ok()
}

/// As Tomcat's connector does after decoding: backslashes, slash runs, dots; null above the root.
fn normalize(path: &str, backslash: bool) -> Option<String> {
    let mut path = if backslash {
        path.replace('\\', "/")
    } else {
        path.to_owned()
    };
    while path.contains("//") {
        path = path.replace("//", "/");
    }
    if path.ends_with("/.") || path.ends_with("/..") {
        path.push('/');
    }
    while let Some(at) = path.find("/./") {
        path.replace_range(at..at + 2, "");
    }
    while let Some(at) = path.find("/../") {
        let start = path[..at].rfind('/')?;
        path.replace_range(start..at + 3, "");
    }
    Some(path)
}

fn without_parameters(path: &str) -> String {
    let segments = path.split('/').map(|s| s.split(';').next().unwrap());
    segments.collect::<Vec<_>>().join("/")
}

/// What servers and chains of servers make of a path.
fn as_others_read(path: &str) -> Vec<String> {
    let mut all = Vec::new();
    for slashes in [false, true] {
        for backslash in [false, true] {
            let tomcat =
                |path: &str| normalize(&percent(&without_parameters(path), slashes)?, backslash);
            // Spring's UrlPathHelper: decode, then cut.
            let spring =
                |path: &str| normalize(&without_parameters(&percent(path, slashes)?), backslash);
            // nginx with a URI in proxy_pass: decode, merge, resolve, and encode again; here the
            // next one decodes what was encoded twice.
            let nginx = |path: &str| normalize(&percent(path, true)?, false);
            let twice = |path: &str| percent(&percent(path, slashes)?, slashes);
            all.extend(tomcat(path));
            all.extend(spring(path));
            all.extend(nginx(path).and_then(|path| tomcat(&path)));
            all.extend(nginx(path).and_then(|path| spring(&path)));
            all.extend(tomcat(path).and_then(|path| tomcat(&path)));
            all.extend(
                twice(path).and_then(|path| normalize(&without_parameters(&path), backslash)),
            );
        }
    }
    all
}

fn any_path() -> impl Strategy<Value = String> {
    let pieces = [
        "status",
        "public",
        "rest",
        "tsv",
        "latest",
        "authenticate",
        "j_atl_security_check",
        "login",
        "logout",
        "admin",
        "scm",
        "x",
        "/",
        "/",
        "/",
        "/",
        "//",
        ".",
        "..",
        "/../",
        "/./",
        ";",
        ";x",
        ";x=y",
        "\\",
        "%2F",
        "%2f",
        "%5c",
        "%2e",
        "%2E%2E",
        "%3b",
        "%25",
        "%252f",
        "%252e",
        "%61",
        "%73tatus",
        "%3f",
        "%23",
        "%20",
        "%2",
        "%c0%af",
        "?",
        "?x=/public",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..9)
        .prop_map(|pieces| format!("/{}", pieces.concat()))
}

fn is_public(path: &str) -> bool {
    path == "/status" || path == "/public" || path.starts_with("/public/")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_a_stranger_gets_is_open_for_every_server(path in any_path()) {
        let peer = "203.0.113.7:4711".parse().unwrap();
        let config = public();
        let Ok(uri) = path.parse::<http::Uri>() else { return Ok(()) };
        for headers in [&[][..], &[PAGE], &[BASIC], &[GIT]] {
            let request = request("GET", &uri.to_string(), headers);
            let Ok(clean) = Sanitizer::new(&config).clean(request, peer) else { continue };
            let target = clean.target().path_and_query();
            let literal = target.split('?').next().unwrap();
            match decide_clean(&config, Who::Stranger, &clean) {
                Verdict::Open => {
                    prop_assert!(!clean.target().is_ambiguous());
                    prop_assert!(is_public(&literal.replace("%20", " ")), "{}", literal);
                    for other in as_others_read(literal) {
                        prop_assert!(is_public(&other), "{} is {}", target, other);
                    }
                }
                Verdict::Pass => {
                    prop_assert_eq!(headers, [BASIC]);
                    prop_assert!(!clean.target().is_evasive());
                    for other in as_others_read(literal) {
                        prop_assert!(bitbucket::is_api(&other), "{} is {}", target, other);
                    }
                }
                Verdict::Refuse(_) => {}
                Verdict::Assert => prop_assert!(false, "a stranger is asserted: {}", target),
            }
        }
    }

    #[test]
    fn what_any_server_takes_for_the_password_sign_in_is_refused(path in any_path()) {
        let peer = "203.0.113.7:4711".parse().unwrap();
        let Ok(uri) = path.parse::<http::Uri>() else { return Ok(()) };
        let request = request("POST", &uri.to_string(), &[BASIC]);
        let Ok(clean) = Sanitizer::new(&config()).clean(request, peer) else { return Ok(()) };
        let literal = clean.target().path_and_query().split('?').next().unwrap().to_owned();
        let password = as_others_read(&literal).iter().any(|other| {
            bitbucket::special(other, &Method::POST) == Some(Special::PasswordSignIn)
        });
        if password {
            for who in EVERYBODY {
                let verdict = decide_clean(&config(), who, &clean);
                prop_assert_eq!(verdict, forbidden(Reason::PasswordSignIn), "{}", literal);
            }
        }
    }

    #[test]
    fn our_readings_contain_everybody_elses(path in any_path()) {
        let literal = path.split('?').next().unwrap();
        let Ok(target) = Target::parse(literal, &Arc::from("")) else { return Ok(()) };
        for other in as_others_read(literal) {
            let other = other.replace("%2F", "%2f");
            let known = target.readings().any(|reading| {
                // A reading may differ in harmless escapes, which no rule looks at.
                reading.full.replace("%2F", "%2f") == other
            });
            prop_assert!(known, "{} is {}", literal, other);
        }
    }

    #[test]
    fn no_request_panics(
        path in "/\\PC{0,30}",
        method in "[A-Z]{1,8}",
        authorization in "\\PC{0,30}",
        accept in "\\PC{0,20}",
    ) {
        let peer = "203.0.113.7:4711".parse().unwrap();
        let Ok(method) = Method::from_bytes(method.as_bytes()) else { return Ok(()) };
        let builder = http::Request::builder().method(method).uri(path)
            .header("host", "x").header("authorization", authorization).header("accept", accept);
        let Ok(request) = builder.body(axum::body::Body::empty()) else { return Ok(()) };
        let Ok(clean) = Sanitizer::new(&config()).clean(request, peer) else { return Ok(()) };
        for who in EVERYBODY {
            let _ = decide_clean(&config(), who, &clean);
        }
    }
}
