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
