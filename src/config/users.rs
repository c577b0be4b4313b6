//! `[users]`

use super::problems::{mistake, quoted};
use super::reader::{Read, Section};
use super::spec::Default::Value;
use super::spec::Shape::{self, Flag, Texts};
use super::spec::{Table, key};
use super::values::{Choice, Chosen, choices};
use super::{MatchBy, UsernameCase, Users};
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
    ],
};

impl Choice for MatchBy {
    const NAMES: &'static [(&'static str, Self)] =
        &[("username", Self::Username), ("email", Self::Email)];
}

impl Choice for UsernameCase {
    const NAMES: &'static [(&'static str, Self)] = &[("lower", Self::Lower), ("keep", Self::Keep)];
}

pub(super) fn read(section: &Section<'_>) -> Read<Users> {
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

    let (match_by, require_verified_email) = (match_by?.0, require_verified_email?);
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
    })
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
    fn a_key_of_a_behaviour_that_does_not_exist_is_unknown() {
        refused(
            "[users]\ncreate = true",
            &["2:1: users.create: unknown key"],
        );
        refused(
            "[users]\nupdate_profile = true",
            &["2:1: users.update_profile: unknown key"],
        );
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
