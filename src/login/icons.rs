//! The pictures on the buttons, and the style sheet of the countdown: small files beside the page.

use super::{Login, page};
use crate::config::{Icon, Picture};
use crate::web::{Context, Problem, Response};
use axum::body::Body;
use http::{HeaderValue, StatusCode, header};

impl Login {
    /// `GET {prefix}/icons/{provider}`: the picture on a provider's button.
    #[must_use]
    pub fn icon(&self, context: &Context, provider: &str) -> Response {
        let provider = self.provider(provider);
        match provider.and_then(|provider| provider.config().icon.as_ref()) {
            Some(icon) => picture(icon),
            None => self.no_file(context),
        }
    }

    /// `GET {prefix}/countdown/{seconds}.css`: the digits of the page that goes on by itself. No
    /// value may stand in the page's own style, and no script counts.
    #[must_use]
    pub fn countdown(&self, context: &Context, file: &str) -> Response {
        let secs = file.strip_suffix(".css").and_then(|text| text.parse().ok());
        match secs.filter(|secs| (1..=page::MAX_DELAY).contains(secs)) {
            Some(secs) => answer(
                "text/css; charset=utf-8",
                "default-src 'none'",
                digits(secs),
            ),
            None => self.no_file(context),
        }
    }

    fn no_file(&self, context: &Context) -> Response {
        let problem = Problem::told(StatusCode::NOT_FOUND, "not_found");
        self.show(context, &problem)
    }
}

/// An administrator's SVG may hold anything that SVG can. In a page's `<img>` it runs no script and
/// loads nothing; opened by itself it is a document, which the sandbox keeps from both, and from our
/// origin. Its own style is part of the drawing.
fn picture(icon: &Icon) -> Response {
    let content_type = match icon.picture {
        Picture::Svg => "image/svg+xml",
        Picture::Png => "image/png",
    };
    let policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
    answer(content_type, policy, icon.bytes.to_vec())
}

/// Kept by browsers for a few minutes only, so that a reload of the configuration shows.
fn answer(content_type: &'static str, policy: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, policy),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// One key frame a second. A browser that animates no text shows how many seconds there were.
fn digits(secs: u64) -> String {
    let frames = (0..secs).map(|passed| {
        // Hundredths of a percent, so that 60 steps stay in step.
        let at = passed * 10_000 / secs;
        let left = secs - passed;
        format!("{}.{:02}% {{ content: \"{left}\"; }}\n", at / 100, at % 100)
    });
    let frames: String = frames.collect();
    format!(
        ".countdown::before {{ content: \"{secs}\"; animation: countdown {secs}s step-end forwards; }}\n\
         @keyframes countdown {{\n{frames}100% {{ content: \"0\"; }}\n}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_fall_once_a_second() {
        let text = digits(3);
        for line in [
            "countdown 3s step-end",
            "0.00% { content: \"3\"; }",
            "33.33% { content: \"2\"; }",
            "66.66% { content: \"1\"; }",
            "100% { content: \"0\"; }",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
