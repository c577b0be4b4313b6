//! `[identity]`

use super::problems::{Mistake, mistake, quoted};
use super::reader::{At, Read, Reported, Section};
use super::spec::Default::{Unset, Value};
use super::spec::Shape::{self, Secrets, Text};
use super::spec::{Table, key};
use super::values::{Choice, Chosen, choices};
use super::{Algorithm, Assertion, Identity, Upstream, keys};
use crate::secret::Secret;
use http::HeaderName;

pub(super) static TABLE: Table = Table {
    doc: "What Bitbucket is told about the person.",
    keys: &[
        key(
            "mode",
            Shape::Choice(choices::<Mode>),
            Value(r#""header""#),
            "How Bitbucket is told: in headers that it trusts.",
        ),
        key(
            "user_header",
            Text,
            Value(r#""X-Forwarded-User""#),
            "The header that carries the username.",
        ),
        key(
            "email_header",
            Text,
            Value(r#""""#),
            "The header that carries the e-mail address. Empty: not sent.",
        ),
        key(
            "name_header",
            Text,
            Value(r#""""#),
            "The header that carries the display name. Empty: not sent.",
        ),
        key(
            "groups_header",
            Text,
            Value(r#""""#),
            "The header that carries the groups, comma-separated. Empty: not sent.",
        ),
        key(
            "assertion_header",
            Text,
            Value(r#""""#),
            "The header that carries a short-lived signed JWT with the same facts. Empty: not sent.",
        ),
        key(
            "assertion_audience",
            Text,
            Unset("upstream.url", r#""http://bitbucket:7990""#),
            "The aud claim of that JWT.",
        ),
        key(
            "assertion_keys",
            Secrets,
            Value("[]"),
            "Private keys of that JWT: P-256 or Ed25519 in PKCS#8 PEM. The first signs, all are published.",
        ),
    ],
};

#[derive(Debug, Clone, Copy)]
enum Mode {
    Header,
}

impl Choice for Mode {
    const NAMES: &'static [(&'static str, Self)] = &[("header", Self::Header)];
}

pub(super) fn read(section: &Section<'_>, upstream: Option<&Upstream>) -> Read<Identity> {
    let mode = section.get::<Chosen<Mode>>("mode");
    let mut names = Names::default();
    let user_header = names
        .read(section, "user_header")
        .and_then(|name| name.ok_or_else(|| no_user_header(section)));
    let email_header = names.read(section, "email_header");
    let name_header = names.read(section, "name_header");
    let groups_header = names.read(section, "groups_header");
    let assertion_header = names.read(section, "assertion_header");
    let assertion = assertion(section, assertion_header, upstream);

    let Chosen(Mode::Header) = mode?;
    Ok(Identity {
        user_header: user_header?,
        email_header: email_header?,
        name_header: name_header?,
        groups_header: groups_header?,
        assertion: assertion?,
    })
}

fn no_user_header(section: &Section<'_>) -> Reported {
    section.spot_of("user_header").problem(mistake(
        "is empty",
        "Bitbucket has to be told who it is; the usual value is \"X-Forwarded-User\"",
    ))
}

/// The header names that are taken already, folded as servers fold them.
#[derive(Default)]
struct Names(Vec<(String, &'static str)>);

impl Names {
    fn read(&mut self, section: &Section<'_>, key: &'static str) -> Read<Option<HeaderName>> {
        let written = section.get::<At<'_, String>>(key)?;
        if written.value.is_empty() {
            return Ok(None);
        }
        let name = written.check(|name| header_name(name))?;
        // CGI, WSGI and the like read "_" for "-" and lose the case, so that two names which
        // differ only there are one for them.
        let folded = fold(name.as_str());
        if let Some((_, other)) = self.0.iter().find(|(taken, _)| *taken == folded) {
            return Err(written.spot.problem(mistake(
                format!(
                    "{} is the same header as identity.{other}",
                    quoted(&written.value)
                ),
                "give each fact a header of its own",
            )));
        }
        self.0.push((folded, key));
        Ok(Some(name))
    }
}

fn fold(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

/// Header fields with a meaning of their own, folded: an identity in them would be lost, or would
/// break the request.
const TAKEN: &[&str] = &[
    // RFC 9110 §7.6.1 and its kin: they end at the next hop.
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    // The message itself.
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "git-protocol",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "priority",
    "range",
    "referer",
    "server",
    "set-cookie",
    "user-agent",
    "vary",
    "via",
    "www-authenticate",
    "x-atlassian-token",
    "x-http-method-override",
    "x-request-id",
    "x-requested-with",
    // The gateway writes these itself.
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-protocol",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-real-ip",
];

fn header_name(text: &str) -> Result<HeaderName, Mistake> {
    let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| {
        mistake(
            format!("{} is not a header name", quoted(text)),
            "letters, digits and hyphens, such as \"X-Forwarded-User\"",
        )
    })?;
    let folded = fold(name.as_str());
    if TAKEN.contains(&folded.as_str()) || folded.starts_with("sec-") {
        return Err(mistake(
            format!("{} is a header with a meaning of its own", quoted(text)),
            "choose a name that nothing else uses, such as \"X-Forwarded-User\"",
        ));
    }
    Ok(name)
}

fn assertion(
    section: &Section<'_>,
    header: Read<Option<HeaderName>>,
    upstream: Option<&Upstream>,
) -> Read<Option<Assertion>> {
    let audience = section.find::<At<'_, String>>("assertion_audience");
    let keys = section
        .get::<Vec<At<'_, Secret<String>>>>("assertion_keys")
        .and_then(assertion_keys);
    let (header, audience, keys) = (header?, audience?, keys?);
    let Some(header) = header else {
        if !keys.is_empty() {
            return Err(section.spot_of("assertion_keys").problem(mistake(
                "has no effect: identity.assertion_header is empty",
                "name the header of the assertion, such as \"X-Portcullis-Assertion\", or remove the keys",
            )));
        }
        section.useless("assertion_audience", "identity.assertion_header is empty")?;
        return Ok(None);
    };
    if keys.is_empty() {
        return Err(section.spot_of("assertion_header").problem(mistake(
            "needs identity.assertion_keys",
            "make a key with: portcullis generate-key --assertion > assertion.pem, and write \
             assertion_keys = [{ file = \"assertion.pem\" }]",
        )));
    }
    let audience = match audience {
        Some(audience) if audience.value.is_empty() => {
            return Err(audience.spot.problem(mistake(
                "is empty",
                "remove the line for the default, which is upstream.url",
            )));
        }
        Some(audience) => audience.value,
        None => upstream
            .map(|upstream| upstream.url.text.clone())
            .unwrap_or_default(),
    };
    Ok(Some(Assertion {
        header,
        audience,
        keys,
    }))
}

fn assertion_keys(written: Vec<At<'_, Secret<String>>>) -> Read<Vec<Secret<String>>> {
    let mut keys: Vec<Secret<String>> = Vec::with_capacity(written.len());
    let mut failed = None;
    for key in written {
        let checked = key.check(|pem| match keys::algorithm_of(pem.expose())? {
            Algorithm::ES256 | Algorithm::EdDSA if keys.contains(pem) => Err(mistake(
                "the same key stands there twice",
                "remove one of the two",
            )),
            Algorithm::ES256 | Algorithm::EdDSA => Ok(()),
            _ => Err(mistake(
                "the key is neither P-256 nor Ed25519",
                "make one with: portcullis generate-key --assertion",
            )),
        });
        match checked {
            Ok(()) => keys.push(key.value),
            Err(reported) => failed = Some(reported),
        }
    }
    failed.map_or(Ok(keys), Err)
}

#[cfg(test)]
mod tests {
    use crate::config::generate_assertion_key;
    use crate::config::testing::{Try, accepted, pem, refused};

    #[track_caller]
    fn with(line: &str, expected: &[&str]) {
        refused(&format!("[identity]\n{line}"), expected);
    }

    #[test]
    fn the_username_alone_is_sent_by_default() {
        let identity = accepted("").identity;
        let headers: Vec<_> = identity
            .headers()
            .map(|name| name.as_str().to_owned())
            .collect();
        assert_eq!(headers, ["x-forwarded-user"]);
    }

    #[test]
    fn a_header_is_one_that_nothing_else_uses() {
        for name in [
            "Host",
            "Authorization",
            "cookie",
            "Content_Length",
            "Connection",
            "X-Forwarded-For",
            "Forwarded",
            "Sec-Fetch-Mode",
            "Transfer-Encoding",
        ] {
            with(
                &format!("user_header = \"{name}\""),
                &[&format!(
                    "2:15: identity.user_header: \"{name}\" is a header with a meaning of its own"
                )],
            );
        }
        with(
            "email_header = \"X Mail\"",
            &["2:16: identity.email_header: \"X Mail\" is not a header name"],
        );
        with(
            "email_header = \"X-Mäil\"",
            &["2:16: identity.email_header: \"X-Mäil\" is not a header name"],
        );
        with(
            "user_header = \"\"",
            &["2:15: identity.user_header: is empty"],
        );
    }

    #[test]
    fn two_headers_that_fold_together_are_one() {
        with(
            "email_header = \"x_forwarded_user\"",
            &[
                "2:16: identity.email_header: \"x_forwarded_user\" is the same header as identity.user_header",
            ],
        );
        with(
            "name_header = \"X-Name\"\ngroups_header = \"X-NAME\"",
            &[
                "3:17: identity.groups_header: \"X-NAME\" is the same header as identity.name_header",
            ],
        );
    }

    #[test]
    fn only_header_mode_exists() {
        with(
            "mode = \"crowd\"",
            &["2:8: identity.mode: unknown value \"crowd\""],
        );
    }

    #[test]
    fn an_assertion_has_a_header_and_keys() {
        let text = "[identity]\nassertion_header = \"X-Assertion\"\nassertion_keys = [{ file = \"a.pem\" }]";
        let config = Try::new(text)
            .file("a.pem", &generate_assertion_key())
            .accepted();
        let assertion = config.identity.assertion.unwrap();
        assert_eq!(assertion.header, "x-assertion");
        assert_eq!(assertion.audience, "http://bitbucket:7990");
        let text = format!("{text}\nassertion_audience = \"bitbucket\"");
        let config = Try::new(&text).file("a.pem", &pem::ed25519()).accepted();
        assert_eq!(config.identity.assertion.unwrap().audience, "bitbucket");

        with(
            "assertion_header = \"X-Assertion\"",
            &["2:20: identity.assertion_header: needs identity.assertion_keys"],
        );
        with(
            "assertion_audience = \"bitbucket\"",
            &[
                "2:22: identity.assertion_audience: has no effect: identity.assertion_header is empty",
            ],
        );
        Try::new("[identity]\nassertion_keys = [{ file = \"a.pem\" }]")
            .file("a.pem", &generate_assertion_key())
            .refused(&[
                "2:18: identity.assertion_keys: has no effect: identity.assertion_header is empty",
            ]);
        Try::new(&text.replace("\"bitbucket\"", "\"\""))
            .file("a.pem", &pem::ed25519())
            .refused(&["4:22: identity.assertion_audience: is empty"]);
    }

    #[test]
    fn an_assertion_key_is_p256_or_ed25519_and_stands_there_once() {
        let text = "[identity]\nassertion_header = \"X-Assertion\"\nassertion_keys = [{ file = \"a.pem\" }, { file = \"b.pem\" }]";
        let good = generate_assertion_key();
        let tried = |b: &str| Try::new(text).file("a.pem", &good).file("b.pem", b);
        tried(&good)
            .refused(&["3:39: identity.assertion_keys[1]: the same key stands there twice"]);
        tried(&pem::rsa())
            .refused(&["3:39: identity.assertion_keys[1]: the key is neither P-256 nor Ed25519"]);
        tried(&pem::p384())
            .refused(&["3:39: identity.assertion_keys[1]: the key is neither P-256 nor Ed25519"]);
        tried("hunter2")
            .refused(&["3:39: identity.assertion_keys[1]: the secret is not a private key in PEM"]);
        tried(&pem::sec1()).refused_with("SEC 1");
    }
}
