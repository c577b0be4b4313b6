//! Who administers the gateway.

use super::{How, Live, Visitor};
use crate::config::Config;

impl Live {
    /// Whether an emergency session has outlived its account or the backdoor, by the configuration
    /// in force: then it is worth nothing. A provider's session does not depend on either.
    #[must_use]
    pub fn is_orphaned(&self, config: &Config) -> bool {
        *self.how() == How::Backdoor && !self.is_administrator(config)
    }

    /// Whether this person may open the console and the test pages: a member of `admin.groups`, or
    /// an account of the backdoor. Asked at every request, of the configuration in force: whoever
    /// loses the group, the account or the backdoor loses this at once.
    #[must_use]
    pub fn is_administrator(&self, config: &Config) -> bool {
        let person = self.person();
        match self.how() {
            How::Backdoor => {
                let name = person.username.as_str();
                let accounts = &config.backdoor.accounts;
                config.backdoor.enabled
                    && accounts
                        .iter()
                        .any(|account| account.username.as_str().eq_ignore_ascii_case(name))
            }
            How::Provider { .. } => {
                let wanted = &config.admin.groups;
                person.groups.iter().any(|group| wanted.contains(group))
            }
        }
    }
}

impl Visitor {
    /// The session, if it is an administrator's.
    #[must_use]
    pub fn administrator(&self, config: &Config) -> Option<&Live> {
        match self {
            Self::Known(live) if live.is_administrator(config) => Some(live),
            _ => None,
        }
    }
}
