//! The administrator's commands: each from checked arguments to the text that is printed.
//!
//! They speak to the running gateway over `server.admin_listen`. What needs no gateway works without
//! one: on the state file, or on Bitbucket itself.

mod identities;
mod provision;
mod sessions;
mod templates;
mod why;

pub use identities::{IdentitiesAction, identities};
pub use provision::{Plea, provision};
pub use sessions::{SessionsAction, sessions};
pub use templates::{ExportError, export_templates};
pub use why::why;

use crate::admin::{self, Order, Reply};
use crate::clock::Clock;
use crate::config::{self, Config, Loaded};
use crate::explain::{self, Report};
use crate::{directory, gateway, provisioning};
use serde_json::{Map, Value};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Claims are smaller: a provider's answer is cut at one megabyte.
const MAX_CLAIMS: u64 = 1024 * 1024;

/// Why a command cannot do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such provider.
    #[error("no provider has the id \"{id}\"; the configuration has {known}")]
    UnknownProvider {
        /// What was asked for.
        id: String,
        /// The ids, quoted.
        known: String,
    },
    /// A file of claims cannot be read.
    #[error("\"{}\" cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of claims is too long to be one.
    #[error("\"{}\" is longer than a megabyte, so it is no file of claims", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// A file of claims is not JSON, or no object.
    #[error("\"{}\" must hold one JSON object, the claims: {reason}", path.display())]
    NotClaims {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// The gateway did not do it.
    #[error(transparent)]
    Order(#[from] admin::Error),
    /// Neither a gateway nor a state file.
    #[error("{reason}; and with session.store = \"memory\" there is no state file to ask either")]
    NoStore {
        /// Why the gateway could not be asked.
        reason: String,
    },
    /// The state file cannot be used.
    #[error("the state file cannot be used")]
    Store(#[from] directory::Error),
    /// The built-in directory cannot be used.
    #[error("the built-in directory cannot be used")]
    People(#[from] directory::people::Error),
    /// The store or the gateway said no.
    #[error("{0}")]
    Refused(String),
    /// Nobody has signed in under this name.
    #[error(
        "nobody has signed in as \"{username}\" yet, so what the provider says about them is not known; give it with --provider ID --claims FILE.json"
    )]
    NeverSeen {
        /// Who was asked for.
        username: String,
    },
    /// What was kept of the last sign-in is of another version.
    #[error(
        "what was kept of the last sign-in of \"{username}\" cannot be read; give claims with --provider ID --claims FILE.json"
    )]
    Forgotten {
        /// Who was asked for.
        username: String,
    },
    /// The claims are not those of the person.
    #[error("the claims are refused: {0}")]
    Mapping(#[from] crate::mapping::Refused),
    /// The claims are somebody else's.
    #[error("these claims are \"{claimed}\", not \"{asked}\"")]
    SomebodyElse {
        /// Who was asked for.
        asked: String,
        /// Who the claims are.
        claimed: String,
    },
    /// The gateway remembers nothing under this id.
    #[error(
        "nothing is remembered of a request \"{request_id}\": only the last sign-ins are, since the gateway started; the log under this id says more"
    )]
    NothingKnown {
        /// What was asked for.
        request_id: String,
    },
    /// `provisioning.target` is "none".
    #[error("provisioning.target is \"none\": there is nothing to plan")]
    NoTarget,
    /// Bitbucket refused or failed.
    #[error(transparent)]
    Target(#[from] provisioning::Error),
    /// What should be printed is no JSON.
    #[error("cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// `explain`: who these claims would become, and why, as text or JSON. Whether nothing refuses.
///
/// # Errors
///
/// If the provider or the file is none.
pub fn explain(
    config: &Config,
    provider: &str,
    claims: &Path,
    json: bool,
) -> Result<(String, bool), Error> {
    let provider = find(config, provider)?;
    let report = Report::offline(config, provider, &read_claims(claims)?);
    let text = match json {
        true => crate::mapping::visible_json(&serde_json::to_string_pretty(&report)?),
        false => report.to_text(),
    };
    Ok((text, report.problems.is_empty()))
}

/// `test-url`: a one-time address of the test page.
///
/// # Errors
///
/// If no gateway runs with this configuration, or it has no such provider.
pub async fn test_url(config: &Config, provider: &str, clock: &Clock) -> Result<String, Error> {
    let provider = find(config, provider)?.id.clone();
    match admin::send(config, &Order::TestUrl { provider }, clock).await? {
        Reply::TestUrl { url } => Ok(url),
        other => Err(Error::Refused(format!("the gateway answered {other:?}"))),
    }
}

/// The tests in the configuration, each failure in one line with its place.
#[must_use]
pub fn trials(file: &Path, loaded: &Loaded) -> Vec<String> {
    let config = &loaded.config;
    let mut failures = Vec::new();
    for provider in &config.providers {
        for trial in &provider.tests {
            for difference in explain::trial(config, provider, trial) {
                failures.push(format!(
                    "{}:{}: providers.{}.tests: {difference}",
                    file.display(),
                    trial.line,
                    provider.id,
                ));
            }
        }
    }
    failures
}

fn find<'a>(config: &'a Config, id: &str) -> Result<&'a config::Provider, Error> {
    let found = config.providers.iter().find(|provider| provider.id == id);
    found.ok_or_else(|| {
        let known = config.providers.iter().map(|it| format!("\"{}\"", it.id));
        Error::UnknownProvider {
            id: id.to_owned(),
            known: known.collect::<Vec<_>>().join(", "),
        }
    })
}

fn read_claims(path: &Path) -> Result<Map<String, Value>, Error> {
    let unreadable = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_CLAIMS {
        return Err(Error::TooLong {
            path: path.to_owned(),
        });
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    serde_json::from_str(&text).map_err(|error| Error::NotClaims {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// Asks the running gateway about pins, or the state file when none runs.
async fn ask_identities(config: &Config, order: Order, clock: &Clock) -> Result<Reply, Error> {
    let unreachable = match admin::send(config, &order, clock).await {
        Err(error @ admin::Error::Unreachable { .. }) => error,
        answered => return Ok(answered?),
    };
    if config.session.store == config::Store::Memory {
        return Err(Error::NoStore {
            reason: unreachable.to_string(),
        });
    }
    let identities = directory::Identities::open(&config.session.store, clock.clone()).await?;
    match gateway::identities(&identities, order).await {
        Reply::Refused { reason } => Err(Error::Refused(reason)),
        reply => Ok(reply),
    }
}

/// A table of left-aligned columns, heads first.
fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text += line.trim_end();
        text.push('\n');
    }
    text.trim_end().to_owned()
}
