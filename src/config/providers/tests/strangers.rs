//! `[providers.require]` and `fetch`: who stays out, and what is asked to know that.

use super::{issuer, oauth2, oidc, one, with};
use crate::config::testing::{Try, refused, warned};
use crate::config::{Fetch, Requirement};

const TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// A vendor's own preset; lines of a test begin at 6.
fn vendor(preset: &str, lines: &str) -> String {
    format!(
        "[[providers]]\nid = \"a\"\npreset = \"{preset}\"\nclient_id = \"c\"\nclient_secret = \"s\"\n{lines}"
    )
}

#[test]
fn a_required_claim_has_one_value_or_several() {
    let provider = one(&oidc(
        "[providers.require]\nhd = \"example.com\"\n\"https://slack.com/team_id\" = [\"T1\", \"T2\"]",
    ));
    let requirement = |claim: &str, any_of: &[&str]| Requirement {
        claim: claim.to_owned(),
        any_of: any_of.iter().map(|&value| value.to_owned()).collect(),
    };
    let mut found = provider.require;
    found.sort_by(|a, b| a.claim.cmp(&b.claim));
    assert_eq!(
        found,
        [
            requirement("hd", &["example.com"]),
            requirement("https://slack.com/team_id", &["T1", "T2"]),
        ]
    );
}

#[test]
fn a_required_claim_that_nobody_could_have_is_refused() {
    with(
        "[providers.require]\nhd = []",
        &["7:1: providers.a.require.hd: allows nothing, so nobody could sign in"],
    );
    with(
        "[providers.require]\nhd = [\"a\", \"\", \"a\"]",
        &[
            "7:12: providers.a.require.hd[1]: is empty",
            "7:16: providers.a.require.hd[2]: \"a\" stands there twice",
        ],
    );
    with(
        "[providers.require]\n\"\" = \"a\"",
        &["7:1: providers.a.require.\"\": the name of the claim is empty"],
    );
    with(
        "[providers.require]\na.b = \"c\"",
        &["7:1: providers.a.require.a: must be a string or an array of strings, not a table"],
    );
    with(
        "require = { verified = true }",
        &["6:24: providers.a.require.verified: must be a string or an array of strings, not true"],
    );
}

#[test]
fn salesforce_s_generic_hosts_need_an_organization() {
    for host in ["login", "test"] {
        let address = format!("https://{host}.salesforce.com");
        issuer(
            "salesforce",
            &address,
            &format!("\"{address}\" serves every organization"),
        );
        let with_slash = format!("{address}/");
        issuer(
            "salesforce",
            &with_slash,
            &format!("\"{with_slash}\" serves every organization"),
        );
        let text = vendor(
            "salesforce",
            &format!(
                "issuer = \"{address}\"\nissuer_aliases = [\"https://example.my.salesforce.com\"]\nrequire = {{ organization_id = \"00Dx0000000BV7zEAG\" }}"
            ),
        );
        assert_eq!(one(&text).issuer, address);
        let other = text.replace("organization_id", "hd");
        Try::new(&other).refused_with("[providers.require] organization_id");
    }
}

#[test]
fn the_issuer_of_every_tenant_needs_the_tenants() {
    let multi = |tenants: &str| vendor("entra_multi", tenants);
    refused(
        &multi(""),
        &[
            "1:1: providers.a.require: lacks \"tid\": {tenantid} in the issuer stands for every tenant of Microsoft's",
        ],
    );
    let found = one(&multi(&format!("require = {{ tid = [\"{TENANT}\"] }}")));
    assert_eq!(found.require[0].any_of, [TENANT]);
    for wrong in [
        "example.onmicrosoft.com",
        "9188040D-6C67-4C5B-B112-36A304B66DAD",
        "9188040d6c674c5bb11236a304b66dad",
    ] {
        refused(
            &multi(&format!("require = {{ tid = \"{wrong}\" }}")),
            &[&format!(
                "6:19: providers.a.require.tid: \"{wrong}\" is not the identifier of a tenant"
            )],
        );
    }
    // In any preset, and nothing else in braces.
    issuer(
        "oidc",
        "https://idp.example.com/{tenant}/v2.0",
        "\"https://idp.example.com/{tenant}/v2.0\" has braces",
    );
    issuer(
        "oidc",
        "https://idp.example.com/{tenantid}/{tenantid}",
        "\"https://idp.example.com/{tenantid}/{tenantid}\" has braces",
    );
    issuer(
        "oidc",
        "http://idp.example.com/{tenantid}",
        "\"http://idp.example.com/{tenantid}\" must use https",
    );
    refused(
        &oauth2("issuer = \"https://idp.example.com/{tenantid}\""),
        &["9:10: providers.a.issuer: plain OAuth 2.0 has no token that could name the {tenantid}"],
    );
}

#[test]
fn a_door_for_everybody_is_warned_about() {
    for (preset, vendor_name) in [
        ("google", "Google"),
        ("gitlab", "GitLab"),
        ("github", "GitHub"),
        ("bitbucket_cloud", "Bitbucket Cloud"),
        ("slack", "Slack"),
        ("discord", "Discord"),
        ("linkedin", "LinkedIn"),
    ] {
        let warnings = Try::new(&vendor(preset, "")).loaded().warnings;
        let [warning] = warnings.as_slice() else {
            panic!("{preset}: {warnings:?}");
        };
        let want = format!(
            "providers.a.preset: anybody in the world with an account at {vendor_name} can sign in: "
        );
        assert!(warning.starts_with(&want), "{warning}");
    }
    warned(&vendor("google", "require = { hd = \"example.com\" }"), &[]);
    warned(
        &vendor("google", "[users]\nallowed_domains = [\"example.com\"]"),
        &[],
    );
    // One's own server is not the world's.
    warned(
        &vendor("gitlab", "issuer = \"https://gitlab.example.com\""),
        &[],
    );
    warned(
        &vendor(
            "github_enterprise",
            "issuer = \"https://github.example.com\"",
        ),
        &[],
    );
    warned(&oauth2("").replace("\"oauth2\"", "\"github\""), &[]);
}

#[test]
fn what_a_rule_needs_is_fetched() {
    let github = one(&vendor(
        "github",
        "require = { organizations = \"example\" }\nclaims = { groups = \"/teams\" }",
    ));
    assert_eq!(
        github.fetch,
        [
            Fetch::GithubEmails,
            Fetch::GithubOrganizations,
            Fetch::GithubTeams
        ]
    );
    let discord = one(&vendor(
        "discord",
        "require = { guilds = \"81384788765712384\" }",
    ));
    assert_eq!(discord.fetch, [Fetch::DiscordGuilds]);
    assert_eq!(discord.scopes, ["identify", "email", "guilds"]);
    refused(
        &vendor(
            "discord",
            "require = { guilds = \"81384788765712384\" }\nfetch = []",
        ),
        &[
            "7:9: providers.a.fetch: lacks \"discord_guilds\", without which nobody has the claim \"guilds\" that [providers.require] asks for",
        ],
    );
    let graph = one(&oidc("fetch = [\"graph_groups\"]"));
    assert_eq!(graph.scopes, ["openid", "profile", "email", "User.Read"]);
    let own = one(&oidc("fetch = [\"graph_groups\"]\nscopes = [\"openid\"]"));
    assert_eq!(own.scopes, ["openid"]);
}

#[test]
fn a_call_that_could_not_be_made_is_refused() {
    with(
        "fetch = [\"github_emails\", \"graph_groups\", \"graph_groups\", \"groups\"]",
        &["6:59: providers.a.fetch[3]: unknown value \"groups\""],
    );
    with(
        "fetch = [\"github_emails\", \"graph_groups\", \"graph_groups\"]",
        &[
            "6:10: providers.a.fetch[0]: \"github_emails\" is no call of a provider of OpenID Connect",
            "6:43: providers.a.fetch[2]: \"graph_groups\" stands there twice",
        ],
    );
    refused(
        &oauth2("fetch = [\"salesforce_identity\"]"),
        &[
            "9:10: providers.a.fetch[0]: \"salesforce_identity\" is no call of a provider of plain OAuth 2.0",
        ],
    );
}

#[test]
fn graph_is_asked_over_https() {
    let fetch = "fetch = [\"graph_groups\"]\n";
    let url = |lines: &str| one(&oidc(&format!("{fetch}{lines}"))).graph_url;
    assert_eq!(url("").as_str(), "https://graph.microsoft.com/");
    assert_eq!(
        url("graph_url = \"https://graph.microsoft.us\"").as_str(),
        "https://graph.microsoft.us/"
    );
    url("graph_url = \"http://127.0.0.1:1/graph\"");
    with(
        "graph_url = \"https://graph.microsoft.us\"",
        &["6:13: providers.a.graph_url: has no effect: fetch does not name \"graph_groups\""],
    );
    // Not even on demand: tokens of people go there.
    with(
        &format!("{fetch}insecure_http = true\ngraph_url = \"http://graph.example.com\""),
        &["8:13: providers.a.graph_url: \"http://graph.example.com\" must use https"],
    );
    with(
        &format!("{fetch}graph_url = \"https://graph.example.com?a\""),
        &["7:13: providers.a.graph_url: \"https://graph.example.com?a\" has a query"],
    );
}
