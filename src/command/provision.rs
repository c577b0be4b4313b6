//! `provision --dry-run`: what a sign-in would change in Bitbucket, without a change.

use super::{Error, ask_identities, find, read_claims};
use crate::admin::{Order, Reply};
use crate::clock::Clock;
use crate::config::Config;
use crate::directory::{Identity, people};
use crate::identity::Username;
use crate::mapping::{self, Candidate, Rules};
use crate::provisioning::Provisioner;
use crate::telemetry::Metrics;
use std::path::PathBuf;

/// Whose plan.
#[derive(Debug, Clone)]
pub struct Plea {
    /// The username that the person signs in with.
    pub user: Username,
    /// Claims to go by, with the provider that would say them; none: what the last sign-in knew.
    pub claims: Option<(String, PathBuf)>,
}

/// Asks Bitbucket, and says what would change.
///
/// # Errors
///
/// If nothing is known about the person, or Bitbucket refuses or fails.
pub async fn provision(config: &Config, plea: Plea, clock: &Clock) -> Result<String, Error> {
    let people = people::open(&config.session.store).await?;
    let provisioner =
        Provisioner::new(config, &people, clock.clone(), Metrics::new())?.ok_or(Error::NoTarget)?;
    let candidate = match &plea.claims {
        Some((provider, file)) => {
            let rules = Rules::of(config, find(config, provider)?);
            let examined = mapping::examine(&read_claims(file)?, rules);
            match (examined.candidate, examined.refusals.into_iter().next()) {
                (Some(candidate), _) => candidate,
                (None, Some(refused)) => return Err(refused.into()),
                (None, None) => return Err(Error::Refused("the claims are nobody".to_owned())),
            }
        }
        None => last_sign_in(config, &plea.user, clock).await?,
    };
    let preview = provisioner.preview(&candidate).await?;
    if !same(&preview.username, &plea.user) {
        return Err(Error::SomebodyElse {
            asked: plea.user.as_str().to_owned(),
            claimed: preview.username.as_str().to_owned(),
        });
    }
    Ok(preview.to_string().trim_end().to_owned())
}

/// Whether two names are one for Bitbucket.
fn same(one: &Username, other: &Username) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}

/// What the last sign-in knew, by the rules of today: groups are mapped anew.
async fn last_sign_in(
    config: &Config,
    username: &Username,
    clock: &Clock,
) -> Result<Candidate, Error> {
    let order = Order::Identities {
        username: Some(username.clone()),
    };
    let Reply::Identities { identities } = ask_identities(config, order, clock).await? else {
        return Err(Error::Refused(
            "the gateway answered something else".to_owned(),
        ));
    };
    let last = identities
        .into_iter()
        .max_by_key(|identity: &Identity| identity.last_seen);
    let last = last.ok_or_else(|| Error::NeverSeen {
        username: username.as_str().to_owned(),
    })?;
    let facts = last.facts.ok_or_else(|| Error::NeverSeen {
        username: username.as_str().to_owned(),
    })?;
    let candidate: Candidate = serde_json::from_str(&facts).map_err(|_| Error::Forgotten {
        username: username.as_str().to_owned(),
    })?;
    Ok(mapping::regrouped(candidate, &config.groups))
}
