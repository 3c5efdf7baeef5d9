//! A pod as it is read here: leniently, since the API server has checked it, or will.

use app_health_webhook::handler::HandlerKind;
use app_health_webhook::manifest::{Object, Owner, PodAt};
use app_health_webhook::path::{ProbeKind, ProbePath};
use app_health_webhook::probers::VARIABLE;
use app_health_webhook::rewrite::{ISTIO_REWRITE_ANNOTATION, ProbeName, REWRITE_ANNOTATION};
use serde_json::Value;

use super::selector::{Labels, labels};

/// Where pilot-agent is in a pod that says nothing of it.
const USUAL_STATUS_PORT: u64 = 15020;

/// A pod, or a pod template.
pub struct Pod<'a> {
    /// `metadata` and `spec`.
    pub value: &'a Value,
    pub owner: Owner<'a>,
    pub labels: Labels,
    /// It, or the workload whose template it is, is in a cluster, rather than about to be applied.
    pub in_cluster: bool,
    /// All but the sidecar, init containers first.
    pub apps: Vec<Container<'a>>,
    /// The sidecar.
    pub sidecar: Option<Container<'a>>,
}

/// A container.
#[derive(Clone, Copy)]
pub struct Container<'a> {
    pub name: &'a str,
    value: &'a Value,
}

/// A probe or hook.
pub struct Probe<'a> {
    pub name: ProbeName,
    pub value: &'a Value,
}

impl<'a> Pod<'a> {
    /// Reads the pod of an object, in which containers of these names are sidecars.
    pub fn read(object: &Object<'a>, at: &PodAt<'a>, sidecars: &[String]) -> Self {
        let value = at.pod;
        let (mut apps, mut found) = (Vec::new(), vec![None; sidecars.len()]);
        for container in containers(value) {
            match sidecars.iter().position(|name| name == container.name) {
                Some(index) => found[index] = Some(container),
                None => apps.push(container),
            }
        }
        Self {
            value,
            owner: at.owner,
            labels: labels(value.pointer("/metadata/labels")),
            in_cluster: object.value().pointer("/metadata/uid").is_some(),
            apps,
            sidecar: found.into_iter().flatten().next(),
        }
    }

    /// Whether it is a pod of the cluster, rather than one to be.
    pub fn exists(&self) -> bool {
        self.in_cluster && self.owner.kind == "Pod"
    }

    /// Whether it says that this webhook rewrites its probes rather than Istio, which has left them alone.
    pub fn is_switched(&self) -> bool {
        let annotations = labels(self.value.pointer("/metadata/annotations"));
        let says = |name: &str, value: &str| annotations.get(name).is_some_and(|it| it == value);
        says(REWRITE_ANNOTATION, "true") && says(ISTIO_REWRITE_ANNOTATION, "false")
    }

    /// The uid of the ReplicaSet, or the like, that made it.
    pub fn controller(&self) -> Option<&'a str> {
        let owners = self.value.pointer("/metadata/ownerReferences")?.as_array()?;
        let is_controller =
            |it: &&Value| it.get("controller").and_then(Value::as_bool) == Some(true);
        owners.iter().find(is_controller)?.get("uid")?.as_str()
    }

    /// Whether it has come to its end: nobody probes it any more.
    pub fn has_ended(&self) -> bool {
        let phase = self.value.pointer("/status/phase").and_then(Value::as_str);
        self.exists() && matches!(phase, Some("Succeeded" | "Failed"))
    }

    /// All probes and hooks but the sidecar's.
    pub fn probes(&self) -> impl Iterator<Item = Probe<'a>> {
        self.apps.iter().flat_map(|container| container.probes())
    }

    /// Those that ask for their path on the status port.
    pub fn rewritten(&self) -> Vec<ProbeName> {
        self.probes().filter(Probe::is_rewritten).map(|probe| probe.name).collect()
    }
}

fn containers(pod: &Value) -> impl Iterator<Item = Container<'_>> {
    ["initContainers", "containers"].into_iter().flat_map(|list| {
        let list = pod.get("spec").and_then(|spec| spec.get(list)).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(|value| Some(Container { name: value.get("name")?.as_str()?, value }))
    })
}

impl<'a> Container<'a> {
    /// The port of Istio's own pilot-agent; `None` where this is not Istio's sidecar.
    pub fn pilot_agent(self) -> Option<u64> {
        let config = serde_json::from_str::<Value>(self.text("PROXY_CONFIG")?).ok()?;
        Some(config.get("statusPort").and_then(Value::as_u64).unwrap_or(USUAL_STATUS_PORT))
    }

    /// What istiod knows of its proxy by this name.
    pub fn metadata(self, name: &str) -> Option<&'a str> {
        self.text(&format!("ISTIO_META_{name}"))
    }

    fn text(self, name: &str) -> Option<&'a str> {
        self.env(name)?.get("value")?.as_str()
    }

    /// Of several of a name the last.
    fn env(self, name: &str) -> Option<&'a Value> {
        let mut env = self.value.get("env").and_then(Value::as_array).into_iter().flatten();
        env.rfind(|it| it.get("name").and_then(Value::as_str) == Some(name))
    }

    fn probes(self) -> impl Iterator<Item = Probe<'a>> {
        ProbeKind::ALL.into_iter().filter_map(move |kind| {
            let holder = if kind.is_hook() { self.value.get("lifecycle")? } else { self.value };
            let value = holder.get(kind.field()).filter(|probe| probe.is_object())?;
            Some(Probe { name: ProbeName { container: self.name.to_owned(), kind }, value })
        })
    }

    /// The variable of a sidecar; `Err` where it comes from elsewhere.
    pub fn variable(self) -> Result<&'a str, String> {
        match self.env(VARIABLE) {
            Some(it) if it.get("valueFrom").is_some_and(|from| !from.is_null()) => {
                Err("it comes from valueFrom".to_owned())
            }
            Some(it) => Ok(it.get("value").and_then(Value::as_str).unwrap_or_default()),
            None => Ok(""),
        }
    }
}

impl Probe<'_> {
    /// Whether it asks for its path.
    pub fn is_rewritten(&self) -> bool {
        let path = self.value.pointer("/httpGet/path").and_then(Value::as_str);
        path.is_some_and(|path| {
            let own = ProbePath::new(&self.name.container, self.name.kind);
            own.is_some() && own == ProbePath::parse(path)
        })
    }

    /// Whether it asks a port, which a sidecar could intercept.
    pub fn asks_port(&self) -> bool {
        let mut kinds = HandlerKind::ALL.iter().filter(|kind| kind.asks_port());
        kinds.any(|kind| self.value.get(kind.field()).is_some())
    }

    /// The port that it asks over HTTP, and the host where it names one.
    pub fn asked(&self) -> (Option<u16>, Option<&str>) {
        let member = |name| self.value.get("httpGet").and_then(|http| http.get(name));
        let port = member("port").and_then(Value::as_u64).and_then(|port| port.try_into().ok());
        (port, member("host").and_then(Value::as_str).filter(|host| !host.is_empty()))
    }

    /// A number of seconds, where it has one that is not 0.
    pub fn seconds(&self, field: &str) -> Option<i64> {
        self.value.get(field).and_then(Value::as_i64).filter(|seconds| *seconds != 0)
    }
}
