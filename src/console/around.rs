//! Whether Bitbucket can be reached around the gateway.

use crate::config::Config;
use futures_util::future::join_all;
use std::net::SocketAddr;
use std::time::Duration;

/// How long one attempt may take.
const KNOCK: Duration = Duration::from_secs(3);

/// One door that was knocked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knock {
    /// The public host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Who opened; none: nobody.
    pub opened: Option<SocketAddr>,
}

impl Knock {
    /// What opened is this machine itself, which says nothing about others: Bitbucket beside the
    /// gateway, or a name of this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.opened
            .is_some_and(|at| at.ip().to_canonical().is_loopback())
    }
}

/// Knocks at the public host on the ports that Bitbucket itself listens on. An identity header is
/// worth nothing if somebody can hand it to Bitbucket without passing the gateway.
///
/// An open port is a sign, not a proof: only an attempt from where the users are shows what the
/// users can reach.
pub async fn around(config: &Config) -> Vec<Knock> {
    let Some(host) = config.server.public_url.url.host_str() else {
        return Vec::new();
    };
    let public_port = config.server.public_url.url.port_or_known_default();
    let upstream_port = config.upstream.url.url.port_or_known_default();
    let mut ports = vec![7990];
    ports.extend(upstream_port.filter(|port| *port != 7990));
    // The gateway itself answers there.
    ports.retain(|port| Some(*port) != public_port && *port != config.server.listen.port());
    let knocks = ports.into_iter().map(async |port| Knock {
        host: host.to_owned(),
        port,
        opened: knock(host, port).await,
    });
    join_all(knocks).await
}

async fn knock(host: &str, port: u16) -> Option<SocketAddr> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let connection =
        tokio::time::timeout(KNOCK, tokio::net::TcpStream::connect((host, port))).await;
    connection.ok()?.ok()?.peer_addr().ok()
}
