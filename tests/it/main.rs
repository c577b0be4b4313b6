//! Whole-gateway tests: a gateway on port 0 between a fake provider and a fake Bitbucket, driven by
//! a browser with a cookie jar. Nothing here leaves the machine, and time is moved by hand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "a failure here is a failed test"
)]

mod support;

mod access;
mod account;
mod assertion;
mod attacks;
mod backdoor;
mod channels;
mod console;
mod failures;
mod headers;
mod operations;
mod orders;
mod pages;
mod people;
mod presets;
mod providers;
mod proxy;
mod refresh;
mod reload;
mod sessions;
mod sign_in;
mod sign_in_page;
mod sign_out;
mod test_page;
mod tls;
