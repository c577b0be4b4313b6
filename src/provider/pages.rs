//! Lists that come in pages (RFC 8288 `Link`, as GitHub uses it), bounded in time, pages and entries.

use super::error::Error;
use super::fetch::{Answer, Http};
use super::said::{Call, printable};
use http::HeaderValue;
use serde_json::Value;
use url::Url;

/// No person is in more.
const MOST_PAGES: usize = 10;
const MOST_ENTRIES: usize = 1000;

/// A list to be fetched.
#[derive(Clone, Copy)]
pub(super) struct List<'a> {
    /// Which, for errors.
    pub(super) call: Call,
    /// Its first page.
    pub(super) url: &'a Url,
    /// The scope that the provider wants for it.
    pub(super) scope: &'static str,
}

impl List<'_> {
    /// Every entry of every page, within the time that one call may take.
    pub(super) async fn fetch(
        self,
        http: &Http,
        bearer: &HeaderValue,
    ) -> Result<Vec<Value>, Error> {
        tokio::time::timeout(http.patience(), self.collect(http, bearer))
            .await
            .unwrap_or_else(|_| {
                Err(Error::Timeout {
                    call: self.call,
                    origin: self.url.origin().ascii_serialization(),
                })
            })
    }

    async fn collect(self, http: &Http, bearer: &HeaderValue) -> Result<Vec<Value>, Error> {
        let call = self.call;
        let mut entries = Vec::new();
        let mut at = self.url.clone();
        for _ in 0..MOST_PAGES {
            let answer = http.get_as_bearer(call, &at, bearer).await?;
            let answer = permitted(answer, self.scope)?;
            match answer.json()? {
                Value::Array(page) => entries.extend(page),
                _ => return Err(Error::NotList { call }),
            }
            if entries.len() > MOST_ENTRIES {
                break;
            }
            match answer.next_page() {
                None => return Ok(entries),
                Some(next) => at = self.page(&next)?,
            }
        }
        Err(Error::TooManyEntries {
            call,
            limit: MOST_ENTRIES,
        })
    }

    /// The next page is another part of the same list: the access token goes nowhere else.
    fn page(&self, next: &str) -> Result<Url, Error> {
        self.url
            .join(next)
            .ok()
            .filter(|url| {
                url.origin() == self.url.origin()
                    && url.path() == self.url.path()
                    && url.username().is_empty()
                    && url.password().is_none()
            })
            .ok_or_else(|| Error::PageElsewhere {
                call: self.call,
                found: printable(next),
            })
    }
}

/// A successful answer. Where the status says that the token is not good enough, the error names the
/// scope that would do.
pub(super) fn permitted(answer: Answer, scope: &'static str) -> Result<Answer, Error> {
    if answer.is_success() {
        return Ok(answer);
    }
    Err(match answer.failure() {
        Error::Status { call, status, said } if matches!(status.as_u16(), 401 | 403 | 404) => {
            Error::FetchRefused {
                call,
                status,
                said,
                scope,
            }
        }
        error => error,
    })
}
