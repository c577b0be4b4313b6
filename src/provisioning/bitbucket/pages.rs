//! Lists that come in pages.

use super::Bitbucket;
use super::http::Ask;
use crate::provisioning::Error;
use serde_json::Value;
use std::ops::ControlFlow;
use tokio::time::Instant;

impl Bitbucket {
    /// Shows every entry of a list until told to stop, from page to page. Page numbers may be skipped
    /// and pages may be short, so only what Bitbucket names as next is asked for; it must lead
    /// forwards.
    pub(super) async fn entries(
        &self,
        ask: Ask,
        until: Instant,
        mut each: impl FnMut(Value) -> ControlFlow<()> + Send,
    ) -> Result<(), Error> {
        let call = ask.call;
        let lacks = |lacks| Error::Shape { call, lacks };
        let (mut start, mut seen, most) = (0_u64, 0_usize, self.limits.entries);
        loop {
            let page = if start == 0 {
                self.http.send(&ask, until).await?
            } else {
                let next = ask.clone().with("start", start.to_string());
                self.http.send(&next, until).await?
            };
            let mut page = page.json(call)?;
            let Some(Value::Array(values)) = page.get_mut("values").map(Value::take) else {
                return Err(lacks("a list of values"));
            };
            // An empty page counts too, so that there is an end to them.
            seen = seen.saturating_add(values.len().max(1));
            for value in values {
                if each(value).is_break() {
                    return Ok(());
                }
            }
            if page.get("isLastPage").and_then(Value::as_bool) == Some(true) {
                return Ok(());
            }
            let next = page.get("nextPageStart").and_then(Value::as_u64);
            let next = next.ok_or_else(|| lacks("the start of the next page"))?;
            if next <= start {
                return Err(Error::Circle { call });
            }
            if seen >= most {
                return Err(Error::TooMany { call, most });
            }
            start = next;
        }
    }
}
