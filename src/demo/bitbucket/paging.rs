//! Pages of a list.

use super::input::Params;
use super::refusal::Refusal;
use axum::Json;
use serde_json::{Value, json};

/// What a page has when nobody says.
const DEFAULT_LIMIT: usize = 25;

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    start: usize,
    limit: usize,
}

impl Window {
    /// `start` and `limit`, of which no more than `cap` are given.
    pub(super) fn asked(params: &Params, cap: usize) -> Result<Self, Refusal> {
        let number = |name: &'static str, default| {
            let Some(text) = params.first(name).filter(|text| !text.is_empty()) else {
                return Ok(default);
            };
            text.parse()
                .map_err(|_| Refusal::invalid(name, format!("\"{text}\" is not a number")))
        };
        let limit: usize = number("limit", DEFAULT_LIMIT)?;
        if limit == 0 {
            return Err(Refusal::invalid("limit", "The limit must be at least 1"));
        }
        Ok(Self {
            start: number("start", 0)?,
            limit: limit.min(cap.max(1)),
        })
    }

    /// The page. `all` is the whole list before any filter, with nothing in the places of what the
    /// filter takes out: `start` counts those places too, as Bitbucket filters while it reads, so
    /// `nextPageStart` is rarely `start + size`.
    pub(super) fn page(self, all: impl IntoIterator<Item = Option<Value>>) -> Json<Value> {
        let mut values = Vec::new();
        let mut next = None;
        for (place, value) in all.into_iter().enumerate().skip(self.start) {
            let Some(value) = value else { continue };
            if values.len() == self.limit {
                next = Some(place);
                break;
            }
            values.push(value);
        }
        Json(json!({
            "size": values.len(), "limit": self.limit, "start": self.start,
            "isLastPage": next.is_none(), "nextPageStart": next, "values": values,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, cap: usize, all: &[Option<u8>], values: &[u8], next: Option<usize>) {
        let window = Window::asked(&Params::parse(query), cap).unwrap();
        let all = all.iter().map(|value| value.map(Value::from));
        let Json(page) = window.page(all);
        assert_eq!(page["values"], json!(values), "{query}");
        assert_eq!(page["size"], values.len());
        assert_eq!(page["nextPageStart"], json!(next));
        assert_eq!(page["isLastPage"], next.is_none());
    }

    #[test]
    fn the_next_page_may_skip_numbers() {
        let all = [Some(1), None, None, Some(4), Some(5), None];
        check("", 1000, &all, &[1, 4, 5], None);
        check("limit=1", 1000, &all, &[1], Some(3));
        check("limit=1&start=3", 1000, &all, &[4], Some(4));
        check("limit=1&start=4", 1000, &all, &[5], None);
        check("limit=500&start=", 2, &all, &[1, 4], Some(4));
        check("start=99", 1000, &all, &[], None);
        check("start=18446744073709551615", 1000, &all, &[], None);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for query in ["limit=0", "limit=-1", "limit=x", "start=-1", "start=1e3"] {
            assert!(Window::asked(&Params::parse(query), 9).is_err(), "{query}");
        }
    }
}
