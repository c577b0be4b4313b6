//! How long anybody waits, for whom, and for what.

use super::world::sign_in;
use super::*;

/// Quick enough for a test to wait for.
const SHORT: Duration = Duration::from_millis(300);

const ADD: &str = "POST /admin/users/add-groups";

async fn world(timeout: Duration) -> World {
    let world = World::new().await.set(|config| {
        config.groups.mode = GroupMode::OnTheFly;
        config.provisioning.timeout = timeout;
    });
    world.group_names(&["dev"]).await;
    world
}

#[tokio::test]
async fn a_person_waits_no_longer_than_configured() {
    let world = world(SHORT).await;
    world.fake.can("GET /admin/users", [Canned::Silence]);
    let error = world.provisioner().find(&candidate("ana", &[])).await;
    let error = error.unwrap_err();
    let codes = ["bitbucket_timeout", "provisioning_too_slow"];
    assert!(codes.contains(&error.code()), "{error}");
    assert!(!error.is_refusal());
    world.counted("failed", 1);
}

#[tokio::test]
async fn silence_about_permissions_does_not_fail_a_sign_in() {
    let mut short = world(fake::LONG).await;
    // Long enough for every other call.
    short.limits.call = Duration::from_secs(2);
    short
        .fake
        .can("GET /admin/permissions/groups", [Canned::Silence]);
    let plan = sign_in(&short.provisioner(), &candidate("ana", &["dev"])).await;
    assert_eq!(plan.unwrap().changes().len(), 2);
    short.counted("created", 1);
}

#[tokio::test]
async fn what_has_begun_is_finished_although_the_person_is_gone() {
    let world = world(fake::LONG).await;
    world.fake.can(ADD, [Canned::Held]);
    let provisioner = world.provisioner();
    let who = candidate("ana", &["dev"]);
    let found = provisioner.find(&who).await.unwrap();
    let task = tokio::spawn({
        let (provisioner, who) = (provisioner.clone(), who.clone());
        async move { provisioner.apply(found, &who).await }
    });
    world.fake.arrived().await;
    // The browser has hung up.
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(world.groups_of("ana").await, Vec::<String>::new());
    world.fake.go_on();
    // The turn is free when everything is done.
    let plan = sign_in(&provisioner, &who).await.unwrap();
    assert!(plan.is_empty(), "{plan}");
    assert_eq!(world.groups_of("ana").await, ["dev"]);
    world.counted("created", 1);
}

#[tokio::test]
async fn a_slow_change_is_an_error_for_the_person_and_goes_on() {
    let world = world(Duration::from_secs(2)).await;
    world.fake.can(ADD, [Canned::Held]);
    let provisioner = world.provisioner();
    let who = candidate("ana", &["dev"]);
    let error = sign_in(&provisioner, &who).await.unwrap_err();
    assert_eq!(error.code(), "provisioning_too_slow");
    // Meanwhile nobody else writes about the same person, who waits in vain for the same time.
    let error = provisioner.find(&candidate("Ana", &["dev"])).await;
    assert_eq!(error.unwrap_err().code(), "provisioning_too_slow");
    // Others are not concerned.
    let bob = candidate("bob", &["dev"]);
    sign_in(&provisioner, &bob).await.unwrap();
    world.fake.go_on();
    let plan = sign_in(&provisioner, &who).await.unwrap();
    assert!(plan.is_empty(), "{plan}");
    world.counted("created", 2);
    assert_eq!(provisioner.inner.turns.len(), 0);
}

#[tokio::test]
async fn even_finishing_has_an_end() {
    let mut world = world(fake::LONG).await;
    world.finish = SHORT;
    world.fake.can(ADD, [Canned::Silence]);
    let provisioner = world.provisioner();
    let error = sign_in(&provisioner, &candidate("ana", &["dev"])).await;
    let error = error.unwrap_err();
    let codes = ["bitbucket_timeout", "provisioning_too_slow"];
    assert!(codes.contains(&error.code()), "{error}");
    assert_eq!(provisioner.inner.turns.len(), 0);
}

#[tokio::test]
async fn nobody_queues_for_a_bitbucket_that_is_down() {
    // Nobody listens there any more.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let world = World::new().await.set(|config| {
        let ProvisioningTarget::Bitbucket(access) = &mut config.provisioning.target else {
            panic!("not Bitbucket");
        };
        access.url = format!("http://{address}").parse().unwrap();
    });
    let provisioner = world.provisioner();
    let down = async || provisioner.find(&candidate("ana", &[])).await.unwrap_err();
    let first = down().await;
    assert_eq!(first.code(), "bitbucket_unreachable");
    assert!(matches!(first, Error::Unreachable { .. }), "{first}");
    let second = down().await;
    assert_eq!(second.code(), "bitbucket_unreachable");
    assert!(matches!(second, Error::CoolingDown { .. }), "{second}");
    assert!(second.to_string().contains("the next try is in 5 s"));
    world.clock.advance(Duration::from_secs(5));
    assert!(matches!(down().await, Error::Unreachable { .. }));
    world.counted("failed", 3);
}
