//! When the provider's certificates end, as the connections showed them that were opened anyway.

use crate::clock::{Clock, Timestamp};
use crate::telemetry::Metrics;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use url::Url;

/// A provider has few hosts. Beyond this the one that was met longest ago goes.
const MOST: usize = 16;
/// A host that was not met for so long is no host of the provider any more: discovery is fetched
/// daily.
const KEEP: Duration = Duration::from_secs(7 * 24 * 3600);

/// A certificate that a provider showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Who showed it: the host, and the port if it is not the usual one.
    pub host: String,
    /// When it ends, in seconds since 1970.
    pub ends: i64,
}

/// The last certificate of each host. Whether a certificate is good is not asked here: the
/// connection that showed it was accepted.
#[derive(Debug)]
pub(super) struct Certificates {
    provider: String,
    clock: Clock,
    metrics: Metrics,
    /// And when it was met; in the order of that.
    met: Mutex<Vec<(Timestamp, Certificate)>>,
}

impl Certificates {
    pub(super) fn new(provider: &str, clock: Clock, metrics: Metrics) -> Self {
        Self {
            provider: provider.to_owned(),
            clock,
            metrics,
            met: Mutex::default(),
        }
    }

    /// Notes what a connection to this address showed, in DER.
    pub(super) fn note(&self, url: &Url, leaf: &[u8]) {
        // The TLS library has read it before: nobody gets here with garbage.
        let Ok((_, leaf)) = x509_parser::parse_x509_certificate(leaf) else {
            return;
        };
        let host = url.host_str().unwrap_or_default();
        let host = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let ends = leaf.validity().not_after.timestamp();
        self.met_at(self.clock.now(), Certificate { host, ends });
    }

    fn met_at(&self, now: Timestamp, certificate: Certificate) {
        let mut met = self.lock();
        met.retain(|(at, old)| old.host != certificate.host && now.since(*at) < KEEP);
        if met.len() >= MOST {
            met.remove(0);
        }
        met.push((now, certificate));
        if let Some(first) = first_to_end(&met) {
            self.metrics
                .provider_certificate(&self.provider, first.ends);
        }
    }

    /// The one that ends before all others.
    pub(super) fn first_to_end(&self) -> Option<Certificate> {
        first_to_end(&self.lock()).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Timestamp, Certificate)>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn first_to_end(met: &[(Timestamp, Certificate)]) -> Option<&Certificate> {
    let certificates = met.iter().map(|(_, certificate)| certificate);
    certificates.min_by_key(|certificate| certificate.ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificates() -> Certificates {
        Certificates::new("p", Clock::manual(Timestamp::from_secs(0)), Metrics::new())
    }

    fn certificate(host: &str, ends: i64) -> Certificate {
        let host = host.to_owned();
        Certificate { host, ends }
    }

    #[test]
    fn the_first_to_end_is_told_until_its_host_shows_another_or_is_gone() {
        let known = certificates();
        let at = |days: u64| Timestamp::from_secs(days * 24 * 3600);
        assert_eq!(known.first_to_end(), None);
        known.met_at(at(0), certificate("a", 30));
        known.met_at(at(0), certificate("b", 20));
        assert_eq!(known.first_to_end(), Some(certificate("b", 20)));
        known.met_at(at(1), certificate("b", 90));
        assert_eq!(known.first_to_end(), Some(certificate("a", 30)));
        // a is not met any more.
        known.met_at(at(6), certificate("b", 90));
        assert_eq!(known.first_to_end(), Some(certificate("a", 30)));
        known.met_at(at(7), certificate("b", 90));
        assert_eq!(known.first_to_end(), Some(certificate("b", 90)));
        let shown = known.metrics.render();
        let line = "portcullis_provider_certificate_expiry_seconds{provider=\"p\"} 90\n";
        assert!(shown.contains(line), "{shown}");
    }

    #[test]
    fn the_number_of_hosts_is_bounded() {
        let known = certificates();
        for host in 0..100 {
            let host = host.to_string();
            known.met_at(Timestamp::from_secs(1), certificate(&host, 1));
        }
        assert_eq!(known.lock().len(), MOST);
    }

    #[test]
    fn a_certificate_is_that_of_its_host_and_port() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        for (url, host) in [
            ("https://idp.example.com/token", "idp.example.com"),
            ("https://idp.example.com:8443/", "idp.example.com:8443"),
            ("https://[::1]:1/", "[::1]:1"),
        ] {
            let known = certificates();
            known.note(&Url::parse(url).unwrap(), made.cert.der());
            assert_eq!(known.first_to_end().unwrap().host, host);
        }
        let known = certificates();
        known.note(&Url::parse("https://a.example").unwrap(), b"no certificate");
        assert_eq!(known.first_to_end(), None);
    }
}
