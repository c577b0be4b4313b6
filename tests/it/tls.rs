//! The listener's own TLS, and certificates that change while it serves.

use crate::support::Setup;
use crate::support::gateway::{backdoor, base};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Writes a fresh certificate and its key under these names, and answers the certificate.
fn certify(folder: &Path, name: &str) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["git.example.com".to_owned()]).unwrap();
    std::fs::write(folder.join(format!("{name}.pem")), cert.pem()).unwrap();
    std::fs::write(
        folder.join(format!("{name}.key")),
        signing_key.serialize_pem(),
    )
    .unwrap();
    cert.der().clone()
}

async fn setup(folder: &Path) -> Setup {
    let tls = format!(
        "tls = {{ cert_file = \"{0}/one.pem\", key_file = \"{0}/one.key\" }}\n[upstream]",
        folder.display()
    );
    let toml = base().replace("[upstream]", &tls) + &backdoor() + "[sign_in]\nenabled = false\n";
    Setup::start(&toml).await
}

/// Connects, if the listener shows this certificate.
async fn connect(setup: &Setup, trusted: &CertificateDer<'static>) -> Option<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(setup.running.public_addr())
        .await
        .unwrap();
    let name = ServerName::try_from("git.example.com").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .ok()
}

async fn get(stream: &mut TlsStream<TcpStream>, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: git.example.com\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 8192];
    let count = stream.read(&mut buffer).await.unwrap();
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

#[tokio::test]
async fn a_reload_shows_another_certificate_and_cuts_nobody() {
    let folder = TempDir::new().unwrap();
    let one = certify(folder.path(), "one");
    let setup = setup(folder.path()).await;
    let mut open = connect(&setup, &one).await.expect("the first certificate");
    assert!(get(&mut open, "/a").await.starts_with("HTTP/1.1 200"));
    assert_eq!(
        setup.upstream.last().one("x-forwarded-proto").as_deref(),
        Some("https")
    );

    let two = certify(folder.path(), "two");
    assert!(connect(&setup, &two).await.is_none());
    setup.reload("/one.", "/two.").await.unwrap();
    assert!(connect(&setup, &two).await.is_some());
    assert!(connect(&setup, &one).await.is_none());
    assert!(get(&mut open, "/b").await.starts_with("HTTP/1.1 200"));

    // A renewed certificate under the same name.
    let renewed = certify(folder.path(), "two");
    setup.reload("/one.", "/two.").await.unwrap();
    assert!(connect(&setup, &renewed).await.is_some());
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let one = certify(folder.path(), "one");
    let setup = setup(folder.path()).await;
    certify(folder.path(), "two");
    // Another certificate's key.
    std::fs::copy(folder.path().join("one.key"), folder.path().join("two.key")).unwrap();
    for broken in ["/two.", "/none."] {
        assert!(setup.reload("/one.", broken).await.is_err(), "{broken}");
    }
    assert!(connect(&setup, &one).await.is_some());
    let expiry = setup.metric("portcullis_certificate_expiry");
    assert!(expiry.is_some_and(|line| line.contains("one.pem")));
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_not_answered() {
    let folder = TempDir::new().unwrap();
    certify(folder.path(), "one");
    let setup = setup(folder.path()).await;
    let mut plain = TcpStream::connect(setup.running.public_addr())
        .await
        .unwrap();
    plain
        .write_all(b"GET /x HTTP/1.1\r\nHost: git.example.com\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/"));
    assert!(setup.upstream.seen().is_empty());
}
