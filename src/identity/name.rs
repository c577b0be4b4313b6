//! Usernames, group names and display names.

use super::{Invalid, Named};
use serde::{Deserialize, Serialize};

/// The longest name that Bitbucket stores.
const MAX_CHARS: usize = 255;

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the rules of the type.
            ///
            /// # Errors
            ///
            /// [`Invalid`] says which rule is broken, without the value.
            pub fn parse(text: impl Into<String>) -> Result<Self, Invalid> {
                let text = text.into();
                $check(&text)?;
                Ok(Self(text))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text! {
    /// A Bitbucket username: 1 to 255 visible ASCII characters, none of which has a meaning in a
    /// path, a query, a list or a header.
    ///
    /// Only ASCII, because two Unicode spellings that look or fold alike would be two people to
    /// the gateway and one to a database that compares without case; and because an HTTP header
    /// carries nothing else reliably (RFC 9110 §5.5).
    Username, username
}
text! {
    /// A group name: 1 to 255 characters, no control characters, no comma (which separates names
    /// in the groups header), no white space at the ends.
    GroupName, group_name
}
text! {
    /// A full name for display: 1 to 255 characters, no control characters, no white space at the
    /// ends. Any script.
    DisplayName, plain
}

impl GroupName {
    /// The name as Bitbucket compares it: without case. Two names are one group when their keys are
    /// equal.
    ///
    /// A character beyond ASCII never becomes an ASCII letter here (the Kelvin sign would become a
    /// `k`), so that no look-alike of `bitbucket-admins` is taken for it.
    #[must_use]
    pub fn key(&self) -> String {
        let mut key = String::with_capacity(self.0.len());
        for c in self.0.chars() {
            if !c.is_ascii() && c.to_lowercase().any(|lower| lower.is_ascii()) {
                key.push(c);
            } else {
                key.extend(c.to_lowercase());
            }
        }
        key
    }
}

fn username(text: &str) -> Result<(), Invalid> {
    plain(text)?;
    match text
        .chars()
        .find(|c| !c.is_ascii_graphic() || "/\\?#%&;:,\"'<>{}[]|^`*=()".contains(*c))
    {
        Some(c) => Err(Invalid::Character(Named(c))),
        // Path segments in waiting: Bitbucket shows people under /users/NAME.
        None if text == "." || text == ".." => Err(Invalid::Character(Named('.'))),
        None => Ok(()),
    }
}

fn group_name(text: &str) -> Result<(), Invalid> {
    plain(text)?;
    if text.contains(',') {
        return Err(Invalid::Character(Named(',')));
    }
    Ok(())
}

fn plain(text: &str) -> Result<(), Invalid> {
    if text.trim().is_empty() {
        return Err(Invalid::Empty);
    }
    if text.trim() != text {
        return Err(Invalid::Padded);
    }
    if text.chars().nth(MAX_CHARS).is_some() {
        return Err(Invalid::TooLong(MAX_CHARS));
    }
    match text.chars().find(|c| is_invisible(*c)) {
        Some(c) => Err(Invalid::Character(Named(c))),
        None => Ok(()),
    }
}

/// Control characters, and the Unicode ones that reorder or hide text.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Result<(), Invalid>) {
        assert_eq!(Username::parse(text).map(drop), want, "{text:?}");
    }

    #[test]
    fn usual_usernames_are_usernames() {
        for name in [
            "ana",
            "ana.silva",
            "a_b-c+d",
            "ana@example.com",
            "A1",
            "~x",
            "dom$ana!",
        ] {
            check(name, Ok(()));
        }
    }

    #[test]
    fn a_username_cannot_leave_its_header_or_path() {
        for bad in [
            '\r', '\n', '\0', '/', '\\', '?', '#', '%', ';', ',', ':', ' ', 'é', '\u{202E}',
            '\u{FF41}',
        ] {
            check(&format!("a{bad}b"), Err(Invalid::Character(Named(bad))));
        }
        check("..", Err(Invalid::Character(Named('.'))));
    }

    #[test]
    fn empty_padded_and_long_names_are_refused() {
        check("", Err(Invalid::Empty));
        check(" \t", Err(Invalid::Empty));
        check(" ana", Err(Invalid::Padded));
        check(&"a".repeat(256), Err(Invalid::TooLong(255)));
        check(&"a".repeat(255), Ok(()));
    }

    #[test]
    fn groups_are_compared_without_case_and_look_alikes_stay_apart() {
        let key = |text: &str| GroupName::parse(text).unwrap().key();
        assert_eq!(key("Entwickler K\u{d6}LN"), key("entwickler k\u{f6}ln"));
        assert_ne!(key("bitbuc\u{212a}et-admins"), key("bitbucket-admins"));
        assert_ne!(key("adm\u{130}ns"), key("admins"));
    }

    #[test]
    fn a_group_name_cannot_become_two_groups() {
        assert_eq!(GroupName::parse("a,b"), Err(Invalid::Character(Named(','))));
        assert!(GroupName::parse("Entwickler / Köln").is_ok());
    }
}
