//! `[server]`

use super::address::{is_loopback, network, origin, own_path, socket_address};
use super::problems::{mistake, quoted};
use super::reader::{At, Read, Section};
use super::spec::Default::{Required, Unset, Value};
use super::spec::Shape::{Count, Seconds, Text, Texts};
use super::spec::{DAY, HOUR, Shape, Table, key};
use super::{Origin, Server, TlsFiles, keys};
use std::net::SocketAddr;

pub(super) static TABLE: Table = Table {
    doc: "The listeners of the gateway.",
    keys: &[
        key(
            "public_url",
            Text,
            Required(r#""https://git.example.com""#),
            "The one origin that browsers see: scheme, host and port.",
        ),
        key(
            "listen",
            Text,
            Value(r#""0.0.0.0:8080""#),
            "Address and port of the public listener.",
        ),
        key(
            "admin_listen",
            Text,
            Value(r#""127.0.0.1:9090""#),
            "Address and port of health, readiness and metrics. They ask nobody for a password.",
        ),
        key(
            "prefix",
            Text,
            Value(r#""/sso""#),
            "Where the gateway's own pages are. Everything else is the upstream's.",
        ),
        key(
            "trusted_proxies",
            Texts,
            Value("[]"),
            "Addresses and networks of proxies in front whose X-Forwarded-* fields count, or their Forwarded if they send none of these. Empty: nobody's.",
        ),
        key(
            "tls",
            Shape::Table(&TLS),
            Unset(
                "plain HTTP",
                r#"{ cert_file = "cert.pem", key_file = "key.pem" }"#,
            ),
            "Makes the public listener speak TLS.",
        ),
        key(
            "head_timeout_secs",
            Seconds(1, HOUR),
            Value("30"),
            "How long a client may take for its TLS handshake, and for the head of a request.",
        ),
        key(
            "drain_timeout_secs",
            Seconds(0, DAY),
            Value("30"),
            "How long running requests may go on after SIGTERM.",
        ),
        key(
            "max_connections",
            Count(1, 10_000_000),
            Value("10000"),
            "Connections at once on the public listener; more wait in the operating system's queue.",
        ),
    ],
};

static TLS: Table = Table {
    doc: "Certificate and key of the public listener. A changed file takes effect without a restart.",
    keys: &[
        key(
            "cert_file",
            Text,
            Required(r#""cert.pem""#),
            "The certificate chain in PEM, leaf first.",
        ),
        key(
            "key_file",
            Text,
            Required(r#""key.pem""#),
            "The private key in PEM.",
        ),
    ],
};

pub(super) fn read(section: &Section<'_>) -> Read<Server> {
    let public_url = public_url(section);
    let listen = section.parse("listen", socket_address);
    let admin_listen = admin_listen(section, listen.ok());
    let prefix = section.parse("prefix", own_path);
    let trusted_proxies = section.parse_each("trusted_proxies", network);
    let tls = tls(section, public_url.as_ref().ok());
    let head_timeout = section.get("head_timeout_secs");
    let drain_timeout = section.get("drain_timeout_secs");
    let max_connections = section.get("max_connections");

    let trusted_proxies = trusted_proxies?;
    if trusted_proxies
        .iter()
        .any(|network| network.prefix_len() == 0)
    {
        section
            .spot_of("trusted_proxies")
            .warn("everybody is trusted to say where a request comes from");
    }
    Ok(Server {
        public_url: public_url?,
        listen: listen?,
        admin_listen: admin_listen?,
        prefix: prefix?,
        trusted_proxies,
        tls: tls?,
        head_timeout: head_timeout?,
        drain_timeout: drain_timeout?,
        max_connections: max_connections?,
    })
}

fn public_url(section: &Section<'_>) -> Read<Origin> {
    let public_url = section.parse("public_url", origin)?;
    if !public_url.https && !is_loopback(&public_url.url) {
        section.spot_of("public_url").warn(format!(
            "{} is not https: cookies and pages travel in the clear",
            quoted(&public_url.text)
        ));
    }
    Ok(public_url)
}

fn admin_listen(section: &Section<'_>, listen: Option<SocketAddr>) -> Read<SocketAddr> {
    let admin_listen = section.parse("admin_listen", socket_address)?;
    let spot = section.spot_of("admin_listen");
    // Port 0 is a different one each time.
    if listen == Some(admin_listen) && admin_listen.port() != 0 {
        return Err(spot.problem(mistake(
            format!("\"{admin_listen}\" is also server.listen"),
            "give the two listeners different ports",
        )));
    }
    if !admin_listen.ip().is_loopback() {
        spot.warn(format!(
            "\"{admin_listen}\" is not loopback, and nobody there is asked for a password"
        ));
    }
    Ok(admin_listen)
}

fn tls(server: &Section<'_>, public_url: Option<&Origin>) -> Read<Option<TlsFiles>> {
    if !server.says("tls") {
        return Ok(None);
    }
    let section = server.table("tls");
    let cert_file = keys::certificates(&section, "cert_file");
    let key_file = keys::private_key(&section, "key_file");
    let need = |name, file: Option<_>| file.ok_or_else(|| section.missing(name));
    let cert_file = cert_file.and_then(|file| need("cert_file", file));
    let key_file = key_file.and_then(|file| need("key_file", file));
    if let Some(url) = public_url.filter(|url| !url.https) {
        return Err(section.spot().problem(mistake(
            format!(
                "the listener would speak TLS, but server.public_url is {}",
                quoted(&url.text)
            ),
            "write public_url with https, or remove tls",
        )));
    }
    let files = TlsFiles {
        cert_file: cert_file?,
        key_file: key_file?,
    };
    let key_name = section.get::<At<'_, String>>("key_file")?;
    key_name.check(|_| keys::fit(&files))?;
    Ok(Some(files))
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{Try, accepted, refused, warned};

    #[test]
    fn every_key_but_the_address_has_a_default() {
        let server = accepted("[server]\npublic_url = \"https://git.example.com\"").server;
        assert_eq!(server.listen, "0.0.0.0:8080".parse().unwrap());
        assert_eq!(server.admin_listen, "127.0.0.1:9090".parse().unwrap());
        assert_eq!(server.prefix, "/sso");
        assert_eq!(server.head_timeout.as_secs(), 30);
        assert_eq!(server.max_connections, 10_000);
        assert_eq!(server.tls, None);
        assert!(server.trusted_proxies.is_empty());
    }

    #[test]
    fn the_public_address_is_an_https_origin() {
        refused(
            "[server]\nlisten = \"0.0.0.0:80\"",
            &["1:1: server.public_url: is missing"],
        );
        refused(
            "[server]\npublic_url = \"https://git.example.com/bitbucket\"",
            &["2:14: server.public_url: \"https://git.example.com/bitbucket\" has a path or query"],
        );
        warned(
            "[server]\npublic_url = \"http://git.example.com\"",
            &[
                "server.public_url: \"http://git.example.com\" is not https: cookies and pages travel in the clear",
            ],
        );
        warned("[server]\npublic_url = \"http://127.0.0.1:8080\"", &[]);
    }

    #[track_caller]
    fn with(line: &str, expected: &[&str]) {
        refused(
            &format!("[server]\npublic_url = \"https://git.example.com\"\n{line}"),
            expected,
        );
    }

    #[test]
    fn listeners_are_two_addresses() {
        with(
            "listen = \":8080\"",
            &["3:10: server.listen: \":8080\" is not an IP address with a port"],
        );
        with(
            "listen = 8080",
            &["3:10: server.listen: must be a string, not a number"],
        );
        with(
            "listen = \"127.0.0.1:9090\"",
            &["1:1: server.admin_listen: \"127.0.0.1:9090\" is also server.listen"],
        );
        warned(
            "[server]\npublic_url = \"https://git.example.com\"\nadmin_listen = \"0.0.0.0:9090\"",
            &[
                "server.admin_listen: \"0.0.0.0:9090\" is not loopback, and nobody there is asked for a password",
            ],
        );
    }

    #[test]
    fn the_prefix_is_a_plain_path_of_its_own() {
        with(
            "prefix = \"/\"",
            &["3:10: server.prefix: \"/\" would take every address of the upstream"],
        );
        with(
            "prefix = \"sso\"",
            &["3:10: server.prefix: \"sso\" does not begin with \"/\""],
        );
        with(
            "prefix = \"/sso/\"",
            &["3:10: server.prefix: \"/sso/\" ends with \"/\""],
        );
        with(
            "prefix = \"/a/../b\"",
            &["3:10: server.prefix: \"/a/../b\" has an empty or dot segment"],
        );
        with(
            "prefix = \"//sso\"",
            &["3:10: server.prefix: \"//sso\" has an empty or dot segment"],
        );
        with(
            "prefix = \"/s%73o\"",
            &["3:10: server.prefix: \"/s%73o\" is not a plain path"],
        );
        with(
            "prefix = \"/sso?x\"",
            &["3:10: server.prefix: \"/sso?x\" is not a plain path"],
        );
    }

    #[test]
    fn trusted_proxies_are_addresses_or_networks() {
        let server = accepted("[server]\npublic_url = \"https://git.example.com\"\ntrusted_proxies = [\"10.0.0.5\", \"fd00::/8\"]").server;
        assert_eq!(
            server.trusted_proxies,
            ["10.0.0.5/32".parse().unwrap(), "fd00::/8".parse().unwrap()]
        );
        with(
            "trusted_proxies = [\"10.0.0.0/8\", \"proxy\", \"10.1.2.3/8\"]",
            &[
                "3:34: server.trusted_proxies[1]: \"proxy\" is neither an address nor a network",
                "3:43: server.trusted_proxies[2]: \"10.1.2.3/8\" has bits beyond its prefix length",
            ],
        );
        with(
            "trusted_proxies = [\"::1\", \"::1/128\"]",
            &["3:27: server.trusted_proxies[1]: \"::1/128\" stands there twice"],
        );
        with(
            "trusted_proxies = \"::1\"",
            &["3:19: server.trusted_proxies: must be an array, not a string"],
        );
        warned(
            "[server]\npublic_url = \"https://git.example.com\"\ntrusted_proxies = [\"0.0.0.0/0\"]",
            &["server.trusted_proxies: everybody is trusted to say where a request comes from"],
        );
    }

    #[test]
    fn numbers_keep_their_bounds() {
        with(
            "head_timeout_secs = 0",
            &["3:21: server.head_timeout_secs: 0 is not between 1 and 3600"],
        );
        with(
            "head_timeout_secs = -1",
            &["3:21: server.head_timeout_secs: -1 is not between 1 and 3600"],
        );
        with(
            "head_timeout_secs = 99999999999999999999999999999999999999999999",
            &[
                "3:21: server.head_timeout_secs: 99999999999999999999999999999999999999999999 is not between 1 and 3600",
            ],
        );
        with(
            "drain_timeout_secs = \"30s\"",
            &["3:22: server.drain_timeout_secs: must be a number of seconds, not a string"],
        );
        with(
            "max_connections = 1.5",
            &["3:19: server.max_connections: must be a number, not a number with a fraction"],
        );
    }

    #[test]
    fn the_listener_speaks_tls_with_a_certificate_and_its_key() {
        let text = "[server]\npublic_url = \"https://git.example.com\"\ntls = { cert_file = \"c.pem\", key_file = \"k.pem\" }";
        let cert = include_str!("testing/cert.pem");
        let key = include_str!("testing/key.pem");
        let tried = Try::new(text).file("c.pem", cert).file("k.pem", key);
        let loaded = tried.loaded();
        assert_eq!(
            loaded.config.server.tls.unwrap().cert_file,
            tried.path("c.pem")
        );
        assert!(loaded.files.contains(&tried.path("k.pem")));

        let other = crate::config::generate_assertion_key();
        Try::new(text)
            .file("c.pem", cert)
            .file("k.pem", &other)
            .refused(&[
                "3:41: server.tls.key_file: the private key does not belong to the certificate",
            ]);
        Try::new(text)
            .file("c.pem", key)
            .file("k.pem", key)
            .refused_with("c.pem\" holds no certificate in PEM");
        Try::new(text)
            .file("c.pem", cert)
            .file("k.pem", cert)
            .refused_with("k.pem\" holds no private key in PEM");
        let missing = Try::new(text).problems();
        assert_eq!(missing.matches("there is no such file").count(), 2);
        with(
            "tls = { cert_file = \"/dev/null\" }",
            &[
                "3:7: server.tls.key_file: is missing",
                "3:21: server.tls.cert_file: \"/dev/null\" is not a regular file",
            ],
        );
        Try::new(&text.replace("https://git.example.com", "http://127.0.0.1:1")).file("c.pem", cert).file("k.pem", key).refused(&["3:7: server.tls: the listener would speak TLS, but server.public_url is \"http://127.0.0.1:1\""]);
    }
}
