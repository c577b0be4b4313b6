//! Small HTTP pieces that every room uses: pages, problems, return paths, request ids, cookies, and
//! whom outgoing calls trust.
//!
//! This room knows nothing of sessions, providers or Bitbucket.

mod asserted;
mod context;
pub mod cookies;
mod page;
mod problem;
mod request_id;
mod return_path;
pub mod trust;

pub use asserted::asserted;
pub use context::{Context, fields, first};
pub use page::{FormTargets, Pages, see_other};
pub use problem::{Audience, Problem};
pub use request_id::{RequestId, RequestIds};
pub use return_path::ReturnPath;

/// A response of the gateway, or one that streams through it.
pub type Response = http::Response<axum::body::Body>;
