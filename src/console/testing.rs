//! Trying a provider out: the test page, and one-time addresses of it for somebody else.

use super::confirm::Question;
use super::notice::Notice;
use super::{Asked, Console};
use crate::config;
use crate::web::{Response, first};
use serde_json::{Value, json};

impl Console {
    /// `GET /tests`
    pub(super) fn tests(&self, asked: &Asked<'_>) -> Response {
        let prefix = self.parts.pages.prefix();
        let providers = self.config.providers.iter();
        let providers: Vec<Value> = providers
            .map(|provider| {
                json!({
                    "id": provider.id,
                    "name": provider.name,
                    "test": format!("{prefix}/test/{}", provider.id),
                })
            })
            .collect();
        let page = json!({ "providers": providers });
        self.page(asked, "console-tests.html", "tests", &page)
    }

    /// `GET /tests/address?provider=`
    pub(super) fn confirm_issue(&self, asked: &Asked<'_>) -> Response {
        let Some(provider) = self.configured(asked.query("provider")) else {
            return self.gone(asked, "tests");
        };
        let question = Question {
            what: "address",
            section: "tests",
            action: "/tests/address",
            fields: &[("provider", &provider.id)],
            about: json!({ "name": provider.name }),
        };
        self.confirm(asked, &question)
    }

    /// `POST /tests/address`
    pub(super) fn issue(&self, asked: &Asked<'_>, form: &[(String, String)]) -> Response {
        let Some(provider) = self.configured(first(form, "provider")) else {
            return self.gone(asked, "tests");
        };
        let id = &provider.id;
        self.ordered(asked, "test_url", &format!("for the provider \"{id}\""));
        let (public, prefix) = (
            &self.config.server.public_url.text,
            self.parts.pages.prefix(),
        );
        let ticket = self.parts.tickets.issue(id);
        let notice = Notice {
            what: "address",
            count: 1,
            text: format!("{public}{prefix}/test/{id}?ticket={ticket}"),
        };
        self.done(asked, "tests", notice)
    }

    fn configured(&self, id: Option<&str>) -> Option<&config::Provider> {
        let mut providers = self.config.providers.iter();
        providers.find(|provider| Some(provider.id.as_str()) == id)
    }
}
