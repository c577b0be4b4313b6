//! A report for a terminal: aligned, without colours, and without anything of the claims that a
//! terminal would obey.

use super::rows::{cut, short};
use super::{Finding, Outcome, Report};
use crate::mapping::{Fact, GroupFate, visible};
use serde_json::Value;

/// Longer cells are cut, except in the last column.
const MOST_CELL: usize = 40;
/// The last column's end.
const MOST_LAST: usize = 100;

pub(super) fn report(report: &Report) -> String {
    let mut out = Out(String::new());
    out.line(
        0,
        &format!("Provider \"{}\": who these claims become", report.provider),
    );
    match (&report.issuer, &report.subject) {
        (Some(issuer), Some(subject)) => {
            out.line(0, &format!("Verified: issuer {issuer}, subject {subject}"));
        }
        _ => out.line(
            0,
            "Nothing was verified and nothing was asked: claims from a file",
        ),
    }

    out.heading("Claims");
    let mut rows = vec![
        ["NAME", "SOURCE", "KIND", "USED FOR", "VALUE"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(report.claims.iter().map(|row| {
        vec![
            row.name.clone(),
            row.source.unwrap_or("file").to_owned(),
            row.kind.to_owned(),
            row.used_for.join(", "),
            row.value.clone(),
        ]
    }));
    out.table(&rows);

    out.heading("Mappings");
    for fact in &report.examined.facts {
        out.fact(fact);
    }

    out.heading("Groups");
    out.groups(&report.examined.groups);

    out.heading("Result");
    match &report.person {
        Some(person) => out.person(person),
        None => out.line(1, "nobody: a rule refuses"),
    }

    let live = &report.live;
    if live.pin.is_some() || live.account.is_some() || live.plan.is_some() {
        out.heading("In force");
        for line in live.pin.iter().chain(&live.account) {
            out.line(1, line);
        }
        if let Some(plan) = &live.plan {
            if plan.is_empty() {
                out.line(1, "nothing would be changed");
            }
            for decision in &plan.decisions {
                out.line(1, decision);
            }
        }
    }

    out.heading("Problems");
    if report.problems.is_empty() {
        out.line(1, "none");
    }
    for problem in &report.problems {
        out.problem(problem);
    }
    out.0
}

struct Out(String);

impl Out {
    /// A line of its own. Whatever it is made of, it stays one.
    fn line(&mut self, depth: usize, text: &str) {
        self.0.push_str(&"  ".repeat(depth));
        self.0.push_str(visible(text).trim_end());
        self.0.push('\n');
    }

    fn heading(&mut self, text: &str) {
        self.0.push('\n');
        self.line(0, text);
    }

    fn table(&mut self, rows: &[Vec<String>]) {
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                let last = row.len().saturating_sub(1);
                row.iter()
                    .enumerate()
                    .map(|(at, cell)| {
                        let most = if at == last { MOST_LAST } else { MOST_CELL };
                        cut(&visible(cell), most)
                    })
                    .collect()
            })
            .collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns)
            .map(|at| {
                let cells = rows.iter().filter_map(|row| row.get(at));
                cells
                    .map(|cell| cell.chars().count())
                    .max()
                    .unwrap_or_default()
            })
            .collect();
        for row in rows {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            self.line(1, &cells.join("  "));
        }
    }

    fn fact(&mut self, fact: &Fact) {
        let value = match &fact.value {
            Value::Null => "none".to_owned(),
            value => cut(&short(value), MOST_LAST),
        };
        self.line(1, &format!("{} = {value}", fact.name));
        for tried in &fact.tried {
            let found = match &tried.found {
                Value::Null => String::new(),
                found => format!(": {}", cut(&short(found), MOST_LAST)),
            };
            self.line(2, &format!("{}{found}", tried.mapping));
            for step in &tried.steps {
                let value = cut(&short(&step.value), MOST_LAST);
                self.line(3, &format!("{} -> {value}", step.step));
            }
            if let Some(problem) = &tried.problem {
                self.line(3, &format!("no: {problem}"));
            }
        }
    }

    fn groups(&mut self, fates: &[GroupFate]) {
        if fates.is_empty() {
            return self.line(1, "none");
        }
        let mut rows = vec![["PROVIDER", "BECOMES", "WHY"].map(str::to_owned).to_vec()];
        rows.extend(fates.iter().map(|fate| {
            let to = match fate.to.as_slice() {
                [] => "-".to_owned(),
                to => to.join(", "),
            };
            let from = fate.from.as_deref().unwrap_or("(default)");
            vec![from.to_owned(), to, fate.why.clone()]
        }));
        self.table(&rows);
    }

    fn person(&mut self, person: &Outcome) {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        let listed = |groups: &[String]| match groups {
            [] => "none".to_owned(),
            groups => groups.join(", "),
        };
        let rows = vec![
            vec!["username".to_owned(), person.username.clone()],
            vec!["email".to_owned(), or_none(&person.email)],
            vec!["display name".to_owned(), or_none(&person.display_name)],
            vec!["groups before".to_owned(), listed(&person.groups_before)],
            vec!["groups".to_owned(), listed(&person.groups)],
        ];
        self.table(&rows);
        // In full: these are the very bytes.
        for (name, value) in &person.headers {
            self.line(1, &format!("{name}: {value}"));
        }
    }

    fn problem(&mut self, problem: &Finding) {
        self.line(1, &format!("{}: {}", problem.code, problem.what));
        self.line(2, &problem.advice);
        for line in problem.cure.lines() {
            self.line(3, line);
        }
    }
}
