//! The JSON Schema of the file, made from the descriptions of its keys, for editors.

use super::mappings;
use super::spec::{Default, Key, ROOT, Shape, Table};
use super::steps::{FORMS, Form, STEP};
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
            "$defs".to_owned(),
            json!({ "mapping": mapping(), "step": step() }),
        );
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
        // Editors see a date of TOML as a string too.
        Shape::Day => json!({ "type": "string", "format": "date" }),
        Shape::Choice(names) => json!({ "enum": names() }),
        Shape::Texts => array(text()),
        Shape::Choices(names) => array(json!({ "enum": names() })),
        Shape::OneOrMore => one_or_more(),
        Shape::Mappings => {
            let mapping = || json!({ "$ref": "#/$defs/mapping" });
            json!({ "oneOf": [mapping(), limited(mapping())] })
        }
        Shape::Steps => limited(json!({ "$ref": "#/$defs/step" })),
        Shape::Secret => secret(),
        Shape::Secrets => array(secret()),
        Shape::Map => json!({ "type": "object", "additionalProperties": text() }),
        Shape::Lists => json!({ "type": "object", "additionalProperties": one_or_more() }),
        Shape::Object => json!({ "type": "object" }),
        Shape::Table(inner) => table(inner),
        Shape::Tables(inner) => array(table(inner)),
    }
}

fn one_or_more() -> Value {
    let text = || json!({ "type": "string" });
    json!({ "oneOf": [text(), { "type": "array", "items": text() }] })
}

fn limited(items: Value) -> Value {
    json!({ "type": "array", "items": items, "maxItems": mappings::MOST })
}

/// One mapping: a reference, or a table that says where in exactly one way.
fn mapping() -> Value {
    let mut object = table(&mappings::TABLE);
    if let Some(object) = object.as_object_mut() {
        object.remove("required");
        object.insert(
            "oneOf".to_owned(),
            json!([{ "required": ["claim"] }, { "required": ["jmespath"] }]),
        );
    }
    json!({ "oneOf": [{ "type": "string", "minLength": 1 }, object] })
}

/// One step: a word, or a table with the keys of one form.
fn step() -> Value {
    let all: Vec<_> = FORMS.iter().map(form).collect();
    json!({ "oneOf": all })
}

fn form(form: &Form) -> Value {
    let doc = format!("{} It makes {} of {}.", form.doc, form.to, form.from);
    if form.is_word() {
        return json!({ "const": form.name, "description": doc });
    }
    let keys = form.keys().filter_map(|name| STEP.key(name));
    let properties: Map<_, _> = keys
        .map(|key| (key.name.to_owned(), property(key)))
        .collect();
    let mut schema = json!({
        "type": "object",
        "description": doc,
        "properties": properties,
        "minProperties": 1,
        "additionalProperties": false,
    });
    // `allow` and `deny` go together, and each goes alone.
    if form.name != "allow"
        && let Some(schema) = schema.as_object_mut()
    {
        schema.insert("required".to_owned(), json!([form.name]));
    }
    schema
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
        assert_eq!(
            provider["client_secret_expires_on"]["format"],
            json!("date")
        );
        assert_eq!(provider["signing_algs"]["default"][9], json!("EdDSA"));
        assert_eq!(
            provider["claims"]["properties"]["username"]["oneOf"][1]["type"],
            json!("array")
        );
    }

    #[test]
    fn the_schema_knows_every_step() {
        let schema = schema();
        let steps = schema["$defs"]["step"]["oneOf"].as_array().unwrap();
        assert_eq!(steps[0]["const"], json!("trim"));
        let regex = steps
            .iter()
            .find(|step| step["required"] == json!(["regex"]))
            .unwrap();
        assert_eq!(regex["properties"]["replace"]["type"], json!("string"));
        let keys: usize = steps
            .iter()
            .filter_map(|step| step["properties"].as_object())
            .map(Map::len)
            .sum();
        assert_eq!(keys, STEP.keys.len());
        let mapping = &schema["$defs"]["mapping"]["oneOf"][1];
        assert_eq!(mapping["oneOf"][0]["required"], json!(["claim"]));
        assert_eq!(
            mapping["properties"]["steps"]["items"]["$ref"],
            json!("#/$defs/step")
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
