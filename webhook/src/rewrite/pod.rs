//! A pod, read as far as rewriting and restoring need it. All that can be malformed is found here.

use std::collections::BTreeSet;

use serde_json::Value;

use super::node::{JsonObject, Node};
use super::probe::{self, Probe, Target};
use super::resources::Resources;
use super::variable::Env;
use super::windows::runs_on_windows;
use super::{AGENT_CONTAINER, Cause, Malformed, ProbeName};
use crate::patch::Pointer;
use crate::path::{ProbeKind, ProbePath};

pub(super) struct Pod<'a> {
    /// As it stands, `null` too.
    pub metadata: Option<&'a Value>,
    /// Of the pod itself; a Deployment's own do not count.
    pub annotations: Option<&'a JsonObject>,
    host_network: bool,
    on_windows: bool,
    /// Whether its containers run as root where they do not say otherwise.
    pub runs_as_root: bool,
    /// Of the pod itself, for all its containers together.
    pub resources: Resources<'a>,
    /// The names of its imagePullSecrets.
    pub pull_secrets: Vec<&'a str>,
    /// It comes to an end: a restartPolicy, its own or a container's, is not Always.
    pub ends: bool,
    /// Init containers first, each list in the pod's order.
    pub containers: Vec<Container<'a>>,
}

pub(super) struct Container<'a> {
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
pub(super) enum List {
    Init,
    Regular,
}

pub(super) enum Role<'a> {
    App(Vec<Probe<'a>>),
    Sidecar(Env<'a>),
}

/// A restartPolicy, of pods and of native sidecars.
const ALWAYS: &str = "Always";

pub(super) const PULL_SECRETS: &str = "imagePullSecrets";

/// The kubelet's, on the mirror pods of static pods.
const MIRROR_ANNOTATION: &str = "kubernetes.io/config.mirror";

type Result<T> = std::result::Result<T, Malformed>;

impl<'a> Pod<'a> {
    pub fn read(pod: &'a Value, sidecars: &[String]) -> Result<Self> {
        let pod = Node::root(pod);
        let metadata = pod.object()?.get("metadata");
        let annotations = match pod.member("metadata")? {
            Some(metadata) => read_annotations(&metadata)?,
            None => None,
        };
        let mut read = Pod {
            metadata,
            annotations,
            host_network: false,
            on_windows: false,
            runs_as_root: false,
            resources: Resources::default(),
            pull_secrets: Vec::new(),
            ends: false,
            containers: Vec::new(),
        };
        if let Some(spec) = pod.member("spec")? {
            read.read_spec(&spec, sidecars)?;
        }
        Ok(read)
    }

    fn read_spec(&mut self, spec: &Node<'a, '_>, sidecars: &[String]) -> Result<()> {
        if let Some(host_network) = spec.member("hostNetwork")? {
            self.host_network = host_network.bool()?;
        }
        self.on_windows = runs_on_windows(spec)?;
        self.runs_as_root = runs_as_root(spec)?;
        self.resources = Resources::read(spec)?;
        self.pull_secrets = read_pull_secrets(spec)?;
        self.ends = ends(spec)?;
        let mut names = BTreeSet::new();
        for list in [List::Init, List::Regular] {
            let Some(containers) = spec.member(list.field())? else { continue };
            for (index, node) in containers.items()?.enumerate() {
                let container = Container::read(list, index, &node, sidecars)?;
                self.ends |= list == List::Regular && ends(&node)?;
                if !names.insert(container.name) {
                    return Err(node.malformed("another container has the same name"));
                }
                self.containers.push(container);
            }
        }
        Ok(())
    }

    /// Why nothing of it is touched, whatever its probes are.
    pub fn is_out_of_reach(&self) -> Option<(Cause, &'static str)> {
        if self.host_network {
            let reason = "hostNetwork is true, so that nothing intercepts the pod's traffic";
            Some((Cause::HostNetwork, reason))
        } else if self.on_windows {
            Some((Cause::Windows, "it runs on Windows, where there is no sidecar"))
        } else if self.annotations.is_some_and(|all| all.contains_key(MIRROR_ANNOTATION)) {
            Some((
                Cause::MirrorPod,
                "it is the mirror pod of a static pod, which nothing can change",
            ))
        } else {
            None
        }
    }

    /// The container that carries the variable: of `names` the first that is there.
    pub fn sidecar(&self, names: &[String]) -> Option<(&Container<'a>, &Env<'a>)> {
        let find = |name: &String| self.containers.iter().find(|c| c.name == name);
        let sidecar = names.iter().find_map(find)?;
        match &sidecar.role {
            Role::Sidecar(env) => Some((sidecar, env)),
            Role::App(_) => None,
        }
    }

    /// How many containers a list has.
    pub fn length(&self, list: List) -> usize {
        self.containers.iter().filter(|container| container.list == list).count()
    }

    /// Every probe and hook but the sidecars', in the pod's order.
    pub fn probes(&self) -> impl Iterator<Item = (&Container<'a>, &Probe<'a>)> {
        self.containers.iter().flat_map(|container| {
            let probes = match &container.role {
                Role::App(probes) => probes.as_slice(),
                Role::Sidecar(_) => &[],
            };
            probes.iter().map(move |probe| (container, probe))
        })
    }
}

/// Of a pod or a container.
fn ends(node: &Node<'_, '_>) -> Result<bool> {
    Ok(node.text("restartPolicy")?.is_some_and(|policy| policy != ALWAYS))
}

fn runs_as_root(spec: &Node<'_, '_>) -> Result<bool> {
    let Some(context) = spec.member("securityContext")? else { return Ok(false) };
    let Some(user) = context.member("runAsUser")? else { return Ok(false) };
    Ok(user.integer()? == 0)
}

fn read_pull_secrets<'a>(spec: &Node<'a, '_>) -> Result<Vec<&'a str>> {
    let Some(secrets) = spec.member(PULL_SECRETS)? else { return Ok(Vec::new()) };
    secrets.items()?.map(|secret| Ok(secret.text("name")?.unwrap_or_default())).collect()
}

/// Whether the command is the agent's: `serve` is its first argument, or follows its program.
fn serves(container: &Node<'_, '_>) -> Result<bool> {
    let mut first = None;
    for (field, skipped) in [("command", 1), ("args", 0)] {
        let Some(words) = container.member(field)? else { continue };
        for word in words.items()?.skip(skipped) {
            first = first.or(Some(word.string()?));
        }
    }
    Ok(first == Some("serve"))
}

fn read_annotations<'a>(metadata: &Node<'a, '_>) -> Result<Option<&'a JsonObject>> {
    let Some(annotations) = metadata.member("annotations")? else { return Ok(None) };
    for (key, value) in annotations.object()? {
        if !value.is_null() {
            annotations.text(key)?;
        }
    }
    annotations.object().map(Some)
}

impl List {
    pub fn field(self) -> &'static str {
        match self {
            List::Init => "initContainers",
            List::Regular => "containers",
        }
    }
}

impl<'a> Container<'a> {
    fn read(list: List, index: usize, node: &Node<'a, '_>, sidecars: &[String]) -> Result<Self> {
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

    /// Whether the probe has been rewritten: it asks for its own path on a status port.
    pub fn is_own_path(&self, kind: ProbeKind, target: &Target<'_>) -> bool {
        let own = ProbePath::new(self.name, kind);
        own.is_some() && target.http_path().and_then(ProbePath::parse) == own
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
