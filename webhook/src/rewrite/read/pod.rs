//! A pod: its containers, and what holds for all of them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::container::{ALWAYS, Container, List, Role};
use super::env::Env;
use super::node::{JsonObject, Node};
use super::probe::Probe;
use super::resources::Resources;
use super::windows::runs_on_windows;
use crate::rewrite::options::AGENT_CONTAINER;
use crate::rewrite::result::Malformed;

#[derive(Default)]
pub struct Pod<'a> {
    pub has_metadata: bool,
    /// The pod's own annotations; a Deployment's do not count.
    pub annotations: Option<&'a JsonObject>,
    pub host_network: bool,
    pub on_windows: bool,
    /// Whether its containers run as root where they do not say otherwise.
    pub runs_as_root: bool,
    /// The pod's own resources, for all its containers together.
    pub resources: Resources<'a>,
    /// The names of its imagePullSecrets.
    pub pull_secrets: Vec<&'a str>,
    /// It comes to an end: a restartPolicy, its own or a container's, is not Always.
    pub ends: bool,
    /// Init containers first, each list in the pod's order.
    pub containers: Vec<Container<'a>>,
}

pub const PULL_SECRETS: &str = "imagePullSecrets";

type Result<T> = std::result::Result<T, Malformed>;

impl<'a> Pod<'a> {
    /// Reads a Pod or a pod template.
    ///
    /// # Errors
    /// A value that is read here has a type, or a number is out of the range, that no pod has.
    pub fn read(pod: &'a Value, sidecars: &[String]) -> Result<Self> {
        let pod = Node::root(pod);
        let mut read = Pod::default();
        if let Some(metadata) = pod.member("metadata")? {
            read.has_metadata = true;
            read.annotations = metadata.texts("annotations")?;
        }
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
        for list in List::ALL {
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

    /// The container that carries the variable: of `names` the first that is there.
    pub fn sidecar(&self, names: &[String]) -> Option<(&Container<'a>, &Env<'a>)> {
        let sidecar = names.iter().find_map(|name| self.container(name))?;
        match &sidecar.role {
            Role::Sidecar(env) => Some((sidecar, env)),
            Role::App(_) => None,
        }
    }

    /// The container that has the agent's name, whatever it is.
    pub fn agent(&self) -> Option<&Container<'a>> {
        self.container(AGENT_CONTAINER)
    }

    fn container(&self, name: &str) -> Option<&Container<'a>> {
        self.containers.iter().find(|container| container.name == name)
    }

    /// How many containers a list has.
    pub fn length(&self, list: List) -> usize {
        self.containers.iter().filter(|container| container.list == list).count()
    }

    /// Every probe and hook but the sidecars', in the pod's order.
    pub fn probes(&self) -> impl Iterator<Item = (&Container<'a>, &Probe<'a>)> {
        self.containers
            .iter()
            .flat_map(|container| container.probes().iter().map(move |probe| (container, probe)))
    }
}

/// Whether a pod or a container comes to an end.
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
