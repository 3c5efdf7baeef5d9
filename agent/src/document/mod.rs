//! Manifests as text: the documents of a file, read as kubectl reads them and written so that
//! kubectl reads them the same, but for a patch.
//!
//! | module | what it does |
//! |---|---|
//! | [`stream`] | a file's text, split into documents |
//! | [`object`] | one object of a document: mostly it is all of it |
//! | [`list`] | a List, whose items are read one by one |
//! | [`node`], [`scalar`] | a document as a tree, in which each scalar knows how it was written |
//! | [`mod@compose`], [`emit`] | YAML to a tree, and back |
//! | [`resolve`] | what a YAML scalar means to kubectl |
//! | [`json`] | JSON to a tree, and back |
//! | [`apply`] | a patch applied to a tree |

mod apply;
mod compose;
mod emit;
mod json;
mod list;
mod node;
mod object;
mod resolve;
mod scalar;
mod stream;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use app_health_webhook::patch::Operation;
use serde_json::Value;

use self::compose::{Copies, compose};
use self::json::Shape;
pub use self::list::List;
pub use self::node::Node;
pub use self::object::Object;
pub use self::stream::Documents;

/// The two formats of manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// YAML 1.1, as go-yaml v2 understands it.
    Yaml,
    /// RFC 8259.
    Json,
}

/// A document of a file, with the text that surrounds it.
#[derive(Debug)]
pub struct Document<'t> {
    /// What stands before it: a line `---`, or white space.
    pub lead: &'t str,
    /// The document itself.
    pub body: &'t str,
    /// What stands behind it: white space.
    pub tail: &'t str,
    /// What it holds.
    pub content: Content<'t>,
}

/// What a document holds.
#[derive(Debug)]
pub enum Content<'t> {
    /// Nothing but comments, or null.
    Blank,
    /// One object.
    Object(Object<'t>),
    /// A List, whose items have not been looked at yet.
    List(List<'t>),
}

/// What a short text within a manifest says: JSON, or YAML without aliases. Null where it says nothing.
///
/// `Err` is one line.
pub fn value(text: &str) -> Result<Value, String> {
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    let tree = compose(text, 1, &mut Copies::refused())?;
    Ok(tree.map_or(Value::Null, |tree| tree.value()))
}

impl<'t> Document<'t> {
    /// What it says; of a List all but its items. `None` where it is empty.
    pub fn value(&self) -> Option<&Value> {
        self.object().map(Object::value)
    }

    /// How it is written.
    pub fn format(&self) -> Format {
        match self.object() {
            Some(Object::Json(..)) => Format::Json,
            Some(Object::Yaml(..)) | None => Format::Yaml,
        }
    }

    fn object(&self) -> Option<&Object<'t>> {
        match &self.content {
            Content::Blank => None,
            Content::Object(object) => Some(object),
            Content::List(list) => Some(&list.head),
        }
    }

    /// Its text in `format` with the patch applied: its own text where that changes nothing.
    ///
    /// `Err` where the patch was made for another document, or this is a List, each of whose items
    /// has a patch of its own: see [`Document::push_list`].
    pub fn text(self, patch: &[Operation], format: Format) -> Result<Cow<'t, str>, String> {
        if patch.is_empty() && format == self.format() {
            return Ok(Cow::Borrowed(self.body));
        }
        let shape = self.shape();
        let tree = match self.content {
            Content::Blank => return Ok(Cow::Borrowed("")),
            Content::Object(object) => object.patched(patch)?,
            Content::List(_) => return Err("a List is written item by item".to_owned()),
        };
        Ok(Cow::Owned(match format {
            Format::Yaml => emit::emit(&tree).map_err(|error| error.to_string())?,
            Format::Json => json::write(&tree, shape),
        }))
    }

    /// Appends the text in `format` of a List with these items, which are asked for one by one.
    pub fn push_list(
        &self,
        out: String,
        list: &List,
        items: impl Iterator<Item = Node>,
        format: Format,
    ) -> Result<String, String> {
        let head = &list.head.clone().patched(&[])?;
        match format {
            Format::Yaml => emit::emit_list(out, head, items).map_err(|error| error.to_string()),
            Format::Json => Ok(json::write_list(out, head, items, self.shape())),
        }
    }

    fn shape(&self) -> Shape {
        let line = self.format() == Format::Json && !self.body.contains('\n');
        if line { Shape::Compact } else { Shape::Indented }
    }
}
