//! Whom the gateway's own calls trust: TLS with certain authorities, or with the machine's.

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The CA file cannot be read.
    #[error("the authorities in \"{}\" cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// The CA file holds something that is not a usable certificate.
    #[error("a certificate in \"{}\" cannot be used", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The CA file holds nothing.
    #[error("\"{}\" holds no certificate in PEM form", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The TLS library refuses its set-up.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// The client's side of TLS, trusting the authorities of a PEM file, or else the machine's.
///
/// # Errors
///
/// If the file cannot be used.
pub fn client(ca_file: Option<&Path>) -> Result<rustls::ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_file {
        let unreadable = |source| Error::File {
            path: path.to_owned(),
            source,
        };
        for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
            roots
                .add(certificate.map_err(unreadable)?)
                .map_err(|source| Error::Certificate {
                    path: path.to_owned(),
                    source,
                })?;
        }
        if roots.is_empty() {
            return Err(Error::Empty {
                path: path.to_owned(),
            });
        }
    } else {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "some of the machine's certificate authorities cannot be read");
        }
        roots.add_parsable_certificates(found.certs);
    }
    let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .map_err(Error::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error for a file that holds this, if it is one.
    fn check(content: &str) -> Option<String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        std::fs::write(&path, content).unwrap();
        let text = client(Some(&path)).err()?.to_string();
        assert!(text.contains("ca.pem"), "{text}");
        Some(text)
    }

    #[test]
    fn a_file_holds_certificates_or_is_refused() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        assert_eq!(check(&made.cert.pem()), None);
        let key = made.signing_key.serialize_pem();
        assert!(check(&key).unwrap().contains("holds no certificate"));
        assert!(check("").unwrap().contains("holds no certificate"));
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(check(garbage).unwrap().contains("cannot be used"));
        let missing = client(Some(Path::new("/nowhere/ca.pem"))).unwrap_err();
        assert!(matches!(missing, Error::File { .. }), "{missing}");
    }

    #[test]
    fn without_a_file_the_machine_decides() {
        assert!(client(None).is_ok());
    }
}
