//! `[[access.rules]]`: the first rule whose path and method fit decides.

use crate::config::{AccessAction, AccessRule, PathRule};
use crate::sanitize;
use http::Method;

/// The rules in their order, with paths written as the readings of a request are.
#[derive(Debug)]
pub(super) struct Rules(Vec<AccessRule>);

impl Rules {
    pub(super) fn new(rules: &[AccessRule]) -> Self {
        Self(rules.iter().cloned().map(normalized).collect())
    }

    /// The rule for a path. A server that ignores a trailing slash must not be the way around a
    /// refusal, so the rule for the path without one decides if it is the narrower one.
    pub(super) fn find(&self, path: &str, method: &Method) -> Option<&AccessRule> {
        let rule = self.first(path, method);
        let bare = path.trim_end_matches('/');
        if bare.len() == path.len() || bare.is_empty() {
            return rule;
        }
        let bare = self.first(bare, method);
        match (rule, bare) {
            (Some(rule), Some(bare)) if narrowness(bare) > narrowness(rule).max(1) => Some(bare),
            (None, Some(bare)) if narrowness(bare) > 0 => Some(bare),
            _ => rule,
        }
    }

    fn first(&self, path: &str, method: &Method) -> Option<&AccessRule> {
        self.0
            .iter()
            .find(|rule| covers(&rule.path, path) && names(rule, method))
    }
}

fn normalized(mut rule: AccessRule) -> AccessRule {
    rule.path = match rule.path {
        PathRule::Exact(path) => PathRule::Exact(sanitize::literal(&path)),
        PathRule::Below(path) => PathRule::Below(sanitize::literal(path.trim_end_matches('/'))),
    };
    rule
}

fn covers(rule: &PathRule, path: &str) -> bool {
    match rule {
        PathRule::Exact(exact) => path == exact,
        PathRule::Below(folder) => path
            .strip_prefix(folder.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
    }
}

/// `HEAD` is `GET` without the body (RFC 9110 §9.3.2), so a rule for `GET` is one for both.
fn names(rule: &AccessRule, method: &Method) -> bool {
    let names = |method: &Method| rule.methods.iter().any(|name| name == method.as_str());
    rule.methods.is_empty() || names(method) || (method == Method::HEAD && names(&Method::GET))
}

fn narrowness(rule: &AccessRule) -> u8 {
    match rule.action {
        AccessAction::Anonymous => 0,
        AccessAction::SignIn if rule.groups.is_empty() => 1,
        AccessAction::SignIn => 2,
        AccessAction::Deny => 3,
    }
}
