//! What holds for every pod before Istio's injector reads it.

use std::collections::BTreeSet;
use std::sync::Arc;

use app_health_webhook::injection::{Filter, filter};
use app_health_webhook::rewrite::Rewrite;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::patched;
use super::pods::pod;

const CONFIG: &str = "proxy.istio.io/config";

/// Of the members that are merged with, in either spelling, and of others: what they may hold.
fn config() -> impl Strategy<Value = Value> {
    let names = select(vec![
        ["statusPort", "status_port"],
        ["runtimeValues", "runtime_values"],
        ["extraStatTags", "extra_stat_tags"],
        ["proxyStatsMatcher", "proxy_stats_matcher"],
        ["proxyMetadata", "proxy_metadata"],
        ["concurrency", "concurrency"],
    ]);
    let texts = || vec(select(vec!["a", "by", "probe", "http.app_health."]), 0..3);
    let values = prop_oneof![
        select(vec![json!(null), json!(15019), json!("15019"), json!(7), json!({}), json!("x")]),
        texts().prop_map(|texts| json!(texts)),
        texts().prop_map(|texts| json!({"inclusionPrefixes": texts, "a": "b"})),
        texts().prop_map(|texts| json!({"inclusion_prefixes": texts})),
    ];
    // One spelling of each, as Istio takes no config with both.
    let members = btree_map(names, (any::<bool>(), values), 0..5);
    members.prop_map(|members| {
        let mut config = Map::new();
        for ([camel, snake], (is_camel, value)) in members {
            config.insert((if is_camel { camel } else { snake }).to_owned(), value);
        }
        Value::Object(config)
    })
}

fn filtered(pod: &Value) -> (Value, Rewrite) {
    let read_yaml = |text: &str| serde_json::from_str(text).map_err(|error| error.to_string());
    let by =
        Filter { revision: "true".parse().expect("a revision"), mesh: Arc::default(), read_yaml };
    let edited = filter(pod, &by, &[]).expect("a pod");
    (patched(pod, &edited), edited)
}

/// Whether all of `before` is in `after`: null may have become anything, and lists longer.
fn is_kept(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Null, _) => true,
        (Value::Object(before), Value::Object(after)) => before
            .iter()
            .all(|(name, value)| after.get(name).is_some_and(|after| is_kept(value, after))),
        (Value::Array(before), Value::Array(after)) => after.starts_with(before),
        _ => before == after,
    }
}

proptest! {
    #[test]
    fn a_config_is_kept_and_a_second_pass_changes_nothing(mut pod in pod(), config in config()) {
        pod["metadata"]["annotations"][CONFIG] = config.to_string().into();
        let (after, edited) = filtered(&pod);
        prop_assert_eq!(edited.patch.is_empty(), !edited.warnings.is_empty());
        let text = after["metadata"]["annotations"][CONFIG].as_str().expect("text");
        let merged: Value = serde_json::from_str(text).expect("JSON");
        prop_assert!(is_kept(&config, &merged), "{} {}", config, merged);
        let spelling = |name: &str| name.replace('_', "").to_lowercase();
        let names = merged.as_object().expect("an object").keys();
        let all: BTreeSet<_> = names.clone().map(|name| spelling(name)).collect();
        prop_assert_eq!(names.len(), all.len(), "two spellings: {}", merged);
        prop_assert_eq!(&after["spec"], &pod["spec"]);
        let (_, again) = filtered(&after);
        prop_assert_eq!(again.patch, vec![]);
        prop_assert_eq!(again.warnings, edited.warnings);
    }
}
