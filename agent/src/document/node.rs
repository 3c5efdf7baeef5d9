//! A document as a tree that loses nothing but comments: key order, styles, the text of numbers.

use serde_json::{Map, Value};

use super::scalar::Scalar;

/// Deepest nesting of a document. A pod is about ten deep.
pub const MAX_DEPTH: usize = 100;

/// A part of a document.
#[derive(Clone, Debug)]
pub enum Node {
    /// A string, number, boolean or null.
    Scalar(Scalar),
    /// A list.
    Sequence(Layout, Vec<Node>),
    /// An object. No name comes twice.
    Mapping(Layout, Vec<Member>),
}

/// How a list or object is written in YAML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A line for each item.
    Block,
    /// In brackets.
    Flow,
}

/// A member of an object.
#[derive(Clone, Debug)]
pub struct Member {
    /// The key as it stood.
    pub key: Scalar,
    /// The key as JSON has it: `true` where YAML says `yes`.
    pub name: String,
    /// What it holds.
    pub value: Node,
}

impl Node {
    /// A tree of its own for a value that is to be put in.
    pub fn new(value: &Value) -> Self {
        match value {
            Value::String(text) => Node::Scalar(Scalar::string(text)),
            Value::Array(items) => {
                Node::Sequence(Layout::Block, items.iter().map(Node::new).collect())
            }
            Value::Object(members) => {
                let mut list: Vec<Member> =
                    members.iter().map(|(name, value)| Member::new(name, value)).collect();
                // As people write it.
                list.sort_by_key(|member| member.name != "name");
                Node::Mapping(Layout::Block, list)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                Node::Scalar(Scalar::literal(value.to_string()))
            }
        }
    }

    /// Of an object; none of anything else.
    pub fn members(&self) -> &[Member] {
        match self {
            Node::Mapping(_, members) => members,
            Node::Scalar(_) | Node::Sequence(..) => &[],
        }
    }

    /// The document as kubectl understands it.
    pub fn value(&self) -> Value {
        match self {
            Node::Scalar(scalar) => scalar.value(),
            Node::Sequence(_, items) => Value::Array(items.iter().map(Node::value).collect()),
            Node::Mapping(_, members) => {
                let pairs =
                    members.iter().map(|member| (member.name.clone(), member.value.value()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }
}

impl Member {
    /// A new member.
    pub fn new(name: &str, value: &Value) -> Self {
        Self { key: Scalar::string(name), name: name.to_owned(), value: Node::new(value) }
    }
}
