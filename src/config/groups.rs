//! `[groups]`

use super::problems::{Mistake, mistake, quoted};
use super::reader::{At, Read, Section};
use super::spec::Default::{Unset, Value};
use super::spec::Shape::{self, Flag, Texts};
use super::spec::{Table, key};
use super::steps::pattern;
use super::values::{Choice, Chosen, Lists, all, choices, each_once};
use super::{
    Admin, AssignDefault, GroupMode, Groups, Pattern, Provisioning, ProvisioningTarget, Users,
};
use crate::identity::GroupName;

pub(super) static TABLE: Table = Table {
    doc: "How the provider's groups become Bitbucket's.",
    keys: &[
        key(
            "mode",
            Shape::Choice(choices::<GroupMode>),
            Value(r#""off""#),
            "Not at all, by the map alone, or under their own names. Off: the gateway knows the provider's groups under their own names, and Bitbucket is told the default ones alone.",
        ),
        key(
            "default",
            Texts,
            Value("[]"),
            "Groups that people get besides, in every mode.",
        ),
        key(
            "assign_default_to",
            Shape::Choice(choices::<AssignDefault>),
            Value(r#""all""#),
            "Who gets them: everybody at every sign-in, whoever is made in Bitbucket, or nobody.",
        ),
        key(
            "update_existing",
            Flag,
            Value("true"),
            "Off: groups are set when a person is made, and never after.",
        ),
        key(
            "create_missing",
            Flag,
            Value("false"),
            "Whether groups that Bitbucket does not have are made.",
        ),
        key(
            "keep_existing",
            Flag,
            Value("true"),
            "Off: memberships that the provider does not name are removed: with a map those of its groups, on the fly all that exclude does not fit.",
        ),
        key(
            "exclude",
            Texts,
            Value("[]"),
            "Groups that are never added, removed, made or asserted. * is any text, ? one character, and case does not matter.",
        ),
        key(
            "require_mapped_group_to_create",
            Flag,
            Value("false"),
            "Make people only when the provider's groups give them one of Bitbucket's; the others are refused.",
        ),
        key(
            "map",
            Shape::Lists,
            Unset(
                "none",
                r#"{ "bitbucket-developers" = ["dev", "engineering"] }"#,
            ),
            "With mode manual: a group of Bitbucket, and the provider's groups of which one is enough.",
        ),
    ],
};

impl Choice for GroupMode {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("off", Self::Off),
        ("manual", Self::Manual),
        ("on_the_fly", Self::OnTheFly),
    ];
}

impl Choice for AssignDefault {
    const NAMES: &'static [(&'static str, Self)] =
        &[("all", Self::All), ("new", Self::New), ("none", Self::None)];
}

pub(super) fn read(
    section: &Section<'_>,
    users: Option<&Users>,
    provisioning: Option<&Provisioning>,
) -> Read<Groups> {
    let mode = section.get::<Chosen<GroupMode>>("mode");
    let assign_default_to = section.get::<Chosen<AssignDefault>>("assign_default_to");
    let update_existing = section.get::<bool>("update_existing");
    let create_missing = section.get::<bool>("create_missing");
    let keep_existing = section.get::<bool>("keep_existing");
    let require = section.get::<bool>("require_mapped_group_to_create");
    let exclude = section.parse_each("exclude", excluded);
    let known_exclude = exclude.as_deref().unwrap_or_default();
    let default = default(section, known_exclude);
    let map = map(section, known_exclude);

    let groups = Groups {
        mode: mode?.0,
        default: default?,
        assign_default_to: assign_default_to?.0,
        update_existing: update_existing?,
        create_missing: create_missing?,
        keep_existing: keep_existing?,
        exclude: exclude?,
        require_mapped_group_to_create: require?,
        map: map?,
    };
    effective(section, &groups, users, provisioning)?;
    Ok(groups)
}

/// Says of every setting that differs from its default whether it could ever take effect.
fn effective(
    section: &Section<'_>,
    groups: &Groups,
    users: Option<&Users>,
    provisioning: Option<&Provisioning>,
) -> Read<()> {
    const NOWHERE: &str =
        "provisioning.target is \"none\", so nobody's groups are written anywhere";
    const OFF: &str = "mode is \"off\", so the provider's groups do not become Bitbucket's";
    const NOTHING: &str = "mode is \"off\" and there is no default group";
    const NOBODY: &str = "users.create is false, so nobody is made";

    let off = groups.mode == GroupMode::Off;
    let nowhere = provisioning.is_some_and(|it| it.target == ProvisioningTarget::None);
    let nobody_made = users.is_some_and(|users| !users.create);
    let nothing_given = off && groups.default.is_empty();
    let assign = groups.assign_default_to;

    // The first reason that holds is said.
    let because = |reasons: &[(bool, &'static str)]| {
        let mut reasons = reasons.iter();
        reasons.find_map(|(holds, why)| holds.then_some(*why))
    };
    let checks = [
        (
            "map",
            groups.mode != GroupMode::Manual && section.says("map"),
            because(&[
                (off, "mode is \"off\""),
                (
                    true,
                    "mode is \"on_the_fly\", which keeps the names as they are",
                ),
            ]),
        ),
        (
            "assign_default_to",
            assign != AssignDefault::All,
            because(&[
                (groups.default.is_empty(), "there is no default group"),
                (assign == AssignDefault::New && nowhere, NOWHERE),
                (assign == AssignDefault::New && nobody_made, NOBODY),
            ]),
        ),
        (
            "default",
            !groups.default.is_empty(),
            because(&[(
                assign == AssignDefault::None,
                "assign_default_to is \"none\"",
            )]),
        ),
        (
            "update_existing",
            !groups.update_existing,
            because(&[
                (nowhere, NOWHERE),
                (nothing_given, NOTHING),
                (nobody_made, NOBODY),
            ]),
        ),
        (
            "create_missing",
            groups.create_missing,
            because(&[(nowhere, NOWHERE), (nothing_given, NOTHING)]),
        ),
        (
            "keep_existing",
            !groups.keep_existing,
            because(&[
                (nowhere, NOWHERE),
                (off, OFF),
                (!groups.update_existing, "update_existing is false"),
            ]),
        ),
        (
            "require_mapped_group_to_create",
            groups.require_mapped_group_to_create,
            because(&[(nowhere, NOWHERE), (off, OFF), (nobody_made, NOBODY)]),
        ),
    ];
    let useless = checks.into_iter().map(|(name, set, why)| match why {
        Some(why) if set => section.useless(name, why),
        _ => Ok(()),
    });
    let useless = all(useless);
    if groups.mode == GroupMode::Manual && groups.map.is_empty() {
        return Err(section.spot_of("mode").problem(mistake(
            "is \"manual\", but there is no map: no group of the provider would become one of \
             Bitbucket's",
            "add [groups.map] with lines such as \"bitbucket-developers\" = [\"dev\"]",
        )));
    }
    useless.map(drop)
}

fn default(section: &Section<'_>, exclude: &[Pattern]) -> Read<Vec<GroupName>> {
    let items = section.get::<Vec<At<'_, String>>>("default")?;
    let mut seen = Vec::with_capacity(items.len());
    all(items.iter().map(|item| group(item, &mut seen, exclude)))
}

fn map(section: &Section<'_>, exclude: &[Pattern]) -> Read<Vec<(GroupName, Vec<String>)>> {
    let Some(Lists(entries)) = section.find("map")? else {
        return Ok(Vec::new());
    };
    let mut seen = Vec::with_capacity(entries.len());
    all(entries.into_iter().map(|(name, from)| {
        let group = group(&name, &mut seen, exclude);
        if from.is_empty() {
            return Err(name.spot.problem(mistake(
                "no group of the provider is named",
                "name at least one, or remove the line; to everybody goes what is in default",
            )));
        }
        let from = each_once(from, |text| match text.trim() {
            "" => Err(mistake(
                "the name of the group is empty",
                "write it as the provider sends it",
            )),
            _ => Ok(text.to_owned()),
        });
        Ok((group?, from?))
    }))
}

/// One of Bitbucket's groups. `seen` holds the earlier ones as Bitbucket compares them.
fn group(
    item: &At<'_, String>,
    seen: &mut Vec<(String, String)>,
    exclude: &[Pattern],
) -> Read<GroupName> {
    let group = item.check(|text| {
        GroupName::parse(text).map_err(|invalid| {
            mistake(
                format!("{} {invalid}", quoted(text)),
                "write the name of one group of Bitbucket",
            )
        })
    })?;
    let folded = group.as_str().to_lowercase();
    if let Some((_, other)) = seen.iter().find(|(taken, _)| *taken == folded) {
        let what = match other == group.as_str() {
            true => format!("{} stands there twice", quoted(other)),
            false => format!(
                "{} is the same group as {}: Bitbucket does not tell upper and lower case apart",
                quoted(group.as_str()),
                quoted(other)
            ),
        };
        return Err(item.spot.problem(mistake(what, "make them one")));
    }
    seen.push((folded, group.as_str().to_owned()));
    if let Some(pattern) = exclude.iter().find(|pattern| pattern.fits(group.as_str())) {
        return Err(item.spot.problem(mistake(
            format!(
                "{} would never be given: groups.exclude has {}, which fits it",
                quoted(group.as_str()),
                quoted(pattern.as_str())
            ),
            "remove it here, or make groups.exclude fit less",
        )));
    }
    Ok(group)
}

fn excluded(text: &str) -> Result<Pattern, Mistake> {
    if !text.is_empty() && text.chars().all(|c| c == '*') {
        return Err(mistake(
            format!("{} fits every group", quoted(text)),
            "for no groups at all, leave mode = \"off\" and default = []",
        ));
    }
    pattern(text)
}

/// Says of the administrators' groups whether anybody could be in them.
pub(super) fn reach(groups: &Groups, section: &Section<'_>, admins: &Admin) {
    // Nobody asked for the default ones, and to leave these to Bitbucket is wise.
    if !section.says("groups") {
        return;
    }
    for admin in &admins.groups {
        let fits = |pattern: &&Pattern| pattern.fits(admin.as_str());
        if let Some(pattern) = groups.exclude.iter().find(fits) {
            section.spot_of("groups").warn(format_args!(
                "no sign-in puts anybody into {}: groups.exclude has {}, which fits it",
                quoted(admin.as_str()),
                quoted(pattern.as_str())
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, refused, warned};
    use crate::config::{AssignDefault, GroupMode, Groups};

    const BITBUCKET: &str =
        "[provisioning]\ntarget = \"bitbucket\"\nbitbucket = { token = \"t\" }\n";

    /// With provisioning, which takes three lines and the table's head a fourth.
    #[track_caller]
    fn with(lines: &str, expected: &[&str]) {
        refused(&format!("{BITBUCKET}[groups]\n{lines}"), expected);
    }

    #[track_caller]
    fn takes(lines: &str) -> Groups {
        accepted(&format!("{BITBUCKET}[groups]\n{lines}")).groups
    }

    #[test]
    fn an_empty_file_has_the_defaults_of_the_type() {
        assert_eq!(accepted("").groups, Groups::default());
        assert_eq!(accepted("[groups]").groups, Groups::default());
    }

    #[test]
    fn everything_together_is_read() {
        let groups = takes(
            "mode = \"manual\"\ndefault = [\"stash-users\"]\nassign_default_to = \"new\"\ncreate_missing = true\nkeep_existing = false\nexclude = [\"*-admins\", \"sys?\"]\nrequire_mapped_group_to_create = true\n[groups.map]\ndevelopers = \"dev\"\n\"all staff\" = [\"dev\", \"cn=ops,ou=groups\"]",
        );
        assert_eq!(groups.mode, GroupMode::Manual);
        assert_eq!(groups.default[0].as_str(), "stash-users");
        assert_eq!(groups.assign_default_to, AssignDefault::New);
        assert!(groups.create_missing && !groups.keep_existing && groups.update_existing);
        assert!(groups.exclude[0].fits("Bitbucket-Admins"));
        let map: Vec<_> = groups
            .map
            .iter()
            .map(|(group, from)| (group.as_str(), from.join("+")))
            .collect();
        assert_eq!(
            map,
            [
                ("all staff", "dev+cn=ops,ou=groups".to_owned()),
                ("developers", "dev".to_owned())
            ]
        );
    }

    #[test]
    fn a_map_has_groups_on_both_sides() {
        with(
            "mode = \"manual\"\n[groups.map]\na = []",
            &["7:1: groups.map.a: no group of the provider is named"],
        );
        with(
            "mode = \"manual\"\n[groups.map]\na = [\"x\", \" \", \"x\"]",
            &[
                "7:11: groups.map.a[1]: the name of the group is empty",
                "7:16: groups.map.a[2]: \"x\" stands there twice",
            ],
        );
        with(
            "mode = \"manual\"\n[groups.map]\n\"a,b\" = \"x\"",
            &["7:1: groups.map.\"a,b\": \"a,b\" contains the character \",\""],
        );
        with(
            "mode = \"manual\"\n[groups.map]\n\" c\" = 1",
            &["7:8: groups.map.\" c\": must be a string or an array of strings, not a number"],
        );
        with(
            "mode = \"manual\"\n[groups.map]\nteam.dev = \"x\"",
            &["7:1: groups.map.team: must be a string or an array of strings, not a table"],
        );
        with(
            "mode = \"manual\"\nmap = [\"a\"]",
            &["6:7: groups.map: must be a table of strings or arrays of strings, not an array"],
        );
    }

    #[test]
    fn a_group_of_bitbucket_stands_there_once_however_it_is_spelt() {
        with(
            "mode = \"manual\"\n[groups.map]\nDev = \"x\"\ndev = \"y\"",
            &[
                "8:1: groups.map.dev: \"dev\" is the same group as \"Dev\": Bitbucket does not tell upper and lower case apart",
            ],
        );
        with(
            "default = [\"users\", \"users\", \"USERS\", \"\"]",
            &[
                "5:21: groups.default[1]: \"users\" stands there twice",
                "5:30: groups.default[2]: \"USERS\" is the same group as \"users\": Bitbucket does not tell upper and lower case apart",
                "5:39: groups.default[3]: \"\" is empty",
            ],
        );
    }

    #[test]
    fn an_excluded_group_is_given_to_nobody() {
        with(
            "mode = \"manual\"\ndefault = [\"Stash-Users\"]\nexclude = [\"stash-*\"]\nmap = { stash-x = \"x\" }",
            &[
                "6:12: groups.default[0]: \"Stash-Users\" would never be given: groups.exclude has \"stash-*\", which fits it",
                "8:9: groups.map.stash-x: \"stash-x\" would never be given: groups.exclude has \"stash-*\", which fits it",
            ],
        );
        with(
            "exclude = [\"\", \"**\", \"a\", \"a\"]",
            &[
                "5:12: groups.exclude[0]: is empty",
                "5:16: groups.exclude[1]: \"**\" fits every group",
                "5:27: groups.exclude[3]: \"a\" stands there twice",
            ],
        );
    }

    #[test]
    fn a_manual_map_is_a_map() {
        with(
            "mode = \"manual\"",
            &[
                "5:8: groups.mode: is \"manual\", but there is no map: no group of the provider would become one of Bitbucket's",
            ],
        );
        with(
            "mode = \"automatic\"\nassign_default_to = \"everybody\"",
            &[
                "5:8: groups.mode: unknown value \"automatic\"",
                "6:21: groups.assign_default_to: unknown value \"everybody\"",
            ],
        );
    }

    #[test]
    fn what_could_never_take_effect_is_refused() {
        with(
            "map = { a = \"x\" }",
            &["5:7: groups.map: has no effect: mode is \"off\""],
        );
        with(
            "mode = \"on_the_fly\"\nmap = { a = \"x\" }",
            &[
                "6:7: groups.map: has no effect: mode is \"on_the_fly\", which keeps the names as they are",
            ],
        );
        with(
            "assign_default_to = \"new\"",
            &["5:21: groups.assign_default_to: has no effect: there is no default group"],
        );
        with(
            "default = [\"a\"]\nassign_default_to = \"none\"",
            &["5:11: groups.default: has no effect: assign_default_to is \"none\""],
        );
        let off = "mode is \"off\" and there is no default group";
        with(
            "update_existing = false\ncreate_missing = true",
            &[
                &format!("5:19: groups.update_existing: has no effect: {off}"),
                &format!("6:18: groups.create_missing: has no effect: {off}"),
            ],
        );
        let off = "mode is \"off\", so the provider's groups do not become Bitbucket's";
        with(
            "default = [\"a\"]\nkeep_existing = false\nrequire_mapped_group_to_create = true",
            &[
                &format!("6:17: groups.keep_existing: has no effect: {off}"),
                &format!("7:34: groups.require_mapped_group_to_create: has no effect: {off}"),
            ],
        );
        with(
            "mode = \"on_the_fly\"\nupdate_existing = false\nkeep_existing = false",
            &["7:17: groups.keep_existing: has no effect: update_existing is false"],
        );
        takes("default = [\"a\"]\nupdate_existing = false\ncreate_missing = true");
        takes("mode = \"on_the_fly\"\nkeep_existing = false");
    }

    #[test]
    fn without_provisioning_nothing_is_written() {
        let nowhere = "provisioning.target is \"none\", so nobody's groups are written anywhere";
        refused(
            "[groups]\nmode = \"on_the_fly\"\nkeep_existing = false\ncreate_missing = true\nupdate_existing = false\nrequire_mapped_group_to_create = true\ndefault = [\"a\"]\nassign_default_to = \"new\"",
            &[
                &format!("3:17: groups.keep_existing: has no effect: {nowhere}"),
                &format!("4:18: groups.create_missing: has no effect: {nowhere}"),
                &format!("5:19: groups.update_existing: has no effect: {nowhere}"),
                &format!("6:34: groups.require_mapped_group_to_create: has no effect: {nowhere}"),
                &format!("8:21: groups.assign_default_to: has no effect: {nowhere}"),
            ],
        );
        // The gateway itself still knows them: for headers and access rules.
        accepted("[groups]\nmode = \"manual\"\ndefault = [\"a\"]\nmap = { b = \"x\" }");
        accepted("[groups]\nexclude = [\"x\"]\nkeep_existing = true\ncreate_missing = false");
    }

    #[test]
    fn nobody_is_made_where_people_are_not_made() {
        let users = "[users]\ncreate = false\n";
        let nobody = "users.create is false, so nobody is made";
        with(
            &format!(
                "mode = \"on_the_fly\"\ndefault = [\"a\"]\nassign_default_to = \"new\"\nupdate_existing = false\nrequire_mapped_group_to_create = true\n{users}"
            ),
            &[
                &format!("7:21: groups.assign_default_to: has no effect: {nobody}"),
                &format!("8:19: groups.update_existing: has no effect: {nobody}"),
                &format!("9:34: groups.require_mapped_group_to_create: has no effect: {nobody}"),
            ],
        );
    }

    #[test]
    fn administrators_that_nobody_can_become_are_warned_about() {
        warned("[groups]\nexclude = [\"*admin*\"]", &[]);
        warned(
            "[groups]\nexclude = [\"*admin*\"]\n[admin]\ngroups = [\"Admins\", \"ops\"]",
            &[
                "admin.groups: no sign-in puts anybody into \"Admins\": groups.exclude has \"*admin*\", which fits it",
            ],
        );
    }
}
