//! What the tests stand on.

#![allow(
    unreachable_pub,
    reason = "the parts of one test program have no public"
)]

pub mod browser;
pub mod gateway;
pub mod provider;
pub mod upstream;

pub use browser::{Answer, Browser};
pub use gateway::Setup;
pub use upstream::Upstream;
