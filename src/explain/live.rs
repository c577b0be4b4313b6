//! What the pin and the target say, in words, and what to do about it.

use super::{Finding, Outcome, Report};
use crate::config::Config;
use crate::directory::{self, Standing, Subject};
use crate::identity::Username;
use crate::mapping::{Candidate, visible};
use crate::provisioning::{self, Preview};

/// What the pin says.
#[must_use]
pub fn pin(standing: &Standing, username: &Username) -> String {
    match standing {
        Standing::New => format!(
            "Nobody has signed in as \"{username}\" before. The first sign-in will bind the name to this subject."
        ),
        Standing::Known => {
            format!("This subject has signed in as \"{username}\" before, and the name is theirs.")
        }
        Standing::Linked { issuer } => format!(
            "A subject of \"{issuer}\" has the name \"{username}\", and users.link_by_verified_email takes the two for one person: both addresses are verified and the same."
        ),
    }
}

/// Who is there in the target.
#[must_use]
pub fn account(preview: &Preview, product: &str) -> String {
    let Some(account) = &preview.account else {
        return format!(
            "Nobody in {product} is this person. A sign-in would make the account \"{}\".",
            preview.username
        );
    };
    let mut text = format!("{product} knows \"{}\"", account.username);
    for fact in [&account.display_name, &account.email] {
        if !fact.is_empty() {
            text += &format!(", {fact}");
        }
    }
    if let Some(directory) = &account.directory {
        text += &format!(", of the directory \"{directory}\"");
    }
    if !account.mutable_details {
        text += "; name and address cannot be changed there";
    }
    if !account.mutable_groups {
        text += "; groups cannot be changed there";
    }
    text + "."
}

/// That the target failed, and that `provisioning.on_error` admits people all the same.
#[must_use]
pub fn unasked(error: &provisioning::Error) -> String {
    format!(
        "Not known: {}. provisioning.on_error is \"allow\", so that people come in all the same.",
        crate::telemetry::chain(error)
    )
}

impl Report {
    /// Puts the name of the account that was found in the place of the one that the claims give.
    pub fn rename(&mut self, config: &Config, candidate: &Candidate, username: &Username) {
        let mut candidate = candidate.clone();
        candidate.person.username = username.clone();
        self.person = Some(Outcome::of(config, &candidate));
    }
}

impl Finding {
    /// Why the pin refuses.
    #[must_use]
    pub fn of_pin(
        error: &directory::Error,
        provider: &str,
        subject: &Subject,
        username: &Username,
    ) -> Self {
        let relink = format!(
            "portcullis identities relink --provider {provider} --subject {} --issuer {} --username {username}",
            word(&subject.subject),
            // Only a provider with tenants needs it; elsewhere it says the same again.
            word(&subject.issuer),
        );
        let (code, advice) = match error {
            directory::Error::Taken { .. } => (
                "username_taken",
                format!(
                    "Find out whether both are the same person. If they are: {relink}. If they are not, give one of them another username at the provider, or map another claim."
                ),
            ),
            directory::Error::Renamed { .. } => (
                "username_changed",
                format!(
                    "If the person was renamed, and \"{username}\" in Bitbucket is theirs: {relink}"
                ),
            ),
            directory::Error::Store(_) => (
                "identity_store_failed",
                "See to the file that session.store names.".to_owned(),
            ),
        };
        Self {
            code: code.to_owned(),
            what: error.to_string(),
            cure: String::new(),
            advice: visible(&advice),
        }
    }

    /// Userinfo failed, and memberships depend on what it would have said.
    #[must_use]
    pub fn of_unknown_groups() -> Self {
        Self {
            code: "groups_unknown".to_owned(),
            what: "userinfo did not answer, so which groups the provider knows is not certain, and groups.keep_existing = false would remove the others".to_owned(),
            cure: String::new(),
            advice: "Look at the log for why userinfo failed. If it never answers, set userinfo = \"off\" for this provider.".to_owned(),
        }
    }

    /// Why the target refuses, or what failed there.
    #[must_use]
    pub fn of_target(error: &provisioning::Error) -> Self {
        let what = crate::telemetry::chain(error);
        let (cure, advice) = match error {
            provisioning::Error::Unknown { .. } => (
                "[users]\ncreate = true",
                "Or make the account in Bitbucket first, if it must not be made by a sign-in.",
            ),
            provisioning::Error::Ambiguous { .. } => (
                "[users]\nmatch_by = \"username\"",
                "Better: take the address from the accounts that should not have it.",
            ),
            provisioning::Error::NoMappedGroup => (
                "[groups]\nrequire_mapped_group_to_create = false",
                "Or put one of the person's groups into [groups.map].",
            ),
            _ if error.is_refusal() => ("", "The log and docs/provisioning.md say more."),
            _ => (
                "[provisioning]\non_error = \"allow\"",
                "That lets people in while provisioning fails; it does not mend it. See to the reason first.",
            ),
        };
        Self {
            code: error.code().to_owned(),
            what,
            cure: cure.to_owned(),
            advice: advice.to_owned(),
        }
    }
}

/// A shell's word. Subjects are the provider's text.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@=+".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}
