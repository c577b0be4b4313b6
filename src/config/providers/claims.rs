//! `[providers.claims]`

use crate::config::mappings;
use crate::config::presets::PresetClaims;
use crate::config::problems::mistake;
use crate::config::reader::{At, Read, Section};
use crate::config::spec::Default::Unset;
use crate::config::spec::Shape::{Mappings, Text};
use crate::config::spec::{Table, key};
use crate::config::{Claims, Mapping, MatchBy, Users};

const PRESETS: &str = "the preset's";

pub(super) static TABLE: Table = Table {
    doc: "Where to find each fact: by a claim's name, a dotted path, a JSON pointer, or a table with steps. Of several, the first that comes to something wins.",
    keys: &[
        key(
            "username",
            Mappings,
            Unset(PRESETS, r#""preferred_username""#),
            "The username.",
        ),
        key(
            "email",
            Mappings,
            Unset(PRESETS, r#""email""#),
            "The e-mail address.",
        ),
        key(
            "email_verified",
            Mappings,
            Unset(PRESETS, r#""email_verified""#),
            "Whether the address is verified: true, \"true\", 1 or \"1\". Empty array: the provider never says.",
        ),
        key(
            "display_name",
            Mappings,
            Unset(PRESETS, r#""name""#),
            "The full name.",
        ),
        key(
            "first_name",
            Mappings,
            Unset(PRESETS, r#""given_name""#),
            "The first name, for when there is no full one.",
        ),
        key(
            "last_name",
            Mappings,
            Unset(PRESETS, r#""family_name""#),
            "The last name, for when there is no full one.",
        ),
        key(
            "groups",
            Mappings,
            Unset(PRESETS, r#"["groups", "realm_access.roles"]"#),
            "The groups: an array, or one string. An empty array: no groups.",
        ),
        key(
            "groups_separator",
            Text,
            Unset(PRESETS, r#"";""#),
            "Splits a string of groups. Empty: the string is one group.",
        ),
    ],
};

pub(super) fn read(
    section: &Section<'_>,
    preset: &PresetClaims,
    users: Option<&Users>,
) -> Read<Claims> {
    let find = |name, known: &[&str]| -> Read<Vec<Mapping>> {
        let known = || known.iter().map(|claim| preset.mapping(claim)).collect();
        Ok(mappings::read(section, name)?.unwrap_or_else(known))
    };
    let username = find("username", preset.username);
    let email = find("email", preset.email);
    let email_verified = find("email_verified", preset.email_verified);
    let display_name = find("display_name", preset.display_name);
    let first_name = find("first_name", preset.first_name);
    let last_name = find("last_name", preset.last_name);
    let groups = find("groups", preset.groups);
    let groups_separator = section.find::<At<'_, String>>("groups_separator");

    let (username, email, groups) = (username?, email?, groups?);
    let by_email = users.is_some_and(|users| users.match_by == MatchBy::Email);
    let domains = users.is_some_and(|users| !users.allowed_domains.is_empty());
    let nobody = |name, because| {
        Err(section.spot_of(name).problem(mistake(
            format!("is empty, but {because}"),
            "name the claim, as the provider sends it",
        )))
    };
    if username.is_empty() && !by_email {
        return nobody("username", "a person needs a username");
    }
    if email.is_empty() && by_email {
        return nobody("email", "users.match_by is \"email\"");
    }
    if email.is_empty() && domains {
        return nobody("email", "users.allowed_domains asks for an address");
    }
    if groups.is_empty() {
        section.useless("groups_separator", "there is no claim for groups")?;
    }
    let groups_separator = match groups_separator? {
        Some(written) => written.value,
        None => preset.groups_separator.to_owned(),
    };
    Ok(Claims {
        username,
        email,
        email_verified: email_verified?,
        display_name: display_name?,
        first_name: first_name?,
        last_name: last_name?,
        groups,
        groups_separator: Some(groups_separator).filter(|separator| !separator.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, refused};

    fn text(lines: &str) -> String {
        format!(
            "[[providers]]\nid = \"a\"\nissuer = \"https://idp.example.com\"\nclient_id = \"c\"\nclient_secret = \"s\"\n[providers.claims]\n{lines}"
        )
    }

    #[track_caller]
    fn with(lines: &str, expected: &[&str]) {
        refused(&text(lines), expected);
    }

    #[test]
    fn a_claim_is_one_path_or_several_and_the_preset_gives_the_rest() {
        let claims = &accepted(&text("username = \"upn\"\nemail = [\"mail\", \"emails\"]\nfirst_name = []\ngroups_separator = \",\"")).providers[0].claims;
        assert_eq!(claims.username, ["upn"]);
        assert_eq!(claims.email, ["mail", "emails"]);
        assert_eq!(claims.display_name, ["name"]);
        assert!(claims.first_name.is_empty());
        assert_eq!(claims.groups_separator.as_deref(), Some(","));
        assert_eq!(claims.email_verified, ["email_verified"]);
    }

    #[test]
    fn verification_has_a_claim_of_its_own() {
        let verified = |lines: &str| {
            accepted(&text(lines)).providers[0]
                .claims
                .email_verified
                .clone()
        };
        assert_eq!(verified("email_verified = \"xms_edov\""), ["xms_edov"]);
        assert!(verified("email_verified = []").is_empty());
    }

    #[test]
    fn a_claim_that_could_never_be_found_is_refused() {
        with(
            "username = \"\"",
            &["7:12: providers.a.claims.username: the name of the claim is empty"],
        );
        with(
            "username = []",
            &["7:12: providers.a.claims.username: is empty, but a person needs a username"],
        );
        with(
            "groups = []\ngroups_separator = \";\"",
            &[
                "8:20: providers.a.claims.groups_separator: has no effect: there is no claim for groups",
            ],
        );
        with(
            "email = [\"mail\", \"mail\"]",
            &["7:18: providers.a.claims.email[1]: \"mail\" stands there twice"],
        );
        with(
            "email = 1",
            &[
                "7:9: providers.a.claims.email: must be a string, a table such as { claim = \"…\", steps = [\"trim\"] }, or an array of these, not a number",
            ],
        );
        with(
            "user_name = \"upn\"",
            &["7:1: providers.a.claims.user_name: unknown key; did you mean \"username\"?"],
        );
    }

    #[test]
    fn a_rule_about_addresses_needs_the_claim() {
        with(
            "email = []\n[users]\nmatch_by = \"email\"",
            &["7:9: providers.a.claims.email: is empty, but users.match_by is \"email\""],
        );
        with(
            "email = []\n[users]\nallowed_domains = [\"example.com\"]",
            &[
                "7:9: providers.a.claims.email: is empty, but users.allowed_domains asks for an address",
            ],
        );
        accepted(&text("username = []\n[users]\nmatch_by = \"email\""));
    }
}
