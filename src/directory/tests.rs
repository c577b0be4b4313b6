//! One suite, run against every store.

use super::*;
use std::time::Duration;
use tempfile::TempDir;

const A: (&str, &str) = ("https://a.example", "1");
const OTHER_SUBJECT: (&str, &str) = ("https://a.example", "2");
const OTHER_ISSUER: (&str, &str) = ("https://b.example", "1");

fn subject((issuer, subject): (&str, &str)) -> Subject {
    Subject {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
    }
}

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

struct Bench {
    identities: Identities,
    clock: Clock,
    store: config::Store,
    _directory: Option<TempDir>,
}

async fn benches() -> [Bench; 2] {
    let directory = tempfile::tempdir().unwrap();
    let file = config::Store::Sqlite(directory.path().join("state.db"));
    [
        bench(config::Store::Memory, None).await,
        bench(file, Some(directory)).await,
    ]
}

async fn bench(store: config::Store, directory: Option<TempDir>) -> Bench {
    let clock = Clock::manual(Timestamp::from_secs(1000));
    Bench {
        identities: Identities::open(&store, clock.clone()).await.unwrap(),
        clock,
        store,
        _directory: directory,
    }
}

/// Pins one after the other; each with `None`, or the beginning of the refusal.
async fn check(pins: &[((&str, &str), &str, Option<&str>)]) {
    for bench in benches().await {
        for (who, username, want) in pins {
            let pinned = bench.identities.pin(&subject(*who), &name(username)).await;
            let refusal = pinned.err().map(|error| error.to_string());
            assert_eq!(refusal.as_deref(), *want, "{who:?} as {username}");
        }
    }
}

#[tokio::test]
async fn a_subject_comes_back_under_its_name() {
    check(&[
        (A, "ana", None),
        (OTHER_SUBJECT, "bob", None),
        (OTHER_ISSUER, "carol", None),
        (A, "ana", None),
        (OTHER_ISSUER, "carol", None),
        // Bitbucket compares without case, so this is the same person under the same name.
        (A, "Ana", None),
        (A, "ana", None),
    ])
    .await;
}

#[tokio::test]
async fn a_second_subject_does_not_get_the_name() {
    let taken = "the username \"ana\" belongs to another subject of \"https://a.example\"";
    let shouted = "the username \"ANA\" belongs to another subject of \"https://a.example\"";
    check(&[
        (A, "ana", None),
        (OTHER_SUBJECT, "ana", Some(taken)),
        (OTHER_ISSUER, "ana", Some(taken)),
        (OTHER_ISSUER, "ANA", Some(shouted)),
        (A, "ana", None),
        // Whoever was refused is not pinned by it.
        (OTHER_ISSUER, "carol", None),
    ])
    .await;
}

#[tokio::test]
async fn a_subject_does_not_get_a_second_name() {
    let renamed = "this subject is pinned to \"ana\" and now claims \"admin\"";
    check(&[
        (A, "ana", None),
        (A, "admin", Some(renamed)),
        (A, "ana", None),
        (OTHER_SUBJECT, "admin", None),
        (A, "admin", Some(renamed)),
    ])
    .await;
}

#[tokio::test]
async fn issuers_and_subjects_are_compared_byte_for_byte() {
    check(&[
        (("https://a.example", "abc"), "ana", None),
        (("https://a.example", "ABC"), "bob", None),
        (("https://a.example/", "abc"), "carol", None),
        (("https://a.example", "abc "), "dave", None),
        (("https://a.example", ""), "eve", None),
        (
            ("https://a.example", "'; DROP TABLE identities; --"),
            "bobby",
            None,
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_first_sign_ins_under_one_name_exactly_one_wins() {
    for bench in benches().await {
        for round in 0..20 {
            let mut tasks = tokio::task::JoinSet::new();
            for contender in 0..4 {
                let identities = match contender % 2 {
                    0 => bench.identities.clone(),
                    // In sqlite also over another connection; memory has but one.
                    _ if bench.store == config::Store::Memory => bench.identities.clone(),
                    _ => Identities::open(&bench.store, bench.clock.clone())
                        .await
                        .unwrap(),
                };
                let who = subject(("https://a.example", &format!("{round}-{contender}")));
                let username = name(&format!("user{round}"));
                tasks.spawn(async move { identities.pin(&who, &username).await });
            }
            let outcomes = tasks.join_all().await;
            let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            assert_eq!(won, 1, "{outcomes:?}");
            assert!(
                outcomes
                    .iter()
                    .all(|outcome| matches!(outcome, Ok(()) | Err(Error::Taken { .. }))),
                "{outcomes:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_pin_tells_when_it_was_first_and_last_seen() {
    for bench in benches().await {
        let start = bench.clock.now();
        bench
            .identities
            .pin(&subject(A), &name("Ana"))
            .await
            .unwrap();
        bench.clock.advance(Duration::from_secs(60));
        bench
            .identities
            .pin(&subject(A), &name("ana"))
            .await
            .unwrap();
        bench.clock.advance(Duration::from_secs(60));
        let renamed = bench.identities.pin(&subject(A), &name("bob")).await;
        assert!(renamed.is_err());
        let pin = bench.identities.pins.find(&subject(A)).await.unwrap();
        let want = Pin {
            username: name("Ana"),
            first_seen: start,
            last_seen: start.plus(Duration::from_secs(60)),
        };
        assert_eq!(pin.unwrap(), want);
        let nobody = bench.identities.pins.find(&subject(OTHER_ISSUER)).await;
        assert_eq!(nobody.unwrap(), None);
    }
}

#[tokio::test]
async fn pins_survive_a_restart_in_sqlite() {
    let [_, bench] = benches().await;
    bench
        .identities
        .pin(&subject(A), &name("ana"))
        .await
        .unwrap();
    let again = Identities::open(&bench.store, bench.clock.clone())
        .await
        .unwrap();
    again.pin(&subject(A), &name("ana")).await.unwrap();
    let taken = again.pin(&subject(OTHER_ISSUER), &name("ana")).await;
    assert!(matches!(taken, Err(Error::Taken { .. })), "{taken:?}");
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let store = config::Store::Sqlite(directory.path().join("not/there.db"));
    let opened = Identities::open(&store, Clock::system()).await;
    assert!(matches!(opened, Err(Error::Store(_))), "{opened:?}");
}
