//! The filter's metrics where Istio's bootstrap decides which of Envoy's stats there are, and what of
//! their names becomes a label.

use app_health_tests::app::{Http, Script, V4};
use app_health_tests::entries::{Entries, http, probe};
use app_health_tests::envoy::Setup;
use app_health_tests::mesh::PodComponent;
use serde_json::Value;

use super::metrics::{NAMES, assert_samples, samples};

const ISTIO: &str = include_str!("../../istio-stats-config.yaml");

/// Names that look like what Istio's own rules take. With dots, as only a hand-written variable has
/// them, they get a label more.
const LOOK_ALIKES: [(&str, &str); 7] = [
    ("cache", ""),
    ("tag", ""),
    ("result", ""),
    ("my-rbac-denied", ""),
    ("a.cache.b.c", ",cache=\"b\""),
    ("a.component.b.c", ",component=\"b\""),
    ("a.tag.b", ",tag=\"b\""),
];

/// The shipped bootstrap with Istio's stats, as the pod's annotation completes them.
fn with_istios_stats(shipped: &str) -> String {
    let template = PodComponent::shipped().template;
    let config = &template["metadata"]["annotations"]["proxy.istio.io/config"];
    let config: Value = serde_json::from_str(config.as_str().expect("a text")).expect("JSON");
    let mut stats = filled_in(ISTIO, "{{extraStatTags}}", &config["extraStatTags"]);
    let prefixes = &config["proxyStatsMatcher"]["inclusionPrefixes"];
    stats = filled_in(&stats, "{{inclusionPrefixes}}", prefixes);
    let (before, ours) = shipped.split_once("stats_config:\n").expect("our own stats");
    let (_, after) = ours.split_once("\n\n").expect("their end");
    // This bootstrap has nobody in the filter's place: a page of the admin stands for it.
    [before, &stats, after].join("\n").replace("admin_pages", "app_health_pilot_agent_probes")
}

/// The line that has this name, once for each of the values.
fn filled_in(text: &str, name: &str, values: &Value) -> String {
    let values = values.as_array().expect("a list").iter().map(|it| it.as_str().expect("a text"));
    let values: Vec<_> = values.collect();
    let line = |line: &str| match line.contains(name) {
        true => values.iter().map(|value| line.replace(name, value)).collect(),
        false => vec![line.to_owned()],
    };
    text.lines().flat_map(line).map(|line| line + "\n").collect()
}

#[test]
fn labels_are_whole_behind_istios_rules() {
    let app = Http::start(V4, |_| Script::status(204));
    let names = LOOK_ALIKES.into_iter().chain(NAMES.map(|name| (name, "")));
    let names: Vec<_> = names.collect();
    let entries = names
        .iter()
        .fold(Entries::default(), |entries, (name, _)| entries.probe(name, http(app.addr(), "/")));
    let envoy = Setup::default().probers(entries.patient()).edited(with_istios_stats).start();
    for (name, _) in &names {
        envoy.get(probe(name)).send().expect("an answer");
    }
    let expected = |metric: &str, more: &str| {
        let line = |(name, other): &(&str, &str)| {
            let mut labels = format!("app_container=\"{name}\",probe=\"readiness\"{more}{other}");
            labels.push_str("} 1");
            format!("{metric}{{{labels}")
        };
        let mut lines: Vec<_> = names.iter().map(line).collect();
        lines.sort();
        lines
    };
    assert_samples(&envoy, "app_health_probe_up", &expected("app_health_probe_up", ""));
    let totals = expected("app_health_probe_total", ",result=\"ok\"");
    assert_samples(&envoy, "app_health_probe_total", &totals);
    // Istio's rules hold, and what the pod asks for besides is there.
    assert!(samples(&envoy, "envoy_cluster_upstream_rq_total").is_empty());
    assert_ne!(envoy.stat("http.app_health.downstream_rq_completed"), 0);
    let by_pilot_agent = "envoy_cluster_app_health_pilot_agent_probes_upstream_rq_total";
    assert_eq!(samples(&envoy, by_pilot_agent).len(), 1);
}
