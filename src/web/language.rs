//! Which language a reader wants: `Accept-Language` (RFC 9110 §12.5.4), looked up as RFC 4647 §3.4
//! says.

use super::{Context, RequestId};
use http::{HeaderMap, HeaderValue, header};

/// No browser sends more; the rest of a longer field is not looked at.
const MAX_FIELD: usize = 512;
/// Nor more languages.
const MAX_RANGES: usize = 16;

/// The languages that a request asked for, kept without a copy: every request asks, and hardly any
/// is answered by a page of the gateway.
#[derive(Debug, Clone)]
pub struct Wanted(Option<HeaderValue>);

impl Wanted {
    /// What a request with these header fields asked for.
    #[must_use]
    pub fn by(headers: &HeaderMap) -> Self {
        Self(headers.get(header::ACCEPT_LANGUAGE).cloned())
    }

    /// Whom the answer to that request is for, once it has an id.
    #[must_use]
    pub fn reader(self, id: RequestId) -> Reader {
        Reader { id, wanted: self }
    }
}

/// Whom an answer is for, as far as the answer cares.
#[derive(Debug, Clone)]
pub struct Reader {
    id: RequestId,
    wanted: Wanted,
}

impl Reader {
    /// The reader of the answer to a request with these header fields.
    #[must_use]
    pub fn new(headers: &HeaderMap, id: RequestId) -> Self {
        Wanted::by(headers).reader(id)
    }

    /// The request's id.
    #[must_use]
    pub const fn id(&self) -> &RequestId {
        &self.id
    }

    /// The position in `offered` of the language that fits best; 0 if none does.
    pub(super) fn choose(&self, offered: &[&str]) -> usize {
        let field = self.wanted.0.as_ref().and_then(|field| field.to_str().ok());
        field
            .and_then(|field| choose(field, offered))
            .unwrap_or_default()
    }
}

impl From<&Context> for Reader {
    fn from(context: &Context) -> Self {
        Self::new(&context.headers, context.id)
    }
}

impl From<&Reader> for Reader {
    fn from(reader: &Self) -> Self {
        reader.clone()
    }
}

/// For answers to whom no language matters.
impl From<&RequestId> for Reader {
    fn from(id: &RequestId) -> Self {
        Self {
            id: *id,
            wanted: Wanted(None),
        }
    }
}

/// Ranges by falling weight, in their order among equals; each is shortened from its end until a
/// language fits.
fn choose(field: &str, offered: &[&str]) -> Option<usize> {
    let field = field.get(..MAX_FIELD).unwrap_or(field);
    let mut ranges: Vec<(&str, u16)> = field
        .split(',')
        .take(MAX_RANGES)
        .filter_map(|part| {
            let mut parts = part.split(';').map(str::trim);
            let range = parts.next().filter(|range| !range.is_empty())?;
            let weight = match parts.next() {
                None => 1000,
                Some(parameter) => weight(parameter)?,
            };
            Some((range, weight))
        })
        .collect();
    // Stable, so that equals keep their order.
    ranges.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    let (unwanted, wanted): (Vec<_>, Vec<_>) =
        ranges.into_iter().partition(|(_, weight)| *weight == 0);
    let refused = |tag: &str| {
        unwanted
            .iter()
            .any(|(range, _)| range.eq_ignore_ascii_case(tag))
    };
    wanted.into_iter().find_map(|(range, _)| {
        if range == "*" {
            return offered.iter().position(|tag| !refused(tag));
        }
        let mut range = range;
        loop {
            let fits = |tag: &&str| tag.eq_ignore_ascii_case(range);
            let found = offered.iter().position(fits);
            if let Some(found) = found
                && !refused(range)
            {
                return Some(found);
            }
            range = range.rsplit_once('-')?.0;
        }
    })
}

/// `q=0.5` in thousandths. What is no weight makes its language uninteresting.
fn weight(parameter: &str) -> Option<u16> {
    let value = parameter
        .strip_prefix("q=")
        .or_else(|| parameter.strip_prefix("Q="))?;
    let value: f32 = value.trim().parse().ok()?;
    (0.0..=1.0)
        .contains(&value)
        .then(|| format!("{:.0}", value * 1000.0).parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERED: [&str; 6] = ["en", "de", "fr", "pt-BR", "ja", "tr"];

    #[track_caller]
    fn check(field: &str, want: Option<&str>) {
        let found = choose(field, &OFFERED).map(|index| OFFERED[index]);
        assert_eq!(found, want, "{field}");
    }

    #[test]
    fn the_language_with_the_highest_weight_is_chosen() {
        check("de", Some("de"));
        check("en;q=0.5, tr;q=0.8, ja;q=0.1", Some("tr"));
        check("fr;q=0.9,de;q=0.9", Some("fr"));
        check("en-US,en;q=0.9,de;q=0.8", Some("en"));
        check("DE-ch;Q=1.000", Some("de"));
    }

    #[test]
    fn a_region_gives_way_to_its_language_and_not_the_other_way_round() {
        check("de-AT", Some("de"));
        check("zh-Hant-TW, ja;q=0.2", Some("ja"));
        check("pt-br", Some("pt-BR"));
        check("pt", None);
    }

    #[test]
    fn anything_is_the_first_and_nothing_is_none() {
        check("*", Some("en"));
        check("zh, *;q=0.1", Some("en"));
        check("en;q=0, *", Some("de"));
        check("de;q=0", None);
        check("zh", None);
        check("", None);
    }

    #[test]
    fn nonsense_is_no_wish_and_costs_little() {
        for field in [
            ";q=1",
            "de;q=x",
            "de;q=7",
            "de;q=-1",
            "de;q=nan",
            ",,,",
            "-",
            "de;level=1",
        ] {
            check(field, None);
        }
        check(&"zh,".repeat(100_000), None);
        check(&format!("{},de", "x".repeat(MAX_FIELD)), None);
        check(&"-".repeat(MAX_FIELD), None);
    }

    #[test]
    fn a_field_that_is_no_text_is_no_wish() {
        let mut headers = HeaderMap::new();
        let odd = HeaderValue::from_bytes(b"de\xff").unwrap();
        headers.insert(header::ACCEPT_LANGUAGE, odd);
        assert_eq!(
            Reader::new(&headers, RequestId::fresh()).choose(&OFFERED),
            0
        );
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static("de"));
        assert_eq!(
            Reader::new(&headers, RequestId::fresh()).choose(&OFFERED),
            1
        );
    }
}
