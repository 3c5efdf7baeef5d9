//! JSON Patch (RFC 6902), as far as a rewrite needs it.

use std::fmt;

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
        self.keys(&[key])
    }

    /// The member of a member, and so on inwards.
    #[must_use]
    pub fn keys(&self, keys: &[&str]) -> Self {
        let longer: usize = keys.iter().map(|key| "/".len() + key.len()).sum();
        let mut pointer = String::with_capacity(self.0.len() + longer);
        pointer.push_str(&self.0);
        for key in keys {
            pointer.push('/');
            push_escaped(&mut pointer, key);
        }
        Self(pointer)
    }

    /// The item `index` of the array that this points to.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }

    /// What `inner`, a pointer into the value that this points to, points to in the whole.
    #[must_use]
    pub fn join(&self, inner: &Pointer) -> Self {
        Self([&*self.0, &*inner.0].concat())
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

fn push_escaped(pointer: &mut String, key: &str) {
    let mut rest = key;
    while let Some(at) = rest.find(['~', '/']) {
        pointer.push_str(&rest[..at]);
        pointer.push_str(if rest[at..].starts_with('~') { "~0" } else { "~1" });
        rest = &rest[at + 1..];
    }
    pointer.push_str(rest);
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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

    /// The same operation on a document in which the one it was meant for stands at `outer`.
    #[must_use]
    pub fn under(mut self, outer: &Pointer) -> Self {
        let (Operation::Add(at, _) | Operation::Replace(at, _) | Operation::Remove(at)) = &mut self;
        if !outer.0.is_empty() {
            at.0.insert_str(0, &outer.0);
        }
        self
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

/// A patch does not fit its document: it was made for another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Where nothing is, or where nothing can be.
    pub at: Pointer,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the patch does not fit: nothing can be changed at {:?}", self.at.as_str())
    }
}

impl std::error::Error for Mismatch {}

/// Applies a patch.
///
/// # Errors
/// An operation has nothing to be applied to. Those before it have been applied.
pub fn apply(document: &mut Value, patch: &[Operation]) -> Result<(), Mismatch> {
    for operation in patch {
        apply_one(document, operation)
            .ok_or_else(|| Mismatch { at: operation.pointer().clone() })?;
    }
    Ok(())
}

fn apply_one(document: &mut Value, operation: &Operation) -> Option<()> {
    let Some((parent, last)) = operation.pointer().as_str().rsplit_once('/') else {
        return apply_to_root(document, operation);
    };
    let token = last.replace("~1", "/").replace("~0", "~");
    match (document.pointer_mut(parent)?, operation) {
        (Value::Object(members), Operation::Add(_, value)) => {
            members.insert(token, value.clone());
        }
        (Value::Object(members), Operation::Replace(_, value)) => {
            *members.get_mut(&token)? = value.clone();
        }
        (Value::Object(members), Operation::Remove(_)) => {
            members.remove(&token)?;
        }
        (Value::Array(items), Operation::Add(_, value)) => {
            let index = if token == "-" { items.len() } else { index(&token)? };
            (index <= items.len()).then(|| items.insert(index, value.clone()))?;
        }
        (Value::Array(items), Operation::Replace(_, value)) => {
            *items.get_mut(index(&token)?)? = value.clone();
        }
        (Value::Array(items), Operation::Remove(_)) => {
            let index = index(&token)?;
            (index < items.len()).then(|| items.remove(index))?;
        }
        _ => return None,
    }
    Some(())
}

fn apply_to_root(document: &mut Value, operation: &Operation) -> Option<()> {
    *document = match operation {
        Operation::Add(_, value) | Operation::Replace(_, value) => value.clone(),
        Operation::Remove(_) => return None,
    };
    Some(())
}

/// Digits without a leading zero (RFC 6901, section 4).
fn index(token: &str) -> Option<usize> {
    let digits = token.bytes().all(|b| b.is_ascii_digit());
    let plain = digits && (token == "0" || !token.starts_with('0'));
    token.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pointer_is_escaped_and_read_back() {
        let pointer = Pointer::root().keys(&["a/b", "m~n"]).index(3).join(&Pointer::root().key(""));
        assert_eq!(pointer.as_str(), "/a~1b/m~0n/3/");
        assert_eq!(pointer.tokens().collect::<Vec<_>>(), ["a/b", "m~n", "3", ""]);
    }

    #[test]
    fn an_operation_within_a_document() {
        let there = Pointer::root().key("a");
        for (outer, at) in [(Pointer::root(), "/a"), (Pointer::root().index(1), "/1/a")] {
            assert_eq!(Operation::Remove(there.clone()).under(&outer).pointer().as_str(), at);
        }
    }

    /// The crate json-patch is the oracle.
    #[test]
    fn patches_are_applied() {
        let document = json!({"a": [1, 2], "b": {"c": 3}, "x/y": 4});
        let places = ["", "/a", "/a/0", "/a/1", "/a/2", "/a/3", "/a/-", "/a/01", "/a/+1", "/a/x"];
        let others = ["/b/c", "/b/d", "/x~1y", "/b/c/d", "/nothing/d"];
        for at in places.into_iter().chain(others) {
            let pointer = Pointer(at.to_owned());
            for operation in [
                Operation::Add(pointer.clone(), json!("new")),
                Operation::Replace(pointer.clone(), json!("new")),
                Operation::Remove(pointer.clone()),
            ] {
                let (mut ours, mut theirs) = (document.clone(), document.clone());
                let applied = apply(&mut ours, std::slice::from_ref(&operation));
                let text = serde_json::to_string(&[&operation]).unwrap();
                let same: json_patch::Patch = serde_json::from_str(&text).unwrap();
                assert_eq!(
                    applied.is_ok(),
                    json_patch::patch(&mut theirs, &same).is_ok(),
                    "{text}"
                );
                assert_eq!(ours, theirs, "{text}");
                if let Err(mismatch) = applied {
                    assert!(mismatch.to_string().ends_with(&format!("at {at:?}")), "{mismatch}");
                }
            }
        }
    }
}
