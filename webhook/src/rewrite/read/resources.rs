//! The `resources` of a container, or of a pod.

use serde_json::{Map, Value};

use super::node::{JsonObject, Node, present};
use crate::rewrite::result::Malformed;

/// Its two lists of quantities, where they are there.
#[derive(Clone, Copy, Default)]
pub struct Resources<'a> {
    requests: Option<&'a JsonObject>,
    limits: Option<&'a JsonObject>,
}

impl<'a> Resources<'a> {
    /// Those of a container or a pod.
    pub fn read(holder: &Node<'a, '_>) -> Result<Self, Malformed> {
        let Some(resources) = holder.member("resources")? else { return Ok(Self::default()) };
        let list = |name| match resources.member(name)? {
            Some(list) => quantities(&list).map(Some),
            None => Ok(None),
        };
        Ok(Self { requests: list("requests")?, limits: list("limits")? })
    }

    /// These two lists.
    pub fn of(lists: &'a JsonObject) -> Self {
        let list = |name| lists.get(name).and_then(Value::as_object);
        Self { requests: list("requests"), limits: list("limits") }
    }

    pub fn limit(&self, name: &str) -> Option<&'a Value> {
        present(self.limits?, name)
    }

    /// What is missing is the limit.
    pub fn request(&self, name: &str) -> Option<&'a Value> {
        self.own_request(name).or_else(|| self.limit(name))
    }

    pub fn own_request(&self, name: &str) -> Option<&'a Value> {
        present(self.requests?, name)
    }

    /// The names of all that is in either list.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        let lists = [self.requests, self.limits].into_iter().flatten();
        lists.flat_map(Map::keys).map(String::as_str)
    }
}

fn quantities<'a>(list: &Node<'a, '_>) -> Result<&'a JsonObject, Malformed> {
    for (_, quantity) in list.members()? {
        quantity.quantity()?;
    }
    list.object()
}
