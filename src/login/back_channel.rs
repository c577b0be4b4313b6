//! The provider says, server to server, that somebody has signed out (OpenID Connect Back-Channel
//! Logout 1.0).
//!
//! There is no cookie and no person here: what the token proves is all there is. The answer is 200 or
//! 400 (§2.8), and nobody keeps it.

use super::Login;
use crate::session::{Summary, Which};
use crate::telemetry::audit::Event;
use crate::web::{Context, Response, fields};
use axum::body::Body;
use http::{HeaderValue, StatusCode, header};

const FORM: &str = "application/x-www-form-urlencoded";

impl Login {
    /// `POST {prefix}/backchannel-logout/{provider}`: ends the sessions that the logout token names.
    pub async fn back_channel(&self, context: &Context, provider: &str, form: &[u8]) -> Response {
        let Some(provider) = self.provider(provider) else {
            // The id may be anything; it is not repeated.
            return self.not_logged_out(context, None, "unknown_provider", "no such provider");
        };
        let id = provider.config().id.as_str();
        let is_form = context
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .and_then(|kind| kind.split(';').next())
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case(FORM));
        if !is_form {
            return self.not_logged_out(context, Some(id), "not_a_form", "the body is not a form");
        }
        let form = fields(form);
        let mut tokens = form.iter().filter(|(name, _)| name == "logout_token");
        let (Some((_, token)), None) = (tokens.next(), tokens.next()) else {
            let detail = "there is no logout_token, or more than one";
            return self.not_logged_out(context, Some(id), "logout_token_missing", detail);
        };
        let token = match provider.logout_token(token).await {
            Ok(token) => token,
            Err(error) => {
                let detail = crate::telemetry::chain(&error);
                return self.not_logged_out(context, Some(id), error.code(), &detail);
            }
        };
        let which = Which::Subject {
            provider: id.to_owned(),
            issuer: Some(token.issuer.clone()),
            subject: token.subject.clone(),
            sid: token.sid.clone(),
        };
        match self.parts.sessions.revoke(&which).await {
            Ok(ended) => {
                self.ended_elsewhere(context, id, "back_channel_logout", &ended);
                let mut response = Response::new(Body::empty());
                never_kept(&mut response);
                response
            }
            Err(error) => {
                // The provider may try again, with the same token.
                provider.take_back(&token);
                let detail = crate::telemetry::chain(&error);
                self.not_logged_out(context, Some(id), "session_store_failed", &detail)
            }
        }
    }

    /// Notes the sessions that a provider has ended. None is fine: they may have ended before.
    pub(super) fn ended_elsewhere(
        &self,
        context: &Context,
        provider: &str,
        reason: &str,
        ended: &[Summary],
    ) {
        tracing::info!(
            request.id = context.id.as_str(),
            provider,
            sessions = ended.len(),
            reason,
            "a sign-out at the provider"
        );
        for session in ended {
            let event = Event::SessionEnded {
                username: session.username.as_str().to_owned(),
                provider: provider.to_owned(),
                reason: reason.to_owned(),
                detail: format!("session {}", session.handle),
            };
            self.parts.audit.record(&context.origin(), event);
        }
    }

    fn not_logged_out(
        &self,
        context: &Context,
        provider: Option<&str>,
        code: &'static str,
        detail: &str,
    ) -> Response {
        tracing::warn!(
            request.id = context.id.as_str(),
            code,
            provider,
            ?detail,
            "a back-channel logout was refused"
        );
        let event = Event::Refusal {
            reason: code.to_owned(),
            detail: format!("back-channel logout: {detail}"),
            provider: provider.map(str::to_owned),
            username: None,
        };
        self.parts.audit.record(&context.origin(), event);
        let body = serde_json::json!({
            "error": "invalid_request",
            "error_description": code,
            "request_id": context.id.as_str(),
        });
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        let kind = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        never_kept(&mut response);
        response
    }
}

/// §2.8 asks for it.
pub(super) fn never_kept(response: &mut Response) {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
}
