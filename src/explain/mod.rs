//! Tells in full who claims would become, and why: for the test page, for `portcullis explain`, and for
//! the tests in the configuration.
//!
//! It decides nothing of its own. Every line of a [`Report`] comes from the functions that a sign-in
//! goes through, so that what it shows is what happens.

mod cure;
mod live;
mod rows;
mod suggest;
mod text;
mod trial;

#[cfg(test)]
mod examples;
#[cfg(test)]
mod tests;

pub use live::{account, pin, unasked};
pub use trial::trial;

use crate::config::{Config, Provider};
use crate::mapping::{self, Candidate, Examined, Rules};
use crate::provider::VerifiedClaims;
use crate::provisioning::plan::Plan;
use crate::web::asserted;
use serde::Serialize;
use serde_json::{Map, Value};

/// Who claims would become, in full.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The provider's id.
    pub provider: String,
    /// Half of the pin, if the claims are verified.
    pub issuer: Option<String>,
    /// The other half.
    pub subject: Option<String>,
    /// Every claim, top level first, nested ones by their dotted path.
    pub claims: Vec<ClaimRow>,
    /// Every mapping, step by step, and the fate of every group.
    pub examined: Examined,
    /// Who it would be; none: a rule refuses.
    pub person: Option<Outcome>,
    /// What the live systems add; empty fields: not asked, or not known.
    pub live: Live,
    /// What would refuse or fail, each with its cure.
    pub problems: Vec<Finding>,
}

/// One claim.
#[derive(Debug, Clone, Serialize)]
pub struct ClaimRow {
    /// Its name or dotted path.
    pub name: String,
    /// In words, such as "ID token"; none for claims from a file.
    pub source: Option<&'static str>,
    /// `text`, `number`, `true or false`, `list`, `object`, `nothing`.
    pub kind: &'static str,
    /// The value as compact JSON.
    pub value: String,
    /// The facts that it gave, by name.
    pub used_for: Vec<&'static str>,
}

/// Who somebody would be.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The username.
    pub username: String,
    /// The address.
    pub email: Option<String>,
    /// The full name.
    pub display_name: Option<String>,
    /// Groups as the provider names them.
    pub groups_before: Vec<String>,
    /// Groups afterwards.
    pub groups: Vec<String>,
    /// The header fields that Bitbucket would get: names and values.
    pub headers: Vec<(String, String)>,
}

/// What the pin and the target say.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Live {
    /// What the pin says, in words.
    pub pin: Option<String>,
    /// The person found in Bitbucket, or that there is none, in words.
    pub account: Option<String>,
    /// What would be changed.
    pub plan: Option<Plan>,
}

/// Something that would refuse or fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The code of the refusal, as logs and pages have it.
    pub code: String,
    /// What is wrong.
    pub what: String,
    /// Lines of TOML that would cure it, with their table, ready to copy; empty: no line does.
    pub cure: String,
    /// What else can be done, or what to think about before copying.
    pub advice: String,
}

impl Report {
    /// From claims of a file: nothing is verified, no network is asked.
    #[must_use]
    pub fn offline(config: &Config, provider: &Provider, claims: &Map<String, Value>) -> Self {
        let mut report = Self::new(config, provider, claims, rows::Sources::None);
        if let Some(candidate) = &report.examined.candidate {
            report
                .problems
                .extend(cure::nobody_is_made(config, candidate));
        }
        report
    }

    /// From verified claims, before pin and target are asked; the caller adds [`Report::live`] and
    /// further [`Report::problems`].
    #[must_use]
    pub fn of(config: &Config, provider: &Provider, claims: &VerifiedClaims) -> Self {
        let sources = rows::Sources::Verified(claims.sources());
        Self {
            issuer: Some(mapping::visible(claims.issuer())),
            subject: Some(mapping::visible(claims.subject())),
            ..Self::new(config, provider, claims.claims(), sources)
        }
    }

    fn new(
        config: &Config,
        provider: &Provider,
        claims: &Map<String, Value>,
        sources: rows::Sources<'_>,
    ) -> Self {
        let mut examined = mapping::examine(claims, Rules::of(config, provider));
        let case = cure::Case {
            config,
            provider,
            claims,
            examined: &examined,
        };
        let problems = examined
            .refusals
            .iter()
            .map(|refused| case.finding(refused))
            .collect();
        let claims = rows::rows(provider, claims, &examined, sources);
        rows::shorten(&mut examined);
        Self {
            provider: provider.id.clone(),
            issuer: None,
            subject: None,
            claims,
            person: examined
                .candidate
                .as_ref()
                .map(|candidate| Outcome::of(config, candidate)),
            live: Live::default(),
            problems,
            examined,
        }
    }

    /// As plain text for a terminal.
    #[must_use]
    pub fn to_text(&self) -> String {
        text::report(self)
    }
}

impl Outcome {
    fn of(config: &Config, candidate: &Candidate) -> Self {
        let person = &candidate.person;
        let mut headers: Vec<(String, String)> = asserted(&config.identity, person)
            .map(|(name, value)| (name.to_string(), value.into_owned()))
            .collect();
        headers.extend(config.identity.assertion.as_ref().map(|assertion| {
            let value = "(a signed token with the same facts, made for each request)";
            (assertion.header.to_string(), value.to_owned())
        }));
        Self {
            username: person.username.to_string(),
            email: person.email.as_ref().map(ToString::to_string),
            display_name: person.display_name.as_ref().map(ToString::to_string),
            groups_before: candidate
                .provider_groups
                .iter()
                .map(|name| mapping::visible(name))
                .collect(),
            groups: person.groups.iter().map(ToString::to_string).collect(),
            headers,
        }
    }
}
