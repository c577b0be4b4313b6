//! Why claims do not become a person.

use crate::identity::Invalid;

/// Why claims do not become a person. Messages name the claim and the rule, never a whole token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No claim has a username.
    #[error("there is no username in the claims {tried}")]
    NoUsername {
        /// The claims of `providers.claims.username`, quoted.
        tried: String,
    },
    /// The username is an object, a fraction, or something else that is no text.
    #[error("the claim \"{claim}\" holds {found} instead of a username")]
    UsernameType {
        /// Where it was found.
        claim: String,
        /// What it is.
        found: &'static str,
    },
    /// Several usernames.
    #[error("the claim \"{claim}\" holds {count} usernames, and which one is meant is not known")]
    AmbiguousUsername {
        /// Where they were found.
        claim: String,
        /// How many.
        count: usize,
    },
    /// Not a username for Bitbucket or a header.
    #[error("the username in the claim \"{claim}\" {reason}")]
    InvalidUsername {
        /// Where it was found.
        claim: String,
        /// The rule.
        reason: Invalid,
    },
    /// No claim has an e-mail address, and one is needed.
    #[error("there is no e-mail address in the claims {tried}, and {rule} needs one")]
    NoEmail {
        /// The claims of `providers.claims.email`, quoted.
        tried: String,
        /// The rule that needs one.
        rule: &'static str,
    },
    /// The e-mail address is no text, and one is needed.
    #[error("the claim \"{claim}\" holds {found} instead of an e-mail address")]
    EmailType {
        /// Where it was found.
        claim: String,
        /// What it is.
        found: &'static str,
    },
    /// Not an e-mail address, and one is needed.
    #[error("the e-mail address in the claim \"{claim}\" {reason}")]
    InvalidEmail {
        /// Where it was found.
        claim: String,
        /// The rule.
        reason: Invalid,
    },
    /// The provider says that it has not verified the address.
    #[error(
        "the e-mail address in the claim \"{claim}\" is not verified ({by}), and \
         users.require_verified_email asks for that"
    )]
    UnverifiedEmail {
        /// Where the address was found.
        claim: String,
        /// The claims of `providers.claims.email_verified`, quoted.
        by: String,
    },
    /// The provider does not say that it has verified the address, and has to.
    #[error(
        "nothing says that the e-mail address in the claim \"{claim}\" is verified ({by}), and \
         providers.email_trust = \"verified\" asks for that"
    )]
    UnconfirmedEmail {
        /// Where the address was found.
        claim: String,
        /// The claims of `providers.claims.email_verified`, quoted.
        by: String,
    },
    /// The address is in another domain.
    #[error(
        "the e-mail address in the claim \"{claim}\" is in the domain \"{domain}\", which is not in \
         users.allowed_domains"
    )]
    DomainNotAllowed {
        /// Where it was found.
        claim: String,
        /// Its domain.
        domain: String,
    },
    /// The provider says that the account is switched off there.
    #[error("the claim \"active\" says that the account is not active")]
    Inactive,
    /// A claim does not hold what it must.
    #[error("providers.require asks the claim \"{claim}\" for {wanted}, and it {found}")]
    RequiredClaim {
        /// The claim's name or path.
        claim: String,
        /// The values of which one is enough, quoted.
        wanted: String,
        /// What is there instead, without the value.
        found: &'static str,
    },
    /// More groups than anybody has.
    #[error("the claim \"{claim}\" holds more than {most} groups")]
    TooManyGroups {
        /// Where they were found.
        claim: String,
        /// The limit.
        most: usize,
    },
}

impl Refused {
    /// A short, stable name for logs, metrics and pages.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoUsername { .. } => "no_username",
            Self::UsernameType { .. } => "username_type",
            Self::AmbiguousUsername { .. } => "ambiguous_username",
            Self::InvalidUsername { .. } => "invalid_username",
            Self::NoEmail { .. } => "no_email",
            Self::EmailType { .. } => "email_type",
            Self::InvalidEmail { .. } => "invalid_email",
            Self::UnverifiedEmail { .. } | Self::UnconfirmedEmail { .. } => "unverified_email",
            Self::DomainNotAllowed { .. } => "domain_not_allowed",
            Self::Inactive => "inactive_account",
            Self::RequiredClaim { .. } => "required_claim",
            Self::TooManyGroups { .. } => "too_many_groups",
        }
    }
}
