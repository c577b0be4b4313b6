//! What a request brings in `Authorization`, before anybody checks whether it is true.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, header};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What a request brings in `Authorization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credentials {
    /// Nothing.
    Missing,
    /// Something that Bitbucket would have to check.
    Present,
    /// Something that Bitbucket could overlook and so treat the request as a stranger's. It opens
    /// nothing: else `Authorization: x` would be the way around the sign-in to every page of
    /// Bitbucket's that asks for none.
    Malformed,
}

impl Credentials {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Self::Missing;
        };
        let sound = values.next().is_none() && value.to_str().is_ok_and(is_well_formed);
        if sound {
            Self::Present
        } else {
            Self::Malformed
        }
    }
}

/// The schemes that Bitbucket checks (RFC 7617, RFC 6750, RFC 5849), with something in them.
fn is_well_formed(value: &str) -> bool {
    let Some((scheme, rest)) = value.split_once(' ') else {
        return false;
    };
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = BASE64.decode(rest).unwrap_or_default();
        pair.iter()
            .position(|byte| *byte == b':')
            .is_some_and(|at| at > 0)
    } else if scheme.eq_ignore_ascii_case("bearer") {
        let token = rest.trim_end_matches('=');
        !token.is_empty()
            && token
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
    } else if scheme.eq_ignore_ascii_case("oauth") {
        rest.contains("oauth_consumer_key=") && rest.contains("oauth_signature=")
    } else {
        false
    }
}
