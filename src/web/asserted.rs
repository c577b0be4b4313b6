//! What the upstream is told about a person, as header fields.

use crate::config::Identity;
use crate::identity::Person;
use http::HeaderName;
use std::borrow::Cow;

/// The identity fields of a person and their values, the user's first. The signed assertion is not
/// among them: its value is made when a request is forwarded.
pub fn asserted<'a>(
    identity: &'a Identity,
    person: &'a Person,
) -> impl Iterator<Item = (&'a HeaderName, Cow<'a, str>)> {
    let user = (&identity.user_header, person.username.as_str().into());
    let email = (identity.email_header.as_ref()).zip(person.email.as_ref());
    let name = (identity.name_header.as_ref()).zip(person.display_name.as_ref());
    let groups = (identity.groups_header.as_ref()).filter(|_| !person.groups.is_empty());
    std::iter::once(user)
        .chain(email.map(|(name, email)| (name, email.as_str().into())))
        .chain(name.map(|(name, full)| (name, full.as_str().into())))
        .chain(groups.map(|name| {
            let groups: Vec<&str> = person.groups.iter().map(|group| group.as_str()).collect();
            (name, groups.join(",").into())
        }))
}
