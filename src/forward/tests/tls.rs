//! `https` to the upstream: whom we trust, and how we show who we are.

use super::*;
use crate::config::TlsFiles;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::PathBuf;
use tokio_rustls::TlsAcceptor;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key in PEM.
fn issue(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn file(dir: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// The file of an authority that nobody asks for anything. Stays until the tests end.
pub(super) fn authority_file() -> PathBuf {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "ca.pem", &authority().pem());
    let _ = dir.keep();
    path
}

/// One exchange with an upstream that has `server`'s certificate for 127.0.0.1 and lets only
/// those in whom `clients` has certified. Answers what the client sees.
async fn exchange(
    server: &Authority,
    clients: Option<&Authority>,
    change: impl FnOnce(&mut Config),
) -> String {
    let way = Way::with(None, |config| {
        let port = config.upstream.url.url.port().unwrap();
        config.upstream.url = origin(&format!("https://127.0.0.1:{port}"));
        change(config);
    })
    .await;
    let (cert, key) = issue(server, "127.0.0.1");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(clients.der().clone()).unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
                Arc::new(roots),
                provider,
            );
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let tls = builder
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    let (mut near, far) = way.begin(&ask("GET /", "Connection: close\r\n")).await;
    tokio::spawn(async move {
        let mut stream = TlsAcceptor::from(Arc::new(tls))
            .accept(far.0)
            .await
            .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(OK.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    });
    near.rest().await
}

#[tokio::test]
async fn an_authority_of_ones_own_and_a_client_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let (servers, clients) = (authority(), authority());
    let ca_file = file(&dir, "ca.pem", &servers.pem());
    let (cert, key) = issue(&clients, "gateway");
    let client_tls = TlsFiles {
        cert_file: file(&dir, "cert.pem", &cert),
        key_file: file(&dir, "key.pem", &key),
    };
    let seen = exchange(&servers, None, |config| {
        config.upstream.ca_file = Some(ca_file.clone());
    })
    .await;
    assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
    let seen = exchange(&servers, Some(&clients), |config| {
        config.upstream.ca_file = Some(ca_file.clone());
        config.upstream.client_tls = Some(client_tls);
    })
    .await;
    assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
    let seen = exchange(&servers, Some(&clients), |config| {
        config.upstream.ca_file = Some(ca_file);
    })
    .await;
    assert!(seen.starts_with("HTTP/1.1 502"), "{seen}");
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let ca_file = file(&dir, "ca.pem", &authority().pem());
    let seen = exchange(&authority(), None, |config| {
        config.upstream.ca_file = Some(ca_file);
    })
    .await;
    assert!(seen.starts_with("HTTP/1.1 502"), "{seen}");
    assert!(seen.contains("no secure connection"), "{seen}");
}

#[test]
fn the_end_of_the_client_certificate_is_in_the_metrics() {
    let dir = tempfile::tempdir().unwrap();
    let authority = authority();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["gateway".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2033, 5, 18);
    let cert = params.signed_by(&key, &authority).unwrap();
    let files = TlsFiles {
        cert_file: file(&dir, "own.pem", &(cert.pem() + &authority.pem())),
        key_file: file(&dir, "own.key", &key.serialize_pem()),
    };
    let metrics = Metrics::new();
    let prepare = |url: &str, client_tls: Option<TlsFiles>| {
        let config = settings(([127, 0, 0, 1], 1).into(), |config| {
            config.upstream.url = origin(url);
            config.upstream.ca_file = Some(file(&dir, "ca.pem", &authority.pem()));
            config.upstream.client_tls = client_tls;
        });
        Upstream::new(
            &config,
            Endings::default(),
            Clock::system(),
            metrics.clone(),
        )
        .unwrap();
        metrics.render().contains("own.pem\"} 1999987200\n")
    };
    assert!(prepare("https://127.0.0.1", Some(files.clone())));
    assert!(!prepare("https://127.0.0.1", None));
    assert!(prepare("https://127.0.0.1", Some(files.clone())));
    assert!(!prepare("http://127.0.0.1", Some(files)));
}

#[test]
fn files_that_cannot_be_used_stop_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let ca_file = file(&dir, "ca.pem", &authority().pem());
    let (cert, _) = issue(&authority(), "a");
    let (_, other) = issue(&authority(), "b");
    let pair = TlsFiles {
        cert_file: file(&dir, "cert.pem", &cert),
        key_file: file(&dir, "key.pem", &other),
    };
    let check = |change: &dyn Fn(&mut Config), text: &str| {
        let config = settings(([127, 0, 0, 1], 1).into(), |config| {
            config.upstream.url = origin("https://127.0.0.1");
            config.upstream.ca_file = Some(ca_file.clone());
            change(config);
        });
        let error = Upstream::new(&config, Endings::default(), Clock::system(), Metrics::new())
            .unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    };
    let missing = dir.path().join("missing.pem");
    check(
        &|config| config.upstream.ca_file = Some(missing.clone()),
        "missing.pem\" cannot be used",
    );
    // Framed as a certificate, and none.
    let framed = TlsFiles {
        cert_file: file(
            &dir,
            "framed.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ),
        key_file: pair.key_file.clone(),
    };
    check(
        &|config| config.upstream.client_tls = Some(framed.clone()),
        "TLS settings cannot be used",
    );
    check(
        &|config| config.upstream.client_tls = Some(pair.clone()),
        "TLS settings cannot be used",
    );
}
