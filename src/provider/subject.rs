//! The unchanging identifier of a person: half of the pin, so it must not be guessable, shared, or
//! two values that read the same.

use super::error::Error;
use serde_json::{Map, Value};

/// OpenID Connect Core §2.
const LONGEST: usize = 255;

/// Whether a number may be an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// GitHub and its like: whole numbers become their decimal digits.
    Allow,
    /// OpenID Connect: a string, and nothing else.
    Refuse,
}

/// Reads the identifier from a claim: its literal name first, then a dotted path.
pub(super) fn read(
    claims: &Map<String, Value>,
    claim: &str,
    numbers: Numbers,
) -> Result<String, Error> {
    let name = || claim.to_owned();
    let text = match find(claims, claim) {
        None | Some(Value::Null) => return Err(Error::SubjectMissing { claim: name() }),
        Some(Value::String(text)) => text.clone(),
        // A float is not exact, and two people must not become one by rounding.
        Some(Value::Number(number))
            if numbers == Numbers::Allow && (number.is_u64() || number.is_i64()) =>
        {
            number.to_string()
        }
        Some(other) => {
            return Err(Error::SubjectType {
                claim: name(),
                found: match other {
                    Value::Number(_) => "a number",
                    Value::Bool(_) => "true or false",
                    Value::Array(_) => "a list",
                    _ => "an object",
                },
            });
        }
    };
    let length = text.chars().count();
    if text.trim().is_empty() {
        return Err(Error::SubjectEmpty { claim: name() });
    }
    if length > LONGEST {
        return Err(Error::SubjectTooLong {
            claim: name(),
            length,
        });
    }
    if text.chars().any(char::is_control) || text.to_ascii_lowercase().starts_with("not supported")
    {
        return Err(Error::SubjectUnusable { claim: name() });
    }
    Ok(text)
}

fn find<'a>(claims: &'a Map<String, Value>, claim: &str) -> Option<&'a Value> {
    claims.get(claim).or_else(|| {
        let mut steps = claim.split('.');
        let first = claims.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(claims: Value, claim: &str, numbers: Numbers, expected: Result<&str, &str>) {
        let found = read(claims.as_object().unwrap(), claim, numbers);
        assert_eq!(
            found.as_deref().map_err(Error::code),
            expected,
            "{claims} at {claim}"
        );
    }

    #[test]
    fn a_string_is_taken_as_it_is() {
        use Numbers::Refuse;
        let salesforce = "https://login.salesforce.com/id/00Dx0000000BV7zEAG/005x00000012Q9PAAU";
        check(json!({"sub": salesforce}), "sub", Refuse, Ok(salesforce));
        check(
            json!({"sub": "auth0|ab c"}),
            "sub",
            Refuse,
            Ok("auth0|ab c"),
        );
        check(json!({"data": {"id": "7"}}), "data.id", Refuse, Ok("7"));
        check(
            json!({"data.id": "8", "data": {"id": "7"}}),
            "data.id",
            Refuse,
            Ok("8"),
        );
        let longest = "x".repeat(255);
        check(json!({"sub": longest}), "sub", Refuse, Ok(&longest));
    }

    #[test]
    fn a_number_is_an_identifier_only_where_it_may_be_and_only_exactly() {
        use Numbers::{Allow, Refuse};
        check(json!({"id": 583_231}), "id", Allow, Ok("583231"));
        check(
            json!({"id": u64::MAX}),
            "id",
            Allow,
            Ok("18446744073709551615"),
        );
        check(json!({"id": 1.0}), "id", Allow, Err("subject_type"));
        check(json!({"id": 1e30}), "id", Allow, Err("subject_type"));
        check(json!({"sub": 583_231}), "sub", Refuse, Err("subject_type"));
    }

    #[test]
    fn what_identifies_nobody_is_refused() {
        for (claims, code) in [
            (json!({}), "subject_missing"),
            (json!({"sub": null}), "subject_missing"),
            (json!({"sub": ""}), "subject_empty"),
            (json!({"sub": "  "}), "subject_empty"),
            (json!({"sub": "x".repeat(256)}), "subject_too_long"),
            (json!({"sub": "a\u{0}b"}), "subject_unusable"),
            (
                json!({"sub": "Not supported currently. Use oid claim."}),
                "subject_unusable",
            ),
            (json!({"sub": ["a"]}), "subject_type"),
            (json!({"sub": {"a": 1}}), "subject_type"),
            (json!({"sub": true}), "subject_type"),
        ] {
            check(claims, "sub", Numbers::Allow, Err(code));
        }
    }
}
