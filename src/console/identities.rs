//! Which subject of which provider has which username, and changing that.

use super::confirm::Question;
use super::notice::Notice;
use super::{Asked, Console, encoded, moment, paged, plain};
use crate::directory::{Error, Identity, Subject, Whom};
use crate::identity::Username;
use crate::web::{Response, first};
use serde_json::{Value, json};

/// As many are looked through.
const MOST: u32 = 2000;
/// A search, or a field of a form: subjects are up to 255 characters (OpenID Connect Core §2).
const MOST_TEXT: usize = 1024;

impl Console {
    /// `GET /identities?search=&page=`
    pub(super) async fn identities(&self, asked: &Asked<'_>) -> Response {
        let search = asked.query("search").map(str::trim).unwrap_or_default();
        let listed = match self.search(search).await {
            Ok(listed) => listed,
            Err(error) => return self.unavailable(asked.context, &error),
        };
        let count = listed.len();
        let (rows, before, after) = paged(listed, asked.page());
        let page = json!({
            "search": plain(search),
            "search_q": encoded(search),
            "count": count,
            "more": count >= MOST as usize,
            "rows": rows.iter().map(row).collect::<Vec<_>>(),
            "before": before,
            "after": after,
        });
        self.page(asked, "console-identities.html", "identities", &page)
    }

    /// The pins of exactly this name, and those that hold the text somewhere.
    async fn search(&self, search: &str) -> Result<Vec<Identity>, Error> {
        let identities = &self.parts.identities;
        let all = identities.list(None, MOST).await?;
        if search.is_empty() {
            return Ok(all);
        }
        let mut found = match Username::parse(search) {
            Ok(username) => identities.list(Some(&username), MOST).await?,
            Err(_) => Vec::new(),
        };
        let wanted = search.to_lowercase();
        let holds = |text: &str| text.to_lowercase().contains(&wanted);
        for identity in all {
            let email = identity.verified_email.as_ref();
            let fits = holds(identity.username.as_str())
                || holds(&identity.subject.subject)
                || holds(&identity.provider)
                || email.is_some_and(|email| holds(email.as_str()));
            if fits && !found.iter().any(|known| known.subject == identity.subject) {
                found.push(identity);
            }
        }
        Ok(found)
    }

    /// `GET /identities/forget?username=|issuer=&subject=`
    pub(super) async fn confirm_forget(&self, asked: &Asked<'_>) -> Response {
        let listed = match whom(&asked.query) {
            Some(Whom::Username(name)) => self.parts.identities.list(Some(&name), MOST).await,
            Some(Whom::Subject(subject)) => {
                let found = self.parts.identities.find(&subject).await;
                found.map(|found| found.into_iter().collect())
            }
            None => Ok(Vec::new()),
        };
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => return self.unavailable(asked.context, &error),
        };
        let Some(identity) = listed.first() else {
            return self.gone(asked, "identities");
        };
        let mut about = row(identity);
        if let Some(about) = about.as_object_mut() {
            about.insert("count".to_owned(), listed.len().into());
        }
        let name = identity.username.as_str();
        let subject = &identity.subject;
        let (what, fields): (_, &[(&str, &str)]) = match asked.query("subject") {
            None => ("forget_person", &[("username", name)]),
            Some(_) => (
                "forget_one",
                &[("issuer", &subject.issuer), ("subject", &subject.subject)],
            ),
        };
        let question = Question {
            what,
            section: "identities",
            action: "/identities/forget",
            fields,
            about,
        };
        self.confirm(asked, &question)
    }

    /// `POST /identities/forget`
    pub(super) async fn forget(&self, asked: &Asked<'_>, form: &[(String, String)]) -> Response {
        let Some(who) = whom(form) else {
            return self.gone(asked, "identities");
        };
        let told = match &who {
            Whom::Username(name) => format!("\"{name}\""),
            Whom::Subject(subject) => format!("{:?} of {:?}", subject.subject, subject.issuer),
        };
        match self.parts.identities.forget(who).await {
            Ok(count) => {
                self.ordered(asked, "forget", &format!("{count} pins of {told}"));
                let notice = Notice {
                    what: "forgotten",
                    count,
                    text: String::new(),
                };
                self.done(asked, "identities", notice)
            }
            Err(error) => {
                self.not_ordered(asked, "forget", &format!("pins of {told}"), &error);
                self.failed(asked, "identities", &error)
            }
        }
    }

    /// `GET /identities/relink?issuer=&subject=`, which asks for the name, and with `&username=`,
    /// which asks whether it is the right one.
    pub(super) async fn confirm_relink(&self, asked: &Asked<'_>) -> Response {
        let identity = match subject(&asked.query) {
            Some(subject) => match self.parts.identities.find(&subject).await {
                Ok(found) => found,
                Err(error) => return self.unavailable(asked.context, &error),
            },
            None => None,
        };
        let Some(identity) = identity else {
            return self.gone(asked, "identities");
        };
        let wish = asked.query("username").map(str::trim);
        let Some(Ok(username)) = wish.map(Username::parse) else {
            let page = json!({
                "about": row(&identity),
                "issuer": identity.subject.issuer,
                "subject": identity.subject.subject,
                "wish": wish.map(plain),
            });
            return self.page(asked, "console-relink.html", "identities", &page);
        };
        let mut about = row(&identity);
        if let Some(about) = about.as_object_mut() {
            about.insert("wish".to_owned(), username.as_str().into());
        }
        let question = Question {
            what: "relink",
            section: "identities",
            action: "/identities/relink",
            fields: &[
                ("issuer", &identity.subject.issuer),
                ("subject", &identity.subject.subject),
                ("username", username.as_str()),
            ],
            about,
        };
        self.confirm(asked, &question)
    }

    /// `POST /identities/relink`
    pub(super) async fn relink(&self, asked: &Asked<'_>, form: &[(String, String)]) -> Response {
        let name = first(form, "username").map(Username::parse);
        let (Some(subject), Some(Ok(username))) = (subject(form), name) else {
            return self.gone(asked, "identities");
        };
        let identities = &self.parts.identities;
        // Only a pin that is there: which provider it is of is known by it.
        let provider = match identities.find(&subject).await {
            Ok(Some(identity)) => identity.provider,
            Ok(None) => return self.gone(asked, "identities"),
            Err(error) => {
                let told = format!("{:?} of {:?}", subject.subject, subject.issuer);
                self.not_ordered(asked, "relink", &told, &error);
                return self.failed(asked, "identities", &error);
            }
        };
        match identities.relink(&subject, &provider, &username).await {
            Ok(before) => {
                let told = format!(
                    "{:?} of {:?} is \"{username}\" now, and was {}",
                    subject.subject,
                    subject.issuer,
                    before.as_ref().map_or("nobody", |name| name.as_str()),
                );
                self.ordered(asked, "relink", &told);
                let notice = Notice {
                    what: "relinked",
                    count: 1,
                    text: username.to_string(),
                };
                self.done(asked, "identities", notice)
            }
            Err(error) => {
                let told = format!("{:?} of {:?}", subject.subject, subject.issuer);
                self.not_ordered(asked, "relink", &told, &error);
                self.failed(asked, "identities", &error)
            }
        }
    }
}

fn text<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    first(fields, name).filter(|text| !text.is_empty() && text.len() <= MOST_TEXT)
}

fn subject(fields: &[(String, String)]) -> Option<Subject> {
    let (issuer, subject) = (text(fields, "issuer")?, text(fields, "subject")?);
    Some(Subject {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
    })
}

/// A person or a subject, and never both.
fn whom(fields: &[(String, String)]) -> Option<Whom> {
    match (text(fields, "username"), subject(fields)) {
        (Some(name), None) => Username::parse(name).ok().map(Whom::Username),
        (None, Some(subject)) => Some(Whom::Subject(subject)),
        _ => None,
    }
}

fn row(identity: &Identity) -> Value {
    json!({
        "username": identity.username,
        "username_q": encoded(identity.username.as_str()),
        "provider": plain(&identity.provider),
        "issuer": plain(&identity.subject.issuer),
        "subject": plain(&identity.subject.subject),
        "subject_q": format!(
            "issuer={}&subject={}",
            encoded(&identity.subject.issuer),
            encoded(&identity.subject.subject),
        ),
        "email": identity.verified_email,
        "first_seen": moment(identity.first_seen),
        "last_seen": moment(identity.last_seen),
    })
}
