//! What a page of the gateway needs to know of the request it answers.

use super::RequestId;
use crate::config::Origin;
use crate::telemetry::audit;
use http::{HeaderMap, header};
use std::net::IpAddr;

/// A request to one of the gateway's own addresses, without its body.
#[derive(Debug, Clone)]
pub struct Context {
    /// The header as the client sent it, cookies included.
    pub headers: HeaderMap,
    /// The address that decides and is logged: the peer, or what a trusted proxy says of it.
    pub client: IpAddr,
    /// Somebody forwarded the request for another one, and is no trusted proxy or does not say for
    /// whom: who stands behind `client` is not known.
    pub concealed: bool,
    /// The request's id.
    pub id: RequestId,
}

impl Context {
    /// For the audit log.
    #[must_use]
    pub fn origin(&self) -> audit::Origin {
        audit::Origin {
            request_id: Some(self.id.as_str().to_owned()),
            client: Some(self.client),
        }
    }

    /// What the browser says it is (`User-Agent`), cut to 256 visible characters.
    #[must_use]
    pub fn browser(&self) -> Option<String> {
        let said = self.headers.get(header::USER_AGENT)?;
        let said: String = String::from_utf8_lossy(said.as_bytes())
            .chars()
            .filter(|c| !c.is_control())
            .take(256)
            .collect();
        let said = said.trim();
        (!said.is_empty()).then(|| said.to_owned())
    }

    /// Whether a `POST` came from one of our own pages, and not from a page elsewhere.
    ///
    /// `Sec-Fetch-Site` decides where there is one: no page can forge it. It is missing on plain
    /// http and in old browsers; then `Origin` has to be ours, or name the host that was asked by
    /// its address, which is how an administrator comes in while DNS is broken. A host that was asked
    /// by another name proves nothing: whoever owns the name can point it at us (DNS rebinding).
    /// Clients that send neither are not browsers that a foreign page could drive.
    #[must_use]
    pub fn from_own_page(&self, public: &Origin) -> bool {
        if let Some(site) = self.field("sec-fetch-site") {
            return matches!(site, "same-origin" | "none");
        }
        if !self.headers.contains_key(header::ORIGIN) {
            return true;
        }
        let origin = self.field(header::ORIGIN.as_str());
        let asked = self.field(header::HOST.as_str());
        origin.is_some_and(|origin| {
            origin == public.text
                || origin
                    .split_once("://")
                    .is_some_and(|(_, authority)| Some(authority) == asked && is_address(authority))
        })
    }

    /// Whether the browser says that a page of another site, or of another host of ours, led here.
    #[must_use]
    pub fn is_from_another_site(&self) -> bool {
        self.headers
            .get_all("sec-fetch-site")
            .iter()
            .any(|site| site == "cross-site" || site == "same-site")
    }

    /// Whether a `GET` is a person's own step from one of our pages or Bitbucket's (which share our
    /// origin), or from no page at all. An image or a frame is no such step, wherever it stands:
    /// people write both into comments.
    #[must_use]
    pub fn is_own_navigation(&self, public: &Origin) -> bool {
        let is = |name, wanted: &str| self.field(name).is_none_or(|value| value == wanted);
        if !is("sec-fetch-mode", "navigate")
            || !is("sec-fetch-dest", "document")
            || self.headers.contains_key("sec-purpose")
        {
            return false;
        }
        match self.field("sec-fetch-site") {
            Some(site) => matches!(site, "same-origin" | "none"),
            None => self
                .field(header::REFERER.as_str())
                .and_then(|referer| referer.strip_prefix(public.text.as_str()))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        }
    }

    /// A field that stands exactly once, as text.
    fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        values.next().is_none().then(|| value.to_str().ok())?
    }
}

/// Whether an authority names its host by address. `localhost` is one: browsers do not ask DNS for
/// it.
fn is_address(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<http::uri::Authority>() else {
        return false;
    };
    let host = authority.host();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

/// Reads a query or a form (`application/x-www-form-urlencoded`): decoded once, in order, repeats
/// kept.
#[must_use]
pub fn fields(encoded: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(encoded).into_owned().collect()
}

/// The first value of a name.
#[must_use]
pub fn first<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public() -> Origin {
        Origin {
            url: url::Url::parse("https://git.example.com").unwrap(),
            text: "https://git.example.com".into(),
            https: true,
            authority: "git.example.com".into(),
        }
    }

    fn context(headers: &[(&'static str, &str)]) -> Context {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        Context {
            headers: map,
            client: [127, 0, 0, 1].into(),
            concealed: false,
            id: RequestId::fresh(),
        }
    }

    #[track_caller]
    fn check_post(headers: &[(&'static str, &str)], ours: bool) {
        let context = context(headers);
        assert_eq!(context.from_own_page(&public()), ours, "{headers:?}");
    }

    #[test]
    fn a_form_of_ours_is_ours() {
        check_post(&[("origin", "https://git.example.com")], true);
        check_post(
            &[("sec-fetch-site", "same-origin"), ("origin", "null")],
            true,
        );
        check_post(
            &[
                ("origin", "http://10.0.0.5:8080"),
                ("host", "10.0.0.5:8080"),
            ],
            true,
        );
        check_post(&[], true);
    }

    #[test]
    fn a_name_that_was_pointed_at_us_is_not_ours() {
        for (host, ours) in [
            ("evil.example:8080", false),
            ("10.0.0.5.evil.example", false),
            ("localhost:8080", true),
            ("[::1]:8080", true),
        ] {
            let origin = format!("http://{host}");
            check_post(&[("origin", &origin), ("host", host)], ours);
        }
    }

    #[test]
    fn a_form_elsewhere_is_not_ours() {
        check_post(&[("origin", "https://evil.example")], false);
        check_post(&[("origin", "null")], false);
        check_post(&[("origin", "https://git.example.com.evil.example")], false);
        check_post(
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://git.example.com"),
            ],
            false,
        );
        check_post(&[("sec-fetch-site", "same-site")], false);
        check_post(
            &[
                ("origin", "https://git.example.com"),
                ("origin", "https://evil.example"),
            ],
            false,
        );
        check_post(
            &[
                ("origin", "https://evil.example"),
                ("host", "git.example.com"),
            ],
            false,
        );
    }

    #[track_caller]
    fn check_get(headers: &[(&'static str, &str)], own: bool) {
        let context = context(headers);
        assert_eq!(context.is_own_navigation(&public()), own, "{headers:?}");
    }

    #[test]
    fn a_click_in_bitbuckets_menu_is_a_persons_own_step() {
        check_get(
            &[
                ("sec-fetch-site", "same-origin"),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "document"),
            ],
            true,
        );
        check_get(&[("sec-fetch-site", "none")], true);
        check_get(&[("referer", "https://git.example.com/dashboard")], true);
    }

    #[test]
    fn a_link_elsewhere_and_an_image_anywhere_are_not() {
        check_get(&[], false);
        check_get(&[("sec-fetch-site", "cross-site")], false);
        check_get(&[("referer", "https://evil.example/")], false);
        check_get(
            &[("referer", "https://git.example.com.evil.example/")],
            false,
        );
        check_get(
            &[
                ("sec-fetch-site", "same-origin"),
                ("sec-fetch-mode", "no-cors"),
                ("sec-fetch-dest", "image"),
            ],
            false,
        );
        check_get(
            &[
                ("sec-fetch-site", "same-origin"),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "iframe"),
            ],
            false,
        );
        check_get(
            &[
                ("sec-fetch-site", "same-origin"),
                ("sec-purpose", "prefetch"),
            ],
            false,
        );
    }

    #[test]
    fn a_browsers_name_is_short_and_visible() {
        let named = |name: &str| context(&[("user-agent", name)]).browser();
        assert_eq!(named("Firefox/1").as_deref(), Some("Firefox/1"));
        assert_eq!(named("a\tb").as_deref(), Some("ab"));
        assert_eq!(named("  "), None);
        assert_eq!(named(&"é".repeat(400)).unwrap().chars().count(), 256);
        assert_eq!(context(&[]).browser(), None);
    }

    #[test]
    fn fields_keep_order_and_repeats() {
        let read = fields(b"state=a%26b&code=x+y&state=c&&=z");
        assert_eq!(first(&read, "state"), Some("a&b"));
        assert_eq!(read.iter().filter(|(name, _)| name == "state").count(), 2);
        assert_eq!(first(&read, "none"), None);
    }
}
