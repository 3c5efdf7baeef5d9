//! A container: its probes, or the environment of the sidecar.

use super::env::Env;
use super::node::Node;
use super::probe::{self, Probe};
use super::resources::Resources;
use crate::patch::Pointer;
use crate::path::{ProbeKind, ProbePath};
use crate::rewrite::options::AGENT_CONTAINER;
use crate::rewrite::result::{Malformed, ProbeName};

pub struct Container<'a> {
    pub list: List,
    pub index: usize,
    pub name: &'a str,
    /// Its own restartPolicy is Always.
    restarts: bool,
    /// It has the agent's name, and runs `serve`.
    pub serves: bool,
    pub resources: Resources<'a>,
    pub role: Role<'a>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum List {
    Init,
    Regular,
}

pub enum Role<'a> {
    App(Vec<Probe<'a>>),
    Sidecar(Env<'a>),
}

/// A restartPolicy, of pods and of native sidecars.
pub const ALWAYS: &str = "Always";

impl List {
    pub const ALL: [List; 2] = [List::Init, List::Regular];

    pub fn field(self) -> &'static str {
        match self {
            List::Init => "initContainers",
            List::Regular => "containers",
        }
    }

    pub fn pointer(self) -> Pointer {
        Pointer::root().keys(&["spec", self.field()])
    }
}

impl<'a> Container<'a> {
    pub fn read(
        list: List,
        index: usize,
        node: &Node<'a, '_>,
        sidecars: &[String],
    ) -> Result<Self, Malformed> {
        let name = node.text("name")?.ok_or_else(|| node.malformed("needs a name"))?;
        let role = if sidecars.iter().any(|sidecar| sidecar == name) {
            Role::Sidecar(Env::read(node)?)
        } else {
            Role::App(probe::read_all(node)?)
        };
        let restarts = node.text("restartPolicy")? == Some(ALWAYS);
        let serves = name == AGENT_CONTAINER && serves(node)?;
        let resources = Resources::read(node)?;
        Ok(Container { list, index, name, restarts, serves, resources, role })
    }

    /// Its probes and hooks; none of a sidecar's.
    pub fn probes(&self) -> &[Probe<'a>] {
        match &self.role {
            Role::App(probes) => probes,
            Role::Sidecar(_) => &[],
        }
    }

    /// An init container that goes on running.
    pub fn is_native_sidecar(&self) -> bool {
        self.list == List::Init && self.restarts
    }

    pub fn pointer(&self) -> Pointer {
        let index = self.index.to_string();
        Pointer::root().keys(&["spec", self.list.field(), &index])
    }

    pub fn probe_pointer(&self, kind: ProbeKind) -> Pointer {
        let (list, index) = (self.list.field(), self.index.to_string());
        if kind.is_hook() {
            Pointer::root().keys(&["spec", list, &index, "lifecycle", kind.field()])
        } else {
            Pointer::root().keys(&["spec", list, &index, kind.field()])
        }
    }

    /// The path that a rewritten probe of this kind asks for; `None` where no path can have the
    /// container's name.
    pub fn probe_path(&self, kind: ProbeKind) -> Option<String> {
        ProbePath::new(self.name, kind).map(|path| path.to_string())
    }

    pub fn probe_name(&self, kind: ProbeKind) -> ProbeName {
        ProbeName { container: self.name.to_owned(), kind }
    }

    /// Whether the kubelet starts this container, and waits for it, before it starts `other`.
    pub fn starts_before(&self, other: &Container<'_>) -> bool {
        match (self.list, other.list) {
            (List::Init, List::Init) => self.index < other.index,
            (List::Init, List::Regular) => true,
            (List::Regular, _) => false,
        }
    }
}

/// Whether the command is the agent's: `serve` is its first argument, or follows its program.
fn serves(container: &Node<'_, '_>) -> Result<bool, Malformed> {
    let mut first = None;
    for (field, skipped) in [("command", 1), ("args", 0)] {
        let Some(words) = container.member(field)? else { continue };
        for word in words.items()?.skip(skipped) {
            first = first.or(Some(word.string()?));
        }
    }
    Ok(first == Some("serve"))
}
