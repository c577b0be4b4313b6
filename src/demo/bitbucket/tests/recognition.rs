//! Whom the header signs in when Bitbucket looks people up.

use super::*;
use crate::clock::Timestamp;

async fn strict() -> World {
    world_of(Setup {
        recognition: Recognition::Known,
        ..Setup::plain(Clock::manual(Timestamp::from_secs(1_800_000_000)))
    })
    .await
}

#[tokio::test]
async fn a_header_for_somebody_unknown_signs_nobody_in() {
    let world = strict().await;
    let page = send(world.as_zoe("/dashboard")).await;
    assert_eq!(
        (page.status().as_u16(), field(&page, "location")),
        (303, "/login?next=%2Fdashboard")
    );
    assert_eq!((session(&page), field(&page, "x-ausername")), (None, ""));
    let rest = world.as_zoe(&format!("{ONE}/projects"));
    refused(rest, 401, "AuthorisationException", "not permitted").await;
    let whoami = send(world.as_zoe("/plugins/servlet/applinks/whoami")).await;
    assert_eq!(whoami.text().await.unwrap(), "");
    assert!(
        world
            .bitbucket
            .received()
            .iter()
            .all(|seen| seen.username.is_none())
    );
}

#[tokio::test]
async fn a_header_for_somebody_without_a_licence_is_told_so() {
    let world = strict().await;
    world.people().add_user(Account::new("zoe")).unwrap();
    let page = send(world.as_zoe("/dashboard")).await;
    assert_eq!(page.status(), 401);
    assert_eq!((session(&page), field(&page, "x-ausername")), (None, ""));
    assert!(page.text().await.unwrap().contains("no license"));
    let rest = world.as_zoe(&format!("{ONE}/projects"));
    refused(rest, 401, "AuthorisationException", "no license").await;

    world.people().join("zoe", "stash-users").unwrap();
    let page = send(world.as_zoe("/dashboard")).await;
    assert_eq!(
        (page.status().as_u16(), field(&page, "x-ausername")),
        (200, "zoe")
    );
    let away = Account {
        active: false,
        ..Account::new("ben")
    };
    world.people().add_user(away).unwrap();
    world.people().join("ben", "stash-users").unwrap();
    let inactive = world.get("/dashboard").header(USER_HEADER, "ben");
    assert_eq!(send(inactive).await.status(), 401);
}

#[tokio::test]
async fn who_is_known_is_as_bitbucket_knows_them() {
    let world = strict().await;
    let account = Account {
        name: "Zoë from Bitbucket".to_owned(),
        ..Account::new("Zoe")
    };
    world.people().add_user(account).unwrap();
    world.people().join("zoe", "stash-users").unwrap();
    let request = world
        .as_zoe("/dashboard")
        .header(NAME_HEADER, "Zoë from the header")
        .header(GROUPS_HEADER, "from-the-header");
    let page = send(request).await;
    assert_eq!(
        field(&page, "x-ausername"),
        "Zoe",
        "spelled as it was created"
    );
    let known = world.people().user("zoe").unwrap();
    assert_eq!(field(&page, "x-auserid"), known.id.to_string());
    assert_eq!(
        known.last_authentication,
        Some(Timestamp::from_secs(1_800_000_000))
    );
    let page = page.text().await.unwrap();
    assert!(page.contains("believes you are Zoë from Bitbucket"));
    assert!(page.contains("<span class=\"tag\">stash-users</span>"));
    assert!(!page.contains("<span class=\"tag\">from-the-header</span>"));
}

#[tokio::test]
async fn a_password_is_nothing_without_a_licence_either() {
    let world = world().await;
    world.add("ben", "ben's");
    let request = world.call_of("ben", "ben's", "GET", "/users");
    refused(request, 401, "AuthorisationException", "no license").await;
    let form = [("j_username", "ben"), ("j_password", "ben's")];
    let post = world
        .http
        .post(world.at("/j_atl_security_check"))
        .form(&form);
    assert_eq!(send(post).await.status(), 401);
    world
        .people()
        .grant_user("ben", Some(Permission::LicensedUser))
        .unwrap();
    let request = world.call_of("BEN", "ben's", "GET", "/users");
    assert_eq!(field(&send(request).await, "x-ausername"), "ben");
    let post = world
        .http
        .post(world.at("/j_atl_security_check"))
        .form(&form);
    let response = send(post).await;
    let cookie = format!("{SESSION_COOKIE}={}", session(&response).unwrap());
    // The session ends with the person.
    let with_session = || world.get("/dashboard").header("cookie", &cookie);
    assert_eq!(field(&send(with_session()).await, "x-ausername"), "ben");
    world.people().remove_user("ben").unwrap();
    assert_eq!(send(with_session()).await.status(), 303);
}

#[tokio::test]
async fn the_dashboard_shows_whom_bitbucket_knows() {
    let world = world().await;
    let account = Account {
        name: "<b>Bea</b>".to_owned(),
        directory: Directory::ReadOnly,
        ..Account::new("bea")
    };
    world.people().add_user(account).unwrap();
    let page = send(world.as_zoe("/dashboard")).await.text().await.unwrap();
    for shown in [
        "bea@example.com",
        "&lt;b&gt;Bea&lt;&#x2f;b&gt;",
        "Company LDAP",
        "stash-users",
        "LICENSED_USER",
        "bitbucket-sysadmins",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
}
