//! Typed reading of a pod: a value, and where it stands.

use serde_json::{Map, Value};

use crate::patch::Pointer;
use crate::rewrite::result::Malformed;
use crate::rewrite::text::quoted;

pub type JsonObject = Map<String, Value>;

/// A value and its place. Places are linked on the stack: a pointer is built only for an error.
#[derive(Clone, Copy)]
pub struct Node<'a, 'p> {
    pub value: &'a Value,
    place: Place<'p>,
}

#[derive(Clone, Copy)]
enum Place<'p> {
    Root,
    Key(&'p Place<'p>, &'p str),
    Index(&'p Place<'p>, usize),
}

impl Place<'_> {
    fn pointer(&self) -> Pointer {
        match self {
            Place::Root => Pointer::root(),
            Place::Key(parent, key) => parent.pointer().key(key),
            Place::Index(parent, index) => parent.pointer().index(*index),
        }
    }
}

type Result<T> = std::result::Result<T, Malformed>;

impl<'a> Node<'a, '_> {
    pub fn root(value: &'a Value) -> Self {
        Self { value, place: Place::Root }
    }

    pub fn malformed(&self, problem: impl Into<String>) -> Malformed {
        Malformed { at: self.place.pointer(), problem: problem.into() }
    }

    pub fn object(&self) -> Result<&'a JsonObject> {
        self.value.as_object().ok_or_else(|| self.is_not("an object"))
    }

    pub fn string(&self) -> Result<&'a str> {
        self.value.as_str().ok_or_else(|| self.is_not("a string"))
    }

    pub fn bool(&self) -> Result<bool> {
        self.value.as_bool().ok_or_else(|| self.is_not("true or false"))
    }

    pub fn integer(&self) -> Result<i64> {
        self.value.as_i64().ok_or_else(|| self.is_not("an integer"))
    }

    /// A port number, 1 to 65535.
    pub fn port(&self) -> Result<u16> {
        let port = u16::try_from(self.integer()?).ok().filter(|port| *port != 0);
        port.ok_or_else(|| self.is_not("a port from 1 to 65535"))
    }

    /// A quantity, as far as its type goes.
    pub fn quantity(&self) -> Result<&'a Value> {
        let known = self.value.is_string() || self.value.is_number();
        if known { Ok(self.value) } else { Err(self.is_not("a quantity")) }
    }

    /// The items of an array, each with its place.
    pub fn items<'s>(&'s self) -> Result<impl Iterator<Item = Node<'a, 's>>> {
        let items = self.value.as_array().ok_or_else(|| self.is_not("an array"))?;
        Ok(items
            .iter()
            .enumerate()
            .map(|(index, value)| Node { value, place: Place::Index(&self.place, index) }))
    }

    /// The members of an object, each with its place. Null and absent mean the same.
    pub fn members<'s>(&'s self) -> Result<impl Iterator<Item = (&'a str, Node<'a, 's>)>> {
        let there = self.object()?.iter().filter(|(_, value)| !value.is_null());
        Ok(there.map(|(key, value)| (&**key, Node { value, place: Place::Key(&self.place, key) })))
    }

    /// The member `key` of an object. Null and absent mean the same.
    pub fn member<'s>(&'s self, key: &'s str) -> Result<Option<Node<'a, 's>>> {
        let value = present(self.object()?, key);
        Ok(value.map(|value| Node { value, place: Place::Key(&self.place, key) }))
    }

    /// The member `key`, a string.
    pub fn text(&self, key: &str) -> Result<Option<&'a str>> {
        self.member(key)?.map(|node| node.string()).transpose()
    }

    /// The member `key`, an object whose members are strings.
    pub fn texts(&self, key: &str) -> Result<Option<&'a JsonObject>> {
        let Some(texts) = self.member(key)? else { return Ok(None) };
        for (_, text) in texts.members()? {
            text.string()?;
        }
        texts.object().map(Some)
    }

    fn is_not(&self, expected: &str) -> Malformed {
        self.malformed(format!("expected {expected}, not {}", brief(self.value)))
    }
}

/// The member `key`. Null and absent mean the same.
pub fn present<'a>(object: &'a JsonObject, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|value| !value.is_null())
}

/// A value for people, within one line.
pub fn brief(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::String(text) => quoted(text),
        scalar => scalar.to_string(),
    }
}
