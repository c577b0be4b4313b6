//! `[access]`

use super::address::{is_within, plain_path};
use super::problems::{Mistake, mistake, quoted};
use super::reader::{At, Read, Section};
use super::spec::Default::{Required, Unset, Value};
use super::spec::Shape::{self, Flag, Text, Texts};
use super::spec::{Table, key};
use super::values::{Choice, Chosen, all, choices, each_once};
use super::{Access, AccessAction, AccessRule, ApiAccess, Kind, PathRule, Server, Upstream};
use crate::identity::GroupName;

pub(super) static TABLE: Table = Table {
    doc: "Who gets to what, beyond needing a session.",
    keys: &[
        key(
            "api",
            Shape::Choice(choices::<ApiAccess>),
            Value(r#""pass""#),
            "Whether git and REST calls with an Authorization header go to Bitbucket as they are, or are refused.",
        ),
        key(
            "allow_password_change",
            Flag,
            Value("false"),
            "Whether Bitbucket's own password pages may be opened.",
        ),
        key(
            "plugin_admin_groups",
            Texts,
            Value("[]"),
            "Groups that may reach the administration of plugins and apps. Empty: Bitbucket decides.",
        ),
        key(
            "rules",
            Shape::Tables(&RULE),
            Unset("none", ""),
            "Rules for single paths. The first whose path and method fit decides.",
        ),
    ],
};

static RULE: Table = Table {
    doc: "What happens to requests for a path.",
    keys: &[
        key(
            "path",
            Text,
            Required(r#""/status""#),
            "A path, or with /* at its end everything below it too. Relative to upstream.context_path.",
        ),
        key(
            "action",
            Shape::Choice(choices::<AccessAction>),
            Required(r#""anonymous""#),
            "Forward it for everybody, ask for a session, or refuse it.",
        ),
        key(
            "groups",
            Texts,
            Value("[]"),
            "With action sign_in: one of these groups is needed. Empty: any person.",
        ),
        key(
            "methods",
            Texts,
            Value("[]"),
            "The methods that the rule is for, in upper case. Empty: all.",
        ),
    ],
};

impl Choice for ApiAccess {
    const NAMES: &'static [(&'static str, Self)] = &[("pass", Self::Pass), ("deny", Self::Deny)];
}

impl Choice for AccessAction {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("anonymous", Self::Anonymous),
        ("sign_in", Self::SignIn),
        ("deny", Self::Deny),
    ];
}

pub(super) fn read(
    section: &Section<'_>,
    server: Option<&Server>,
    upstream: Option<&Upstream>,
) -> Read<Access> {
    let api = section.get::<Chosen<ApiAccess>>("api");
    let allow_password_change = section.get::<bool>("allow_password_change");
    let plugin_admin_groups = section.parse_each("plugin_admin_groups", group);
    let rules = rules(section, server, upstream);

    let (allow_password_change, plugin_admin_groups) =
        (allow_password_change?, plugin_admin_groups?);
    if upstream.is_some_and(|upstream| upstream.kind == Kind::Generic) {
        let why = "upstream.kind is \"generic\", which has no such pages";
        if allow_password_change {
            section.useless("allow_password_change", why)?;
        }
        if !plugin_admin_groups.is_empty() {
            section.useless("plugin_admin_groups", why)?;
        }
    }
    Ok(Access {
        api: api?.0,
        allow_password_change,
        plugin_admin_groups,
        rules: rules?,
    })
}

fn group(text: &str) -> Result<GroupName, Mistake> {
    GroupName::parse(text).map_err(|invalid| {
        mistake(
            format!("{} {invalid}", quoted(text)),
            "write the name of one group, as it comes from the provider",
        )
    })
}

fn rules(
    section: &Section<'_>,
    server: Option<&Server>,
    upstream: Option<&Upstream>,
) -> Read<Vec<AccessRule>> {
    let tables = section.tables("rules")?;
    let rules = all(tables.iter().map(|table| rule(table, server, upstream)))?;
    let mut result = Ok(());
    for (index, (later, table)) in rules.iter().zip(&tables).enumerate() {
        if let Some(earlier) = rules
            .iter()
            .take(index)
            .position(|rule| covers(rule, later))
        {
            result = Err(table.spot().problem(mistake(
                format!("never decides anything: access.rules[{earlier}] covers it"),
                "put the narrower rule first, or remove one of the two",
            )));
        }
    }
    result.map(|()| rules)
}

fn rule(
    section: &Section<'_>,
    server: Option<&Server>,
    upstream: Option<&Upstream>,
) -> Read<AccessRule> {
    let path = section
        .parse("path", path_rule)
        .and_then(|path| own_pages(section, path, server, upstream));
    let action = section
        .get::<Chosen<AccessAction>>("action")
        .map(|action| action.0);
    let groups = section.parse_each("groups", group);
    let methods = section
        .get::<Vec<At<'_, String>>>("methods")
        .and_then(|methods| each_once(methods, method));
    let groups = match (action, groups) {
        (Ok(AccessAction::Anonymous | AccessAction::Deny), Ok(groups)) if !groups.is_empty() => {
            section
                .useless("groups", "only action = \"sign_in\" asks who it is")
                .map(|()| groups)
        }
        (_, groups) => groups,
    };
    Ok(AccessRule {
        path: path?,
        action: action?,
        groups: groups?,
        methods: methods?,
    })
}

fn path_rule(text: &str) -> Result<PathRule, Mistake> {
    let (path, below) = match text.strip_suffix("/*") {
        Some(path) => (path, true),
        None => (text, false),
    };
    if path.contains('*') {
        return Err(mistake(
            format!("{} has a \"*\" in the middle", quoted(text)),
            "only \"/*\" at the end has a meaning: everything below",
        ));
    }
    // "/*" is everything.
    if !(below && path.is_empty()) {
        plain_path(path)?;
    }
    if below && path.ends_with('/') {
        return Err(mistake(
            format!("{} has an empty segment", quoted(text)),
            format!(
                "write {}",
                quoted(&format!("{}/*", path.trim_end_matches('/')))
            ),
        ));
    }
    Ok(match below {
        true => PathRule::Below(path.to_owned()),
        false => PathRule::Exact(path.to_owned()),
    })
}

/// A rule for the gateway's own pages would never be asked.
fn own_pages(
    section: &Section<'_>,
    rule: PathRule,
    server: Option<&Server>,
    upstream: Option<&Upstream>,
) -> Read<PathRule> {
    let (Some(server), Some(upstream)) = (server, upstream) else {
        return Ok(rule);
    };
    let (PathRule::Exact(path) | PathRule::Below(path)) = &rule;
    let path = format!("{}{path}", upstream.context_path);
    if is_within(&path, &server.prefix) {
        return Err(section.spot_of("path").problem(mistake(
            format!(
                "{} is under server.prefix, where no rule is asked",
                quoted(&path)
            ),
            "remove the rule; the gateway's own pages keep their own rules",
        )));
    }
    Ok(rule)
}

fn method(text: &str) -> Result<String, Mistake> {
    let upper = text.to_ascii_uppercase();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-') {
        return Err(mistake(
            format!("{} is not a method", quoted(text)),
            "for example \"GET\" or \"POST\"",
        ));
    }
    if text != upper {
        return Err(mistake(
            format!("{} is not in upper case; methods are", quoted(text)),
            format!("write \"{upper}\""),
        ));
    }
    Ok(upper)
}

/// Whether every request that `later` is for has been decided by `earlier`.
fn covers(earlier: &AccessRule, later: &AccessRule) -> bool {
    let path = match (&earlier.path, &later.path) {
        (PathRule::Exact(one), PathRule::Exact(other)) => one == other,
        (PathRule::Below(one), PathRule::Exact(other) | PathRule::Below(other)) => {
            is_within(other, one)
        }
        (PathRule::Exact(_), PathRule::Below(_)) => false,
    };
    let methods = earlier.methods.is_empty()
        || (!later.methods.is_empty()
            && later
                .methods
                .iter()
                .all(|method| earlier.methods.contains(method)));
    path && methods
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, refused};
    use crate::config::{AccessAction, ApiAccess, PathRule};

    #[track_caller]
    fn rule(lines: &str, expected: &[&str]) {
        refused(&format!("[[access.rules]]\n{lines}"), expected);
    }

    #[test]
    fn the_defaults_leave_it_to_bitbucket() {
        let access = accepted("").access;
        assert_eq!(access.api, ApiAccess::Pass);
        assert!(!access.allow_password_change);
        assert!(access.plugin_admin_groups.is_empty() && access.rules.is_empty());
    }

    #[test]
    fn a_rule_is_for_a_path_or_for_all_below_it() {
        let access = accepted("[[access.rules]]\npath = \"/status\"\naction = \"anonymous\"\nmethods = [\"GET\", \"HEAD\"]\n[[access.rules]]\npath = \"/plugins/*\"\naction = \"sign_in\"\ngroups = [\"admins\"]\n[[access.rules]]\npath = \"/*\"\naction = \"deny\"").access;
        assert_eq!(access.rules[0].path, PathRule::Exact("/status".into()));
        assert_eq!(access.rules[0].methods, ["GET", "HEAD"]);
        assert_eq!(access.rules[1].path, PathRule::Below("/plugins".into()));
        assert_eq!(access.rules[1].groups[0].as_str(), "admins");
        assert_eq!(access.rules[2].path, PathRule::Below(String::new()));
        assert_eq!(access.rules[2].action, AccessAction::Deny);
    }

    #[test]
    fn a_path_has_one_reading() {
        for (path, what) in [
            ("status", "\"status\" does not begin with \"/\""),
            ("", "\"\" does not begin with \"/\""),
            ("/a/*/b", "\"/a/*/b\" has a \"*\" in the middle"),
            ("/a*", "\"/a*\" has a \"*\" in the middle"),
            ("/a/../b", "\"/a/../b\" has an empty or dot segment"),
            ("/a//b", "\"/a//b\" has an empty or dot segment"),
            ("/a//*", "\"/a//*\" has an empty segment"),
            ("/a%2fb", "\"/a%2fb\" is not a plain path"),
            ("/a;b", "\"/a;b\" is not a plain path"),
            ("/a?b", "\"/a?b\" is not a plain path"),
            (
                "/sso/me",
                "\"/sso/me\" is under server.prefix, where no rule is asked",
            ),
        ] {
            rule(
                &format!("path = \"{path}\"\naction = \"deny\""),
                &[&format!("2:8: access.rules[0].path: {what}")],
            );
        }
    }

    #[test]
    fn a_rule_is_complete_and_its_parts_have_a_meaning() {
        rule(
            "",
            &[
                "1:1: access.rules[0].path: is missing",
                "1:1: access.rules[0].action: is missing",
            ],
        );
        rule(
            "path = \"/a\"\naction = \"allow\"",
            &["3:10: access.rules[0].action: unknown value \"allow\""],
        );
        rule(
            "path = \"/a\"\naction = \"sign-in\"",
            &["3:10: access.rules[0].action: unknown value \"sign-in\"; did you mean \"sign_in\"?"],
        );
        rule(
            "path = \"/a\"\naction = \"deny\"\ngroups = [\"admins\"]",
            &[
                "4:10: access.rules[0].groups: has no effect: only action = \"sign_in\" asks who it is",
            ],
        );
        rule(
            "path = \"/a\"\naction = \"deny\"\nmethods = [\"get\", \"\", \"PUT\", \"PUT\"]",
            &[
                "4:12: access.rules[0].methods[0]: \"get\" is not in upper case; methods are",
                "4:19: access.rules[0].methods[1]: \"\" is not a method",
                "4:30: access.rules[0].methods[3]: \"PUT\" stands there twice",
            ],
        );
        rule(
            "path = \"/a\"\naction = \"sign_in\"\ngroups = [\"a,b\"]",
            &["4:11: access.rules[0].groups[0]: \"a,b\" contains the character \",\""],
        );
        refused(
            "[access.rules]\npath = \"/a\"",
            &["1:1: access.rules: must be an array of tables, not a table"],
        );
    }

    #[test]
    fn a_rule_that_could_never_decide_is_refused() {
        rule(
            "path = \"/a/*\"\naction = \"deny\"\n[[access.rules]]\npath = \"/a/b\"\naction = \"sign_in\"",
            &["4:1: access.rules[1]: never decides anything: access.rules[0] covers it"],
        );
        rule(
            "path = \"/a\"\naction = \"deny\"\n[[access.rules]]\npath = \"/a\"\nmethods = [\"GET\"]\naction = \"deny\"",
            &["4:1: access.rules[1]: never decides anything: access.rules[0] covers it"],
        );
        accepted(
            "[[access.rules]]\npath = \"/a/b\"\naction = \"deny\"\n[[access.rules]]\npath = \"/a/*\"\naction = \"sign_in\"",
        );
        accepted(
            "[[access.rules]]\npath = \"/a\"\nmethods = [\"GET\"]\naction = \"deny\"\n[[access.rules]]\npath = \"/a\"\naction = \"sign_in\"",
        );
    }

    #[test]
    fn pages_that_only_bitbucket_has_need_bitbucket() {
        let upstream = "[upstream]\nurl = \"http://app:80\"\nkind = \"generic\"\n[access]\n";
        refused(
            &format!("{upstream}allow_password_change = true"),
            &[
                "5:25: access.allow_password_change: has no effect: upstream.kind is \"generic\", which has no such pages",
            ],
        );
        refused(
            &format!("{upstream}plugin_admin_groups = [\"a\"]"),
            &[
                "5:23: access.plugin_admin_groups: has no effect: upstream.kind is \"generic\", which has no such pages",
            ],
        );
        accepted(&format!("{upstream}allow_password_change = false"));
        refused(
            "[access]\nplugin_admin_groups = [\" a\"]\napi = \"allow\"",
            &[
                "2:24: access.plugin_admin_groups[0]: \" a\" begins or ends with white space",
                "3:7: access.api: unknown value \"allow\"",
            ],
        );
    }
}
