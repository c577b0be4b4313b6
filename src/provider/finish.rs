//! From the code to the claims: the second half of a sign-in.

use super::error::Error;
use super::fetch::Answer;
use super::jwt::UnverifiedToken;
use super::metadata::Metadata;
use super::said::{Call, Token};
use super::subject::Numbers;
use super::{
    Attempt, Provider, VerifiedClaims, algorithm, github, id_token, probe, subject, token, userinfo,
};
use crate::config::{self, Userinfo};
use crate::secret::Secret;
use crate::telemetry::metrics::Phase;
use http::HeaderValue;
use serde_json::{Map, Value};
use url::Url;

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
        code: &str,
        tokens: token::Tokens,
    ) -> Result<VerifiedClaims, Error> {
        let id_token = tokens.id.ok_or(Error::IdTokenMissing)?;
        let token =
            UnverifiedToken::parse(Token::Id, id_token.expose(), &metadata.id_token_algorithms)?;
        let mut claims = self.verify(&token, metadata).await?;
        id_token::check(
            &claims,
            token.algorithm(),
            &id_token::Expected {
                config: &self.config,
                attempt,
                code,
                access_token: tokens.access.expose(),
                now: self.clock.now(),
            },
        )?;
        let subject = subject::read(&claims, "sub", Numbers::Refuse)?;
        if let Some(endpoint) = &metadata.userinfo {
            let bearer = token::bearer(&tokens.access)?;
            match self.userinfo(metadata, endpoint, &bearer).await {
                Ok(userinfo) => {
                    userinfo::check_subject(&userinfo, &subject)?;
                    userinfo::merge(&mut claims, userinfo);
                }
                // The ID token says who it is. An endpoint that is down or refuses the token
                // (ADFS does) costs facts, not the sign-in; one that lies costs the sign-in.
                Err(
                    error @ (Error::Unreachable { .. }
                    | Error::Timeout { .. }
                    | Error::Status { .. }),
                ) if self.config.userinfo == Userinfo::Optional => {
                    tracing::warn!(
                        provider.id = self.config.id,
                        error = probe::chain(&error),
                        "the sign-in goes on without userinfo"
                    );
                }
                Err(error) => return Err(error),
            }
        }
        let subject = match self.config.subject_claim.as_str() {
            "sub" => subject,
            claim => subject::read(&claims, claim, Numbers::Refuse)?,
        };
        Ok(VerifiedClaims {
            issuer: self.config.issuer.clone(),
            subject,
            claims,
            id_token: Some(id_token),
        })
    }

    /// Plain OAuth 2.0: the access token came straight from the token endpoint, and userinfo says
    /// whose it is. An ID token that comes along is not looked at.
    pub(super) async fn finish_oauth2(
        &self,
        metadata: &Metadata,
        tokens: &token::Tokens,
    ) -> Result<VerifiedClaims, Error> {
        let endpoint = metadata.userinfo.as_ref().ok_or(Error::EndpointMissing {
            name: "userinfo_endpoint",
        })?;
        let bearer = token::bearer(&tokens.access)?;
        let answer = self.ask(Call::Userinfo, endpoint, &bearer).await?;
        let mut claims = answer.object()?;
        // Some wrap an error in a 200 here, too.
        if claims.get("ok") == Some(&Value::Bool(false)) {
            return Err(answer.failure());
        }
        let subject = subject::read(&claims, &self.config.subject_claim, Numbers::Allow)?;
        if self.config.preset == "github" {
            github::add_email(&self.http, endpoint, &bearer, &mut claims).await;
        }
        Ok(VerifiedClaims {
            issuer: self.config.issuer.clone(),
            subject,
            claims,
            id_token: None,
        })
    }

    /// Userinfo as JSON, or as a signed JWT when its type says so.
    async fn userinfo(
        &self,
        metadata: &Metadata,
        endpoint: &Url,
        bearer: &HeaderValue,
    ) -> Result<Map<String, Value>, Error> {
        let answer = self.ask(Call::Userinfo, endpoint, bearer).await?;
        let Some(text) = answer.jwt() else {
            return answer.object();
        };
        let token = UnverifiedToken::parse(Token::Userinfo, text, &metadata.userinfo_algorithms)?;
        let claims = self.verify(&token, metadata).await?;
        userinfo::check_envelope(&claims, &self.config, self.clock.now())?;
        Ok(claims)
    }

    async fn ask(&self, call: Call, url: &Url, bearer: &HeaderValue) -> Result<Answer, Error> {
        self.timed(
            Phase::ProviderUserinfo,
            self.http.get_as_bearer(call, url, bearer),
        )
        .await?
        .into_success()
    }

    /// Checks a signature. A key that is not known yet, or that no longer fits, may be a rotation:
    /// one fresh look at the key set settles it.
    async fn verify(
        &self,
        token: &UnverifiedToken<'_>,
        metadata: &Metadata,
    ) -> Result<Map<String, Value>, Error> {
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
            config::ClientAuth::PrivateKeyJwt { .. } | config::ClientAuth::None => {
                Secret::new(String::new())
            }
        }
    }
}
