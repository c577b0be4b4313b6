//! Log format, spans, metrics and audit events.
//!
//! Everything here is passed by argument; there is no global but the subscriber that `main` sets.

pub mod audit;
pub mod hours;
pub mod log;
pub mod metrics;
pub mod trail;

pub use audit::Audit;
pub use metrics::Metrics;
pub use trail::Trail;

/// An error with all its causes in one line, as logs and reasons have it.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
