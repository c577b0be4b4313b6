//! Name and e-mail address of somebody who has an account.

use super::words::quoted;
use super::{Account, AccountChange};
use crate::config::Users;
use crate::mapping::Candidate;

pub(super) fn update(
    account: &Account,
    candidate: &Candidate,
    users: &Users,
    changes: &mut Vec<String>,
    others: &mut Vec<String>,
) -> AccountChange {
    let username = &account.username;
    let mut differences = Vec::new();
    let mut display_name = account.display_name.clone();
    if let Some(name) = &candidate.person.display_name
        && name.as_str() != display_name
    {
        let (old, new) = (quoted(&display_name), quoted(name.as_str()));
        differences.push(format!("the name {old} becomes {new}"));
        display_name = name.as_str().to_owned();
    }
    let mut email = account.email.clone();
    if let Some(address) = &candidate.person.email
        && !address.as_str().eq_ignore_ascii_case(&email)
    {
        let old = quoted(&email);
        differences.push(format!("the e-mail address {old} becomes \"{address}\""));
        email = address.as_str().to_owned();
    }
    if differences.is_empty() {
        others.push(format!(
            "leave the profile of \"{username}\": what the provider says of it is there already"
        ));
        return AccountChange::Keep;
    }
    let differences = differences.join(", and ");
    let obstacle = if !users.update_profile {
        "users.update_profile is false".to_owned()
    } else if !account.mutable_details {
        read_only(account)
    } else if email.is_empty() {
        "a profile cannot be written without an e-mail address, and none is known".to_owned()
    } else {
        changes.push(format!("update \"{username}\": {differences}"));
        return AccountChange::Update {
            username: username.clone(),
            display_name,
            email,
        };
    };
    others.push(format!(
        "leave the profile of \"{username}\", in which {differences}: {obstacle}"
    ));
    AccountChange::Keep
}

/// Why an account cannot be changed.
pub(super) fn read_only(account: &Account) -> String {
    match &account.directory {
        Some(directory) => format!(
            "the account lives in {}, which cannot be written to",
            quoted(directory)
        ),
        None => "the account lives in a directory that cannot be written to".to_owned(),
    }
}
