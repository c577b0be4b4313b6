//! The JSON Schema of the file, made from the descriptions of its keys, for editors.

use super::spec::{Default, Key, ROOT, Shape, Table};
use serde_json::{Map, Value, json};

/// The JSON Schema (draft 2020-12) of the configuration file.
#[must_use]
pub fn schema() -> Value {
    let mut schema = table(&ROOT);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert(
            "$schema".to_owned(),
            json!("https://json-schema.org/draft/2020-12/schema"),
        );
        schema.insert("title".to_owned(), json!("Portcullis"));
        schema.insert(
            "required".to_owned(),
            json!(["server", "upstream", "session"]),
        );
    }
    schema
}

fn table(table: &Table) -> Value {
    let properties: Map<_, _> = table
        .keys
        .iter()
        .map(|key| (key.name.to_owned(), property(key)))
        .collect();
    let required: Vec<_> = table
        .keys
        .iter()
        .filter(|key| matches!(key.default, Default::Required(_)))
        .map(|key| key.name)
        .collect();
    json!({
        "type": "object",
        "description": table.doc,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn property(key: &Key) -> Value {
    let mut schema = shape(key.shape);
    if let Some(schema) = schema.as_object_mut() {
        let description = match key.default {
            Default::Unset(words, _) => format!("{} Default: {words}.", key.doc),
            _ => key.doc.to_owned(),
        };
        schema.insert("description".to_owned(), json!(description));
        if let Default::Value(default) = key.default
            && let Some(default) = value(default)
        {
            schema.insert("default".to_owned(), default);
        }
    }
    schema
}

fn shape(shape: Shape) -> Value {
    let text = || json!({ "type": "string" });
    let array = |items: Value| json!({ "type": "array", "items": items });
    match shape {
        Shape::Text => text(),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Seconds(min, max) | Shape::Count(min, max) => {
            json!({ "type": "integer", "minimum": min, "maximum": max })
        }
        Shape::Choice(names) => json!({ "enum": names() }),
        Shape::Texts => array(text()),
        Shape::Choices(names) => array(json!({ "enum": names() })),
        Shape::OneOrMore => json!({ "oneOf": [text(), array(text())] }),
        Shape::Secret => secret(),
        Shape::Secrets => array(secret()),
        Shape::Map => json!({ "type": "object", "additionalProperties": text() }),
        Shape::Table(inner) => table(inner),
        Shape::Tables(inner) => array(table(inner)),
    }
}

fn secret() -> Value {
    let pointer = |name: &str| {
        json!({
            "type": "object",
            "properties": { name: { "type": "string" } },
            "required": [name],
            "additionalProperties": false,
        })
    };
    json!({ "oneOf": [{ "type": "string" }, pointer("env"), pointer("file")] })
}

/// A value in TOML as JSON.
fn value(toml: &str) -> Option<Value> {
    let document: Map<String, Value> = toml::from_str(&format!("it = {toml}")).ok()?;
    document.get("it").cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_every_key_with_its_default() {
        let schema = schema();
        let server = &schema["properties"]["server"];
        assert_eq!(server["additionalProperties"], json!(false));
        assert_eq!(server["required"], json!(["public_url"]));
        assert_eq!(
            server["properties"]["listen"]["default"],
            json!("0.0.0.0:8080")
        );
        assert_eq!(
            server["properties"]["head_timeout_secs"]["maximum"],
            json!(3600)
        );
        let provider = &schema["properties"]["providers"]["items"]["properties"];
        assert_eq!(provider["preset"]["enum"][0], json!("salesforce"));
        assert_eq!(
            provider["client_secret"]["oneOf"][1]["required"],
            json!(["env"])
        );
        assert_eq!(provider["signing_algs"]["default"][9], json!("EdDSA"));
        assert_eq!(
            provider["claims"]["properties"]["username"]["oneOf"][1]["type"],
            json!("array")
        );
    }

    #[test]
    fn every_default_is_in_the_schema() {
        fn check(table: &Table) {
            for key in table.keys {
                match (key.default, key.shape) {
                    (Default::Value(default), _) => {
                        assert!(value(default).is_some(), "{}", key.name)
                    }
                    (_, Shape::Table(inner) | Shape::Tables(inner)) => check(inner),
                    _ => {}
                }
            }
        }
        check(&ROOT);
    }
}
