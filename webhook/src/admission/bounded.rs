//! A pod read as JSON, the memory for it bounded: where it is all small objects, it takes 90 times
//! its text.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Bytes that a pod may take. A pod of 1.5 MB that is all short environment variables takes 45 MiB.
pub(super) const MOST: usize = 56 << 20;

/// An object is a tree of nodes; one has this many members or more, unless it is the only one.
const MEMBERS_OF_NODE: usize = 5;

/// A node, which always has room for eleven members, with its share of the nodes above.
const NODE: usize = 720;

/// An array has room for four items at least, and for up to twice those that it has.
const FIRST_ITEM: usize = 4 * size_of::<Value>() + ALLOCATION;
const ITEM: usize = 2 * size_of::<Value>();

/// What the allocator keeps beside a piece of memory, or rounds it up by.
const ALLOCATION: usize = 16;

/// A list of who set which field: up to half of a pod's text, and nothing that is asked here. No
/// other field of a pod has its name, and what a label or annotation of this name says does not
/// matter.
const SKIPPED: &str = "managedFields";

/// Why a pod was not read.
#[derive(Debug)]
pub(super) enum Unread {
    /// It would take more memory than it may.
    TooLarge,
    /// It is too deep, or has a number or text that no value can be.
    Invalid(serde_json::Error),
}

/// Reads a pod, without its `managedFields`, in at most so many bytes.
///
/// # Errors
/// It would take more, or is no JSON that a [`Value`] can hold.
pub(super) fn read(text: &str, most: usize) -> Result<Value, Unread> {
    let left = Cell::new(Some(most));
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Budget(&left).deserialize(&mut deserializer);
    value.and_then(|value| deserializer.end().map(|()| value)).map_err(|error| match left.get() {
        Some(_) => Unread::Invalid(error),
        None => Unread::TooLarge,
    })
}

/// What is left of it; `None` once it was too little.
#[derive(Clone, Copy)]
struct Budget<'a>(&'a Cell<Option<usize>>);

impl Budget<'_> {
    fn charge<E: Error>(self, bytes: usize) -> Result<(), E> {
        self.0.set(self.0.get().and_then(|left| left.checked_sub(bytes)));
        self.0.get().map(|_| ()).ok_or_else(|| E::custom("too large"))
    }
}

impl<'de> DeserializeSeed<'de> for Budget<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Budget<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.charge(text.len() + ALLOCATION)?;
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            self.charge(if array.is_empty() { FIRST_ITEM } else { ITEM })?;
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if key == SKIPPED {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            let node = if object.len().is_multiple_of(MEMBERS_OF_NODE) { NODE } else { 0 };
            self.charge(node + key.len() + ALLOCATION)?;
            object.insert(key, members.next_value_seed(self)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMPLE: usize = 1 << 20;

    #[test]
    fn what_is_read_is_what_serde_json_reads() {
        let review = include_str!("../../../tests/golden/admission/create-pod.json");
        for text in [
            review.replace(SKIPPED, "others").as_str(),
            "null",
            " [true, -1, 18446744073709551615, 1.5e300, \"\\u00e9\\n\", [], {}] ",
            r#"{"a": 1, "b": {"a": 2}, "a": [3]}"#,
        ] {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(read(text, AMPLE).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn managed_fields_are_skipped_however_many_they_are() {
        let fields = r#"{"f:a":{}},"#.repeat(AMPLE / 8) + "null";
        let text = format!(r#"{{"metadata":{{"managedFields":[{fields}],"name":"p"}}}}"#);
        let expected = serde_json::json!({"metadata": {"name": "p"}});
        assert_eq!(read(&text, AMPLE).unwrap(), expected);
    }

    #[test]
    fn what_no_value_can_be_is_invalid() {
        for text in ["", "{", "1e999", r#""\ud800""#, "[] []", &"[".repeat(1000)] {
            assert!(matches!(read(text, AMPLE), Err(Unread::Invalid(_))), "{text}");
        }
    }

    #[test]
    fn each_value_counts() {
        for (item, at_least) in [
            (r#"{"a":1}"#, 680),
            (r#"{"":{"":0}}"#, 1340),
            (r#"{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6}"#, 680 + 6 * 17),
            ("[0]", 32 + 128),
            ("[0,0,0,0,0]", 32 + 256),
            ("{}", 32),
            ("0", 32),
            (r#""0123456789""#, 32 + 10),
        ] {
            let text = format!("[{}{item}]", format!("{item},").repeat(999));
            assert!(matches!(read(&text, 1000 * at_least), Err(Unread::TooLarge)), "{item}");
            assert!(read(&text, 2500 * at_least).is_ok(), "{item}");
        }
    }
}
