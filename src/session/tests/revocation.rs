//! Sessions by name: listed, revoked, renewed.

use super::{Bench, HOUR, MS, Named, STORES, headers, open, signed_in, who};
use crate::clock::Timestamp;
use crate::config;
use crate::identity::{GroupName, Person, Username};
use crate::secret::Secret;
use crate::session::{CachedAssertion, How, Live, SignedIn, Summary, Upkeep, Visitor};
use futures_util::FutureExt;
use http::HeaderValue;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use tower_sessions::SessionStore;

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

fn of(provider: &str, issuer: &str, subject: &str, sid: &str) -> SignedIn {
    SignedIn {
        how: How::Provider {
            id: provider.to_owned(),
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
        },
        sid: Some(sid.to_owned()),
        ..signed_in(&format!("{provider}-{subject}-{sid}"))
    }
}

fn subject(
    provider: &str,
    issuer: Option<&str>,
    subject: Option<&str>,
    sid: Option<&str>,
) -> Named {
    Named::Subject {
        provider: provider.to_owned(),
        issuer: issuer.map(str::to_owned),
        subject: subject.map(str::to_owned),
        sid: sid.map(str::to_owned),
    }
}

fn names(sessions: &[Summary]) -> Vec<String> {
    let mut names: Vec<_> = sessions.iter().map(|it| it.username.to_string()).collect();
    names.sort();
    names
}

fn upkeep(token: &str, due: u64) -> Option<Upkeep> {
    Some(Upkeep {
        token: Secret::new(token.to_owned()),
        due: Timestamp::from_secs(due),
    })
}

/// Who is revoked of a handful, with all in memory and with none, in each store.
async fn check_revoked(which: Named, want: &[&str]) {
    for store in STORES {
        for in_memory in [true, false] {
            let bench = Bench::new(store).await;
            let mut cookies = Vec::new();
            for signed_in in [
                of("one", "https://a", "s1", "x"),
                of("one", "https://a", "s1", "y"),
                of("one", "https://b", "s1", "x"),
                of("one", "https://a", "s2", "x"),
                of("two", "https://a", "s1", "x"),
                SignedIn {
                    how: How::Backdoor,
                    ..signed_in("root")
                },
            ] {
                let name = signed_in.person.username.to_string();
                cookies.push((name, bench.sign_in_as(signed_in).await.0));
            }
            let sessions = match in_memory {
                true => bench.sessions.clone(),
                false => bench.forgetful(),
            };
            let ended = sessions.revoke(&which).await.unwrap();
            assert_eq!(names(&ended), want, "{which:?} in {store:?}");
            let left = sessions.list(None, 100).await.unwrap();
            assert_eq!(left.len() + ended.len(), 6);
            assert!(left.iter().all(|left| !ended.contains(left)));
            for again in [&sessions, &bench.forgetful()] {
                let mut there = 0;
                for (_, cookie) in &cookies {
                    there += usize::from(who(again, &[cookie]).await.is_some());
                }
                assert_eq!(there, left.len(), "{which:?} in {store:?}");
            }
            // Once more ends nobody.
            assert_eq!(sessions.revoke(&which).await.unwrap(), []);
        }
    }
}

#[tokio::test]
async fn a_subject_is_revoked_by_provider_issuer_subject_and_session() {
    check_revoked(
        subject("one", Some("https://a"), Some("s1"), None),
        &["one-s1-x", "one-s1-y"],
    )
    .await;
    check_revoked(
        subject("one", Some("https://a"), None, Some("x")),
        &["one-s1-x", "one-s2-x"],
    )
    .await;
    check_revoked(
        subject("one", Some("https://a"), Some("s1"), Some("x")),
        &["one-s1-x"],
    )
    .await;
    check_revoked(subject("one", Some("https://a"), None, Some("z")), &[]).await;
    check_revoked(subject("two", None, None, None), &["two-s1-x"]).await;
    // The emergency sign-in is no provider's, whatever one may be called.
    check_revoked(subject("backdoor", None, None, None), &[]).await;
}

#[tokio::test]
async fn a_person_is_revoked_whatever_the_case_of_the_name() {
    check_revoked(Named::Username(name("ONE-s1-X")), &["one-s1-x", "one-s1-x"]).await;
    check_revoked(Named::Username(name("ghost")), &[]).await;
}

#[tokio::test]
async fn everybody_is_revoked_at_once() {
    check_revoked(
        Named::All,
        &[
            "one-s1-x", "one-s1-x", "one-s1-y", "one-s2-x", "root", "two-s1-x",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_handle_names_one_session_and_others_of_a_person_stay() {
    for store in STORES {
        let bench = Bench::new(store).await;
        let (phone, live) = bench.sign_in("ana").await;
        let (laptop, _) = bench.sign_in("ana").await;
        let (bob, _) = bench.sign_in("bob").await;
        for nonsense in ["", "x", &"0".repeat(32), &"f".repeat(33), &"+".repeat(32)] {
            let which = Named::Handle(nonsense.to_owned());
            let none = bench.sessions.revoke(&which);
            assert_eq!(none.await.unwrap(), [], "{nonsense:?}");
        }
        let others = Named::OthersOf {
            username: name("ANA"),
            but: live.handle(),
        };
        assert_eq!(bench.sessions.revoke(&others).await.unwrap().len(), 1);
        assert_eq!(who(&bench.sessions, &[&laptop]).await, None);
        assert_eq!(who(&bench.sessions, &[&phone]).await.unwrap(), "ana");

        let found = bench
            .sessions
            .find(&Named::Handle(live.handle()), 1)
            .await
            .unwrap();
        assert_eq!(found, [live.summary()]);
        let ended = bench.sessions.revoke(&Named::Handle(live.handle())).await;
        assert_eq!(ended.unwrap(), [live.summary()]);
        for sessions in [&bench.sessions, &bench.forgetful()] {
            assert_eq!(who(sessions, &[&phone]).await, None);
            assert_eq!(who(sessions, &[&bob]).await.unwrap(), "bob");
        }
        assert!(!phone.contains(&live.handle()));
    }
}

#[tokio::test]
async fn a_list_is_bounded_has_the_last_used_first_and_nothing_that_is_over() {
    for store in STORES {
        let bench = Bench::new(store).await;
        let (old, _) = bench.sign_in("old").await;
        bench.clock.advance(HOUR);
        bench.sign_in("ana").await;
        bench.clock.advance(HOUR);
        bench.sign_in("Ana").await;
        let list = async |name: Option<&Username>, limit| {
            let listed = bench.sessions.list(name, limit).await.unwrap();
            let names = listed.iter().map(|it| it.username.to_string());
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(list(None, 100).await, "Ana ana old");
        assert_eq!(list(None, 2).await, "Ana ana");
        assert_eq!(list(Some(&name("ana")), 100).await, "Ana ana");
        assert_eq!(list(Some(&name("nobody")), 100).await, "");
        // What memory knows of the last use counts, before the sweep has written it down.
        bench.clock.advance(HOUR);
        who(&bench.sessions, &[&old]).await.unwrap();
        assert_eq!(list(None, 100).await, "old Ana ana");
        bench.sessions.sweep().await.unwrap();
        bench.clock.advance(8 * HOUR - MS);
        assert_eq!(list(None, 100).await, "old");
        bench.clock.advance(MS);
        assert_eq!(list(None, 100).await, "");
    }
}

#[tokio::test]
async fn who_signs_in_after_a_revocation_stays() {
    for store in STORES {
        for which in [Named::All, Named::Username(name("ana"))] {
            let bench = Bench::new(store).await;
            let (before, _) = bench.sign_in("ana").await;
            bench.sessions.revoke(&which).await.unwrap();
            // In the same millisecond.
            let (after, _) = bench.sign_in("ana").await;
            for sessions in [&bench.sessions, &bench.forgetful()] {
                assert_eq!(who(sessions, &[&before]).await, None);
                assert_eq!(who(sessions, &[&after]).await.unwrap(), "ana");
            }
        }
    }
}

#[tokio::test]
async fn a_load_that_is_overtaken_by_a_revocation_brings_nothing_back() {
    for store in STORES {
        for which in [Named::All, Named::Username(name("ana"))] {
            let bench = Bench::new(store).await;
            let (cookie, _) = bench.sign_in("ana").await;
            let sessions = bench.forgetful();
            let gate = bench.spy.gate();
            let loading = tokio::spawn({
                let (sessions, cookie) = (sessions.clone(), cookie.clone());
                async move { who(&sessions, &[&cookie]).await }
            });
            gate.loaded.notified().await;
            assert_eq!(sessions.revoke(&which).await.unwrap().len(), 1);
            gate.go_on.notify_one();
            assert_eq!(loading.await.unwrap(), None);
            *bench.spy.gate.lock().unwrap() = None;
            assert_eq!(who(&sessions, &[&cookie]).await, None);
            assert_eq!(sessions.shared.known.len(), 0);
        }
    }
}

#[tokio::test]
async fn a_revocation_that_the_store_refuses_holds_in_memory_and_is_made_up_for() {
    for store in STORES {
        for which in [Named::All, Named::Username(name("ana"))] {
            let bench = Bench::new(store).await;
            let (cookie, live) = bench.sign_in("ana").await;
            bench.spy.cannot_write.store(true, SeqCst);
            assert!(bench.sessions.revoke(&which).await.is_err());
            assert!(live.has_ended() && live.over().now_or_never().is_some());
            assert_eq!(who(&bench.sessions, &[&cookie]).await, None);
            assert!(bench.stored(&live).await);
            bench.spy.cannot_write.store(false, SeqCst);
            bench.sessions.sweep().await.unwrap();
            assert!(!bench.stored(&live).await);
        }
    }
}

#[tokio::test]
async fn whoever_holds_a_session_learns_of_its_end() {
    async fn ended(bench: &Bench, live: Arc<Live>, how: usize) {
        match how {
            0 => bench.sessions.end(&live).await.unwrap(),
            1 => drop(bench.sessions.revoke(&Named::All).await.unwrap()),
            2 => {
                let visitor = Visitor::Known(live);
                let begun = bench.sessions.begin(&visitor, signed_in("ana")).await;
                drop(begun.unwrap());
            }
            _ => {
                bench.clock.advance(8 * HOUR);
                bench.sessions.sweep().await.unwrap();
            }
        }
    }
    for store in STORES {
        for how in 0..4 {
            let bench = Bench::new(store).await;
            let (_, live) = bench.sign_in("ana").await;
            let mut over = Box::pin(live.over());
            assert!(over.as_mut().now_or_never().is_none() && !live.has_ended());
            // Another's end rings, and changes nothing.
            let (_, other) = bench.sign_in("bob").await;
            bench.sessions.end(&other).await.unwrap();
            assert!(over.as_mut().now_or_never().is_none() && !live.has_ended());
            ended(&bench, Arc::clone(&live), how).await;
            assert!(live.has_ended(), "{how}");
            assert!(over.now_or_never().is_some(), "{how}");
        }
    }
}

fn changed() -> Person {
    Person {
        groups: vec![GroupName::parse("auditors").unwrap()],
        ..signed_in("ana").person
    }
}

#[tokio::test]
async fn a_renewal_replaces_the_person_for_every_request_and_in_the_store() {
    for store in STORES {
        let bench = Bench::new(store).await;
        let (cookie, live) = bench.sign_in("ana").await;
        let assertion = CachedAssertion {
            value: HeaderValue::from_static("signed"),
            fresh_until: Timestamp::from_secs(u64::MAX / 2000),
            made_with: 1,
        };
        let before = live.kept_present();
        before.assertion().store(Some(Arc::new(assertion)));
        bench
            .sessions
            .renew(&live, changed(), upkeep("second", 9))
            .await
            .unwrap();
        for sessions in [&bench.sessions, &bench.forgetful()] {
            let visitor = sessions.recognize(&headers(&[&cookie])).await.unwrap();
            let Visitor::Known(live) = visitor else {
                panic!("a stranger");
            };
            assert_eq!(*live.person(), changed());
            assert_eq!(live.upkeep(), upkeep("second", 9));
            assert!(live.present().assertion().load().is_none());
        }
        // A request that began before has what it began with, as one whole.
        assert_eq!(*before.person(), signed_in("ana").person);
        assert!(before.assertion().load().is_some());
        bench.sessions.renew(&live, changed(), None).await.unwrap();
        assert_eq!(live.upkeep_due(), None);
    }
}

#[tokio::test]
async fn a_renewal_moves_no_limit() {
    for store in STORES {
        let bench = Bench::new(store).await;
        let (cookie, live) = bench.sign_in("ana").await;
        let end = live.expires_at();
        for _ in 0..23 {
            bench.clock.advance(7 * HOUR);
            who(&bench.sessions, &[&cookie]).await.unwrap();
            bench
                .sessions
                .renew(&live, changed(), upkeep("next", 1))
                .await
                .unwrap();
            bench.sessions.sweep().await.unwrap();
        }
        assert_eq!(live.expires_at(), end);
        bench.clock.advance(7 * HOUR - MS);
        assert_eq!(who(&bench.forgetful(), &[&cookie]).await.unwrap(), "ana");
        bench.clock.advance(MS);
        assert_eq!(who(&bench.sessions, &[&cookie]).await, None);
        assert_eq!(who(&bench.forgetful(), &[&cookie]).await, None);

        // Nor does it count as a use.
        let (cookie, live) = bench.sign_in("ana").await;
        bench.clock.advance(7 * HOUR);
        bench.sessions.renew(&live, changed(), None).await.unwrap();
        bench.clock.advance(HOUR);
        assert_eq!(who(&bench.sessions, &[&cookie]).await, None);
        assert_eq!(who(&bench.forgetful(), &[&cookie]).await, None);
    }
}

#[tokio::test]
async fn a_renewal_brings_nothing_back_that_has_ended() {
    for store in STORES {
        let bench = Bench::new(store).await;
        let (cookie, live) = bench.sign_in("ana").await;
        bench.sessions.revoke(&Named::All).await.unwrap();
        bench.sessions.renew(&live, changed(), None).await.unwrap();
        bench.sessions.sweep().await.unwrap();
        for sessions in [&bench.sessions, &bench.forgetful()] {
            assert_eq!(who(sessions, &[&cookie]).await, None);
        }
        assert!(!bench.stored(&live).await);
    }
}

#[tokio::test]
async fn a_rotated_token_that_the_store_refuses_is_in_force_and_written_later() {
    for store in STORES {
        let bench = Bench::new(store).await;
        let (cookie, live) = bench.sign_in("ana").await;
        bench.spy.cannot_write.store(true, SeqCst);
        let renewed = bench.sessions.renew(&live, changed(), upkeep("second", 9));
        assert!(renewed.await.is_err());
        assert_eq!(live.upkeep(), upkeep("second", 9));
        bench.spy.cannot_write.store(false, SeqCst);
        bench.sessions.sweep().await.unwrap();
        let visitor = bench.forgetful().recognize(&headers(&[&cookie])).await;
        let Visitor::Known(loaded) = visitor.unwrap() else {
            panic!("a stranger");
        };
        assert_eq!(loaded.upkeep(), upkeep("second", 9));
    }
}

#[tokio::test]
async fn two_renewals_leave_memory_and_store_of_one_mind() {
    for store in STORES {
        let bench = Bench::new(store).await;
        let (cookie, live) = bench.sign_in("ana").await;
        let renewals = (0..20).map(|n| {
            let person = changed();
            bench.sessions.renew(&live, person, upkeep("t", n))
        });
        for done in futures_util::future::join_all(renewals).await {
            done.unwrap();
        }
        let visitor = bench.forgetful().recognize(&headers(&[&cookie])).await;
        let Visitor::Known(loaded) = visitor.unwrap() else {
            panic!("a stranger");
        };
        assert_eq!(loaded.upkeep(), live.upkeep());
        assert!(!live.is_unsaved());
    }
}

#[tokio::test]
async fn a_record_of_the_version_before_is_still_a_session() {
    for store in STORES {
        let bench = Bench::new(store).await;
        let (cookie, live) = bench.sign_in("ana").await;
        let mut record =
            crate::session::store::record(&live, &live.present(), live.expires_at()).unwrap();
        let facts = record.data.get_mut("session").unwrap();
        let facts = facts.as_object_mut().unwrap();
        for key in ["sid", "upkeep", "client", "browser"] {
            assert!(!facts.contains_key(key), "what is not there is not written");
        }
        facts.retain(|key, _| {
            [
                "person",
                "how",
                "id_token",
                "kind",
                "signed_in_at",
                "expires_at",
            ]
            .contains(&&**key)
        });
        bench.spy.save(&record).await.unwrap();
        let again = bench.forgetful();
        assert_eq!(who(&again, &[&cookie]).await.unwrap(), "ana");
        assert_eq!(again.list(Some(&name("ana")), 9).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_revoked_with_everybody() {
    for store in STORES {
        let bench = Bench::new(store).await;
        let (_, live) = bench.sign_in("ana").await;
        let mut record =
            crate::session::store::record(&live, &live.present(), live.expires_at()).unwrap();
        record.data.insert("session".to_owned(), "of old".into());
        bench.spy.save(&record).await.unwrap();
        assert_eq!(bench.sessions.list(None, 9).await.unwrap(), []);
        bench.sessions.revoke(&Named::All).await.unwrap();
        assert!(!bench.stored(&live).await);
    }
}

#[tokio::test]
async fn rows_of_an_earlier_version_of_the_file_are_found_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    let earlier = rusqlite::Connection::open(&file).unwrap();
    // As the steps before left it, with one row that is no JSON.
    earlier
        .execute_batch(
            r#"CREATE TABLE sessions (id BLOB PRIMARY KEY, expires_at INTEGER NOT NULL,
               last_used INTEGER NOT NULL, data TEXT NOT NULL) STRICT;
             CREATE INDEX sessions_by_expiry ON sessions (expires_at);
             INSERT INTO sessions VALUES (x'00000000000000000000000000000001', 9000000000000, 1000000000,
               '{"session":{"person":{"username":"Ana","email":null,"display_name":null,"groups":[]},
                 "how":{"how":"provider","id":"idp","issuer":"https://idp","subject":"s1"},
                 "kind":"usual","signed_in_at":1000000000,"expires_at":9000000000000},"last_used":1000000000}');
             INSERT INTO sessions VALUES (x'00000000000000000000000000000002', 9000000000000, 1, 'no json');
             PRAGMA application_id = 0x506F7274;
             PRAGMA user_version = 4;
             CREATE TABLE identities (x);"#,
        )
        .unwrap();
    drop(earlier);
    let config = super::config(config::Store::Sqlite(file.clone()));
    let clock = crate::clock::Clock::manual(Timestamp::from_secs(1_000_000));
    let (sessions, _) = open(&config, &clock).await;
    for which in [
        Named::Username(name("ana")),
        subject("idp", Some("https://idp"), Some("s1"), None),
    ] {
        assert_eq!(names(&sessions.find(&which, 9).await.unwrap()), ["Ana"]);
    }
    let ended = sessions.revoke(&Named::Username(name("ana"))).await;
    assert_eq!(names(&ended.unwrap()), ["Ana"]);
    assert_eq!(sessions.list(None, 9).await.unwrap(), []);
}

#[tokio::test]
async fn a_logout_of_nobody_wakes_nobody() {
    for store in STORES {
        let bench = Bench::new(store).await;
        bench
            .sessions
            .begin(&Visitor::Stranger, of("one", "https://a", "s1", "x"))
            .await
            .unwrap();
        let endings = bench.sessions.endings();
        let mut bell = endings.bell();
        let nobody = subject("one", None, None, Some("guessed"));
        assert!(bench.sessions.revoke(&nobody).await.unwrap().is_empty());
        assert!((&mut bell).now_or_never().is_none());
        let somebody = subject("one", None, None, Some("x"));
        assert_eq!(bench.sessions.revoke(&somebody).await.unwrap().len(), 1);
        assert!((&mut bell).now_or_never().is_some());
    }
}
