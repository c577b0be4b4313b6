//! Opening a connection to the upstream: name, TCP, TLS, all within one limit.

use super::Error;
use super::io::Stream;
use crate::config;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::Certificate;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;

/// Knows where the upstream is and how to greet it.
pub(super) struct Connector {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    limit: Duration,
}

impl Connector {
    /// Reads certificates and key, and lets the metrics show when our own certificate ends.
    pub(super) fn new(config: &config::Upstream, metrics: &Metrics) -> Result<Self, Error> {
        let url = &config.url.url;
        let host = match url.host() {
            Some(url::Host::Domain(name)) => name.to_owned(),
            Some(url::Host::Ipv4(ip)) => ip.to_string(),
            Some(url::Host::Ipv6(ip)) => ip.to_string(),
            None => return Err(Error::NoHost),
        };
        let tls = if config.url.https {
            let name = ServerName::try_from(host.clone())
                .map_err(|source| Error::ServerName { source })?;
            Some((TlsConnector::from(Arc::new(tls_config(config)?)), name))
        } else {
            None
        };
        let port = url.port_or_known_default().ok_or(Error::NoHost)?;
        // An upstream without TLS is shown no certificate.
        let own = config.client_tls.as_ref().filter(|_| tls.is_some());
        let expiry = own.map(|files| expiry(&files.cert_file)).transpose()?;
        let in_force = expiry
            .as_ref()
            .map(|(file, at_secs)| (file.as_str(), *at_secs));
        metrics.certificate_expiry(Certificate::UpstreamClient, in_force);
        Ok(Self {
            host,
            port,
            tls,
            limit: config.connect_timeout,
        })
    }

    pub(super) async fn connect(&self) -> Result<Stream, Error> {
        match tokio::time::timeout(self.limit, self.open()).await {
            Ok(result) => result,
            Err(_) => Err(Error::ConnectTimeout(self.limit)),
        }
    }

    async fn open(&self) -> Result<Stream, Error> {
        let tcp = self.tcp().await?;
        // Small writes (heads, chunks of an event stream) must not wait for an acknowledgement.
        tcp.set_nodelay(true).map_err(Error::Connect)?;
        match &self.tls {
            None => Ok(Stream::Plain(tcp)),
            Some((connector, name)) => connector
                .connect(name.clone(), tcp)
                .await
                .map(|stream| Stream::Tls(Box::new(stream)))
                .map_err(Error::Tls),
        }
    }

    /// Tries the addresses in the resolver's order, each with its share of the time, so that a
    /// dead one cannot use all of it. Always the same order: Bitbucket cancels remember-me series
    /// whose address family changes.
    async fn tcp(&self) -> Result<TcpStream, Error> {
        let addresses: Vec<_> = lookup_host((self.host.as_str(), self.port))
            .await
            .map_err(Error::Name)?
            .collect();
        let share = self.limit / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        let mut last = Error::ConnectTimeout(self.limit);
        for address in addresses {
            match tokio::time::timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = Error::from_connect(error),
                Err(_) => last = Error::ConnectTimeout(share),
            }
        }
        Err(last)
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

fn tls_config(config: &config::Upstream) -> Result<rustls::ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::TlsSetup)?
        .with_root_certificates(authorities(config.ca_file.as_deref())?);
    let mut tls = match &config.client_tls {
        None => builder.with_no_client_auth(),
        Some(files) => builder
            .with_client_auth_cert(certificates(&files.cert_file)?, key(&files.key_file)?)
            .map_err(Error::TlsSetup)?,
    };
    // The upstream is spoken to in HTTP/1.1 alone.
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

fn authorities(file: Option<&Path>) -> Result<rustls::RootCertStore, Error> {
    let mut roots = rustls::RootCertStore::empty();
    match file {
        Some(file) => {
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(Error::TlsSetup)?;
            }
        }
        None => {
            // One unreadable certificate of many is the machine's affair; none at all is ours.
            let (good, _) =
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if good == 0 {
                return Err(Error::NoAuthorities);
            }
        }
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let failed = |source| Error::File {
        file: file.to_owned(),
        source,
    };
    let found: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(failed)?;
    if found.is_empty() {
        return Err(failed(rustls::pki_types::pem::Error::NoItemsFound));
    }
    Ok(found)
}

/// When the certificate in a file ends, in seconds since the epoch, after the file's name.
fn expiry(file: &Path) -> Result<(String, i64), Error> {
    let chain = certificates(file)?;
    // The first is our own, what follows are its authorities (RFC 8446 §4.4.2).
    let own = chain.first().map(AsRef::as_ref).unwrap_or_default();
    match x509_parser::parse_x509_certificate(own) {
        Ok((_, own)) => Ok((
            file.display().to_string(),
            own.validity().not_after.timestamp(),
        )),
        Err(source) => Err(Error::Certificate {
            file: file.to_owned(),
            source,
        }),
    }
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_file(file).map_err(|source| Error::File {
        file: file.to_owned(),
        source,
    })
}
