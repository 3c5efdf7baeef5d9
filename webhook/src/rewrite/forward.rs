//! Rewriting: which probes are sent to the status port, and why others stay.

use std::fmt;

use serde_json::Value;

use super::agent::{self, Addition};
use super::kept::Kept;
use super::members;
use super::node::quoted;
use super::pod::{Container, List, Pod};
use super::probe::{Handler, Port, Probe, Protocol, Stay, Target, stays};
use super::record;
use super::settings::PodSettings;
use super::variable::{Env, Recorded};
use super::{Cause, Options, RESTORE_ANNOTATION, Rewrite, Warning};
use crate::patch::Operation;
use crate::path::{ProbeKind, ProbePath};
use crate::probers::{self, HttpProtocol, Prober, VARIABLE};

pub(super) fn rewrite(pod: &Pod<'_>, options: &Options) -> Rewrite {
    let settings = PodSettings::read(pod.annotations, options);
    match Rewriter::open(pod, &settings, options) {
        Ok(rewriter) => rewriter.rewrite(pod, settings, options),
        Err(alone) => {
            let mut rewrite = Rewrite::left_alone(pod, &alone.reason, options);
            let concerned = pod.probes().any(|(_, p)| !matches!(p.handler, Handler::Local(_)));
            if let Some(warning) = alone.warning.filter(|_| concerned) {
                rewrite.warn(alone.cause, warning);
            }
            if !settings.rewrite && pod.is_out_of_reach().is_none() {
                beside_others(pod, options, &mut rewrite);
            }
            rewrite
        }
    }
}

/// The agent's container alone, where somebody else's rewrite has recorded a TCP check.
fn beside_others(pod: &Pod<'_>, options: &Options, rewrite: &mut Rewrite) {
    let Some((sidecar, env)) = pod.sidecar(&options.sidecars) else { return };
    let Ok(recorded) = Recorded::open(env) else { return };
    let Some(agent) = Addition::new(pod, sidecar, &recorded, options) else { return };
    let mut kept = Kept::open(pod);
    agent.note(&mut kept);
    if let Some(reason) = kept.replaces_unreadable() {
        rewrite.warn(Cause::Annotation, reason);
    }
    kept.write(&mut rewrite.patch);
    rewrite.add(agent);
}

/// Why nothing of a pod is touched.
struct Alone {
    cause: Cause,
    reason: String,
    warning: Option<String>,
}

impl Alone {
    fn because(cause: Cause, reason: String) -> Self {
        Self { cause, warning: Some(format!("{reason}; its probes stay as they were")), reason }
    }

    fn no_sidecar(names: &[String]) -> Self {
        let reason = format!("it has no sidecar container ({})", names.join(", "));
        Self::because(Cause::NoSidecar, reason)
    }
}

struct Rewriter<'p, 'a> {
    status_port: u16,
    sidecar: &'p Container<'a>,
    env: &'p Env<'a>,
    recorded: Recorded,
    kept: Kept<'a>,
    patch: Vec<Operation>,
}

impl<'p, 'a> Rewriter<'p, 'a> {
    fn open(pod: &'p Pod<'a>, settings: &PodSettings, options: &Options) -> Result<Self, Alone> {
        if !settings.rewrite {
            let warning = settings.rewrite_warning.clone();
            let reason = "rewriting is off".to_owned();
            return Err(Alone { cause: Cause::Annotation, reason, warning });
        }
        if let Some((cause, reason)) = pod.is_out_of_reach() {
            return Err(Alone::because(cause, reason.to_owned()));
        }
        let (sidecar, env) =
            pod.sidecar(&options.sidecars).ok_or_else(|| Alone::no_sidecar(&options.sidecars))?;
        let recorded = Recorded::open(env)
            .map_err(|error| format!("{VARIABLE} of {}: {error}", sidecar.name))
            .map_err(|reason| Alone::because(Cause::Variable, reason))?;
        Ok(Self {
            status_port: settings.status_port,
            sidecar,
            env,
            recorded,
            kept: Kept::open(pod),
            patch: Vec::new(),
        })
    }

    fn rewrite(mut self, pod: &Pod<'_>, settings: PodSettings, options: &Options) -> Rewrite {
        let mut rewrite = Rewrite::default();
        for (container, probe) in pod.probes() {
            let outcome = self.probe(container, probe);
            rewrite.report(container, probe, outcome, options);
        }
        let agent = Addition::new(pod, self.sidecar, &self.recorded, options);
        let no_agent = agent::replaced_by_another(pod, &self.recorded, options);
        let mut of_pod = Vec::new();
        if !self.patch.is_empty() || !rewrite.warnings.is_empty() {
            of_pod.extend(settings.rewrite_warning);
            of_pod.extend(settings.status_port_warning);
        }
        if !self.patch.is_empty() || self.env.is_repeated() || agent.is_some() {
            if let Some(agent) = &agent {
                agent.note(&mut self.kept);
            }
            of_pod.extend(self.kept.replaces_unreadable());
            rewrite.patch = self.finish();
        }
        let warning = |reason| Warning { probe: None, cause: Cause::Annotation, reason };
        let of_pod = of_pod.into_iter().map(warning);
        rewrite.warnings.splice(0..0, of_pod);
        if let Some(reason) = no_agent.filter(|_| !rewrite.patch.is_empty()) {
            rewrite.warn(Cause::AgentName, reason);
        }
        if let Some(agent) = agent {
            rewrite.add(agent);
        }
        rewrite
    }

    /// Writes the variable, and the annotation where it is needed.
    fn finish(mut self) -> Vec<Operation> {
        if !self.env.has_variable() {
            self.kept.note_env(self.env.value);
        }
        let value = self.recorded.changed.then(|| self.recorded.encode());
        self.env.write(&self.sidecar.pointer().key("env"), value, &mut self.patch);
        self.kept.write(&mut self.patch);
        self.patch
    }

    /// Rewrites one probe. What it asks now, or why it stays.
    fn probe(&mut self, container: &Container<'_>, probe: &Probe<'_>) -> Result<Destination, Stay> {
        let target = probe.handler.target()?;
        let path = ProbePath::new(container.name, probe.kind).ok_or_else(|| {
            stays(Cause::ContainerName, "the container's name cannot stand in a path")
        })?;
        let key = path.to_string();
        let is_recorded = self.recorded.get(&key).is_some();
        let on_status_port = target.port.number() == Some(self.status_port);
        match (container.is_own_path(probe.kind, target), on_status_port) {
            (true, _) if is_recorded => self.mend(container, probe, target, &key)?,
            (true, _) => {
                let reason = "it is rewritten already, but its original is lost";
                return Err(stays(Cause::OriginalLost, reason));
            }
            (false, true) => {
                let port = self.status_port;
                let reason = format!("on port {port} it would probe the listener itself");
                return Err(stays(Cause::StatusPort, reason));
            }
            (false, false) => self.redirect(container, probe, target, &key)?,
        }
        Ok(Destination { port: self.status_port, path: key })
    }

    /// It is rewritten already, but the status port is another one now, or Istio has left the
    /// `protocol` in it.
    fn mend(
        &mut self,
        container: &Container<'_>,
        probe: &Probe<'_>,
        target: &Target<'_>,
        key: &str,
    ) -> Result<(), Stay> {
        let at = container.probe_pointer(probe.kind).key("httpGet");
        let moved = target.port.number() != Some(self.status_port);
        let protocol = members::without_protocol(target, &at);
        // HTTP1 is what is asked for without one. The API server of 1.37 sets it after each patch.
        let left =
            Some(target.variant()).filter(|it| !["", HttpProtocol::Http1.as_str()].contains(it));
        if !moved && left.is_none() {
            return Err(Stay::Rightly("it is rewritten already".to_owned()));
        }
        if moved {
            self.patch.push(Operation::Replace(at.key("port"), self.status_port.into()));
        }
        if left.is_some_and(|left| !self.record_protocol(key, left)) {
            let reason = "it is rewritten already, but its protocol is not recorded, \
                          and stays as it was";
            return Err(Stay::Sadly(Cause::OriginalLost, reason.to_owned()));
        }
        self.patch.extend(protocol);
        Ok(())
    }

    /// Whether what was recorded has the `protocol` that was left in its probe. An Istio that does
    /// not know this member leaves it there and records none, which is made up for.
    fn record_protocol(&mut self, key: &str, left: &str) -> bool {
        self.recorded.protocol(key) == left
            || self
                .recorded
                .with_protocol(key, left)
                .is_some_and(|prober| self.recorded.insert(key, prober))
    }

    fn redirect(
        &mut self,
        container: &Container<'_>,
        probe: &Probe<'_>,
        target: &Target<'_>,
        key: &str,
    ) -> Result<(), Stay> {
        let handler = self.check(container, probe, target)?;
        let kept = (!members::variable_says_all(probe, target))
            .then(|| Value::Object(members::replaced(probe, target)));
        if kept.as_ref().is_some_and(|members| !self.kept.fits(key, members)) {
            let reason = format!("with it annotation {RESTORE_ANNOTATION} would be too long");
            return Err(stays(Cause::TooLong, reason));
        }
        let prober = Prober { handler, timeout_seconds: probe.timeout_seconds };
        if !self.recorded.insert(key, prober) {
            let reason = format!("with it {VARIABLE} would be too long for exec");
            return Err(stays(Cause::TooLong, reason));
        }
        match kept {
            Some(members) => self.kept.insert(key, members),
            None => drop(self.kept.remove(key)),
        }
        let at = container.probe_pointer(probe.kind);
        members::redirect(&at, target, key, self.status_port, &mut self.patch);
        Ok(())
    }

    /// What to record of a probe that asks this pod while the sidecar runs.
    fn check(
        &self,
        container: &Container<'_>,
        probe: &Probe<'_>,
        target: &Target<'_>,
    ) -> Result<probers::Handler, Stay> {
        if !target.host.is_empty() {
            let reason = format!("it asks the host {}", quoted(target.host));
            return Err(stays(Cause::Host, reason));
        }
        let port = match target.port {
            Port::Number(port) | Port::Named(_, Some(port)) => port,
            Port::Named(name, None) => {
                let reason = format!("the container has no port named {}", quoted(name));
                return Err(stays(Cause::NamedPort, reason));
            }
        };
        let at_start = matches!(probe.kind, ProbeKind::Startup | ProbeKind::PostStart);
        if at_start && container.list == List::Init && container.starts_before(self.sidecar) {
            let sidecar = self.sidecar.name;
            let reason = format!("{sidecar} starts after it, and could not answer");
            return Err(stays(Cause::BeforeSidecar, reason));
        }
        if probe.kind.is_hook() && matches!(target.protocol, Protocol::Tcp) {
            return Err(stays(Cause::TcpHook, "the kubelet fails every tcpSocket hook"));
        }
        record::handler(target, port)
    }
}

/// What a rewritten probe asks.
struct Destination {
    port: u16,
    path: String,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ":{}{}", self.port, self.path)
    }
}
