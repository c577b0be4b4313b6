//! Orders of an administrator at the command line to the running gateway, over the admin listener.
//!
//! That listener has no passwords, and scrapers of metrics reach it too, so an order proves that it
//! comes from somebody who can read the configuration: it is signed with a key derived from
//! `session.keys`, is good for a minute, and works once.

use super::text;
use crate::clock::{Clock, Timestamp};
use crate::config::{self, Config};
use crate::directory::{Identity, Subject, Whom};
use crate::identity::Username;
use crate::random;
use crate::secret::Secret;
use crate::session::{Summary, Which};
use crate::telemetry::trail::Story;
use crate::web::Response;
use async_trait::async_trait;
use aws_lc_rs::{digest, hmac};
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Where orders go.
pub(super) const PATH: &str = "/orders";
/// An order is short.
const MAX_ORDER: usize = 64 * 1024;
/// The pins of a large company are not.
const MAX_REPLY: usize = 64 * 1024 * 1024;
/// How long a signature is good, in both directions: clocks of one machine do not differ.
const GOOD_FOR: Duration = Duration::from_secs(60);
/// Orders within that time.
const MOST: usize = 1024;
/// How long the command line waits.
const PATIENCE: Duration = Duration::from_secs(30);
/// Separates the derived key from every other use of the session's.
const PURPOSE: &[u8] = b"portcullis administrator's orders";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// The pins of a username, or all.
    Identities {
        /// Whose.
        username: Option<Username>,
    },
    /// Give a subject a username.
    Relink {
        /// Who, for the provider.
        subject: Subject,
        /// The provider's id.
        provider: String,
        /// The name.
        username: Username,
    },
    /// Forget pins.
    Forget {
        /// Whose.
        who: Whom,
    },
    /// The live sessions of a username, or all.
    ListSessions {
        /// Whose.
        username: Option<Username>,
    },
    /// End sessions.
    RevokeSessions {
        /// Which.
        which: Which,
    },
    /// A one-time address of the test page.
    TestUrl {
        /// The provider's id.
        provider: String,
    },
    /// What happened in a request.
    Why {
        /// Its id.
        request_id: String,
    },
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// Pins, in the order of usernames.
    Identities {
        /// The pins.
        identities: Vec<Identity>,
    },
    /// The subject has the username now.
    Relinked {
        /// What it had before.
        before: Option<Username>,
    },
    /// So many pins are gone.
    Forgotten {
        /// How many.
        count: usize,
    },
    /// Sessions, the last used first.
    Sessions {
        /// The sessions.
        sessions: Vec<Summary>,
    },
    /// These sessions are over.
    Revoked {
        /// The sessions.
        sessions: Vec<Summary>,
    },
    /// The address.
    TestUrl {
        /// It works once.
        url: String,
    },
    /// What is known about the request.
    Why {
        /// Its steps and events; both empty: nothing.
        story: Story,
    },
    /// It was not done.
    Refused {
        /// Why, and what to do.
        reason: String,
    },
}

/// Whoever carries orders out.
#[async_trait]
pub trait Desk: Send + Sync + 'static {
    /// `session.keys` of the configuration in force.
    fn keys(&self) -> Vec<Secret<[u8; 64]>>;
    /// The time.
    fn clock(&self) -> &Clock;
    /// Does it.
    async fn carry_out(&self, order: Order) -> Reply;
}

/// What a signature says.
#[derive(Serialize, Deserialize)]
struct Signed {
    iat: u64,
    jti: String,
    /// SHA-256 of the body in base64url.
    body: String,
}

/// Orders that were carried out within the last minute.
#[derive(Debug, Default)]
pub(super) struct Done(Mutex<VecDeque<(Timestamp, String)>>);

impl Done {
    /// Notes an order; whether it was new and there was room.
    fn note(&self, id: &str, now: Timestamp) -> bool {
        let mut done = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Twice the time, because a signature may be from the near future.
        done.retain(|(at, _)| now.since(*at) <= 2 * GOOD_FOR);
        if done.len() >= MOST || done.iter().any(|(_, known)| known == id) {
            return false;
        }
        done.push_back((now, id.to_owned()));
        true
    }
}

/// Answers `POST /orders`.
pub(super) async fn answer(
    desk: &dyn Desk,
    done: &Done,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let whole = tokio::time::timeout(PATIENCE, Limited::new(body, MAX_ORDER).collect()).await;
    let Ok(Ok(body)) = whole else {
        return refuse(StatusCode::BAD_REQUEST, "the order could not be read");
    };
    let body = body.to_bytes();
    if !is_signed(desk, done, headers, &body) {
        tracing::warn!("an order on the admin listener was not signed, or not with our key");
        return refuse(
            StatusCode::FORBIDDEN,
            "the order is not signed with this gateway's key: use the configuration file that the gateway runs with, on a machine with the same time",
        );
    }
    let Ok(order) = serde_json::from_slice(&body) else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "the gateway does not know this order: the command and the gateway are of different versions",
        );
    };
    reply(StatusCode::OK, &desk.carry_out(order).await)
}

fn is_signed(desk: &dyn Desk, done: &Done, headers: &HeaderMap, body: &[u8]) -> bool {
    let Some(token) = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
    else {
        return false;
    };
    let mut rules = Validation::new(Algorithm::HS256);
    rules.required_spec_claims.clear();
    rules.validate_exp = false;
    let signed = desk.keys().iter().find_map(|key| {
        let key = DecodingKey::from_secret(derived(key).as_ref());
        jsonwebtoken::decode::<Signed>(token, &key, &rules).ok()
    });
    let Some(signed) = signed.map(|token| token.claims) else {
        return false;
    };
    let (now, at) = (desk.clock().now(), Timestamp::from_secs(signed.iat));
    now.since(at) <= GOOD_FOR
        && at.since(now) <= GOOD_FOR
        && signed.body == digest_of(body)
        && done.note(&signed.jti, now)
}

fn refuse(status: StatusCode, reason: &str) -> Response {
    let reason = reason.to_owned();
    reply(status, &Reply::Refused { reason })
}

fn reply(status: StatusCode, reply: &Reply) -> Response {
    let body = serde_json::to_vec(reply).unwrap_or_default();
    text(status, "application/json", body)
}

fn derived(key: &Secret<[u8; 64]>) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()), PURPOSE)
}

fn digest_of(body: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, body))
}

/// Why an order did not get through.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no gateway.
    #[error("no gateway answers at \"{address}\" (server.admin_listen)")]
    Unreachable {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: hyper_util::client::legacy::Error,
    },
    /// It takes too long.
    #[error("the gateway at \"{address}\" does not answer in time")]
    Slow {
        /// Where.
        address: SocketAddr,
    },
    /// What answers is no gateway, or another version.
    #[error("what answers at \"{address}\" is not this version's gateway")]
    Stranger {
        /// Where.
        address: SocketAddr,
    },
    /// The order cannot be signed.
    #[error("the order cannot be signed")]
    Sign(#[from] jsonwebtoken::errors::Error),
    /// The gateway said no.
    #[error("{0}")]
    Refused(String),
}

/// Sends an order to the gateway that runs with this configuration.
///
/// # Errors
///
/// If there is none, or it refuses.
pub async fn send(config: &Config, order: &Order, clock: &Clock) -> Result<Reply, Error> {
    let address = reachable(config.server.admin_listen);
    let body = serde_json::to_vec(order).unwrap_or_default();
    let request = http::Request::post(format!("http://{address}{PATH}"))
        .header(
            header::AUTHORIZATION,
            format!("Bearer {}", sign(&config.session, &body, clock)?),
        )
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| Error::Stranger { address })?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let call = async {
        let answer = client
            .request(request)
            .await
            .map_err(|source| Error::Unreachable { address, source })?;
        let body = Limited::new(answer.into_body(), MAX_REPLY).collect().await;
        let body = body.map_err(|_| Error::Stranger { address })?;
        serde_json::from_slice(&body.to_bytes()).map_err(|_| Error::Stranger { address })
    };
    let answer = tokio::time::timeout(PATIENCE, call).await;
    match answer.map_err(|_| Error::Slow { address })?? {
        Reply::Refused { reason } => Err(Error::Refused(reason)),
        reply => Ok(reply),
    }
}

fn sign(config: &config::Session, body: &[u8], clock: &Clock) -> Result<String, Error> {
    let signed = Signed {
        iat: clock.now().as_secs(),
        jti: random::token(),
        body: digest_of(body),
    };
    let key = config.keys.first().map(derived);
    let key = EncodingKey::from_secret(key.as_ref().map(AsRef::as_ref).unwrap_or_default());
    Ok(jsonwebtoken::encode(
        &Header::new(Algorithm::HS256),
        &signed,
        &key,
    )?)
}

/// Where a listener of all addresses is reached from its own machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Clerk {
        clock: Clock,
        keys: Vec<Secret<[u8; 64]>>,
    }

    #[async_trait]
    impl Desk for Clerk {
        fn keys(&self) -> Vec<Secret<[u8; 64]>> {
            self.keys.clone()
        }
        fn clock(&self) -> &Clock {
            &self.clock
        }
        async fn carry_out(&self, order: Order) -> Reply {
            match order {
                Order::TestUrl { provider } => Reply::TestUrl { url: provider },
                _ => Reply::Forgotten { count: 0 },
            }
        }
    }

    fn session(keys: &[u8]) -> config::Session {
        config::Session {
            store: config::Store::Memory,
            keys: keys.iter().map(|byte| Secret::new([*byte; 64])).collect(),
            cookie_name: "portcullis".to_owned(),
            idle_timeout: GOOD_FOR,
            max_age: GOOD_FOR,
            remember_me: false,
            remember_me_max_age: GOOD_FOR,
            refresh: Duration::from_secs(300),
            stale: Duration::from_secs(3600),
        }
    }

    struct Bench {
        clerk: Clerk,
        done: Done,
    }

    impl Bench {
        fn new(keys: &[u8]) -> Self {
            let clock = Clock::manual(Timestamp::from_secs(1_000_000));
            let keys = session(keys).keys;
            Self {
                clerk: Clerk { clock, keys },
                done: Done::default(),
            }
        }

        fn signature(&self, key: u8, body: &str) -> String {
            sign(&session(&[key]), body.as_bytes(), &self.clerk.clock).unwrap()
        }

        #[track_caller]
        fn check(&self, token: &str, body: &str, want: u16) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap();
            let mut headers = HeaderMap::new();
            let bearer = format!("Bearer {token}");
            headers.insert(header::AUTHORIZATION, bearer.parse().unwrap());
            let body = Body::from(body.to_owned());
            let answer = runtime.block_on(answer(&self.clerk, &self.done, &headers, body));
            assert_eq!(answer.status().as_u16(), want);
        }
    }

    const ORDER: &str = r#"{"order":"test_url","provider":"idp"}"#;

    #[test]
    fn a_signed_order_is_carried_out_once() {
        let bench = Bench::new(&[1]);
        let token = bench.signature(1, ORDER);
        bench.check(&token, ORDER, 200);
        bench.check(&token, ORDER, 403);
    }

    #[test]
    fn an_order_is_good_with_every_key_that_is_in_force_and_no_other() {
        let bench = Bench::new(&[2, 1]);
        bench.check(&bench.signature(1, ORDER), ORDER, 200);
        bench.check(&bench.signature(2, ORDER), ORDER, 200);
        bench.check(&bench.signature(3, ORDER), ORDER, 403);
    }

    #[test]
    fn nothing_else_is_an_order() {
        let bench = Bench::new(&[1]);
        bench.check("", ORDER, 403);
        // Signed for another body.
        bench.check(&bench.signature(1, ORDER), r#"{"order":"forget"}"#, 403);
        // Signed, and no order.
        bench.check(&bench.signature(1, "{}"), "{}", 400);
        let long = " ".repeat(MAX_ORDER + 1);
        bench.check(&bench.signature(1, &long), &long, 400);
        // The session's key itself, and no signature at all.
        let claims = Signed {
            iat: 1_000_000,
            jti: "x".to_owned(),
            body: digest_of(ORDER.as_bytes()),
        };
        let raw = EncodingKey::from_secret(&[1; 64]);
        let header = Header::new(Algorithm::HS256);
        let token = jsonwebtoken::encode(&header, &claims, &raw).unwrap();
        bench.check(&token, ORDER, 403);
        let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims).unwrap());
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        bench.check(&format!("{none}.{payload}."), ORDER, 403);
    }

    #[test]
    fn an_order_is_good_for_a_minute() {
        let bench = Bench::new(&[1]);
        let token = bench.signature(1, ORDER);
        bench.clerk.clock.advance(Duration::from_secs(61));
        bench.check(&token, ORDER, 403);
    }

    #[test]
    fn a_listener_of_all_addresses_is_reached_on_loopback() {
        for (listen, want) in [
            ("0.0.0.0:9090", "127.0.0.1:9090"),
            ("[::]:9090", "[::1]:9090"),
            ("10.0.0.1:9090", "10.0.0.1:9090"),
        ] {
            let reached = reachable(listen.parse().unwrap());
            assert_eq!(reached.to_string(), want);
        }
    }
}
