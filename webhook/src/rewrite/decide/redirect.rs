//! Rewriting: which probes are sent to the status port, and why others stay.

use std::collections::BTreeSet;

use super::disposition::{Destination, Disposition, Left, target_of};
use super::plan::{AgentChange, Changes, MarkChange, Plan, VariableChange, each_probe};
use super::{agent, record};
use crate::handler::HandlerKind;
use crate::path::ProbeKind;
use crate::probers::{self, HttpProtocol, Prober, VARIABLE};
use crate::rewrite::options::Options;
use crate::rewrite::read::annotations::{
    EXCLUDE_ANNOTATION, MIRROR_ANNOTATION, PodSettings, excluded,
};
use crate::rewrite::read::{Container, List, Pod, Port, Probe, ProbeHandler, Target};
use crate::rewrite::records::{RESTORE_ANNOTATION, Records, to_keep};
use crate::rewrite::result::{Cause, Warning};
use crate::rewrite::text::quoted;

/// Decides what becomes of a pod that is to be rewritten.
pub fn rewrite<'p, 'a>(pod: &'p Pod<'a>, options: &Options) -> Plan<'p, 'a> {
    let settings = PodSettings::read(pod.annotations, options);
    if !settings.rewrite {
        return switched_off(pod, settings, options);
    }
    let records = out_of_reach(pod).map_or_else(|| Records::read(pod, options), Err);
    match records {
        Ok(records) => {
            let (status_port, excluded) = (settings.status_port, excluded(pod.annotations));
            Rewriter { records, status_port, excluded }.plan(pod, settings, options)
        }
        Err((cause, reason)) => {
            let warning = Warning::of_pod(cause, format!("{reason}; its probes stay as they were"));
            Plan::left_alone(pod, &reason, Some(warning).filter(|_| asks_a_port(pod)), options)
        }
    }
}

/// Why nothing of a pod is touched, whatever its probes are.
pub fn out_of_reach(pod: &Pod<'_>) -> Option<(Cause, String)> {
    let (cause, reason) = if pod.host_network {
        (Cause::HostNetwork, "hostNetwork is true, so that nothing intercepts the pod's traffic")
    } else if pod.on_windows {
        (Cause::Windows, "it runs on Windows, where there is no sidecar")
    } else if pod.annotations.is_some_and(|all| all.contains_key(MIRROR_ANNOTATION)) {
        (Cause::MirrorPod, "it is the mirror pod of a static pod, which nothing can change")
    } else {
        return None;
    };
    Some((cause, reason.to_owned()))
}

/// Whether a rewrite might have done something for its probes.
fn asks_a_port(pod: &Pod<'_>) -> bool {
    pod.probes().any(|(_, probe)| !matches!(probe.handler, ProbeHandler::Local(_)))
}

/// The probes stay. The agent's container is put in all the same, where somebody else's rewrite has
/// recorded a TCP check.
fn switched_off<'p, 'a>(
    pod: &'p Pod<'a>,
    settings: PodSettings,
    options: &Options,
) -> Plan<'p, 'a> {
    let mut plan = Plan::left_alone(pod, "rewriting is off", None, options);
    if asks_a_port(pod) {
        plan.warnings.extend(settings.rewrite_warnings.into_iter().map(of_annotation));
    }
    if options.agent.is_none() || out_of_reach(pod).is_some() {
        return plan;
    }
    let Ok(mut records) = Records::read(pod, options) else { return plan };
    let agent = agent::put_in(pod, &mut records, options);
    if agent != AgentChange::None {
        plan.warnings.extend(replaces_unreadable(&records));
        let (variable, mark) = (VariableChange::None, MarkChange::None);
        plan.changes = Some(Changes { records, variable, mark, agent });
    }
    plan
}

fn replaces_unreadable(records: &Records<'_, '_>) -> Option<Warning> {
    let reason = || format!("annotation {RESTORE_ANNOTATION}: not a JSON object; it is replaced");
    let replaced = records.kept.is_unreadable && records.kept.changed;
    replaced.then(|| of_annotation(reason()))
}

/// A name that is no container's is misspelt, so that a probe is rewritten which was to stay.
fn excludes_nobody(pod: &Pod<'_>, mut names: BTreeSet<&str>) -> Option<Warning> {
    for container in &pod.containers {
        names.remove(container.name);
    }
    let reason = || {
        let names = quoted(&names.iter().copied().collect::<Vec<_>>().join(", "));
        format!("annotation {EXCLUDE_ANNOTATION}: {names}: not among the pod's containers")
    };
    (!names.is_empty() && asks_a_port(pod)).then(|| of_annotation(reason()))
}

fn excluded_by_the_pod() -> Left {
    let reason = format!("annotation {EXCLUDE_ANNOTATION} names its container");
    Left { cause: Some(Cause::Excluded), reason }
}

fn of_annotation(reason: String) -> Warning {
    Warning::of_pod(Cause::Annotation, reason)
}

struct Rewriter<'p, 'a> {
    records: Records<'p, 'a>,
    status_port: u16,
    excluded: BTreeSet<&'a str>,
}

impl<'p, 'a> Rewriter<'p, 'a> {
    fn plan(mut self, pod: &'p Pod<'a>, settings: PodSettings, options: &Options) -> Plan<'p, 'a> {
        let probes = each_probe(pod, |container, probe| self.probe(container, probe));
        let Self { mut records, excluded, .. } = self;
        let agent = agent::put_in(pod, &mut records, options);
        let changed = probes.iter().any(|it| it.disposition.changes_the_probe());
        let told = |left: &Left| left.cause.is_some();
        let told = probes.iter().any(|it| it.disposition.left().is_some_and(told));
        let mut warnings = Vec::new();
        if changed || told {
            let said = settings.rewrite_warnings.into_iter().chain(settings.status_port_warning);
            warnings.extend(said.map(of_annotation));
        }
        warnings.extend(excludes_nobody(pod, excluded));
        if changed || records.env.is_repeated() || agent != AgentChange::None {
            warnings.extend(replaces_unreadable(&records));
            warnings.extend(agent::is_replaced(pod, &records.recorded, options));
        }
        let marked = told || records.recorded.probes() > 0;
        let mark = if marked { MarkChange::Written } else { MarkChange::Removed };
        let variable = VariableChange::Merged;
        Plan { warnings, probes, changes: Some(Changes { records, variable, mark, agent }) }
    }

    /// What becomes of one probe.
    fn probe(&mut self, container: &Container<'_>, probe: &Probe<'_>) -> Result<Disposition, Left> {
        let is_excluded = self.excluded.contains(container.name);
        let target = match target_of(&probe.handler) {
            Err(Left { cause: Some(_), .. }) if is_excluded => return Err(excluded_by_the_pod()),
            target => target?,
        };
        let path = container.probe_path(probe.kind).ok_or_else(|| {
            let reason = "the container's name cannot stand in a path";
            Left::as_it_was(Cause::ContainerName, reason)
        })?;
        if target.http_path() == Some(&*path) {
            return self.update(target, path);
        }
        if is_excluded {
            return Err(excluded_by_the_pod());
        }
        if target.port.number() == Some(self.status_port) {
            let port = self.status_port;
            let reason = format!("on port {port} it would probe the listener itself");
            return Err(Left::as_it_was(Cause::StatusPort, reason));
        }
        let handler = self.may_be_redirected(container, probe, target)?;
        let prober = Prober { handler, timeout_seconds: probe.timeout_seconds };
        self.record(&path, prober, target)?;
        Ok(Disposition::Redirected(Destination { port: self.status_port, path }))
    }

    /// It is rewritten already, but the status port may be another one now, or Istio may have left the
    /// `protocol` in it.
    fn update(&mut self, target: &Target<'_>, path: String) -> Result<Disposition, Left> {
        if self.records.recorded.get(&path).is_none() {
            let reason = "it is rewritten already, but its original is lost";
            return Err(Left::as_it_was(Cause::OriginalLost, reason));
        }
        let port = target.port.number() != Some(self.status_port);
        // HTTP1 is what is asked for without one. The API server of 1.37 sets it after each patch.
        let protocol =
            Some(target.variant()).filter(|it| !["", HttpProtocol::Http1.as_str()].contains(it));
        if !port && protocol.is_none() {
            return Err(Left::silently("it is rewritten already"));
        }
        // An Istio that does not know this member leaves it there and records none.
        let recorded = |it| self.records.recorded.record_protocol(&path, it);
        let left = (!protocol.is_none_or(recorded)).then(|| {
            let reason = "it is rewritten already, but its protocol is not recorded, \
                          and stays as it was";
            Left::warned(Cause::OriginalLost, reason)
        });
        match left {
            Some(left) if !port => Err(left),
            left => {
                let protocol = left.is_none() && target.has_protocol();
                let to = Destination { port: self.status_port, path };
                Ok(Disposition::Updated { to, port, protocol, left })
            }
        }
    }

    /// What to record of a probe that asks this pod while the sidecar runs.
    fn may_be_redirected(
        &self,
        container: &Container<'_>,
        probe: &Probe<'_>,
        target: &Target<'_>,
    ) -> Result<probers::Handler, Left> {
        if !target.host.is_empty() {
            let reason = format!("it asks the host {}", quoted(target.host));
            return Err(Left::as_it_was(Cause::Host, reason));
        }
        let port = match target.port {
            Port::Number(port) | Port::Named(_, Some(port)) => port,
            Port::Named(name, None) => {
                let reason = format!("the container has no port named {}", quoted(name));
                return Err(Left::as_it_was(Cause::NamedPort, reason));
            }
        };
        let sidecar = self.records.sidecar;
        let at_start = matches!(probe.kind, ProbeKind::Startup | ProbeKind::PostStart);
        if at_start && container.list == List::Init && container.starts_before(sidecar) {
            let reason = format!("{} starts after it, and could not answer", sidecar.name);
            return Err(Left::as_it_was(Cause::BeforeSidecar, reason));
        }
        if probe.kind.is_hook() && probe.handler.kind() == Some(HandlerKind::TcpSocket) {
            return Err(Left::as_it_was(Cause::TcpHook, "the kubelet fails every tcpSocket hook"));
        }
        record::handler(target, port)
    }

    /// Records what a probe was, where there is room for it.
    fn record(&mut self, path: &str, prober: Prober, target: &Target<'_>) -> Result<(), Left> {
        let original = to_keep(target);
        if !self.records.kept.fits(path, original.as_deref()) {
            let reason = format!("with it annotation {RESTORE_ANNOTATION} would be too long");
            return Err(Left::as_it_was(Cause::TooLong, reason));
        }
        if !self.records.recorded.insert(path, prober) {
            let reason = format!("with it {VARIABLE} would be too long for exec");
            return Err(Left::as_it_was(Cause::TooLong, reason));
        }
        self.records.kept.set(path, original);
        Ok(())
    }
}
