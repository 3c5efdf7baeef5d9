//! An entry of the variable: what it says, and its text.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::handler::HandlerKind;
use crate::json::{Reader, Stop, ValueType, write_string};
use crate::probers::{Prober, encode_entry};
use crate::rewrite::read::JsonObject;
use crate::rewrite::text::quoted;

pub struct Entry {
    pub prober: Prober,
    /// With its key: `"/app-health/app/readyz":{…}`.
    pub text: String,
}

impl Entry {
    /// An entry that is recorded now.
    pub fn new(key: &str, prober: Prober) -> Self {
        Self { text: encode_entry(key, &prober), prober }
    }

    /// An entry that was there: its text stays, and with it what is not known. But the kubelet expands or
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
        values.find_map(|value| unknown(value, "the entry", &members_of_entry()))
    }
}

/// The text of each entry of a variable that decodes; of several with one key the last counts.
pub fn texts(variable: &str) -> BTreeMap<String, &str> {
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

/// The members of an entry.
fn members_of_entry() -> Vec<&'static str> {
    let handlers = HandlerKind::ALL.into_iter().filter(|it| it.asks_port());
    handlers.map(HandlerKind::field).chain(["timeoutSeconds"]).collect()
}

/// The members of what stands in an entry, without regard to case, as the variable is read.
fn members_of(holder: &str) -> &'static [&'static str] {
    if holder.eq_ignore_ascii_case("httpHeaders") {
        return &["name", "value"];
    }
    let mut handlers = HandlerKind::ALL.into_iter();
    handlers.find(|it| it.field().eq_ignore_ascii_case(holder)).map_or(&[], HandlerKind::members)
}

/// `"authority" of grpc`: the first that is not among `known`, here or further in. Null is none.
fn unknown(members: &JsonObject, holder: &str, known: &[&str]) -> Option<String> {
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
