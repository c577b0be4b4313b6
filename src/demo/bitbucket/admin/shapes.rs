//! People and groups as answers show them.

use crate::demo::bitbucket::register::{Group, Person, Register};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// What everybody sees of somebody.
pub(super) fn user(person: &Person, base: &str) -> Value {
    let slug = utf8_percent_encode(&person.slug, NON_ALPHANUMERIC);
    let mut user = json!({
        "id": person.id, "name": person.username, "slug": person.slug,
        "displayName": person.name, "active": person.active, "type": "NORMAL",
        "links": { "self": [{ "href": format!("{base}/users/{slug}") }] },
    });
    if !person.email.is_empty() {
        put(&mut user, "emailAddress", person.email.as_str().into());
    }
    user
}

/// What an administrator sees besides.
pub(super) fn detailed(register: &Register, person: &Person, base: &str) -> Value {
    let mut user = user(person, base);
    let writable = register.writable(person.directory);
    put(&mut user, "directoryName", person.directory.name().into());
    put(&mut user, "deletable", writable.details.into());
    put(&mut user, "mutableDetails", writable.details.into());
    put(&mut user, "mutableGroups", writable.groups.into());
    // Who has never been there has no time.
    if let Some(at) = person.authenticated {
        put(
            &mut user,
            "lastAuthenticationTimestamp",
            at.as_millis().into(),
        );
    }
    user
}

pub(super) fn group(register: &Register, group: &Group) -> Value {
    let deletable = register.writable(group.directory).groups;
    json!({ "name": group.name, "deletable": deletable })
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}
