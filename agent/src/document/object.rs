//! One object of a manifest: what it says, and how it is written.

use std::borrow::Cow;

use app_health_webhook::patch::Operation;
use serde_json::Value;

use super::node::Node;
use super::{apply, json};

/// A Kubernetes object, or whatever stands in its place.
#[derive(Clone, Debug)]
pub enum Object<'t> {
    /// Read from YAML.
    Yaml(Node, Value),
    /// Read from this JSON. Its tree is made where it is needed: most objects are only read.
    Json(Cow<'t, str>, Value),
}

impl Object<'_> {
    /// What it says.
    pub fn value(&self) -> &Value {
        let (Object::Yaml(_, value) | Object::Json(_, value)) = self;
        value
    }

    /// Its tree with the patch applied. `Err` where the patch was made for another object.
    pub fn patched(self, patch: &[Operation]) -> Result<Node, String> {
        let mut tree = match self {
            Object::Yaml(tree, _) => tree,
            Object::Json(text, _) => json::parse(&text).map_err(|error| error.to_string())?,
        };
        apply::apply(&mut tree, patch).map_err(|mismatch| mismatch.to_string())?;
        Ok(tree)
    }
}
