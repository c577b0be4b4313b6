//! How decisions speak of what others wrote.

use crate::identity::GroupName;
use crate::mapping;

/// More names than this are counted instead.
const LISTED: usize = 20;

pub(super) fn listed(groups: &[&GroupName]) -> String {
    let shown: Vec<_> = groups
        .iter()
        .take(LISTED)
        .map(|group| quoted(group.as_str()))
        .collect();
    let shown = shown.join(", ");
    match groups.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// More of somebody else's text than this is cut.
const LONGEST: usize = 255;

/// Somebody else's text in quotes, so that it can neither end the quotation nor disturb a terminal.
pub(in crate::provisioning) fn quoted(text: &str) -> String {
    let mut chars = text.chars();
    let mut shown: String = chars.by_ref().take(LONGEST).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    mapping::quoted(&shown)
}
