//! What is to become of a pod.

use super::disposition::{Disposition, Left, target_of};
use crate::rewrite::options::Options;
use crate::rewrite::read::{Container, Pod, Probe};
use crate::rewrite::records::Records;
use crate::rewrite::result::Warning;

/// What is to become of a pod.
pub struct Plan<'p, 'a> {
    /// What its user should know of the pod as a whole.
    pub warnings: Vec<Warning>,
    /// Every probe and hook but the sidecars', in the pod's order.
    pub probes: Vec<PlannedProbe<'p, 'a>>,
    /// `None` where the pod is left alone.
    pub changes: Option<Changes<'p, 'a>>,
}

pub struct PlannedProbe<'p, 'a> {
    pub container: &'p Container<'a>,
    pub probe: &'p Probe<'a>,
    pub disposition: Disposition,
}

/// What changes besides the probes.
pub struct Changes<'p, 'a> {
    pub records: Records<'p, 'a>,
    pub variable: VariableChange,
    pub mark: MarkChange,
    pub agent: AgentChange,
}

pub enum VariableChange {
    /// It stays as it is.
    None,
    /// It is there once, and says what is recorded.
    Merged,
    /// It goes.
    Removed,
}

/// What becomes of the pod's mark.
pub enum MarkChange {
    /// It stays as it is.
    None,
    /// It says what the variable holds, and what stayed.
    Written,
    /// It goes.
    Removed,
}

/// What becomes of the agent's container.
#[derive(PartialEq)]
pub enum AgentChange {
    None,
    PutIn,
    /// It goes, with the Secret of this name.
    TakenOut {
        pull_secret: Option<String>,
    },
}

/// Each probe of a pod with what `decide` says becomes of it.
pub fn each_probe<'p, 'a>(
    pod: &'p Pod<'a>,
    mut decide: impl FnMut(&Container<'_>, &Probe<'_>) -> Result<Disposition, Left>,
) -> Vec<PlannedProbe<'p, 'a>> {
    let planned = |(container, probe): (&'p Container<'a>, &'p Probe<'a>)| {
        let disposition = decide(container, probe).unwrap_or_else(Disposition::Left);
        PlannedProbe { container, probe, disposition }
    };
    pod.probes().map(planned).collect()
}

impl<'p, 'a> Plan<'p, 'a> {
    /// Nothing changes, and every probe that could be rewritten has the same reason to stay.
    pub fn left_alone(
        pod: &'p Pod<'a>,
        reason: &str,
        warning: Option<Warning>,
        options: &Options,
    ) -> Self {
        let left = |_: &Container<'_>, probe: &Probe<'_>| match target_of(&probe.handler) {
            Err(own @ Left { cause: None, .. }) => Err(own),
            _ => Err(Left::silently(reason)),
        };
        let probes = if options.reports { each_probe(pod, left) } else { Vec::new() };
        Self { warnings: warning.into_iter().collect(), probes, changes: None }
    }
}
