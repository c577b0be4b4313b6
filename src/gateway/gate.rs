//! All parts that one configuration makes. A reload builds another gate and swaps the two.

use super::{Error, Lasting};
use crate::backdoor::{self, Backdoor};
use crate::config::{self, Config, Kind};
use crate::console::{self, Console};
use crate::forward::Upstream;
use crate::login::{self, Login};
use crate::policy::Policy;
use crate::provider::Provider;
use crate::provisioning::Provisioner;
use crate::sanitize::Sanitizer;
use crate::session::Sessions;
use crate::telemetry::Metrics;
use crate::web::{self, Pages};
use std::path::PathBuf;
use std::sync::Arc;
use url::Url;

/// The parts in the order in which a request meets them.
pub(super) struct Gate {
    pub(super) config: Arc<Config>,
    pub(super) sessions: Sessions,
    pub(super) sanitizer: Sanitizer,
    pub(super) policy: Policy,
    pub(super) upstream: Arc<Upstream>,
    pub(super) providers: Vec<Arc<Provider>>,
    pub(super) login: Login,
    pub(super) backdoor: Backdoor,
    pub(super) console: Console,
    pub(super) pages: Arc<Pages>,
}

impl Gate {
    /// Builds the parts. What `before` has and this configuration does not change lives on: the
    /// connections to the upstream, and what was learnt from a provider. `files` is where the
    /// configuration was read.
    pub(super) fn build(
        config: Arc<Config>,
        sessions: Sessions,
        lasting: &Lasting,
        before: Option<&Self>,
        files: Vec<PathBuf>,
    ) -> Result<Self, Error> {
        let mut warnings = Vec::new();
        let pages = Arc::new(pages(&config, &mut warnings)?);
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let upstream = match before {
            Some(before) if same_upstream(&before.config, &config) => before.upstream.clone(),
            _ => Upstream::new(
                &config,
                sessions.endings(),
                lasting.clock.clone(),
                lasting.metrics.clone(),
            )?,
        };
        let providers = providers(&config, lasting, before)?;
        let login = login::Parts {
            providers: providers.clone(),
            sessions: sessions.clone(),
            identities: lasting.identities.clone(),
            provisioner: Provisioner::new(
                &config,
                &lasting.people,
                lasting.clock.clone(),
                lasting.metrics.clone(),
            )?,
            tickets: lasting.tickets.clone(),
            upstream: upstream.clone(),
            pages: pages.clone(),
            browsers: lasting.browsers.clone(),
            flights: lasting.flights.clone(),
            audit: lasting.audit.clone(),
            trail: lasting.trail.clone(),
            metrics: lasting.metrics.clone(),
            clock: lasting.clock.clone(),
        };
        let backdoor = backdoor::Parts {
            sessions: sessions.clone(),
            pages: pages.clone(),
            attempts: lasting.attempts.clone(),
            audit: lasting.audit.clone(),
            metrics: lasting.metrics.clone(),
            clock: lasting.clock.clone(),
            leftovers: login::leftovers(&config.upstream, &config.server.public_url),
        };
        let console = console::Parts {
            providers: providers.clone(),
            sessions: sessions.clone(),
            identities: lasting.identities.clone(),
            tickets: lasting.tickets.clone(),
            upstream: upstream.clone(),
            pages: pages.clone(),
            audit: lasting.audit.clone(),
            trail: lasting.trail.clone(),
            metrics: lasting.metrics.clone(),
            clock: lasting.clock.clone(),
            life: lasting.life.clone(),
            files,
        };
        Ok(Self {
            sanitizer: Sanitizer::new(&config),
            policy: Policy::new(&config),
            login: Login::new(&config, login),
            backdoor: Backdoor::new(&config, backdoor)?,
            console: Console::new(&config, console),
            config,
            sessions,
            upstream,
            providers,
            pages,
        })
    }

    /// Shows in the metrics when what these providers have ends. What others had is gone.
    pub(super) fn show_expiries(&self, metrics: &Metrics) {
        metrics.provider_expiries(self.providers.iter().map(|provider| {
            let (config, certificate) = (provider.config(), provider.status().certificate);
            let id = config.id.as_str();
            (id, certificate.map(|it| it.ends), config.secret_ends())
        }));
    }
}

/// The pages of a configuration. What works and is odd goes to `warnings`.
pub(super) fn pages(config: &Config, warnings: &mut Vec<String>) -> Result<Pages, web::Mistakes> {
    let product = match config.upstream.kind {
        Kind::Bitbucket => "Bitbucket",
        Kind::Generic => "the application",
    };
    let pages = Pages::branded(&config.server.prefix, &config.branding, product, warnings)?;
    Ok(pages.with_http_targets(http_targets(config)))
}

/// Whether a form may have to lead to plain `http` where the pages' usual policy does not.
fn http_targets(config: &Config) -> bool {
    config.providers.iter().any(leads_to_http)
        || config
            .sign_out
            .redirect_to
            .as_ref()
            .is_some_and(|url| url.scheme() == "http")
}

/// `http` beyond loopback, or on `[::1]`, which a Content-Security-Policy cannot name.
fn leads_to_http(provider: &config::Provider) -> bool {
    let endpoints = &provider.endpoints;
    let given = [&endpoints.authorization, &endpoints.end_session];
    provider.insecure_http
        || provider.issuer.starts_with("http://[")
        || given
            .into_iter()
            .flatten()
            .any(|url| url.as_str().starts_with("http://["))
}

/// Whether the upstream's connections and what it is told stay the same.
fn same_upstream(a: &Config, b: &Config) -> bool {
    a.upstream == b.upstream
        && a.identity == b.identity
        && a.session.cookie_name == b.session.cookie_name
        && a.server.public_url == b.server.public_url
        // Whether Bitbucket's remember-me cookie passes.
        && a.sign_in.enabled == b.sign_in.enabled
}

fn providers(
    config: &Config,
    lasting: &Lasting,
    before: Option<&Gate>,
) -> Result<Vec<Arc<Provider>>, Error> {
    let addresses_stay = before.is_some_and(|before| {
        before.config.server.public_url == config.server.public_url
            && before.config.server.prefix == config.server.prefix
    });
    let known = |wanted: &config::Provider| {
        let before = before.filter(|_| addresses_stay)?;
        before
            .providers
            .iter()
            .find(|provider| provider.config() == wanted)
            .cloned()
    };
    let build = |provider: &config::Provider| {
        let redirect_uri = redirect_uri(config, &provider.id);
        let (clock, metrics) = (lasting.clock.clone(), lasting.metrics.clone());
        Provider::new(provider, redirect_uri, clock, metrics).map_err(|source| Error::Provider {
            id: provider.id.clone(),
            source,
        })
    };
    let providers = config.providers.iter();
    providers
        .map(|provider| known(provider).map_or_else(|| build(provider), Ok))
        .collect()
}

/// The one address where a provider sends the browser back to.
pub(super) fn redirect_uri(config: &Config, id: &str) -> Url {
    own(config, &format!("callback/{id}"))
}

/// The one address where every provider sends the browser after its own sign-out.
pub(super) fn signed_out_uri(config: &Config) -> Url {
    own(config, "signed-out")
}

fn own(config: &Config, page: &str) -> Url {
    let mut url = config.server.public_url.url.clone();
    url.set_path(&format!("{}/{page}", config.server.prefix));
    url
}
