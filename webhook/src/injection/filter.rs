//! Which pods are given the filter, and what each of them needs: the label that the EnvoyFilter selects,
//! and annotations, all of them merged with what is there.

use std::sync::Arc;

use serde_json::Value;

use super::metadata::{Changes, Subject};
use super::proxy_config::{self, ProxyDefaults, STATISTICS, STATUS_PORT};
use super::revision::{NONE, Revision};
use crate::rewrite::{
    Cause, Malformed, Rewrite, STATUS_PORT_ANNOTATION, Warning, out_of_reach, quoted,
};

/// The label that an EnvoyFilter selects: a [`Revision`], or `false`.
pub const FILTER_LABEL: &str = "app-health/filter";

/// Istio's label, or annotation, which decides whether it injects.
const INJECT: &str = "sidecar.istio.io/inject";
const TEMPLATES: &str = "inject.istio.io/templates";
const CONFIG: &str = "proxy.istio.io/config";
/// If 15019 were intercepted, calls from outside would reach pilot-agent from 127.0.0.6, which it takes for
/// loopback: anyone could end the sidecar.
const EXCLUDED: &str = "traffic.sidecar.istio.io/excludeInboundPorts";
/// The image of a container by which a pod customises the sidecar that is yet to be injected.
const AUTO: &str = "auto";
/// Where a pod has it, Istio does not read the same of [`CONFIG`].
const PREFIXES: &str = "sidecar.istio.io/statsInclusionPrefixes";

/// What gives pods the filter.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Which filter, where the pod does not say another.
    pub revision: Revision,
    /// What an annotation replaces.
    pub mesh: Arc<Mesh>,
    /// Reads YAML without aliases; null where it says nothing. An error is one line.
    pub read_yaml: fn(&str) -> Result<Value, String>,
}

/// What the mesh sets for all pods, where Istio takes a pod's annotation in its place: it is repeated
/// there.
#[derive(Clone, Debug, Default)]
pub struct Mesh {
    /// Of its `defaultConfig`.
    pub proxy_config: ProxyDefaults,
    /// `global.proxy.excludeInboundPorts`, with commas.
    pub excluded_inbound_ports: String,
}

/// What a warning is about, and what it says.
type Reason = (Cause, String);

/// Gives a pod what it needs to take the filter: before Istio's injector reads it.
///
/// # Errors
/// A value of the pod has a type that no pod can have.
pub fn filter(pod: &Value, filter: &Filter, sidecars: &[String]) -> Result<Rewrite, Malformed> {
    let pod = Subject::read(pod, sidecars)?;
    let mut filtered = Rewrite::default();
    match changes(&pod, filter, sidecars) {
        Ok(changes) => filtered.patch = pod.patch(changes),
        Err((cause, reason)) => {
            let reason = format!("{reason}; the pod is not given the filter");
            filtered.warnings.push(Warning::of_pod(cause, reason));
        }
    }
    Ok(filtered)
}

/// What `restore` leaves: nothing in a pod says what its annotations were merged with.
pub fn left_by_restore(pod: &Value) -> Option<Warning> {
    let label = pod.get("metadata")?.get("labels")?.get(FILTER_LABEL)?.as_str()?;
    let reason = format!(
        "label {FILTER_LABEL}: it stays, as do the annotations for the filter: restore gives back probes alone"
    );
    (!["", NONE].contains(&label)).then(|| Warning::of_pod(Cause::Annotation, reason))
}

fn changes(pod: &Subject<'_>, filter: &Filter, sidecars: &[String]) -> Result<Changes, Reason> {
    if pod.label(FILTER_LABEL) == Some(NONE) {
        return Ok(Changes::default());
    }
    let changes = needed(pod, filter);
    if changes.as_ref().is_ok_and(Changes::is_empty) {
        return changes;
    }
    out_of_reach(&pod.pod).map_or(Ok(()), Err)?;
    will_be_injected(pod, sidecars)?;
    let changes = changes?;
    if !pod.has_room(&changes) {
        return Err((Cause::TooLong, "its annotations would be too long".to_owned()));
    }
    Ok(changes)
}

/// Whether Istio's injector will give the pod a sidecar in which the filter can be.
fn will_be_injected(pod: &Subject<'_>, sidecars: &[String]) -> Result<(), Reason> {
    // As for Istio, the label takes precedence, also an empty one.
    if pod.label_text(INJECT).or(pod.annotation_text(INJECT)) == Some("false") {
        return Err((Cause::NotInjected, format!("{INJECT} is false")));
    }
    let templates = pod.annotation(TEMPLATES).unwrap_or("sidecar");
    if templates.split(',').any(|name| name.trim() != "sidecar") {
        let reason = format!("annotation {TEMPLATES} is {}", quoted(templates));
        return Err((Cause::NotInjected, reason));
    }
    if let Some((sidecar, _)) = pod.pod.sidecar(sidecars)
        && pod.text(&sidecar.pointer().keys(&["image"])) != Some(AUTO)
    {
        let reason = format!("the sidecar {} is there already", sidecar.name);
        return Err((Cause::InjectedBefore, reason));
    }
    Ok(())
}

/// What the pod does not have yet.
fn needed(pod: &Subject<'_>, filter: &Filter) -> Result<Changes, Reason> {
    let mut changes = Changes::default();
    let own = pod.label(FILTER_LABEL);
    let revision = own.unwrap_or(filter.revision.as_str());
    if own.is_none() {
        changes.label(FILTER_LABEL, revision);
    }
    if pod.annotation(STATUS_PORT_ANNOTATION).is_some() {
        let reason = format!("annotation {STATUS_PORT_ANNOTATION} is there");
        return Err((Cause::Annotation, reason));
    }
    let (mesh, own) = (&filter.mesh, pod.annotation(CONFIG));
    let config = proxy_config::merged(own, revision, &mesh.proxy_config, filter.read_yaml);
    let config =
        config.map_err(|problem| (Cause::Annotation, format!("annotation {CONFIG}: {problem}")))?;
    let prefixes = pod.annotation(PREFIXES).and_then(|list| appended(list, &STATISTICS));
    let excluded = pod.annotation_text(EXCLUDED).unwrap_or(&mesh.excluded_inbound_ports);
    let excluded = appended(excluded, &[&STATUS_PORT.to_string()]);
    for (name, text) in [(CONFIG, config), (PREFIXES, prefixes), (EXCLUDED, excluded)] {
        if let Some(text) = text {
            changes.annotation(name, text);
        }
    }
    Ok(changes)
}

/// A list with commas, and at its end those of the items that are not in it; `None` where all are.
fn appended(list: &str, items: &[&str]) -> Option<String> {
    let own = list.split(',').map(str::trim).filter(|it| !it.is_empty());
    let missing: Vec<_> = items.iter().filter(|item| !own.clone().any(|it| it == **item)).collect();
    if missing.is_empty() {
        return None;
    }
    let list = Some(list.trim()).filter(|list| !list.is_empty());
    Some(list.into_iter().chain(missing.into_iter().copied()).collect::<Vec<_>>().join(","))
}
