//! JSON Patch (RFC 6902), as far as a rewrite needs it.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

/// A JSON Pointer (RFC 6901), built from tokens and never escaped by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointer(String);

impl Pointer {
    /// The whole document.
    pub fn root() -> Self {
        Self::default()
    }

    /// The member `key` of what this points to.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let mut pointer = self.0.clone();
        pointer.push('/');
        for c in key.chars() {
            match c {
                '~' => pointer.push_str("~0"),
                '/' => pointer.push_str("~1"),
                c => pointer.push(c),
            }
        }
        Self(pointer)
    }

    /// The item `index` of the array that this points to.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }

    /// As it stands in a patch.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The unescaped tokens, outermost first.
    pub fn tokens(&self) -> impl Iterator<Item = String> {
        self.0.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~"))
    }
}

/// One step of a patch. A patch is a list of them, applied in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Adds a member (or replaces it, where it is there), or inserts an item.
    Add(Pointer, Value),
    /// Replaces what is there.
    Replace(Pointer, Value),
    /// Removes what is there.
    Remove(Pointer),
}

impl Operation {
    /// Where it applies.
    pub fn pointer(&self) -> &Pointer {
        match self {
            Operation::Add(pointer, _) | Operation::Replace(pointer, _) => pointer,
            Operation::Remove(pointer) => pointer,
        }
    }
}

impl Serialize for Operation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (op, value) = match self {
            Operation::Add(_, value) => ("add", Some(value)),
            Operation::Replace(_, value) => ("replace", Some(value)),
            Operation::Remove(_) => ("remove", None),
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("op", op)?;
        map.serialize_entry("path", self.pointer().as_str())?;
        if let Some(value) = value {
            map.serialize_entry("value", value)?;
        }
        map.end()
    }
}
