//! The numbers that `/metrics` shows, in Prometheus' text form.

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SignInLabels {
    provider: String,
    outcome: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    class: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PhaseLabels {
    phase: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CertificateLabels {
    side: &'static str,
    file: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ProviderLabels {
    provider: String,
}

impl ProviderLabels {
    fn of(provider: &str) -> Self {
        let provider = provider.to_owned();
        Self { provider }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ProvisioningLabels {
    outcome: &'static str,
}

/// What became of making a person known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provisioned {
    /// Nothing had to change.
    Unchanged,
    /// The person was made.
    Created,
    /// Profile or groups changed.
    Updated,
    /// A rule said no.
    Refused,
    /// It could not be done.
    Failed,
}

impl Provisioned {
    /// As metrics and the audit log call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// A stretch of a request's or a sign-in's life that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Opening a connection to the upstream.
    UpstreamConnect,
    /// From sending the request to the upstream until its response's head.
    UpstreamHead,
    /// A discovery document and its keys.
    ProviderDiscovery,
    /// The token endpoint.
    ProviderToken,
    /// The userinfo endpoint.
    ProviderUserinfo,
}

impl Phase {
    const fn name(self) -> &'static str {
        match self {
            Self::UpstreamConnect => "upstream_connect",
            Self::UpstreamHead => "upstream_head",
            Self::ProviderDiscovery => "provider_discovery",
            Self::ProviderToken => "provider_token",
            Self::ProviderUserinfo => "provider_userinfo",
        }
    }
}

/// Which of the gateway's own certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// The public listener's.
    Listener,
    /// The one that is shown to the upstream.
    UpstreamClient,
}

impl Certificate {
    const fn side(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::UpstreamClient => "upstream",
        }
    }
}

/// All numbers. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Mutex<Registry>,
    sign_ins: Family<SignInLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    phases: Family<PhaseLabels, Histogram, fn() -> Histogram>,
    sessions: Gauge,
    upstream_connections: Gauge,
    upstream_opened: Counter,
    client_connections: Gauge,
    identity_mismatches: Counter,
    certificate_expiry: Family<CertificateLabels, Gauge>,
    provider_certificate_expiry: Family<ProviderLabels, Gauge>,
    provider_secret_expiry: Family<ProviderLabels, Gauge>,
    provisioning: Family<ProvisioningLabels, Counter>,
    /// The certificates that are shown there.
    certificates: Mutex<Vec<CertificateLabels>>,
}

fn latency() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0,
    ])
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Everything at zero.
    #[must_use]
    pub fn new() -> Self {
        let inner = Inner {
            registry: Mutex::new(Registry::with_prefix("portcullis")),
            sign_ins: Family::default(),
            requests: Family::default(),
            phases: Family::new_with_constructor(latency),
            sessions: Gauge::default(),
            upstream_connections: Gauge::default(),
            upstream_opened: Counter::default(),
            client_connections: Gauge::default(),
            identity_mismatches: Counter::default(),
            certificate_expiry: Family::default(),
            provider_certificate_expiry: Family::default(),
            provider_secret_expiry: Family::default(),
            provisioning: Family::default(),
            certificates: Mutex::default(),
        };
        {
            let mut registry = inner
                .registry
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let r = &mut *registry;
            r.register(
                "sign_ins",
                "Sign-ins by provider and outcome",
                inner.sign_ins.clone(),
            );
            r.register(
                "requests",
                "Requests by class and status",
                inner.requests.clone(),
            );
            r.register(
                "phase_seconds",
                "How long each phase took",
                inner.phases.clone(),
            );
            r.register(
                "sessions",
                "Live sessions in the store, counted every minute; sign-ins and sign-outs count at once",
                inner.sessions.clone(),
            );
            r.register(
                "upstream_connections",
                "Open connections to the upstream",
                inner.upstream_connections.clone(),
            );
            r.register(
                "upstream_connections_opened",
                "Connections opened to the upstream",
                inner.upstream_opened.clone(),
            );
            r.register(
                "client_connections",
                "Open connections on the public listener",
                inner.client_connections.clone(),
            );
            r.register(
                "identity_mismatches",
                "Responses whose X-AUSERNAME was not the asserted user",
                inner.identity_mismatches.clone(),
            );
            r.register(
                "certificate_expiry_seconds",
                "When the certificate of the listener, or the one shown to the upstream, ends, in seconds since 1970",
                inner.certificate_expiry.clone(),
            );
            r.register(
                "provider_certificate_expiry_seconds",
                "When the first of a provider's certificates ends, as its connections showed them, in seconds since 1970",
                inner.provider_certificate_expiry.clone(),
            );
            r.register(
                "provider_secret_expiry_seconds",
                "When a provider's client secret ends, as the configuration says, in seconds since 1970",
                inner.provider_secret_expiry.clone(),
            );
            r.register(
                "provisioning",
                "People made known to Bitbucket or the directory, by outcome",
                inner.provisioning.clone(),
            );
        }
        Self(Arc::new(inner))
    }

    /// Counts a sign-in; `outcome` is `ok` or a short, stable code from a fixed set.
    pub fn sign_in(&self, provider: &str, outcome: &str) {
        self.0
            .sign_ins
            .get_or_create(&SignInLabels {
                provider: provider.to_owned(),
                outcome: outcome.to_owned(),
            })
            .inc();
    }

    /// Counts a person who was made known, or not.
    pub fn provisioned(&self, outcome: Provisioned) {
        let outcome = outcome.name();
        self.0
            .provisioning
            .get_or_create(&ProvisioningLabels { outcome })
            .inc();
    }

    /// Counts an answered request; `class` is the policy's name for it.
    pub fn request(&self, class: &'static str, status: u16) {
        self.0
            .requests
            .get_or_create(&RequestLabels { class, status })
            .inc();
    }

    /// Records how long a phase took.
    pub fn phase(&self, phase: Phase, took: Duration) {
        self.0
            .phases
            .get_or_create(&PhaseLabels {
                phase: phase.name(),
            })
            .observe(took.as_secs_f64());
    }

    /// Says how many sessions are in the store.
    pub fn sessions(&self, count: usize) {
        self.0
            .sessions
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// One session more than there were.
    pub fn session_begun(&self) {
        self.0.sessions.inc();
    }

    /// One session less than there were.
    pub fn session_ended(&self) {
        self.0.sessions.dec();
    }

    /// Counts a connection to the upstream until the returned value is dropped.
    #[must_use]
    pub fn upstream_connection(&self) -> OpenConnection {
        self.0.upstream_opened.inc();
        OpenConnection::new(&self.0.upstream_connections)
    }

    /// Counts a connection of a client until the returned value is dropped.
    #[must_use]
    pub fn client_connection(&self) -> OpenConnection {
        OpenConnection::new(&self.0.client_connections)
    }

    /// Counts a response whose `X-AUSERNAME` was not the asserted user.
    pub fn identity_mismatch(&self) {
        self.0.identity_mismatches.inc();
    }

    /// Says when the certificate in force ends: its file, and seconds since the epoch. The one that
    /// was in force there before is not watched any more; none: nothing is.
    pub fn certificate_expiry(&self, which: Certificate, in_force: Option<(&str, i64)>) {
        let mut shown = self
            .0
            .certificates
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let side = which.side();
        for old in shown.extract_if(.., |labels| labels.side == side) {
            self.0.certificate_expiry.remove(&old);
        }
        if let Some((file, at_secs)) = in_force {
            let file = file.to_owned();
            let labels = CertificateLabels { side, file };
            let gauge = self.0.certificate_expiry.get_or_create(&labels);
            gauge.set(at_secs);
            shown.push(labels);
        }
    }

    /// The certificates in force: on which side (`listener`, `upstream`), their file, and when they
    /// end, in seconds since the epoch.
    #[must_use]
    pub fn certificates(&self) -> Vec<(&'static str, String, i64)> {
        let shown = self
            .0
            .certificates
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let ends = |labels: &CertificateLabels| {
            let ends = self.0.certificate_expiry.get_or_create(labels).get();
            (labels.side, labels.file.clone(), ends)
        };
        shown.iter().map(ends).collect()
    }

    /// Says when the first of a provider's certificates ends, in seconds since 1970.
    pub fn provider_certificate(&self, provider: &str, ends: i64) {
        let labels = ProviderLabels::of(provider);
        self.0
            .provider_certificate_expiry
            .get_or_create(&labels)
            .set(ends);
    }

    /// Shows these providers and no others: their names, and when certificate and client secret end,
    /// in seconds since 1970, as far as that is known.
    pub fn provider_expiries<'a>(
        &self,
        in_force: impl IntoIterator<Item = (&'a str, Option<i64>, Option<i64>)>,
    ) {
        self.0.provider_certificate_expiry.clear();
        self.0.provider_secret_expiry.clear();
        for (provider, certificate, secret) in in_force {
            if let Some(ends) = certificate {
                self.provider_certificate(provider, ends);
            }
            if let Some(ends) = secret {
                let labels = ProviderLabels::of(provider);
                self.0
                    .provider_secret_expiry
                    .get_or_create(&labels)
                    .set(ends);
            }
        }
    }

    /// Everything in the OpenMetrics text form.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        let registry = self
            .0
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if encode(&mut text, &registry).is_err() {
            tracing::error!("the metrics could not be written");
        }
        text
    }
}

/// One more open connection, until dropped.
#[derive(Debug)]
pub struct OpenConnection(Gauge);

impl OpenConnection {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificates_in_force_are_shown() {
        #[track_caller]
        fn check(metrics: &Metrics, want: &[&str]) {
            let text = metrics.render();
            let mut shown: Vec<_> = text
                .lines()
                .filter_map(|line| line.strip_prefix("portcullis_certificate_expiry_seconds"))
                .collect();
            shown.sort_unstable();
            assert_eq!(shown, want);
        }
        let metrics = Metrics::new();
        metrics.certificate_expiry(Certificate::Listener, Some(("a.pem", 1)));
        metrics.certificate_expiry(Certificate::UpstreamClient, Some(("a.pem", 2)));
        let upstream = "{side=\"upstream\",file=\"a.pem\"} 2";
        check(
            &metrics,
            &["{side=\"listener\",file=\"a.pem\"} 1", upstream],
        );
        metrics.certificate_expiry(Certificate::Listener, Some(("b.pem", 3)));
        check(
            &metrics,
            &["{side=\"listener\",file=\"b.pem\"} 3", upstream],
        );
        metrics.certificate_expiry(Certificate::UpstreamClient, None);
        check(&metrics, &["{side=\"listener\",file=\"b.pem\"} 3"]);
    }

    #[test]
    fn what_the_providers_in_force_have_is_shown() {
        let metrics = Metrics::new();
        let shown = |name: &str| {
            let text = metrics.render();
            let mut lines: Vec<_> = text
                .lines()
                .filter_map(|line| {
                    line.strip_prefix(&format!("portcullis_provider_{name}_expiry_seconds"))
                })
                .map(str::to_owned)
                .collect();
            lines.sort_unstable();
            lines
        };
        metrics.provider_expiries([("a", None, Some(1)), ("b", Some(2), None)]);
        metrics.provider_certificate("a", 3);
        assert_eq!(
            shown("certificate"),
            ["{provider=\"a\"} 3", "{provider=\"b\"} 2"]
        );
        assert_eq!(shown("secret"), ["{provider=\"a\"} 1"]);
        metrics.provider_expiries([("b", Some(4), None)]);
        assert_eq!(shown("certificate"), ["{provider=\"b\"} 4"]);
        assert_eq!(shown("secret"), [""; 0]);
    }

    #[test]
    fn what_was_counted_is_shown() {
        let metrics = Metrics::new();
        metrics.sign_in("salesforce", "ok");
        metrics.request("git", 401);
        metrics.phase(Phase::UpstreamHead, Duration::from_millis(3));
        metrics.provisioned(Provisioned::Created);
        let open = metrics.upstream_connection();
        let text = metrics.render();
        for line in [
            "portcullis_sign_ins_total{provider=\"salesforce\",outcome=\"ok\"} 1",
            "portcullis_requests_total{class=\"git\",status=\"401\"} 1",
            "portcullis_phase_seconds_bucket{le=\"0.005\",phase=\"upstream_head\"} 1",
            "portcullis_upstream_connections 1",
            "portcullis_provisioning_total{outcome=\"created\"} 1",
        ] {
            assert!(text.contains(line), "{line} is not in:\n{text}");
        }
        drop(open);
        assert!(
            metrics
                .render()
                .contains("portcullis_upstream_connections 0")
        );
    }
}
