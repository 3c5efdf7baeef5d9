//! The variable in the sidecar's environment: what is recorded.

use std::collections::BTreeMap;

use super::entry::{self, Entry};
use crate::handler::HandlerKind;
use crate::path::ProbePath;
use crate::probers::{self, Handler, HttpProtocol, Prober, Scheme, VARIABLE};
use crate::rewrite::read::Env;

/// What `exec` takes of one variable: `NAME=value` and its NUL within 131,072 bytes.
const LONGEST_VALUE: usize = 131_072 - VARIABLE.len() - "=\0".len();

/// Most copies of the variable that are merged: each but the last is a step of the patch. Injectors
/// that do not know of each other leave two.
const MOST_COPIES: usize = 16;

/// The entries of the variable.
#[derive(Default)]
pub struct Recorded {
    entries: BTreeMap<String, Entry>,
    /// Whether it says anything else than at first.
    pub changed: bool,
}

impl Recorded {
    /// Reads the entries of an existing variable.
    ///
    /// # Errors
    /// It cannot be merged into: what is wrong with it.
    pub fn read(env: &Env<'_>) -> Result<Self, String> {
        if env.has_value_from {
            return Err("comes from valueFrom".to_owned());
        }
        if env.places.len() > MOST_COPIES {
            return Err(format!("is there {} times", env.places.len()));
        }
        if env.value.len() > LONGEST_VALUE {
            return Err("is longer than exec takes".to_owned());
        }
        let mut recorded = Recorded::default();
        let probers = probers::decode(env.value.as_bytes()).map_err(|error| error.to_string())?;
        let texts = entry::texts(env.value);
        for (key, prober) in probers.into_entries() {
            let prober = prober.map_err(|error| error.to_string())?;
            let entry = match texts.get(&key) {
                Some(value) => Entry::read(&key, prober, value),
                None => Entry::new(&key, prober),
            };
            recorded.entries.insert(key, entry);
        }
        Ok(recorded)
    }

    /// What a probe was that was rewritten to this path.
    pub fn get(&self, key: &str) -> Option<&Prober> {
        self.entries.get(key).map(|entry| &entry.prober)
    }

    /// A member of this entry that is not known, and its place.
    pub fn unknown_member(&self, key: &str) -> Option<String> {
        self.entries.get(key)?.unknown_member()
    }

    /// Gives the httpGet under this key this `protocol`, where it has none and goes with it. Whether the
    /// entry has it now.
    pub fn record_protocol(&mut self, key: &str, protocol: &str) -> bool {
        let Some(mut prober) = self.get(key).cloned() else { return false };
        let Handler::HttpGet(http) = &mut prober.handler else { return false };
        match http.protocol {
            Some(recorded) => recorded.as_str() == protocol,
            None if http.scheme == Some(Scheme::Https) => false,
            None => {
                http.protocol = HttpProtocol::parse(protocol);
                http.protocol.is_some() && self.insert(key, prober)
            }
        }
    }

    /// Records an entry in place of the one under this key, unless the variable could then not be
    /// passed to a process any more. Whether it did.
    pub fn insert(&mut self, key: &str, prober: Prober) -> bool {
        let old = self.entries.get(key);
        if old.is_some_and(|old| old.prober == prober && old.unknown_member().is_none()) {
            return true;
        }
        let entry = Entry::new(key, prober);
        let others = self.entries.iter().filter(|(it, _)| *it != key);
        let others: usize = others.map(|(_, entry)| entry.text.len() + ",".len()).sum();
        if "{}".len() + others + entry.text.len() > LONGEST_VALUE {
            return false;
        }
        self.changed = true;
        self.entries.insert(key.to_owned(), entry);
        true
    }

    pub fn remove(&mut self, key: &str) {
        self.changed |= self.entries.remove(key).is_some();
    }

    /// Whether one of them is the agent's to make.
    pub fn has_tcp(&self) -> bool {
        self.entries.values().any(|it| it.prober.handler.kind() == HandlerKind::TcpSocket)
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many of them are of a probe.
    pub fn probes(&self) -> usize {
        self.entries.keys().filter(|key| ProbePath::parse(key).is_some()).count()
    }

    /// The variable's value.
    pub fn encode(&self) -> String {
        probers::encode(self.entries.values().map(|entry| &entry.text))
    }
}
