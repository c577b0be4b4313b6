//! Whether refresh tokens are used, and what asks for one.
//!
//! Unless the file says so, none is asked for: an application that is not registered for it would be
//! refused with `invalid_scope` at every provider that is strict, and others show people a page of
//! consent that they have never seen. What a provider gives of itself is used.

use crate::config::presets::Preset;
use std::collections::BTreeMap;

/// Whether a refresh token is used. Adds what asks for one, if the file wants that; what the file
/// says about a parameter itself stays.
pub(super) fn ask(
    preset: &Preset,
    written: Option<bool>,
    scopes: &mut Vec<String>,
    params: &mut BTreeMap<String, String>,
) -> bool {
    let asking = &preset.refresh;
    if written == Some(true) {
        for scope in asking.scopes {
            if !scopes.iter().any(|known| known == scope) {
                scopes.push((*scope).to_owned());
            }
        }
        for (name, value) in asking.params {
            let known = params.entry((*name).to_owned());
            known.or_insert_with(|| (*value).to_owned());
        }
    }
    written.unwrap_or(asking.unasked)
}
