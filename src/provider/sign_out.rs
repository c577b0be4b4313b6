//! Signing out at the provider too (OpenID Connect RP-Initiated Logout 1.0 §2).

use crate::config;
use crate::random;
use crate::secret::Secret;
use url::Url;

/// Servers commonly take 8 KiB of request line; a longer hint would break the whole sign-out.
const LONGEST_HINT: usize = 4096;

/// The address that the browser is sent to. The hint goes along even when it has expired: the
/// provider wants to know who leaves, not whether they may.
pub(super) fn url(
    config: &config::Provider,
    end_session: &Url,
    id_token: Option<&Secret<String>>,
    return_to: &Url,
) -> Url {
    let mut url = end_session.clone();
    let mut query = url.query_pairs_mut();
    query.append_pair("client_id", &config.client_id);
    if let Some(hint) = id_token.filter(|token| token.expose().len() <= LONGEST_HINT) {
        query.append_pair("id_token_hint", hint.expose());
    }
    // Salesforce takes no return address, and an unregistered one is an error page elsewhere.
    if config.logout_returns {
        // Nothing hangs on the state that comes back: the session here has ended already.
        query
            .append_pair("post_logout_redirect_uri", return_to.as_str())
            .append_pair("state", &random::token());
    }
    drop(query);
    url
}
