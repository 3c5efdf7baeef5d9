//! The rewrite of a pod, of one that may be anything. It is stable, can be undone, and changes no more than it says.

use app_health_webhook::patch::Operation;
use app_health_webhook::rewrite::{AgentOptions, Options, Rewrite, restore, rewrite};
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use crate::pods;
use crate::transform::{patched, without_empties};
use crate::{input, seeds};

/// The first byte chooses the options, and whether a generator of the tests makes a pod of the others, or they are
/// JSON.
pub fn target(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else { return };
    let pod = match choice >> 6 {
        0 | 1 => serde_json::from_slice(data).ok(),
        2 => input::of(&pods::pod(), data),
        _ if choice & 2 == 0 => input::of(&pods::pod_with_variable(), data),
        _ => input::of(&pods::spoilt_pod(), data),
    };
    let agent = (choice & 1 == 1).then(|| AgentOptions::new("agent"));
    if let Some(pod) = pod {
        check(&pod, &Options { agent, ..Options::default() });
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let pods = seeds::all_pods();
    let texts = pods.iter().map(|pod| pod.to_string().into_bytes());
    texts.enumerate().map(|(n, text)| [vec![n as u8 & 1], text].concat()).collect()
}

fn check(pod: &Value, options: &Options) {
    for transform in [rewrite, restore] {
        match transform(pod, options) {
            Err(malformed) => {
                assert!(pod.pointer(malformed.at.as_str()).is_some(), "{malformed}");
            }
            Ok(change) => {
                let there = patched(pod, &change);
                match transform(&there, options) {
                    Ok(again) => assert_eq!(again.patch, [], "a second time: {there}"),
                    // The port that a restored probe names was read by nobody before.
                    Err(malformed) => {
                        assert!(malformed.at.as_str().contains("/ports"), "{malformed}: {there}")
                    }
                }
                assert_eq!(by_library(pod, &change.patch), there);
                assert!(!is_of_the_api(pod) || is_of_the_api(&there), "no pod: {there}");
                is_no_larger_than_its_change(pod, &there, &change);
            }
        }
    }
    if let Ok(change) = rewrite(pod, options)
        && !is_rewritten(pod)
    {
        let there = patched(pod, &change);
        let back = patched(&there, &restore(&there, options).expect("it was fine before"));
        assert_eq!(without_empties(back), without_empties(pod.clone()), "through {there}");
    }
}

/// Whether it has something that `restore` takes for ours.
fn is_rewritten(pod: &Value) -> bool {
    let text = pod.to_string();
    ["ISTIO_KUBE_APP_PROBERS", "app-health/status", "app-health/restore", "app-health-agent"]
        .iter()
        .any(|it| text.contains(it))
}

fn is_of_the_api(pod: &Value) -> bool {
    serde_json::from_value::<Pod>(pod.clone()).is_ok()
}

fn by_library(pod: &Value, patch: &[Operation]) -> Value {
    let patch = serde_json::to_value(patch).expect("JSON");
    let patch: json_patch::Patch = serde_json::from_value(patch).expect("a JSON Patch");
    let mut patched = pod.clone();
    json_patch::patch(&mut patched, &patch).expect("it fits");
    patched
}

/// Room for a step: its operation and its path.
const STEP: usize = 200;

fn is_no_larger_than_its_change(pod: &Value, there: &Value, change: &Rewrite) {
    let size = serde_json::to_string(&change.patch).expect("JSON").len();
    let changed = difference(pod, there);
    assert!(size <= 2 + 2 * changed, "{size} bytes for {changed}: {:?}", change.patch);
}

/// The length of what is new, with room for a step wherever there is something.
fn difference(before: &Value, after: &Value) -> usize {
    match (before, after) {
        _ if before == after => 0,
        (Value::Object(old), Value::Object(new)) => {
            let gone = old.keys().filter(|key| !new.contains_key(*key)).count() * STEP;
            let of = |(key, value)| {
                old.get(key).map_or_else(|| STEP + length(value), |old| difference(old, value))
            };
            gone + new.iter().map(of).sum::<usize>()
        }
        (Value::Array(old), Value::Array(new)) => {
            let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
            let (old, new) = (&old[same..], &new[same..]);
            let same =
                old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
            let (old, new) = (&old[..old.len() - same], &new[..new.len() - same]);
            let more = new.iter().skip(old.len()).map(|it| STEP + length(it)).sum::<usize>();
            let fewer = old.len().saturating_sub(new.len()) * STEP;
            more + fewer + old.iter().zip(new).map(|(old, new)| difference(old, new)).sum::<usize>()
        }
        _ => STEP + length(after),
    }
}

fn length(value: &Value) -> usize {
    value.to_string().len()
}
