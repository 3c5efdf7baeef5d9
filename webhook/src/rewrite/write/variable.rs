//! The variable in the sidecar's environment.

use serde_json::{Value, json};

use crate::patch::{Operation, Pointer};
use crate::probers::VARIABLE;
use crate::rewrite::decide::VariableChange;
use crate::rewrite::read::Env;
use crate::rewrite::records::Records;

pub fn write(records: &Records<'_, '_>, change: &VariableChange, patch: &mut Vec<Operation>) {
    let at = records.sidecar.pointer().key("env");
    match change {
        VariableChange::None => {}
        VariableChange::Merged => {
            let value = records.recorded.changed.then(|| records.recorded.encode());
            merge(records.env, &at, value, patch);
        }
        VariableChange::Removed => remove(records.env, &at, patch),
    }
}

/// Makes the variable the only one of its name, with this value where there is a new one.
fn merge(env: &Env<'_>, at: &Pointer, value: Option<String>, patch: &mut Vec<Operation>) {
    let Some((last, earlier)) = env.places.split_last() else {
        patch.extend(value.map(|value| append(env, at, value)));
        return;
    };
    if let Some(value) = value {
        let at = at.index(*last).key("value");
        let write = if env.has_value { Operation::Replace } else { Operation::Add };
        patch.push(write(at, value.into()));
    }
    remove_items(at, earlier, patch);
}

fn append(env: &Env<'_>, at: &Pointer, value: String) -> Operation {
    let variable = json!({"name": VARIABLE, "value": value});
    if env.length == 0 {
        return Operation::Add(at.clone(), Value::Array(vec![variable]));
    }
    Operation::Add(at.index(env.length), variable)
}

/// Takes the variable out, and with it an `env` that holds nothing else.
fn remove(env: &Env<'_>, at: &Pointer, patch: &mut Vec<Operation>) {
    if env.length > env.places.len() {
        remove_items(at, &env.places, patch);
    } else {
        patch.push(Operation::Remove(at.clone()));
    }
}

/// Removes items from the last to the first, so that the indices hold.
fn remove_items(at: &Pointer, indices: &[usize], patch: &mut Vec<Operation>) {
    patch.extend(indices.iter().rev().map(|index| Operation::Remove(at.index(*index))));
}
