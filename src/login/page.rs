//! The sign-in page: who may be asked, by button or by e-mail address, and when the page goes on by
//! itself. And the pages that explain a loop.

use super::start::Options;
use super::{Login, words};
use crate::config::{self, Kind};
use crate::identity::Email;
use crate::session::{Live, Visitor};
use crate::web::{
    Audience, Context, FormTargets, Length, Response, ReturnPath, fields, first, see_other,
};
use http::{HeaderValue, StatusCode, header};
use minijinja::{Value, context};

/// Bounces of one session within half a minute that are taken for clicks. One more is a loop.
const BOUNCES: u32 = 3;
/// The longest countdown in seconds, as the configuration has it.
pub(super) const MAX_DELAY: u64 = 60;
/// What of a typed address is shown again: no address is longer (RFC 5321 §4.5.3.1.3).
const MAX_SHOWN: usize = 254;

/// What the page's e-mail field holds and says.
#[derive(Default)]
struct Typed {
    value: String,
    /// The key of a text.
    problem: Option<&'static str>,
    /// A domain that no rule knows. It is all that was looked at.
    unknown: Option<String>,
}

impl Login {
    /// `GET {prefix}/login?next=`: a button for every provider, and the e-mail field where rules
    /// need it. With `email=` the rules choose; with `choose=1` the page never goes on by itself.
    #[must_use]
    pub fn login_page(&self, context: &Context, visitor: &Visitor, query: &str) -> Response {
        let query = fields(query.as_bytes());
        let next = self.next(first(&query, "next"));
        if let Visitor::Known(_) = visitor {
            return see_other(next.as_str());
        }
        if !self.config.sign_in.enabled {
            return self.switched_off(context, &next);
        }
        if first(&query, "again").is_some() {
            self.parts.browsers.start_over(self.cookies(context));
        }
        if self.parts.browsers.is_looping(self.cookies(context)) {
            return self.looping(context, &next);
        }
        let options = Options {
            next: &next,
            login_hint: None,
            remember: self.wants_to_be_remembered(context, &query),
        };
        if let Some(typed) = first(&query, "email")
            && !self.config.sign_in.rules.is_empty()
        {
            return match self.by_address(typed) {
                Ok((provider, email)) => see_other(&self.start_address(
                    provider,
                    &Options {
                        login_hint: Some(email.as_str()),
                        ..options
                    },
                )),
                Err((status, typed)) => self.choice(context, status, &options, &typed),
            };
        }
        let automatic = self.config.sign_in.automatic(&self.config.providers);
        match automatic.and_then(|id| self.provider(id)) {
            Some(provider)
                if first(&query, "choose").is_none() && !self.was_signed_out(context) =>
            {
                self.go_on(context, provider.config(), &options)
            }
            _ => self.choice(context, StatusCode::OK, &options, &Typed::default()),
        }
    }

    /// The page with everything to choose from.
    fn choice(
        &self,
        context: &Context,
        status: StatusCode,
        options: &Options<'_>,
        typed: &Typed,
    ) -> Response {
        let sign_in = &self.config.sign_in;
        let last = self.used_last(context).map(|provider| provider.id.as_str());
        let first = last.or(sign_in.default_provider.as_deref());
        let mut providers: Vec<&config::Provider> =
            self.parts.providers.iter().map(|it| it.config()).collect();
        // A stable sort: the others stay in the order of the file.
        providers.sort_by_key(|provider| Some(provider.id.as_str()) != first);
        let providers: Vec<_> = providers
            .into_iter()
            .map(|provider| {
                context! {
                    id => provider.id.as_str(),
                    name => provider.name.as_str(),
                    icon => provider.icon.is_some(),
                    last => Some(provider.id.as_str()) == last,
                }
            })
            .collect();
        let several = providers.len() > 1;
        self.parts.pages.render(
            context,
            "login.html",
            status,
            FormTargets::Provider,
            context! {
                providers,
                several,
                by_email => !sign_in.rules.is_empty(),
                email => typed.value.as_str(),
                email_problem => typed.problem,
                email_domain => typed.unknown.as_deref(),
                next => options.next.as_str(),
                remember_days => self.remember.map(|it| Value::from(Length::lasting(it))),
                remember => options.remember,
                countdown => None::<u64>,
            },
        )
    }

    /// Whose people have addresses like this one. Only the domain decides, so the answer tells
    /// nothing about any account.
    fn by_address(&self, typed: &str) -> Result<(&str, Email), (StatusCode, Typed)> {
        // Spaces come along from copying. Anything stranger is shown to be mended.
        let typed = typed.trim_matches(' ');
        let shown: String = typed.chars().take(MAX_SHOWN).collect();
        let email = match Email::parse(typed) {
            Ok(email) => email,
            Err(invalid) => {
                let problem = words::not_an_address(&invalid, typed.is_ascii());
                let typed = Typed {
                    value: shown,
                    problem: Some(problem),
                    unknown: None,
                };
                return Err((StatusCode::BAD_REQUEST, typed));
            }
        };
        let rules = &self.config.sign_in.rules;
        match rules.iter().find(|rule| rule.is_for(&email)) {
            Some(rule) => Ok((&rule.provider, email)),
            None => {
                let typed = Typed {
                    unknown: Some(email.domain().to_owned()),
                    value: shown,
                    problem: None,
                };
                Err((StatusCode::OK, typed))
            }
        }
    }

    /// On to a provider without being asked: at once, or after a countdown. `Refresh` needs no
    /// script, and the page says how to stop it.
    fn go_on(
        &self,
        context: &Context,
        provider: &config::Provider,
        options: &Options<'_>,
    ) -> Response {
        let start = self.start_address(&provider.id, options);
        let delay = self.config.sign_in.auto_redirect_delay;
        let secs = delay.as_secs();
        if secs == 0 {
            return see_other(&start);
        }
        let mut stop = self.sign_in_address(options.next);
        if options.remember {
            stop.push_str("&remember=1");
        }
        let mut response = self.parts.pages.render(
            context,
            "login.html",
            StatusCode::OK,
            FormTargets::Nowhere,
            context! {
                countdown => secs,
                length => Value::from(Length::exactly(delay)),
                provider => provider.name.as_str(),
                start => start.as_str(),
                stop,
            },
        );
        // Both parts are visible ASCII without quotes: ids and percent-encoded values.
        if let Ok(value) = HeaderValue::from_str(&format!("{secs}; url={start}")) {
            response.headers_mut().insert(header::REFRESH, value);
        }
        response
    }

    /// Nobody signs in here; whoever comes by an old link learns where.
    pub(super) fn switched_off(&self, context: &Context, next: &ReturnPath) -> Response {
        let problem = match self.config.upstream.kind {
            Kind::Bitbucket => {
                let context_path = &self.config.upstream.context_path;
                words::switched_off(self.product).action(
                    "action.sign_in_at_product",
                    format!("{context_path}/login?next={}", self.inside(next)),
                )
            }
            Kind::Generic => words::switched_off(self.product)
                .action("action.continue_to_product", next.as_str()),
        };
        tracing::debug!(
            request.id = context.id.as_str(),
            code = problem.code,
            "somebody came to sign in while that is switched off"
        );
        self.parts
            .pages
            .problem(&problem, Audience::Person, context)
    }

    /// A return path as Bitbucket's own page wants it: without the context path, percent-encoded.
    fn inside(&self, next: &ReturnPath) -> String {
        let path = next.as_str();
        let rest = path
            .strip_prefix(self.config.upstream.context_path.as_str())
            .filter(|rest| rest.starts_with('/'))
            .unwrap_or(path);
        url::form_urlencoded::byte_serialize(rest.as_bytes()).collect()
    }

    /// The page for a browser that signs in again and again.
    pub(super) fn looping(&self, context: &Context, next: &ReturnPath) -> Response {
        let again = format!("{}&again=1", self.sign_in_address(next));
        let problem = words::sign_in_loop(self.product).action("action.sign_in_again", again);
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
            .action("action.try_again", next.as_str())
            .action("action.sign_out", self.address("/logout"));
        self.refuse(context, None, Some(username.to_owned()), &problem)
    }
}
