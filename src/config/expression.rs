//! What a JMESPath expression must not do, whatever the claims are: run for ever, fill the memory, or
//! come to one of the places where the library panics.
//!
//! It is judged once, when the configuration is read, so that nothing has to be guarded while
//! somebody waits to be signed in.

use jmespath::ast::Ast;

/// Longer expressions are programs.
const MOST_CHARS: usize = 1000;
/// Characters that open something. The parser and the interpreter call themselves for each.
const MOST_OPENED: usize = 50;
/// How deep the parsed expression may be; a chain of names and operators is deep, too.
const DEEPEST: usize = 100;
/// The largest number in an index or a slice: the library adds to it without looking.
const LARGEST_INDEX: i32 = 1_000_000;
/// How many times larger than the claims a result, or anything on the way to it, may become.
const MOST_GROWTH: u64 = 500;

/// Looks at the text, before anything is parsed.
pub(super) fn text(text: &str) -> Result<(), String> {
    if text.chars().nth(MOST_CHARS).is_some() {
        return Err(format!("it is longer than {MOST_CHARS} characters"));
    }
    let opened = text.chars().filter(|c| "([{!&*".contains(*c)).count();
    if opened > MOST_OPENED {
        return Err(format!("more than {MOST_OPENED} brackets and operators"));
    }
    Ok(())
}

/// Looks at the parsed expression.
pub(super) fn tree(ast: &Ast) -> Result<(), String> {
    if is_deeper(ast, DEEPEST) {
        return Err(format!("it is more than {DEEPEST} parts deep"));
    }
    // Literals are shared, not copied, unless they become text.
    let copies = calls(ast, "join") || calls(ast, "to_string");
    let growth = Growth::of(ast, copies)?;
    if growth.times > MOST_GROWTH || growth.plus > 1_000_000 {
        return Err("its result could become far larger than the claims".to_owned());
    }
    Ok(())
}

/// A result is at most `times` as large as what it is made of, and `plus` beyond that. Time is
/// counted with it: what is thrown away in the end is not subtracted.
#[derive(Debug, Clone, Copy, Default)]
struct Growth {
    times: u64,
    plus: u64,
}

impl Growth {
    const SAME: Self = Self { times: 1, plus: 0 };

    fn of(ast: &Ast, copies: bool) -> Result<Self, String> {
        let of = |ast: &Ast| Self::of(ast, copies);
        let sum = |all: &[&Ast]| -> Result<Self, String> {
            all.iter()
                .try_fold(Self { times: 0, plus: 1 }, |sum, ast| Ok(sum.and(of(ast)?)))
        };
        match ast {
            Ast::Identity { .. } | Ast::Field { .. } => Ok(Self::SAME),
            Ast::Index { idx, .. } => small(&[Some(*idx)]).map(|()| Self::SAME),
            Ast::Slice {
                start, stop, step, ..
            } => small(&[*start, *stop, Some(*step)]).map(|()| Self::SAME),
            Ast::Literal { value, .. } => Ok(Self {
                times: 0,
                plus: if copies {
                    value.to_string().len() as u64
                } else {
                    1
                },
            }),
            Ast::Expref { ast: node, .. }
            | Ast::Flatten { node, .. }
            | Ast::ObjectValues { node, .. }
            | Ast::Not { node, .. } => of(node),
            Ast::Comparison { lhs, rhs, .. }
            | Ast::And { lhs, rhs, .. }
            | Ast::Or { lhs, rhs, .. }
            | Ast::Condition {
                predicate: lhs,
                then: rhs,
                ..
            } => sum(&[lhs, rhs]),
            Ast::Subexpr { lhs, rhs, .. } => Ok(of(lhs)?.then(of(rhs)?)),
            Ast::Projection { lhs, rhs, .. } => Ok(of(lhs)?.each(of(rhs)?)),
            Ast::MultiList { elements, .. } => sum(&elements.iter().collect::<Vec<_>>()),
            Ast::MultiHash { elements, .. } => {
                let values: Vec<&Ast> = elements.iter().map(|pair| &pair.value).collect();
                let names: usize = elements.iter().map(|pair| pair.key.len()).sum();
                Ok(sum(&values)?.and(Self {
                    times: 0,
                    plus: names as u64,
                }))
            }
            Ast::Function { name, args, .. } => {
                let args: Vec<&Ast> = args.iter().collect();
                match (name.as_str(), args.as_slice()) {
                    // What stands between the texts is repeated for every text.
                    ("join", [Ast::Literal { value, .. }, texts]) => {
                        Ok(of(texts)?.scaled(value.to_string().len() as u64))
                    }
                    ("join", _) => Err(
                        "what join puts between texts must be written in the expression".to_owned(),
                    ),
                    // A control character takes six in JSON, and there are quotes.
                    ("to_string", _) => Ok(sum(&args)?.scaled(8)),
                    ("map", [each, list]) => Ok(of(list)?.each(of(each)?)),
                    // They panic on an empty list.
                    ("min_by" | "max_by", _) => Err(format!(
                        "{name} is not supported; sort_by(…)[0] and sort_by(…)[-1] are"
                    )),
                    _ if jmespath::DEFAULT_RUNTIME.get_function(name).is_none() => {
                        Err(format!("there is no function \"{name}\""))
                    }
                    _ => sum(&args),
                }
            }
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            times: self.times.saturating_add(other.times),
            plus: self.plus.saturating_add(other.plus),
        }
    }

    fn scaled(self, by: u64) -> Self {
        Self {
            times: self.times.saturating_mul(by),
            plus: self.plus.saturating_mul(by).saturating_add(by),
        }
    }

    /// The result of `self` goes through `next`.
    fn then(self, next: Self) -> Self {
        Self {
            times: self.times.saturating_mul(next.times),
            plus: next
                .times
                .saturating_mul(self.plus)
                .saturating_add(next.plus),
        }
        // Whatever `next` makes of it, making it took time.
        .at_least(self)
    }

    /// Every element of the result of `self` goes through `next`.
    fn each(self, next: Self) -> Self {
        let each = next.times.saturating_add(next.plus);
        Self {
            times: self.times.saturating_mul(each),
            plus: self.plus.saturating_mul(each),
        }
        .at_least(self)
    }

    fn at_least(self, other: Self) -> Self {
        Self {
            times: self.times.max(other.times),
            plus: self.plus.max(other.plus),
        }
    }
}

fn small(numbers: &[Option<i32>]) -> Result<(), String> {
    let range = -LARGEST_INDEX..=LARGEST_INDEX;
    match numbers.iter().flatten().find(|n| !range.contains(n)) {
        Some(number) => Err(format!("the index {number} is too large")),
        None => Ok(()),
    }
}

/// Whether a function is called anywhere.
fn calls(ast: &Ast, function: &str) -> bool {
    matches!(ast, Ast::Function { name, .. } if name == function)
        || parts(ast).into_iter().any(|part| calls(part, function))
}

/// Whether it is more than this deep. It goes no deeper itself.
fn is_deeper(ast: &Ast, limit: usize) -> bool {
    match limit.checked_sub(1) {
        None => true,
        Some(limit) => parts(ast).into_iter().any(|part| is_deeper(part, limit)),
    }
}

/// What an expression is made of.
fn parts(ast: &Ast) -> Vec<&Ast> {
    match ast {
        Ast::Identity { .. }
        | Ast::Field { .. }
        | Ast::Index { .. }
        | Ast::Slice { .. }
        | Ast::Literal { .. } => Vec::new(),
        Ast::Expref { ast: node, .. }
        | Ast::Flatten { node, .. }
        | Ast::ObjectValues { node, .. }
        | Ast::Not { node, .. } => vec![node],
        Ast::Comparison { lhs, rhs, .. }
        | Ast::And { lhs, rhs, .. }
        | Ast::Or { lhs, rhs, .. }
        | Ast::Subexpr { lhs, rhs, .. }
        | Ast::Projection { lhs, rhs, .. }
        | Ast::Condition {
            predicate: lhs,
            then: rhs,
            ..
        } => vec![lhs, rhs],
        Ast::Function { args: all, .. } | Ast::MultiList { elements: all, .. } => {
            all.iter().collect()
        }
        Ast::MultiHash { elements, .. } => elements.iter().map(|pair| &pair.value).collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::JmesPath;

    #[test]
    fn usual_expressions_are_fine() {
        for text in [
            "preferred_username || login",
            "emails[?primary].address | [0]",
            "groups[?starts_with(@, 'bitbucket-')]",
            "contains(groups[*], 'admin') && 'Admin' || contains(groups[*], 'editor') && 'Editor' || 'Viewer'",
            "resource_access.*.roles[]",
            "join('.', [given_name, family_name])",
            "sort_by(groups, &name)[0].name",
            "map(&to_string(@), ids)",
            "not_null(roles, keys(permissions))[0:20]",
            "{name: name, groups: groups[?type == 'team'].path}.groups",
        ] {
            assert!(
                JmesPath::parse(text).is_ok(),
                "{text}: {:?}",
                JmesPath::parse(text)
            );
        }
    }

    #[test]
    fn an_expression_that_could_panic_hang_or_grow_is_refused() {
        for (text, why) in [
            ("groups[1::2147483647]", "too large"),
            ("groups[-2147483647]", "too large"),
            ("min_by(groups, &name)", "not supported"),
            ("max_by(groups, &name)", "not supported"),
            ("join(name, groups)", "join"),
            ("lower(name)", "no function"),
            (&format!("@{}", " | [@, @][]".repeat(16)), "larger"),
            (&format!("@{}", " | to_string([@])".repeat(12)), "larger"),
            (
                &format!("groups[].[@, '{}'] | to_string(@)", "x".repeat(500)),
                "larger",
            ),
            (&"(".repeat(51), "more than"),
            (&format!("a{}", ".a".repeat(100)), "deep"),
            (&"a.".repeat(501), "longer"),
        ] {
            let refused = JmesPath::parse(text).unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }
}
