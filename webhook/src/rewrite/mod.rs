//! A pod's probes rewritten, and restored.
//!
//! | module | what it decides |
//! |---|---|
//! | `forward` | which probes are rewritten, and why others stay |
//! | `back` | restoring |
//! | `pod`, `probe`, `node` | reading: all that can be malformed is found before anything is decided |
//! | `resources`, `windows` | the same of a pod's resources, and of its operating system |
//! | `record` | what is recorded of a probe |
//! | `settings` | the annotations by which a pod chooses |
//! | `variable`, `entry` | the sidecar's environment, and what is recorded there |
//! | `kept` | the annotation that keeps what the variable cannot say |
//! | `cause` | what a warning is about, for those who count them |
//! | `agent` | the agent's container, put in and taken out |
//! | `members` | the members of a probe that are replaced and put back |
//! | `sidecar` | a minimal sidecar, to try a rewrite out |

mod agent;
mod back;
mod cause;
mod entry;
mod forward;
mod kept;
mod members;
pub(crate) mod node;
mod pod;
mod probe;
mod record;
mod resources;
mod settings;
mod sidecar;
mod variable;
mod windows;

use std::fmt;

use serde_json::Value;

use self::agent::Addition;
use self::node::InLine;
use self::pod::{Container, Pod};
use self::probe::{Probe, Stay};
use crate::patch::{Operation, Pointer};
use crate::path::ProbeKind;

pub use self::agent::{
    AGENT_CONTAINER, AGENT_RESOURCES_ANNOTATION, AGENT_USER_ANNOTATION, AgentOptions,
    AgentResources, AgentUser,
};
pub use self::cause::Cause;
pub use self::kept::RESTORE_ANNOTATION;
pub use self::settings::{REWRITE_ANNOTATION, STATUS_PORT_ANNOTATION};
pub use self::sidecar::add_sidecar;

/// What a rewrite depends on besides the pod.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether pods without the annotation are rewritten.
    pub default_rewrite: bool,
    /// The port that probes are sent to, where no annotation names another.
    pub status_port: u16,
    /// The names of sidecar containers; the first one found in the pod is its sidecar.
    pub sidecars: Vec<String>,
    /// The agent, whose container is put beside sidecars that record a TCP check; `None` puts none
    /// in.
    pub agent: Option<AgentOptions>,
    /// Whether [`Rewrite::probes`] is wanted: who only takes the patch saves a twentieth of the work.
    pub reports: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            default_rewrite: true,
            status_port: 15020,
            sidecars: vec!["istio-proxy".to_owned()],
            agent: None,
            reports: true,
        }
    }
}

/// What a rewrite comes to: all of it made in one pass, so that the parts cannot disagree.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rewrite {
    /// To be applied to the pod; empty where nothing changes.
    pub patch: Vec<Operation>,
    /// What a user should know.
    pub warnings: Vec<Warning>,
    /// Every probe and hook of the pod but the sidecar's, in the pod's order; none without
    /// [`Options::reports`].
    pub probes: Vec<Report>,
}

/// Something that stays as it was, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// `None` where it concerns the whole pod.
    pub probe: Option<ProbeName>,
    /// What it is about.
    pub cause: Cause,
    /// One line.
    pub reason: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(probe) = &self.probe {
            write!(f, "{probe}: ")?;
        }
        f.write_str(&self.reason)
    }
}

/// A probe or hook of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeName {
    /// The container's name.
    pub container: String,
    /// Which of its probes.
    pub kind: ProbeKind,
}

impl fmt::Display for ProbeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", InLine(&self.container), self.kind.field())
    }
}

/// What became of one probe: a line of `--explain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which probe.
    pub probe: ProbeName,
    /// The handler's name as it was; `other` where it is none that is known.
    pub handler: &'static str,
    /// The handler as it was, for people: `httpGet :80/index.html`.
    pub from: String,
    /// Its path and port now, or why it stays.
    pub to: Result<String, String>,
}

/// A value of the pod has a type that no pod can have: nothing of the pod is touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The field.
    pub at: Pointer,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at.as_str(), self.problem)
    }
}

impl std::error::Error for Malformed {}

/// Rewrites the probes of `pod` (a Pod, or a pod template: `metadata` and `spec`).
pub fn rewrite(pod: &Value, options: &Options) -> Result<Rewrite, Malformed> {
    Pod::read(pod, &options.sidecars).map(|pod| forward::rewrite(&pod, options))
}

/// Gives back the original probes of a rewritten pod.
pub fn restore(pod: &Value, options: &Options) -> Result<Rewrite, Malformed> {
    Pod::read(pod, &options.sidecars).map(|pod| back::restore(&pod, options))
}

impl Rewrite {
    /// Nothing changes, and every probe that could be rewritten has the same reason to stay.
    fn left_alone(pod: &Pod<'_>, reason: &str, options: &Options) -> Self {
        let report = |(container, probe): (&Container<'_>, &Probe<'_>)| {
            let reason = match probe.handler.target() {
                Err(Stay::Rightly(own)) => own,
                _ => reason.to_owned(),
            };
            Report::new(container, probe, Err(reason))
        };
        let reported = pod.probes().filter(|_| options.reports);
        Self { probes: reported.map(report).collect(), ..Self::default() }
    }

    /// What puts the agent's container in, as the last of the patch.
    fn add(&mut self, agent: Addition) {
        for (cause, reason) in &agent.warnings {
            self.warn(*cause, reason.clone());
        }
        self.patch.extend(agent.steps());
    }

    fn warn(&mut self, cause: Cause, reason: String) {
        self.warnings.push(Warning { probe: None, cause, reason });
    }

    /// Adds what became of a probe, and a warning where its user should know.
    fn report(
        &mut self,
        container: &Container<'_>,
        probe: &Probe<'_>,
        outcome: Result<impl fmt::Display, Stay>,
        options: &Options,
    ) {
        if let Err(Stay::Sadly(cause, reason)) = &outcome {
            let probe = Some(container.probe_name(probe.kind));
            self.warnings.push(Warning { probe, cause: *cause, reason: reason.clone() });
        }
        if options.reports {
            let to = outcome.map(|now| now.to_string()).map_err(Stay::reason);
            self.probes.push(Report::new(container, probe, to));
        }
    }
}

impl Report {
    fn new(container: &Container<'_>, probe: &Probe<'_>, to: Result<String, String>) -> Self {
        Self {
            probe: container.probe_name(probe.kind),
            handler: probe.handler.name(),
            from: probe.handler.to_string(),
            to,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn without_reports_all_else_is_the_same() {
        let probe = |host: &str| json!({"httpGet": {"port": 80, "host": host}});
        let pod = json!({"spec": {"containers": [
            {"name": "app", "readinessProbe": probe(""), "livenessProbe": probe("elsewhere")},
            {"name": "istio-proxy"},
        ]}});
        for sidecar in ["istio-proxy", "missing"] {
            let with = Options { sidecars: vec![sidecar.to_owned()], ..Options::default() };
            let without = Options { reports: false, ..with.clone() };
            let (with, without) = (rewrite(&pod, &with).unwrap(), rewrite(&pod, &without).unwrap());
            assert_eq!((with.probes.len(), with.warnings.len()), (2, 1), "{sidecar}");
            assert_eq!(without, Rewrite { probes: Vec::new(), ..with }, "{sidecar}");
        }
    }
}
