//! Carries out what an administrator orders from the command line.

use super::Shared;
use crate::admin::{Desk, Order, Reply};
use crate::clock::Clock;
use crate::directory::Whom;
use crate::identity::Username;
use crate::secret::Secret;
use crate::session::Which;
use crate::telemetry::audit::{Event, Origin};
use crate::telemetry::trail::Story;
use async_trait::async_trait;

/// More pins than anybody reads; whoever has more names the person.
const MOST_IDENTITIES: u32 = 100_000;
/// The same of sessions.
const MOST_SESSIONS: u32 = 50_000;

#[async_trait]
impl Desk for Shared {
    fn keys(&self) -> Vec<Secret<[u8; 64]>> {
        self.gate.load().config.session.keys.clone()
    }

    fn clock(&self) -> &Clock {
        &self.lasting.clock
    }

    async fn carry_out(&self, order: Order) -> Reply {
        if let Order::TestUrl { provider } = &order {
            return test_url(self, provider);
        }
        if let Order::ListSessions { username } = &order {
            return list_sessions(self, username.as_ref()).await;
        }
        if let Order::RevokeSessions { which } = &order {
            return revoke_sessions(self, which).await;
        }
        if let Order::Why { request_id } = &order {
            let story = Story {
                attempt: self.lasting.trail.find(request_id),
                events: self.lasting.audit.of_request(request_id),
            };
            return Reply::Why { story };
        }
        let reply = identities(&self.lasting.identities, order.clone()).await;
        if let Some(detail) = told(&order, &reply) {
            let order = match order {
                Order::Forget { .. } => "forget",
                _ => "relink",
            };
            record(self, order, detail);
        }
        reply
    }
}

/// Orders about pins: also without a running gateway, on its state file.
pub(crate) async fn identities(identities: &crate::directory::Identities, order: Order) -> Reply {
    let done = match order {
        Order::Identities { username } => identities
            .list(username.as_ref(), MOST_IDENTITIES)
            .await
            .map(|identities| Reply::Identities { identities }),
        Order::Relink {
            subject,
            provider,
            username,
        } => identities
            .relink(&subject, &provider, &username)
            .await
            .map(|before| Reply::Relinked { before }),
        Order::Forget { who } => identities
            .forget(who)
            .await
            .map(|count| Reply::Forgotten { count }),
        Order::TestUrl { .. } => {
            return Reply::Refused {
                reason: "one-time addresses are given out by a running gateway".to_owned(),
            };
        }
        Order::ListSessions { .. } | Order::RevokeSessions { .. } => {
            return Reply::Refused {
                reason: "sessions are looked after by a running gateway".to_owned(),
            };
        }
        Order::Why { .. } => {
            return Reply::Refused {
                reason: "what happened in a request is remembered by a running gateway".to_owned(),
            };
        }
    };
    done.unwrap_or_else(|error| refused(&error))
}

fn test_url(shared: &Shared, provider: &str) -> Reply {
    let gate = shared.gate.load();
    let config = &gate.config;
    if !config.providers.iter().any(|known| known.id == provider) {
        let ids: Vec<_> = config.providers.iter().map(|it| it.id.as_str()).collect();
        return Reply::Refused {
            reason: format!(
                "no provider has the id \"{provider}\"; there is {}",
                ids.join(", ")
            ),
        };
    }
    record(
        shared,
        "test_url",
        format!("for the provider \"{provider}\""),
    );
    let (public, prefix) = (&config.server.public_url.text, &config.server.prefix);
    let ticket = shared.lasting.tickets.issue(provider);
    Reply::TestUrl {
        url: format!("{public}{prefix}/test/{provider}?ticket={ticket}"),
    }
}

async fn list_sessions(shared: &Shared, username: Option<&Username>) -> Reply {
    let sessions = shared.gate.load_full().sessions.clone();
    match sessions.list(username, MOST_SESSIONS).await {
        Ok(sessions) => Reply::Sessions { sessions },
        Err(error) => refused(&error),
    }
}

async fn revoke_sessions(shared: &Shared, which: &Which) -> Reply {
    let sessions = shared.gate.load_full().sessions.clone();
    let revoked = sessions.revoke(which).await;
    // Also of a failure: what was in memory is over.
    let event = which.revocation("command line", &revoked);
    shared.lasting.audit.record(&Origin::default(), event);
    match revoked {
        Ok(sessions) => Reply::Revoked { sessions },
        Err(error) => Reply::Refused {
            reason: format!(
                "{}; the rest is not: order it once more when the store works",
                super::reload::chain(&error).join(": ")
            ),
        },
    }
}

fn refused(error: &dyn std::error::Error) -> Reply {
    Reply::Refused {
        reason: super::reload::chain(error).join(": "),
    }
}

/// What an order changed, for the audit log.
fn told(order: &Order, reply: &Reply) -> Option<String> {
    match (order, reply) {
        (
            Order::Relink {
                subject, username, ..
            },
            Reply::Relinked { before },
        ) => Some(format!(
            "{} is \"{username}\" now, and was {}",
            whom(&Whom::Subject(subject.clone())),
            before.as_ref().map_or("nobody", |name| name.as_str()),
        )),
        (Order::Forget { who }, Reply::Forgotten { count }) => {
            Some(format!("{count} pins of {}", whom(who)))
        }
        _ => None,
    }
}

fn record(shared: &Shared, order: &str, detail: String) {
    let event = Event::Order {
        order: order.to_owned(),
        detail,
    };
    shared.lasting.audit.record(&Origin::default(), event);
}

/// Whose pins, in words.
fn whom(who: &Whom) -> String {
    match who {
        Whom::Username(username) => format!("\"{username}\""),
        Whom::Subject(subject) => format!("{:?} of {:?}", subject.subject, subject.issuer),
    }
}
