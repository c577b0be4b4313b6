//! JSON as others write it, read so that every reader reads the same: a repeated member is refused
//! at any depth (RFC 8725 §2.4; RFC 7515 §4 leaves a choice that attackers like).

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::Cell;
use std::fmt;

/// Why a text is not taken.
#[derive(Debug)]
pub(super) enum Invalid {
    /// Not JSON, or something after it. The library's message never quotes the text.
    Syntax(serde_json::Error),
    /// A member of this name twice in one object.
    Duplicate(String),
}

/// Reads a whole text. Nesting is bounded by the parser (128 levels), size by the caller.
pub(super) fn parse(text: &[u8]) -> Result<Value, Invalid> {
    let duplicate = Cell::new(None);
    let mut parser = serde_json::Deserializer::from_slice(text);
    let value = Strict(&duplicate)
        .deserialize(&mut parser)
        .and_then(|value| parser.end().map(|()| value));
    match (value, duplicate.take()) {
        (_, Some(name)) => Err(Invalid::Duplicate(super::said::printable(&name))),
        (Ok(value), None) => Ok(value),
        (Err(error), None) => Err(Invalid::Syntax(error)),
    }
}

/// Builds a [`Value`] and leaves the name of the first repeated member in the cell.
#[derive(Clone, Copy)]
struct Strict<'a>(&'a Cell<Option<String>>);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Value, D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                self.0.set(Some(name));
                return Err(A::Error::custom("repeated member"));
            }
            let value = members.next_value_seed(self)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, duplicate: Option<&str>) {
        match (parse(text.as_bytes()), duplicate) {
            (Ok(value), None) => {
                assert_eq!(value, serde_json::from_str::<Value>(text).unwrap());
            }
            (Err(Invalid::Duplicate(name)), Some(expected)) => assert_eq!(name, expected),
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn what_the_library_reads_is_read_the_same() {
        check(
            r#"{"a":[1,-2,3.5,1e3,18446744073709551615,null,true,"x\u00e9"],"b":{"a":{}}}"#,
            None,
        );
        check(r#" "text" "#, None);
    }

    #[test]
    fn a_repeated_member_is_refused_at_any_depth() {
        check(r#"{"sub":"ana","sub":"admin"}"#, Some("sub"));
        check(r#"{"a":[{"b":{"c":1,"c":1}}]}"#, Some("c"));
        // The same name in another spelling.
        check(r#"{"sub":1,"s\u0075b":2}"#, Some("sub"));
    }

    #[test]
    fn what_is_not_one_json_text_is_refused() {
        let deep = "[".repeat(100_000);
        for text in [
            "",
            "{",
            "{} {}",
            "{}x",
            "{'a':1}",
            "1e999",
            "\"\\ud800\"",
            &deep,
        ] {
            assert!(
                matches!(parse(text.as_bytes()), Err(Invalid::Syntax(_))),
                "{text:.20}"
            );
        }
        assert!(matches!(parse(b"\"\xff\""), Err(Invalid::Syntax(_))));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&text);
        }
    }
}
