//! `sessions`: who is signed in, and ending that.

use super::{Error, columns};
use crate::admin::{self, Order, Reply};
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::identity::Username;
use crate::mapping::{visible, visible_json};
use crate::session::{Summary, Which};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What to do.
#[derive(Debug, Clone)]
pub enum SessionsAction {
    /// Show them.
    List {
        /// Of this person, or of all.
        username: Option<Username>,
        /// As JSON.
        json: bool,
    },
    /// End them.
    Revoke(Which),
}

/// Does it, and says what was done. Sessions live in the gateway that runs: without one, nothing is
/// asked and nothing is ended.
///
/// # Errors
///
/// If no gateway answers, or it cannot do it.
pub async fn sessions(
    config: &Config,
    action: SessionsAction,
    clock: &Clock,
) -> Result<String, Error> {
    let json = matches!(action, SessionsAction::List { json: true, .. });
    let order = match action {
        SessionsAction::List { username, .. } => Order::ListSessions { username },
        SessionsAction::Revoke(which) => Order::RevokeSessions { which },
    };
    Ok(match admin::send(config, &order, clock).await? {
        Reply::Sessions { sessions } if json => {
            visible_json(&serde_json::to_string_pretty(&sessions)?)
        }
        Reply::Sessions { sessions } => table(&sessions),
        Reply::Revoked { sessions } if sessions.is_empty() => {
            "there was no such session".to_owned()
        }
        Reply::Revoked { sessions } => format!("ended:\n{}", table(&sessions)),
        other => return Err(Error::Refused(format!("the gateway answered {other:?}"))),
    })
}

fn table(sessions: &[Summary]) -> String {
    if sessions.is_empty() {
        return "nobody is signed in".to_owned();
    }
    let heads = [
        "USERNAME",
        "PROVIDER",
        "SIGNED IN",
        "LAST USED",
        "ENDS",
        "FROM",
        "HANDLE",
        "BROWSER",
    ];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(sessions.iter().map(|session| {
        [
            session.username.to_string(),
            visible(&session.provider),
            moment(session.signed_in_at),
            moment(session.last_used),
            moment(session.expires_at),
            session
                .client
                .map(|client| client.to_string())
                .unwrap_or_default(),
            session.handle.clone(),
            visible(session.browser.as_deref().unwrap_or_default()),
        ]
    }));
    columns(&rows)
}

fn moment(millis: u64) -> String {
    let secs = i64::try_from(Timestamp::from_millis(millis).as_secs()).unwrap_or_default();
    OffsetDateTime::from_unix_timestamp(secs)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_a_table_that_no_browser_disturbs() {
        let session = Summary {
            handle: "0".repeat(32),
            username: Username::parse("ana").unwrap(),
            provider: "idp".to_owned(),
            signed_in_at: 1_700_000_000_000,
            last_used: 1_700_000_060_000,
            expires_at: 1_700_003_600_000,
            remembered: false,
            client: Some([192, 0, 2, 7].into()),
            browser: Some("Fire\u{1b}[2Jfox".to_owned()),
        };
        let text = table(&[session]);
        let row = text.lines().nth(1).unwrap();
        for part in [
            "ana",
            "2023-11-14T22:13:20Z",
            "2023-11-14T22:14:20Z",
            "2023-11-14T23:13:20Z",
            "192.0.2.7",
            "00000000000000000000000000000000",
            "Fire\\u{1b}[2Jfox",
        ] {
            assert!(row.contains(part), "{part} is not in {row}");
        }
        assert_eq!(table(&[]), "nobody is signed in");
    }
}
