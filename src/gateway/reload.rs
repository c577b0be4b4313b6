//! Another configuration in force: whole, or not at all.

use super::gate::Gate;
use super::{Error, Lasting, Shared};
use crate::config::{Loaded, Problems};
use crate::listener::TlsError;
use crate::telemetry::audit;
use std::sync::{Arc, PoisonError};

/// Why the old configuration stays in force.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The file has mistakes.
    #[error("the configuration has mistakes:\n{0}")]
    Config(#[from] Problems),
    /// Keys changed that a running process cannot change.
    #[error("{} can only change with a restart", .0.join(", "))]
    NeedsRestart(Vec<&'static str>),
    /// A part cannot be built.
    #[error("a part cannot be built")]
    Build(#[from] Error),
    /// The new certificate cannot be used.
    #[error("the new certificate cannot be used")]
    Certificate(#[from] TlsError),
}

/// Builds the parts of the new configuration and swaps them in.
pub(super) fn apply(shared: &Shared, loaded: Loaded) -> Result<Vec<String>, ReloadError> {
    let before = shared.gate.load_full();
    let result = build(shared, loaded, &before);
    match &result {
        Ok(changes) => {
            let detail = changes.clone();
            if detail.is_empty() {
                tracing::info!("the configuration was reloaded, and says what it said before");
            } else {
                let changed = detail.join(", ");
                tracing::info!(changed, "the configuration was reloaded");
            }
            record(shared, "applied", detail);
        }
        Err(error) => refused(shared, &chain(error)),
    }
    result
}

fn build(shared: &Shared, loaded: Loaded, before: &Gate) -> Result<Vec<String>, ReloadError> {
    let config = Arc::new(loaded.config);
    let stuck = before.config.needs_restart(&config);
    if !stuck.is_empty() {
        return Err(ReloadError::NeedsRestart(stuck));
    }
    let sessions = before
        .sessions
        .reconfigured(&config.session, config.server.public_url.https);
    let gate = Gate::build(
        config.clone(),
        sessions,
        &shared.lasting,
        Some(before),
        loaded.files,
    )?;
    // The last step that can fail. It also takes in a certificate that changed in its file only.
    if let (Some(tls), Some(files)) = (&shared.tls, &config.server.tls) {
        tls.reload(files)?;
    }
    let running_out = config.running_out(shared.lasting.clock.now());
    for warning in loaded.warnings.iter().chain(&running_out) {
        tracing::warn!("{warning}");
    }
    let changes = before.config.changes(&config);
    let enabled = config.sign_in.enabled;
    if enabled != before.config.sign_in.enabled {
        sign_in_mode(&shared.lasting, enabled, "reload");
    }
    gate.show_expiries(&shared.lasting.metrics);
    shared.gate.store(Arc::new(gate));
    Ok(changes)
}

/// Says, in log and audit, whether people sign in here.
pub(super) fn sign_in_mode(lasting: &Lasting, enabled: bool, when: &str) {
    if enabled {
        tracing::info!("sign_in.enabled is true again: people sign in at the gateway");
    } else {
        tracing::warn!(
            "sign_in.enabled is false: the gateway forwards and asserts nobody, Bitbucket's own sign-in serves"
        );
    }
    let when = when.to_owned();
    let event = audit::Event::SignInMode { enabled, when };
    lasting.audit.record(&audit::Origin::default(), event);
}

/// Says that a reload was refused, and why.
pub(super) fn refused(shared: &Shared, reasons: &[String]) {
    tracing::error!(
        reasons = reasons.join("; "),
        "the configuration was not reloaded; the old one stays in force"
    );
    let lasting = &shared.lasting;
    let last = (lasting.clock.now(), reasons.to_vec());
    *(lasting.life.refused.lock()).unwrap_or_else(PoisonError::into_inner) = Some(last);
    record(shared, "refused", reasons.to_vec());
}

fn record(shared: &Shared, outcome: &str, detail: Vec<String>) {
    let event = audit::Event::Reload {
        outcome: outcome.to_owned(),
        detail,
    };
    shared
        .lasting
        .audit
        .record(&audit::Origin::default(), event);
}

/// An error and its causes, one each.
pub(super) fn chain(error: &dyn std::error::Error) -> Vec<String> {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect()
}
