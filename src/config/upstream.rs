//! `[upstream]`

use super::address::{is_within, origin, own_path};
use super::problems::{mistake, quoted};
use super::reader::{Read, Section};
use super::spec::Default::{Required, Unset, Value};
use super::spec::Shape::{self, Seconds, Text};
use super::spec::{DAY, HOUR, Table, key};
use super::values::{Choice, Chosen, choices};
use super::{Kind, Server, TlsFiles, Upstream, keys};

pub(super) static TABLE: Table = Table {
    doc: "What stands behind the gateway.",
    keys: &[
        key(
            "url",
            Text,
            Required(r#""http://bitbucket:7990""#),
            "Scheme, host and port of Bitbucket, as the gateway reaches it.",
        ),
        key(
            "kind",
            Shape::Choice(choices::<Kind>),
            Value(r#""bitbucket""#),
            "Whether Bitbucket's paths, cookies and sign-out get their rules, or nothing is special.",
        ),
        key(
            "context_path",
            Text,
            Value(r#""""#),
            "The path that Bitbucket runs under, such as /bitbucket. The gateway's own pages are not under it.",
        ),
        key(
            "connect_timeout_secs",
            Seconds(1, HOUR),
            Value("5"),
            "How long a connection to the upstream may take, TLS included.",
        ),
        key(
            "head_timeout_secs",
            Seconds(1, DAY),
            Value("120"),
            "How long the upstream may take until its response begins.",
        ),
        key(
            "idle_timeout_secs",
            Seconds(1, DAY),
            Value("300"),
            "How long both directions may be silent at once. There is no limit on the whole.",
        ),
        key(
            "ca_file",
            Text,
            Unset("the machine's authorities", r#""upstream-ca.pem""#),
            "Certificates in PEM to trust instead of the machine's authorities, for an https upstream.",
        ),
        key(
            "client_cert_file",
            Text,
            Unset("none", r#""client-cert.pem""#),
            "The certificate chain in PEM to show to an https upstream.",
        ),
        key(
            "client_key_file",
            Text,
            Unset("none", r#""client-key.pem""#),
            "The private key of client_cert_file, in PEM.",
        ),
    ],
};

impl Choice for Kind {
    const NAMES: &'static [(&'static str, Self)] =
        &[("bitbucket", Self::Bitbucket), ("generic", Self::Generic)];
}

pub(super) fn read(section: &Section<'_>, server: Option<&Server>) -> Read<Upstream> {
    let url = section.parse("url", origin);
    let kind = section.get::<Chosen<Kind>>("kind");
    let context_path = context_path(section, server);
    let connect_timeout = section.get("connect_timeout_secs");
    let head_timeout = section.get("head_timeout_secs");
    let idle_timeout = section.get("idle_timeout_secs");
    let ca_file = keys::certificates(section, "ca_file");
    let client_tls = client_tls(section);

    let url = url?;
    if !url.https {
        let why = "upstream.url is http";
        let ca = section.useless("ca_file", why);
        section.useless("client_cert_file", why).and(ca)?;
    }
    if server.is_some_and(|server| server.public_url == url) {
        return Err(section.spot_of("url").problem(mistake(
            format!(
                "{} is also server.public_url: the gateway would call itself",
                quoted(&url.text)
            ),
            "name the address at which Bitbucket itself listens",
        )));
    }
    Ok(Upstream {
        url,
        kind: kind?.0,
        context_path: context_path?,
        connect_timeout: connect_timeout?,
        head_timeout: head_timeout?,
        idle_timeout: idle_timeout?,
        ca_file: ca_file?,
        client_tls: client_tls?,
    })
}

fn context_path(section: &Section<'_>, server: Option<&Server>) -> Read<String> {
    let path = section.parse("context_path", |path| match path {
        "" => Ok(String::new()),
        path => own_path(path),
    })?;
    match server.map(|server| server.prefix.as_str()) {
        Some(prefix) if is_within(&path, prefix) => {
            Err(section.spot_of("context_path").problem(mistake(
                format!(
                    "{} is taken by server.prefix {}",
                    quoted(&path),
                    quoted(prefix)
                ),
                "choose another server.prefix",
            )))
        }
        _ => Ok(path),
    }
}

fn client_tls(section: &Section<'_>) -> Read<Option<TlsFiles>> {
    let cert_file = keys::certificates(section, "client_cert_file");
    let key_file = keys::private_key(section, "client_key_file");
    match (cert_file?, key_file?) {
        (None, None) => Ok(None),
        (Some(cert_file), Some(key_file)) => {
            let files = TlsFiles {
                cert_file,
                key_file,
            };
            keys::fit(&files)
                .map_err(|mistake| section.spot_of("client_key_file").problem(mistake))?;
            Ok(Some(files))
        }
        (Some(_), None) => Err(section.spot_of("client_cert_file").problem(mistake(
            "needs client_key_file",
            "name the private key of the certificate too",
        ))),
        (None, Some(_)) => Err(section.spot_of("client_key_file").problem(mistake(
            "needs client_cert_file",
            "name the certificate of the key too",
        ))),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Kind;
    use crate::config::testing::{Try, accepted, refused};

    #[track_caller]
    fn with(line: &str, expected: &[&str]) {
        refused(
            &format!("[upstream]\nurl = \"http://bitbucket:7990\"\n{line}"),
            expected,
        );
    }

    #[test]
    fn every_key_but_the_address_has_a_default() {
        let upstream = accepted("[upstream]\nurl = \"http://bitbucket:7990\"").upstream;
        assert_eq!(upstream.kind, Kind::Bitbucket);
        assert_eq!(upstream.context_path, "");
        let seconds = [
            upstream.connect_timeout,
            upstream.head_timeout,
            upstream.idle_timeout,
        ]
        .map(|t| t.as_secs());
        assert_eq!(seconds, [5, 120, 300]);
    }

    #[test]
    fn the_upstream_is_another_origin() {
        refused(
            "[upstream]\nurl = \"http://bitbucket:7990/bitbucket\"",
            &["2:7: upstream.url: \"http://bitbucket:7990/bitbucket\" has a path or query"],
        );
        refused(
            "[upstream]\nurl = \"https://git.example.com\"",
            &[
                "2:7: upstream.url: \"https://git.example.com\" is also server.public_url: the gateway would call itself",
            ],
        );
        refused("[upstream]", &["1:1: upstream.url: is missing"]);
    }

    #[test]
    fn the_kind_is_one_that_exists() {
        with(
            "kind = \"bitbuket\"",
            &["3:8: upstream.kind: unknown value \"bitbuket\"; did you mean \"bitbucket\"?"],
        );
        with(
            "kind = \"jira\"",
            &["3:8: upstream.kind: unknown value \"jira\""],
        );
        with(
            "kind = true",
            &["3:8: upstream.kind: must be a string: \"bitbucket\" or \"generic\", not true"],
        );
    }

    #[test]
    fn the_context_path_is_not_the_gateways_own() {
        with(
            "context_path = \"/sso\"",
            &["3:16: upstream.context_path: \"/sso\" is taken by server.prefix \"/sso\""],
        );
        with(
            "context_path = \"/sso/bitbucket\"",
            &["3:16: upstream.context_path: \"/sso/bitbucket\" is taken by server.prefix \"/sso\""],
        );
        with(
            "context_path = \"/\"",
            &["3:16: upstream.context_path: \"/\" would take every address of the upstream"],
        );
        with(
            "context_path = \"bitbucket\"",
            &["3:16: upstream.context_path: \"bitbucket\" does not begin with \"/\""],
        );
        let config = accepted("[upstream]\nurl = \"http://b:7990\"\ncontext_path = \"/bitbucket\"");
        assert_eq!(config.upstream.context_path, "/bitbucket");
    }

    #[test]
    fn tls_to_the_upstream_needs_https_and_both_files() {
        let cert = include_str!("testing/cert.pem");
        let key = include_str!("testing/key.pem");
        let tried = |lines: &str| {
            Try::new(&format!("[upstream]\nurl = \"https://bitbucket\"\n{lines}"))
                .file("c.pem", cert)
                .file("k.pem", key)
        };
        let both =
            tried("client_cert_file = \"c.pem\"\nclient_key_file = \"k.pem\"\nca_file = \"c.pem\"");
        let config = both.accepted();
        assert_eq!(
            config.upstream.client_tls.unwrap().key_file,
            both.path("k.pem")
        );
        assert_eq!(config.upstream.ca_file, Some(both.path("c.pem")));
        tried("client_cert_file = \"c.pem\"")
            .refused(&["3:20: upstream.client_cert_file: needs client_key_file"]);
        tried("client_key_file = \"k.pem\"")
            .refused(&["3:19: upstream.client_key_file: needs client_cert_file"]);
        tried("ca_file = \"k.pem\"").refused_with("holds no certificate in PEM");
        Try::new("[upstream]\nurl = \"http://bitbucket\"\nca_file = \"c.pem\"")
            .file("c.pem", cert)
            .refused(&["3:11: upstream.ca_file: has no effect: upstream.url is http"]);
    }
}
