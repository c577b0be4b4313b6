//! `identities`: which subject of which provider has which username.

use super::{Error, ask_identities, find};
use crate::admin::{Order, Reply};
use crate::clock::Clock;
use crate::config::Config;
use crate::directory::{Identity, Subject, Whom};
use crate::identity::Username;
use crate::mapping::{visible, visible_json};
use crate::telemetry::audit::rfc3339;
use serde_json::Value;

/// What to do.
#[derive(Debug, Clone)]
pub enum IdentitiesAction {
    /// Show them.
    List {
        /// Of this person, or of all.
        username: Option<Username>,
        /// As JSON.
        json: bool,
    },
    /// Give a subject a username.
    Relink {
        /// The provider's id.
        provider: String,
        /// Its issuer, where the provider has several (tenants); the configured one if absent.
        issuer: Option<String>,
        /// Its name for the person.
        subject: String,
        /// The name from now on.
        username: Username,
    },
    /// Forget a person's pins.
    ForgetUsername(Username),
    /// Forget one pin.
    ForgetSubject {
        /// The provider's id.
        provider: String,
        /// As in [`IdentitiesAction::Relink`].
        issuer: Option<String>,
        /// Its name for the person.
        subject: String,
    },
}

/// Does it, and says what was done.
///
/// # Errors
///
/// If neither the gateway nor the state file can be asked, or the provider is not configured.
pub async fn identities(
    config: &Config,
    action: IdentitiesAction,
    clock: &Clock,
) -> Result<String, Error> {
    let (of, json) = match &action {
        IdentitiesAction::List { username, json } => (username.clone(), *json),
        _ => (None, false),
    };
    let whose = match &action {
        IdentitiesAction::ForgetUsername(username) => username.to_string(),
        _ => "NAME".to_owned(),
    };
    let order = match action {
        IdentitiesAction::List { username, .. } => Order::Identities { username },
        IdentitiesAction::Relink {
            provider,
            issuer,
            subject,
            username,
        } => Order::Relink {
            subject: at(config, &provider, issuer, subject)?,
            provider,
            username,
        },
        IdentitiesAction::ForgetUsername(username) => Order::Forget {
            who: Whom::Username(username),
        },
        IdentitiesAction::ForgetSubject {
            provider,
            issuer,
            subject,
        } => Order::Forget {
            who: Whom::Subject(at(config, &provider, issuer, subject)?),
        },
    };
    Ok(match ask_identities(config, order, clock).await? {
        Reply::Identities { identities } if json => {
            let shown = identities.iter().map(shown);
            let shown = shown.collect::<Result<Vec<_>, _>>()?;
            visible_json(&serde_json::to_string_pretty(&shown)?)
        }
        Reply::Identities { identities } => match of.filter(|_| identities.is_empty()) {
            Some(username) => format!("nobody has signed in as \"{username}\" yet"),
            None => table(&identities),
        },
        Reply::Relinked { before: None } => {
            "linked; it takes effect at the next sign-in".to_owned()
        }
        Reply::Relinked {
            before: Some(before),
        } => format!(
            "relinked; it was \"{before}\" before. It takes effect at the next sign-in: sessions go on until they end, or until \"portcullis sessions revoke --user {before}\" ends them"
        ),
        Reply::Forgotten { count: 0 } => "there was nothing to forget".to_owned(),
        Reply::Forgotten { count } => format!(
            "forgot {count}. Whoever signs in next under that name gets it; sessions go on until they end, or until \"portcullis sessions revoke --user {whose}\" ends them"
        ),
        other => return Err(Error::Refused(format!("the gateway answered {other:?}"))),
    })
}

fn at(
    config: &Config,
    provider: &str,
    issuer: Option<String>,
    subject: String,
) -> Result<Subject, Error> {
    let configured = &find(config, provider)?.issuer;
    if issuer.is_none() && configured.contains("{tenantid}") {
        return Err(Error::Refused(format!(
            "the provider \"{provider}\" has an issuer for each tenant; say which with --issuer, as \"identities list\" shows it"
        )));
    }
    Ok(Subject {
        issuer: issuer.unwrap_or_else(|| configured.clone()),
        subject,
    })
}

/// A pin for programs: moments as the audit log has them, and what is known as what it is.
fn shown(identity: &Identity) -> Result<Value, serde_json::Error> {
    let mut shown = serde_json::to_value(identity)?;
    let facts = identity.facts.as_deref();
    let facts = facts.and_then(|facts| serde_json::from_str::<Value>(facts).ok());
    for (name, value) in [
        ("first_seen", rfc3339(identity.first_seen).into()),
        ("last_seen", rfc3339(identity.last_seen).into()),
        ("facts", facts.unwrap_or_default()),
    ] {
        if let Some(place) = shown.get_mut(name) {
            *place = value;
        }
    }
    Ok(shown)
}

fn table(identities: &[Identity]) -> String {
    if identities.is_empty() {
        return "nobody has signed in yet".to_owned();
    }
    let heads = ["USERNAME", "PROVIDER", "ISSUER", "SUBJECT", "LAST SIGN-IN"];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(identities.iter().map(|identity| {
        [
            identity.username.as_str().to_owned(),
            // Subjects are the provider's text: nothing in them moves a terminal's cursor.
            visible(&identity.provider),
            visible(&identity.subject.issuer),
            visible(&identity.subject.subject),
            rfc3339(identity.last_seen),
        ]
    }));
    super::columns(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn pins_are_a_table_that_no_subject_disturbs() {
        let identity = Identity {
            subject: Subject {
                issuer: "https://idp.example.com".to_owned(),
                subject: "a\u{1b}[2J\u{202e}".to_owned(),
            },
            provider: "idp".to_owned(),
            username: Username::parse("ana").unwrap(),
            verified_email: None,
            first_seen: Timestamp::from_secs(0),
            last_seen: Timestamp::from_secs(1_700_000_000),
            facts: Some(r#"{"person":{"username":"ana"}}"#.to_owned()),
        };
        let want = "\
USERNAME  PROVIDER  ISSUER                   SUBJECT             LAST SIGN-IN
ana       idp       https://idp.example.com  a\\u{1b}[2J\\u{202e}  2023-11-14T22:13:20.000Z";
        let json = shown(&identity).unwrap();
        assert_eq!(json["last_seen"], "2023-11-14T22:13:20.000Z");
        assert_eq!(json["facts"]["person"]["username"], "ana");
        assert_eq!(table(&[identity]), want);
        assert_eq!(table(&[]), "nobody has signed in yet");
    }
}
