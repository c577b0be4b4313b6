//! Everything that stands between a form and a session, in a fixed order.

use super::{Attempts, Error, code, password};
use crate::clock::Clock;
use crate::config;
use crate::identity::Username;
use crate::secret::Secret;
use crate::web::Context;
use code::Codes;
use ipnet::IpNet;
use password::Passwords;
use std::time::Duration;

/// Longer passwords are not hashed.
const MAX_PASSWORD: usize = 1024;
/// Longer names are nobody's.
pub(super) const MAX_NAME: usize = 255;

/// Judges attempts. Knows nothing of sessions and pages.
#[derive(Debug)]
pub(super) struct Guard {
    networks: Vec<IpNet>,
    public: config::Origin,
    usernames: Vec<Username>,
    passwords: Passwords,
    codes: Codes,
    attempts: Attempts,
    clock: Clock,
}

/// What was typed.
pub(super) struct Typed {
    pub(super) username: String,
    pub(super) password: Secret<String>,
    pub(super) code: String,
}

/// How an attempt ended, if not with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    Network,
    CrossSite,
    Malformed,
    RateLimited(Duration),
    Busy,
    WrongCredentials,
    StoreFailed,
}

impl Denied {
    /// The outcome in the audit log.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Network => "network_refused",
            Self::CrossSite => "cross_site",
            Self::Malformed => "malformed",
            Self::RateLimited(_) => "rate_limited",
            Self::Busy => "busy",
            Self::WrongCredentials => "wrong_credentials",
            Self::StoreFailed => "session_store_failed",
        }
    }
}

impl Guard {
    pub(super) fn new(
        backdoor: &config::Backdoor,
        public: &config::Origin,
        attempts: Attempts,
        clock: Clock,
    ) -> Result<Self, Error> {
        let accounts = &backdoor.accounts;
        Ok(Self {
            networks: backdoor.allowed_networks.clone(),
            public: public.clone(),
            usernames: accounts.iter().map(|one| one.username.clone()).collect(),
            passwords: Passwords::new(accounts)?,
            codes: Codes::new(accounts)?,
            attempts,
            clock,
        })
    }

    /// Whether the client's address is in one of the allowed networks. A proxy that is not trusted
    /// has an address too, a loopback one as often as not, and it says nothing about who is behind.
    pub(super) fn is_allowed(&self, context: &Context) -> bool {
        if context.concealed {
            return false;
        }
        // A listener on `[::]` sees IPv4 peers as ::ffff:a.b.c.d.
        let client = context.client.to_canonical();
        self.networks
            .iter()
            .any(|network| network.contains(&client))
    }

    /// Whether any account needs a code.
    pub(super) fn asks_code(&self) -> bool {
        self.codes.any()
    }

    /// Who it is, if everything is right.
    pub(super) async fn check(&self, context: &Context, typed: &Typed) -> Result<Username, Denied> {
        if !self.is_allowed(context) {
            return Err(Denied::Network);
        }
        if !context.from_own_page(&self.public) {
            return Err(Denied::CrossSite);
        }
        if !(1..=MAX_NAME).contains(&typed.username.len())
            || !(1..=MAX_PASSWORD).contains(&typed.password.expose().len())
        {
            return Err(Denied::Malformed);
        }
        // One spelling for every counter: upper and lower case are one account to Bitbucket.
        let name = typed.username.to_ascii_lowercase();
        let account = self
            .usernames
            .iter()
            .position(|username| username.as_str().eq_ignore_ascii_case(&name));
        // Counted as a failure before anything is computed, so that attempts at the same time
        // cannot all slip in under the limit.
        let now = self.clock.now();
        self.attempts
            .begin(now, context.client, &name, account.is_some())
            .map_err(Denied::RateLimited)?;
        let Some(permit) = self.attempts.permit().await else {
            return Err(Denied::Busy);
        };
        let password = self
            .passwords
            .verify(account, typed.password.clone(), permit)
            .await;
        // The code is looked at in any case, and spent only when the password was right: nobody
        // else may use it up.
        let step = self.codes.check(account, &typed.code, now);
        let code = match (password, step) {
            (true, code::Check::Right(step)) => self
                .attempts
                .spend_code(&name, step, now)
                .await
                .map_err(|error| {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(error, "a one-time code could not be marked as used");
                    Denied::StoreFailed
                })?,
            (true, code::Check::NotAsked) => true,
            _ => false,
        };
        match account.and_then(|account| self.usernames.get(account)) {
            Some(username) if password && code => {
                self.attempts.succeeded(context.client, &name);
                Ok(username.clone())
            }
            _ => Err(Denied::WrongCredentials),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::config::BackdoorAccount;
    use crate::web::RequestId;
    use http::HeaderMap;
    use url::Url;

    const TOTP: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn account(name: &str, totp: Option<&str>) -> BackdoorAccount {
        BackdoorAccount {
            username: Username::parse(name).unwrap(),
            password_hash: Secret::new(password::tests::cheap_hash("right")),
            totp_secret: totp.map(|secret| Secret::new(secret.to_owned())),
        }
    }

    /// `admin` with a password, `root` with a password and a code.
    fn guard(clock: &Clock) -> Guard {
        let backdoor = config::Backdoor {
            enabled: true,
            path: "/backdoor".into(),
            accounts: vec![account("Admin", None), account("root", Some(TOTP))],
            allowed_networks: vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            max_age: Duration::from_secs(3600),
        };
        let public = config::Origin {
            url: Url::parse("https://git.example.com").unwrap(),
            text: "https://git.example.com".into(),
            https: true,
            authority: "git.example.com".into(),
        };
        Guard::new(&backdoor, &public, Attempts::new(), clock.clone()).unwrap()
    }

    fn from(client: &str) -> Context {
        Context {
            headers: HeaderMap::new(),
            client: client.parse().unwrap(),
            concealed: false,
            id: RequestId::fresh(),
        }
    }

    async fn attempt(
        guard: &Guard,
        context: &Context,
        (username, password, code): (&str, &str, &str),
    ) -> Result<String, Denied> {
        let typed = Typed {
            username: username.into(),
            password: Secret::new(password.into()),
            code: code.into(),
        };
        let who = guard.check(context, &typed).await;
        who.map(|username| username.as_str().to_owned())
    }

    /// One attempt with a fresh guard, at the time of RFC 6238's first test vector.
    async fn check(client: &str, typed: (&str, &str, &str), want: Result<&str, Denied>) {
        let guard = guard(&Clock::manual(Timestamp::from_secs(59)));
        let got = attempt(&guard, &from(client), typed).await;
        assert_eq!(got, want.map(str::to_owned), "{client} {typed:?}");
    }

    #[tokio::test]
    async fn who_knows_everything_comes_in() {
        check("10.1.2.3", ("admin", "right", ""), Ok("Admin")).await;
        check("10.1.2.3", ("ADMIN", "right", "junk"), Ok("Admin")).await;
        check("::ffff:10.1.2.3", ("root", "right", "287082"), Ok("root")).await;
        check("::1", ("root", "right", "287 082"), Ok("root")).await;
    }

    #[tokio::test]
    async fn who_lacks_something_stays_out() {
        for typed in [
            ("admin", "wrong", ""),
            ("nobody", "right", ""),
            ("nobody", "right", "287082"),
            ("root", "right", ""),
            ("root", "right", "000000"),
            ("root", "wrong", "287082"),
        ] {
            check("10.1.2.3", typed, Err(Denied::WrongCredentials)).await;
        }
    }

    #[tokio::test]
    async fn who_is_elsewhere_stays_out_whatever_they_know() {
        for client in ["11.0.0.1", "127.0.0.1", "::2", "::ffff:11.0.0.1"] {
            check(client, ("admin", "right", ""), Err(Denied::Network)).await;
        }
    }

    #[tokio::test]
    async fn who_hides_behind_an_untrusted_proxy_stays_out() {
        let guard = guard(&Clock::manual(Timestamp::from_secs(59)));
        let mut context = from("10.1.2.3");
        context.concealed = true;
        let got = attempt(&guard, &context, ("admin", "right", "")).await;
        assert_eq!(got, Err(Denied::Network));
    }

    #[tokio::test]
    async fn a_form_without_sense_is_not_computed() {
        let long = "x".repeat(2000);
        for typed in [
            ("", "right", ""),
            ("admin", "", ""),
            (&*long, "right", ""),
            ("admin", &*long, ""),
        ] {
            check("10.1.2.3", typed, Err(Denied::Malformed)).await;
        }
    }

    #[tokio::test]
    async fn a_foreign_page_cannot_post_the_form() {
        let guard = guard(&Clock::manual(Timestamp::from_secs(0)));
        let mut context = from("10.1.2.3");
        let evil = "https://evil.example".parse().unwrap();
        context.headers.insert(http::header::ORIGIN, evil);
        let got = attempt(&guard, &context, ("admin", "right", "")).await;
        assert_eq!(got, Err(Denied::CrossSite));
    }

    #[tokio::test]
    async fn a_code_that_was_seen_over_the_shoulder_is_worth_nothing() {
        let clock = Clock::manual(Timestamp::from_secs(59));
        let guard = guard(&clock);
        let typed = ("root", "right", "287082");
        let here = from("10.1.2.3");
        // A wrong password does not use the code up.
        let guess = ("root", "guess", "287082");
        assert!(attempt(&guard, &from("10.9.9.9"), guess).await.is_err());
        assert!(attempt(&guard, &here, typed).await.is_ok());
        clock.advance(Duration::from_secs(20));
        let again = attempt(&guard, &here, typed).await;
        assert_eq!(again, Err(Denied::WrongCredentials));
    }

    #[tokio::test]
    async fn attempts_at_the_same_time_do_not_slip_in_under_the_limit() {
        let guard = guard(&Clock::manual(Timestamp::from_secs(0)));
        let here = from("10.1.2.3");
        let tries = (0..20).map(|_| attempt(&guard, &here, ("admin", "guess", "")));
        let results = futures_util::future::join_all(tries).await;
        let count = |wanted: Denied| results.iter().filter(|r| **r == Err(wanted)).count();
        assert_eq!(count(Denied::WrongCredentials), 3);
        assert_eq!(count(Denied::RateLimited(Duration::from_secs(2))), 17);
    }

    #[tokio::test]
    async fn a_wait_holds_also_for_the_right_password_and_then_is_over() {
        let clock = Clock::manual(Timestamp::from_secs(0));
        let guard = guard(&clock);
        let here = from("10.1.2.3");
        for _ in 0..3 {
            assert!(
                attempt(&guard, &here, ("admin", "guess", ""))
                    .await
                    .is_err()
            );
        }
        let right = ("aDMIN", "right", "");
        let wait = Err(Denied::RateLimited(Duration::from_secs(2)));
        assert_eq!(attempt(&guard, &here, right).await, wait);
        clock.advance(Duration::from_secs(2));
        assert!(attempt(&guard, &here, right).await.is_ok());
    }

    #[tokio::test]
    async fn a_broken_clock_keeps_nobody_out_who_needs_no_code() {
        for secs in [0, u64::MAX / 1000] {
            let guard = guard(&Clock::manual(Timestamp::from_secs(secs)));
            let here = from("10.1.2.3");
            assert!(attempt(&guard, &here, ("admin", "right", "")).await.is_ok());
        }
    }
}
