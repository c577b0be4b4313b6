//! The administrator's own tests: claims, and who they must become.

use crate::config::{Config, Provider, Trial};
use crate::mapping::{Examined, Rules, examine, list, quoted, visible};
use std::collections::BTreeSet;

/// Runs one of `[[providers.tests]]`: each difference in one line, none when it passes.
#[must_use]
pub fn trial(config: &Config, provider: &Provider, trial: &Trial) -> Vec<String> {
    let examined = examine(&trial.claims, Rules::of(config, provider));
    let expect = &trial.expect;
    if let Some(code) = &expect.refused {
        return refusal(code, &examined).into_iter().collect();
    }
    let Some(candidate) = &examined.candidate else {
        return examined
            .refusals
            .first()
            .map(|refused| {
                let why = visible(&refused.to_string());
                format!(
                    "expected somebody, got the refusal \"{}\": {why}",
                    refused.code()
                )
            })
            .into_iter()
            .collect();
    };
    let person = &candidate.person;
    let mut differences = Vec::new();
    for (fact, expected, got) in [
        ("username", &expect.username, Some(person.username.as_str())),
        (
            "email",
            &expect.email,
            person.email.as_ref().map(|it| it.as_str()),
        ),
        (
            "display_name",
            &expect.display_name,
            person.display_name.as_ref().map(|it| it.as_str()),
        ),
    ] {
        if let Some(expected) = expected
            && Some(expected.as_str()) != got
        {
            let got = got.map_or_else(|| "none".to_owned(), quoted);
            differences.push(format!("{fact}: expected {}, got {got}", quoted(expected)));
        }
    }
    if let Some(expected) = &expect.groups {
        let expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
        let got: BTreeSet<&str> = person.groups.iter().map(|group| group.as_str()).collect();
        if expected != got {
            differences.push(format!(
                "groups: expected {}, got {}",
                list(expected.into_iter()),
                list(got.into_iter())
            ));
        }
    }
    differences
}

fn refusal(code: &str, examined: &Examined) -> Option<String> {
    let expected = quoted(code);
    match (examined.refusals.first(), &examined.candidate) {
        (Some(refused), _) if refused.code() == code => None,
        (Some(refused), _) => {
            let why = visible(&refused.to_string());
            Some(format!(
                "refused: expected {expected}, got \"{}\": {why}",
                refused.code()
            ))
        }
        (None, Some(candidate)) => Some(format!(
            "refused: expected {expected}, and \"{}\" may sign in",
            candidate.person.username
        )),
        (None, None) => None,
    }
}
