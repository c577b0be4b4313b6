//! The sign-out, and who is signed in.

use super::Login;
use crate::provider::Farewell;
use crate::session::{How, Visitor};
use crate::telemetry::audit::{Event, rfc3339};
use crate::web::{Audience, Context, FormTargets, Problem, Response, cookies, see_other};
use axum::body::Body;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use minijinja::context;
use url::Url;

impl Login {
    /// `GET {prefix}/logout`: asks. A link alone, which anybody can put anywhere, signs nobody out.
    #[must_use]
    pub fn sign_out_page(&self, context: &Context, visitor: &Visitor) -> Response {
        let username = match visitor {
            Visitor::Known(live) => Some(live.person().username.to_string()),
            Visitor::Stranger => None,
        };
        self.parts.pages.render(
            context,
            "sign-out.html",
            StatusCode::OK,
            FormTargets::Provider,
            context! { username, back => "/" },
        )
    }

    /// `POST {prefix}/logout`: ends the gateway's session, Bitbucket's, and then the provider's.
    ///
    /// A page elsewhere cannot sign anybody out: its form brings no `SameSite=Lax` cookie, and is
    /// refused besides.
    pub async fn sign_out(&self, context: &Context, visitor: &Visitor) -> Response {
        if context.from_own_page(&self.config.server.public_url) {
            return self.end(context, visitor).await;
        }
        let problem = Problem::told(StatusCode::FORBIDDEN, "cross_site_sign_out")
            .action("action.sign_out", self.address("/logout"));
        tracing::warn!(
            request.id = context.id.as_str(),
            code = problem.code,
            "a sign-out from another site was refused"
        );
        self.show(context, &problem)
    }

    /// Bitbucket's own sign-out address: at once for the click in its menu, and the page that asks
    /// for everything that might be somebody else's link, image or prefetch.
    pub async fn bitbucket_sign_out(&self, context: &Context, visitor: &Visitor) -> Response {
        if context.is_own_navigation(&self.config.server.public_url) {
            self.end(context, visitor).await
        } else {
            self.sign_out_page(context, visitor)
        }
    }

    /// `GET {prefix}/signed-out`: where a sign-out lands, also the provider's. It never signs in by
    /// itself, and works for strangers.
    #[must_use]
    pub fn signed_out(&self, context: &Context, visitor: &Visitor) -> Response {
        if let Visitor::Known(_) = visitor {
            return self.sign_out_page(context, visitor);
        }
        let mut response = match self.landing() {
            Some(elsewhere) => see_other(elsewhere.as_str()),
            None => self.parts.pages.render(
                context,
                "signed-out.html",
                StatusCode::OK,
                FormTargets::Nowhere,
                context! {},
            ),
        };
        // Once more: the provider may have kept the person longer than the first one lives.
        super::set_cookies(&mut response, &self.remember_leaving());
        response
    }

    /// `GET {prefix}/me`: who this is, for scripts and for people who wonder.
    #[must_use]
    pub fn me(&self, context: &Context, visitor: &Visitor) -> Response {
        let Visitor::Known(live) = visitor else {
            let problem = Problem::told(StatusCode::UNAUTHORIZED, "not_signed_in")
                // RFC 9110 §15.5.2 asks for a challenge; this one makes no browser prompt.
                .header(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Cookie realm=\"portcullis\""),
                );
            return self
                .parts
                .pages
                .problem(&problem, Audience::Machine, context);
        };
        let person = live.person();
        let body = serde_json::json!({
            "username": person.username,
            "email": person.email,
            "display_name": person.display_name,
            "groups": person.groups,
            "provider": live.how().provider(),
            "signed_in_at": rfc3339(live.signed_in_at()),
            "expires_at": rfc3339(live.expires_at()),
        });
        let mut response = Response::new(Body::from(body.to_string()));
        for (name, value) in [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        response
    }

    async fn end(&self, context: &Context, visitor: &Visitor) -> Response {
        let mut ended = Ok(());
        if let Visitor::Known(live) = visitor {
            ended = self.parts.sessions.end(live).await;
            self.parts.audit.record(
                &context.origin(),
                Event::SignOut {
                    username: live.person().username.as_str().to_owned(),
                    provider: live.how().provider().to_owned(),
                },
            );
        }
        // The two wait for others, for a few seconds at most, so they wait together.
        let (farewell, ()) = tokio::join!(
            self.provider_sign_out(visitor),
            self.end_upstream_session(context)
        );
        let mut response = match (ended, farewell) {
            (Ok(()), Farewell::At(url)) => see_other(url.as_str()),
            (Ok(()), Farewell::Local) => {
                let own = self.address("/signed-out");
                see_other(self.landing().map_or(own.as_str(), Url::as_str))
            }
            (Ok(()), Farewell::Unreachable(url)) => self.only_here(context, visitor, url),
            (Err(error), _) => self.half_signed_out(context, &error),
        };
        super::set_cookies(&mut response, [&self.parts.sessions.removal()]);
        super::set_cookies(&mut response, &self.remember_leaving());
        super::set_cookies(&mut response, &self.leftovers);
        response
    }

    pub(super) async fn end_upstream_session(&self, context: &Context) {
        if self.leftovers.is_empty() {
            return;
        }
        // Bitbucket never sees our cookies, here as little as elsewhere.
        let mut fields = HeaderMap::new();
        for value in context.headers.get_all(header::COOKIE) {
            fields.append(header::COOKIE, value.clone());
        }
        let own = cookies::own_names(self.parts.sessions.cookie_name());
        cookies::cut(&mut fields, |name| {
            own.iter().any(|own| own.as_bytes() == name)
        });
        if !fields.is_empty() {
            self.parts.upstream.end_bitbucket_session(&fields).await;
        }
    }

    /// What becomes of the session at the provider, if that is wanted (RP-Initiated Logout 1.0 §2).
    async fn provider_sign_out(&self, visitor: &Visitor) -> Farewell {
        let Visitor::Known(live) = visitor else {
            return Farewell::Local;
        };
        // Whatever a provider may be called, the emergency sign-in is none.
        if *live.how() == How::Backdoor || !self.config.sign_out.provider_logout {
            return Farewell::Local;
        }
        // Gone from the configuration since the sign-in: nothing to do there.
        let Some(provider) = self.provider(live.how().provider()) else {
            return Farewell::Local;
        };
        let public = &self.config.server.public_url.url;
        match public.join(&self.address("/signed-out")) {
            Ok(return_to) => provider.sign_out(live.id_token(), &return_to).await,
            Err(_) => Farewell::Local,
        }
    }

    /// The session here is over; the one at the provider may not be.
    fn only_here(&self, context: &Context, visitor: &Visitor, url: Option<Url>) -> Response {
        let id = match visitor {
            Visitor::Known(live) => live.how().provider(),
            Visitor::Stranger => "",
        };
        let provider = self.provider(id);
        let name = provider.map_or(id, |provider| provider.config().name.as_str());
        let mut problem =
            Problem::told(StatusCode::OK, "provider_not_signed_out").with("provider", name);
        if let Some(url) = url {
            problem = problem.action("action.sign_out_there", url.as_str());
        }
        let problem = problem.action("action.continue", self.address("/signed-out"));
        tracing::warn!(
            request.id = context.id.as_str(),
            code = problem.code,
            provider = id,
            "the provider could not be told of a sign-out, because it does not answer"
        );
        self.show(context, &problem)
    }

    /// Where a sign-out lands instead of on our page. Our own page there would be a loop.
    fn landing(&self) -> Option<&Url> {
        let own = self
            .config
            .server
            .public_url
            .url
            .join(&self.address("/signed-out"))
            .ok();
        let sign_out = &self.config.sign_out;
        sign_out
            .redirect_to
            .as_ref()
            .filter(|url| Some(*url) != own.as_ref())
    }

    /// The browser has lost its cookie, but the record of the session may still be there.
    fn half_signed_out(&self, context: &Context, error: &crate::session::Error) -> Response {
        let problem = Problem::told(StatusCode::SERVICE_UNAVAILABLE, "half_signed_out")
            .with_code("session_store_failed")
            .because(error)
            .action("action.continue", self.address("/signed-out"));
        tracing::error!(request.id = context.id.as_str(), code = problem.code, detail = ?problem.detail, "a session could not be removed from the store");
        self.show(context, &problem)
    }
}
