//! What tests of a client set, and what they see.

use super::*;
use http::StatusCode;
use std::time::Duration;

const USERS: &str = "/admin/users?filter=ana";

#[tokio::test]
async fn calls_about_people_are_recorded_with_what_they_said() {
    let world = world().await;
    send(world.call("GET", USERS)).await;
    let body = serde_json::json!({ "user": "ana", "groups": ["none"] });
    send(world.call("POST", "/admin/users/add-groups").json(&body)).await;
    send(world.get(&format!("{ONE}/groups"))).await;
    for other in [
        "/dashboard",
        "/rest/api/1.0/projects",
        "/rest/api/1.0/application-properties",
    ] {
        send(world.as_zoe(other)).await;
    }
    let calls = world.bitbucket.calls();
    let shown: Vec<_> = calls
        .iter()
        .map(|call| {
            let status = call.status.unwrap().as_u16();
            let user = call.username.as_deref().unwrap_or("nobody");
            format!("{} {} {user} {status}", call.method, call.target)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "GET /rest/api/latest/admin/users?filter=ana portcullis 200",
            "POST /rest/api/latest/admin/users/add-groups portcullis 404",
            "GET /rest/api/1.0/groups nobody 401",
        ]
    );
    assert_eq!(calls[1].body, body.to_string());
    assert_eq!(world.bitbucket.writes(), [calls[1].clone()]);
    world.bitbucket.forget_calls();
    assert!(world.bitbucket.calls().is_empty());
}

#[tokio::test]
async fn a_held_call_is_seen_before_it_is_answered() {
    let world = world().await;
    let hold = world.bitbucket.hold();
    let call = tokio::spawn(world.call("GET", USERS).send());
    while world.bitbucket.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.bitbucket.calls()[0].status, None);
    assert!(!call.is_finished());
    // Everything else goes on.
    assert_eq!(send(world.as_zoe("/dashboard")).await.status(), 200);
    drop(hold);
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    assert_eq!(world.bitbucket.calls()[0].status.unwrap(), 200);
}

#[tokio::test]
async fn a_slow_call_outlasts_an_impatient_client() {
    let world = world().await;
    world.bitbucket.set_delay(Duration::from_secs(3600));
    let impatient = world.call("GET", USERS).timeout(Duration::from_millis(1));
    assert!(impatient.send().await.unwrap_err().is_timeout());
    assert_eq!(send(world.as_zoe("/dashboard")).await.status(), 200);
    world.bitbucket.set_delay(Duration::ZERO);
    assert_eq!(send(world.call("GET", USERS)).await.status(), 200);
}

#[tokio::test]
async fn faults_come_in_their_number_and_for_what_they_are_meant() {
    let world = world().await;
    let bitbucket = &world.bitbucket;
    bitbucket.fail_next_at(
        "POST /rest/api/latest/admin/groups",
        1,
        Fault::Status(StatusCode::BAD_GATEWAY),
    );
    bitbucket.fail_next(2, Fault::RateLimited(Duration::from_secs(7)));
    for _ in 0..2 {
        let limited = send(world.call("GET", USERS)).await;
        assert_eq!(
            (limited.status().as_u16(), field(&limited, "retry-after")),
            (429, "7")
        );
        let body: Value = limited.json().await.unwrap();
        assert!(body["errors"][0]["message"].is_string());
    }
    assert_eq!(send(world.call("GET", USERS)).await.status(), 200);
    let post = || world.call("POST", "/admin/groups?name=dev");
    refused(post(), 502, "", "error occurred").await;
    assert!(!world.people().groups().contains(&"dev".to_owned()));
    assert_eq!(send(post()).await.status(), 200);

    bitbucket.fail_always(Some(Fault::Status(StatusCode::INTERNAL_SERVER_ERROR)));
    for _ in 0..3 {
        refused(world.call("GET", USERS), 500, "", "error occurred").await;
    }
    assert_eq!(
        send(world.as_zoe("/rest/api/1.0/projects")).await.status(),
        200
    );
    bitbucket.fail_next(5, Fault::Garbage);
    bitbucket.recover();
    assert_eq!(send(world.call("GET", USERS)).await.status(), 200);
}

#[tokio::test]
async fn answers_can_be_wrong_in_every_way() {
    let world = world().await;
    let next = |fault| {
        world.bitbucket.fail_next(1, fault);
        send(world.call("GET", USERS))
    };
    let garbage = next(Fault::Garbage).await;
    assert_eq!(garbage.status(), 200);
    assert!(field(&garbage, "content-type").starts_with("application/json"));
    assert!(garbage.json::<Value>().await.is_err());
    let page = next(Fault::LoginPage).await;
    assert_eq!(page.status(), 200);
    assert!(field(&page, "content-type").starts_with("text/html"));
    let moved = next(Fault::Moved("https://idp.example/".to_owned())).await;
    assert_eq!(
        (moved.status().as_u16(), field(&moved, "location")),
        (302, "https://idp.example/")
    );
    let proxy = next(Fault::ProxyNotFound).await;
    assert_eq!(proxy.status(), 404);
    assert!(!proxy.text().await.unwrap().contains("exceptionName"));
    let cut = next(Fault::Cut).await;
    assert_eq!(cut.status(), 200);
    assert!(cut.text().await.is_err());
    let mut endless = next(Fault::Endless).await;
    let mut size = 0;
    while size < 10_000_000 {
        size += endless.chunk().await.unwrap().unwrap().len();
    }
    drop(endless);
    world.bitbucket.fail_next(1, Fault::Silence);
    let silence = world.call("GET", USERS).timeout(Duration::from_millis(1));
    assert!(silence.send().await.unwrap_err().is_timeout());
    world.bitbucket.recover();

    let path = "/admin/groups?name=dev";
    // For this call alone: the one that was given up may still be on its way.
    let lost = Fault::AnswerLost(StatusCode::GATEWAY_TIMEOUT);
    world.bitbucket.fail_next_at("POST", 1, lost);
    refused(world.call("POST", path), 504, "", "").await;
    assert!(
        world.people().groups().contains(&"dev".to_owned()),
        "it was done"
    );
}

#[tokio::test]
async fn somebody_new_is_missed_for_a_while_where_it_happens() {
    let world = world().await;
    world.bitbucket.hide_new_users(2);
    let path =
        "/admin/users?name=eva&displayName=E&emailAddress=e@e&password=p&addToDefaultGroup=false";
    done(world.call("POST", path), 204).await;
    let page = json(world.call("GET", "/admin/users?filter=eva")).await;
    assert_eq!(names(&page), ["eva"], "a search finds them at once");
    let body = serde_json::json!({ "user": "eva", "groups": ["stash-users"] });
    let add = || world.call("POST", "/admin/users/add-groups").json(&body);
    refused(add(), 404, "NoSuchUserException", "No such user").await;
    let path = "/admin/permissions/users?name=eva&permission=LICENSED_USER";
    refused(
        world.call("PUT", path),
        404,
        "NoSuchUserException",
        "No such user",
    )
    .await;
    done(add(), 200).await;
    assert_eq!(world.people().groups_of("eva"), ["stash-users"]);
}

#[tokio::test]
async fn the_switches_of_the_demo_show_how_they_stand() {
    let provider = provider::start(provider::Setup {
        clients: Vec::new(),
        people: Vec::new(),
        clock: Clock::system(),
    })
    .await
    .unwrap();
    let world = world_with(Some(Controls {
        provider,
        backdoor_url: "http://127.0.0.1:8080/backdoor".to_owned(),
        configuration: String::new(),
    }))
    .await;
    let press = |switch: &'static str, to: &'static str, origin: String| {
        let post = world.http.post(world.at("/demo/bitbucket"));
        send(
            post.header("origin", origin)
                .form(&[("switch", switch), ("to", to)]),
        )
    };
    let dashboard = async || send(world.as_zoe("/dashboard")).await.text().await.unwrap();
    let own = world.at("");
    let create = "/admin/users?name=eva&displayName=E&emailAddress=e@e&password=p";
    for (switch, title, status) in [
        ("read-only", "directory is read-only", 409),
        ("full", "licence is full", 403),
        ("failing", "people fail", 500),
    ] {
        let foreign = press(switch, "on", "https://attacker.example".to_owned()).await;
        assert_eq!(foreign.status(), 403);
        assert!(!dashboard().await.contains(">on</span>"));
        assert_eq!(press(switch, "on", own.clone()).await.status(), 303);
        let page = dashboard().await;
        assert!(
            page.contains(&format!("{title} <span class=\"tag bad\">on</span>")),
            "{switch}"
        );
        assert_eq!(send(world.call("POST", create)).await.status(), status);
        press(switch, "off", own.clone()).await;
    }
    press("slow", "on", own.clone()).await;
    assert!(world.bitbucket.shared.is_slow());
    press("slow", "off", own.clone()).await;
    done(world.call("POST", create), 204).await;
    assert_eq!(press("other", "on", own).await.status(), 422);
    let without = super::world().await;
    let post = without.http.post(without.at("/demo/bitbucket"));
    let form = post.form(&[("switch", "slow"), ("to", "on")]);
    assert_eq!(send(form).await.status(), 404);
}
