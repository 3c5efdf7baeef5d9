//! An entry of the variable: what it says, and its text.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::node::{JsonObject, quoted};
use crate::json::{Reader, Stop, ValueType, write_string};
use crate::probers::{Prober, encode_entry};

pub(super) struct Entry {
    pub prober: Prober,
    /// With its key: `"/app-health/app/readyz":{…}`.
    pub text: String,
}

impl Entry {
    /// One that is recorded now.
    pub fn new(key: &str, prober: Prober) -> Self {
        Self { text: encode_entry(key, &prober), prober }
    }

    /// One that is there: its text stays, and with it what is not known. But the kubelet expands or
    /// collapses `$(` and `$$` in the value of a variable; a `$` of JSON can only be in a string.
    pub fn read(key: &str, prober: Prober, value: &str) -> Self {
        let mut text = String::with_capacity(key.len() + value.len() + "\"\":".len());
        write_string(&mut text, key);
        text.push(':');
        text.push_str(value);
        if ["$(", "$$"].iter().any(|it| text.contains(it)) {
            text = text.replace('$', "\\u0024");
        }
        Self { prober, text }
    }

    /// A member that is not known: what it asks for is not in the prober.
    pub fn unknown_member(&self) -> Option<String> {
        let entry: JsonObject = serde_json::from_str(&format!("{{{}}}", self.text)).ok()?;
        let mut values = entry.values().filter_map(Value::as_object);
        values.find_map(|value| unknown(value, "the entry", ENTRY))
    }
}

/// The text of each entry of a variable that decodes; of several with one key the last counts.
pub(super) fn texts(variable: &str) -> BTreeMap<String, &str> {
    let mut texts = BTreeMap::new();
    // What decodes does not stop a reader.
    let _ = read_texts(variable, &mut texts);
    texts
}

fn read_texts<'a>(variable: &'a str, texts: &mut BTreeMap<String, &'a str>) -> Result<(), Stop> {
    let mut reader = Reader::new(variable);
    if reader.peek()? != ValueType::Object {
        return Ok(());
    }
    let mut entries = reader.open()?;
    while let Some(key) = reader.next_key(&mut entries)? {
        texts.insert(key.into_owned(), reader.raw()?);
    }
    Ok(())
}

const ENTRY: &[&str] = &["httpGet", "tcpSocket", "grpc", "timeoutSeconds"];

/// The members of what is known, without regard to case, as the variable is read.
fn members_of(holder: &str) -> &'static [&'static str] {
    match holder.to_ascii_lowercase().as_str() {
        "httpget" => &["path", "port", "host", "scheme", "httpHeaders", "protocol"],
        "tcpsocket" => &["port", "host"],
        "grpc" => &["port", "service", "mode"],
        "httpheaders" => &["name", "value"],
        _ => &[],
    }
}

/// `"authority" of grpc`: the first that is not among `known`, here or further in. Null is none.
fn unknown(members: &Map<String, Value>, holder: &str, known: &[&str]) -> Option<String> {
    members.iter().filter(|(_, value)| !value.is_null()).find_map(|(name, value)| {
        if !known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Some(format!("{} of {holder}", quoted(name)));
        }
        match value {
            Value::Object(inner) => unknown(inner, name, members_of(name)),
            Value::Array(items) => {
                let mut items = items.iter().filter_map(Value::as_object);
                items.find_map(|inner| unknown(inner, name, members_of(name)))
            }
            _ => None,
        }
    })
}
