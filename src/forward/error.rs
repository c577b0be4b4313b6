//! What can go wrong on the way to the upstream, and what the person is told of it.

use crate::config::Kind;
use crate::web::{Length, Problem};
use http::{HeaderValue, StatusCode, header};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// What went wrong on the way to the upstream, or while preparing for it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `upstream.url` names nobody to connect to. The configuration refuses such an address.
    #[error("upstream.url has no host")]
    NoHost,
    /// A certificate or key file cannot be used.
    #[error("\"{}\" cannot be used", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: rustls::pki_types::pem::Error,
    },
    /// The client certificate cannot be parsed.
    #[error("\"{}\" holds no X.509 certificate", file.display())]
    Certificate {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        source: x509_parser::nom::Err<x509_parser::error::X509Error>,
    },
    /// `https` without `upstream.ca_file`, and the machine has no authorities.
    #[error("this machine has no certificate authorities; set upstream.ca_file")]
    NoAuthorities,
    /// The host of `upstream.url` cannot be in a certificate.
    #[error("the host of upstream.url is no name for TLS")]
    ServerName {
        /// What is wrong with it.
        source: rustls::pki_types::InvalidDnsNameError,
    },
    /// Certificates that do not fit together.
    #[error("the upstream's TLS settings cannot be used")]
    TlsSetup(#[source] rustls::Error),
    /// A key of `identity.assertion_keys` is no PKCS#8 PEM.
    #[error("key {number} of identity.assertion_keys is not a private key in PKCS#8 PEM")]
    AssertionKeyFormat {
        /// Its place in the list, from 1.
        number: usize,
    },
    /// A key of `identity.assertion_keys` is of another kind.
    #[error("key {number} of identity.assertion_keys is neither P-256 nor Ed25519")]
    AssertionKeyKind {
        /// Its place in the list, from 1.
        number: usize,
    },
    /// The cryptographic library did not sign.
    #[error("the identity assertion could not be signed")]
    Sign,
    /// A fact about the person cannot stand in a header. Without it the request is not sent.
    #[error("a fact about the person cannot stand in the header \"{header}\"")]
    Unspeakable {
        /// The header's name.
        header: String,
    },

    /// The upstream's name has no address.
    #[error("the upstream's name cannot be resolved")]
    Name(#[source] io::Error),
    /// Nothing listens there.
    #[error("the upstream refuses connections")]
    Refused(#[source] io::Error),
    /// No way to connect for another reason.
    #[error("the upstream cannot be connected to")]
    Connect(#[source] io::Error),
    /// TCP and TLS took longer than `upstream.connect_timeout_secs`.
    #[error("no connection to the upstream within {0:?}")]
    ConnectTimeout(Duration),
    /// The TLS handshake failed: certificates, usually.
    #[error("no TLS with the upstream")]
    Tls(#[source] io::Error),
    /// The request is sent, and no response began within `upstream.head_timeout_secs`.
    #[error("no response began within {0:?}")]
    HeadTimeout(Duration),
    /// Nothing moved in either direction for `upstream.idle_timeout_secs`.
    #[error("nothing moved in either direction for {0:?}")]
    Silence(Duration),
    /// The connection ended before a response began.
    #[error("the upstream closed the connection without a response")]
    Closed(#[source] hyper::Error),
    /// What came back is not HTTP.
    #[error("the upstream's response is not valid HTTP")]
    BadResponse(#[source] hyper::Error),
    /// A change of protocol that nobody asked for, or to another protocol.
    #[error("the upstream changed the protocol unasked")]
    UnaskedUpgrade,
    /// The session of the request ended while it was under way.
    #[error("the session ended before a response began")]
    SessionOver,
    /// The client's body ended before its end.
    #[error("the client broke off its request")]
    ClientGone(#[source] hyper::Error),
    /// The target cannot be sent on.
    #[error("the request's target cannot be forwarded")]
    Target,
}

impl Error {
    pub(super) fn from_connect(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused(error),
            _ => Self::Connect(error),
        }
    }

    /// The answer to the client. It names what happened, never an address behind the gateway; the
    /// chain of causes is for the log.
    #[must_use]
    pub fn problem(&self, kind: Kind) -> Problem {
        let product = match kind {
            Kind::Bitbucket => "Bitbucket",
            Kind::Generic => "the application",
        };
        let unreachable =
            |words| Problem::told(StatusCode::BAD_GATEWAY, words).with_code("upstream_unreachable");
        let late = |words, limit: &Duration| {
            Problem::told(StatusCode::GATEWAY_TIMEOUT, words)
                .with("length", Length::exactly(*limit))
        };
        let problem = match self {
            Self::NoHost
            | Self::File { .. }
            | Self::Certificate { .. }
            | Self::NoAuthorities
            | Self::ServerName { .. }
            | Self::TlsSetup(_)
            | Self::AssertionKeyFormat { .. }
            | Self::AssertionKeyKind { .. }
            | Self::Sign
            | Self::Unspeakable { .. } => {
                Problem::told(StatusCode::INTERNAL_SERVER_ERROR, "forward_failed")
            }
            Self::Name(_) => unreachable("upstream_no_address"),
            Self::Refused(_) => unreachable("upstream_refused"),
            Self::Connect(_) => unreachable("upstream_no_connection"),
            Self::Tls(_) => unreachable("upstream_tls"),
            Self::ConnectTimeout(limit) => late("upstream_connect_timeout", limit),
            Self::HeadTimeout(limit) => late("upstream_timeout", limit),
            Self::Silence(limit) => late("upstream_silence", limit),
            Self::Closed(_) => Problem::told(StatusCode::BAD_GATEWAY, "upstream_closed"),
            Self::BadResponse(_) | Self::UnaskedUpgrade => {
                Problem::told(StatusCode::BAD_GATEWAY, "upstream_bad_response")
            }
            Self::ClientGone(_) => Problem::told(StatusCode::BAD_REQUEST, "request_cut"),
            Self::SessionOver => Problem::told(StatusCode::UNAUTHORIZED, "session_over")
                // RFC 9110 §15.5.2 asks for a challenge; this one makes no browser prompt.
                .header(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Cookie realm=\"portcullis\""),
                )
                .action("action.continue", "/"),
            Self::Target => Problem::told(StatusCode::BAD_REQUEST, "bad_target"),
        };
        problem.with("product", product).because(self)
    }
}
