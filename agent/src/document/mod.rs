//! Manifests as text: the documents of a file, read as kubectl reads them and written so that
//! kubectl reads them the same, but for a patch.
//!
//! | module | what it does |
//! |---|---|
//! | [`stream`] | a file's text, split into documents |
//! | [`node`], [`scalar`] | a document as a tree, in which each scalar knows how it was written |
//! | [`compose`], [`emit`] | YAML to a tree, and back |
//! | [`resolve`] | what a YAML scalar means to kubectl |
//! | [`json`] | JSON to a tree, and back |
//! | [`apply`] | a patch applied to a tree |

mod apply;
mod compose;
mod emit;
mod json;
mod node;
mod resolve;
mod scalar;
mod stream;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use app_health_webhook::patch::Operation;
use serde_json::Value;

use self::json::Shape;
use self::node::Node;
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
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// Nothing but comments, or null.
    Blank,
    Yaml(Node, Value),
    /// Its tree is made where it is needed: most documents of JSON are only read.
    Json(Value),
}

impl<'t> Document<'t> {
    /// What it says; `None` where it is empty.
    pub fn value(&self) -> Option<&Value> {
        match &self.content {
            Content::Blank => None,
            Content::Yaml(_, value) | Content::Json(value) => Some(value),
        }
    }

    /// How it is written.
    pub fn format(&self) -> Format {
        match self.content {
            Content::Json(_) => Format::Json,
            Content::Blank | Content::Yaml(..) => Format::Yaml,
        }
    }

    /// Its text in `format` with the patch applied: its own text where that changes nothing.
    ///
    /// `Err` where the patch was made for another document.
    pub fn text(self, patch: &[Operation], format: Format) -> Result<Cow<'t, str>, String> {
        if patch.is_empty() && format == self.format() {
            return Ok(Cow::Borrowed(self.body));
        }
        let shape = self.shape();
        let mut tree = match self.content {
            Content::Blank => return Ok(Cow::Borrowed("")),
            Content::Yaml(tree, _) => tree,
            Content::Json(_) => json::parse(self.body).map_err(|error| error.to_string())?,
        };
        apply::apply(&mut tree, patch).map_err(|mismatch| mismatch.to_string())?;
        Ok(Cow::Owned(match format {
            Format::Yaml => emit::emit(&tree).map_err(|error| error.to_string())?,
            Format::Json => json::write(&tree, shape),
        }))
    }

    fn shape(&self) -> Shape {
        let line = self.format() == Format::Json && !self.body.contains('\n');
        if line { Shape::Compact } else { Shape::Indented }
    }
}
