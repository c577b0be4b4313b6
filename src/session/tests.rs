//! One suite, run against every store.

mod revocation;

use super::Which as Named;
use super::*;
use crate::config::Session as Config;
use crate::identity::Username;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::COOKIE;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::Notify;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// A store that counts, fails and waits when it is told to.
#[derive(Debug)]
struct Spy {
    store: Arc<dyn Store>,
    calls: AtomicUsize,
    broken: AtomicBool,
    cannot_write: AtomicBool,
    /// With one: a load that has its answer says so, and waits until it may go on.
    gate: Mutex<Option<Arc<Gate>>>,
}

#[derive(Debug, Default)]
struct Gate {
    loaded: Notify,
    go_on: Notify,
}

impl Spy {
    fn call(&self, writes: bool) -> session_store::Result<()> {
        self.calls.fetch_add(1, SeqCst);
        if self.broken.load(SeqCst) || writes && self.cannot_write.load(SeqCst) {
            return Err(session_store::Error::Backend("broken".to_owned()));
        }
        Ok(())
    }

    fn gate(&self) -> Arc<Gate> {
        let gate = Arc::new(Gate::default());
        *self.gate.lock().unwrap() = Some(Arc::clone(&gate));
        gate
    }
}

#[async_trait]
impl SessionStore for Spy {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        self.call(true)?;
        self.store.create(record).await
    }
    async fn save(&self, record: &Record) -> session_store::Result<()> {
        self.call(true)?;
        self.store.save(record).await
    }
    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        self.call(false)?;
        let loaded = self.store.load(id).await;
        let gate = self.gate.lock().unwrap().clone();
        if let Some(gate) = gate {
            gate.loaded.notify_one();
            gate.go_on.notified().await;
        }
        loaded
    }
    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.call(true)?;
        self.store.delete(id).await
    }
}

#[async_trait]
impl Store for Spy {
    async fn touch(&self, used: Vec<Touch>) -> session_store::Result<()> {
        self.call(true)?;
        self.store.touch(used).await
    }
    async fn delete_expired(&self, now: Timestamp) -> session_store::Result<()> {
        self.call(true)?;
        self.store.delete_expired(now).await
    }
    async fn find(
        &self,
        which: &Named,
        now: Timestamp,
        limit: u32,
    ) -> session_store::Result<Vec<Record>> {
        self.call(false)?;
        self.store.find(which, now, limit).await
    }
    async fn remove(&self, which: &Named, until: Timestamp) -> session_store::Result<Vec<Record>> {
        self.call(true)?;
        self.store.remove(which, until).await
    }
    async fn count(&self) -> session_store::Result<usize> {
        self.call(false)?;
        self.store.count().await
    }
    async fn ready(&self) -> session_store::Result<()> {
        self.call(true)?;
        self.store.ready().await
    }
}

/// A gateway's sessions over a store, and what a test needs to look behind them.
struct Bench {
    sessions: Sessions,
    spy: Arc<Spy>,
    clock: Clock,
    config: Config,
    _directory: Option<TempDir>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Which {
    Memory,
    Sqlite,
}

const STORES: [Which; 2] = [Which::Memory, Which::Sqlite];

fn config(store: config::Store) -> Config {
    Config {
        store,
        keys: vec![Secret::new([7; 64])],
        cookie_name: "__Host-portcullis".to_owned(),
        idle_timeout: 8 * HOUR,
        max_age: 7 * DAY,
        remember_me: true,
        remember_me_max_age: 30 * DAY,
        refresh: Duration::from_secs(300),
        stale: Duration::from_secs(3600),
    }
}

async fn open(config: &Config, clock: &Clock) -> (Sessions, Arc<Spy>) {
    let metrics = Metrics::new();
    let opened = Sessions::open(config, true, clock.clone(), metrics.clone());
    let spy = Arc::new(Spy {
        store: Arc::clone(&opened.await.unwrap().shared.store),
        calls: AtomicUsize::new(0),
        broken: AtomicBool::new(false),
        cannot_write: AtomicBool::new(false),
        gate: Mutex::new(None),
    });
    let store = Arc::clone(&spy) as Arc<dyn Store>;
    (
        Sessions::with(store, config, true, clock.clone(), metrics),
        spy,
    )
}

impl Bench {
    async fn new(which: Which) -> Self {
        let directory = (which == Which::Sqlite).then(|| tempfile::tempdir().unwrap());
        let store = match &directory {
            Some(directory) => config::Store::Sqlite(directory.path().join("state.db")),
            None => config::Store::Memory,
        };
        let (config, clock) = (
            config(store),
            Clock::manual(Timestamp::from_secs(1_000_000)),
        );
        let (sessions, spy) = open(&config, &clock).await;
        Self {
            sessions,
            spy,
            clock,
            config,
            _directory: directory,
        }
    }

    /// The same store with an empty memory, as after a restart.
    fn forgetful(&self) -> Sessions {
        Sessions::with(
            Arc::clone(&self.sessions.shared.store),
            &self.config,
            true,
            self.clock.clone(),
            Metrics::new(),
        )
    }

    async fn sign_in(&self, name: &str) -> (String, Arc<Live>) {
        self.sign_in_as(signed_in(name)).await
    }

    async fn sign_in_as(&self, signed_in: SignedIn) -> (String, Arc<Live>) {
        let begun = self.sessions.begin(&Visitor::Stranger, signed_in).await;
        let (cookie, live) = begun.unwrap();
        (pair(&cookie), live)
    }

    fn calls(&self) -> usize {
        self.spy.calls.load(SeqCst)
    }

    async fn stored(&self, live: &Live) -> bool {
        let record = self.spy.store.load(&live.id().stored()).await.unwrap();
        record.is_some()
    }
}

fn signed_in(name: &str) -> SignedIn {
    SignedIn {
        person: Person {
            username: Username::parse(name).unwrap(),
            email: Some(crate::identity::Email::parse("ana@example.com").unwrap()),
            display_name: None,
            groups: vec![crate::identity::GroupName::parse("dev team").unwrap()],
        },
        how: How::Provider {
            id: "salesforce".to_owned(),
            issuer: "https://example.my.salesforce.com".to_owned(),
            subject: "005".to_owned(),
        },
        id_token: Some(Secret::new("e30.e30.c2ln".to_owned())),
        remember: false,
        max_age: None,
        sid: None,
        upkeep: None,
        client: None,
        browser: None,
    }
}

/// What a browser sends back of a `Set-Cookie`.
fn pair(cookie: &HeaderValue) -> String {
    let cookie = cookie.to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

fn headers(cookies: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for cookie in cookies {
        headers.append(COOKIE, cookie.parse().unwrap());
    }
    headers
}

async fn who(sessions: &Sessions, cookies: &[&str]) -> Option<String> {
    match sessions.recognize(&headers(cookies)).await.unwrap() {
        Visitor::Known(live) => Some(live.person().username.to_string()),
        Visitor::Stranger => None,
    }
}

#[tokio::test]
async fn a_known_session_costs_no_store_round_trip() {
    for which in STORES {
        let bench = Bench::new(which).await;
        let (stale, old) = bench.sign_in("old").await;
        bench.sessions.end(&old).await.unwrap();
        let (cookie, _) = bench.sign_in("ana").await;
        let before = bench.calls();
        for _ in 0..10 {
            assert_eq!(who(&bench.sessions, &[&cookie]).await.unwrap(), "ana");
            // Neither does one with a stale cookie before it, in one field or in two.
            let both = format!("{stale}; a=b; {cookie}");
            assert_eq!(who(&bench.sessions, &[&both]).await.unwrap(), "ana");
            assert_eq!(
                who(&bench.sessions, &[&stale, &cookie]).await.unwrap(),
                "ana"
            );
            // Nor does somebody without a cookie, or with one that is not signed.
            assert_eq!(who(&bench.sessions, &[]).await, None);
            assert_eq!(who(&bench.sessions, &["__Host-portcullis=x"]).await, None);
        }
        assert_eq!(bench.calls(), before);
    }
}

#[tokio::test]
async fn everything_about_a_session_survives_in_the_store() {
    for which in STORES {
        let bench = Bench::new(which).await;
        let full = SignedIn {
            sid: Some("s-1".to_owned()),
            upkeep: Some(Upkeep {
                token: Secret::new("refresh".to_owned()),
                due: Timestamp::from_secs(7),
            }),
            client: Some([192, 0, 2, 7].into()),
            browser: Some("Firefox/1".to_owned()),
            ..signed_in("ana")
        };
        let (cookie, live) = bench.sign_in_as(full).await;
        let again = bench.forgetful();
        let Visitor::Known(loaded) = again.recognize(&headers(&[&cookie])).await.unwrap() else {
            panic!("a stranger");
        };
        assert_eq!(loaded.person(), live.person());
        assert_eq!(loaded.how(), live.how());
        assert_eq!(loaded.id_token(), live.id_token());
        assert_eq!(loaded.signed_in_at(), live.signed_in_at());
        assert_eq!(loaded.expires_at(), live.expires_at());
        assert_eq!(loaded.label(), live.label());
        assert_eq!(loaded.upkeep(), live.upkeep());
        assert_eq!(loaded.upkeep_due(), Some(Timestamp::from_secs(7)));
        assert_eq!(loaded.sid(), Some("s-1"));
        assert_eq!(loaded.summary(), live.summary());
        let before = bench.calls();
        assert_eq!(who(&again, &[&cookie]).await.unwrap(), "ana");
        assert_eq!(bench.calls(), before, "the second time it is in memory");
    }
}

#[tokio::test]
async fn sessions_survive_a_restart_in_sqlite_and_not_in_memory() {
    for which in STORES {
        let bench = Bench::new(which).await;
        let (cookie, _) = bench.sign_in("ana").await;
        let (again, _) = open(&bench.config, &bench.clock).await;
        let want = (which == Which::Sqlite).then(|| "ana".to_owned());
        assert_eq!(who(&again, &[&cookie]).await, want);
    }
}

#[tokio::test]
async fn a_tampered_cookie_is_a_stranger() {
    for which in STORES {
        let bench = Bench::new(which).await;
        let (ana, _) = bench.sign_in("ana").await;
        let (bob, _) = bench.sign_in("bob").await;
        let value = |cookie: &str| cookie.split_once('=').unwrap().1.to_owned();
        let (ana, bob) = (value(&ana), value(&bob));
        let ((id, signature), (_, other)) =
            (ana.split_once('.').unwrap(), bob.split_once('.').unwrap());
        for forged in [
            format!("{id}.{other}"),
            format!("{id}."),
            id.to_owned(),
            format!("{id}.{}", signature.to_lowercase()),
            format!("{ana}A"),
            format!(" {ana} x"),
            String::new(),
        ] {
            let cookie = format!("__Host-portcullis={forged}");
            assert_eq!(who(&bench.sessions, &[&cookie]).await, None, "{forged}");
        }
        // The right value under other names is nothing either.
        for name in ["portcullis", "__host-portcullis", "__Host-portcullis2"] {
            let cookie = format!("{name}={ana}");
            assert_eq!(who(&bench.sessions, &[&cookie]).await, None, "{name}");
        }
    }
}

#[tokio::test]
async fn many_cookies_of_our_name_are_not_all_looked_at() {
    let bench = Bench::new(Which::Memory).await;
    let (cookie, _) = bench.sign_in("ana").await;
    let mut cookies = vec!["__Host-portcullis=x"; 7];
    cookies.push(&cookie);
    assert_eq!(who(&bench.sessions, &cookies).await.unwrap(), "ana");
    cookies.insert(0, "__Host-portcullis=x");
    assert_eq!(who(&bench.sessions, &cookies).await, None);
}

#[tokio::test]
async fn a_cookie_holds_an_identifier_and_is_for_this_host_alone() {
    let bench = Bench::new(Which::Memory).await;
    let (cookie, _) = bench
        .sessions
        .begin(&Visitor::Stranger, signed_in("ana"))
        .await
        .unwrap();
    let cookie = cookie.to_str().unwrap();
    let (value, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(value.len(), "__Host-portcullis=".len() + 22 + 1 + 43);
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax; Secure");
    assert_eq!(
        bench.sessions.removal(),
        "__Host-portcullis=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
    );

    let plain = Config {
        cookie_name: "portcullis".to_owned(),
        ..bench.config.clone()
    };
    let http = bench.sessions.reconfigured(&plain, false);
    assert_eq!(http.cookie_name(), "portcullis");
    let (cookie, _) = http
        .begin(&Visitor::Stranger, signed_in("ana"))
        .await
        .unwrap();
    let (value, attributes) = cookie.to_str().unwrap().split_once("; ").unwrap();
    assert!(value.starts_with("portcullis="), "{value}");
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax");
}

#[tokio::test]
async fn keys_rotate_without_a_sign_in() {
    for which in STORES {
        let bench = Bench::new(which).await;
        let (old, _) = bench.sign_in("ana").await;
        let with = |keys: &[u8]| Config {
            keys: keys.iter().map(|key| Secret::new([*key; 64])).collect(),
            ..bench.config.clone()
        };
        let both = bench.sessions.reconfigured(&with(&[8, 7]), true);
        assert_eq!(who(&both, &[&old]).await.unwrap(), "ana");
        let begun = both.begin(&Visitor::Stranger, signed_in("bob")).await;
        let new = pair(&begun.unwrap().0);
        let rotated = bench.sessions.reconfigured(&with(&[8]), true);
        assert_eq!(who(&rotated, &[&old]).await, None);
        assert_eq!(who(&rotated, &[&new]).await.unwrap(), "bob");
    }
}

#[tokio::test]
async fn a_sign_in_ends_the_session_before_it() {
    for which in STORES {
        let bench = Bench::new(which).await;
        let (planted, live) = bench.sign_in("mallory").await;
        let visitor = bench.sessions.recognize(&headers(&[&planted])).await;
        let (cookie, _) = bench
            .sessions
            .begin(&visitor.unwrap(), signed_in("ana"))
            .await
            .unwrap();
        assert_ne!(pair(&cookie), planted);
        for sessions in [&bench.sessions, &bench.forgetful()] {
            assert_eq!(who(sessions, &[&planted]).await, None);
            assert_eq!(who(sessions, &[&pair(&cookie)]).await.unwrap(), "ana");
        }
        assert!(!bench.stored(&live).await);
    }
}

/// Signs in, uses the session after each of `uses`, and asks whether it is there after `then`.
async fn check_limit(which: Which, signed_in: SignedIn, uses: &[Duration], then: Duration) -> bool {
    let bench = Bench::new(which).await;
    let (cookie, live) = bench.sign_in_as(signed_in).await;
    for wait in uses {
        bench.clock.advance(*wait);
        let found = who(&bench.sessions, &[&cookie]).await;
        assert_eq!(found.unwrap(), "ana", "after {wait:?}");
        bench.sessions.sweep().await.unwrap();
    }
    bench.clock.advance(then);
    let there = who(&bench.sessions, &[&cookie]).await.is_some();
    // What memory says, the store says too; and what is over leaves both with the next sweep.
    assert_eq!(who(&bench.forgetful(), &[&cookie]).await.is_some(), there);
    bench.sessions.sweep().await.unwrap();
    assert_eq!(who(&bench.sessions, &[&cookie]).await.is_some(), there);
    assert_eq!(bench.sessions.shared.known.len(), usize::from(there));
    assert_eq!(bench.stored(&live).await, there);
    there
}

const MS: Duration = Duration::from_millis(1);

#[tokio::test]
async fn an_idle_session_ends() {
    for which in STORES {
        assert!(check_limit(which, signed_in("ana"), &[], 8 * HOUR - MS).await);
        assert!(!check_limit(which, signed_in("ana"), &[], 8 * HOUR).await);
        let uses = [7 * HOUR, 7 * HOUR, 7 * HOUR];
        assert!(check_limit(which, signed_in("ana"), &uses, 8 * HOUR - MS).await);
        assert!(!check_limit(which, signed_in("ana"), &uses, 8 * HOUR).await);
    }
}

#[tokio::test]
async fn a_busy_session_ends_after_its_longest_time() {
    for which in STORES {
        let uses = [7 * HOUR; 23];
        assert!(check_limit(which, signed_in("ana"), &uses, 7 * HOUR - MS).await);
        assert!(!check_limit(which, signed_in("ana"), &uses, 7 * HOUR).await);
    }
}

#[tokio::test]
async fn a_remembered_session_outlives_both_limits() {
    let remembered = || SignedIn {
        remember: true,
        ..signed_in("ana")
    };
    for which in STORES {
        assert!(check_limit(which, remembered(), &[], 30 * DAY - MS).await);
        assert!(!check_limit(which, remembered(), &[], 30 * DAY).await);
        assert!(!check_limit(which, remembered(), &[DAY, 28 * DAY], DAY).await);
    }
    let bench = Bench::new(Which::Memory).await;
    let (cookie, _) = bench
        .sessions
        .begin(&Visitor::Stranger, remembered())
        .await
        .unwrap();
    let cookie = cookie.to_str().unwrap();
    assert!(cookie.ends_with("; Max-Age=2592000"), "{cookie}");
}

#[tokio::test]
async fn nobody_is_remembered_where_that_is_not_offered() {
    let bench = Bench::new(Which::Memory).await;
    let config = Config {
        remember_me: false,
        ..bench.config.clone()
    };
    let wish = SignedIn {
        remember: true,
        ..signed_in("ana")
    };
    let begun = bench
        .sessions
        .reconfigured(&config, true)
        .begin(&Visitor::Stranger, wish)
        .await;
    let (cookie, live) = begun.unwrap();
    assert!(!cookie.to_str().unwrap().contains("Max-Age"));
    assert_eq!(live.expires_at(), bench.clock.now().plus(7 * DAY));
}

#[tokio::test]
async fn a_limit_that_comes_with_the_sign_in_replaces_all_others() {
    let backdoor = |max_age, remember| SignedIn {
        how: How::Backdoor,
        max_age: Some(max_age),
        sid: None,
        upkeep: None,
        client: None,
        browser: None,
        remember,
        ..signed_in("ana")
    };
    for which in STORES {
        for remember in [false, true] {
            assert!(check_limit(which, backdoor(HOUR, remember), &[], HOUR - MS).await);
            assert!(!check_limit(which, backdoor(HOUR, remember), &[HOUR / 2], HOUR / 2).await);
            assert!(check_limit(which, backdoor(DAY, remember), &[], DAY - MS).await);
        }
    }
    let bench = Bench::new(Which::Memory).await;
    let begun = bench
        .sessions
        .begin(&Visitor::Stranger, backdoor(HOUR, true))
        .await;
    assert!(!begun.unwrap().0.to_str().unwrap().contains("Max-Age"));
}

#[tokio::test]
async fn shorter_limits_hold_for_sessions_that_live() {
    for which in STORES {
        let bench = Bench::new(which).await;
        let (cookie, live) = bench.sign_in("ana").await;
        bench.clock.advance(2 * HOUR);
        let shorter = |config: Config| bench.sessions.reconfigured(&config, true);
        let idle = shorter(Config {
            idle_timeout: HOUR,
            ..bench.config.clone()
        });
        let age = shorter(Config {
            max_age: HOUR,
            ..bench.config.clone()
        });
        assert_eq!(who(&idle, &[&cookie]).await, None);
        assert_eq!(who(&age, &[&cookie]).await, None);
        assert!(bench.stored(&live).await);
        age.sweep().await.unwrap();
        assert!(!bench.stored(&live).await, "the store had a later end");
    }
}

#[tokio::test]
async fn the_last_use_survives_a_restart() {
    for which in STORES {
        let bench = Bench::new(which).await;
        let (cookie, _) = bench.sign_in("ana").await;
        bench.clock.advance(7 * HOUR);
        who(&bench.sessions, &[&cookie]).await.unwrap();
        bench.sessions.sweep().await.unwrap();
        bench.clock.advance(7 * HOUR);
        assert_eq!(who(&bench.forgetful(), &[&cookie]).await.unwrap(), "ana");
    }
}

#[tokio::test]
async fn a_sweep_writes_only_what_was_used() {
    #[derive(Debug)]
    struct Touches(Arc<dyn Store>, Mutex<Vec<usize>>);
    #[async_trait]
    impl SessionStore for Touches {
        async fn save(&self, record: &Record) -> session_store::Result<()> {
            self.0.save(record).await
        }
        async fn create(&self, record: &mut Record) -> session_store::Result<()> {
            self.0.create(record).await
        }
        async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
            self.0.load(id).await
        }
        async fn delete(&self, id: &Id) -> session_store::Result<()> {
            self.0.delete(id).await
        }
    }
    #[async_trait]
    impl Store for Touches {
        async fn touch(&self, used: Vec<Touch>) -> session_store::Result<()> {
            self.1.lock().unwrap().push(used.len());
            self.0.touch(used).await
        }
        async fn delete_expired(&self, now: Timestamp) -> session_store::Result<()> {
            self.0.delete_expired(now).await
        }
        async fn find(
            &self,
            which: &Named,
            now: Timestamp,
            limit: u32,
        ) -> session_store::Result<Vec<Record>> {
            self.0.find(which, now, limit).await
        }
        async fn remove(
            &self,
            which: &Named,
            until: Timestamp,
        ) -> session_store::Result<Vec<Record>> {
            self.0.remove(which, until).await
        }
        async fn count(&self) -> session_store::Result<usize> {
            self.0.count().await
        }
        async fn ready(&self) -> session_store::Result<()> {
            self.0.ready().await
        }
    }
    let bench = Bench::new(Which::Memory).await;
    let store = Arc::new(Touches(Arc::clone(&bench.spy.store), Mutex::default()));
    let sessions = Sessions::with(
        Arc::clone(&store) as Arc<dyn Store>,
        &bench.config,
        true,
        bench.clock.clone(),
        Metrics::new(),
    );
    let begun = sessions.begin(&Visitor::Stranger, signed_in("ana")).await;
    let cookie = pair(&begun.unwrap().0);
    sessions
        .begin(&Visitor::Stranger, signed_in("bob"))
        .await
        .unwrap();
    sessions.sweep().await.unwrap();
    bench.clock.advance(HOUR);
    who(&sessions, &[&cookie]).await.unwrap();
    sessions.sweep().await.unwrap();
    sessions.sweep().await.unwrap();
    assert_eq!(*store.1.lock().unwrap(), [0, 1, 0]);
}

#[tokio::test]
async fn an_ended_session_is_over_everywhere() {
    for which in STORES {
        let bench = Bench::new(which).await;
        let (cookie, live) = bench.sign_in("ana").await;
        bench.sessions.end(&live).await.unwrap();
        assert_eq!(who(&bench.sessions, &[&cookie]).await, None);
        assert_eq!(who(&bench.forgetful(), &[&cookie]).await, None);
        assert!(!bench.stored(&live).await);
        // Twice is as good as once.
        bench.sessions.end(&live).await.unwrap();
    }
}

#[tokio::test]
async fn a_load_that_is_overtaken_by_the_end_brings_nothing_back() {
    for which in STORES {
        let bench = Bench::new(which).await;
        let (cookie, live) = bench.sign_in("ana").await;
        let sessions = bench.forgetful();
        let gate = bench.spy.gate();
        let loading = tokio::spawn({
            let (sessions, cookie) = (sessions.clone(), cookie.clone());
            async move { who(&sessions, &[&cookie]).await }
        });
        gate.loaded.notified().await;
        sessions.end(&live).await.unwrap();
        gate.go_on.notify_one();
        assert_eq!(loading.await.unwrap(), None);
        *bench.spy.gate.lock().unwrap() = None;
        assert_eq!(who(&sessions, &[&cookie]).await, None);
        assert_eq!(sessions.shared.known.len(), 0);
    }
}

#[tokio::test]
async fn two_loads_share_one_session() {
    for which in STORES {
        let bench = Bench::new(which).await;
        let (cookie, _) = bench.sign_in("ana").await;
        let sessions = bench.forgetful();
        let headers = headers(&[&cookie]);
        let (one, two) = tokio::join!(sessions.recognize(&headers), sessions.recognize(&headers));
        let (Visitor::Known(one), Visitor::Known(two)) = (one.unwrap(), two.unwrap()) else {
            panic!("a stranger");
        };
        assert!(Arc::ptr_eq(&one, &two));
    }
}

#[tokio::test]
async fn what_is_not_in_the_store_is_not_created_by_a_change() {
    for which in STORES {
        let bench = Bench::new(which).await;
        let (_, live) = bench.sign_in("ana").await;
        let mut record = store::record(&live, &live.present(), live.expires_at()).unwrap();
        assert!(bench.spy.create(&mut record).await.is_err(), "it is there");
        bench.sessions.end(&live).await.unwrap();
        let late = Touch {
            id: live.id().stored(),
            last_used: bench.clock.now(),
            expires_at: live.expires_at(),
        };
        bench.spy.touch(vec![late]).await.unwrap();
        bench.spy.save(&record).await.unwrap();
        assert!(!bench.stored(&live).await);
    }
}

#[tokio::test]
async fn a_change_is_kept() {
    for which in STORES {
        let bench = Bench::new(which).await;
        let (_, live) = bench.sign_in("ana").await;
        let mut record = store::record(&live, &live.present(), live.expires_at()).unwrap();
        record.data.insert("more".to_owned(), 1.into());
        bench.spy.save(&record).await.unwrap();
        assert_eq!(bench.spy.load(&record.id).await.unwrap(), Some(record));
    }
}

#[tokio::test]
async fn a_store_that_fails_is_an_error_and_not_a_stranger() {
    for which in STORES {
        let bench = Bench::new(which).await;
        let (cookie, _) = bench.sign_in("ana").await;
        bench.spy.broken.store(true, SeqCst);
        assert!(bench.sessions.ready().await.is_err());
        assert!(bench.sessions.sweep().await.is_err());
        let begun = bench.sessions.begin(&Visitor::Stranger, signed_in("bob"));
        assert!(begun.await.is_err());
        let again = bench.forgetful();
        assert!(again.recognize(&headers(&[&cookie])).await.is_err());
        // Who is in memory is not disturbed, and who has no cookie is a stranger all the same.
        assert_eq!(who(&bench.sessions, &[&cookie]).await.unwrap(), "ana");
        assert_eq!(who(&again, &["__Host-portcullis=x"]).await, None);

        bench.spy.broken.store(false, SeqCst);
        bench.sessions.ready().await.unwrap();
        assert_eq!(who(&again, &[&cookie]).await.unwrap(), "ana");
    }
}

#[tokio::test]
async fn a_session_that_the_store_cannot_delete_is_over_and_deleted_later() {
    for which in STORES {
        let bench = Bench::new(which).await;
        let (cookie, live) = bench.sign_in("ana").await;
        bench.spy.cannot_write.store(true, SeqCst);
        assert!(bench.sessions.end(&live).await.is_err());
        assert!(bench.stored(&live).await);
        assert_eq!(who(&bench.sessions, &[&cookie]).await, None);
        assert!(bench.sessions.sweep().await.is_err());
        assert_eq!(who(&bench.sessions, &[&cookie]).await, None);
        bench.spy.cannot_write.store(false, SeqCst);
        bench.sessions.sweep().await.unwrap();
        assert!(!bench.stored(&live).await);
    }
}

#[tokio::test]
async fn a_record_of_another_form_is_a_stranger() {
    for which in STORES {
        let bench = Bench::new(which).await;
        let (cookie, live) = bench.sign_in("ana").await;
        let mut record = store::record(&live, &live.present(), live.expires_at()).unwrap();
        record.data.insert("session".to_owned(), "of old".into());
        bench.spy.save(&record).await.unwrap();
        assert_eq!(who(&bench.forgetful(), &[&cookie]).await, None);
    }
}

#[tokio::test]
async fn strangers_leave_nothing_in_memory() {
    for which in STORES {
        let bench = Bench::new(which).await;
        let keys = id::KeyRing::new(&bench.config.keys);
        for _ in 0..100 {
            let value = keys.sign(SessionId::random());
            let cookie = format!("__Host-portcullis={value}");
            assert_eq!(who(&bench.sessions, &[&cookie]).await, None);
        }
        assert_eq!(bench.sessions.shared.known.len(), 0);
    }
}

#[tokio::test]
async fn ten_thousand_sessions_stay_in_memory() {
    let bench = Bench::new(Which::Memory).await;
    let mut cookies = Vec::new();
    for n in 0..10_000 {
        cookies.push(bench.sign_in(&format!("user{n}")).await.0);
    }
    let before = bench.calls();
    for (n, cookie) in cookies.iter().enumerate() {
        assert_eq!(
            who(&bench.sessions, &[cookie]).await.unwrap(),
            format!("user{n}")
        );
    }
    assert_eq!(bench.calls(), before);
    let known = &bench.sessions.shared.known;
    assert_eq!(known.len(), 10_000);
    assert!(known.weight() < 10_000 * 2048, "{}", known.weight());
    let metrics = bench.sessions.shared.metrics.render();
    assert!(metrics.contains("portcullis_sessions 10000"), "{metrics}");

    bench.clock.advance(8 * HOUR);
    bench.sessions.sweep().await.unwrap();
    assert_eq!(known.len(), 0);
    let metrics = bench.sessions.shared.metrics.render();
    assert!(metrics.contains("portcullis_sessions 0"), "{metrics}");
}

#[tokio::test]
async fn the_metrics_count_the_sessions_of_the_store() {
    #[track_caller]
    fn check(sessions: &Sessions, want: usize) {
        let text = sessions.shared.metrics.render();
        let line = format!("portcullis_sessions {want}");
        assert!(text.lines().any(|shown| shown == line), "{line}: {text}");
    }
    for which in STORES {
        let bench = Bench::new(which).await;
        let (_, ana) = bench.sign_in("ana").await;
        bench.sign_in("bob").await;
        check(&bench.sessions, 2);
        // After a restart nobody is in memory.
        let restarted = bench.forgetful();
        restarted.sweep().await.unwrap();
        check(&restarted, 2);
        for _ in 0..2 {
            bench.sessions.end(&ana).await.unwrap();
            check(&bench.sessions, 1);
        }
        restarted.sweep().await.unwrap();
        check(&restarted, 1);
        bench.clock.advance(30 * DAY);
        restarted.sweep().await.unwrap();
        check(&restarted, 0);
    }
}

#[tokio::test]
async fn a_session_does_not_print_its_secrets() {
    for which in STORES {
        let bench = Bench::new(which).await;
        let (cookie, live) = bench.sign_in("ana").await;
        let id = cookie.split_once('=').unwrap().1.split_once('.').unwrap().0;
        let text = format!("{live:?} {:?}", bench.sessions);
        assert!(!text.contains(id) && !text.contains("e30"), "{text}");
        assert!(!id.contains(&live.label()) && live.label().len() == 8);
    }
}

#[tokio::test]
async fn the_file_does_not_hold_what_opens_a_session() {
    let bench = Bench::new(Which::Sqlite).await;
    let (cookie, _) = bench.sign_in("ana").await;
    let id = cookie.split_once('=').unwrap().1.split_once('.').unwrap().0;
    let raw = URL_SAFE_NO_PAD.decode(id).unwrap();
    let mut all = Vec::new();
    for file in std::fs::read_dir(bench._directory.as_ref().unwrap().path()).unwrap() {
        all.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let holds = |what: &[u8]| all.windows(what.len()).any(|part| part == what);
    assert!(holds(b"ana@example.com"));
    assert!(!holds(&raw) && !holds(id.as_bytes()));
}
