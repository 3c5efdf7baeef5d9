//! Restoring: the original probes put back.

use super::agent::Removal;
use super::kept::Kept;
use super::members;
use super::pod::{Container, Pod};
use super::probe::{Handler, Probe, Stay, Target};
use super::variable::Recorded;
use super::{Cause, Options, RESTORE_ANNOTATION, Rewrite};
use crate::patch::Operation;
use crate::path::ProbePath;
use crate::probers::VARIABLE;

pub(super) fn restore(pod: &Pod<'_>, options: &Options) -> Rewrite {
    let alone = |cause: Cause, reason: String| {
        let mut rewrite = Rewrite::left_alone(pod, &reason, options);
        if pod.probes().any(|(container, probe)| rewritten(container, probe).is_some()) {
            rewrite.warn(cause, format!("{reason}; its probes stay as they are"));
        }
        rewrite
    };
    let Some((sidecar, env)) = pod.sidecar(&options.sidecars) else {
        let reason = format!("it has no sidecar container ({})", options.sidecars.join(", "));
        return alone(Cause::NoSidecar, reason);
    };
    let recorded = match Recorded::open(env) {
        Ok(recorded) => recorded,
        Err(error) => {
            return alone(Cause::Variable, format!("{VARIABLE} of {}: {error}", sidecar.name));
        }
    };
    let mut restorer = Restorer { recorded, kept: Kept::open(pod), patch: Vec::new() };
    let mut rewrite = Rewrite::default();
    for (container, probe) in pod.probes() {
        let outcome = restorer.probe(container, probe);
        rewrite.report(container, probe, outcome, options);
    }
    let Restorer { recorded, mut kept, mut patch } = restorer;
    let idle_agent = !recorded.has_tcp() && kept.take_agent();
    let agent = idle_agent.then(|| {
        let removal = Removal::new(pod, kept.take_pull_secret().as_deref());
        patch.extend(removal.pull_secret);
        removal.container
    });
    let agent = agent.flatten();
    if patch.is_empty() && agent.is_none() {
        return rewrite;
    }
    let env_at = sidecar.pointer().key("env");
    if recorded.changed && recorded.is_empty() {
        env.remove(&env_at, kept.take_env(), &mut patch);
    } else if recorded.changed {
        env.write(&env_at, Some(recorded.encode()), &mut patch);
    }
    if kept.unreadable {
        let fault = "not a JSON object; named ports come back as numbers";
        rewrite.warn(Cause::Annotation, format!("annotation {RESTORE_ANNOTATION}: {fault}"));
    }
    kept.write(&mut patch);
    patch.extend(agent);
    rewrite.patch = patch;
    rewrite
}

struct Restorer<'a> {
    recorded: Recorded,
    kept: Kept<'a>,
    patch: Vec<Operation>,
}

impl Restorer<'_> {
    /// Puts one probe back. What it asks now, or why it stays.
    fn probe(
        &mut self,
        container: &Container<'_>,
        probe: &Probe<'_>,
    ) -> Result<&'static str, Stay> {
        let (target, path) = rewritten(container, probe)
            .ok_or_else(|| Stay::Rightly("it is not rewritten".to_owned()))?;
        let key = path.to_string();
        let prober = self.recorded.get(&key).ok_or_else(|| {
            let reason = format!("{VARIABLE} does not say what it was; it stays as it is");
            Stay::Sadly(Cause::OriginalLost, reason)
        })?;
        if let Some(member) = self.recorded.unknown_member(&key) {
            let reason = format!("{VARIABLE} has a member {member} that is not known");
            return Err(Stay::Sadly(Cause::UnknownMember, format!("{reason}; it stays as it is")));
        }
        let from_variable = members::recorded(prober);
        let members = self.kept.members(&key).unwrap_or(&from_variable);
        let at = container.probe_pointer(probe.kind);
        members::put_back(&at, target.fields, members, &mut self.patch);
        self.recorded.remove(&key);
        self.kept.remove(&key);
        Ok("as it was")
    }
}

/// A rewritten probe's httpGet and path.
fn rewritten<'p, 'a>(
    container: &Container<'a>,
    probe: &'p Probe<'a>,
) -> Option<(&'p Target<'a>, ProbePath<'a>)> {
    let Handler::Network(target) = &probe.handler else { return None };
    let path = ProbePath::new(container.name, probe.kind)?;
    container.is_own_path(probe.kind, target).then_some((target, path))
}
