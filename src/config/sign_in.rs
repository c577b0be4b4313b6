//! `[sign_in]`

use super::SignIn;
use super::reader::{Read, Section};
use super::spec::Default::Value;
use super::spec::Shape::Flag;
use super::spec::{Table, key};

pub(super) static TABLE: Table = Table {
    doc: "The sign-in page.",
    keys: &[key(
        "enabled",
        Flag,
        Value("true"),
        "Off: the gateway only forwards, and Bitbucket's own login page serves. The emergency sign-in stays.",
    )],
};

pub(super) fn read(section: &Section<'_>) -> Read<SignIn> {
    let enabled = section.get::<bool>("enabled")?;
    if !enabled {
        section
            .spot_of("enabled")
            .warn("false: nobody is asked to sign in at the gateway");
    }
    Ok(SignIn { enabled })
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{Try, accepted, refused};

    #[test]
    fn sign_in_is_on_and_needs_a_provider() {
        assert!(accepted("").sign_in.enabled);
        Try::new("")
            .without_provider()
            .refused(&["1:1: providers: is missing: nobody could sign in"]);
        let config = Try::new("[sign_in]\nenabled = false")
            .without_provider()
            .accepted();
        assert!(!config.sign_in.enabled && config.providers.is_empty());
    }

    #[test]
    fn a_key_of_a_behaviour_that_does_not_exist_is_unknown() {
        refused(
            "[sign_in]\nauto_redirect = true",
            &["2:1: sign_in.auto_redirect: unknown key"],
        );
        refused(
            "[sign_in]\nenabled = 1",
            &["2:11: sign_in.enabled: must be true or false, not a number"],
        );
    }
}
