//! The kustomizations that the texts show for the EnvoyFilter, built as they stand.

use std::fs;

use app_health_tests::kustomize::{PATH, build_second, build_text};
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

/// That of the first steps, with this sum.
fn first(sum: &str) -> String {
    let begin = "cat > deploy/filter/kustomization.yaml <<END\n";
    let first = block("docs/install.md", begin, "END");
    first.replace("$sum", sum).replace("../..", PATH)
}

const SECOND: &str = "docs/second-filter.md";

/// What the second one makes beside that.
fn second(first: &str, kustomization: &str) -> EnvoyFilter {
    let [filter] = build_second(first, kustomization).try_into().expect("one manifest");
    EnvoyFilter(filter)
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
        let install = block("envoy-config/istio/README.md", "```yaml\n", "```");
        assert_eq!(install.matches("SHA256").count(), 1, "the sum is named once: {install}");
        let install = install.replace("SHA256", &sum);
        let uri = format!("http://app-health-webhook.app-health.svc/{sum}.wasm");
        let expected = shipped_with(&[
            (&format!("{REMOTE}/http_uri/uri"), json!(uri)),
            (&format!("{REMOTE}/sha256"), json!(sum)),
        ]);
        assert_eq!(built(&install).0, expected, "and that is all");
        assert_eq!(built(&first(&sum)).0, expected, "the first steps come to the same");
    }
}

/// Beside the first: no pod is sent both.
#[test]
fn a_second_filter_is_for_other_pods() {
    // With a patch of the user's own, which holds for the second, too.
    let uri =
        "/spec/configPatches/1/patch/value/typed_config/config/vm_config/code/remote/http_uri/uri";
    let own = json!([{"op": "replace", "path": uri, "value": "http://files.example/a.wasm"}]);
    let patches = json!([{"target": {"kind": "EnvoyFilter"}, "patch": own.to_string()}]);
    let install = format!("{}patches: {patches}\n", first(&"5e".repeat(32)));
    let first = built(&install);
    assert_eq!(first.0.pointer(uri), Some(&json!("http://files.example/a.wasm")));
    let canary = second(&install, &block(SECOND, "```yaml\n", "```"));
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
    let component = "components: [../../envoy-config/istio/ipv4-only]";
    assert!(fs::read_to_string(root().join(SECOND)).expect("a text").contains(component));
    let kustomization = format!("{}{component}\n", block(SECOND, "```yaml\n", "```"));
    let variant = second(&first(&"5e".repeat(32)), &kustomization.replace("../..", PATH));
    let listener = variant.values("LISTENER").remove(0);
    assert_eq!(listener["address"]["socket_address"]["address"], "0.0.0.0");
    assert_eq!(variant.0["metadata"]["name"], "app-health-canary");
}
