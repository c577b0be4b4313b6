//! Signing out at the provider too (OpenID Connect RP-Initiated Logout 1.0 §2), in the words that each
//! one has for it.

use super::Provider;
use super::error::Error;
use super::metadata::EndSession;
use super::said::Call;
use crate::random;
use crate::secret::Secret;
use http::StatusCode;
use std::time::Duration;
use url::Url;

/// Somebody who signs out does not wait long for a provider that is slow.
const PATIENCE: Duration = Duration::from_secs(2);

/// Servers commonly take 8 KiB of request line; a longer hint would break the whole sign-out.
const LONGEST_HINT: usize = 4096;

/// What becomes of the session at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Farewell {
    /// The provider is not told: it offers no such thing, or is not to be.
    Local,
    /// The browser goes there.
    At(Url),
    /// The provider does not answer. Where the browser would have gone, if that is known.
    Unreachable(Option<Url>),
}

impl Provider {
    /// Where the browser goes to sign out at the provider too. Makes no call that could hang a
    /// sign-out: metadata is used from the cache, or fetched within a short limit, and then the
    /// address itself is tried, without a person, so that nobody is sent to a page that is not there.
    pub async fn sign_out(&self, id_token: Option<&Secret<String>>, return_to: &Url) -> Farewell {
        if !self.config.logout {
            return Farewell::Local;
        }
        let metadata = match self.metadata.peek() {
            Some(entry) => entry.value,
            None => match tokio::time::timeout(PATIENCE, self.metadata()).await {
                Ok(Ok(metadata)) => metadata,
                _ => return Farewell::Unreachable(None),
            },
        };
        let Some(end_session) = &metadata.end_session else {
            return Farewell::Local;
        };
        let url = self.sign_out_address(end_session, id_token, return_to);
        let (EndSession::Oidc(bare) | EndSession::Cognito(bare) | EndSession::Auth0(bare)) =
            end_session;
        if self.answers(bare).await {
            Farewell::At(url)
        } else {
            Farewell::Unreachable(Some(url))
        }
    }

    /// Whether anything answers there. What it answers does not matter, as long as it is not a proxy
    /// that finds nobody behind itself.
    async fn answers(&self, url: &Url) -> bool {
        let call = self.http.get(Call::EndSession, url);
        match tokio::time::timeout(PATIENCE, call).await {
            Ok(Ok(answer)) => !matches!(
                answer.status(),
                StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            ),
            Ok(Err(Error::Unreachable { .. } | Error::Timeout { .. })) | Err(_) => false,
            Ok(Err(_)) => true,
        }
    }

    /// The address that the browser is sent to. The hint goes along even when it has expired: the
    /// provider wants to know who leaves, not whether they may.
    fn sign_out_address(
        &self,
        end_session: &EndSession,
        id_token: Option<&Secret<String>>,
        return_to: &Url,
    ) -> Url {
        let (EndSession::Oidc(url) | EndSession::Cognito(url) | EndSession::Auth0(url)) =
            end_session;
        let mut url = url.clone();
        let mut query = url.query_pairs_mut();
        query.append_pair("client_id", &self.config.client_id);
        match end_session {
            EndSession::Cognito(_) => {
                query.append_pair("logout_uri", return_to.as_str());
            }
            EndSession::Auth0(_) => {
                query.append_pair("returnTo", return_to.as_str());
            }
            EndSession::Oidc(_) => {
                let fits = |token: &&Secret<String>| token.expose().len() <= LONGEST_HINT;
                if let Some(hint) = id_token.filter(fits) {
                    query.append_pair("id_token_hint", hint.expose());
                }
                // Salesforce takes no return address, and an unregistered one is an error page
                // elsewhere.
                if self.config.logout_returns {
                    // Nothing hangs on the state that comes back: the session here has ended.
                    query
                        .append_pair("post_logout_redirect_uri", return_to.as_str())
                        .append_pair("state", &random::token());
                }
            }
        }
        drop(query);
        url
    }

    /// The origins from which this provider's pages may frame ours (OpenID Connect Front-Channel
    /// Logout 1.0 §2), and may sign somebody out without naming a session: its issuer's, and that of
    /// the page where people sign in.
    #[must_use]
    pub fn origins(&self) -> Vec<String> {
        let issuer = Url::parse(&self.config.issuer).ok();
        let metadata = self.metadata.peek();
        let authorization = match &metadata {
            Some(entry) => Some(entry.value.authorization.clone()),
            None => self.config.endpoints.authorization.clone(),
        };
        let mut origins: Vec<String> = Vec::with_capacity(2);
        for url in [issuer, authorization].into_iter().flatten() {
            let origin = url.origin();
            let text = origin.ascii_serialization();
            if origin.is_tuple() && !origins.contains(&text) {
                origins.push(text);
            }
        }
        origins
    }

    /// Whether this is the provider's issuer, in one of its spellings.
    #[must_use]
    pub fn is_issuer(&self, text: &str) -> bool {
        super::issuer::may_respond(&self.config, text)
    }
}
