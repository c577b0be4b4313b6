//! The calls beyond token and userinfo.

use super::oauth2::{github, octocat, plain};
use super::*;
use config::Fetch;

const ORGANIZATIONS: &str = "/userinfo/orgs";
const TEAMS: &str = "/userinfo/teams";
const GUILDS: &str = "/api/users/@me/guilds";
const GRAPH: &str = "/graph/v1.0/me/getMemberObjects";
const IDENTITY: &str = "/id/00D5g00000CzPcjEAF/0055g00000GkVvZAAV";

/// GitHub with these lists.
async fn lists(fetch: &[Fetch], pages: &[(&'static str, Value)]) -> World {
    let mut world = github(octocat(), json!([])).await;
    world.config.fetch = fetch.to_vec();
    world.fake.script(|script| {
        for (path, list) in pages {
            script.pages.insert(path, list.as_array().unwrap().clone());
        }
    });
    world
}

/// The sign-in is refused with this code, and the remedy says this.
#[track_caller]
fn refuses(result: Result<VerifiedClaims, Error>, code: &str, remedy: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.code(), code, "{}", crate::telemetry::chain(&error));
    let found = error.remedy();
    assert!(found.contains(remedy), "{found}");
}

fn source(claims: &VerifiedClaims, name: &str) -> Source {
    claims.sources()[name]
}

#[tokio::test]
async fn every_claim_has_its_source() {
    let claims = accepted(|script| {
        script.userinfo = Box::new(|u| u["department"] = "engines".into());
        script.id_token_claims = Box::new(|c| {
            c.as_object_mut().unwrap().remove("email");
        });
    })
    .await;
    assert_eq!(source(&claims, "name"), Source::IdToken);
    assert_eq!(source(&claims, "iss"), Source::IdToken);
    assert_eq!(source(&claims, "email"), Source::Userinfo);
    assert_eq!(source(&claims, "email_verified"), Source::Userinfo);
    assert_eq!(source(&claims, "department"), Source::Userinfo);
    assert!(claims.claims().keys().eq(claims.sources().keys()));

    let claims = plain(octocat()).await.sign_in().await.unwrap();
    assert!(claims.claims().keys().eq(claims.sources().keys()));
    assert!(claims.sources().values().all(|s| *s == Source::Userinfo));
}

#[tokio::test]
async fn github_tells_organizations_and_teams() {
    let world = lists(
        &[Fetch::GithubOrganizations, Fetch::GithubTeams],
        &[
            (
                ORGANIZATIONS,
                json!([[{"login": "octo-org", "id": 1, "url": "https://x"}, {"login": "Acme"}]]),
            ),
            (
                TEAMS,
                json!([[
                    {"name": "The Core", "slug": "the-core", "organization": {"login": "Acme"}},
                    {"name": "x", "slug": "x", "organization": {"login": "octo-org"}, "parent": null},
                ]]),
            ),
        ],
    )
    .await;
    let claims = world.sign_in().await.unwrap();
    assert_eq!(
        claims.claims()["organizations"],
        json!(["octo-org", "Acme"])
    );
    assert_eq!(
        claims.claims()["teams"],
        json!(["Acme/the-core", "octo-org/x"])
    );
    assert_eq!(source(&claims, "organizations"), Source::Organizations);
    assert_eq!(source(&claims, "teams"), Source::Teams);
    assert_eq!(source(&claims, "login"), Source::Userinfo);
    let request = world.fake.last_request(ORGANIZATIONS);
    assert_eq!(request.param("per_page"), Some("100"));
}

#[tokio::test]
async fn a_person_in_no_organization_has_an_empty_list() {
    let world = lists(
        &[Fetch::GithubOrganizations],
        &[(ORGANIZATIONS, json!([[]]))],
    )
    .await;
    let claims = world.sign_in().await.unwrap();
    assert_eq!(claims.claims()["organizations"], json!([]));
}

#[tokio::test]
async fn a_list_replaces_what_the_profile_says_under_its_name() {
    let world = lists(
        &[Fetch::GithubOrganizations],
        &[(ORGANIZATIONS, json!([[]]))],
    )
    .await;
    world.fake.script(|script| {
        let claimed = json!(["acme"]);
        script.userinfo = Box::new(move |u| u["organizations"] = claimed.clone());
    });
    let claims = world.sign_in().await.unwrap();
    assert_eq!(claims.claims()["organizations"], json!([]));
}

/// This many pages of this many organizations each.
fn many(pages: usize, each: usize) -> Value {
    let page = |page: usize| -> Value {
        (0..each)
            .map(|n| json!({ "login": format!("org-{page}-{n}") }))
            .collect()
    };
    (0..pages).map(page).collect()
}

#[tokio::test]
async fn every_page_of_a_list_counts() {
    let fetch = [Fetch::GithubOrganizations];
    let world = lists(&fetch, &[(ORGANIZATIONS, many(10, 100))]).await;
    let claims = world.sign_in().await.unwrap();
    let found = claims.claims()["organizations"].as_array().unwrap();
    assert_eq!(found.len(), 1000);
    assert_eq!(found[999], "org-9-99");
    assert_eq!(world.fake.requests(ORGANIZATIONS).len(), 10);
}

#[tokio::test]
async fn a_list_without_end_is_refused() {
    for pages in [many(11, 1), many(2, 501)] {
        let fetch = [Fetch::GithubOrganizations];
        let world = lists(&fetch, &[(ORGANIZATIONS, pages)]).await;
        refuses(world.sign_in().await, "answer_too_many_entries", "");
        assert!(world.fake.requests(ORGANIZATIONS).len() <= 10);
    }
}

#[tokio::test]
async fn the_access_token_does_not_follow_a_page_to_another_place() {
    for next in [
        "<https://evil.example/userinfo/orgs?page=2>; rel=\"next\"",
        "</elsewhere?page=2>; rel=next",
        "<//evil.example/userinfo/orgs>; rel=\"next\"",
        "<https://x/?page=1>; rel=\"prev\", </elsewhere>; title=\"a\"; REL=\"last Next\"",
        "<http://[>; rel=\"next\"",
    ] {
        let mut world = github(octocat(), json!([])).await;
        world.config.fetch = vec![Fetch::GithubOrganizations];
        world.fake.script(|script| {
            let page = Canned::JsonAnd(json!([]), "link", next.to_owned());
            script.answers.insert(ORGANIZATIONS, page);
        });
        refuses(world.sign_in().await, "answer_page_elsewhere", "");
        assert!(world.fake.requests("/elsewhere").is_empty());
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_had_refuses_the_sign_in() {
    for (canned, code, remedy) in [
        (
            Canned::json(403, &json!({"message": "Must have the scope"})),
            "fetch_refused",
            "add \"read:org\" to scopes",
        ),
        (
            Canned::json(404, &json!({"message": "Not Found"})),
            "fetch_refused",
            "read:org",
        ),
        (Canned::json(500, &json!({})), "answer_status", ""),
        (
            Canned::json(200, &json!({"login": "x"})),
            "answer_not_list",
            "",
        ),
        (Canned::json(200, &json!(null)), "answer_not_list", ""),
        (
            Canned::json(200, &json!([{"login": "a"}, {"name": "b"}])),
            "answer_unreadable_entry",
            "",
        ),
        (
            Canned::json(200, &json!([{"login": ""}])),
            "answer_unreadable_entry",
            "",
        ),
        (
            Canned::json(200, &json!(["acme"])),
            "answer_unreadable_entry",
            "",
        ),
        (
            Canned::Body(200, "application/json", b"[".to_vec()),
            "answer_not_json",
            "",
        ),
        (
            Canned::Header(302, "location", "/elsewhere".to_owned()),
            "answer_redirected",
            "",
        ),
        (Canned::Endless, "answer_too_large", ""),
    ] {
        let mut world = github(octocat(), json!([])).await;
        world.config.fetch = vec![Fetch::GithubOrganizations];
        world.fake.script(|script| {
            script.answers.insert(ORGANIZATIONS, canned);
        });
        refuses(world.sign_in().await, code, remedy);
    }
    let team = json!([[{"slug": "core", "organization": {}}]]);
    let world = lists(&[Fetch::GithubTeams], &[(TEAMS, team)]).await;
    refuses(world.sign_in().await, "answer_unreadable_entry", "");
}

#[tokio::test]
async fn a_list_that_hangs_costs_the_limit_and_no_more() {
    let mut world = github(octocat(), json!([])).await;
    world.config.fetch = vec![Fetch::GithubTeams];
    world.fake.script(|script| {
        script.answers.insert(TEAMS, Canned::Silence);
    });
    let provider = world.with_limits(Limits {
        total: Duration::from_millis(300),
        ..Limits::default()
    });
    refuses(
        sign_in(&provider, &world.fake).await,
        "provider_timeout",
        "",
    );
}

#[tokio::test]
async fn discord_tells_guilds() {
    let person = json!({
        "id": "80351110224678912", "username": "ana", "discriminator": "0",
        "global_name": "Ana", "verified": true, "email": "ana@example.com", "flags": 64,
    });
    let mut world = plain(person).await;
    world.config.fetch = vec![Fetch::DiscordGuilds];
    world.fake.script(|script| {
        script.token_answer = Box::new(|a| {
            *a = json!({
                "access_token": a["access_token"], "token_type": "Bearer",
                "expires_in": 604_800, "refresh_token": "r", "scope": "identify email guilds",
            });
        });
        let guilds = json!([
            {"id": "197038439483310086", "name": "1337", "owner": true, "permissions": "1"},
            {"id": "41771983423143937", "name": "x", "owner": false},
        ]);
        script.pages.insert(GUILDS, vec![guilds]);
    });
    let claims = world.sign_in().await.unwrap();
    assert_eq!(
        claims.claims()["guilds"],
        json!(["197038439483310086", "41771983423143937"])
    );
    assert_eq!(source(&claims, "guilds"), Source::Guilds);
    assert_eq!(world.fake.last_request(GUILDS).param("limit"), Some("200"));

    for (canned, code) in [
        (
            Canned::json(401, &json!({"message": "401: Unauthorized"})),
            "fetch_refused",
        ),
        (
            Canned::json(200, &json!([{"id": 7}])),
            "answer_unreadable_entry",
        ),
    ] {
        world.fake.script(|script| {
            script.answers.insert(GUILDS, canned);
        });
        let error = world.sign_in().await.unwrap_err();
        assert_eq!(error.code(), code);
    }
}

/// Entra with more groups than fit. The mapping reads them.
async fn overage(fetch: &[Fetch]) -> World {
    world(
        |script| {
            script.person.remove("groups");
            script.id_token_claims = Box::new(|c| {
                c["_claim_names"] = json!({"groups": "src1"});
                c["_claim_sources"] =
                    json!({"src1": {"endpoint": "https://graph.windows.net/x/users/y"}});
            });
        },
        |config| {
            config.fetch = fetch.to_vec();
            config.claims.groups = vec![config::Mapping::plain("groups")];
        },
    )
    .await
}

async fn graph(canned: Canned) -> World {
    let mut world = overage(&[Fetch::GraphGroups]).await;
    world.config.graph_url = world.fake.url("/graph");
    world.fake.script(|script| {
        script.answers.insert(GRAPH, canned);
    });
    world
}

#[tokio::test]
async fn too_many_groups_for_a_token_are_not_no_groups() {
    let world = overage(&[]).await;
    let error = world.sign_in().await.unwrap_err();
    assert_eq!(error.code(), "groups_overage");
    assert_eq!(error.blame(), Blame::Gateway);
    assert!(error.remedy().contains("fetch = [\"graph_groups\"]"));
}

#[tokio::test]
async fn an_overage_matters_only_to_whoever_reads_the_groups() {
    let pointer = |text| vec![config::Mapping::plain(text)];
    for (groups, expected) in [
        (Vec::new(), Ok(())),
        (pointer("roles"), Ok(())),
        (pointer("/roles"), Ok(())),
        (pointer("groups_of_old"), Ok(())),
        (pointer("/groups"), Err("groups_overage")),
        (
            [pointer("roles"), pointer("groups")].concat(),
            Err("groups_overage"),
        ),
    ] {
        let mut world = overage(&[]).await;
        world.config.claims.groups = groups;
        let result = world.sign_in().await;
        assert_eq!(result.as_ref().map(drop).map_err(Error::code), expected);
    }
    let mut world = overage(&[]).await;
    world.config.claims.groups = Vec::new();
    world.config.require = vec![config::Requirement {
        claim: "groups".to_owned(),
        any_of: vec!["dev".to_owned()],
    }];
    refuses(world.sign_in().await, "groups_overage", "");
}

#[tokio::test]
async fn graph_tells_the_groups_that_the_token_leaves_out() {
    let groups = json!(["0ed1c4b0-2d4b-4b0f-8b2a-6a9d2f1b7c11", "1fa2"]);
    let context = "https://graph.microsoft.com/v1.0/$metadata#Collection(Edm.String)";
    let world = graph(Canned::json(
        200,
        &json!({"@odata.context": context, "value": groups}),
    ))
    .await;
    let claims = world.sign_in().await.unwrap();
    assert_eq!(claims.claims()["groups"], groups);
    assert_eq!(source(&claims, "groups"), Source::Graph);
    let request = world.fake.last_request(GRAPH);
    assert_eq!(request.method, "POST");
    assert_eq!(request.headers["content-type"], "application/json");
    let bearer = request.headers["authorization"].to_str().unwrap();
    assert!(bearer.starts_with("Bearer "));
    assert_eq!(
        serde_json::from_slice::<Value>(&request.body).unwrap(),
        json!({"securityEnabledOnly": false})
    );
}

#[tokio::test]
async fn graph_is_not_asked_for_groups_that_the_token_has() {
    let mut world = graph(Canned::Silence).await;
    world.fake.script(|script| {
        script.id_token_claims = Box::new(|c| c["groups"] = json!(["1fa2"]));
    });
    let claims = world.sign_in().await.unwrap();
    assert_eq!(claims.claims()["groups"], json!(["1fa2"]));
    assert_eq!(source(&claims, "groups"), Source::IdToken);
    world.config.claims.groups.clear();
    world.sign_in().await.unwrap();
    assert!(world.fake.requests(GRAPH).is_empty());
}

#[tokio::test]
async fn groups_that_graph_does_not_tell_refuse_the_sign_in() {
    let denied = json!({"error": {"code": "Authorization_RequestDenied", "message": "no"}});
    let eleven_thousand_one = vec!["1"; 11_001];
    for (canned, code) in [
        (Canned::json(403, &denied), "fetch_refused"),
        (Canned::json(401, &denied), "fetch_refused"),
        (Canned::json(429, &json!({})), "answer_status"),
        (Canned::json(200, &json!({})), "answer_not_list"),
        (Canned::json(200, &json!(["1"])), "answer_not_object"),
        (Canned::json(200, &json!({"value": "1"})), "answer_not_list"),
        (
            Canned::json(200, &json!({"value": []})),
            "answer_unreadable_entry",
        ),
        (
            Canned::json(200, &json!({"value": [{"id": "1"}]})),
            "answer_unreadable_entry",
        ),
        (
            Canned::json(200, &json!({"value": eleven_thousand_one})),
            "answer_too_many_entries",
        ),
        (
            Canned::json(
                200,
                &json!({"value": ["1"], "@odata.nextLink": "https://x"}),
            ),
            "answer_too_many_entries",
        ),
    ] {
        let error = graph(canned).await.sign_in().await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
    let error = graph(Canned::json(403, &denied)).await.sign_in().await;
    let shown = error.unwrap_err().to_string();
    assert!(shown.contains("Authorization_RequestDenied"), "{shown}");
    assert!(shown.contains("User.Read"), "{shown}");
}

/// Salesforce whose token answer has this `id`, at the fake's own host unless it is a whole address.
async fn salesforce(id: &str, page: Canned) -> World {
    let world = world(
        |script| {
            let subject = format!("https://login.salesforce.com{IDENTITY}");
            script.person.insert("sub".to_owned(), subject.into());
            script.answers.insert(IDENTITY, page);
        },
        |config| config.fetch = vec![Fetch::SalesforceIdentity],
    )
    .await;
    let id = match id {
        path if path.starts_with('/') => world.fake.url(path).to_string(),
        whole => whole.to_owned(),
    };
    world.fake.script(|script| {
        script.token_answer = Box::new(move |a| a["id"] = id.clone().into());
    });
    world
}

fn identity() -> Value {
    json!({
        "id": format!("https://login.salesforce.com{IDENTITY}"),
        "asserted_user": true,
        "user_id": "0055g00000GkVvZAAV",
        "organization_id": "00D5g00000CzPcjEAF",
        "username": "ana@example.com.sandbox",
        "nick_name": "ana",
        "display_name": "Ana Example",
        "email": "other@example.com",
        "email_verified": false,
        "first_name": "Ana",
        "name": "of the identity address",
        "sub": "somebody else",
        "iss": "https://evil.example",
        "active": true,
        "status": {"created_date": null, "body": null},
        "custom_attributes": {"groups": "dev;ops"},
    })
}

#[tokio::test]
async fn salesforces_identity_adds_what_tokens_and_userinfo_leave_out() {
    let world = salesforce(IDENTITY, Canned::json(200, &identity())).await;
    let claims = world.sign_in().await.unwrap();
    let found = claims.claims();
    assert_eq!(found["custom_attributes"]["groups"], "dev;ops");
    assert_eq!(source(&claims, "custom_attributes"), Source::Identity);
    assert_eq!(found["username"], "ana@example.com.sandbox");
    // Who said it first, wins; and an address does not borrow another one's proof.
    assert_eq!(found["name"], "Ana Example");
    assert_eq!(found["email"], "ana@example.com");
    assert_eq!(found["email_verified"], true);
    assert_eq!(found["iss"], world.fake.issuer());
    assert!(claims.subject().ends_with(IDENTITY));
    let request = world.fake.last_request(IDENTITY);
    assert!(request.headers.contains_key("authorization"));
    assert!(request.query.is_empty());
}

#[tokio::test]
async fn an_identity_address_that_is_not_this_persons_is_not_asked() {
    for id in [
        "/id/00D5g00000CzPcjEAF/0055g00000SOMEELS",
        "/id/00D5g00000CzPcjEAF/0055g00000GkVvZAAV/x",
        "/userinfo",
        "https://evil.example/id/00D5g00000CzPcjEAF/0055g00000GkVvZAAV",
        "https://example.my.salesforce.com/id/00D5g00000CzPcjEAF/0055g00000GkVvZAAV",
        "not an address",
    ] {
        let world = salesforce(id, Canned::json(200, &identity())).await;
        refuses(world.sign_in().await, "identity_elsewhere", "My Domain");
        assert!(world.fake.requests(IDENTITY).is_empty());
    }
    let world = salesforce(IDENTITY, Canned::Silence).await;
    world
        .fake
        .script(|script| script.token_answer = Box::new(|_| {}));
    refuses(
        world.sign_in().await,
        "identity_missing",
        "\"id\" to scopes",
    );
}

#[tokio::test]
async fn an_identity_that_cannot_be_had_or_is_anothers_refuses_the_sign_in() {
    let mut other = identity();
    other["user_id"] = "0055g00000OTHERAAV".into();
    let mut nobody = identity();
    nobody.as_object_mut().unwrap().remove("user_id");
    for (canned, code) in [
        (Canned::json(200, &other), "identity_mismatch"),
        (Canned::json(200, &nobody), "identity_mismatch"),
        (Canned::json(200, &json!([])), "answer_not_object"),
        (
            Canned::Header(302, "location", "https://na1.salesforce.com/".to_owned()),
            "answer_redirected",
        ),
        (
            Canned::Body(403, "text/html", b"Bad_OAuth_Token".to_vec()),
            "fetch_refused",
        ),
    ] {
        let error = salesforce(IDENTITY, canned).await.sign_in().await;
        let error = error.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        if code == "fetch_refused" {
            let shown = error.to_string();
            assert!(shown.contains("\"Bad_OAuth_Token\""), "{shown}");
        }
    }
    // The short and the long form of an identifier are the same.
    let mut short = identity();
    short["user_id"] = "0055g00000GkVvZ".into();
    let world = salesforce(IDENTITY, Canned::json(200, &short)).await;
    world.sign_in().await.unwrap();
}

#[tokio::test]
async fn nothing_further_is_asked_unless_configured() {
    let mut world = salesforce(IDENTITY, Canned::Silence).await;
    world.config.fetch.clear();
    world.sign_in().await.unwrap();
    assert!(world.fake.requests(IDENTITY).is_empty());
    let mut world = github(octocat(), json!([])).await;
    world.config.fetch.clear();
    world.sign_in().await.unwrap();
    assert!(world.fake.requests("/userinfo/emails").is_empty());
}
