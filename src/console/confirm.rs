//! The page before every action.

use super::notice::Notice;
use super::{Asked, Console};
use crate::web::{Response, see_other};
use serde_json::{Value, json};

/// What is asked. The template has the words for `what`.
pub(super) struct Question<'a> {
    /// `revoke_one`, `revoke_person`, `revoke_all`, `forget_person`, `forget_one`, `relink`,
    /// `address`.
    pub(super) what: &'static str,
    /// The entry of the menu that it belongs to, which is where the answer leads, too.
    pub(super) section: &'static str,
    /// Where the form goes.
    pub(super) action: &'static str,
    /// What the form carries.
    pub(super) fields: &'a [(&'a str, &'a str)],
    /// What the question is about.
    pub(super) about: Value,
}

impl Console {
    pub(super) fn confirm(&self, asked: &Asked<'_>, question: &Question<'_>) -> Response {
        let page = json!({
            "what": question.what,
            "action": self.address(question.action),
            "back": self.address(&format!("/{}", question.section)),
            "fields": question.fields,
            "about": question.about,
        });
        self.page(asked, "console-confirm.html", question.section, &page)
    }

    /// After an action: back to its list, which says what happened.
    pub(super) fn done(&self, asked: &Asked<'_>, section: &str, notice: Notice) -> Response {
        let now = self.parts.clock.now();
        self.notices.leave(asked.live.handle(), now, notice);
        see_other(&self.address(&format!("/{section}")))
    }

    /// What was asked about is not there any more, or never was.
    pub(super) fn gone(&self, asked: &Asked<'_>, section: &str) -> Response {
        let notice = Notice {
            what: "gone",
            count: 0,
            text: String::new(),
        };
        self.done(asked, section, notice)
    }

    /// An action that a store did not carry out.
    pub(super) fn failed(
        &self,
        asked: &Asked<'_>,
        section: &str,
        error: &dyn std::error::Error,
    ) -> Response {
        let text = crate::telemetry::chain(error);
        tracing::error!(
            request.id = asked.context.id.as_str(),
            error = text,
            "an action of the console failed"
        );
        let notice = Notice {
            what: "failed",
            count: 0,
            text,
        };
        self.done(asked, section, notice)
    }
}
