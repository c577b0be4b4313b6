//! `[admin]`

use super::Admin;
use super::problems::{mistake, quoted};
use super::reader::{Read, Section};
use super::spec::Default::Value;
use super::spec::Shape::Texts;
use super::spec::{Table, key};
use crate::identity::GroupName;

pub(super) static TABLE: Table = Table {
    doc: "Who administers the gateway.",
    keys: &[key(
        "groups",
        Texts,
        Value(r#"["bitbucket-admins"]"#),
        "Groups whose members may open the console and the test pages, as the sign-in decides groups. Empty: only the backdoor's sessions and one-time addresses.",
    )],
};

pub(super) fn read(section: &Section<'_>) -> Read<Admin> {
    let groups = section.parse_each("groups", |text| {
        GroupName::parse(text).map_err(|invalid| {
            mistake(
                format!("{} {invalid}", quoted(text)),
                "write the name of one group",
            )
        })
    });
    Ok(Admin { groups: groups? })
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, refused};

    #[test]
    fn administrators_are_in_a_group() {
        let groups = |text: &str| accepted(text).admin.groups;
        assert_eq!(groups("")[0].as_str(), "bitbucket-admins");
        assert_eq!(groups("[admin]\ngroups = [\"sre\", \"ops\"]").len(), 2);
        assert!(groups("[admin]\ngroups = []").is_empty());
    }

    #[test]
    fn a_group_is_one() {
        refused(
            "[admin]\ngroups = [\"a,b\", \"\", \"ops\", \"ops\"]",
            &[
                "2:11: admin.groups[0]: \"a,b\" contains the character \",\"",
                "2:18: admin.groups[1]: \"\" is empty",
                "2:29: admin.groups[3]: \"ops\" stands there twice",
            ],
        );
        refused(
            "[admin]\ngroup = [\"ops\"]",
            &["2:1: admin.group: unknown key; did you mean \"groups\"?"],
        );
        refused(
            "[admin]\ngroups = \"ops\"",
            &["2:10: admin.groups: must be an array, not a string"],
        );
    }
}
