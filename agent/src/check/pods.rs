//! Which findings a pod has.

use std::borrow::Cow;
use std::sync::Arc;

use app_health_webhook::injection::{FILTER_LABEL, Filter, STATUS_PORT, filter};
use app_health_webhook::manifest::Object;
use app_health_webhook::patch::{self, Pointer};
use app_health_webhook::rewrite::{
    Cause, Malformed, Options, ProbeName, Rewrite, Warning, add_sidecar, rewrite,
};

use super::finding::{Code, Finding, Place};
use super::pod::{Container, Pod, Probe};
use super::surroundings::Surroundings;
use super::variable;
use crate::document;

/// What the kubelet takes where a probe does not say.
const USUAL_TIMEOUT: i64 = 1;
const USUAL_PERIOD: i64 = 10;

/// What pods are judged by.
pub struct Judge<'s> {
    /// What stands beside them.
    pub surroundings: &'s Surroundings,
    /// As the webhook has them.
    pub options: &'s Options,
    /// The mesh's root namespace.
    pub root_namespace: &'s str,
    /// A kind that is not in the input has no objects.
    pub complete: bool,
}

/// What a pod comes to.
#[derive(Default)]
pub struct Judgement {
    pub findings: Vec<Finding>,
    /// What made the pod of a template, by its uid: its other pods mostly come to the same.
    pub controller: Option<String>,
    /// It may have been missed: its namespace is not in the input.
    pub of_unknown_namespace: bool,
    /// It may lack its listener: no EnvoyFilter is in the input.
    pub of_unknown_listener: bool,
}

impl Judge<'_> {
    /// What is found in an object's pod; `None` where it has none, or one that has come to its end.
    pub fn pod(&self, object: &Object<'_>) -> Option<Judgement> {
        match object.pod() {
            Ok(at) => {
                let at = at?;
                let pod = Pod::read(object, &at, &self.options.sidecars);
                (!pod.has_ended()).then(|| self.judge(object, &pod, &at.pointer))
            }
            Err(malformed) => malformed_pod(object, malformed)
                .map(|finding| Judgement { findings: vec![finding], ..Judgement::default() }),
        }
    }

    /// A namespace whose new pods would have nobody on the status port.
    pub fn namespace(&self, object: &Object<'_>) -> Option<Finding> {
        let (port, root, around) =
            (self.options.status_port, self.root_namespace, self.surroundings);
        let name = object.owner().name;
        let known = around.has_envoy_filters || self.complete;
        let due = known && around.gives_filter(name) && !around.listens_for_new(name, port, root);
        let message =
            || format!("{FILTER_LABEL}=enabled: no EnvoyFilter listens on {port} for its new pods");
        due.then(|| Finding::new(Code::NoListener, &Place::of(&object.owner()), None, message()))
    }

    fn judge(&self, object: &Object<'_>, pod: &Pod<'_>, at: &Pointer) -> Judgement {
        let (place, rewritten) = (Place::of(&pod.owner), pod.rewritten());
        let mut judgement = Judgement {
            findings: variable::findings(pod, &rewritten, &place),
            controller: pod.controller().map(str::to_owned),
            ..Judgement::default()
        };
        self.listener(pod, &place, &mut judgement);
        judgement.findings.extend(hosts(pod, &place));
        let chosen = self.surroundings.chooses(pod.owner.namespace, &pod.labels);
        // By its own webhook, which serves the same namespaces.
        let chosen = chosen.or(pod.is_switched().then_some(true));
        // A manifest is checked because it is meant to be rewritten, unless its namespace says not.
        let is_concerned = chosen.unwrap_or(!pod.in_cluster) || !rewritten.is_empty();
        // Nothing intercepts the traffic of a pod without a sidecar.
        let may_be_missed = pod.exists() && pod.sidecar.is_some();
        if is_concerned && (may_be_missed || !pod.exists()) {
            timeouts(pod, &place, &mut judgement.findings);
            match self.rewrite(pod) {
                Ok(result) => {
                    stays(&result, &place, &mut judgement.findings);
                    if chosen == Some(true) && may_be_missed {
                        judgement.findings.extend(missed(&result, pod, &rewritten, &place));
                    }
                }
                Err(malformed) => {
                    let malformed = Malformed { at: at.join(&malformed.at), ..malformed };
                    judgement.findings.extend(malformed_pod(object, malformed));
                }
            }
        }
        let asks = || pod.probes().any(|probe| probe.asks_port());
        judgement.of_unknown_namespace =
            chosen.is_none() && may_be_missed && rewritten.is_empty() && asks();
        judgement
    }

    /// What the webhook makes of it. A template has no sidecar yet.
    fn rewrite(&self, pod: &Pod<'_>) -> Result<Rewrite, Malformed> {
        let mut value = Cow::Borrowed(pod.value);
        if let (None, Some(name)) = (&pod.sidecar, self.options.sidecars.first()) {
            let sidecar = add_sidecar(pod.value, name)?;
            patch::apply(value.to_mut(), &sidecar)
                .map_err(|error| Malformed { problem: error.to_string(), at: error.at })?;
        }
        rewrite(&value, self.options)
    }

    /// Who answers on the status port of a pod that has the label, or in which pilot-agent has left it.
    fn listener(&self, pod: &Pod<'_>, place: &Place, judgement: &mut Judgement) {
        let label = pod.labels.get(FILTER_LABEL);
        let label = label.filter(|value| !["", "false"].contains(&value.as_str()));
        let label = label.map(|value| format!("{FILTER_LABEL}={value}"));
        let (port, root) = (self.options.status_port, self.root_namespace);
        let pilot_agent = pod.sidecar.filter(|_| pod.exists()).and_then(Container::pilot_agent);
        let wanted = u64::from(STATUS_PORT);
        if let Some(held) = pilot_agent.filter(|held| *held != wanted) {
            let due = || format!("{FILTER_LABEL}=enabled in its namespace");
            if let Some(label) = label.or_else(|| self.is_due(pod).then(due)) {
                let message = format!("{label}: pilot-agent is on {held}, not on {wanted}");
                judgement.findings.push(Finding::new(Code::NotMoved, place, None, message));
            }
            return;
        }
        let takes = match (label, pilot_agent) {
            (Some(label), _) => label,
            (None, Some(held)) if port != STATUS_PORT => format!("pilot-agent is on {held}"),
            (None, _) => return,
        };
        if !self.surroundings.has_envoy_filters && !self.complete {
            judgement.of_unknown_listener = true;
        } else if !self.surroundings.listens(pod, port, root) {
            let message = format!("{takes}: no EnvoyFilter listens on {port} for it");
            judgement.findings.push(Finding::new(Code::NoListener, place, None, message));
        } else {
            judgement.findings.extend(self.ports(pod, place));
        }
    }

    /// Whether the webhook would give such a pod the filter, had it come today.
    fn is_due(&self, pod: &Pod<'_>) -> bool {
        let Ok(revision) = "true".parse() else { return false };
        let by = Filter { revision, mesh: Arc::default(), read_yaml: document::value };
        // The sidecar was not there yet.
        let made = || filter(pod.value, &by, &[]);
        self.surroundings.gives_filter(pod.owner.namespace)
            && made().is_ok_and(|made| made.warnings.is_empty() && !made.patch.is_empty())
    }

    /// Rewritten probes that ask another port than that of their listener. Pilot-agent may answer
    /// those on its own.
    fn ports(&self, pod: &Pod<'_>, place: &Place) -> impl Iterator<Item = Finding> {
        let pilot_agent = pod.sidecar.and_then(|sidecar| sidecar.pilot_agent());
        pod.probes().filter(Probe::is_rewritten).filter_map(move |probe| {
            let port = probe.asked().0.filter(|port| Some(u64::from(*port)) != pilot_agent)?;
            let listens = self.surroundings.listens(pod, port, self.root_namespace);
            let message = || format!("port {port}: no EnvoyFilter listens there for it");
            (!listens).then(|| Finding::new(Code::Port, place, Some(probe.name), message()))
        })
    }
}

/// What no pod can have keeps the webhook from it. Other objects only look as if they had one.
fn malformed_pod(object: &Object<'_>, malformed: Malformed) -> Option<Finding> {
    object.is_workload().then(|| {
        let message = format!("{malformed}; it stays as it is");
        let finding = Finding::new(Code::Stays, &Place::of(&object.owner()), None, message);
        Finding { cause: Some(Cause::Malformed), ..finding }
    })
}

/// What stays, by the library's own words.
fn stays(result: &Rewrite, place: &Place, findings: &mut Vec<Finding>) {
    let lost: Vec<ProbeName> = findings
        .iter()
        .filter(|it| it.code == Code::Lost)
        .filter_map(|it| it.probe.clone())
        .collect();
    let is_said = |it: &&Warning| match it.cause {
        // Found by itself, or why nothing has to be done.
        Cause::Variable
        | Cause::NoSidecar
        | Cause::HostNetwork
        | Cause::Windows
        | Cause::MirrorPod
        | Cause::Excluded => false,
        Cause::OriginalLost => !it.probe.as_ref().is_some_and(|probe| lost.contains(probe)),
        _ => true,
    };
    findings.extend(result.warnings.iter().filter(is_said).map(|warning| {
        let is_named = warning.cause == Cause::NamedPort;
        let code = if is_named { Code::NamedPort } else { Code::Stays };
        let (probe, reason) = (warning.probe.clone(), warning.reason.clone());
        Finding { cause: Some(warning.cause), ..Finding::new(code, place, probe, reason) }
    }));
}

/// What the webhook would still have to do.
fn missed(
    result: &Rewrite,
    pod: &Pod<'_>,
    rewritten: &[ProbeName],
    place: &Place,
) -> Option<Finding> {
    let to_do = result.probes.iter().filter(|it| it.to.is_ok() && !rewritten.contains(&it.probe));
    let to_do: Vec<String> = to_do.map(|report| report.probe.to_string()).collect();
    let why = if pod.is_switched() { ", nor by Istio, whose rewrite is off" } else { "" };
    let message = || format!("not rewritten{why}: {}", to_do.join(", "));
    (!to_do.is_empty()).then(|| Finding::new(Code::Missed, place, None, message()))
}

/// What Istio leaves in a probe that it rewrites.
fn hosts(pod: &Pod<'_>, place: &Place) -> impl Iterator<Item = Finding> {
    pod.probes().filter(Probe::is_rewritten).filter_map(|probe| {
        let message = format!("it asks the host {:?}", probe.asked().1?);
        Some(Finding::new(Code::Host, place, Some(probe.name), message))
    })
}

fn timeouts(pod: &Pod<'_>, place: &Place, findings: &mut Vec<Finding>) {
    for probe in pod.probes().filter(|probe| !probe.name.kind.is_hook()) {
        let timeout = probe.seconds("timeoutSeconds").unwrap_or(USUAL_TIMEOUT);
        let period = probe.seconds("periodSeconds").unwrap_or(USUAL_PERIOD);
        if timeout > period {
            let message = format!("timeoutSeconds {timeout}, periodSeconds {period}");
            findings.push(Finding::new(Code::Timeout, place, Some(probe.name), message));
        }
    }
}
