//! The listener's certificate and key, replaced while it runs.

use crate::config::TlsFiles;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::Certificate;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Why certificate and key cannot be used. The ones in force stay in force.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or is no PEM of the kind.
    #[error("\"{}\" cannot be used", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The certificate is damaged, or the key is another certificate's.
    #[error("certificate \"{}\" and its key do not work together", file.display())]
    Pair {
        /// The certificate's file.
        file: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// The certificate cannot be parsed.
    #[error("\"{}\" holds no X.509 certificate", file.display())]
    Certificate {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        source: x509_parser::nom::Err<x509_parser::error::X509Error>,
    },
}

/// Certificate and key in force. New handshakes take the newest.
#[derive(Debug)]
pub struct Tls {
    current: ArcSwap<ServerConfig>,
    loaded: Mutex<Loaded>,
    metrics: Metrics,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Loaded {
    files: TlsFiles,
    /// When each file was last written, as far as the file system says.
    stamps: [Option<SystemTime>; 2],
}

impl Loaded {
    fn of(files: &TlsFiles) -> Self {
        Self {
            files: files.clone(),
            stamps: [&files.cert_file, &files.key_file].map(|file| written(file)),
        }
    }
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    ///
    /// If they cannot be used.
    pub fn load(files: &TlsFiles, metrics: Metrics) -> Result<Arc<Self>, TlsError> {
        let loaded = Loaded::of(files);
        let current = ArcSwap::from_pointee(read(files, &metrics)?);
        Ok(Arc::new(Self {
            current,
            loaded: Mutex::new(loaded),
            metrics,
        }))
    }

    /// Takes these files from now on. Connections that are open stay as they are.
    ///
    /// # Errors
    ///
    /// If they cannot be used. Then nothing changes.
    pub fn reload(&self, files: &TlsFiles) -> Result<(), TlsError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        // Stamped before the reading: a file that changes meanwhile is read again next time.
        let fresh = Loaded::of(files);
        let config = read(files, &self.metrics)?;
        self.current.store(Arc::new(config));
        *loaded = fresh;
        Ok(())
    }

    /// Reads the files again if they have changed since; answers whether they had. Certificate
    /// and key are written one after the other, so a pair that does not fit is tried again next
    /// time.
    ///
    /// # Errors
    ///
    /// If they have changed and cannot be used. Then the old ones stay in force.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let files = {
            let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            if Loaded::of(&loaded.files) == *loaded {
                return Ok(false);
            }
            loaded.files.clone()
        };
        self.reload(&files).map(|()| true)
    }

    pub(super) fn current(&self) -> Arc<ServerConfig> {
        self.current.load_full()
    }
}

fn written(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file)
        .and_then(|meta| meta.modified())
        .ok()
}

fn read(files: &TlsFiles, metrics: &Metrics) -> Result<ServerConfig, TlsError> {
    let cert_file = &files.cert_file;
    let bad = |file: &PathBuf| {
        let file = file.clone();
        |source| TlsError::File { file, source }
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(cert_file)
        .and_then(Iterator::collect)
        .map_err(bad(cert_file))?;
    let leaf = chain
        .first()
        .ok_or(pem::Error::NoItemsFound)
        .map_err(bad(cert_file))?;
    let expiry = match x509_parser::parse_x509_certificate(leaf) {
        Ok((_, certificate)) => certificate.validity().not_after.timestamp(),
        Err(source) => {
            return Err(TlsError::Certificate {
                file: cert_file.clone(),
                source,
            });
        }
    };
    let key = PrivateKeyDer::from_pem_file(&files.key_file).map_err(bad(&files.key_file))?;
    let pair = |source| TlsError::Pair {
        file: cert_file.clone(),
        source,
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        // TLS 1.2 and 1.3.
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let file = cert_file.display().to_string();
    metrics.certificate_expiry(Certificate::Listener, Some((&file, expiry)));
    Ok(config)
}
