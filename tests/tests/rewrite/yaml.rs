//! YAML to JSON, as far as the golden files need it: one document, no anchors, no tags.

use libyaml_safer::{EventData, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// The one document of `text`.
pub fn load(text: &str) -> Value {
    let mut input = text.as_bytes();
    let mut parser = Parser::new();
    parser.set_input_string(&mut input);
    let mut next = move || parser.parse().expect("a golden file is YAML").data;
    assert!(matches!(next(), EventData::StreamStart { .. }));
    assert!(matches!(next(), EventData::DocumentStart { .. }), "the file has a document");
    let first = next();
    let value = node(first, &mut next);
    assert!(matches!(next(), EventData::DocumentEnd { .. }));
    assert!(matches!(next(), EventData::StreamEnd), "the file has one document");
    value
}

fn node(event: EventData, next: &mut impl FnMut() -> EventData) -> Value {
    match event {
        EventData::Scalar { value, style: ScalarStyle::Plain, .. } => plain(value),
        EventData::Scalar { value, .. } => Value::String(value),
        EventData::SequenceStart { .. } => {
            let mut items = Vec::new();
            loop {
                match next() {
                    EventData::SequenceEnd => return Value::Array(items),
                    item => items.push(node(item, next)),
                }
            }
        }
        EventData::MappingStart { .. } => {
            let mut members = Map::new();
            loop {
                let key = match next() {
                    EventData::MappingEnd => return Value::Object(members),
                    EventData::Scalar { value, .. } => value,
                    other => panic!("a key is a scalar, not {other:?}"),
                };
                let first = next();
                let twice = members.insert(key, node(first, next));
                assert!(twice.is_none(), "a key is there twice");
            }
        }
        other => panic!("no golden file needs {other:?}"),
    }
}

/// A plain scalar is JSON where it can be, else a string.
fn plain(text: String) -> Value {
    match text.as_str() {
        "" | "~" => Value::Null,
        json => serde_json::from_str(json).unwrap_or(Value::String(text)),
    }
}
