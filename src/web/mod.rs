//! Small HTTP pieces that every room uses: pages, problems, return paths, request ids, cookies, and
//! whom outgoing calls trust.
//!
//! This room knows nothing of sessions, providers or Bitbucket.

mod asserted;
mod codes;
mod context;
pub mod cookies;
mod language;
mod page;
mod problem;
mod request_id;
mod return_path;
mod templates;
mod texts;
pub mod trust;
mod word;

pub use asserted::asserted;
pub use context::{Context, fields, first};
pub use language::{Reader, Wanted};
pub use page::{Error, FormTargets, Mistakes, Pages, exported, see_other};
pub use problem::{Audience, Problem};
pub use request_id::{RequestId, RequestIds};
pub use return_path::ReturnPath;
pub use templates::TemplateError;
pub use texts::TextError;
pub use word::{Length, Word};

/// A response of the gateway, or one that streams through it.
pub type Response = http::Response<axum::body::Body>;
