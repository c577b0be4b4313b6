//! `[sign_out]`

use super::address::{is_within, plain_path, web_address};
use super::problems::{Mistake, mistake, quoted};
use super::reader::{Read, Section};
use super::spec::Default::Value;
use super::spec::Shape::{Flag, Text};
use super::spec::{Table, key};
use super::{Server, SignOut};
use url::Url;

pub(super) static TABLE: Table = Table {
    doc: "What a sign-out ends, and where it lands.",
    keys: &[
        key(
            "provider_logout",
            Flag,
            Value("true"),
            "Whether a sign-out also ends the session at the provider, when it offers that.",
        ),
        key(
            "redirect_to",
            Text,
            Value(r#""""#),
            "Where the browser lands: an address, or a path of server.public_url. Empty: the signed-out page.",
        ),
    ],
};

pub(super) fn read(section: &Section<'_>, server: Option<&Server>) -> Read<SignOut> {
    let provider_logout = section.get("provider_logout");
    let redirect_to = section.parse("redirect_to", |text| redirect_to(text, server));
    Ok(SignOut {
        provider_logout: provider_logout?,
        redirect_to: redirect_to?,
    })
}

fn redirect_to(text: &str, server: Option<&Server>) -> Result<Option<Url>, Mistake> {
    if text.is_empty() {
        return Ok(None);
    }
    let url = match server {
        Some(server) if text.starts_with('/') => {
            let path = text.split_once('?').map_or(text, |(path, _)| path);
            plain_path(path)?;
            server.public_url.url.join(text).map_err(|_| {
                mistake(
                    format!("{} is not a path", quoted(text)),
                    "for example \"/bye\"",
                )
            })?
        }
        // Nothing to join with: the address has its own problem, and this is probably right.
        None if text.starts_with('/') => return Ok(None),
        _ => web_address(text)?,
    };
    let ours = server.filter(|server| url.origin() == server.public_url.url.origin());
    if ours.is_some_and(|server| is_within(url.path(), &server.prefix)) {
        return Err(mistake(
            format!("{} is a page of the gateway itself", quoted(text)),
            "leave it empty for the signed-out page",
        ));
    }
    Ok(Some(url))
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, refused};

    #[track_caller]
    fn lands_at(text: &str, want: Option<&str>) {
        let sign_out = accepted(&format!("[sign_out]\nredirect_to = \"{text}\"")).sign_out;
        assert_eq!(sign_out.redirect_to.as_ref().map(url::Url::as_str), want);
    }

    #[test]
    fn a_sign_out_lands_on_our_page_a_path_or_an_address() {
        lands_at("", None);
        lands_at("/status?x=1", Some("https://git.example.com/status?x=1"));
        lands_at(
            "https://intranet.example.com/bye",
            Some("https://intranet.example.com/bye"),
        );
        assert!(accepted("").sign_out.provider_logout);
    }

    #[test]
    fn a_sign_out_lands_nowhere_else() {
        for (text, what) in [
            (
                "//evil.example",
                "\"//evil.example\" has an empty or dot segment",
            ),
            (
                "javascript:alert(1)",
                "\"javascript:alert(1)\" is not an http or https address",
            ),
            ("bye", "\"bye\" is not an address"),
            (
                "/sso/login",
                "\"/sso/login\" is a page of the gateway itself",
            ),
            (
                "https://git.example.com/sso/login",
                "\"https://git.example.com/sso/login\" is a page of the gateway itself",
            ),
        ] {
            refused(
                &format!("[sign_out]\nredirect_to = \"{text}\""),
                &[&format!("2:15: sign_out.redirect_to: {what}")],
            );
        }
    }
}
