//! A JSON Patch applied to a tree.

use app_health_webhook::patch::{Mismatch, Operation};
use serde_json::Value;

use super::node::{Layout, Member, Node};

/// Applies the operations in order. After a mismatch those before it have been applied.
pub fn apply(document: &mut Node, patch: &[Operation]) -> Result<(), Mismatch> {
    for operation in patch {
        apply_one(document, operation)
            .ok_or_else(|| Mismatch { at: operation.pointer().clone() })?;
    }
    Ok(())
}

fn apply_one(document: &mut Node, operation: &Operation) -> Option<()> {
    let mut tokens: Vec<String> = operation.pointer().tokens().collect();
    let last = tokens.pop()?;
    let parent = tokens.iter().try_fold(document, |node, token| child(node, token))?;
    match parent {
        Node::Mapping(layout, members) => {
            if members.is_empty() {
                *layout = Layout::Block;
            }
            in_mapping(members, &last, operation)
        }
        Node::Sequence(layout, items) => {
            if items.is_empty() {
                *layout = Layout::Block;
            }
            in_sequence(items, &last, operation)
        }
        Node::Scalar(_) => None,
    }
}

fn child<'n>(node: &'n mut Node, token: &str) -> Option<&'n mut Node> {
    match node {
        Node::Mapping(_, members) => {
            members.iter_mut().find(|member| member.name == token).map(|member| &mut member.value)
        }
        Node::Sequence(_, items) => items.get_mut(index(token)?),
        Node::Scalar(_) => None,
    }
}

fn in_mapping(members: &mut Vec<Member>, name: &str, operation: &Operation) -> Option<()> {
    let place = members.iter().position(|member| member.name == name);
    match (operation, place) {
        (Operation::Add(_, value) | Operation::Replace(_, value), Some(place)) => {
            members[place].value = replacement(&members[place].value, value);
        }
        (Operation::Add(_, value), None) => members.push(Member::new(name, value)),
        (Operation::Remove(_), Some(place)) => {
            members.remove(place);
        }
        (Operation::Replace(..) | Operation::Remove(_), None) => return None,
    }
    Some(())
}

fn in_sequence(items: &mut Vec<Node>, token: &str, operation: &Operation) -> Option<()> {
    match operation {
        Operation::Add(_, value) => {
            let at = if token == "-" { items.len() } else { index(token)? };
            (at <= items.len()).then(|| items.insert(at, Node::new(value)))
        }
        Operation::Replace(_, value) => {
            let item = items.get_mut(index(token)?)?;
            *item = replacement(item, value);
            Some(())
        }
        Operation::Remove(_) => {
            let at = index(token)?;
            (at < items.len()).then(|| drop(items.remove(at)))
        }
    }
}

/// The new value, in the old one's place: members that stay keep their form and order.
fn replacement(old: &Node, new: &Value) -> Node {
    match (old, new) {
        _ if old.value() == *new => old.clone(),
        (Node::Mapping(layout, old), Value::Object(new)) => {
            let kept = old.iter().filter_map(|member| {
                let value = replacement(&member.value, new.get(&member.name)?);
                Some(Member { value, ..member.clone() })
            });
            let added = new.iter().filter(|(name, _)| old.iter().all(|old| old.name != **name));
            let added = added.map(|(name, value)| Member::new(name, value));
            Node::Mapping(*layout, kept.chain(added).collect())
        }
        _ => Node::new(new),
    }
}

fn index(token: &str) -> Option<usize> {
    token.parse().ok().filter(|_| token.bytes().all(|b| b.is_ascii_digit()))
}
