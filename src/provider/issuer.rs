//! Whose tokens count: the configured issuer, its other spellings, and the template of a provider
//! with several tenants.
//!
//! Entra's shared addresses print `{tenantid}` literally in their discovery document, and each
//! token names its tenant in `tid`. The template is filled with the `tid` of a token whose signature
//! is good, and then `iss` must be that, byte for byte. Which tenants may sign in is the
//! configuration's (`[providers.require]`).

use super::error::Error;
use super::id_token::Claims;
use super::said::printable;
use crate::config;

/// What stands for the tenant, as Entra's discovery documents write it.
const TENANT: &str = "{tenantid}";

/// The issuers that a sign-in may have to do with, once its token has named the tenant.
#[derive(Debug)]
pub(super) struct Accepted {
    pin: String,
    aliases: Vec<String>,
}

/// Whether the issuer stands for several tenants.
pub(super) fn is_template(issuer: &str) -> bool {
    issuer.contains(TENANT)
}

/// What these claims' issuer may be. Their signature must be good already: the tenant comes from
/// them.
pub(super) fn accepted(config: &config::Provider, claims: Claims<'_>) -> Result<Accepted, Error> {
    if !is_template(&config.issuer) {
        return Ok(Accepted {
            pin: config.issuer.clone(),
            aliases: config.issuer_aliases.clone(),
        });
    }
    let tenant = claims.need("tid", claims.text("tid")?)?;
    // Anything else could reach out of its place in the address.
    if !is_guid(tenant) {
        return Err(Error::TenantUnusable {
            found: printable(tenant),
        });
    }
    let fill = |spelling: &String| spelling.replace(TENANT, tenant);
    Ok(Accepted {
        pin: fill(&config.issuer),
        aliases: config.issuer_aliases.iter().map(fill).collect(),
    })
}

impl Accepted {
    /// The person's: half of the pin, whichever spelling the token has.
    pub(super) fn pin(&self) -> &str {
        &self.pin
    }

    pub(super) fn has(&self, found: &str) -> bool {
        found == self.pin || self.aliases.iter().any(|alias| alias == found)
    }

    /// The response's `iss` (RFC 9207), now that the tenant is known.
    pub(super) fn check_response(&self, found: Option<&str>) -> Result<(), Error> {
        match found {
            Some(found) if !self.has(found) => Err(Error::ResponseIssuerMismatch {
                expected: self.pin.clone(),
                found: printable(found),
            }),
            _ => Ok(()),
        }
    }

    /// Entra publishes the keys of all tenants together, and says of some that they sign for one
    /// issuer alone. `key` is what the key says, if it says something.
    pub(super) fn check_key(&self, key: Option<&str>, claims: Claims<'_>) -> Result<(), Error> {
        let Some(key) = key else { return Ok(()) };
        let tenant = claims.text("tid")?.unwrap_or_default();
        if self.has(&key.replace(TENANT, tenant)) {
            Ok(())
        } else {
            Err(Error::KeyIssuerMismatch {
                token: claims.token,
                found: printable(key),
            })
        }
    }
}

/// Whether a response may be from this issuer, before any token says which tenant it is.
pub(super) fn may_respond(config: &config::Provider, found: &str) -> bool {
    let template = is_template(&config.issuer);
    std::iter::once(&config.issuer)
        .chain(&config.issuer_aliases)
        .any(|spelling| match spelling.split_once(TENANT) {
            Some((before, after)) if template => found
                .strip_prefix(before)
                .and_then(|rest| rest.strip_suffix(after))
                .is_some_and(is_guid),
            _ => found == spelling,
        })
}

/// Lower case, as Entra writes it: one spelling per tenant.
fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

#[cfg(test)]
mod tests {
    use super::is_guid;

    #[test]
    fn a_tenant_is_a_guid_in_lower_case() {
        assert!(is_guid("9188040d-6c67-4c5b-b112-36a304b66dad"));
        for wrong in [
            "",
            "9188040D-6C67-4C5B-B112-36A304B66DAD",
            "9188040d6c674c5bb11236a304b66dad",
            "{9188040d-6c67-4c5b-b112-36a304b66da}",
            "9188040d-6c67-4c5b-b112-36a304b66dag",
            "9188040d-6c67-4c5b-b112-36a304b66dad/",
            "9188040d-6c67-4c5b-b112/36a304b66dad",
            "../../../../../../evil.example/v2.0/x",
            "common",
        ] {
            assert!(!is_guid(wrong), "{wrong}");
        }
    }
}
