//! What a sign-in would do, for people to read.

use super::plan::{Account, Plan, quoted};
use crate::identity::Username;
use std::fmt;

/// What a sign-in would do.
#[derive(Debug)]
pub struct Preview {
    /// Who the person is, or would be once made.
    pub username: Username,
    /// The account, if there is one.
    pub account: Option<Account>,
    /// What would be changed.
    pub plan: Plan,
}

/// For a terminal: the account, then the plan.
impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.account {
            Some(account) => {
                let name = quoted(&account.display_name);
                let email = quoted(&account.email);
                write!(f, "\"{}\" is there: name {name}", self.username)?;
                write!(f, ", e-mail address {email}")?;
                if let Some(directory) = &account.directory {
                    write!(f, ", directory {}", quoted(directory))?;
                }
                writeln!(f)?;
            }
            None => writeln!(f, "\"{}\" is not there yet", self.username)?,
        }
        self.plan.fmt(f)
    }
}
