//! Values that everyone speaks: who a person is, valid by construction.
//!
//! A `Username`, `GroupName` or `Email` exists only when it keeps the rules that Bitbucket and an
//! HTTP header need, so nobody downstream checks again. This room imports nothing.

mod email;
mod name;

pub use email::{Domain, Email};
pub use name::{DisplayName, GroupName, Username};

/// Why a value cannot be a name, an e-mail address or a domain. The text never holds the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Nothing, or only white space.
    #[error("is empty")]
    Empty,
    /// Longer than Bitbucket's column or a header should carry.
    #[error("is longer than {0} characters")]
    TooLong(usize),
    /// Begins or ends with white space.
    #[error("begins or ends with white space")]
    Padded,
    /// A character that cannot be in this kind of value.
    #[error("contains {0}")]
    Character(Named),
    /// Not an e-mail address with exactly one mailbox.
    #[error("is not one e-mail address")]
    NotAMailbox,
    /// Not a domain name.
    #[error("is not a domain name")]
    NotADomain,
}

/// A character, shown so that it cannot disturb a log or a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named(pub char);

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_ascii_graphic() {
            write!(f, "the character \"{}\"", self.0)
        } else {
            write!(f, "the character U+{:04X}", u32::from(self.0))
        }
    }
}

/// Who somebody is for Bitbucket, decided from verified facts by `mapping` or by the backdoor.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Person {
    /// The name that the identity header carries.
    pub username: Username,
    /// The address, if the provider gave one that may be used.
    pub email: Option<Email>,
    /// The full name for display, if known.
    pub display_name: Option<DisplayName>,
    /// Groups, in the order in which they came, without repeats.
    pub groups: Vec<GroupName>,
}
