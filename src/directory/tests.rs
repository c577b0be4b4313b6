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

/// A sign-in that proves nothing but its subject.
fn claim(who: (&str, &str), username: &str) -> Claim {
    Claim {
        subject: subject(who),
        provider: "idp".to_owned(),
        username: name(username),
        verified_email: None,
        link_by: Vec::new(),
        facts: None,
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
            let pinned = bench.identities.pin(claim(*who, username)).await;
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
                let who = format!("{round}-{contender}");
                let claim = claim(("https://a.example", &who), &format!("user{round}"));
                tasks.spawn(async move { identities.pin(claim).await });
            }
            let outcomes = tasks.join_all().await;
            let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            assert_eq!(won, 1, "{outcomes:?}");
            assert!(
                outcomes
                    .iter()
                    .all(|outcome| matches!(outcome, Ok(Standing::New) | Err(Error::Taken { .. }))),
                "{outcomes:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_pin_tells_when_it_was_first_and_last_seen() {
    for bench in benches().await {
        let start = bench.clock.now();
        bench.identities.pin(claim(A, "Ana")).await.unwrap();
        bench.clock.advance(Duration::from_secs(60));
        bench.identities.pin(claim(A, "ana")).await.unwrap();
        bench.clock.advance(Duration::from_secs(60));
        let renamed = bench.identities.pin(claim(A, "bob")).await;
        assert!(renamed.is_err());
        let pin = bench.identities.find(&subject(A)).await.unwrap().unwrap();
        assert_eq!(pin.username, name("Ana"));
        assert_eq!(pin.first_seen, start);
        assert_eq!(pin.last_seen, start.plus(Duration::from_secs(60)));
        let nobody = bench.identities.find(&subject(OTHER_ISSUER)).await;
        assert_eq!(nobody.unwrap(), None);
    }
}

#[tokio::test]
async fn pins_survive_a_restart_in_sqlite() {
    let [_, bench] = benches().await;
    bench.identities.pin(claim(A, "ana")).await.unwrap();
    let again = Identities::open(&bench.store, bench.clock.clone())
        .await
        .unwrap();
    again.pin(claim(A, "ana")).await.unwrap();
    let taken = again.pin(claim(OTHER_ISSUER, "ana")).await;
    assert!(matches!(taken, Err(Error::Taken { .. })), "{taken:?}");
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let store = config::Store::Sqlite(directory.path().join("not/there.db"));
    let opened = Identities::open(&store, Clock::system()).await;
    assert!(matches!(opened, Err(Error::Store(_))), "{opened:?}");
}

const BY_BOTH: &[&str] = &["one", "two"];

/// A sign-in with an address that its provider has verified.
fn vouched(who: (&str, &str), provider: &str, email: Option<&str>, link_by: &[&str]) -> Claim {
    Claim {
        provider: provider.to_owned(),
        verified_email: email.map(|email| Email::parse(email).unwrap()),
        link_by: link_by.iter().map(|id| (*id).to_owned()).collect(),
        ..claim(who, "ana")
    }
}

/// Whether the second of two sign-ins under one name is taken for the same person.
async fn check_link(first: Claim, second: Claim, linked: bool) {
    for bench in benches().await {
        bench.identities.pin(first.clone()).await.unwrap();
        // Looking is not deciding.
        let looked = bench.identities.standing(second.clone()).await;
        assert_eq!(looked.is_ok(), linked, "{looked:?}");
        let before = bench.identities.list(None, 10).await.unwrap();
        assert_eq!(before.len(), 1);
        let standing = bench.identities.pin(second.clone()).await;
        if linked {
            let issuer = first.subject.issuer.clone();
            assert_eq!(standing.unwrap(), Standing::Linked { issuer });
            let again = bench.identities.pin(second.clone()).await;
            assert_eq!(again.unwrap(), Standing::Known);
            let both = bench.identities.list(Some(&name("ANA")), 10).await;
            assert_eq!(both.unwrap().len(), 2);
        } else {
            assert!(matches!(standing, Err(Error::Taken { .. })), "{standing:?}");
        }
    }
}

#[tokio::test]
async fn two_trusted_providers_and_one_verified_address_are_one_person() {
    let ana = Some("ana@example.com");
    check_link(
        vouched(A, "one", ana, BY_BOTH),
        vouched(OTHER_ISSUER, "two", ana, BY_BOTH),
        true,
    )
    .await;
}

#[tokio::test]
async fn nothing_less_links_two_subjects() {
    let ana = Some("ana@example.com");
    let first = || vouched(A, "one", ana, BY_BOTH);
    let seconds = [
        // The rule is off, or this provider is not trusted for it.
        vouched(OTHER_ISSUER, "two", ana, &[]),
        // The provider of the first is not trusted for it.
        vouched(OTHER_ISSUER, "two", ana, &["two"]),
        vouched(OTHER_ISSUER, "two", Some("eve@example.com"), BY_BOTH),
        vouched(OTHER_ISSUER, "two", None, BY_BOTH),
        // Another account at the same provider: the address was given to somebody else.
        vouched(OTHER_SUBJECT, "one", ana, BY_BOTH),
    ];
    for second in seconds {
        check_link(first(), second, false).await;
    }
    // The first never had a verified address, and two that have none do not have the same.
    for second in [ana, None] {
        check_link(
            vouched(A, "one", None, BY_BOTH),
            vouched(OTHER_ISSUER, "two", second, BY_BOTH),
            false,
        )
        .await;
    }
}

#[tokio::test]
async fn an_administrator_gives_a_second_subject_the_name() {
    for bench in benches().await {
        let identities = &bench.identities;
        identities.pin(claim(A, "ana")).await.unwrap();
        let other = subject(OTHER_ISSUER);
        let before = identities.relink(&other, "two", &name("ana")).await;
        assert_eq!(before.unwrap(), None);
        for who in [A, OTHER_ISSUER] {
            let standing = identities.pin(claim(who, "ana")).await.unwrap();
            assert_eq!(standing, Standing::Known);
        }
        // And another name.
        let before = identities.relink(&other, "two", &name("bea")).await;
        assert_eq!(before.unwrap(), Some(name("ana")));
        assert!(identities.pin(claim(OTHER_ISSUER, "ana")).await.is_err());
        assert!(identities.pin(claim(OTHER_ISSUER, "bea")).await.is_ok());
    }
}

#[tokio::test]
async fn a_verified_address_does_not_survive_another_name() {
    for bench in benches().await {
        let identities = &bench.identities;
        let ana = Some("ana@example.com");
        identities
            .pin(vouched(A, "one", ana, BY_BOTH))
            .await
            .unwrap();
        identities
            .relink(&subject(A), "one", &name("bea"))
            .await
            .unwrap();
        let claim = Claim {
            username: name("bea"),
            ..vouched(OTHER_ISSUER, "two", ana, BY_BOTH)
        };
        assert!(identities.pin(claim).await.is_err());
    }
}

#[tokio::test]
async fn what_is_forgotten_is_pinned_anew() {
    for bench in benches().await {
        let identities = &bench.identities;
        identities.pin(claim(A, "ana")).await.unwrap();
        identities
            .relink(&subject(OTHER_ISSUER), "two", &name("ana"))
            .await
            .unwrap();
        let one = Whom::Subject(subject(A));
        assert_eq!(identities.forget(one.clone()).await.unwrap(), 1);
        assert_eq!(identities.forget(one).await.unwrap(), 0);
        // The other subject still has the name.
        assert!(identities.pin(claim(A, "ana")).await.is_err());
        let all = Whom::Username(name("Ana"));
        assert_eq!(identities.forget(all).await.unwrap(), 1);
        let standing = identities.pin(claim(A, "ana")).await.unwrap();
        assert_eq!(standing, Standing::New);
    }
}

#[tokio::test]
async fn pins_are_listed_by_name_and_no_more_than_asked_for() {
    for bench in benches().await {
        for (subject, username) in [("1", "carol"), ("2", "Ana"), ("3", "bob")] {
            let claim = Claim {
                facts: Some(format!("{{\"n\":{subject}}}")),
                ..claim(("https://a.example", subject), username)
            };
            bench.identities.pin(claim).await.unwrap();
        }
        let names = |list: Vec<Identity>| -> Vec<String> {
            list.into_iter().map(|pin| pin.username.into()).collect()
        };
        let all = bench.identities.list(None, 100).await.unwrap();
        assert_eq!(all[0].facts.as_deref(), Some("{\"n\":2}"));
        assert_eq!(names(all), ["Ana", "bob", "carol"]);
        let two = bench.identities.list(None, 2).await.unwrap();
        assert_eq!(names(two), ["Ana", "bob"]);
        let bob = bench.identities.list(Some(&name("BOB")), 2).await.unwrap();
        assert_eq!(names(bob), ["bob"]);
    }
}
