//! `[users]`

use super::problems::{meant, mistake, one_of, quoted};
use super::reader::{At, Read, Section};
use super::spec::Default::Value;
use super::spec::Shape::{self, Flag, Texts};
use super::spec::{Table, key};
use super::values::{Choice, Chosen, all, choices};
use super::{
    Fetch, MatchBy, Protocol, Provider, Provisioning, ProvisioningTarget, UsernameCase, Users,
};
use crate::identity::Domain;

pub(super) static TABLE: Table = Table {
    doc: "Who a person becomes in Bitbucket, and who may become somebody.",
    keys: &[
        key(
            "match_by",
            Shape::Choice(choices::<MatchBy>),
            Value(r#""username""#),
            "Which fact finds the person in Bitbucket and becomes the username.",
        ),
        key(
            "username_case",
            Shape::Choice(choices::<UsernameCase>),
            Value(r#""lower""#),
            "Whether usernames become lower case, as Bitbucket compares them, or stay as they come.",
        ),
        key(
            "require_verified_email",
            Flag,
            Value("true"),
            "Whether an explicit email_verified = false refuses, wherever the e-mail decides something.",
        ),
        key(
            "allowed_domains",
            Texts,
            Value("[]"),
            "E-mail domains that may sign in; a sub-domain is another domain. Empty: all.",
        ),
        key(
            "create",
            Flag,
            Value("true"),
            "Whether people are made whom Bitbucket does not know. Off: they are refused.",
        ),
        key(
            "update_profile",
            Flag,
            Value("true"),
            "Whether name and e-mail address in Bitbucket follow the provider. Off for read-only directories.",
        ),
        key(
            "link_by_verified_email",
            Flag,
            Value("false"),
            "Whether one person may come by several of link_providers, known by the same verified address.",
        ),
        key(
            "link_providers",
            Texts,
            Value("[]"),
            "Ids of the providers whose word for a verified address is good enough for that: at least two.",
        ),
    ],
};

impl Choice for MatchBy {
    const NAMES: &'static [(&'static str, Self)] =
        &[("username", Self::Username), ("email", Self::Email)];
}

impl Choice for UsernameCase {
    const NAMES: &'static [(&'static str, Self)] = &[("lower", Self::Lower), ("keep", Self::Keep)];
}

pub(super) fn read(section: &Section<'_>, provisioning: Option<&Provisioning>) -> Read<Users> {
    let match_by = section.get::<Chosen<MatchBy>>("match_by");
    let username_case = section.get::<Chosen<UsernameCase>>("username_case");
    let require_verified_email = section.get::<bool>("require_verified_email");
    let allowed_domains = section.parse_each("allowed_domains", |text| {
        Domain::parse(text).map_err(|invalid| {
            mistake(
                format!("{} {invalid}", quoted(text)),
                "write what stands after the \"@\", such as \"example.com\"; no wildcards",
            )
        })
    });

    let create = section.get::<bool>("create");
    let update_profile = section.get::<bool>("update_profile");
    let link = section.get::<bool>("link_by_verified_email");
    let link_providers = section.parse_each("link_providers", |text| Ok(text.to_owned()));

    let (match_by, require_verified_email) = (match_by?.0, require_verified_email?);
    let (create, update_profile) = (create?, update_profile?);
    if provisioning.is_some_and(|it| it.target == ProvisioningTarget::None) {
        let mut useful = Ok(());
        if !create {
            useful = Err(section.spot_of("create").problem(mistake(
                "is false, but provisioning.target is \"none\": nobody could be looked up, and nobody \
                 could sign in",
                "set provisioning.target to \"bitbucket\" or \"directory\", or remove this line",
            )));
        }
        if !update_profile {
            useful = section
                .useless("update_profile", "provisioning.target is \"none\"")
                .and(useful);
        }
        useful?;
    }
    let (link, link_providers) = (link?, link_providers?);
    linkable(section, link, &link_providers, require_verified_email)?;
    let allowed_domains = allowed_domains?;
    if !require_verified_email && (match_by == MatchBy::Email || !allowed_domains.is_empty()) {
        section
            .spot_of("require_verified_email")
            .warn("false lets people in by an address that their provider says is not theirs");
    }
    Ok(Users {
        match_by,
        username_case: username_case?.0,
        require_verified_email,
        allowed_domains,
        create,
        update_profile,
        link_by_verified_email: link,
        link_providers,
    })
}

/// Linking by an address is a way to become somebody, so every part of it has to be said.
fn linkable(section: &Section<'_>, link: bool, providers: &[String], verified: bool) -> Read<()> {
    if !link {
        return match providers {
            [] => Ok(()),
            _ => section.useless("link_providers", "link_by_verified_email is false"),
        };
    }
    if !verified {
        return Err(section.spot_of("require_verified_email").problem(mistake(
            "is false, but link_by_verified_email is true: whoever writes an address into a profile \
             would become its owner",
            "set one of the two the other way",
        )));
    }
    if providers.len() < 2 {
        return Err(section.spot_of("link_providers").problem(mistake(
            format!(
                "names {} of the two providers that it takes to link",
                providers.len()
            ),
            "name at least two ids of [[providers]], or set link_by_verified_email = false",
        )));
    }
    Ok(())
}

/// What can be made of people who come by these providers.
pub(super) fn with_providers(
    section: &Section<'_>,
    users: &Users,
    provisioning: Option<&Provisioning>,
    providers: &[Provider],
) -> Read<()> {
    let somewhere = provisioning.is_some_and(|it| it.target != ProvisioningTarget::None);
    if somewhere && users.create {
        for provider in providers.iter().filter(|it| it.claims.email.is_empty()) {
            section.spot_of("create").warn(format_args!(
                "nobody can be made who comes by \"{}\": it has no claim for email, and an account \
                 needs an address",
                provider.id
            ));
        }
    }
    links(section, users, providers)
}

/// Whether the providers that link people are there and have an address to link by.
fn links(section: &Section<'_>, users: &Users, providers: &[Provider]) -> Read<()> {
    let spot = section.spot_of("link_providers");
    let ids: Vec<_> = providers.iter().map(|it| it.id.as_str()).collect();
    let written = section.find::<Vec<At<'_, String>>>("link_providers")?;
    let checks = written.into_iter().flatten().map(|id| {
        let Some(provider) = providers.iter().find(|provider| provider.id == id.value) else {
            let guess = meant(&id.value, ids.iter().copied());
            let guess = guess.map(|name| format!("; did you mean \"{name}\"?"));
            return Err(id.spot.problem(mistake(
                format!(
                    "{} is no id of [[providers]]{}",
                    quoted(&id.value),
                    guess.unwrap_or_default()
                ),
                format!("the ids are {}", one_of(&ids)),
            )));
        };
        let missing = match provider {
            it if it.claims.email.is_empty() => "email",
            it if it.claims.email_verified.is_empty() => "email_verified",
            _ => return Ok(provider),
        };
        Err(id.spot.problem(mistake(
            format!(
                "{} has no claim for {missing}, so it could link nobody",
                quoted(&id.value)
            ),
            format!("give it providers.claims.{missing}, or remove it here"),
        )))
    });
    for provider in all(checks)? {
        // GitHub's list of addresses says of each whether it is verified.
        let says = provider.fetch.contains(&Fetch::GithubEmails);
        if users.link_by_verified_email && provider.protocol == Protocol::OAuth2 && !says {
            spot.warn(format_args!(
                "\"{}\" speaks plain OAuth 2.0: make sure that its users cannot mark an address as \
                 verified themselves",
                provider.id
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, refused, warned};
    use crate::config::{MatchBy, UsernameCase};

    #[test]
    fn the_defaults_are_careful() {
        let users = accepted("").users;
        assert_eq!(users.match_by, MatchBy::Username);
        assert_eq!(users.username_case, UsernameCase::Lower);
        assert!(users.require_verified_email);
        assert!(users.create && users.update_profile);
        assert!(!users.link_by_verified_email && users.link_providers.is_empty());
    }

    #[test]
    fn people_are_looked_up_somewhere() {
        let users = accepted(
            "[users]\ncreate = false\nupdate_profile = false\n[provisioning]\ntarget = \"directory\"",
        )
        .users;
        assert!(!users.create && !users.update_profile);
        refused(
            "[users]\ncreate = false\nupdate_profile = false",
            &[
                "2:10: users.create: is false, but provisioning.target is \"none\": nobody could be looked up, and nobody could sign in",
                "3:18: users.update_profile: has no effect: provisioning.target is \"none\"",
            ],
        );
        accepted("[users]\ncreate = true\nupdate_profile = true");
    }

    #[test]
    fn an_account_without_an_address_is_warned_about() {
        let provider = "[[providers]]\nid = \"a\"\nissuer = \"https://idp.example.com\"\nclient_id = \"c\"\nclient_secret = \"s\"\n[providers.claims]\nemail = []\n";
        warned(provider, &[]);
        let directory = format!("{provider}[provisioning]\ntarget = \"directory\"\n");
        warned(
            &directory,
            &[
                "users.create: nobody can be made who comes by \"a\": it has no claim for email, and an account needs an address",
            ],
        );
        warned(&format!("{directory}[users]\ncreate = false"), &[]);
    }

    const TWO: &str = "\n[[providers]]\nid = \"one\"\nissuer = \"https://one.example\"\nclient_id = \"c\"\nclient_secret = \"s\"\n[[providers]]\nid = \"two\"\npreset = \"oauth2\"\nauthorization_endpoint = \"https://two.example/a\"\ntoken_endpoint = \"https://two.example/t\"\nuserinfo_endpoint = \"https://two.example/u\"\nclient_id = \"c\"\nclient_secret = \"s\"\n";

    #[track_caller]
    fn linked(lines: &str, expected: &[&str]) {
        refused(&format!("[users]\n{lines}{TWO}"), expected);
    }

    #[test]
    fn two_providers_link_one_person() {
        let text = format!(
            "[users]\nlink_by_verified_email = true\nlink_providers = [\"one\", \"two\"]{TWO}"
        );
        assert_eq!(accepted(&text).users.link_providers, ["one", "two"]);
        warned(
            &text,
            &[
                "users.link_providers: \"two\" speaks plain OAuth 2.0: make sure that its users cannot mark an address as verified themselves",
            ],
        );
    }

    #[test]
    fn every_part_of_linking_is_said() {
        linked(
            "link_providers = [\"one\", \"two\"]",
            &["2:18: users.link_providers: has no effect: link_by_verified_email is false"],
        );
        linked(
            "link_by_verified_email = true",
            &["1:1: users.link_providers: names 0 of the two providers that it takes to link"],
        );
        linked(
            "link_by_verified_email = true\nlink_providers = [\"one\"]",
            &["3:18: users.link_providers: names 1 of the two providers that it takes to link"],
        );
        linked(
            "link_by_verified_email = true\nlink_providers = [\"one\", \"one\"]",
            &["3:26: users.link_providers[1]: \"one\" stands there twice"],
        );
        linked(
            "link_by_verified_email = true\nlink_providers = [\"one\", \"two\"]\nrequire_verified_email = false",
            &[
                "4:26: users.require_verified_email: is false, but link_by_verified_email is true: whoever writes an address into a profile would become its owner",
            ],
        );
    }

    #[test]
    fn a_provider_that_links_is_there_and_has_an_address() {
        linked(
            "link_by_verified_email = true\nlink_providers = [\"one\", \"twoo\", \"corporate\"]",
            &[
                "3:26: users.link_providers[1]: \"twoo\" is no id of [[providers]]; did you mean \"two\"?",
                "3:34: users.link_providers[2]: \"corporate\" is no id of [[providers]]",
            ],
        );
        let text = format!(
            "[users]\nlink_by_verified_email = true\nlink_providers = [\"one\", \"two\"]{TWO}[providers.claims]\n"
        );
        refused(
            &format!("{text}email = []"),
            &[
                "3:26: users.link_providers[1]: \"two\" has no claim for email, so it could link nobody",
            ],
        );
        refused(
            &format!("{text}email_verified = []"),
            &[
                "3:26: users.link_providers[1]: \"two\" has no claim for email_verified, so it could link nobody",
            ],
        );
    }

    #[test]
    fn a_domain_is_a_domain() {
        let users = accepted("[users]\nallowed_domains = [\"Example.com\"]").users;
        assert_eq!(users.allowed_domains[0].as_str(), "example.com");
        refused(
            "[users]\nallowed_domains = [\"@example.com\", \"*.example.com\", \"a.example\", \"A.example\"]",
            &[
                "2:20: users.allowed_domains[0]: \"@example.com\" is not a domain name",
                "2:36: users.allowed_domains[1]: \"*.example.com\" is not a domain name",
                "2:66: users.allowed_domains[3]: \"A.example\" stands there twice",
            ],
        );
    }

    #[test]
    fn a_word_that_is_no_choice_is_refused() {
        refused(
            "[users]\nmatch_by = \"mail\"",
            &["2:12: users.match_by: unknown value \"mail\"; did you mean \"email\"?"],
        );
        refused(
            "[users]\nusername_case = \"upper\"",
            &["2:17: users.username_case: unknown value \"upper\""],
        );
    }

    #[test]
    fn believing_unverified_addresses_is_warned_about() {
        warned("[users]\nrequire_verified_email = false", &[]);
        warned(
            "[users]\nmatch_by = \"email\"\nrequire_verified_email = false",
            &[
                "users.require_verified_email: false lets people in by an address that their provider says is not theirs",
            ],
        );
    }
}
