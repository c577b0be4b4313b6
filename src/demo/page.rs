//! The demo's pages: templates with automatic escaping, no resource from elsewhere, and a content
//! security policy that lets only the style and the scripts of this file run.

use aws_lc_rs::digest;
use axum::body::Body;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode, header};
use minijinja::{Environment, Value};

const TEMPLATES: [(&str, &str); 18] = [
    ("layout.html", include_str!("templates/layout.html")),
    ("bitbucket.html", include_str!("templates/bitbucket.html")),
    ("dashboard.html", include_str!("templates/dashboard.html")),
    ("repository.html", include_str!("templates/repository.html")),
    ("login.html", include_str!("templates/login.html")),
    ("live.html", include_str!("templates/live.html")),
    (
        "configuration.html",
        include_str!("templates/configuration.html"),
    ),
    ("sorry.html", include_str!("templates/sorry.html")),
    ("controls.html", include_str!("templates/controls.html")),
    ("people.html", include_str!("templates/people.html")),
    ("received.html", include_str!("templates/received.html")),
    ("provider.html", include_str!("templates/provider.html")),
    ("choose.html", include_str!("templates/choose.html")),
    ("form-post.html", include_str!("templates/form-post.html")),
    (
        "provider-sign-out.html",
        include_str!("templates/provider-sign-out.html"),
    ),
    (
        "provider-message.html",
        include_str!("templates/provider-message.html"),
    ),
    (
        "provider-home.html",
        include_str!("templates/provider-home.html"),
    ),
    ("stream.html", include_str!("templates/stream.html")),
];

const STYLE: &str = include_str!("templates/style.css");
const LIVE: &str = include_str!("templates/live.js");
const FORM_POST: &str = include_str!("templates/form-post.js");

/// Renders the demo's pages.
#[derive(Debug)]
pub(super) struct Pages {
    templates: Environment<'static>,
    /// The hashes by which the policy knows the style and the scripts (CSP Level 3 §2.3.1), so that
    /// a page needs no second request, which something in between might answer differently.
    style: String,
    scripts: String,
}

impl Pages {
    pub(super) fn new() -> Result<Self, minijinja::Error> {
        let mut templates = Environment::new();
        for (name, source) in TEMPLATES {
            templates.add_template(name, source)?;
        }
        templates.add_global("style", Value::from_safe_string(STYLE.to_owned()));
        templates.add_global("live_script", Value::from_safe_string(LIVE.to_owned()));
        templates.add_global(
            "form_post_script",
            Value::from_safe_string(FORM_POST.to_owned()),
        );
        Ok(Self {
            templates,
            style: hash(STYLE),
            scripts: format!("{} {}", hash(LIVE), hash(FORM_POST)),
        })
    }

    /// A page whose forms lead to where they came from, and to `form_target`, if there is one.
    /// Browsers apply that rule to redirects after the form too.
    pub(super) fn show(
        &self,
        template: &str,
        status: StatusCode,
        form_target: Option<&url::Url>,
        values: Value,
    ) -> Response {
        let text = self
            .templates
            .get_template(template)
            .and_then(|page| page.render(values));
        let (status, text) = text.map_or_else(
            |error| {
                tracing::error!(template, %error, "a page of the demo could not be rendered");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "The page could not be shown.".to_owned(),
                )
            },
            |text| (status, text),
        );
        self.finish(status, form_target, Body::from(text))
    }

    /// The text of a template, for an answer that is sent piece by piece.
    pub(super) fn text(&self, template: &str, values: Value) -> Result<String, minijinja::Error> {
        self.templates.get_template(template)?.render(values)
    }

    /// A page around any body.
    pub(super) fn finish(
        &self,
        status: StatusCode,
        form_target: Option<&url::Url>,
        body: Body,
    ) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let target = form_target.map_or_else(String::new, |url| {
            format!(" {}", url.origin().ascii_serialization())
        });
        let policy = format!(
            "default-src 'none'; style-src {}; script-src {}; img-src data:; connect-src 'self'; \
             form-action 'self'{target}; frame-ancestors 'none'; base-uri 'none'",
            self.style, self.scripts
        );
        let headers = response.headers_mut();
        let fixed = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "same-origin"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::CACHE_CONTROL, "no-store"),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        // Hashes and a serialized origin are visible ASCII; without the policy, nothing may load.
        let policy = HeaderValue::from_str(&policy)
            .unwrap_or(HeaderValue::from_static("default-src 'none'"));
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        response
    }
}

fn hash(text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    format!("'sha256-{}'", STANDARD.encode(digest))
}

/// The letter in the circle.
pub(super) fn initial(name: &str) -> String {
    name.chars().take(1).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::context;

    #[tokio::test]
    async fn what_a_page_shows_is_escaped_and_its_policy_names_the_form_target_alone() {
        let pages = Pages::new().unwrap();
        let target = url::Url::parse("http://127.0.0.1:8080/sso/callback/demo?x=1").unwrap();
        let values = context! { title => "<script>", message => "\"&'" };
        let response = pages.show(
            "provider-message.html",
            StatusCode::OK,
            Some(&target),
            values,
        );
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(
            policy.contains("form-action 'self' http://127.0.0.1:8080;"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"));
        let body = axum::body::to_bytes(response.into_body(), 1 << 20)
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&body);
        assert!(text.contains("&lt;script&gt;") && !text.contains("<h1><script>"));
        assert!(
            text.contains(STYLE),
            "the style stays as its hash was taken"
        );
    }

    #[test]
    fn no_template_loads_anything_from_elsewhere() {
        for (name, source) in TEMPLATES {
            for forbidden in [
                "src=",
                "href=\"http",
                "@import",
                "url(",
                " style=",
                " onclick",
            ] {
                assert!(!source.contains(forbidden), "{name}: {forbidden}");
            }
        }
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    }
}
