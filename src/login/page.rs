//! The sign-in page, and the pages that explain a loop.

use super::{Login, words};
use crate::session::{Live, Visitor};
use crate::web::{Context, FormTargets, Response, ReturnPath, fields, first, see_other};
use http::StatusCode;
use minijinja::context;

/// Bounces of one session within half a minute that are taken for clicks. One more is a loop.
const BOUNCES: u32 = 3;

impl Login {
    /// `GET {prefix}/login?next=`: a button for every provider.
    #[must_use]
    pub fn login_page(&self, context: &Context, visitor: &Visitor, query: &str) -> Response {
        let query = fields(query.as_bytes());
        let next = self.next(first(&query, "next"));
        if let Visitor::Known(_) = visitor {
            return see_other(next.as_str());
        }
        if first(&query, "again").is_some() {
            self.parts.browsers.start_over(self.cookies(context));
        }
        if self.parts.browsers.is_looping(self.cookies(context)) {
            return self.looping(context, &next);
        }
        let providers: Vec<_> = self
            .parts
            .providers
            .iter()
            .map(|provider| {
                let config = provider.config();
                context! { id => config.id.as_str(), name => config.name.as_str() }
            })
            .collect();
        self.parts.pages.render(
            "login.html",
            StatusCode::OK,
            FormTargets::Provider,
            context! {
                title => format!("Sign in to {}", self.product),
                providers,
                next => next.as_str(),
                remember_days => self.remember.map(words::duration),
            },
        )
    }

    /// The page for a browser that signs in again and again.
    pub(super) fn looping(&self, context: &Context, next: &ReturnPath) -> Response {
        let again = format!("{}&again=1", self.sign_in_address(next));
        let problem = words::sign_in_loop(self.product).action("Sign in again", again);
        self.refuse(context, None, None, &problem)
    }

    /// Bitbucket sent a person whom we know to its own sign-in page. The first times the browser
    /// just goes on to where it wanted to be; when that does not help, a page says what is wrong.
    #[must_use]
    pub fn bounced(&self, context: &Context, live: &Live, next: &ReturnPath) -> Response {
        let next = self.next(Some(next.as_str()));
        if live.note_bounce(self.parts.clock.now()) < BOUNCES {
            return see_other(next.as_str());
        }
        let person = live.person();
        let username = person.username.as_str();
        let problem = words::not_believed(self.product, username)
            .action("Try again", next.as_str())
            .action("Sign out", self.address("/logout"));
        self.refuse(context, None, Some(username.to_owned()), &problem)
    }
}
