//! Looking at a person's claims again, with a refresh token (RFC 6749 §6, OpenID Connect Core §12.2).
//!
//! It goes in two steps, because a refresh token may work once: what the first step brings has to be
//! kept before the second one can fail.

use super::error::Error;
use super::gathered::Gathered;
use super::jwt::{self, UnverifiedToken, Verified};
use super::metadata::Metadata;
use super::said::Token;
use super::subject::{self, Numbers};
use super::{Known, Provider, Renewal, Source, VerifiedClaims, id_token, issuer, token, userinfo};
use crate::config::Protocol;
use crate::telemetry::metrics::Phase;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The provider has taken a refresh token. Nothing is known about the person yet.
pub struct Renewed {
    metadata: Arc<Metadata>,
    tokens: token::Tokens,
    renewal: Renewal,
}

impl Renewed {
    /// What looks again the next time: another token where the provider rotates them, else the one
    /// that there was.
    #[must_use]
    pub const fn renewal(&self) -> &Renewal {
        &self.renewal
    }
}

impl Provider {
    /// Whether a session of this issuer may be one of this provider's. Before a refresh token is
    /// sent: the configuration may have given the provider's id to another one since.
    #[must_use]
    pub fn issues(&self, issuer: &str) -> bool {
        issuer::may_respond(&self.config, issuer)
    }

    /// Redeems a refresh token. One that is rotated works once: whoever calls this sees to it that
    /// nobody else does so with the same one.
    ///
    /// # Errors
    ///
    /// [`Error::ends_session`] says whether the provider refuses the person.
    pub async fn renew(&self, renewal: &Renewal) -> Result<Renewed, Error> {
        let metadata = self.metadata().await?;
        let credentials = self.proof.credentials(
            &self.config.client_id,
            metadata.token.as_str(),
            self.clock.now(),
        )?;
        let call = token::refresh(&self.http, &metadata.token, &renewal.token, credentials);
        let tokens = self.timed(Phase::ProviderToken, call).await?;
        let renewal = Renewal {
            token: tokens.refresh.clone().unwrap_or(renewal.token.clone()),
            expires_in: tokens.expires_in,
        };
        Ok(Renewed {
            metadata,
            tokens,
            renewal,
        })
    }

    /// The claims that a sign-in would have now. They must be about the same person.
    ///
    /// An answer need not bring an ID token. Then userinfo speaks, and the ID token of the sign-in
    /// for what userinfo leaves out: that much is as old as without any looking again, and a group
    /// that only ID tokens name is not lost by it.
    ///
    /// # Errors
    ///
    /// One for every way in which the answers can be wrong. Userinfo that is there has to answer:
    /// a part of the facts would take groups away.
    pub async fn look_again(
        &self,
        renewed: Renewed,
        known: Known<'_>,
    ) -> Result<VerifiedClaims, Error> {
        let Renewed {
            metadata,
            tokens,
            renewal,
        } = renewed;
        let mut gathered = match self.config.protocol {
            Protocol::Oidc => self.look_oidc(&metadata, &tokens, known).await?,
            Protocol::OAuth2 => self.look_oauth2(&metadata, &tokens, known).await?,
        };
        self.gather_further(&metadata, &tokens, &mut gathered)
            .await?;
        let subject = known.subject.to_owned();
        Ok(gathered.into_verified(known.issuer, subject, tokens.id, Some(renewal)))
    }

    async fn look_oidc(
        &self,
        metadata: &Metadata,
        tokens: &token::Tokens,
        known: Known<'_>,
    ) -> Result<Gathered, Error> {
        let before = known
            .id_token
            .and_then(|token| jwt::kept_claims(token.expose()));
        let fresh = match &tokens.id {
            Some(text) => {
                let text = text.expose();
                let access = tokens.access.expose();
                Some(
                    self.read_renewed(metadata, text, access, before.as_ref())
                        .await?,
                )
            }
            None => None,
        };
        let is_fresh = fresh.is_some();
        let claims = fresh.or(before).ok_or(Error::IdTokenMissing)?;
        let view = id_token::Claims {
            token: Token::Id,
            claims: &claims,
        };
        let issuer = issuer::accepted(&self.config, view)?;
        let (same_claim, same) = self.same_person(&claims)?;
        let userinfo = match &metadata.userinfo {
            Some(endpoint) => {
                let userinfo = self
                    .read_userinfo(metadata, &issuer, endpoint, tokens)
                    .await?;
                userinfo::check_subject(&userinfo, same_claim, &same)?;
                Some(userinfo)
            }
            None => None,
        };
        let gathered = match (is_fresh, userinfo) {
            (true, userinfo) => added(Source::IdToken, claims.clone(), Source::Userinfo, userinfo),
            (false, Some(userinfo)) => {
                let old = Some(claims.clone());
                added(Source::Userinfo, userinfo, Source::IdToken, old)
            }
            (false, None) => Gathered::new(Source::IdToken, claims.clone()),
        };
        let claim = self.config.subject_claim.as_str();
        let subject = subject::read(gathered.claims(), claim, Numbers::Refuse)?;
        same_as(known, issuer.pin(), &subject)?;
        Ok(gathered)
    }

    async fn look_oauth2(
        &self,
        metadata: &Metadata,
        tokens: &token::Tokens,
        known: Known<'_>,
    ) -> Result<Gathered, Error> {
        let endpoint = metadata.userinfo.as_ref().ok_or(Error::EndpointMissing {
            name: "userinfo_endpoint",
        })?;
        let claims = self.ask_userinfo(endpoint, tokens).await?.object()?;
        let view = id_token::Claims {
            token: Token::Userinfo,
            claims: &claims,
        };
        let issuer = issuer::accepted(&self.config, view)?;
        let subject = subject::read(&claims, &self.config.subject_claim, Numbers::Allow)?;
        same_as(known, issuer.pin(), &subject)?;
        Ok(Gathered::new(Source::Userinfo, claims))
    }

    async fn read_renewed(
        &self,
        metadata: &Metadata,
        text: &str,
        access_token: &str,
        before: Option<&Map<String, Value>>,
    ) -> Result<Map<String, Value>, Error> {
        let token = UnverifiedToken::parse(Token::Id, text, &metadata.id_token_algorithms)?;
        let Verified { claims, key_issuer } = self.verify(&token, metadata).await?;
        let view = id_token::Claims {
            token: Token::Id,
            claims: &claims,
        };
        let issuer = issuer::accepted(&self.config, view)?;
        let expected = id_token::Renewed {
            config: &self.config,
            issuer: &issuer,
            access_token,
            now: self.clock.now(),
            before,
        };
        id_token::check_renewed(&claims, token.algorithm(), &expected)?;
        self.check_key(&issuer, key_issuer.as_deref(), view)?;
        Ok(claims)
    }
}

fn added(
    first: Source,
    claims: Map<String, Value>,
    second: Source,
    others: Option<Map<String, Value>>,
) -> Gathered {
    let mut gathered = Gathered::new(first, claims);
    if let Some(others) = others {
        gathered.add(second, others);
    }
    gathered
}

fn same_as(known: Known<'_>, issuer: &str, subject: &str) -> Result<(), Error> {
    if known.issuer == issuer && known.subject == subject {
        Ok(())
    } else {
        Err(Error::AnotherPerson)
    }
}
