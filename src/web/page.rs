//! The gateway's own pages: templates with automatic escaping, and the headers that keep them safe.

use super::{Audience, Problem, RequestId, Response};
use axum::body::Body;
use http::{HeaderValue, StatusCode, header};
use minijinja::{Environment, context};

/// Any value as compact JSON, so that it looks the same as in the administrator's file of claims.
fn json(value: &minijinja::Value) -> Result<String, minijinja::Error> {
    serde_json::to_string(value).map_err(|error| {
        let kind = minijinja::ErrorKind::BadSerialization;
        minijinja::Error::new(kind, "no JSON").with_source(error)
    })
}

/// The built-in templates. `layout.html` frames the others.
const TEMPLATES: [(&str, &str); 20] = [
    ("layout.html", include_str!("templates/layout.html")),
    ("login.html", include_str!("templates/login.html")),
    ("error.html", include_str!("templates/error.html")),
    ("sign-out.html", include_str!("templates/sign-out.html")),
    ("signed-out.html", include_str!("templates/signed-out.html")),
    ("account.html", include_str!("templates/account.html")),
    ("backdoor.html", include_str!("templates/backdoor.html")),
    ("test.html", include_str!("templates/test.html")),
    (
        "console-frame.html",
        include_str!("templates/console-frame.html"),
    ),
    (
        "console-chart.html",
        include_str!("templates/console-chart.html"),
    ),
    (
        "console-pages.html",
        include_str!("templates/console-pages.html"),
    ),
    (
        "console-overview.html",
        include_str!("templates/console-overview.html"),
    ),
    (
        "console-configuration.html",
        include_str!("templates/console-configuration.html"),
    ),
    (
        "console-sessions.html",
        include_str!("templates/console-sessions.html"),
    ),
    (
        "console-confirm.html",
        include_str!("templates/console-confirm.html"),
    ),
    (
        "console-sign-ins.html",
        include_str!("templates/console-sign-ins.html"),
    ),
    (
        "console-reasons.html",
        include_str!("templates/console-reasons.html"),
    ),
    (
        "console-identities.html",
        include_str!("templates/console-identities.html"),
    ),
    (
        "console-relink.html",
        include_str!("templates/console-relink.html"),
    ),
    (
        "console-tests.html",
        include_str!("templates/console-tests.html"),
    ),
];

/// The one style sheet, served at `{prefix}/style.css` by [`Pages::style`].
const STYLE: &str = include_str!("templates/style.css");

/// The icon in the browser's tab, served at `{prefix}/icon.svg` by [`Pages::icon`]. Without one of
/// their own, our pages would make the browser ask the upstream for `/favicon.ico`.
const ICON: &str = include_str!("templates/icon.svg");

/// Where a page's forms may lead. Browsers apply the rule to redirects after the form too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormTargets {
    /// There is no form.
    Nowhere,
    /// Only the gateway.
    Gateway,
    /// The gateway, which then redirects to a provider.
    Provider,
}

/// Renders pages. Built once from the configuration.
#[derive(Debug)]
pub struct Pages {
    templates: Environment<'static>,
    prefix: String,
    http_targets: bool,
}

impl Pages {
    /// The built-in pages for a gateway whose own addresses begin with `prefix`.
    ///
    /// # Errors
    ///
    /// If a template has a mistake.
    pub fn new(prefix: &str) -> Result<Self, minijinja::Error> {
        let mut templates = Environment::new();
        for (name, source) in TEMPLATES {
            templates.add_template(name, source)?;
        }
        templates.add_global("prefix", prefix);
        templates.add_filter("json", json);
        Ok(Self {
            templates,
            prefix: prefix.to_owned(),
            http_targets: false,
        })
    }

    /// Lets forms lead to `http` addresses beyond 127.0.0.1 and localhost too: for a provider with
    /// `insecure_http` or on `[::1]`, or a `sign_out.redirect_to` on `http`. Without it the browser
    /// would stop the redirect there without a word.
    #[must_use]
    pub fn with_http_targets(mut self, allowed: bool) -> Self {
        self.http_targets = allowed;
        self
    }

    /// Where the gateway's own addresses begin.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Renders a template by name. Values are escaped by the engine.
    #[must_use]
    pub fn render(
        &self,
        template: &str,
        status: StatusCode,
        forms: FormTargets,
        values: minijinja::Value,
    ) -> Response {
        let text = self
            .templates
            .get_template(template)
            .and_then(|page| page.render(values));
        let (status, text) = match text {
            Ok(text) => (status, text),
            Err(error) => {
                tracing::error!(template, %error, "a page could not be rendered");
                let plain =
                    "The page could not be shown. The administrator finds the reason in the log.";
                (StatusCode::INTERNAL_SERVER_ERROR, plain.to_owned())
            }
        };
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        );
        protect(headers, forms, self.http_targets);
        response
    }

    /// The style sheet.
    #[must_use]
    pub fn style(&self) -> Response {
        asset("text/css; charset=utf-8", STYLE)
    }

    /// The icon of our pages.
    #[must_use]
    pub fn icon(&self) -> Response {
        asset("image/svg+xml", ICON)
    }

    /// Answers a problem, for the eyes that will read it.
    #[must_use]
    pub fn problem(&self, problem: &Problem, audience: Audience, id: &RequestId) -> Response {
        let mut response = match audience {
            Audience::Person => self.render(
                "error.html",
                problem.status,
                FormTargets::Nowhere,
                context! {
                    title => problem.title.as_str(),
                    message => problem.message.as_str(),
                    code => problem.code,
                    causes => problem.causes.clone(),
                    actions => problem.actions.iter().map(|(label, href)| context! { label, href }).collect::<Vec<_>>(),
                    request_id => id.as_str(),
                },
            ),
            Audience::Machine => machine_answer(problem, id),
        };
        for (name, value) in &problem.headers {
            response.headers_mut().append(name.clone(), value.clone());
        }
        response
    }
}

/// Kept by browsers for a few minutes only, so that an upgrade shows. An image opened by itself is a
/// document, which may do nothing.
fn asset(content_type: &'static str, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Bitbucket's own error shape, so that its clients show our message.
fn machine_answer(problem: &Problem, id: &RequestId) -> Response {
    let body = serde_json::json!({
        "errors": [{
            "context": null,
            "message": format!("{} {}", problem.title, problem.message),
            "exceptionName": format!("portcullis.{}", problem.code),
        }],
        "request_id": id.as_str(),
    });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = problem.status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// Sends the browser on with a `GET`, whatever it came with (RFC 9110 §15.4.4): a 307 would post a
/// form with secrets to the next address. Nothing of it is cached or told as `Referer`, because
/// the address of a callback carries a code.
#[must_use]
pub fn see_other(location: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    // Return paths and parsed URLs are visible ASCII; anything else goes to the start page.
    let location =
        HeaderValue::from_str(location).unwrap_or_else(|_| HeaderValue::from_static("/"));
    headers.insert(header::LOCATION, location);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}

/// The headers of every page: nothing from elsewhere, no frame, no cache, and no address told to
/// others.
fn protect(headers: &mut http::HeaderMap, forms: FormTargets, http_targets: bool) {
    // The grammar of a source has no IPv6 address (CSP Level 3, §2.3.1 `host-part`).
    let policy = match (forms, http_targets) {
        (FormTargets::Nowhere, _) => {
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
        }
        (FormTargets::Gateway, _) => {
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        }
        (FormTargets::Provider, false) => {
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' https: http://localhost:* http://127.0.0.1:*; frame-ancestors 'none'; base-uri 'none'"
        }
        (FormTargets::Provider, true) => {
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' https: http:; frame-ancestors 'none'; base-uri 'none'"
        }
    };
    // A page with `no-referrer` posts its forms with `Origin: null` (Fetch, "append a request
    // `Origin` header"), so pages with forms say `same-origin` or their own posts look foreign. A
    // page without forms may stand at a callback's address, which nobody behind us should learn.
    let referrer = match forms {
        FormTargets::Nowhere => "no-referrer",
        FormTargets::Gateway | FormTargets::Provider => "same-origin",
    };
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, referrer),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<script>alert(1)</script>\"'>&{{ prefix }}{% raw %}";

    fn pages() -> Pages {
        Pages::new("/sso").unwrap()
    }

    fn text(response: Response) -> String {
        let body = futures_util::FutureExt::now_or_never(http_body_util::BodyExt::collect(
            response.into_body(),
        ));
        String::from_utf8(body.unwrap().unwrap().to_bytes().to_vec()).unwrap()
    }

    #[track_caller]
    fn check(template: &str, values: minijinja::Value) {
        let page = text(pages().render(template, StatusCode::OK, FormTargets::Gateway, values));
        assert!(page.starts_with("<!doctype html>"), "{page}");
        assert!(page.contains("&lt;script&gt;"), "{template} shows nothing");
        for bad in ["<script", "alert(1)</", "\"'>", "style=", "http:", "https:"] {
            assert!(!page.contains(bad), "{bad} is in {template}:\n{page}");
        }
    }

    #[test]
    fn nothing_that_is_shown_becomes_markup() {
        let h = HOSTILE;
        check(
            "login.html",
            context! { title => h, next => h, remember_days => h,
            providers => [context! { id => h, name => h }, context! { id => h, name => h }] },
        );
        check(
            "error.html",
            context! { title => h, message => h, code => h, request_id => h,
            causes => [h], actions => [context! { label => h, href => h }] },
        );
        check(
            "sign-out.html",
            context! { title => h, username => h, back => h },
        );
        check("signed-out.html", context! { title => h });
        let at = || context! { exact => h, shown => h };
        let session = context! { handle => h, this => true, provider => h, client => h, agent => h,
        browser => h, system => h, remembered => true, signed_in => at(), last_used => at(), expires => at() };
        check(
            "account.html",
            context! { title => h, username => h, sessions => [session], others => true, more => true },
        );
        check(
            "account.html",
            context! { title => h, username => h, asks => true },
        );
        check(
            "backdoor.html",
            context! { title => h, message => h, action => h, next => h, username => h,
            asks_code => true, request_id => h },
        );
        let person = context! { username => h, email => h, display_name => h,
        groups_before => [h], groups => [h], headers => [[h, h]] };
        let examined = context! { groups => [context! { from => h, to => [h], why => h }],
        facts => [context! { name => h, value => [h], tried => [context! { mapping => h,
            found => h, steps => [context! { step => h, value => context! { x => h } }], problem => h }] }] };
        let report = context! { issuer => h, subject => h, person, examined,
        problems => [context! { code => h, what => h, cure => h, advice => h }],
        live => context! { pin => h, account => h, plan => context! { decisions => [h] } },
        claims => [context! { name => h, source => h, kind => h, value => h, used_for => [h] }] };
        check(
            "test.html",
            context! { title => h, product => h, provider => h, again => h, request_id => h, report },
        );
    }

    #[test]
    fn every_template_is_shown_by_that_test() {
        let tested = [
            "login",
            "error",
            "sign-out",
            "signed-out",
            "account",
            "backdoor",
            "test",
        ];
        for (name, _) in TEMPLATES.iter().filter(|(name, _)| *name != "layout.html") {
            // Those have their tests where they are filled in.
            if name.starts_with("console-") {
                continue;
            }
            assert!(
                tested.contains(&name.trim_end_matches(".html")),
                "{name} needs a line above"
            );
        }
    }

    #[test]
    fn a_problem_shows_its_request_id_and_keeps_its_detail_to_itself() {
        let id = RequestId::fresh();
        let problem = Problem::new(StatusCode::BAD_GATEWAY, "some_code", "Title", "Message.")
            .cause("A cause.")
            .action("Go on", "/next?a=b&c=d")
            .detail("the secret reason");
        for audience in [Audience::Person, Audience::Machine] {
            let response = pages().problem(&problem, audience, &id);
            assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
            let text = text(response);
            assert!(text.contains(id.as_str()) && text.contains("some_code"));
            assert!(!text.contains("the secret reason"));
        }
    }

    #[test]
    fn a_page_loads_nothing_from_elsewhere_and_stands_in_no_frame() {
        for (forms, http, want) in [
            (FormTargets::Nowhere, false, "form-action 'none';"),
            (FormTargets::Gateway, true, "form-action 'self';"),
            (FormTargets::Provider, false, " http://127.0.0.1:*;"),
            (
                FormTargets::Provider,
                true,
                "form-action 'self' https: http:;",
            ),
        ] {
            let pages = pages().with_http_targets(http);
            let page = pages.render("signed-out.html", StatusCode::OK, forms, context! {});
            let policy = page.headers()[header::CONTENT_SECURITY_POLICY]
                .to_str()
                .unwrap();
            assert!(policy.starts_with("default-src 'none'; style-src 'self';"));
            assert!(policy.contains("frame-ancestors 'none'"));
            assert!(policy.contains(want), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            assert!(!policy.contains('['), "no browser reads {policy}");
            assert_eq!(page.headers()[header::CACHE_CONTROL], "no-store");
        }
    }

    #[test]
    fn a_redirect_is_a_get_that_nobody_keeps() {
        let response = see_other("/a?b=c");
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers()[header::LOCATION], "/a?b=c");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let odd = see_other("/a\r\nX: y");
        assert_eq!(odd.headers()[header::LOCATION], "/");
    }
}
