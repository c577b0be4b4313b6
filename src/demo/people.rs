//! Who lives in the demo.

use serde_json::{Map, Value, json};

/// Somebody at the development provider.
#[derive(Debug, Clone)]
pub struct Person {
    /// The `sub` claim: it never changes, whatever else does.
    pub subject: String,
    /// Every other claim, sent as it is. `profile`, `email` and `groups` claims go out only when
    /// their scope was asked for; a claim of another name always does.
    pub claims: Map<String, Value>,
    /// What to expect of them, on their button.
    pub remark: String,
}

impl Person {
    /// Somebody with these claims. `claims` has to be an object; anything else counts as none.
    #[must_use]
    pub fn new(subject: &str, remark: &str, claims: Value) -> Self {
        let claims = match claims {
            Value::Object(claims) => claims,
            _ => Map::new(),
        };
        Self {
            subject: subject.to_owned(),
            claims,
            remark: remark.to_owned(),
        }
    }

    /// A claim that is text; `""` when it is missing or something else.
    #[must_use]
    pub fn text(&self, claim: &str) -> &str {
        self.claims
            .get(claim)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The `groups` claim, as far as it is an array of text.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        let groups = self.claims.get("groups").and_then(Value::as_array);
        groups.into_iter().flatten().filter_map(Value::as_str)
    }
}

/// The people of the demo: colleagues, contractors, and some who must not get in.
#[must_use]
pub fn people() -> Vec<Person> {
    vec![
        Person::new(
            "u-1001",
            "A developer. Nothing special: this is what a sign-in looks like.",
            json!({
                "preferred_username": "ana", "name": "Ana Souza",
                "given_name": "Ana", "family_name": "Souza",
                "email": "ana@example.com", "email_verified": true,
                "groups": ["bitbucket-users", "dev"],
            }),
        ),
        Person::new(
            "u-1002",
            "A tester, in other groups.",
            json!({
                "preferred_username": "ben", "name": "Ben Okafor",
                "given_name": "Ben", "family_name": "Okafor",
                "email": "ben@example.com", "email_verified": true,
                "groups": ["bitbucket-users", "qa"],
            }),
        ),
        Person::new(
            "u-1003",
            "The administrator.",
            json!({
                "preferred_username": "carla", "name": "Carla Rossi",
                "given_name": "Carla", "family_name": "Rossi",
                "email": "carla@example.com", "email_verified": true,
                "groups": ["bitbucket-users", "bitbucket-admins"],
            }),
        ),
        Person::new(
            "u-1004",
            "A name that plain ASCII cannot write.",
            json!({
                "preferred_username": "zoe", "name": "Zoë Łukaszewska",
                "given_name": "Zoë", "family_name": "Łukaszewska",
                "email": "zoe@example.com", "email_verified": true,
                "groups": ["bitbucket-users", "dev", "Übersetzung"],
            }),
        ),
        Person::new(
            "u-2001",
            "A contractor, with an address of another domain.",
            json!({
                "preferred_username": "dmitri", "name": "Dmitri Petrov",
                "given_name": "Dmitri", "family_name": "Petrov",
                "email": "dmitri@contractor.example", "email_verified": true,
                "groups": ["contractors"],
            }),
        ),
        Person::new(
            "u-2002",
            "Another person who is called ana as well. Whoever of the two signs in first keeps the name; the other is refused.",
            json!({
                "preferred_username": "Ana", "name": "Ana Lindqvist",
                "given_name": "Ana", "family_name": "Lindqvist",
                "email": "ana.lindqvist@contractor.example", "email_verified": true,
                "groups": ["contractors"],
            }),
        ),
        Person::new(
            "u-3001",
            "Refused: the provider says that the e-mail address is not verified.",
            json!({
                "preferred_username": "eve", "name": "Eve Moreau",
                "given_name": "Eve", "family_name": "Moreau",
                "email": "eve@example.com", "email_verified": false,
                "groups": ["bitbucket-users"],
            }),
        ),
        Person::new(
            "u-3002",
            "Refused: the e-mail address only looks as if it were of example.com.",
            json!({
                "preferred_username": "mallory", "name": "Mallory Finch",
                "given_name": "Mallory", "family_name": "Finch",
                "email": "mallory@example.com.elsewhere.example", "email_verified": true,
                "groups": ["bitbucket-users", "bitbucket-admins"],
            }),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_demo_has_the_people_that_it_promises() {
        let people = people();
        let subjects: BTreeSet<_> = people.iter().map(|p| &p.subject).collect();
        assert_eq!(subjects.len(), people.len());
        let called_ana = |p: &&Person| p.text("preferred_username").eq_ignore_ascii_case("ana");
        assert_eq!(people.iter().filter(called_ana).count(), 2);
        assert!(
            people
                .iter()
                .any(|p| p.claims.get("email_verified") == Some(&json!(false)))
        );
        assert!(people.iter().any(|p| !p.text("name").is_ascii()));
        assert!(
            people
                .iter()
                .any(|p| p.groups().any(|g| g == "bitbucket-admins"))
        );
    }
}
