//! `[sign_in]`

use super::problems::{Mistake, meant, mistake, one_of, quoted};
use super::reader::{At, Read, Section};
use super::spec::Default::{Required, Unset, Value};
use super::spec::Shape::{Flag, Seconds, Tables, Text, Texts};
use super::spec::{Table, key};
use super::values::{all, each_once};
use super::{Provider, SignIn, SignInRule};
use crate::identity::Domain;
use std::time::Duration;

pub(super) static TABLE: Table = Table {
    doc: "The sign-in page.",
    keys: &[
        key(
            "enabled",
            Flag,
            Value("true"),
            "Off: the gateway only forwards, and Bitbucket's own login page serves. The emergency sign-in stays.",
        ),
        key(
            "auto_redirect",
            Flag,
            Value("true"),
            "Whether the page goes on by itself: to default_provider, or to the only provider when there are no rules. Never right after a sign-out or an error.",
        ),
        key(
            "auto_redirect_delay_secs",
            Seconds(0, 60),
            Value("0"),
            "How long the page counts down before that, so that it can be stopped. 0: it is not shown.",
        ),
        key(
            "default_provider",
            Text,
            Value(r#""""#),
            "The id of the provider that auto_redirect goes to, and whose button is the first. Empty: none.",
        ),
        key(
            "rules",
            Tables(&RULE),
            Unset("none", ""),
            "Which provider signs in whose e-mail address: the page asks for it. The first rule that fits decides.",
        ),
    ],
};

static RULE: Table = Table {
    doc: "Where people with an e-mail address of some domains sign in.",
    keys: &[
        key(
            "domains",
            Texts,
            Required(r#"["example.com"]"#),
            "What stands after the \"@\". \"*\" alone, in the last rule: every other address.",
        ),
        key(
            "subdomains",
            Flag,
            Value("false"),
            "Whether the sub-domains of these domains count too.",
        ),
        key(
            "provider",
            Text,
            Required(r#""salesforce""#),
            "The id of the provider.",
        ),
    ],
};

/// `sign_in.enabled`, which decides what else is needed.
pub(super) fn enabled(section: &Section<'_>) -> Read<bool> {
    let enabled = section.get::<bool>("enabled")?;
    if !enabled {
        section
            .spot_of("enabled")
            .warn("false: nobody is asked to sign in at the gateway");
    }
    Ok(enabled)
}

/// The rest. `providers`: none if they have mistakes of their own.
pub(super) fn read(
    section: &Section<'_>,
    enabled: Read<bool>,
    providers: Option<&[Provider]>,
) -> Read<SignIn> {
    let auto_redirect = section.get::<bool>("auto_redirect");
    let delay = section.get::<Duration>("auto_redirect_delay_secs");
    let default_provider = section.parse("default_provider", |text| match text {
        "" => Ok(None),
        text => known(text, providers).map(Some),
    });
    let rules = rules(section, providers);

    let sign_in = SignIn {
        enabled: enabled?,
        auto_redirect: auto_redirect?,
        auto_redirect_delay: delay?,
        default_provider: default_provider?,
        rules: rules?,
    };
    // With sign-in off, nothing here has an effect: that is what an emergency is for.
    if let Some(providers) = providers
        && sign_in.enabled
        && !sign_in.auto_redirect_delay.is_zero()
        && sign_in.automatic(providers).is_none()
    {
        let why = match (sign_in.auto_redirect, sign_in.rules.is_empty()) {
            (false, _) => "auto_redirect is false",
            (true, true) => "there are several providers, and no default_provider",
            (true, false) => "with rules, only a default_provider is gone to by itself",
        };
        section.useless("auto_redirect_delay_secs", why)?;
    }
    Ok(sign_in)
}

/// The id of a provider. While the providers are not known, every id may be right.
fn known(id: &str, providers: Option<&[Provider]>) -> Result<String, Mistake> {
    let Some(providers) = providers else {
        return Ok(id.to_owned());
    };
    let ids: Vec<&str> = providers.iter().map(|it| it.id.as_str()).collect();
    if ids.contains(&id) {
        return Ok(id.to_owned());
    }
    let guess = meant(id, ids.iter().copied()).map(|id| format!("; did you mean \"{id}\"?"));
    Err(mistake(
        format!(
            "{} is not the id of a provider{}",
            quoted(id),
            guess.unwrap_or_default()
        ),
        match ids.as_slice() {
            [] => "there are no [[providers]]".to_owned(),
            ids => format!("the ids are {}", one_of(ids)),
        },
    ))
}

fn rules(section: &Section<'_>, providers: Option<&[Provider]>) -> Read<Vec<SignInRule>> {
    let tables = section.tables("rules")?;
    let rules = all(tables.iter().map(|table| rule(table, providers)))?;
    let mut result = Ok(());
    for (index, (later, table)) in rules.iter().zip(&tables).enumerate() {
        for (at, earlier) in rules.iter().enumerate().take(index) {
            let (what, remedy) = if earlier.domains.is_empty() {
                (
                    format!("never decides anything: sign_in.rules[{at}] is for every address"),
                    "put the rule with \"*\" last",
                )
            } else if let Some(domain) = later.domains.iter().find(|it| earlier.covers(it)) {
                (
                    format!(
                        "\"{domain}\" never decides anything here: sign_in.rules[{at}] covers it"
                    ),
                    "put the narrower rule first, or remove the domain from one of the two",
                )
            } else {
                continue;
            };
            result = Err(table.spot_of("domains").problem(mistake(what, remedy)));
            break;
        }
    }
    result.map(|()| rules)
}

fn rule(section: &Section<'_>, providers: Option<&[Provider]>) -> Read<SignInRule> {
    let provider = section.parse("provider", |text| known(text, providers));
    let domains = section.get::<Vec<At<'_, String>>>("domains");
    let subdomains = section.get::<bool>("subdomains");
    let domains = domains?;
    let any = |item: &At<'_, String>| item.value == "*";
    let domains = match domains.as_slice() {
        [] => Err(section.spot_of("domains").problem(mistake(
            "is empty",
            "name the domains, or write [\"*\"] for every other address",
        ))),
        [one] if any(one) => section
            .useless("subdomains", "\"*\" is every address already")
            .map(|()| Vec::new()),
        several => match several.iter().find(|item| any(item)) {
            Some(item) => Err(item.spot.problem(mistake(
                "\"*\" stands beside other domains",
                "give it a rule of its own, the last one",
            ))),
            None => each_once(domains, domain),
        },
    };
    Ok(SignInRule {
        domains: domains?,
        subdomains: subdomains?,
        provider: provider?,
    })
}

fn domain(text: &str) -> Result<Domain, Mistake> {
    Domain::parse(text).map_err(|invalid| {
        mistake(
            format!("{} {invalid}", quoted(text)),
            "write what stands after the \"@\", such as \"example.com\", in ASCII (\"xn--…\"); \
             subdomains = true adds what is below",
        )
    })
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{Try, accepted, refused};
    use crate::config::{Config, SignInRule};
    use crate::identity::Email;
    use std::time::Duration;

    /// Two providers, `a` and `b`, and then the table, which begins at line 11.
    const TWO: &str = "[[providers]]\nid = \"a\"\nissuer = \"https://a.example.com\"\nclient_id = \"c\"\nclient_secret = \"s\"\n[[providers]]\nid = \"b\"\nissuer = \"https://b.example.com\"\nclient_id = \"c\"\nclient_secret = \"s\"\n";

    fn two(text: &str) -> Config {
        accepted(&format!("{TWO}[sign_in]\n{text}"))
    }

    #[track_caller]
    fn two_refused(text: &str, expected: &[&str]) {
        refused(&format!("{TWO}[sign_in]\n{text}"), expected);
    }

    fn automatic(config: &Config) -> Option<&str> {
        config.sign_in.automatic(&config.providers)
    }

    #[test]
    fn sign_in_is_on_and_needs_a_provider() {
        assert!(accepted("").sign_in.enabled);
        Try::new("")
            .without_provider()
            .refused(&["1:1: providers: is missing: nobody could sign in"]);
        let config = Try::new("[sign_in]\nenabled = false")
            .without_provider()
            .accepted();
        assert!(!config.sign_in.enabled && config.providers.is_empty());
        refused(
            "[sign_in]\nenabled = 1",
            &["2:11: sign_in.enabled: must be true or false, not a number"],
        );
    }

    #[test]
    fn the_page_goes_on_by_itself_to_the_only_or_the_default_provider() {
        assert_eq!(automatic(&accepted("")), Some("test"));
        assert_eq!(
            automatic(&accepted("[sign_in]\nauto_redirect = false")),
            None
        );
        assert_eq!(automatic(&two("")), None);
        let config = two("default_provider = \"b\"\nauto_redirect_delay_secs = 5");
        assert_eq!(automatic(&config), Some("b"));
        assert_eq!(config.sign_in.auto_redirect_delay, Duration::from_secs(5));
        assert_eq!(
            automatic(&two("default_provider = \"b\"\nauto_redirect = false")),
            None
        );
    }

    #[test]
    fn rules_ask_for_the_address_unless_a_default_is_named() {
        let rule = "[[sign_in.rules]]\ndomains = [\"example.com\"]\nprovider = \"test\"";
        assert_eq!(automatic(&accepted(rule)), None);
        let named = format!("[sign_in]\ndefault_provider = \"test\"\n{rule}");
        assert_eq!(automatic(&accepted(&named)), Some("test"));
    }

    #[test]
    fn a_delay_that_delays_nothing_is_refused() {
        two_refused(
            "auto_redirect_delay_secs = 5",
            &[
                "12:28: sign_in.auto_redirect_delay_secs: has no effect: there are several providers, and no default_provider",
            ],
        );
        refused(
            "[sign_in]\nauto_redirect = false\nauto_redirect_delay_secs = 5",
            &["3:28: sign_in.auto_redirect_delay_secs: has no effect: auto_redirect is false"],
        );
        refused(
            "[sign_in]\nauto_redirect_delay_secs = 5\n[[sign_in.rules]]\ndomains = [\"*\"]\nprovider = \"test\"",
            &[
                "2:28: sign_in.auto_redirect_delay_secs: has no effect: with rules, only a default_provider is gone to by itself",
            ],
        );
        refused(
            "[sign_in]\nauto_redirect_delay_secs = 61",
            &["2:28: sign_in.auto_redirect_delay_secs: 61 is not between 0 and 60"],
        );
        // Sign-in is switched off in a hurry, with one line.
        two("enabled = false\nauto_redirect_delay_secs = 5");
    }

    #[test]
    fn a_default_provider_is_a_provider() {
        two_refused(
            "default_provider = \"c\"",
            &[
                "12:20: sign_in.default_provider: \"c\" is not the id of a provider; did you mean \"a\"?",
            ],
        );
    }

    #[track_caller]
    fn decides(rules: &[SignInRule], address: &str, want: Option<&str>) {
        let email = Email::parse(address).unwrap();
        let found = rules.iter().find(|rule| rule.is_for(&email));
        assert_eq!(found.map(|rule| rule.provider.as_str()), want, "{address}");
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let config = two(
            "[[sign_in.rules]]\ndomains = [\"dev.example.com\", \"Example.org\"]\nprovider = \"a\"\n\
             [[sign_in.rules]]\ndomains = [\"example.com\"]\nsubdomains = true\nprovider = \"b\"\n",
        );
        let rules = &config.sign_in.rules;
        for (address, want) in [
            ("x@dev.example.com", Some("a")),
            ("x@EXAMPLE.ORG", Some("a")),
            ("x@sub.example.org", None),
            ("x@example.com", Some("b")),
            ("x@a.b.example.com", Some("b")),
            ("x@evil-example.com", None),
            ("x@example.com.evil.example", None),
            ("example.com@evil.example", None),
            ("x@com", None),
        ] {
            decides(rules, address, want);
        }
        let config = two(
            "[[sign_in.rules]]\ndomains = [\"example.com\"]\nprovider = \"a\"\n\
             [[sign_in.rules]]\ndomains = [\"*\"]\nprovider = \"b\"\n",
        );
        decides(&config.sign_in.rules, "x@example.com", Some("a"));
        decides(&config.sign_in.rules, "x@sub.example.com", Some("b"));
    }

    #[test]
    fn a_rule_that_never_decides_is_refused() {
        let two_rules = |first: &str, second: &str, what: &str| {
            two_refused(
                &format!(
                    "[[sign_in.rules]]\nprovider = \"a\"\n{first}\n[[sign_in.rules]]\nprovider = \"b\"\n{second}"
                ),
                &[&format!("17:11: sign_in.rules[1].domains: {what}")],
            );
        };
        two_rules(
            "domains = [\"example.com\"]",
            "domains = [\"other.example\", \"EXAMPLE.com\"]",
            "\"example.com\" never decides anything here: sign_in.rules[0] covers it",
        );
        two_rules(
            "domains = [\"*\"]",
            "domains = [\"example.com\"]",
            "never decides anything: sign_in.rules[0] is for every address",
        );
        two_rules(
            "domains = [\"*\"]",
            "domains = [\"*\"]",
            "never decides anything: sign_in.rules[0] is for every address",
        );
        let below = "domains = [\"example.com\"]\nsubdomains = true\n";
        two_refused(
            &format!(
                "[[sign_in.rules]]\nprovider = \"a\"\n{below}[[sign_in.rules]]\nprovider = \"b\"\ndomains = [\"dev.example.com\"]"
            ),
            &[
                "18:11: sign_in.rules[1].domains: \"dev.example.com\" never decides anything here: sign_in.rules[0] covers it",
            ],
        );
    }

    #[test]
    fn a_rule_names_domains_and_a_provider() {
        let one = |lines: &str, expected: &[&str]| {
            two_refused(&format!("[[sign_in.rules]]\n{lines}"), expected);
        };
        one(
            "domains = []\nprovider = \"a\"",
            &["13:11: sign_in.rules[0].domains: is empty"],
        );
        one(
            "domains = [\"@example.com\", \"*.example.com\", \"b\u{fc}cher.example\", \"x.example\", \"X.example\"]\nprovider = \"a\"",
            &[
                "13:12: sign_in.rules[0].domains[0]: \"@example.com\" is not a domain name",
                "13:28: sign_in.rules[0].domains[1]: \"*.example.com\" is not a domain name",
                "13:45: sign_in.rules[0].domains[2]: \"b\u{fc}cher.example\" is not a domain name",
                "13:76: sign_in.rules[0].domains[4]: \"X.example\" stands there twice",
            ],
        );
        one(
            "domains = [\"example.com\", \"*\"]\nprovider = \"a\"",
            &["13:27: sign_in.rules[0].domains[1]: \"*\" stands beside other domains"],
        );
        one(
            "domains = [\"*\"]\nsubdomains = true\nprovider = \"a\"",
            &["14:14: sign_in.rules[0].subdomains: has no effect: \"*\" is every address already"],
        );
        one(
            "domains = [\"example.com\"]\nprovider = \"idp\"",
            &["14:12: sign_in.rules[0].provider: \"idp\" is not the id of a provider"],
        );
        one(
            "provider = \"a\"",
            &["12:1: sign_in.rules[0].domains: is missing"],
        );
        one(
            "domains = [\"example.com\"]",
            &["12:1: sign_in.rules[0].provider: is missing"],
        );
    }
}
