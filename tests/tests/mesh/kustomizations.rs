//! The kustomizations that the texts show for the EnvoyFilter, built.

use std::fs;

use app_health_tests::kustomize::{PATH, build_text};
use app_health_tests::mesh::{EnvoyFilter, PodComponent};
use app_health_tests::program::root;
use serde_json::{Value, json};

const CONFIG: &str = "proxy.istio.io/config";

/// The one block of a text that begins and ends so.
fn block(file: &str, begin: &str, end: &str) -> String {
    let text = fs::read_to_string(root().join(file)).expect("a text").replace("\n   ", "\n");
    let blocks: Vec<_> = text.split(begin).skip(1).collect();
    let [block] = blocks[..] else { panic!("{file}: {} blocks {begin}", blocks.len()) };
    block.split(end).next().unwrap_or_default().to_owned()
}

/// That of the installation, with this sum, and what a second filter adds to it.
fn shown(sum: &str) -> [String; 2] {
    let install = block("envoy-config/istio/README.md", "```yaml\n", "```");
    assert_eq!(install.matches("SHA256").count(), 1, "the sum is named once: {install}");
    [install.replace("SHA256", sum), block("docs/upgrade.md", "```yaml\n", "```")]
}

/// The one manifest of a kustomization: what it takes its values from is not applied.
fn built(kustomization: &str) -> EnvoyFilter {
    let [filter] = build_text(kustomization).try_into().expect("one manifest");
    EnvoyFilter(filter)
}

/// The folder as it ships, with another text in each of these places.
fn shipped_with(replaced: &[(&str, Value)]) -> Value {
    let mut filter = built(&format!("resources: [{PATH}/envoy-config/istio]")).0;
    for (pointer, value) in replaced {
        *filter.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value.clone();
    }
    filter["metadata"]["namespace"] = json!("istio-system");
    filter
}

#[test]
fn the_sum_is_named_once_and_stands_in_both_places() {
    const REMOTE: &str =
        "/spec/configPatches/1/patch/value/typed_config/config/vm_config/code/remote";
    // Some sums look like numbers.
    for sum in ["5e".repeat(32), "17".repeat(32)] {
        let [install, _] = shown(&sum);
        let uri = format!("http://app-health-webhook.app-health.svc/{sum}.wasm");
        let expected = shipped_with(&[
            (&format!("{REMOTE}/http_uri/uri"), json!(uri)),
            (&format!("{REMOTE}/sha256"), json!(sum)),
        ]);
        assert_eq!(built(&install).0, expected, "and that is all");
        let first =
            block("docs/install.md", "cat > deploy/filter/kustomization.yaml <<END\n", "END");
        let first = first.replace("$sum", &sum).replace("../..", PATH);
        assert_eq!(built(&first).0, expected, "the first steps come to the same");
    }
}

/// Beside the first: no pod is sent both.
#[test]
fn a_second_filter_is_for_other_pods() {
    let [install, second] = shown(&"5e".repeat(32));
    let first = built(&install);
    let canary = built(&format!("{install}{second}"));
    assert_eq!(canary.0["metadata"]["name"], "app-health-canary");
    let values = |filter: &EnvoyFilter| -> Vec<Value> {
        filter.patches().iter().map(|patch| patch["patch"].clone()).collect()
    };
    assert_eq!(values(&canary), values(&first), "the same, for others");

    let pod = PodComponent::shipped();
    let mut other = PodComponent::shipped();
    let config = other.annotation(CONFIG).replace(r#"FILTER": "true""#, r#"FILTER": "canary""#);
    other.template["metadata"]["annotations"][CONFIG] = json!(config);
    other.template["metadata"]["labels"]["app-health/filter"] = json!("canary");
    for (filter, takes, not) in [(&first, &pod, &other), (&canary, &other, &pod)] {
        assert_eq!(filter.sent_to(takes).patches(), filter.patches());
        assert!(filter.sent_to(not).patches().is_empty());
    }
}

/// For the nodes without IPv6, where only some lack it.
#[test]
fn a_second_filter_may_be_a_variant() {
    let [install, second] = shown(&"5e".repeat(32));
    let sum = format!("{PATH}/envoy-config/istio/sha256");
    let both = install.replace(&sum, &format!("{sum}, {PATH}/envoy-config/istio/ipv4-only"));
    let listener = built(&format!("{both}{second}")).values("LISTENER").remove(0);
    assert_eq!(listener["address"]["socket_address"]["address"], "0.0.0.0");
}
