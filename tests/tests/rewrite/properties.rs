//! What holds for every pod.

use app_health_webhook::path::{ProbeKind, ProbePath};
use app_health_webhook::probers::VARIABLE;
use app_health_webhook::rewrite::{
    AGENT_CONTAINER, AgentOptions, Cause, EXCLUDE_ANNOTATION, Options, RESTORE_ANNOTATION,
    STATUS_ANNOTATION, restore, rewrite,
};
use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::{Map, Value, json};

use super::pods::{pod, pod_with_variable, spoilt_pod};
use super::{patched, restored, rewritten, without_empties};

proptest! {
    #[test]
    fn rewriting_twice_changes_nothing(pod in prop_oneof![pod(), pod_with_variable()]) {
        let (once, _) = rewritten(&pod, &Options::default()).unwrap();
        let (_, again) = rewritten(&once, &Options::default()).unwrap();
        prop_assert_eq!(again.patch, vec![]);
    }

    #[test]
    fn restoring_takes_the_rewrite_back(pod in pod()) {
        let (there, _) = rewritten(&pod, &Options::default()).unwrap();
        let (back, _) = restored(&there, &Options::default()).unwrap();
        prop_assert_eq!(without_empties(back), without_empties(pod));
    }

    /// The agent is there once, where a TCP check is recorded, and restoring takes it out.
    #[test]
    fn the_agent_comes_and_goes(pod in pod(), ends: bool, native: bool) {
        let options = with_agent();
        let pod = with_policies(pod, ends, native);
        let (there, _) = rewritten(&pod, &options).unwrap();
        let (_, again) = rewritten(&there, &options).unwrap();
        prop_assert_eq!(again.patch, vec![]);
        let needed = variable(&there).is_some_and(|it| it.to_string().contains("tcpSocket"));
        let agents = containers(&there).filter(|it| it["name"] == AGENT_CONTAINER).count();
        prop_assert_eq!(agents, usize::from(needed));
        let (back, _) = restored(&there, &options).unwrap();
        prop_assert_eq!(without_empties(back), without_empties(pod));
    }

    #[test]
    fn the_variable_says_what_the_probes_were(pod in pod()) {
        let (there, _) = rewritten(&pod, &Options::default()).unwrap();
        prop_assert_eq!(variable(&there), expected_variable(&pod, &there));
    }

    #[test]
    fn what_no_rewrite_needs_is_not_touched(pod in pod()) {
        let (there, _) = rewritten(&pod, &Options::default()).unwrap();
        prop_assert_eq!(without_what_a_rewrite_writes(&there), without_what_a_rewrite_writes(&pod));
    }

    /// The mark counts what the variable holds, whoever rewrote it, and names what stayed.
    #[test]
    fn the_mark_says_what_was_rewritten_and_what_stayed(pod in pod()) {
        let (mut there, rewrite) = rewritten(&pod, &Options::default()).unwrap();
        let recorded = variable(&there).map_or(0, |it| it.as_object().unwrap().len());
        let of_probes = rewrite.warnings.iter().filter_map(|w| Some((w.probe.as_ref()?, w.cause)));
        let stayed: Map<_, _> =
            of_probes.map(|(probe, cause)| (probe.to_string(), cause.label().into())).collect();
        let mut expected = json!({"version": 1, "rewritten": recorded});
        if !stayed.is_empty() {
            expected["stayed"] = stayed.clone().into();
        }
        let nothing = recorded == 0 && stayed.is_empty();
        let expected = (!nothing).then_some(expected);
        prop_assert_eq!(&mark(&there), &expected);
        // By Istio's rewrite there would be none.
        if let Some(annotations) = there["metadata"]["annotations"].as_object_mut() {
            annotations.remove(STATUS_ANNOTATION);
        }
        let (again, _) = rewritten(&there, &Options::default()).unwrap();
        prop_assert_eq!(mark(&again), expected);
    }

    /// A member that the variable cannot say, and a hook that the kubelet fails, stay.
    #[test]
    fn what_would_be_lost_stays(pod in pod()) {
        let (there, _) = rewritten(&pod, &Options::default()).unwrap();
        for (before, after) in containers(&pod).zip(containers(&there)) {
            for ((kind, before), (_, after)) in probes(before).zip(probes(after)) {
                let (_, handler) = network_handler(before).unwrap_or(("", &Value::Null));
                let headers = handler["httpHeaders"].as_array().into_iter().flatten();
                let unknown = headers.chain([handler]).any(|it| !it["future"].is_null());
                let words = [&handler["protocol"], &handler["mode"]];
                let unknown = unknown || words.iter().any(|it| **it == "HTTP3" || **it == "mTLS");
                let tls = handler["scheme"].as_str().is_some_and(|it| it.eq_ignore_ascii_case("https"));
                let never = tls && handler["protocol"] == "HTTP2";
                if unknown || never || kind.is_hook() && before["tcpSocket"].is_object() {
                    prop_assert_eq!(before, after);
                } else if before != after {
                    prop_assert_eq!(&after["httpGet"]["protocol"], &Value::Null);
                }
            }
        }
    }

    /// Excluded containers stay as they were, and the others become what they become without. Who
    /// excludes one is told no more of it than that an original is lost.
    #[test]
    fn an_exclusion_is_of_its_containers_alone(
        mut pod in pod(),
        excluded in subsequence(vec!["app", "a-b", "a", "web.1", "istio-proxy", "other"], 0..=4),
    ) {
        pod["metadata"]["annotations"][EXCLUDE_ANNOTATION] = excluded.join(",").into();
        let (with, change) = rewritten(&pod, &Options::default()).unwrap();
        pod["metadata"]["annotations"][EXCLUDE_ANNOTATION] = Value::Null;
        let (without, _) = rewritten(&pod, &Options::default()).unwrap();
        let is_excluded = |name: &str| excluded.contains(&name);
        let all = containers(&pod).zip(containers(&with)).zip(containers(&without));
        for ((before, with), without) in all.filter(|((it, _), _)| it["name"] != "istio-proxy") {
            let stays = is_excluded(before["name"].as_str().unwrap());
            prop_assert_eq!(with, if stays { before } else { without });
        }
        for warning in change.warnings.iter().filter(|it| it.is_told()) {
            let is_of_one = warning.probe.as_ref().is_some_and(|it| is_excluded(&it.container));
            prop_assert!(!is_of_one || warning.cause == Cause::OriginalLost, "{}", warning);
        }
    }

    /// Where anything is written at all, the variable is there once, and all else stays.
    #[test]
    fn there_is_one_variable_afterwards(pod in pod_with_variable()) {
        for transform in [rewritten, restored] {
            let (there, change) = transform(&pod, &Options::default()).unwrap();
            let (variables, others) = sidecars_env(&there);
            prop_assert_eq!(others, sidecars_env(&pod).1);
            prop_assert!(change.patch.is_empty() || variables <= 1, "{} variables", variables);
            prop_assert!(change.patch.len() < 100, "{} steps", change.patch.len());
        }
    }

    /// A probe is rewritten, or its user is told, or there is nothing to do.
    #[test]
    fn no_probe_is_lost_silently(pod in prop_oneof![pod(), pod_with_variable()]) {
        let (there, rewrite) = rewritten(&pod, &Options::default()).unwrap();
        for report in &rewrite.probes {
            let told = |w: &&app_health_webhook::rewrite::Warning| {
                w.probe.as_ref().is_none_or(|probe| *probe == report.probe)
            };
            match &report.to {
                Ok(to) => prop_assert!(is_recorded(&there, to.split_once('/').unwrap().1), "{}", to),
                Err(reason) => {
                    let rightly = ["asks no port", "rewriting is off", "it is rewritten already"];
                    let told = rewrite.warnings.iter().any(|w| told(&w));
                    prop_assert!(told || rightly.iter().any(|r| reason.ends_with(r)), "{}", reason);
                }
            }
        }
    }

    #[test]
    fn the_patch_is_a_json_patch(pod in prop_oneof![pod(), pod_with_variable()]) {
        let rewrite = rewrite(&pod, &Options::default()).unwrap();
        let by_library = patched(&pod, &rewrite);
        prop_assert_eq!(&patched_by_json_patch(&pod, &rewrite.patch), &by_library);
        let restore = restore(&by_library, &Options::default()).unwrap();
        let back = patched(&by_library, &restore);
        prop_assert_eq!(patched_by_json_patch(&by_library, &restore.patch), back);
    }

    /// What it was, even where it is not valid: nothing is lost.
    #[test]
    fn a_spoilt_pod_is_refused_or_given_back(pod in spoilt_pod()) {
        if let Ok((there, change)) = rewritten(&pod, &with_agent()) {
            let back = restored(&there, &with_agent()).unwrap().0;
            if !change.patch.is_empty() {
                prop_assert_eq!(without_empties(back), without_empties(pod));
            }
        }
    }

    /// Neither may panic; what they make of it fits the pod, and is stable.
    #[test]
    fn a_spoilt_pod_is_refused_or_rewritten(pod in spoilt_pod()) {
        for transform in [rewritten, restored] {
            match transform(&pod, &with_agent()) {
                Ok((once, _)) => {
                    let (_, again) = transform(&once, &with_agent()).unwrap();
                    prop_assert_eq!(again.patch, vec![]);
                }
                Err(malformed) => {
                    let holder = malformed.at.as_str();
                    prop_assert!(pod.pointer(holder).is_some(), "{}", malformed);
                }
            }
        }
    }
}

fn with_agent() -> Options {
    let pull_secret = Some("key".to_owned());
    let agent = AgentOptions { pull_secret, ..AgentOptions::new("agent") };
    Options { agent: Some(agent), ..Options::default() }
}

fn patched_by_json_patch(pod: &Value, patch: &[app_health_webhook::patch::Operation]) -> Value {
    let text = serde_json::to_string(patch).unwrap();
    let patch: json_patch::Patch = serde_json::from_str(&text).unwrap();
    let mut patched = pod.clone();
    json_patch::patch(&mut patched, &patch).unwrap();
    patched
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["initContainers", "containers"];
    lists.into_iter().flat_map(|list| pod["spec"][list].as_array().unwrap())
}

fn with_policies(mut pod: Value, ends: bool, native: bool) -> Value {
    if ends {
        pod["spec"]["restartPolicy"] = json!("OnFailure");
    }
    for container in pod["spec"]["initContainers"].as_array_mut().unwrap() {
        if native && container["name"] == "istio-proxy" {
            container["restartPolicy"] = json!("Always");
        }
    }
    pod
}

fn variable(pod: &Value) -> Option<Value> {
    let sidecar = containers(pod).find(|container| container["name"] == "istio-proxy")?;
    let env = sidecar.get("env")?.as_array()?;
    let mut variables = env.iter().filter(|item| item["name"] == VARIABLE);
    let value = variables.next_back()?["value"].as_str().unwrap();
    Some(serde_json::from_str(value).unwrap())
}

fn mark(pod: &Value) -> Option<Value> {
    let text = pod["metadata"]["annotations"][STATUS_ANNOTATION].as_str()?;
    Some(serde_json::from_str(text).unwrap())
}

/// How many variables the sidecar has, and what else is in its environment.
fn sidecars_env(pod: &Value) -> (usize, Vec<Value>) {
    let sidecar = containers(pod).find(|container| container["name"] == "istio-proxy");
    let env = sidecar.and_then(|sidecar| sidecar["env"].as_array()).cloned().unwrap_or_default();
    let (variables, others): (Vec<_>, _) = env.into_iter().partition(|it| it["name"] == VARIABLE);
    (variables.len(), others)
}

fn network_handler(probe: &Value) -> Option<(&'static str, &Value)> {
    let names = ["httpGet", "tcpSocket", "grpc"].into_iter();
    names.map(|name| (name, &probe[name])).find(|(_, handler)| handler.is_object())
}

fn is_recorded(pod: &Value, path: &str) -> bool {
    variable(pod).is_some_and(|variable| variable.get(format!("/{path}")).is_some())
}

fn probes(container: &Value) -> impl Iterator<Item = (ProbeKind, &Value)> {
    ProbeKind::ALL.into_iter().filter_map(move |kind| {
        let holder = if kind.is_hook() { container.get("lifecycle")? } else { container };
        Some((kind, holder.get(kind.field())?))
    })
}

/// What the variable has to say, worked out from the pod before and after, as Istio would say it.
fn expected_variable(pod: &Value, there: &Value) -> Option<Value> {
    let mut entries = Map::new();
    for (before, after) in containers(pod).zip(containers(there)) {
        let name = before["name"].as_str().unwrap();
        for ((kind, before_probe), (_, after_probe)) in probes(before).zip(probes(after)) {
            let path = ProbePath::new(name, kind).unwrap().to_string();
            let is_rewritten = |probe: &Value| probe["httpGet"]["path"] == json!(path);
            if is_rewritten(after_probe) && !is_rewritten(before_probe) {
                entries.insert(path, expected_entry(before, before_probe, kind));
            }
        }
    }
    (!entries.is_empty()).then_some(Value::Object(entries))
}

fn expected_entry(container: &Value, probe: &Value, kind: ProbeKind) -> Value {
    let (name, handler) = network_handler(probe).unwrap();
    let mut expected = json!({"port": expected_port(container, &handler["port"])});
    if let Some(path) = handler["path"].as_str().filter(|path| !path.is_empty()) {
        expected["path"] = json!(path);
    }
    if let Some(scheme) = handler["scheme"].as_str().filter(|scheme| !scheme.is_empty()) {
        expected["scheme"] = json!(scheme.to_uppercase());
    }
    let headers = handler["httpHeaders"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !headers.is_empty() {
        let text = |header: &Value, key: &str| header[key].as_str().unwrap_or_default().to_owned();
        let header = |h| json!({"name": text(h, "name"), "value": text(h, "value")});
        expected["httpHeaders"] = headers.iter().map(header).collect();
    }
    for word in ["protocol", "mode"] {
        if handler[word].as_str().is_some_and(|text| !text.is_empty()) {
            expected[word] = handler[word].clone();
        }
    }
    if name == "grpc" {
        expected["service"] = handler["service"].clone();
    }
    let mut entry = json!({name: expected});
    let timeout = &probe["timeoutSeconds"];
    if !kind.is_hook() && timeout.as_u64().is_some_and(|seconds| seconds > 0) {
        entry["timeoutSeconds"] = timeout.clone();
    }
    entry
}

fn expected_port(container: &Value, port: &Value) -> Value {
    if port.is_number() {
        return port.clone();
    }
    let ports = container["ports"].as_array().unwrap();
    ports.iter().find(|p| p["name"] == *port).unwrap()["containerPort"].clone()
}

/// The pod without handlers' paths, ports, schemes and protocols, the sidecar's env and our annotations.
fn without_what_a_rewrite_writes(pod: &Value) -> Value {
    let mut pod = pod.clone();
    for list in ["initContainers", "containers"] {
        for container in pod["spec"][list].as_array_mut().unwrap() {
            if container["name"] == "istio-proxy" {
                container.as_object_mut().unwrap().remove("env");
            }
            for kind in ProbeKind::ALL {
                let holder =
                    if kind.is_hook() { &mut container["lifecycle"] } else { &mut *container };
                if let Some(probe) = holder.get_mut(kind.field()).and_then(Value::as_object_mut) {
                    strip_probe(probe);
                }
            }
        }
    }
    if let Some(metadata) = pod["metadata"].as_object_mut() {
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(RESTORE_ANNOTATION);
            annotations.remove(STATUS_ANNOTATION);
        }
        if matches!(metadata.get("annotations"), Some(a) if a.is_null() || *a == json!({})) {
            metadata.remove("annotations");
        }
    }
    if pod["metadata"] == json!({}) {
        pod["metadata"] = Value::Null;
    }
    pod
}

fn strip_probe(probe: &mut Map<String, Value>) {
    probe.remove("tcpSocket");
    probe.remove("grpc");
    if let Some(Value::Object(http)) = probe.get_mut("httpGet") {
        for key in ["path", "port", "scheme", "protocol"] {
            http.remove(key);
        }
    }
    if matches!(probe.get("httpGet"), Some(http) if http.is_null() || *http == json!({})) {
        probe.remove("httpGet");
    }
}
