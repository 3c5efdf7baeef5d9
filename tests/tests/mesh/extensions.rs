use std::collections::BTreeSet;

use app_health_tests::mesh::{EnvoyFilter, PodComponent};
use serde_json::Value;

use super::istio::variant;

/// What Istio's own Envoy has. It is built with fewer than the upstream one, which the other tests run.
const BUILT_IN: &str = include_str!("../../istio-proxy-extensions.txt");

/// Types of Envoy's core, which is in every build.
const CORE: [&str; 3] = ["upstreams.http", "upstreams.tcp", "filters.http.upstream_codec"];

/// Types whose extension has another name than the package of the type.
const RENAMED: [(&str, &str); 1] =
    [("access_loggers.filters.cel", "access_loggers.extension_filters.cel")];

/// The extension that takes a configuration of this type, if it takes one.
fn extension(of_type: &str) -> Option<String> {
    let name = of_type.strip_prefix("type.googleapis.com/")?;
    if name.starts_with("google.protobuf.") {
        return None;
    }
    // envoy.extensions.filters.http.wasm.v3.Wasm: without the version and the message.
    let package =
        name.strip_prefix("envoy.extensions.").and_then(|name| name.rsplitn(3, '.').nth(2));
    let package = package.unwrap_or_else(|| panic!("what has the type {of_type}?"));
    if CORE.contains(&package) {
        return None;
    }
    let renamed = RENAMED.iter().find(|(from, _)| *from == package).map_or(package, |(_, to)| to);
    Some(format!("envoy.{renamed}"))
}

/// Adds the extensions that are named in it, however deep.
fn collect(value: &Value, used: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, used)),
        Value::Object(members) => {
            for (key, value) in members {
                match (&key[..], value) {
                    ("@type", Value::String(name)) => used.extend(extension(name)),
                    ("runtime", Value::String(name)) => used.extend([name.clone()]),
                    _ => collect(value, used),
                }
            }
        }
        _ => {}
    }
}

/// Also those that a cluster means by a word of its own.
fn of_cluster(cluster: &Value, used: &mut BTreeSet<String>) {
    let word = |key: &str, default: &str| cluster[key].as_str().unwrap_or(default).to_lowercase();
    used.insert(format!("envoy.clusters.{}", word("type", "STATIC")));
    used.insert(format!("envoy.load_balancing_policies.{}", word("lb_policy", "ROUND_ROBIN")));
    collect(cluster, used);
}

fn missing(filter: &EnvoyFilter) -> Vec<String> {
    let built_in: BTreeSet<&str> = BUILT_IN.lines().filter(|line| !line.starts_with('#')).collect();
    let mut used = BTreeSet::new();
    let kinds = ["LISTENER", "EXTENSION_CONFIG"].into_iter();
    kinds.flat_map(|kind| filter.values(kind)).for_each(|value| collect(&value, &mut used));
    filter.values("CLUSTER").iter().for_each(|cluster| of_cluster(cluster, &mut used));
    assert!(used.contains("envoy.filters.http.wasm"), "{used:?}");
    used.into_iter().filter(|name| !built_in.contains(&name[..])).collect()
}

#[test]
fn only_those_that_istios_own_envoy_has_are_used() {
    for filter in [EnvoyFilter::shipped(), variant("ipv4-only"), variant("volume")] {
        assert_eq!(missing(&filter), [""; 0]);
    }
    let annotations = PodComponent::shipped().template["metadata"]["annotations"].to_string();
    assert!(!annotations.contains("@type"), "what it names is to be looked for, too");
}
