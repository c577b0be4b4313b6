//! What a request is.

use super::*;
use crate::web::Audience;
use http::{HeaderMap, HeaderName, Method};

#[track_caller]
fn check_class(method: &str, path: &str, headers: &[(&str, &str)], want: Class) {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            value.parse().unwrap(),
        );
    }
    assert_eq!(
        Class::of(true, &method, Some(path), &map),
        want,
        "{path} {headers:?}"
    );
}

#[test]
fn requests_have_the_class_of_what_they_are() {
    let navigate = ("sec-fetch-mode", "navigate");
    let document = ("sec-fetch-dest", "document");
    check_class("GET", "/status", &[PAGE], Class::Probe);
    check_class("POST", "/status", &[PAGE], Class::Navigation);
    check_class("GET", "/scm/x", &[PAGE], Class::Git);
    check_class("POST", "/x/git-upload-pack", &[], Class::Git);
    check_class("GET", "/x", &[("user-agent", "git-lfs/3.5.1")], Class::Git);
    check_class("GET", "/rest/api/x", &[navigate], Class::Rest);
    check_class("GET", "/x", &[navigate, document], Class::Navigation);
    check_class(
        "GET",
        "/download/x",
        &[navigate, document],
        Class::Navigation,
    );
    check_class("GET", "/download/x", &[PAGE], Class::Subresource);
    check_class(
        "GET",
        "/x",
        &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
        Class::Subresource,
    );
    check_class(
        "GET",
        "/x",
        &[
            ("sec-fetch-mode", "cors"),
            ("sec-fetch-dest", "empty"),
            PAGE,
        ],
        Class::Rest,
    );
    check_class(
        "GET",
        "/x",
        &[("accept", "application/json, text/javascript, */*; q=0.01")],
        Class::Rest,
    );
    check_class("GET", "/x", &[PAGE], Class::Navigation);
    check_class("GET", "/x", &[], Class::Rest);
    check_class("GET", "/favicon.ico", &[], Class::Subresource);
    assert_eq!(Class::Navigation.audience(), Audience::Person);
    for class in [Class::Subresource, Class::Git, Class::Rest, Class::Probe] {
        assert_eq!(class.audience(), Audience::Machine, "{}", class.name());
    }
}
