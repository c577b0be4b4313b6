//! Portcullis: a single-sign-on gateway for Bitbucket Server and Data Center.
//!
//! This page is the map. Every folder of `src/` is a room with one job; its `mod.rs` is the front
//! door.
//!
//! | room | its job | may import |
//! | --- | --- | --- |
//! | [`identity`] | values everyone speaks, valid by construction | nothing |
//! | [`clock`], [`random`], [`secret`] | time, randomness, a string that does not print itself | nothing |
//! | [`config`] | file and environment to one checked `Config` | the rows above |
//! | [`telemetry`] | log format, metrics, audit events | the rows above |
//! | [`web`] | pages, problems, cookies, return paths, request ids | the rows above |
//! | [`listener`] | sockets, TLS, connection limits, draining | up to `web` |
//! | [`sanitize`] | makes a `CleanRequest`: strips what the client must not say | up to `web` |
//! | [`provider`] | speaks OpenID Connect and OAuth 2.0, returns `VerifiedClaims` | up to `web` |
//! | [`state`] | the sqlite file that sessions, identities and used codes share | up to `web` |
//! | [`directory`] | which `issuer` and `sub` each username belongs to; the built-in directory of people | `state`, up to `web` |
//! | [`session`] | recognizes a visitor from a cookie; store, expiry, rotation | `state`, up to `web` |
//! | [`mapping`] | claims to a `Person`, by configured rules; pure | `provider`, up to `web` |
//! | [`policy`] | what a request is and whether it may pass; pure | `sanitize`, `session`, up to `web` |
//! | [`forward`] | sets the identity on an `Admitted` and streams it | `policy`, `sanitize`, `session`, up to `web` |
//! | [`provisioning`] | makes Bitbucket know a person: a pure plan, and who carries it out | `mapping`, `provider`, `directory`, `state`, up to `web` |
//! | [`explain`] | tells in full who claims would become, and why | `provider`, `mapping`, `provisioning`, `directory`, up to `web` |
//! | [`login`] | the sign-in, a file per step, and the sign-out | `provider`, `mapping`, `provisioning`, `explain`, `directory`, `session`, `forward`, up to `web` |
//! | [`backdoor`] | the way in when the provider is down | `session`, `state`, up to `web` |
//! | [`admin`] | health, readiness, metrics and signed orders on their own listener | `session`, `directory`, up to `web` |
//! | [`console`] | the administrator's pages: what the gateway is doing, and steering it | `login`, `explain`, `provider`, `mapping`, `provisioning`, `directory`, `session`, `forward`, up to `web` |
//! | [`gateway`] | builds all parts; routes on one screen; run, reload, drain | every room |
//! | [`command`] | the administrator's commands, from arguments to what is printed | every room |
//! | [`demo`] | everything on loopback in one process | `gateway`, `config` |
//!
//! The listing is the data flow:
//!
//! - a request: `listener` → `session` (who is asking) → `sanitize` (`CleanRequest`) → `policy`
//!   (`Admitted` or a refusal) → `forward` (identity, upstream);
//! - a sign-in: `login::start` → the provider's own page → `login::callback` → `provider`
//!   (`VerifiedClaims`) → `mapping` (`Candidate`) → `provisioning` (who that is in Bitbucket; reads
//!   only) → `directory` (the pin) → `provisioning` (what has to change) → `session`.
//!
//! What is absent on purpose, and stays so:
//!
//! 1. There is no path to Bitbucket for a visitor's request except through `Admitted`.
//! 2. The fields that `Connection` names go first, then every spelling of the identity headers; the
//!    identity is set last.
//! 3. Policy reads the same path that is forwarded. A path with two readings gets the strictest rule.
//! 4. Forwarding headers count only from configured proxies; the default is nobody.
//! 5. The callback spends its stored state first and redeems the code after. No check is an `Option`.
//! 6. Sign-in and sign-out change the session's identifier. A return path is a local path, or `/`.
//! 7. A rule that does not parse stops the start. Nothing about security is skipped with a warning.
//! 8. Bodies stream. Limits are per phase, never for the whole.
//! 9. Calls to providers and to Bitbucket's REST interface are bounded in time and size and follow
//!    no redirects.
//! 10. There are no globals. Time comes from [`clock::Clock`], randomness from [`random`].

pub mod admin;
pub mod backdoor;
pub mod clock;
pub mod command;
pub mod config;
pub mod console;
pub mod demo;
pub mod directory;
pub mod explain;
pub mod forward;
pub mod gateway;
pub mod identity;
pub mod listener;
pub mod login;
pub mod mapping;
pub mod policy;
pub mod provider;
pub mod provisioning;
pub mod random;
pub mod sanitize;
pub mod secret;
pub mod session;
pub mod state;
pub mod telemetry;
pub mod web;
