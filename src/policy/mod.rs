//! Decides what a request is and whether it may pass; makes [`Admitted`] or [`Refusal`]; pure.
//!
//! Comes after `sanitize` and `session` and before `forward`. Whoever is known goes through with an
//! identity; programs with credentials of their own go through to where Bitbucket checks them, and
//! without one; nobody else goes through, but for what `[[access.rules]]` opens and `/status`.
//! Everything here looks at every reading of the path that will be forwarded.
//!
//! This room never looks at the network, a clock or a store, and `class` is never a permission.

mod bitbucket;
mod class;
mod credentials;
mod decide;
mod rules;

#[cfg(test)]
mod tests;

pub(crate) use bitbucket::is_git;
pub use class::Class;

use crate::config::{ApiAccess, Config, Kind};
use crate::identity::GroupName;
use crate::sanitize::CleanRequest;
use crate::session::{How, Live, Visitor};
use crate::web::ReturnPath;
use credentials::Credentials;
use decide::{Ask, Asker, Verdict};
use rules::Rules;
use std::sync::Arc;

/// A request that policy has let through. The fields are private to this room, so
/// [`Policy::admit`] is the only way to get one.
#[derive(Debug)]
pub struct Admitted {
    request: CleanRequest,
    who: Option<Arc<Live>>,
    class: Class,
}

impl Admitted {
    /// What the request is.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// What `forward` needs: the request, the person to assert (none: assert nobody), the class.
    #[must_use]
    pub fn into_parts(self) -> (CleanRequest, Option<Arc<Live>>, Class) {
        (self.request, self.who, self.class)
    }
}

/// Why a request does not go through, and what happens instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A browser without a session: to the sign-in page, and back to where it was.
    SignInFirst(ReturnPath),
    /// A program without a session or credentials: 401. `basic` asks for Basic credentials, as git
    /// needs; otherwise no browser prompt appears.
    Unauthorized {
        /// Whether to send `WWW-Authenticate: Basic`.
        basic: bool,
    },
    /// Bitbucket's own sign-in page: a stranger signs in here, a known person goes on to `next`.
    SignInPage(ReturnPath),
    /// Bitbucket's own sign-out address: the gateway's sign-out.
    SignOut,
    /// Not for this person, or for nobody: 403 with a reason.
    Forbidden(Reason),
}

/// Why something is forbidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Bitbucket's own password sign-in would go around the gateway.
    PasswordSignIn,
    /// `access.allow_password_change = false`.
    PasswordChange,
    /// `access.plugin_admin_groups`.
    PluginAdministration,
    /// `access.api = "deny"`.
    Api,
    /// One of `access.rules`.
    Rule,
}

/// A refusal with what the answer needs to know of the request, which is gone by then.
#[derive(Debug)]
pub struct Refused {
    /// What happens instead.
    pub refusal: Refusal,
    /// What it was.
    pub class: Class,
    /// The refused request, for logs and for the sign-out that needs its cookies.
    pub request: CleanRequest,
    /// Who asked.
    pub who: Option<Arc<Live>>,
}

/// The rules. Built once from the configuration.
#[derive(Debug)]
pub struct Policy {
    bitbucket: bool,
    sign_in: bool,
    api: ApiAccess,
    allow_password_change: bool,
    plugin_admin_groups: Vec<GroupName>,
    rules: Rules,
    context: Arc<str>,
    /// The public origin, as Bitbucket may write it before a return path.
    origin: String,
    /// Bitbucket's start page.
    home: ReturnPath,
    /// The gateway's own addresses.
    own_paths: Vec<String>,
}

impl Policy {
    /// The rules of this configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let context = config.upstream.context_path.as_str();
        let mut own_paths = vec![config.server.prefix.clone()];
        if config.backdoor.enabled {
            own_paths.push(config.backdoor.path.clone());
        }
        Self {
            bitbucket: config.upstream.kind == Kind::Bitbucket,
            sign_in: config.sign_in.enabled,
            api: config.access.api,
            allow_password_change: config.access.allow_password_change,
            plugin_admin_groups: config.access.plugin_admin_groups.clone(),
            rules: Rules::new(&config.access.rules),
            context: Arc::from(context),
            origin: config.server.public_url.text.clone(),
            home: ReturnPath::parse(&format!("{context}/")),
            own_paths,
        }
    }

    /// Decides.
    ///
    /// # Errors
    ///
    /// What happens instead of forwarding.
    pub fn admit(
        &self,
        mut request: CleanRequest,
        visitor: Visitor,
    ) -> Result<Admitted, Box<Refused>> {
        let who = match visitor {
            Visitor::Known(live) => Some(live),
            Visitor::Stranger => None,
        };
        let class = Class::of(
            self.bitbucket,
            request.method(),
            request.target().in_context(),
            request.headers(),
        );
        let ask = Ask {
            method: request.method(),
            target: request.target(),
            class,
            credentials: Credentials::of(request.headers()),
        };
        let present = who.as_deref().map(|live| (live.present(), live.how()));
        let asker = present
            .as_ref()
            .map_or(Asker::Stranger, |(present, how)| Asker::Known {
                groups: &present.person().groups,
                backdoor: **how == How::Backdoor,
            });
        let verdict = self.decide(ask, asker);
        drop(present);
        let who = match verdict {
            Verdict::Refuse(refusal) => {
                return Err(Box::new(Refused {
                    refusal,
                    class,
                    request,
                    who,
                }));
            }
            Verdict::Assert => {
                // One opinion on who is asking: where Bitbucket would not check the credentials,
                // or cannot, the identity is it.
                request.drop_authorization();
                who
            }
            Verdict::Open | Verdict::Pass => {
                // A cookie of Bitbucket's stands for an identity that the gateway asserted once.
                // Without that identity it would outlive the sign-out, and Bitbucket's side would
                // end the session of a person whose browser sends one call with credentials.
                if self.bitbucket && self.sign_in {
                    request.drop_upstream_session();
                }
                None
            }
        };
        Ok(Admitted {
            request,
            who,
            class,
        })
    }
}
