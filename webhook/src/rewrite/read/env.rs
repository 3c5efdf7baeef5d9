//! The environment of the sidecar, as far as the variable goes.

use super::node::Node;
use crate::probers::VARIABLE;
use crate::rewrite::result::Malformed;

/// A sidecar's `env`.
#[derive(Default)]
pub struct Env<'a> {
    /// How many items it has.
    pub length: usize,
    /// Where the variable stands. The kubelet takes the last.
    pub places: Vec<usize>,
    /// What the last of them says.
    pub value: &'a str,
    /// Whether it has a member `value`, and whether it has `valueFrom`.
    pub has_value: bool,
    pub has_value_from: bool,
}

impl<'a> Env<'a> {
    pub fn read(container: &Node<'a, '_>) -> Result<Self, Malformed> {
        let mut env = Env::default();
        let Some(node) = container.member("env")? else { return Ok(env) };
        for (index, item) in node.items()?.enumerate() {
            env.length += 1;
            if item.text("name")? == Some(VARIABLE) {
                env.places.push(index);
                env.read_variable(&item)?;
            }
        }
        Ok(env)
    }

    fn read_variable(&mut self, item: &Node<'a, '_>) -> Result<(), Malformed> {
        self.value = item.text("value")?.unwrap_or_default();
        self.has_value = item.object()?.contains_key("value");
        self.has_value_from = item.member("valueFrom")?.is_some();
        Ok(())
    }

    /// Whether the variable is there more than once.
    pub fn is_repeated(&self) -> bool {
        self.places.len() > 1
    }
}
