//! Whom a provider may let in: `[providers.require]`, and what makes it necessary.

use super::addresses::TENANT;
use crate::config::presets::{Issuer, Preset};
use crate::config::problems::{Mistake, mistake, quoted};
use crate::config::reader::{At, Read, Section};
use crate::config::values::{Lists, all, each_once};
use crate::config::{Protocol, Requirement, Users};
use url::Url;

pub(super) fn read(section: &Section<'_>) -> Read<Vec<Requirement>> {
    let Some(Lists(written)) = section.find("require")? else {
        return Ok(Vec::new());
    };
    all(written.into_iter().map(|(claim, values)| {
        claim.check(|name| match name.as_str() {
            "" => Err(mistake("the name of the claim is empty", "remove it")),
            _ => Ok(()),
        })?;
        if values.is_empty() {
            return Err(claim.spot.problem(mistake(
                "allows nothing, so nobody could sign in",
                "write the values that may sign in, or remove this line",
            )));
        }
        let any_of = each_once(values, |value| match value {
            "" => Err(mistake(
                "is empty",
                "write a value of the claim, or remove it",
            )),
            value => Ok(value.to_owned()),
        })?;
        Ok(Requirement {
            claim: claim.value,
            any_of,
        })
    }))
}

/// What an issuer that serves more than one's own people makes necessary.
pub(super) fn check(
    section: &Section<'_>,
    preset: &Preset,
    issuer: &str,
    require: &[Requirement],
) -> Read<()> {
    let of = |claim: &str| {
        require
            .iter()
            .find(|requirement| requirement.claim == claim)
    };
    let host = Url::parse(issuer).ok();
    let host = host.as_ref().and_then(Url::host_str);
    let generic = matches!(host, Some("login.salesforce.com" | "test.salesforce.com"));
    if preset.name == "salesforce" && generic && of("organization_id").is_none() {
        return Err(section.spot_of("issuer").problem(mistake(
            format!("{} serves every organization", quoted(issuer)),
            "write your My Domain address, such as \"https://example.my.salesforce.com\"; or keep \
             this one, name your organization with [providers.require] organization_id = \"00D…\", \
             and your My Domain address, which tokens may name, in issuer_aliases",
        )));
    }
    if !issuer.contains(TENANT) {
        return Ok(());
    }
    if of("tid").is_none() {
        return Err(section.spot_of("require").problem(mistake(
            format!("lacks \"tid\": {TENANT} in the issuer stands for every tenant of Microsoft's"),
            "add [providers.require] with tid = [\"…\"], the identifiers of the tenants that may \
             sign in",
        )));
    }
    let Some(Lists(written)) = section.find("require")? else {
        return Ok(());
    };
    let tenants = written.iter().filter(|(claim, _)| claim.value == "tid");
    let tenants: Vec<&At<'_, String>> = tenants.flat_map(|(_, values)| values).collect();
    all(tenants
        .iter()
        .map(|tenant| tenant.check(|text| tenant_id(text))))
    .map(drop)
}

/// As Microsoft writes them: 8-4-4-4-12 hexadecimal digits in lower case.
fn tenant_id(text: &str) -> Result<(), Mistake> {
    let digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    match lengths == [8, 4, 4, 4, 12] && parts.iter().all(|part| part.chars().all(digit)) {
        true => Ok(()),
        false => Err(mistake(
            format!("{} is not the identifier of a tenant", quoted(text)),
            "write the tenant's GUID in lower case, such as \
             \"9188040d-6c67-4c5b-b112-36a304b66dad\"",
        )),
    }
}

/// Says so when strangers can sign in.
pub(super) fn warn(
    section: &Section<'_>,
    preset: &Preset,
    issuer: &str,
    require: &[Requirement],
    users: Option<&Users>,
) {
    let theirs = match (preset.protocol, preset.issuer) {
        (Protocol::Oidc, Issuer::Fixed(fixed)) => issuer == fixed,
        (Protocol::Oidc, _) => false,
        (Protocol::OAuth2, _) => !section.says("authorization_endpoint"),
    };
    let limited = users.is_none_or(|users| !users.allowed_domains.is_empty());
    if let Some(how) = preset.anybody
        && theirs
        && require.is_empty()
        && !limited
    {
        let vendor = preset.label.unwrap_or(preset.name);
        section.spot_of("preset").warn(format_args!(
            "anybody in the world with an account at {vendor} can sign in: {how}"
        ));
    }
}
