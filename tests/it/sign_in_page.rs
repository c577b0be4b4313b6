//! The sign-in page: buttons, the e-mail field, going on by itself, and never where it must not.

use crate::support::gateway::{backdoor, base, provider_table, simple};
use crate::support::provider::FakeProvider;
use crate::support::{Answer, Browser, Setup};
use bytes::Bytes;
use http::Method;
use portcullis::telemetry::audit::Event;
use serde_json::json;
use url::Url;

const REDIRECTS: &str = include_str!("../data/redirects/hostile.txt");
const EMAILS: &str = include_str!("../data/sign-in/emails.txt");
const HINTS: &str = include_str!("../data/sign-in/hints.txt");

/// Three providers nobody asks anything, with names, and then these lines.
fn three(lines: &str) -> String {
    let tables: String = [("one", "First"), ("two", "Second"), ("three", "Third")]
        .iter()
        .map(|(id, name)| {
            format!(
                "[[providers]]\nid = \"{id}\"\nname = \"{name}\"\nissuer = \"https://{id}.example.com\"\nclient_id = \"c\"\nclient_secret = \"0123456789abcdef0123456789abcdef\"\n"
            )
        })
        .collect();
    base() + &backdoor() + &tables + lines
}

const RULES: &str = r#"
[[sign_in.rules]]
domains = ["first.example", "1st.example"]
provider = "one"
[[sign_in.rules]]
domains = ["second.example"]
subdomains = true
provider = "two"
"#;

/// The ids of the buttons, in their order.
fn buttons(page: &Answer) -> Vec<String> {
    let text = page.text().replace("&#x2f;", "/");
    let starts = text.split("formaction=\"/sso/start/").skip(1);
    starts
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

fn param(url: &Url, name: &str) -> Option<String> {
    let mut values = url.query_pairs().filter(|(key, _)| key == name);
    let value = values.next().map(|(_, value)| value.into_owned());
    assert_eq!(values.next(), None, "{name} twice in {url}");
    value
}

fn lines(corpus: &str) -> impl Iterator<Item = &str> {
    corpus
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn set_cookie<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let values = answer.headers.get_all("set-cookie").iter();
    values
        .map(|value| value.to_str().unwrap())
        .find(|value| value.split('=').next() == Some(name))
}

#[tokio::test]
async fn with_one_provider_the_page_goes_on_by_itself_and_choose_stops_it() {
    let setup = simple("").await;
    let mut ana = setup.browser();
    let to = ana
        .get("/sso/login?next=/x%3Fa%3Db%26c")
        .await
        .expect(303)
        .location();
    assert_eq!(to.path(), "/sso/start/unused");
    assert_eq!(param(&to, "next").as_deref(), Some("/x?a=b&c"));
    assert_eq!(param(&to, "remember"), None);
    let to = ana
        .get("/sso/login?remember=1")
        .await
        .expect(303)
        .location();
    assert_eq!(param(&to, "remember").as_deref(), Some("1"));
    let page = ana.get("/sso/login?choose=1&next=/x").await.expect(200);
    assert_eq!(page.header("refresh"), None);
    assert_eq!(buttons(&page), ["unused"]);
}

#[tokio::test]
async fn with_auto_redirect_off_or_several_providers_the_page_waits() {
    let setup = simple("[sign_in]\nauto_redirect = false\n").await;
    setup.browser().get("/sso/login").await.expect(200);
    let setup = Setup::start(&three("")).await;
    let page = setup.browser().get("/sso/login?next=/x").await.expect(200);
    assert_eq!(page.header("refresh"), None);
    assert_eq!(buttons(&page), ["one", "two", "three"]);
    page.says("Sign in with Second").says("value=\"/x\"");
}

#[tokio::test]
async fn a_default_provider_is_gone_to_and_its_button_is_the_first() {
    let setup = Setup::start(&three("[sign_in]\ndefault_provider = \"two\"\n")).await;
    let mut ana = setup.browser();
    let to = ana.get("/sso/login").await.expect(303).location();
    assert_eq!(to.path(), "/sso/start/two");
    let page = ana.get("/sso/login?choose=1").await.expect(200);
    assert_eq!(buttons(&page), ["two", "one", "three"]);
}

#[tokio::test]
async fn a_countdown_is_visible_and_can_be_stopped_without_a_script() {
    let setup = simple("[sign_in]\nauto_redirect_delay_secs = 5\n").await;
    let mut ana = setup.browser();
    let page = ana
        .get("/sso/login?next=/x%26y&remember=1")
        .await
        .expect(200);
    let refresh = page.header("refresh").unwrap().to_owned();
    assert_eq!(refresh, "5; url=/sso/start/unused?next=%2Fx%26y&remember=1");
    // axe-core objects to the element, and a header does the same.
    assert!(!page.text().contains("http-equiv") && !page.text().contains("<script"));
    let page = page
        .says("In 5 seconds")
        .says("href=\"/sso/start/unused?next=%2Fx%26y&amp;remember=1\"")
        .says("href=\"/sso/login?choose=1&amp;next=%2Fx%26y&amp;remember=1\"")
        .says("/sso/countdown/5.css");
    assert_eq!(buttons(&page), [""; 0], "what is typed would be lost");
    let stopped = ana
        .get("/sso/login?choose=1&next=%2Fx%26y&remember=1")
        .await
        .expect(200);
    assert_eq!(stopped.header("refresh"), None);
    stopped.says("name=\"remember\" value=\"1\" aria-describedby=\"remember-note\" checked");
    let style = ana.get("/sso/countdown/5.css").await.expect(200);
    assert_eq!(
        style.header("content-type"),
        Some("text/css; charset=utf-8")
    );
    for bad in ["0.css", "61.css", "5", "x.css", "5.css.css", "-1.css"] {
        ana.get(&format!("/sso/countdown/{bad}")).await.expect(404);
    }
}

#[tokio::test]
async fn nothing_signs_in_by_itself_right_after_a_sign_out() {
    let provider = FakeProvider::start().await;
    let setup = Setup::with_provider(&provider, "").await;
    let mut ana = setup.browser();
    setup.sign_in(&mut ana).await.expect(200);
    let out = ana.submit("/sso/logout", &[]).await.expect(303);
    let mark = set_cookie(&out, "portcullis-left").unwrap();
    assert_eq!(
        mark,
        "portcullis-left=1; Path=/sso; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
    );
    ana.get("/sso/signed-out")
        .await
        .expect(200)
        .says("/sso/login?choose=1");
    // Neither by the page itself nor by a page of Bitbucket's that asks for it.
    for address in ["/sso/login", "/dashboard"] {
        let page = ana.follow(address).await.expect(200);
        assert_eq!(page.url.path(), "/sso/login");
        assert_eq!(page.header("refresh"), None);
    }
    // Who then chooses has chosen.
    let start = ana.get("/sso/start/idp").await.expect(303);
    assert!(
        set_cookie(&start, "portcullis-left")
            .unwrap()
            .contains("Max-Age=0")
    );
    ana.get("/sso/login").await.expect(303);
}

#[tokio::test]
async fn nothing_signs_in_by_itself_after_an_error_or_in_a_loop() {
    let provider = FakeProvider::start().await;
    let setup = Setup::with_provider(&provider, "").await;
    provider.script(|script| script.deny = Some(("access_denied", "no")));
    let page = setup.sign_in(&mut setup.browser()).await.expect(403);
    page.says("href=\"/sso/login?choose=1&amp;next=%2F\"");
    provider.script(|script| script.deny = None);
    let mut ana = setup.browser();
    for _ in 0..3 {
        let callback = setup.to_callback(&mut ana, "/sso/start/idp").await;
        ana.get(&callback).await.expect(303);
        ana.drop_cookie("__Host-portcullis");
    }
    let page = ana.get("/sso/login?next=/x").await.expect(400);
    let page = page.says("/sso/login?choose=1&amp;next=%2Fx&amp;again=1");
    assert_eq!(page.header("refresh"), None);
    ana.get("/sso/login?choose=1&next=/x&again=1")
        .await
        .expect(200);
}

#[tokio::test]
async fn the_provider_used_last_is_offered_first() {
    let (one, two) = (FakeProvider::start().await, FakeProvider::start().await);
    let toml = base() + &provider_table(&one, "one") + &provider_table(&two, "two");
    let setup = Setup::start(&toml).await;
    let mut ana = setup.browser();
    let page = ana.get("/sso/login").await.expect(200);
    assert_eq!(buttons(&page), ["one", "two"]);
    assert!(!page.text().contains("last used"));
    let callback = setup.to_callback(&mut ana, "/sso/start/two").await;
    let end = ana.get(&callback).await.expect(303);
    assert_eq!(
        set_cookie(&end, "portcullis-last").unwrap(),
        "portcullis-last=two; Path=/sso; Max-Age=15552000; HttpOnly; SameSite=Lax; Secure"
    );
    ana.get("/dashboard").await.expect(200);
    let seen = format!("{:?}", setup.upstream.last());
    assert!(!seen.contains("portcullis-la"), "{seen}");
    ana.submit("/sso/logout", &[]).await.expect(303);
    let page = ana.get("/sso/login").await.expect(200).says("last used");
    assert_eq!(buttons(&page), ["two", "one"]);
}

#[tokio::test]
async fn a_made_up_last_provider_changes_nothing() {
    let setup = Setup::start(&three("")).await;
    for value in [
        "nobody",
        "",
        "ONE",
        "../x",
        "\"><script>alert(1)</script>",
        "two,one",
    ] {
        let mut browser = setup.browser();
        browser.set_cookie("portcullis-last", value);
        let page = browser.get("/sso/login").await.expect(200);
        assert_eq!(buttons(&page), ["one", "two", "three"], "{value}");
        assert!(!page.text().contains("<script") && !page.text().contains("last used"));
    }
}

async fn leads_to(browser: &mut Browser, email: &str, want: &str) {
    let to = browser
        .get(&format!(
            "/sso/login?choose=1&next=/x&email={email}&remember=1"
        ))
        .await
        .expect(303)
        .location();
    assert_eq!(to.path(), format!("/sso/start/{want}"), "{email}");
    assert_eq!(param(&to, "next").as_deref(), Some("/x"));
    assert_eq!(param(&to, "remember").as_deref(), Some("1"));
    assert!(param(&to, "login_hint").is_some_and(|hint| hint.contains('@')));
}

#[tokio::test]
async fn the_domain_of_an_address_chooses_the_provider() {
    let setup = Setup::start(&three(RULES)).await;
    let mut ana = setup.browser();
    for (email, provider) in [
        ("ana@first.example", "one"),
        ("%20ana@FIRST.example%20", "one"),
        ("ana%2Bx@1st.example", "one"),
        ("ana@second.example", "two"),
        ("ana@a.b.second.example", "two"),
    ] {
        leads_to(&mut ana, email, provider).await;
    }
    for email in [
        "ana@sub.first.example",
        "ana@evil-second.example",
        "ana@other.example",
    ] {
        let page = ana
            .get(&format!("/sso/login?next=/x&email={email}&remember=1"))
            .await
            .expect(200);
        assert_eq!(buttons(&page), ["one", "two", "three"], "{email}");
        // Said of the domain, and not of the person.
        page.says(&format!("end in @{}", email.split_once('@').unwrap().1))
            .says(&format!("value=\"{email}\""))
            .says("value=\"/x\"")
            .says(" checked");
    }
}

#[tokio::test]
async fn the_last_rule_may_be_for_everybody_else() {
    let star = "[[sign_in.rules]]\ndomains = [\"*\"]\nprovider = \"three\"\n";
    let setup = Setup::start(&three(&format!("{RULES}{star}"))).await;
    let mut ana = setup.browser();
    leads_to(&mut ana, "ana@first.example", "one").await;
    leads_to(&mut ana, "ana@other.example", "three").await;
}

#[tokio::test]
async fn the_field_is_there_when_rules_need_it_and_only_then() {
    let setup = Setup::start(&three(RULES)).await;
    let page = setup.browser().get("/sso/login").await.expect(200);
    page.says("type=\"email\"").says("<label for=\"email\">");
    let setup = Setup::start(&three("")).await;
    let mut ana = setup.browser();
    let page = ana
        .get("/sso/login?email=ana@first.example")
        .await
        .expect(200);
    assert!(!page.text().contains("type=\"email\""), "{}", page.text());
}

#[tokio::test]
async fn the_typed_address_reaches_the_provider_as_a_hint_by_field_and_by_button() {
    let provider = FakeProvider::start().await;
    let rules = "[[sign_in.rules]]\ndomains = [\"example.com\"]\nprovider = \"idp\"\n";
    let setup = Setup::with_provider(&provider, rules).await;
    let mut ana = setup.browser();
    for address in [
        "/sso/login?next=/x&choose=1&email=ana%2Bgit@example.com",
        "/sso/start/idp?next=/x&choose=1&email=ana%2Bgit@example.com",
    ] {
        ana.follow(address).await.expect(200);
        let asked = provider.last_request("/authorize");
        assert_eq!(asked.param("login_hint"), Some("ana+git@example.com"));
        ana = setup.browser();
    }
}

#[tokio::test]
async fn a_remembered_choice_survives_the_way_through_the_field() {
    let provider = FakeProvider::start().await;
    let rules = "[[sign_in.rules]]\ndomains = [\"example.com\"]\nprovider = \"idp\"\n";
    let setup = Setup::with_provider(&provider, rules).await;
    for (choice, remembered) in [("", false), ("&remember=1", true)] {
        let mut ana = setup.browser();
        let page = ana.get("/sso/login").await.expect(200);
        assert!(!page.text().contains(" checked"), "ticked by itself");
        let to = ana
            .get(&format!("/sso/login?email=ana@example.com{choice}"))
            .await
            .expect(303)
            .location();
        let callback = setup.to_callback(&mut ana, to.as_str()).await;
        let end = ana.get(&callback).await.expect(303);
        let cookie = set_cookie(&end, "__Host-portcullis").unwrap();
        assert_eq!(cookie.contains("Max-Age"), remembered, "{cookie}");
    }
}

#[tokio::test]
async fn a_link_elsewhere_has_nobody_remembered() {
    let provider = FakeProvider::start().await;
    let setup = Setup::with_provider(&provider, "").await;
    for site in ["cross-site", "same-site"] {
        let mut ana = setup.browser();
        let link = [
            ("sec-fetch-site", site),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        let mut to = async |address: &str| {
            let url = ana.home.join(address).unwrap();
            ana.send(Method::GET, &url, &link, Bytes::new()).await
        };
        let page = to("/sso/login?choose=1&remember=1").await.expect(200);
        assert!(!page.text().contains(" checked"), "{site}");
        let start = to("/sso/login?remember=1").await.expect(303).location();
        assert_eq!(param(&start, "remember"), None, "{site}");
        let away = to("/sso/start/idp?remember=1").await.expect(303).location();
        let back = ana.get(away.as_str()).await.location();
        let end = ana.get(back.as_str()).await.expect(303);
        let cookie = set_cookie(&end, "__Host-portcullis").unwrap();
        assert!(!cookie.contains("Max-Age"), "{site}: {cookie}");
    }
}

#[tokio::test]
async fn a_hostile_address_leads_nowhere_and_is_shown_as_text() {
    let star = "[[sign_in.rules]]\ndomains = [\"*\"]\nprovider = \"one\"\n";
    let setup = Setup::start(&three(star)).await;
    for email in lines(EMAILS) {
        let page = setup
            .request("GET", &format!("/sso/login?next=/x&email={email}"), &[])
            .await;
        assert_eq!(page.status, 400, "{email}: {}", page.text());
        assert_eq!(page.header("location"), None, "{email}");
        assert_eq!(page.header("set-cookie"), None, "{email}");
        let text = page.text();
        for bad in ["<script", "<img src=x", "\" autofocus onfocus"] {
            assert!(!text.contains(bad), "{email}: {text}");
        }
        assert!(text.len() < 12_000, "{email}: {} bytes", text.len());
        assert_eq!(buttons(&page), ["one", "two", "three"], "{email}");
        assert!(text.contains("aria-invalid=\"true\""), "{email}: {text}");
    }
    // What was typed is still there, to be mended.
    let page = setup.browser().get("/sso/login?email=ana@first").await;
    page.expect(303);
    let page = setup.browser().get("/sso/login?email=ana%20@first").await;
    page.expect(400).says("value=\"ana @first\"");
}

#[tokio::test]
async fn a_hostile_hint_changes_nothing_but_itself() {
    let provider = FakeProvider::start().await;
    let setup = Setup::with_provider(&provider, "").await;
    for hint in lines(HINTS) {
        let target = format!("/sso/start/idp?next=/x&login_hint={hint}");
        let answer = setup.request("GET", &target, &[]).await.expect(303);
        let to = answer.location();
        assert!(to.as_str().starts_with(&provider.issuer()), "{hint}: {to}");
        assert_eq!(
            param(&to, "redirect_uri").as_deref(),
            Some("https://git.example.com/sso/callback/idp"),
            "{hint}"
        );
        for name in ["state", "client_id", "nonce", "code_challenge"] {
            assert!(param(&to, name).is_some_and(|value| value.len() > 5 || name == "client_id"));
        }
        if let Some(passed) = param(&to, "login_hint") {
            let fine = passed.len() <= 254 && passed.bytes().all(|b| b.is_ascii_graphic());
            assert!(fine, "{hint}: {passed:?}");
        }
        assert!(to.as_str().len() < 2_000, "{hint}: {to}");
        let cookies = answer.headers.get_all("set-cookie").iter().count();
        assert_eq!(cookies, 1, "{hint}: {:?}", answer.headers);
    }
}

#[tokio::test]
async fn no_way_through_the_page_leaves_our_origin() {
    let rules = "auto_redirect_delay_secs = 0\ndefault_provider = \"one\"\n[[sign_in.rules]]\ndomains = [\"*\"]\nprovider = \"two\"\n";
    let setup = Setup::start(&three(&format!("[sign_in]\n{rules}"))).await;
    let home: Url = "https://git.example.com/x/".parse().unwrap();
    for (index, next) in lines(REDIRECTS).enumerate() {
        // All through one door, and a few through each of the others.
        let mut doors = vec![format!("/sso/login?next={next}")];
        if index % 16 == 0 {
            doors.push(format!("/sso/login?email=a@b.example&next={next}"));
        }
        for door in doors {
            let answer = setup.request("GET", &door, &[]).await.expect(303);
            let to = answer.location();
            assert_eq!(to.origin(), home.origin(), "{door}");
            assert!(to.path().starts_with("/sso/start/"), "{door}: {to}");
            let next = param(&to, "next").unwrap();
            let end = home.join(&next).unwrap();
            assert_eq!(end.origin(), home.origin(), "{door}: {next}");
        }
        if index % 16 == 0 {
            let page = setup
                .request("GET", &format!("/sso/login?choose=1&next={next}"), &[])
                .await
                .expect(200);
            let text = page.text();
            let value = text.split("name=\"next\" value=\"").nth(1).unwrap();
            let value = value.split('"').next().unwrap().replace("&#x2f;", "/");
            let end = home.join(&value).unwrap();
            assert_eq!(end.origin(), home.origin(), "{next}: {value}");
        }
    }
}

#[tokio::test]
async fn a_button_has_its_picture_and_the_picture_can_do_nothing() {
    let toml = three("").replacen("id = \"one\"", "id = \"one\"\nicon = \"github\"", 1);
    let setup = Setup::start(&toml).await;
    let mut ana = setup.browser();
    let page = ana.get("/sso/login").await.expect(200);
    let page = page.says("<img class=\"icon\" src=\"/sso/icons/one\" alt=\"\"");
    assert_eq!(page.text().matches("<img").count(), 1);
    let icon = ana.get("/sso/icons/one").await.expect(200);
    assert_eq!(icon.header("content-type"), Some("image/svg+xml"));
    assert_eq!(icon.header("x-content-type-options"), Some("nosniff"));
    let policy = icon.header("content-security-policy").unwrap();
    assert!(
        policy.contains("default-src 'none'") && policy.ends_with("sandbox"),
        "{policy}"
    );
    assert!(icon.text().starts_with("<svg"));
    for none in ["two", "nobody", "", "..%2fx"] {
        let answer = ana.get(&format!("/sso/icons/{none}")).await;
        assert!(answer.status.is_client_error(), "{none}: {}", answer.status);
    }
    assert!(setup.upstream.seen().is_empty());
}

#[tokio::test]
async fn a_refusal_offers_the_other_providers() {
    let (good, other) = (FakeProvider::start().await, FakeProvider::start().await);
    let second = provider_table(&other, "other").replace("\"Example\"", "\"The Other\"");
    let toml = base()
        + &provider_table(&good, "idp")
        + &second
        + "[users]\nallowed_domains = [\"example.com\"]\n";
    let setup = Setup::start(&toml).await;
    let offers = |page: Answer| {
        page.says("Sign in again")
            .says("Sign in with The Other")
            .says("href=\"/sso/start/other?next=%2Fx\"")
    };
    let start = "/sso/start/idp?next=/x";
    // The provider says no.
    good.script(|script| script.deny = Some(("access_denied", "no")));
    offers(setup.browser().follow(start).await.expect(403));
    good.script(|script| script.deny = None);
    // The account there may not come in.
    good.script(|script| {
        script
            .person
            .insert("email".into(), json!("ana@evil.example"))
    });
    let page = offers(setup.browser().follow(start).await.expect(403));
    assert!(!page.text().contains("Sign in with Example"));
    assert_eq!(setup.refusals(), ["denied", "domain_not_allowed"]);
}

#[tokio::test]
async fn with_many_providers_a_refusal_offers_the_page() {
    let provider = FakeProvider::start().await;
    let many: String = (0..6)
        .map(|n| provider_table(&provider, &format!("p{n}")))
        .collect();
    let setup = Setup::start(&(base() + &many)).await;
    provider.script(|script| script.deny = Some(("access_denied", "no")));
    let page = setup.browser().follow("/sso/start/p0").await.expect(403);
    let page = page.says("Sign in another way");
    assert!(!page.text().contains("/sso/start/p1"));
}

fn modes(setup: &Setup) -> Vec<(bool, String)> {
    let events = setup.events().into_iter();
    events
        .filter_map(|event| match event {
            Event::SignInMode { enabled, when } => Some((enabled, when)),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn with_sign_in_off_the_page_says_where_to_go_and_the_audit_log_says_so() {
    let off = "[sign_in]\nenabled = false\n";
    let setup = Setup::start(&three(off)).await;
    assert_eq!(modes(&setup), [(false, "start".to_owned())]);
    let mut ana = setup.browser();
    for address in ["/sso/login?next=/x%26y", "/sso/start/one?next=/x%26y"] {
        let page = ana.get(address).await.expect(200);
        assert_eq!(page.header("refresh"), None);
        page.says("(sign_in_off)")
            .says("href=\"/login?next=%2Fx%26y\"");
    }
    setup.reload(off, "").await.unwrap();
    ana.get("/sso/login")
        .await
        .expect(200)
        .says("Sign in with First");
    assert_eq!(modes(&setup).last(), Some(&(true, "reload".to_owned())));
}

#[tokio::test]
async fn a_sign_in_under_way_ends_when_sign_in_is_switched_off() {
    let provider = FakeProvider::start().await;
    let setup = Setup::with_provider(&provider, "[sign_in]\nenabled = true\n").await;
    assert_eq!(modes(&setup), []);
    let mut ana = setup.browser();
    let callback = setup.to_callback(&mut ana, "/sso/start/idp").await;
    setup
        .reload(
            "[sign_in]\nenabled = true\n",
            "[sign_in]\nenabled = false\n",
        )
        .await
        .unwrap();
    assert_eq!(modes(&setup), [(false, "reload".to_owned())]);
    ana.get(&callback).await.expect(200).says("(sign_in_off)");
    ana.get("/sso/me").await.expect(401);
    assert!(provider.requests("/token").is_empty());
}

#[tokio::test]
async fn with_a_context_path_bitbuckets_page_is_below_it() {
    let toml = three("[sign_in]\nenabled = false\n").replace(
        "url = \"UPSTREAM\"",
        "url = \"UPSTREAM\"\ncontext_path = \"/bitbucket\"",
    );
    let setup = Setup::start(&toml).await;
    let page = setup.browser().get("/sso/login?next=/bitbucket/x").await;
    page.expect(200).says("href=\"/bitbucket/login?next=%2Fx\"");
}
