//! Why somebody is refused, or could not be made known.

use crate::directory::people;
use crate::identity::{Invalid, Username};
use crate::telemetry::metrics::Provisioned;
use crate::web::trust;
use http::StatusCode;
use std::fmt;
use std::time::Duration;

/// A call to Bitbucket's REST interface, in words.
pub(super) type Call = &'static str;

/// Why a person is refused, or could not be made known. One variant per way; [`Error::code`] names
/// it. No text holds a password or a token; of what Bitbucket says, a short printable excerpt.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say what the fields are")]
pub enum Error {
    // Decisions about the person.
    /// Nobody in the target is this person, and `users.create` is off.
    #[error(
        "nobody in {target} has {fact}, and users.create is false; somebody has to make the account first"
    )]
    Unknown { target: &'static str, fact: String },
    /// Several people in the target have this e-mail address.
    #[error(
        "{count} people in {target} have the e-mail address \"{email}\", and which one is meant is \
         not known; give each of them an address of their own"
    )]
    Ambiguous {
        target: &'static str,
        email: String,
        count: usize,
    },
    /// The map gives no group, and `groups.require_mapped_group_to_create` asks for one.
    #[error(
        "no group of the provider is in groups.map, and groups.require_mapped_group_to_create asks \
         for one"
    )]
    NoMappedGroup,
    /// The target calls the account inactive.
    #[error("the account \"{username}\" is not active in {target}")]
    Inactive {
        target: &'static str,
        username: Username,
    },
    /// The account is the one that the gateway itself uses, which is an administrator's and which no
    /// person has pinned.
    #[error(
        "the account \"{username}\" is the one that the gateway uses in {target}, and nobody's"
    )]
    OwnAccount {
        target: &'static str,
        username: Username,
    },
    /// Somebody would have to be made, and their address is not known.
    #[error(
        "\"{username}\" is not in {target} yet, where nobody can be made without an e-mail address, \
         and the provider gave none that can be used; ask it for the e-mail address \
         (providers.scopes, providers.claims.email), or make the account by hand"
    )]
    NoEmail {
        target: &'static str,
        username: Username,
    },
    /// The username of somebody who is known by the e-mail address is another person's.
    #[error(
        "nobody in {target} has the e-mail address \"{email}\", and the username \"{username}\" is \
         somebody else's there; correct the address of that account, if it is the same person"
    )]
    NameTaken {
        target: &'static str,
        username: Username,
        email: String,
    },
    /// The account that has the address has a name that cannot be carried in a header.
    #[error(
        "the account in {target} with the e-mail address \"{email}\" has a username that {reason}"
    )]
    UnusableName {
        target: &'static str,
        email: String,
        reason: Invalid,
    },

    // Set-up.
    /// TLS towards Bitbucket.
    #[error("the authorities of provisioning.bitbucket cannot be used")]
    Trust(#[from] trust::Error),
    /// The HTTP client refuses its set-up.
    #[error("the HTTP client cannot be built")]
    HttpClient(#[source] reqwest::Error),
    /// The name, password or token cannot be in a header.
    #[error("the credentials of provisioning.bitbucket cannot be sent in a header")]
    Credentials,

    // The whole.
    /// The person's patience is over. What has begun is finished all the same.
    #[error("making the person known in {target} took longer than provisioning.timeout_secs ({} s)", after.as_secs_f32())]
    TooSlow {
        target: &'static str,
        after: Duration,
    },
    /// More people at once than is good for anybody.
    #[error("more than {most} people are being made known in {target} at this moment")]
    Busy { target: &'static str, most: usize },
    /// The task that writes has ended without an answer: the gateway is going down.
    #[error("the change in {target} was cut off; the next sign-in goes on from there")]
    CutOff { target: &'static str },
    /// The person was made, or somebody else made them, and then could not be found.
    #[error("{target} says that \"{username}\" is there, and does not show the account")]
    NotShown {
        target: &'static str,
        username: Username,
    },
    /// The built-in directory.
    #[error("the directory cannot be used")]
    Directory(#[from] people::Error),

    // Calls to Bitbucket.
    /// A failure of a moment ago stands for now.
    #[error("Bitbucket at \"{origin}\" could not be reached a moment ago; the next try is in {} s", retry_in.as_secs().max(1))]
    CoolingDown { origin: String, retry_in: Duration },
    /// No connection: name resolution, refusal, TLS.
    #[error(
        "Bitbucket at \"{origin}\" cannot be reached; check provisioning.bitbucket.url and ca_file"
    )]
    Unreachable {
        origin: String,
        source: reqwest::Error,
    },
    /// A connection that broke.
    #[error("Bitbucket broke off while answering {call}")]
    Broken { call: Call, source: reqwest::Error },
    /// No complete answer in time.
    #[error("Bitbucket did not answer {call} in time")]
    Timeout { call: Call },
    /// The answer goes on and on.
    #[error("Bitbucket's answer to {call} is larger than {limit} bytes")]
    TooLarge { call: Call, limit: usize },
    /// Redirects are not followed: they would take the credentials elsewhere.
    #[error(
        "Bitbucket answers {call} with a redirect (status {}); provisioning.bitbucket.url must be \
         the address that answers itself, with its context path",
        status.as_u16()
    )]
    Redirected { call: Call, status: StatusCode },
    /// HTML, or JSON that was cut.
    #[error(
        "Bitbucket's answer to {call} is no JSON but {found}; is something between the gateway and \
         Bitbucket (provisioning.bitbucket.url) that answers with pages of its own?"
    )]
    NotJson { call: Call, found: String },
    /// JSON, and not what the interface promises.
    #[error("Bitbucket's answer to {call} lacks {lacks}")]
    Shape { call: Call, lacks: &'static str },
    /// Pages that lead nowhere.
    #[error("Bitbucket's pages of {call} run in a circle")]
    Circle { call: Call },
    /// More entries than can be looked through.
    #[error("Bitbucket has more than {most} entries for {call}, too many to look through")]
    TooMany { call: Call, most: usize },
    /// 401 without a user: the credentials are wrong.
    #[error(
        "Bitbucket does not accept the credentials of provisioning.bitbucket ({call}): {said}; \
         check username and password, or token (HTTP access tokens are refused by these calls)"
    )]
    WrongCredentials { call: Call, said: Said },
    /// 401 with a user: Bitbucket's way to say "forbidden".
    #[error(
        "Bitbucket knows the service account \"{account}\" and does not let it do this ({call}): \
         {said}; give it the global permission ADMIN (SYS_ADMIN to change people or groups that \
         have SYS_ADMIN)"
    )]
    Forbidden {
        call: Call,
        account: String,
        said: Said,
    },
    /// Too many failed sign-ins of the service account.
    #[error(
        "Bitbucket wants the service account of provisioning.bitbucket to solve a CAPTCHA ({call}); \
         clear it under Administration, Users, or sign in once by hand"
    )]
    Captcha { call: Call },
    /// 403: nobody more fits into the licence.
    #[error(
        "Bitbucket's licence has no room for another person ({call}): {said}; free a seat, or buy \
         a larger licence"
    )]
    Licence { call: Call, said: Said },
    /// The directory that Bitbucket would write to cannot be written to.
    #[error(
        "Bitbucket cannot write to the directory of users ({call}): {said}; put a directory that \
         can be written to first, or set users.create and users.update_profile to false and leave \
         groups to it"
    )]
    ReadOnly { call: Call, said: Said },
    /// 404, and Bitbucket says of what.
    #[error("Bitbucket does not find what {call} is about: {said}")]
    Missing { call: Call, said: Said },
    /// 404 from something that is not the interface.
    #[error(
        "{call} is not at this address (404 that is not Bitbucket's own); check \
         provisioning.bitbucket.url and its context path"
    )]
    WrongAddress { call: Call },
    /// 409
    #[error("Bitbucket refuses {call} as it is now: {said}")]
    Conflict { call: Call, said: Said },
    /// 429, again and again, or for longer than there is time.
    #[error(
        "Bitbucket limits how often the service account may ask ({call}); exempt it from rate \
         limiting"
    )]
    TooManyRequests { call: Call },
    /// Every other status.
    #[error("Bitbucket answers {call} with status {}: {said}", status.as_u16())]
    Status {
        call: Call,
        status: StatusCode,
        said: Said,
    },
}

impl Error {
    /// A short, stable name for logs, metrics and pages.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "unknown_in_bitbucket",
            Self::Ambiguous { .. } => "ambiguous_in_bitbucket",
            Self::NoMappedGroup => "no_mapped_group",
            Self::Inactive { .. } => "inactive_in_bitbucket",
            Self::OwnAccount { .. } => "service_account",
            Self::NoEmail { .. } => "no_email_for_bitbucket",
            Self::NameTaken { .. } => "username_taken_in_bitbucket",
            Self::UnusableName { .. } => "unusable_name_in_bitbucket",
            Self::Trust(_) => "bitbucket_ca_file",
            Self::HttpClient(_) => "bitbucket_client",
            Self::Credentials => "bitbucket_credentials_unusable",
            Self::TooSlow { .. } => "provisioning_too_slow",
            Self::Busy { .. } => "provisioning_busy",
            Self::CutOff { .. } => "provisioning_cut_off",
            Self::NotShown { .. } => "account_not_shown",
            Self::Directory(_) => "directory",
            Self::CoolingDown { .. } | Self::Unreachable { .. } => "bitbucket_unreachable",
            Self::Broken { .. } => "bitbucket_broke_off",
            Self::Timeout { .. } => "bitbucket_timeout",
            Self::TooLarge { .. } => "bitbucket_answer_too_large",
            Self::Redirected { .. } => "bitbucket_redirects",
            Self::NotJson { .. } => "bitbucket_not_json",
            Self::Shape { .. } => "bitbucket_answer",
            Self::Circle { .. } => "bitbucket_pages",
            Self::TooMany { .. } => "bitbucket_too_many",
            Self::WrongCredentials { .. } => "bitbucket_credentials",
            Self::Forbidden { .. } => "bitbucket_forbidden",
            Self::Captcha { .. } => "bitbucket_captcha",
            Self::Licence { .. } => "bitbucket_licence",
            Self::ReadOnly { .. } => "bitbucket_read_only",
            Self::Missing { .. } => "bitbucket_missing",
            Self::WrongAddress { .. } => "bitbucket_address",
            Self::Conflict { .. } => "bitbucket_conflict",
            Self::TooManyRequests { .. } => "bitbucket_rate_limit",
            Self::Status { .. } => "bitbucket_status",
        }
    }

    /// Whether it is a decision about the person, which `provisioning.on_error` does not change;
    /// everything else is a failure, which it does.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Unknown { .. }
                | Self::Ambiguous { .. }
                | Self::NoMappedGroup
                | Self::Inactive { .. }
                | Self::OwnAccount { .. }
                | Self::NoEmail { .. }
                | Self::NameTaken { .. }
                | Self::UnusableName { .. }
        )
    }

    /// What metrics call it.
    #[must_use]
    pub const fn outcome(&self) -> Provisioned {
        if self.is_refusal() {
            Provisioned::Refused
        } else {
            Provisioned::Failed
        }
    }
}

/// What Bitbucket says about an error: the short name of the exception and the message, cut and made
/// printable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// The exception without its package, such as `NoSuchUserException`.
    pub exception: Option<String>,
    /// The message.
    pub message: Option<String>,
}

impl Said {
    /// Whether the message or the exception's name holds one of these words, which are in lower
    /// case. What was asked about may be in the message too, and says nothing: a group called
    /// `license-admins` is no full licence.
    pub(super) fn mentions(&self, words: &[&str], asked: &[&str]) -> bool {
        let holds = |text: &str| words.iter().any(|word| text.contains(word));
        let asked: Vec<_> = asked.iter().map(|text| text.to_ascii_lowercase()).collect();
        [&self.exception, &self.message]
            .into_iter()
            .flatten()
            .map(|text| {
                let misleading = asked.iter().filter(|asked| holds(asked));
                misleading.fold(text.to_ascii_lowercase(), |text, asked| {
                    text.replace(asked.as_str(), "")
                })
            })
            .any(|text| holds(&text))
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.message, &self.exception) {
            (Some(message), Some(exception)) => write!(f, "\"{message}\" ({exception})"),
            (Some(text), None) | (None, Some(text)) => write!(f, "\"{text}\""),
            (None, None) => f.write_str("no reason given"),
        }
    }
}
