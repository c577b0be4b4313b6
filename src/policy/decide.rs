//! The decision itself: facts in, verdict out, nothing else.

use super::bitbucket::{self, Special};
use super::credentials::Credentials;
use super::{Class, Policy, Reason, Refusal};
use crate::config::{AccessAction, AccessRule, ApiAccess};
use crate::identity::GroupName;
use crate::sanitize::Target;
use crate::web::ReturnPath;
use http::Method;

/// What a request wants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) method: &'a Method,
    pub(super) target: &'a Target,
    pub(super) class: Class,
    pub(super) credentials: Credentials,
}

/// Who wants it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asker<'a> {
    Stranger,
    Known {
        groups: &'a [GroupName],
        backdoor: bool,
    },
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Forwarded for a stranger; nobody is asserted.
    Open,
    /// Forwarded with the client's own credentials; nobody is asserted.
    Pass,
    /// Forwarded, and the person is asserted.
    Assert,
    /// Not forwarded.
    Refuse(Refusal),
}

impl Verdict {
    /// Of two verdicts, the one with the greater number holds.
    const fn strictness(&self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Pass => 1,
            Self::Assert => 2,
            Self::Refuse(Refusal::SignInFirst(_) | Refusal::Unauthorized { .. }) => 3,
            Self::Refuse(Refusal::SignInPage(_) | Refusal::SignOut) => 4,
            Self::Refuse(Refusal::Forbidden(_)) => 5,
        }
    }

    fn or_stricter(self, other: Self) -> Self {
        if other.strictness() > self.strictness() {
            other
        } else {
            self
        }
    }
}

impl Policy {
    /// Decides. Each reading of the path gets its verdict, and the strictest holds. A path with
    /// several readings is never open to strangers; own credentials pass only where every reading
    /// is an address that checks them, and none has dot segments to leave it.
    pub(super) fn decide(&self, ask: Ask<'_>, asker: Asker<'_>) -> Verdict {
        let asker = self.believed(asker);
        let mut readings = ask.target.readings();
        let first = readings.next().and_then(|reading| reading.inside);
        let first = self.judge(ask, asker, first);
        let mut all_pass = first == Verdict::Pass;
        let verdict = readings.fold(first, |strictest, reading| {
            let verdict = self.judge(ask, asker, reading.inside);
            all_pass &= verdict == Verdict::Pass;
            strictest.or_stricter(verdict)
        });
        let ambiguous = ask.target.is_ambiguous();
        if ambiguous && (ask.target.is_evasive() || !all_pass) {
            return verdict.or_stricter(self.ordinary(ask, asker, None));
        }
        verdict
    }

    /// With sign-in off, only the emergency sign-in makes a person known.
    fn believed<'a>(&self, asker: Asker<'a>) -> Asker<'a> {
        match asker {
            Asker::Known { backdoor, .. } if self.sign_in || backdoor => asker,
            _ => Asker::Stranger,
        }
    }

    /// The verdict for one reading; `path` none: it lies outside the context path.
    fn judge(&self, ask: Ask<'_>, asker: Asker<'_>, path: Option<&str>) -> Verdict {
        let Some(path) = path else {
            return self.ordinary(ask, asker, None);
        };
        // Before the rules: no rule can open what goes around the gateway.
        if self.bitbucket
            && let Some(special) = bitbucket::special(path, ask.method)
            && let Some(verdict) = self.special(special, ask, asker)
        {
            return verdict;
        }
        if let Some(rule) = self.rules.find(path, ask.method) {
            return self.by_rule(rule, ask, asker);
        }
        if self.bitbucket && bitbucket::is_probe(path, ask.method) {
            return open(asker);
        }
        if self.bitbucket
            && bitbucket::is_api(path)
            && let Some(verdict) = self.by_credentials(ask, asker)
        {
            return verdict;
        }
        self.ordinary(ask, asker, Some(path))
    }

    fn special(&self, special: Special, ask: Ask<'_>, asker: Asker<'_>) -> Option<Verdict> {
        let stranger = matches!(asker, Asker::Stranger);
        let refusal = match special {
            Special::SignInPage if self.sign_in => {
                if stranger && ask.credentials != Credentials::Missing {
                    Refusal::Unauthorized { basic: false }
                } else {
                    Refusal::SignInPage(self.asked_return(ask.target))
                }
            }
            Special::PasswordSignIn if self.sign_in => Refusal::Forbidden(Reason::PasswordSignIn),
            Special::SignOut if self.sign_in || !stranger => Refusal::SignOut,
            Special::PasswordChange if self.sign_in && !self.allow_password_change => {
                Refusal::Forbidden(Reason::PasswordChange)
            }
            Special::PluginAdministration
                if !self.plugin_admin_groups.is_empty()
                    && !is_member(asker, &self.plugin_admin_groups) =>
            {
                if stranger && self.sign_in && ask.credentials == Credentials::Missing {
                    return Some(self.ordinary(ask, asker, None));
                }
                Refusal::Forbidden(Reason::PluginAdministration)
            }
            _ => return None,
        };
        Some(Verdict::Refuse(refusal))
    }

    fn by_rule(&self, rule: &AccessRule, ask: Ask<'_>, asker: Asker<'_>) -> Verdict {
        let forbidden = Verdict::Refuse(Refusal::Forbidden(Reason::Rule));
        match (rule.action, asker) {
            (AccessAction::Anonymous, asker) => open(asker),
            (AccessAction::Deny, _) => forbidden,
            (AccessAction::SignIn, Asker::Known { .. }) => {
                if rule.groups.is_empty() || is_member(asker, &rule.groups) {
                    Verdict::Assert
                } else {
                    forbidden
                }
            }
            // Nobody can sign in, so nobody can be in a group.
            (AccessAction::SignIn, Asker::Stranger) if !self.sign_in && !rule.groups.is_empty() => {
                forbidden
            }
            (AccessAction::SignIn, Asker::Stranger) => self.ordinary(ask, asker, None),
        }
    }

    /// Where Bitbucket checks credentials: own ones go through without an identity, so that there
    /// are never two opinions on who is asking. None: the request brings nothing of use.
    fn by_credentials(&self, ask: Ask<'_>, asker: Asker<'_>) -> Option<Verdict> {
        let forbidden = Verdict::Refuse(Refusal::Forbidden(Reason::Api));
        match (self.api, ask.credentials) {
            (ApiAccess::Pass, Credentials::Present) => Some(Verdict::Pass),
            (ApiAccess::Pass, Credentials::Missing | Credentials::Malformed) => None,
            (ApiAccess::Deny, Credentials::Present | Credentials::Malformed) => Some(forbidden),
            // A challenge would make git ask for a password that is refused in any case.
            (ApiAccess::Deny, Credentials::Missing) => {
                let git = self.sign_in && ask.class == Class::Git;
                (git && matches!(asker, Asker::Stranger)).then_some(forbidden)
            }
        }
    }

    /// What holds where nothing special is said: people we know go through, strangers sign in.
    /// `path` is the reading for which credentials could be asked.
    fn ordinary(&self, ask: Ask<'_>, asker: Asker<'_>, path: Option<&str>) -> Verdict {
        match asker {
            Asker::Known { .. } => Verdict::Assert,
            Asker::Stranger if !self.sign_in => Verdict::Open,
            Asker::Stranger if ask.class == Class::Navigation => {
                let reads = ask.method == Method::GET || ask.method == Method::HEAD;
                Verdict::Refuse(Refusal::SignInFirst(if reads {
                    self.return_path(ask.target.path_and_query())
                } else {
                    self.home.clone()
                }))
            }
            Asker::Stranger => Verdict::Refuse(Refusal::Unauthorized {
                basic: self.bitbucket
                    && ask.class == Class::Git
                    && path.is_some_and(bitbucket::is_api),
            }),
        }
    }

    /// Where Bitbucket's sign-in page was asked to go on to. Bitbucket writes such paths from its
    /// context path.
    fn asked_return(&self, target: &Target) -> ReturnPath {
        let query = target.query().unwrap_or_default().as_bytes();
        let asked = |name: &str| {
            url::form_urlencoded::parse(query)
                .find(|(key, value)| key == name && !value.is_empty())
                .map(|(_, value)| value)
        };
        let Some(next) = asked("next").or_else(|| asked("nextUrl")) else {
            return self.home.clone();
        };
        let next = next
            .strip_prefix(self.origin.as_str())
            .filter(|path| path.starts_with('/'))
            .unwrap_or(&next);
        let inside = next
            .strip_prefix(&*self.context)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest.starts_with('?'));
        if inside || !next.starts_with('/') {
            self.return_path(next)
        } else {
            self.return_path(&format!("{}{next}", self.context))
        }
    }

    /// A path to return to after a sign-in; the start page for what leads elsewhere, begins or
    /// ends a session, or is the gateway's own.
    pub(super) fn return_path(&self, text: &str) -> ReturnPath {
        let path = ReturnPath::parse(text);
        let fit = path != ReturnPath::root()
            && Target::parse(path.as_str(), &self.context).is_ok_and(|target| {
                target.readings().all(|reading| {
                    let own = self.own_paths.iter().any(|own| is_below(reading.full, own));
                    let special =
                        self.bitbucket && reading.inside.is_some_and(bitbucket::is_no_return);
                    !own && !special
                })
            });
        if fit { path } else { self.home.clone() }
    }
}

/// For everybody; people we know are asserted all the same, because a header that comes and goes
/// within one session makes Bitbucket's side end it.
const fn open(asker: Asker<'_>) -> Verdict {
    match asker {
        Asker::Known { .. } => Verdict::Assert,
        Asker::Stranger => Verdict::Open,
    }
}

fn is_member(asker: Asker<'_>, groups: &[GroupName]) -> bool {
    match asker {
        Asker::Known { groups: of, .. } => of.iter().any(|group| groups.contains(group)),
        Asker::Stranger => false,
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    let start = path.get(..folder.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(folder))
        && matches!(path.as_bytes().get(folder.len()), None | Some(b'/'))
}
