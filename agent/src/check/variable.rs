//! What is found in the sidecar's variable.

use app_health_webhook::path::{ProbeKind, ProbePath};
use app_health_webhook::probers::{self, Fault, Probers, VARIABLE};
use app_health_webhook::rewrite::ProbeName;

use super::finding::{Code, Finding, Place};
use super::pod::Pod;

/// What does not agree between the variable and a pod in which these probes are rewritten.
pub fn findings(pod: &Pod<'_>, rewritten: &[ProbeName], place: &Place) -> Vec<Finding> {
    let finding = |code, probe: Option<&ProbeName>, message| {
        Finding::new(code, place, probe.cloned(), message)
    };
    let Some(sidecar) = pod.sidecar else {
        let lost = |probe| finding(Code::Lost, Some(probe), "the pod has no sidecar".to_owned());
        return rewritten.iter().map(lost).collect();
    };
    let probers = sidecar
        .variable()
        .and_then(|text| probers::decode(text.as_bytes()).map_err(|error| error.to_string()));
    let probers = match probers {
        Ok(probers) => probers,
        Err(problem) => {
            let message = format!("{VARIABLE} of {}: {problem}", sidecar.name);
            return vec![finding(Code::Variable, None, message)];
        }
    };
    let is_lost = |probe: &&ProbeName| path(probe).is_some_and(|it| probers.get(&it).is_none());
    let lost = rewritten.iter().filter(is_lost).map(|probe| {
        finding(Code::Lost, Some(probe), format!("{VARIABLE} of {} has no entry", sidecar.name))
    });
    let mut findings: Vec<Finding> = lost.collect();
    for (code, probe, message) in entries(probers, pod) {
        findings.push(finding(code, probe.as_ref(), message));
    }
    findings
}

fn path(probe: &ProbeName) -> Option<String> {
    ProbePath::new(&probe.container, probe.kind).map(|path| path.to_string())
}

/// What is wrong with the entries themselves.
fn entries(
    probers: Probers,
    pod: &Pod<'_>,
) -> impl Iterator<Item = (Code, Option<ProbeName>, String)> {
    probers.into_entries().filter_map(|(key, entry)| {
        let name = |path: ProbePath<'_>| -> (String, ProbeKind) {
            (path.container().to_owned(), path.kind())
        };
        let probe = ProbePath::parse(&key).map(name);
        let probe = probe.map(|(container, kind)| ProbeName { container, kind });
        if let Err(error) = entry {
            let what = if error.fault == Fault::NoProbePath { "key" } else { "entry" };
            return Some((Code::Variable, probe, format!("{VARIABLE}: {what} {error}")));
        }
        let is_there = |probe: &ProbeName| pod.apps.iter().any(|it| it.name == probe.container);
        let gone = probe.filter(|probe| !is_there(probe))?;
        let message = format!("{VARIABLE} records it, but the pod has no such container");
        Some((Code::Gone, Some(gone), message))
    })
}
