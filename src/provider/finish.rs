//! From the code to the claims: the second half of a sign-in.

use super::error::Error;
use super::fetch::Answer;
use super::gathered::Gathered;
use super::issuer::{self, Accepted};
use super::jwt::{UnverifiedToken, Verified};
use super::metadata::Metadata;
use super::response::Granted;
use super::said::{Call, Token};
use super::subject::Numbers;
use super::{
    Attempt, Provider, Renewal, Source, VerifiedClaims, algorithm, id_token, subject, token,
    userinfo,
};
use crate::config::{self, Userinfo};
use crate::secret::Secret;
use crate::telemetry::metrics::Phase;
use serde_json::{Map, Value};
use url::Url;

/// What userinfo told.
enum Told {
    Facts(Map<String, Value>),
    /// It failed, and may.
    Failed,
    /// There is none.
    Nowhere,
}

impl Provider {
    pub(super) async fn exchange(
        &self,
        metadata: &Metadata,
        attempt: &Attempt,
        code: &str,
    ) -> Result<token::Tokens, Error> {
        let credentials = self.proof.credentials(
            &self.config.client_id,
            metadata.token.as_str(),
            self.clock.now(),
        )?;
        let grant = token::Grant {
            endpoint: &metadata.token,
            code,
            redirect_uri: &self.redirect_uri,
            verifier: attempt.verifier(),
        };
        self.timed(
            Phase::ProviderToken,
            token::exchange(&self.http, grant, credentials),
        )
        .await
    }

    pub(super) async fn finish_oidc(
        &self,
        metadata: &Metadata,
        attempt: &Attempt,
        granted: Granted<'_>,
        tokens: token::Tokens,
    ) -> Result<VerifiedClaims, Error> {
        let id_token = tokens.id.as_ref().ok_or(Error::IdTokenMissing)?;
        let token =
            UnverifiedToken::parse(Token::Id, id_token.expose(), &metadata.id_token_algorithms)?;
        let Verified { claims, key_issuer } = self.verify(&token, metadata).await?;
        let view = id_token::Claims {
            token: Token::Id,
            claims: &claims,
        };
        let issuer = issuer::accepted(&self.config, view)?;
        let expected = id_token::Expected {
            config: &self.config,
            issuer: &issuer,
            attempt,
            code: granted.code,
            access_token: tokens.access.expose(),
            now: self.clock.now(),
        };
        id_token::check(&claims, token.algorithm(), &expected)?;
        self.check_key(&issuer, key_issuer.as_deref(), view)?;
        issuer.check_response(granted.issuer)?;

        let subject_claim = self.config.subject_claim.as_str();
        let (same_claim, same) = self.same_person(&claims)?;
        let mut gathered = Gathered::new(Source::IdToken, claims);
        match self.userinfo(metadata, &issuer, &tokens).await? {
            Told::Facts(userinfo) => {
                userinfo::check_subject(&userinfo, same_claim, &same)?;
                gathered.add(Source::Userinfo, userinfo);
            }
            Told::Failed => gathered.without_userinfo(),
            Told::Nowhere => {}
        }
        // Before anything else is fetched: who it is, tokens and userinfo settle alone.
        let subject = match subject_claim {
            claim if claim == same_claim => same,
            claim => subject::read(gathered.claims(), claim, Numbers::Refuse)?,
        };
        self.gather_further(metadata, &tokens, &mut gathered)
            .await?;
        let renewal = self.renewal(&tokens);
        Ok(gathered.into_verified(issuer.pin(), subject, tokens.id, renewal))
    }

    /// Plain OAuth 2.0: the access token came straight from the token endpoint, and userinfo says
    /// whose it is. An ID token that comes along is not looked at.
    pub(super) async fn finish_oauth2(
        &self,
        metadata: &Metadata,
        granted: Granted<'_>,
        tokens: token::Tokens,
    ) -> Result<VerifiedClaims, Error> {
        let endpoint = metadata.userinfo.as_ref().ok_or(Error::EndpointMissing {
            name: "userinfo_endpoint",
        })?;
        let claims = self.ask_userinfo(endpoint, &tokens).await?.object()?;
        let issuer = issuer::accepted(
            &self.config,
            id_token::Claims {
                token: Token::Userinfo,
                claims: &claims,
            },
        )?;
        issuer.check_response(granted.issuer)?;
        let subject = subject::read(&claims, &self.config.subject_claim, Numbers::Allow)?;
        let mut gathered = Gathered::new(Source::Userinfo, claims);
        self.gather_further(metadata, &tokens, &mut gathered)
            .await?;
        let renewal = self.renewal(&tokens);
        Ok(gathered.into_verified(issuer.pin(), subject, None, renewal))
    }

    /// The claim by which ID token and userinfo must agree, and what it says.
    pub(super) fn same_person(&self, claims: &Map<String, Value>) -> Result<(&str, String), Error> {
        let subject_claim = self.config.subject_claim.as_str();
        match subject::read(claims, "sub", Numbers::Refuse) {
            // Azure AD B2C's old policies give everybody this one, and tell people apart by another.
            Err(Error::SubjectUnusable { .. }) if subject_claim != "sub" => Ok((
                subject_claim,
                subject::read(claims, subject_claim, Numbers::Refuse)?,
            )),
            subject => Ok(("sub", subject?)),
        }
    }

    /// What looks again later, if that is wanted and the provider gave it.
    pub(super) fn renewal(&self, tokens: &token::Tokens) -> Option<Renewal> {
        let token = tokens.refresh.clone().filter(|_| self.config.refresh)?;
        Some(Renewal {
            token,
            expires_in: tokens.expires_in,
        })
    }

    /// Userinfo, where there is one and it answers.
    async fn userinfo(
        &self,
        metadata: &Metadata,
        issuer: &Accepted,
        tokens: &token::Tokens,
    ) -> Result<Told, Error> {
        let Some(endpoint) = &metadata.userinfo else {
            return Ok(Told::Nowhere);
        };
        match self.read_userinfo(metadata, issuer, endpoint, tokens).await {
            // The ID token says who it is. An endpoint that is down or refuses the token
            // (ADFS does) costs facts, not the sign-in; one that lies costs the sign-in.
            Err(
                error @ (Error::Unreachable { .. } | Error::Timeout { .. } | Error::Status { .. }),
            ) if self.config.userinfo == Userinfo::Optional => {
                tracing::warn!(
                    provider.id = self.config.id,
                    error = crate::telemetry::chain(&error),
                    "the sign-in goes on without userinfo"
                );
                Ok(Told::Failed)
            }
            answer => answer.map(Told::Facts),
        }
    }

    /// Userinfo as JSON, or as a signed JWT when its type says so.
    pub(super) async fn read_userinfo(
        &self,
        metadata: &Metadata,
        issuer: &Accepted,
        endpoint: &Url,
        tokens: &token::Tokens,
    ) -> Result<Map<String, Value>, Error> {
        let answer = self.ask_userinfo(endpoint, tokens).await?;
        let Some(text) = answer.jwt() else {
            return answer.object();
        };
        let token = UnverifiedToken::parse(Token::Userinfo, text, &metadata.userinfo_algorithms)?;
        let Verified { claims, key_issuer } = self.verify(&token, metadata).await?;
        let view = id_token::Claims {
            token: Token::Userinfo,
            claims: &claims,
        };
        userinfo::check_envelope(&claims, &self.config, issuer, self.clock.now())?;
        self.check_key(issuer, key_issuer.as_deref(), view)?;
        Ok(claims)
    }

    pub(super) async fn ask_userinfo(
        &self,
        endpoint: &Url,
        tokens: &token::Tokens,
    ) -> Result<Answer, Error> {
        let bearer = token::bearer(&tokens.access)?;
        let call = self.http.get_as_bearer(Call::Userinfo, endpoint, &bearer);
        let answer = self
            .timed(Phase::ProviderUserinfo, call)
            .await?
            .into_success()?;
        // Slack wraps what it refuses in a 200 here, too.
        let refused = |answer: &Answer| {
            let said = answer.json().ok()?.get("ok")?.as_bool()?;
            (!said).then(|| answer.failure())
        };
        match refused(&answer) {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }

    /// Where tenants share a set of keys, a key may still belong to one of them.
    pub(super) fn check_key(
        &self,
        issuer: &Accepted,
        key: Option<&str>,
        claims: id_token::Claims<'_>,
    ) -> Result<(), Error> {
        if issuer::is_template(&self.config.issuer) {
            issuer.check_key(key, claims)
        } else {
            Ok(())
        }
    }

    /// Checks a signature. A key that is not known yet, or that no longer fits, may be a rotation:
    /// one fresh look at the key set settles it.
    pub(super) async fn verify(
        &self,
        token: &UnverifiedToken<'_>,
        metadata: &Metadata,
    ) -> Result<Verified, Error> {
        if algorithm::is_hmac(token.algorithm()) {
            return token.verify_hmac(&self.client_secret());
        }
        let url = metadata
            .jwks
            .as_ref()
            .ok_or(Error::EndpointMissing { name: "jwks_uri" })?;
        let keys = self.keys(url).await?;
        match token.verify(&keys.value) {
            Err(
                error @ (Error::UnknownKey { .. }
                | Error::KeyMismatch { .. }
                | Error::BadSignature { .. }),
            ) => match self.keys.renew(&keys, self.fetch_keys(url)).await {
                Some(renewed) => token.verify(&renewed.value),
                None => Err(error),
            },
            settled => settled,
        }
    }

    /// What HMACs are keyed with. Without a secret it is empty, and every HMAC is refused as weak.
    fn client_secret(&self) -> Secret<String> {
        match &self.config.client_auth {
            config::ClientAuth::Basic(secret) | config::ClientAuth::Post(secret) => secret.clone(),
            config::ClientAuth::PrivateKeyJwt { .. }
            | config::ClientAuth::AppleJwt { .. }
            | config::ClientAuth::None => Secret::new(String::new()),
        }
    }
}
