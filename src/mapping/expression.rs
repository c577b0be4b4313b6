//! JMESPath over claims. The configuration refuses expressions that could do harm; here their results
//! are bounded and read back.

use super::steps::MOST_BYTES;
use crate::config::JmesPath;
use jmespath::ast::Ast;
use jmespath::{Rcvar, ToJmespath, Variable};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Deeper results are no facts about a person.
const MOST_DEPTH: usize = 32;

/// Claims as the library wants them.
pub(super) fn variable(claims: &Map<String, Value>) -> Result<Rcvar, String> {
    claims
        .to_jmespath()
        .map_err(|error| error.reason.to_string())
}

/// What an expression finds; `null`: nothing.
pub(super) fn search(expression: &JmesPath, claims: &Rcvar) -> Result<Value, String> {
    let compiled = expression.compiled();
    let mut context = jmespath::Context::new(expression.as_str(), &jmespath::DEFAULT_RUNTIME);
    let found = jmespath::interpret(claims, compiled.as_ast(), &mut context)
        .map_err(|error| error.reason.to_string().trim().to_owned())?;
    let mut room = MOST_BYTES;
    value(&found, MOST_DEPTH, &mut room)
}

/// Back to JSON. The library shares what repeats; written out, it may be larger than what it has.
fn value(variable: &Variable, depth: usize, room: &mut usize) -> Result<Value, String> {
    let depth = depth
        .checked_sub(1)
        .ok_or("the result is nested too deeply")?;
    let mut take = |bytes: usize| -> Result<(), String> {
        *room = room
            .checked_sub(bytes.saturating_add(8))
            .ok_or("the result is too large")?;
        Ok(())
    };
    Ok(match variable {
        Variable::Null => Value::Null,
        Variable::Bool(is) => Value::Bool(*is),
        Variable::Number(number) => {
            take(0)?;
            Value::Number(number.clone())
        }
        Variable::String(text) => {
            take(text.len())?;
            Value::String(text.clone())
        }
        Variable::Array(items) => {
            take(items.len())?;
            let items: Result<_, String> =
                items.iter().map(|item| value(item, depth, room)).collect();
            Value::Array(items?)
        }
        Variable::Object(members) => {
            let names: usize = members.keys().map(String::len).sum();
            take(names)?;
            let members: Result<Map<_, _>, String> = members
                .iter()
                .map(|(name, member)| Ok((name.clone(), value(member, depth, room)?)))
                .collect();
            Value::Object(members?)
        }
        Variable::Expref(_) => return Err("the result is an expression".to_owned()),
    })
}

/// The names of the members that an expression may hand out: the last one of each of its paths.
pub(super) fn ends(ast: &Ast) -> BTreeSet<String> {
    let all = |all: &[&Ast]| all.iter().flat_map(|ast| ends(ast)).collect();
    match ast {
        Ast::Field { name, .. } => BTreeSet::from([name.clone()]),
        Ast::Subexpr { lhs, rhs, .. } | Ast::Projection { lhs, rhs, .. } => {
            let last = ends(rhs);
            if last.is_empty() { ends(lhs) } else { last }
        }
        Ast::Expref { ast: node, .. }
        | Ast::Flatten { node, .. }
        | Ast::ObjectValues { node, .. }
        | Ast::Condition { then: node, .. } => ends(node),
        Ast::And { lhs, rhs, .. } | Ast::Or { lhs, rhs, .. } => all(&[lhs, rhs]),
        Ast::Function { args, .. } => all(&args.iter().collect::<Vec<_>>()),
        Ast::MultiList { elements, .. } => all(&elements.iter().collect::<Vec<_>>()),
        Ast::MultiHash { elements, .. } => {
            all(&elements.iter().map(|pair| &pair.value).collect::<Vec<_>>())
        }
        Ast::Identity { .. }
        | Ast::Index { .. }
        | Ast::Slice { .. }
        | Ast::Literal { .. }
        | Ast::Not { .. }
        | Ast::Comparison { .. } => BTreeSet::new(),
    }
}
