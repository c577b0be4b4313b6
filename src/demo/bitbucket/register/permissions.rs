//! Global permissions: each has all that is before it.

use super::Register;
use crate::demo::bitbucket::refusal::Refusal;

/// A global permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// May log in, and takes a seat of the licence.
    LicensedUser,
    /// May make projects.
    ProjectCreate,
    /// May look after people and groups.
    Admin,
    /// May do everything.
    SysAdmin,
}

impl Permission {
    /// From the least.
    pub(crate) const ALL: [Self; 4] = [
        Self::LicensedUser,
        Self::ProjectCreate,
        Self::Admin,
        Self::SysAdmin,
    ];

    /// As the interface writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LicensedUser => "LICENSED_USER",
            Self::ProjectCreate => "PROJECT_CREATE",
            Self::Admin => "ADMIN",
            Self::SysAdmin => "SYS_ADMIN",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }
}

impl Register {
    /// Gives a group this permission in place of the one it has; none: takes it.
    pub(crate) fn grant_to_group(
        &mut self,
        name: &str,
        permission: Option<Permission>,
    ) -> Result<(), Refusal> {
        self.group_mut(name)?.granted = permission;
        Ok(())
    }

    /// The same for one person.
    pub(crate) fn grant_to_person(
        &mut self,
        username: &str,
        permission: Option<Permission>,
    ) -> Result<(), Refusal> {
        let id = self.person(username)?.id;
        if let Some(person) = self.people.iter_mut().find(|person| person.id == id) {
            person.granted = permission;
        }
        Ok(())
    }
}
