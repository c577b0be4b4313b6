//! For each refusal: the lines of the configuration that would cure it, and what to think about
//! before copying them.

use super::{Finding, suggest};
use crate::config::{Config, GroupMode, Protocol, Provider, ProvisioningTarget, Reference};
use crate::identity::Username;
use crate::mapping::{Candidate, Examined, Refused, Tried, key, list, quoted, visible};
use serde_json::{Map, Value};

/// Who was refused, by which rules.
pub(super) struct Case<'a> {
    pub(super) config: &'a Config,
    pub(super) provider: &'a Provider,
    pub(super) claims: &'a Map<String, Value>,
    pub(super) examined: &'a Examined,
}

impl Case<'_> {
    /// A refusal with its cure.
    pub(super) fn finding(&self, refused: &Refused) -> Finding {
        let (cure, advice) = self.cure(refused);
        Finding {
            code: refused.code().to_owned(),
            what: visible(&refused.to_string()),
            cure: cure.unwrap_or_default(),
            advice: advice.to_owned(),
        }
    }

    fn cure(&self, refused: &Refused) -> (Option<String>, &'static str) {
        match refused {
            Refused::NoUsername { .. } => (
                self.other_username(""),
                "Choose a claim that never changes hands: whoever has the name is the person in Bitbucket. If none fits, let the provider send one.",
            ),
            Refused::UsernameType { claim, .. } | Refused::AmbiguousUsername { claim, .. } => (
                self.other_username(claim),
                "A username is one text. Name the claim that has it, or take it out with steps such as \"pick\" or \"keys\".",
            ),
            Refused::InvalidUsername { claim, .. } => (
                self.tidied_username().or_else(|| self.other_username(claim)),
                "Bitbucket and the header need a short name of visible ASCII characters. A step must not make the same name of two people.",
            ),
            Refused::NoEmail { rule, .. } => (
                self.email("").or_else(|| self.scopes()).or_else(|| {
                    let by_email = rule.contains("match_by");
                    by_email.then(|| "[users]\nmatch_by = \"username\"".to_owned())
                }),
                "The address decides here, so the provider has to send one: look at its scopes and at the person's profile there.",
            ),
            Refused::EmailType { claim, .. } | Refused::InvalidEmail { claim, .. } => (
                self.email(claim),
                "An address is one text such as \"ana@example.com\", without a name around it.",
            ),
            Refused::UnverifiedEmail { .. } => (
                Some(
                    "# INSECURE: whoever types somebody's address at the provider becomes that person here\n\
                     [users]\nrequire_verified_email = false"
                        .to_owned(),
                ),
                "Safe: have the person verify the address at the provider, or the administrator there confirm it. Only where nobody can choose an address there is the line below safe too.",
            ),
            Refused::UnconfirmedEmail { .. } => (
                Some(self.confirmed()),
                "Safe: let the provider send whether it has verified the address. Believing an address about which nothing is said is safe only where nobody can choose their own.",
            ),
            Refused::DomainNotAllowed { domain, .. } => (
                Some(self.domain(domain)),
                "This lets everybody of that domain in. If it is an account of another kind (private instead of work), have the person sign in with the right one.",
            ),
            Refused::Inactive => (
                None,
                "No line of the configuration lets a closed account in. Have it made active at the provider.",
            ),
            Refused::RequiredClaim { claim, .. } => (
                self.requirement(claim),
                "This lets everybody in for whom the provider says the same. Without a line, have the provider send the claim, or the person use the right account.",
            ),
            Refused::TooManyGroups { .. } => (
                Some(self.fewer_groups()),
                "Let only the groups through that mean something here; change the pattern to yours. Many providers can be told to send fewer.",
            ),
        }
    }

    fn provider_line(&self, table: &str, line: &str) -> String {
        let mut lines = format!(
            "# in the [[providers]] table with id = {}\n",
            quoted(&self.provider.id)
        );
        if !table.is_empty() {
            lines.push_str(&format!("[providers.{table}]\n"));
        }
        lines + line
    }

    fn claims_line(&self, fact: &str, mapping: &str) -> String {
        self.provider_line("claims", &format!("{fact} = {mapping}"))
    }

    fn other_username(&self, failing: &str) -> Option<String> {
        let domains = &self.config.users.allowed_domains;
        let mapping = suggest::username(self.claims, failing, domains);
        mapping.map(|it| self.claims_line("username", &it))
    }

    fn email(&self, failing: &str) -> Option<String> {
        suggest::email(self.claims, failing).map(|it| self.claims_line("email", &it))
    }

    fn scopes(&self) -> Option<String> {
        let scopes = &self.provider.scopes;
        let lacks =
            self.provider.protocol == Protocol::Oidc && !scopes.iter().any(|it| it == "email");
        lacks.then(|| {
            let scopes = scopes.iter().map(String::as_str).chain(["email"]);
            self.provider_line("", &format!("scopes = {}", list(scopes)))
        })
    }

    /// What was tried last for a fact, and its reference.
    fn last(&self, fact: &str) -> Option<(&Tried, &Reference)> {
        let claims = &self.provider.claims;
        let mappings = match fact {
            "username" => &claims.username,
            _ => &claims.groups,
        };
        let fact = self.examined.facts.iter().find(|it| it.name == fact)?;
        let tried = fact.tried.last()?;
        Some((tried, &mappings.get(fact.tried.len() - 1)?.from))
    }

    /// The same mapping with one more step.
    fn with_step(&self, fact: &str, tried: &Tried, from: &Reference, step: &str) -> String {
        let from = match from {
            Reference::Claim(text) | Reference::Pointer(text) => {
                format!("claim = {}", quoted(text))
            }
            Reference::JmesPath(expression) => {
                format!("jmespath = {}", quoted(expression.as_str()))
            }
        };
        let steps: Vec<&str> = tried
            .steps
            .iter()
            .map(|taken| taken.step.as_str())
            .chain([step])
            .collect();
        let mapping = format!("{{ {from}, steps = [{}] }}", steps.join(", "));
        self.claims_line(fact, &mapping)
    }

    /// A step that makes a username of what is there.
    fn tidied_username(&self) -> Option<String> {
        let (tried, from) = self.last("username")?;
        let value = tried
            .steps
            .last()
            .map_or(&tried.found, |taken| &taken.value);
        let text = value.as_str()?;
        let after = |separator: char| text.rsplit(separator).next().unwrap_or(text);
        let fixes = [
            (text.trim(), "\"trim\""),
            // As Windows writes names: DOMAIN\ana.
            (after('\\'), "{ last_segment = \"\\\\\" }"),
            (after('/'), "{ last_segment = \"/\" }"),
        ];
        let (_, step) = fixes
            .into_iter()
            .find(|(fixed, _)| *fixed != text && Username::parse(*fixed).is_ok())?;
        Some(self.with_step("username", tried, from, step))
    }

    fn confirmed(&self) -> String {
        let looked_at: Vec<String> = self
            .provider
            .claims
            .email_verified
            .iter()
            .map(|mapping| mapping.from.to_string())
            .collect();
        match suggest::email_verified(self.claims, &looked_at) {
            Some(claim) => self.claims_line("email_verified", &claim),
            None => self.provider_line(
                "",
                "# INSECURE where people choose their own address\nemail_trust = \"unless_denied\"",
            ),
        }
    }

    fn domain(&self, domain: &str) -> String {
        let allowed = self.config.users.allowed_domains.iter();
        let domains = allowed.map(|domain| domain.as_str()).chain([domain]);
        format!("[users]\nallowed_domains = {}", list(domains))
    }

    /// Only where the claim has one value: adding whatever a list holds would open more than is seen.
    fn requirement(&self, claim: &str) -> Option<String> {
        let found = self.claims.get(claim).or_else(|| {
            let mut names = claim.split('.');
            let first = self.claims.get(names.next()?)?;
            names.try_fold(first, |value, name| value.get(name))
        })?;
        let value = match found {
            Value::String(text) if !text.is_empty() => text.clone(),
            Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
            _ => return None,
        };
        let required = self.provider.require.iter().find(|it| it.claim == claim)?;
        let values = required
            .any_of
            .iter()
            .map(String::as_str)
            .chain([value.as_str()]);
        Some(self.provider_line("require", &format!("{} = {}", key(claim), list(values))))
    }

    fn fewer_groups(&self) -> String {
        let groups = &self.config.groups;
        let mut names: Vec<&str> = groups
            .map
            .iter()
            .flat_map(|(_, names)| names.iter().map(String::as_str))
            .collect();
        if groups.mode != GroupMode::Manual || names.is_empty() {
            names = vec!["bitbucket-*"];
        }
        let step = format!("{{ allow = {} }}", list(names.into_iter()));
        match self.last("groups") {
            Some((tried, from)) => self.with_step("groups", tried, from, &step),
            None => String::new(),
        }
    }
}

/// A rule that refuses somebody whom Bitbucket does not know yet.
pub(super) fn nobody_is_made(config: &Config, candidate: &Candidate) -> Option<Finding> {
    let applies = config.provisioning.target != ProvisioningTarget::None
        && config.users.create
        && config.groups.require_mapped_group_to_create
        && candidate.mapped_groups.is_empty();
    applies.then(|| Finding {
        code: "no_mapped_group".to_owned(),
        what: "somebody whom Bitbucket does not know yet is refused: none of the groups is one in Bitbucket, and groups.require_mapped_group_to_create asks for one".to_owned(),
        cure: "[groups]\nrequire_mapped_group_to_create = false".to_owned(),
        advice: "Better: put one of the provider's groups into [groups.map].".to_owned(),
    })
}
