//! Builds all parts from the configuration; routes and their order on one screen; run and drain.
//!
//! [`start`] is the whole life of a gateway: it opens the store, binds the listeners, serves until
//! [`Running::shutdown`], and swaps the configuration on [`Running::reload`].

mod check;
mod desk;
mod gate;
mod readiness;
mod refusal;
mod reload;
mod routes;
mod run;
mod serve;

pub use check::{Finding, is_healthy, online, pages};
pub(crate) use desk::identities;
pub use reload::ReloadError;
pub use run::{RunError, follow, run};

use crate::clock::Clock;
use crate::config::Loaded;
use crate::directory::Identities;
use crate::directory::people::{self, People};
use crate::listener::{Drained, Listener, Options, Tls, TlsError};
use crate::session::Sessions;
use crate::telemetry::{Audit, Metrics, Trail};
use crate::{
    admin, backdoor, console, directory, forward, listener, login, provider, provisioning, session,
};
use arc_swap::ArcSwap;
use gate::Gate;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often expired sessions are removed.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// How long providers that are being asked may take when the process ends: a call and a little more.
const LANDING: Duration = Duration::from_secs(12);

/// Why a gateway cannot start, or a configuration cannot take effect.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A listener cannot be opened.
    #[error("a listener cannot be opened")]
    Listener(#[from] listener::Error),
    /// Certificate or key of the listener cannot be used.
    #[error("the certificate of the listener cannot be used")]
    Tls(#[from] TlsError),
    /// The session store cannot be opened.
    #[error("the session store cannot be opened")]
    Session(#[from] session::Error),
    /// The identity store cannot be opened.
    #[error("the identity store cannot be opened")]
    Directory(#[from] directory::Error),
    /// The built-in directory cannot be opened.
    #[error("the built-in directory cannot be opened")]
    People(#[from] people::Error),
    /// A provider's certificate or key cannot be used.
    #[error("provider \"{id}\" cannot be set up")]
    Provider {
        /// The provider's id.
        id: String,
        /// Why.
        source: provider::Error,
    },
    /// What makes people known cannot be set up.
    #[error("provisioning cannot be set up")]
    Provisioning(#[from] provisioning::Error),
    /// The upstream's certificates, or the keys of the assertion, cannot be used.
    #[error("the upstream cannot be set up")]
    Upstream(#[from] forward::Error),
    /// An account of the backdoor cannot be used.
    #[error("the backdoor cannot be set up")]
    Backdoor(#[from] backdoor::Error),
    /// A template or a text has a mistake.
    #[error("the pages cannot be shown")]
    Pages(#[from] crate::web::Mistakes),
}

/// What outlives a reload.
struct Lasting {
    clock: Clock,
    metrics: Metrics,
    audit: Audit,
    trail: Trail,
    identities: Identities,
    people: Arc<dyn People>,
    browsers: login::Browsers,
    flights: login::Flights,
    tickets: login::Tickets,
    attempts: backdoor::Attempts,
    life: Arc<console::Life>,
}

/// What every request sees.
struct Shared {
    lasting: Lasting,
    gate: ArcSwap<Gate>,
    tls: Option<Arc<Tls>>,
    draining: watch::Receiver<bool>,
}

/// A gateway that serves.
pub struct Running {
    shared: Arc<Shared>,
    public_addr: SocketAddr,
    admin_addr: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<Drained>,
    admin: JoinHandle<Drained>,
    sweeping: JoinHandle<()>,
}

/// Opens everything and serves.
///
/// # Errors
///
/// Whatever cannot be opened; nothing is left running then.
pub async fn start(loaded: Loaded, clock: Clock) -> Result<Running, Error> {
    let config = Arc::new(loaded.config);
    let running_out = config.running_out(clock.now());
    for warning in loaded.warnings.iter().chain(&running_out) {
        tracing::warn!("{warning}");
    }
    let metrics = Metrics::new();
    let lasting = Lasting {
        identities: Identities::open(&config.session.store, clock.clone()).await?,
        people: people::open(&config.session.store).await?,
        audit: Audit::new(clock.clone()),
        trail: Trail::new(clock.clone()),
        browsers: login::Browsers::new(clock.clone()),
        flights: login::Flights::default(),
        tickets: login::Tickets::new(clock.clone()),
        attempts: backdoor::Attempts::open(&config.session.store).await?,
        life: Arc::new(console::Life::new(&clock)),
        metrics: metrics.clone(),
        clock: clock.clone(),
    };
    let https = config.server.public_url.https;
    let sessions = Sessions::open(&config.session, https, clock, metrics.clone()).await?;
    let gate = Gate::build(config.clone(), sessions, &lasting, None, loaded.files)?;
    gate.show_expiries(&lasting.metrics);

    let tls = config.server.tls.as_ref();
    let tls = tls
        .map(|files| Tls::load(files, metrics.clone()))
        .transpose()?;
    let public = Listener::bind(config.server.listen)?;
    let public = if let Some(tls) = &tls {
        public.with_tls(tls.clone())
    } else {
        public
    };
    let admin = Listener::bind(config.server.admin_listen)?;
    let (public_addr, admin_addr) = (public.local_addr(), admin.local_addr());

    let (stop, draining) = watch::channel(false);
    let gate = ArcSwap::from_pointee(gate);
    let shared = Arc::new(Shared {
        lasting,
        gate,
        tls,
        draining: draining.clone(),
    });
    let handler = {
        let shared = shared.clone();
        move |request, peer| {
            let shared = shared.clone();
            async move { serve::serve(&shared, request, peer).await }
        }
    };
    let options = Options::public(&config, metrics.clone());
    let serving = tokio::spawn(public.serve(handler, options, stopped(draining)));
    let router = admin::router(metrics, shared.clone(), shared.clone());
    let handler = move |request, _peer| admin::answer(router.clone(), request);
    // Readiness says "draining" for as long as that lasts.
    let options = Options::admin(&config);
    let admin = tokio::spawn(admin.serve(handler, options, std::future::pending()));
    let sweeping = tokio::spawn(sweep(shared.clone()));
    tracing::info!(
        public_url = %config.server.public_url.text,
        listen = %public_addr,
        admin.listen = %admin_addr,
        upstream = %config.upstream.url.text,
        providers = config.providers.len(),
        backdoor = config.backdoor.enabled,
        "portcullis {} serves",
        env!("CARGO_PKG_VERSION"),
    );
    if !config.sign_in.enabled {
        reload::sign_in_mode(&shared.lasting, false, "start");
    }
    Ok(Running {
        shared,
        public_addr,
        admin_addr,
        stop,
        serving,
        admin,
        sweeping,
    })
}

impl Running {
    /// Where the public listener is.
    #[must_use]
    pub const fn public_addr(&self) -> SocketAddr {
        self.public_addr
    }

    /// Where the admin listener is.
    #[must_use]
    pub const fn admin_addr(&self) -> SocketAddr {
        self.admin_addr
    }

    /// The audit log.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.shared.lasting.audit
    }

    /// The numbers.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.shared.lasting.metrics
    }

    /// Puts another configuration in force, whole or not at all. Running requests and sessions live
    /// on. Answers the keys that changed.
    ///
    /// # Errors
    ///
    /// Why the old configuration stays in force.
    pub fn reload(&self, loaded: Loaded) -> Result<Vec<String>, ReloadError> {
        reload::apply(&self.shared, loaded)
    }

    /// Writes a refused reload to log and audit, for whoever could not even read the file.
    pub fn reload_refused(&self, reasons: &[String]) {
        reload::refused(&self.shared, reasons);
    }

    /// Takes no more connections, lets running requests end until the configured deadline, and
    /// writes down when sessions were last used.
    pub async fn shutdown(self) {
        tracing::info!("draining");
        self.stop.send_replace(true);
        self.sweeping.abort();
        match self.serving.await {
            Ok(ended) => tracing::info!(finished = ended.drained, cut = ended.aborted, "drained"),
            Err(error) => tracing::error!(%error, "the public listener failed"),
        }
        self.admin.abort();
        let flights = &self.shared.lasting.flights;
        if tokio::time::timeout(LANDING, flights.landed())
            .await
            .is_err()
        {
            tracing::warn!("some sessions may have lost their refresh tokens");
        }
        let gate = self.shared.gate.load_full();
        if let Err(error) = gate.sessions.sweep().await {
            tracing::warn!(%error, "the last use of sessions could not be written down");
        }
    }
}

async fn stopped(mut draining: watch::Receiver<bool>) {
    // A sender that is gone means the same.
    let _ = draining.wait_for(|draining| *draining).await;
}

/// Every minute: expired sessions go, and when sessions were last used is written down.
async fn sweep(shared: Arc<Shared>) {
    let mut every = tokio::time::interval(SWEEP_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let sessions = shared.gate.load().sessions.clone();
        if let Err(error) = sessions.sweep().await {
            tracing::warn!(%error, "expired sessions could not be removed");
        }
    }
}
