//! `[providers.claims]`

use crate::config::presets::PresetClaims;
use crate::config::problems::mistake;
use crate::config::reader::{At, Read, Section};
use crate::config::spec::Default::Unset;
use crate::config::spec::Shape::{OneOrMore as Paths, Text};
use crate::config::spec::{Table, key};
use crate::config::values::{OneOrMore, each_once};
use crate::config::{Claims, MatchBy, Users};

const PRESETS: &str = "the preset's";

pub(super) static TABLE: Table = Table {
    doc: "Where to find each fact: a claim's name or a dotted path. Of several, the first that is there wins.",
    keys: &[
        key(
            "username",
            Paths,
            Unset(PRESETS, r#""preferred_username""#),
            "The username.",
        ),
        key(
            "email",
            Paths,
            Unset(PRESETS, r#""email""#),
            "The e-mail address.",
        ),
        key(
            "display_name",
            Paths,
            Unset(PRESETS, r#""name""#),
            "The full name.",
        ),
        key(
            "first_name",
            Paths,
            Unset(PRESETS, r#""given_name""#),
            "The first name, for when there is no full one.",
        ),
        key(
            "last_name",
            Paths,
            Unset(PRESETS, r#""family_name""#),
            "The last name, for when there is no full one.",
        ),
        key(
            "groups",
            Paths,
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
    let username = paths(section, "username", preset.username);
    let email = paths(section, "email", preset.email);
    let display_name = paths(section, "display_name", preset.display_name);
    let first_name = paths(section, "first_name", preset.first_name);
    let last_name = paths(section, "last_name", preset.last_name);
    let groups = paths(section, "groups", preset.groups);
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
        display_name: display_name?,
        first_name: first_name?,
        last_name: last_name?,
        groups,
        groups_separator: Some(groups_separator).filter(|separator| !separator.is_empty()),
    })
}

fn paths(section: &Section<'_>, name: &'static str, preset: &[&str]) -> Read<Vec<String>> {
    let Some(OneOrMore(written)) = section.find(name)? else {
        return Ok(preset.iter().map(|&path| path.to_owned()).collect());
    };
    each_once(written, |path| match path {
        "" => Err(mistake(
            "the name of the claim is empty",
            format!("write {name} = [] for no claim at all, or remove the line for the preset's"),
        )),
        path => Ok(path.to_owned()),
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
                "7:9: providers.a.claims.email: must be a string or an array of strings, not a number",
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
