//! Parameters of a query or a form, each at most once.

use std::borrow::Cow;

/// A parameter came twice, which RFC 6749 §3.1 forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repeated;

/// Names and values, decoded, in order.
#[derive(Debug, Clone)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads `application/x-www-form-urlencoded`.
    pub(super) fn read(text: &[u8]) -> Self {
        let pairs = url::form_urlencoded::parse(text);
        let owned = |(name, value): (Cow<'_, str>, Cow<'_, str>)| (name.into(), value.into());
        Self(pairs.map(owned).collect())
    }

    /// The value of a parameter. One without a value counts as absent (RFC 6749 §3.1).
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Repeated> {
        let mut values = self.0.iter().filter(|(key, _)| key == name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Repeated),
            (Some((_, value)), None) if !value.is_empty() => Ok(Some(value)),
            (_, None) => Ok(None),
        }
    }

    /// The parameters without these.
    pub(super) fn without(&self, names: &[&str]) -> Vec<(String, String)> {
        let others = self
            .0
            .iter()
            .filter(|(key, _)| !names.contains(&key.as_str()));
        others.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_comes_twice_has_no_value() {
        let params = Params::read(b"a=1&b=&c=x+y%26&a=2");
        assert_eq!(params.one("a"), Err(Repeated));
        assert_eq!(params.one("b"), Ok(None));
        assert_eq!(params.one("c"), Ok(Some("x y&")));
        assert_eq!(params.one("d"), Ok(None));
        assert_eq!(params.without(&["a", "b"]).len(), 1);
    }
}
