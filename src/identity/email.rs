//! E-mail addresses and their domains.

use super::{Invalid, Named};
use serde::{Deserialize, Serialize};

/// The longest address that SMTP can carry (RFC 5321 §4.5.3.1.3, less the angle brackets).
const MAX_ADDRESS: usize = 254;
/// The longest part before the `@` (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL: usize = 64;
/// The longest domain name in text form (RFC 1035 §2.3.4).
const MAX_DOMAIN: usize = 253;

/// One e-mail address: a dot-atom, one `@`, a domain name (RFC 5322 §3.4.1 without quoted strings,
/// comments, literals and obsolete forms, which no provider of accounts needs and which exist to be
/// read in two ways). ASCII only. The domain is lower case, the local part is as it came.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email {
    text: String,
    at: usize,
}

impl Email {
    /// Reads a whole address, and nothing around it.
    ///
    /// # Errors
    ///
    /// [`Invalid`] says which rule is broken, without the address.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.trim().is_empty() {
            return Err(Invalid::Empty);
        }
        if text.len() > MAX_ADDRESS {
            return Err(Invalid::TooLong(MAX_ADDRESS));
        }
        let (local, domain) = text.split_once('@').ok_or(Invalid::NotAMailbox)?;
        if local.len() > MAX_LOCAL {
            return Err(Invalid::TooLong(MAX_LOCAL));
        }
        if let Some(c) = local.chars().find(|c| !is_atom(*c) && *c != '.') {
            return Err(Invalid::Character(Named(c)));
        }
        if local.split('.').any(str::is_empty) {
            return Err(Invalid::NotAMailbox);
        }
        let domain = Domain::parse(domain).map_err(|_| Invalid::NotAMailbox)?;
        Ok(Self {
            text: format!("{local}@{domain}"),
            at: local.len(),
        })
    }

    /// The whole address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.text.split_at(self.at).0
    }

    /// The part after the `@`, in lower case.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.text.get(self.at + 1..).unwrap_or_default()
    }

    /// Whether the address is in exactly this domain; sub-domains are other domains.
    #[must_use]
    pub fn is_in(&self, domain: &Domain) -> bool {
        self.domain() == domain.as_str()
    }

    /// Whether the address is in a sub-domain of this domain, however deep, and not in the domain
    /// itself.
    #[must_use]
    pub fn is_below(&self, domain: &Domain) -> bool {
        below(self.domain(), domain)
    }
}

/// The characters of an atom (RFC 5322 §3.2.3).
fn is_atom(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

impl TryFrom<String> for Email {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.text
    }
}

impl std::fmt::Display for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// A domain name in lower case: letters, digits and hyphens in labels of 1 to 63 (RFC 1123 §2.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

impl Domain {
    /// Reads a domain name of at least one label, without a trailing dot.
    ///
    /// # Errors
    ///
    /// [`Invalid::NotADomain`] for everything else.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let ok = text.len() <= MAX_DOMAIN
            && text.split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            });
        if ok {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(Invalid::NotADomain)
        }
    }

    /// The name in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is a sub-domain of the other, however deep.
    #[must_use]
    pub fn is_below(&self, other: &Self) -> bool {
        below(&self.0, other)
    }
}

/// Whole labels, or `evil-example.com` would be below `example.com`.
fn below(name: &str, domain: &Domain) -> bool {
    name.strip_suffix(domain.as_str())
        .is_some_and(|rest| rest.ends_with('.'))
}

impl TryFrom<String> for Domain {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> Self {
        domain.0
    }
}

impl std::fmt::Display for Domain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, domain: Option<&str>) {
        let parsed = Email::parse(text);
        match domain {
            Some(domain) => assert!(
                parsed.unwrap().is_in(&Domain::parse(domain).unwrap()),
                "{text:?}"
            ),
            None => assert!(parsed.is_err(), "{text:?} became {parsed:?}"),
        }
    }

    #[test]
    fn usual_addresses_are_addresses() {
        check("ana@example.com", Some("example.com"));
        check("ana.silva+git@EXAMPLE.com", Some("example.com"));
        check("o'neil@a-b.example", Some("a-b.example"));
        check("root@localhost", Some("localhost"));
    }

    #[test]
    fn an_address_with_two_readings_is_none() {
        for bad in [
            "a@evil.example@example.com",
            "\"a@evil.example\"@example.com",
            "a@example.com,b@evil.example",
            "a@example.com ",
            " a@example.com",
            "Ana <a@example.com>",
            "a@example.com\n",
            "a@example.com\0.evil.example",
            "a(b)@example.com",
            "a@[127.0.0.1]",
            "a@example.com.",
            "a@.example.com",
            "a@-example.com",
            "a..b@example.com",
            ".a@example.com",
            "@example.com",
            "a@",
            "a",
            "a@ex\u{430}mple.com",
            "a%evil.example@",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn a_domain_is_compared_whole() {
        let email = Email::parse("a@evil-example.com").unwrap();
        assert!(!email.is_in(&Domain::parse("example.com").unwrap()));
        let email = Email::parse("a@sub.example.com").unwrap();
        assert!(!email.is_in(&Domain::parse("example.com").unwrap()));
    }

    #[test]
    fn a_sub_domain_is_below_at_a_dot() {
        let domain = Domain::parse("example.com").unwrap();
        for (text, below) in [
            ("a@sub.example.com", true),
            ("a@a.b.EXAMPLE.com", true),
            ("a@example.com", false),
            ("a@evil-example.com", false),
            ("a@example.com.evil.example", false),
            ("example.com@com", false),
        ] {
            assert_eq!(
                Email::parse(text).unwrap().is_below(&domain),
                below,
                "{text}"
            );
        }
    }
}
