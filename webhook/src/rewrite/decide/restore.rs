//! Restoring: which probes get back what they were.

use super::agent;
use super::disposition::{Disposition, Left};
use super::plan::{AgentChange, Changes, MarkChange, Plan, VariableChange, each_probe};
use crate::probers::VARIABLE;
use crate::rewrite::options::Options;
use crate::rewrite::read::{Container, Pod, Probe, ProbeHandler};
use crate::rewrite::records::{Original, RESTORE_ANNOTATION, Records};
use crate::rewrite::result::{Cause, Warning};

/// Decides what becomes of a pod that is to be as it was.
pub fn restore<'p, 'a>(pod: &'p Pod<'a>, options: &Options) -> Plan<'p, 'a> {
    let mut records = match Records::read(pod, options) {
        Ok(records) => records,
        Err((cause, reason)) => {
            let concerned =
                pod.probes().any(|(container, probe)| rewritten(container, probe).is_some());
            let warning =
                || Warning::of_pod(cause, format!("{reason}; its probes stay as they are"));
            return Plan::left_alone(pod, &reason, concerned.then(warning), options);
        }
    };
    let probes = each_probe(pod, |container, probe| put_back(&mut records, container, probe));
    let agent = agent::take_out(&mut records);
    let changed =
        probes.iter().any(|it| it.disposition.changes_the_probe()) || agent != AgentChange::None;
    let variable = match &records.recorded {
        recorded if !recorded.changed => VariableChange::None,
        recorded if recorded.is_empty() => VariableChange::Removed,
        _ => VariableChange::Merged,
    };
    let fault = || {
        let fault = "not a JSON object; named ports come back as numbers";
        Warning::of_pod(Cause::Annotation, format!("annotation {RESTORE_ANNOTATION}: {fault}"))
    };
    let unreadable = changed && records.kept.is_unreadable;
    let mark = MarkChange::Removed;
    Plan {
        warnings: unreadable.then(fault).into_iter().collect(),
        probes,
        changes: Some(Changes { records, variable, mark, agent }),
    }
}

/// What becomes of one probe. What is recorded of it is taken out.
fn put_back(
    records: &mut Records<'_, '_>,
    container: &Container<'_>,
    probe: &Probe<'_>,
) -> Result<Disposition, Left> {
    let path = rewritten(container, probe).ok_or_else(|| Left::silently("it is not rewritten"))?;
    let prober = records.recorded.get(&path).ok_or_else(|| {
        let reason = format!("{VARIABLE} does not say what it was; it stays as it is");
        Left::warned(Cause::OriginalLost, reason)
    })?;
    if let Some(member) = records.recorded.unknown_member(&path) {
        let reason =
            format!("{VARIABLE} has a member {member} that is not known; it stays as it is");
        return Err(Left::warned(Cause::UnknownMember, reason));
    }
    let original = records.kept.take(&path).unwrap_or_else(|| Original::recorded(prober));
    records.recorded.remove(&path);
    Ok(Disposition::Restored(original))
}

/// The path of a rewritten probe.
fn rewritten(container: &Container<'_>, probe: &Probe<'_>) -> Option<String> {
    let ProbeHandler::Network(target) = &probe.handler else { return None };
    container.probe_path(probe.kind).filter(|own| target.http_path() == Some(own))
}
