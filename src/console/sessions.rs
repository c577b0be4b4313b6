//! Who is signed in, and ending that.

use super::confirm::Question;
use super::notice::Notice;
use super::{Asked, Console, encoded, moment, paged, plain};
use crate::clock::Timestamp;
use crate::identity::Username;
use crate::session::{Error, Summary, Which};
use crate::web::{Response, first};
use serde_json::{Value, json};

/// As many are listed; whoever has more searches for the person.
const MOST: u32 = 1000;
/// A search is no longer than a name.
const MOST_SEARCH: usize = 255;

impl Console {
    /// `GET /sessions?username=&page=`
    pub(super) async fn sessions(&self, asked: &Asked<'_>) -> Response {
        let search = asked.query("username").map(str::trim).unwrap_or_default();
        let username = Username::parse(search).ok();
        let listed = match (search.is_empty(), &username) {
            (false, None) => Ok(Vec::new()),
            (_, username) => self.parts.sessions.list(username.as_ref(), MOST).await,
        };
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => return self.unavailable(asked.context, &error),
        };
        let count = listed.len();
        let own = asked.live.handle();
        let (rows, before, after) = paged(listed, asked.page());
        let rows: Vec<Value> = rows.iter().map(|summary| row(summary, &own)).collect();
        let page = json!({
            "search": plain(search),
            "search_q": encoded(search),
            "is_name": username.is_some(),
            "count": count,
            "more": count >= MOST as usize,
            "rows": rows,
            "before": before,
            "after": after,
        });
        self.page(asked, "console-sessions.html", "sessions", &page)
    }

    /// `GET /sessions/revoke?handle=|username=|all=1`
    pub(super) async fn confirm_revoke(&self, asked: &Asked<'_>) -> Response {
        let question = |what, field: (&str, &str), about| {
            let question = Question {
                what,
                section: "sessions",
                action: "/sessions/revoke",
                fields: &[field],
                about,
            };
            self.confirm(asked, &question)
        };
        match which(&asked.query) {
            Some(one @ Which::Handle(_)) => match self.parts.sessions.find(&one, 1).await {
                Ok(found) => match found.first() {
                    Some(summary) => {
                        let about = row(summary, &asked.live.handle());
                        question("revoke_one", ("handle", &summary.handle), about)
                    }
                    None => self.gone(asked, "sessions"),
                },
                Err(error) => self.unavailable(asked.context, &error),
            },
            Some(Which::Username(username)) => {
                let name = username.as_str();
                question(
                    "revoke_person",
                    ("username", name),
                    json!({ "username": name }),
                )
            }
            Some(_) => question("revoke_all", ("all", "1"), json!({})),
            None => self.gone(asked, "sessions"),
        }
    }

    /// `POST /sessions/revoke`
    pub(super) async fn revoke(&self, asked: &Asked<'_>, form: &[(String, String)]) -> Response {
        let Some(which) = which(form) else {
            return self.gone(asked, "sessions");
        };
        let ended = self.parts.sessions.revoke(&which).await;
        // Also where the store failed: what was in memory is over.
        self.revoked(asked, &which, &ended);
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) => return self.failed(asked, "sessions", &error),
        };
        let notice = Notice {
            what: "revoked",
            count: ended.len(),
            text: String::new(),
        };
        self.done(asked, "sessions", notice)
    }

    /// Writes to the audit log whose sessions an administrator ended.
    fn revoked(&self, asked: &Asked<'_>, which: &Which, ended: &Result<Vec<Summary>, Error>) {
        let person = asked.live.person();
        let by = person.username.as_str();
        tracing::warn!(
            request.id = asked.context.id.as_str(),
            user.name = by,
            ?which,
            whole = ended.is_ok(),
            "an administrator ended sessions in the console"
        );
        let event = which.revocation(by, ended);
        self.parts.audit.record(&asked.context.origin(), event);
    }
}

/// Exactly one of the three.
fn which(fields: &[(String, String)]) -> Option<Which> {
    let one =
        |name| first(fields, name).filter(|text| !text.is_empty() && text.len() <= MOST_SEARCH);
    match (one("handle"), one("username"), one("all")) {
        (Some(handle), None, None) => Some(Which::Handle(handle.to_owned())),
        (None, Some(name), None) => Username::parse(name).ok().map(Which::Username),
        (None, None, Some("1")) => Some(Which::All),
        _ => None,
    }
}

fn row(summary: &Summary, own: &str) -> Value {
    let at = |millis| moment(Timestamp::from_millis(millis));
    json!({
        "handle": summary.handle,
        "handle_q": encoded(&summary.handle),
        "own": summary.handle == own,
        "username": summary.username,
        "username_q": encoded(summary.username.as_str()),
        "provider": summary.provider,
        "signed_in_at": at(summary.signed_in_at),
        "last_used": at(summary.last_used),
        "expires_at": at(summary.expires_at),
        "remembered": summary.remembered,
        "client": summary.client,
        "browser": summary.browser.as_deref().map(plain),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::fields;

    #[track_caller]
    fn check(form: &str, want: Option<Which>) {
        assert_eq!(which(&fields(form.as_bytes())), want, "{form}");
    }

    #[test]
    fn what_shall_end_is_said_in_one_way() {
        check("handle=ab12", Some(Which::Handle("ab12".into())));
        check(
            "username=ana",
            Some(Which::Username(Username::parse("ana").unwrap())),
        );
        check("all=1", Some(Which::All));
        for doubtful in [
            "",
            "all=0",
            "all=",
            "handle=",
            "username=a%00b",
            "username=ana&all=1",
            "handle=ab12&username=ana",
        ] {
            check(doubtful, None);
        }
        check(&format!("handle={}", "a".repeat(300)), None);
    }
}
