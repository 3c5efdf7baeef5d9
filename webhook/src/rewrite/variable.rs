//! The variable in the sidecar's environment: what is recorded, and how it is written back.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Malformed;
use super::entry::{self, Entry};
use super::node::Node;
use crate::patch::{Operation, Pointer};
use crate::probers::{self, Handler, HttpProtocol, Prober, Scheme, VARIABLE};

/// What `exec` takes of one variable: `NAME=value` and its NUL within 131,072 bytes.
const LONGEST_VALUE: usize = 131_072 - VARIABLE.len() - "=\0".len();

/// Most copies of the variable that are merged: each but the last is a step of the patch. Injectors
/// that do not know of each other leave two.
const MOST_COPIES: usize = 16;

/// A sidecar's `env`, as far as the variable goes.
pub(super) struct Env<'a> {
    /// As it stands, `null` too.
    pub value: Option<&'a Value>,
    length: usize,
    /// Where the variable stands. The kubelet takes the last.
    places: Vec<usize>,
    /// What the last says.
    source: Source<'a>,
    /// Whether the last has a member `value`.
    has_value: bool,
}

enum Source<'a> {
    Text(&'a str),
    ValueFrom,
}

impl<'a> Env<'a> {
    pub fn read(container: &Node<'a, '_>) -> Result<Self, Malformed> {
        let mut env = Env {
            value: container.object()?.get("env"),
            length: 0,
            places: Vec::new(),
            source: Source::Text(""),
            has_value: false,
        };
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
        let text = item.text("value")?.unwrap_or_default();
        let elsewhere = item.member("valueFrom")?.is_some();
        self.source = if elsewhere { Source::ValueFrom } else { Source::Text(text) };
        self.has_value = item.object()?.contains_key("value");
        Ok(())
    }

    pub fn has_variable(&self) -> bool {
        !self.places.is_empty()
    }

    /// Whether the variable is there more than once.
    pub fn is_repeated(&self) -> bool {
        self.places.len() > 1
    }

    /// Makes the variable the only one of its name, with this value where there is a new one.
    pub fn write(&self, env: &Pointer, value: Option<String>, patch: &mut Vec<Operation>) {
        let Some((last, earlier)) = self.places.split_last() else {
            patch.extend(value.map(|value| self.append(env, value)));
            return;
        };
        if let Some(value) = value {
            let at = env.index(*last).key("value");
            let write = if self.has_value { Operation::Replace } else { Operation::Add };
            patch.push(write(at, value.into()));
        }
        remove_items(env, earlier, patch);
    }

    fn append(&self, env: &Pointer, value: String) -> Operation {
        let variable = json!({"name": VARIABLE, "value": value});
        if self.length == 0 {
            return Operation::Add(env.clone(), Value::Array(vec![variable]));
        }
        Operation::Add(env.index(self.length), variable)
    }

    /// Takes the variable out. An `env` that holds nothing else becomes `empty`, or goes too.
    pub fn remove(&self, env: &Pointer, empty: Option<Value>, patch: &mut Vec<Operation>) {
        if self.length > self.places.len() {
            return remove_items(env, &self.places, patch);
        }
        patch.push(match empty {
            Some(empty) => Operation::Replace(env.clone(), empty),
            None => Operation::Remove(env.clone()),
        });
    }
}

/// From the last to the first, so that the indices hold.
fn remove_items(env: &Pointer, indices: &[usize], patch: &mut Vec<Operation>) {
    patch.extend(indices.iter().rev().map(|index| Operation::Remove(env.index(*index))));
}

/// The entries of the variable.
pub(super) struct Recorded {
    entries: BTreeMap<String, Entry>,
    /// Bytes of all entries as they are written, each with its comma.
    length: usize,
    /// Whether it says anything else than at first.
    pub changed: bool,
}

impl Recorded {
    /// The entries of an existing variable; why it cannot be used, where it cannot.
    pub fn open(env: &Env<'_>) -> Result<Self, String> {
        let Source::Text(text) = env.source else {
            return Err("comes from valueFrom".to_owned());
        };
        if env.places.len() > MOST_COPIES {
            return Err(format!("is there {} times", env.places.len()));
        }
        if text.len() > LONGEST_VALUE {
            return Err("is longer than exec takes".to_owned());
        }
        let mut recorded = Recorded { entries: BTreeMap::new(), length: 0, changed: false };
        let probers = probers::decode(text.as_bytes()).map_err(|error| error.to_string())?;
        let texts = entry::texts(text);
        for (key, prober) in probers.into_entries() {
            let prober = prober.map_err(|error| error.to_string())?;
            let entry = match texts.get(&key) {
                Some(value) => Entry::read(&key, prober, value),
                None => Entry::new(&key, prober),
            };
            recorded.length += entry.text.len() + ",".len();
            recorded.entries.insert(key, entry);
        }
        Ok(recorded)
    }

    pub fn get(&self, key: &str) -> Option<&Prober> {
        self.entries.get(key).map(|entry| &entry.prober)
    }

    /// A member of this entry that is not known, and its place.
    pub fn unknown_member(&self, key: &str) -> Option<String> {
        self.entries.get(key)?.unknown_member()
    }

    /// The `protocol` of an httpGet that is recorded; empty where there is none.
    pub fn protocol(&self, key: &str) -> &str {
        match self.get(key) {
            Some(Prober { handler: Handler::HttpGet(http), .. }) => {
                http.protocol.map_or("", HttpProtocol::as_str)
            }
            _ => "",
        }
    }

    /// The entry under this key with this `protocol`, where it is a plain httpGet that has none.
    pub fn with_protocol(&self, key: &str, protocol: &str) -> Option<Prober> {
        let mut prober = self.get(key)?.clone();
        match &mut prober.handler {
            Handler::HttpGet(http)
                if http.protocol.is_none() && http.scheme != Some(Scheme::Https) =>
            {
                http.protocol = Some(HttpProtocol::parse(protocol)?);
            }
            _ => return None,
        }
        Some(prober)
    }

    /// Records an entry in place of the one under this key, unless the variable could then not be
    /// passed to a process any more. Whether it did.
    pub fn insert(&mut self, key: &str, prober: Prober) -> bool {
        let old = self.entries.get(key);
        if old.is_some_and(|old| old.prober == prober && old.unknown_member().is_none()) {
            return true;
        }
        let entry = Entry::new(key, prober);
        let replaced = old.map_or(0, |old| old.text.len() + ",".len());
        let length = self.length - replaced + entry.text.len() + ",".len();
        // Two braces more, and no comma after the last entry.
        if length + "{}".len() - ",".len() > LONGEST_VALUE {
            return false;
        }
        self.length = length;
        self.changed = true;
        self.entries.insert(key.to_owned(), entry);
        true
    }

    pub fn remove(&mut self, key: &str) {
        self.changed |= self.entries.remove(key).is_some();
    }

    /// Whether one of them is the agent's to make.
    pub fn has_tcp(&self) -> bool {
        self.entries.values().any(|it| matches!(it.prober.handler, Handler::TcpSocket(_)))
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn encode(&self) -> String {
        probers::encode(self.entries.values().map(|entry| &entry.text))
    }
}
