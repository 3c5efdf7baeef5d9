//! Pods before Istio's injector reads them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::patch::{Pointer, apply};
use crate::rewrite::{Cause, Malformed, Rewrite};

const CONFIG: &str = "proxy.istio.io/config";
const EXCLUDED: &str = "traffic.sidecar.istio.io/excludeInboundPorts";

fn by(revision: &str) -> Filter {
    let read_yaml = |text: &str| serde_json::from_str(text).map_err(|error| error.to_string());
    Filter { revision: revision.parse().expect("a revision"), mesh: Arc::default(), read_yaml }
}

fn filtered(pod: &Value) -> Result<Rewrite, Malformed> {
    filter(pod, &by("true"), &["istio-proxy".to_owned()])
}

/// The pod with the patch, and the cause and text of the one warning that there may be.
fn done(pod: &Value, edited: Rewrite) -> (Value, Option<(Cause, String)>) {
    assert!(edited.warnings.len() < 2);
    let mut after = pod.clone();
    apply(&mut after, &edited.patch).expect("the patch fits");
    (after, edited.warnings.into_iter().next().map(|it| (it.cause, it.reason)))
}

fn pod(metadata: &Value) -> Value {
    json!({"metadata": metadata, "spec": {"containers": [{"name": "app", "image": "app:1"}]}})
}

fn annotated(annotations: &Value) -> Value {
    pod(&json!({"annotations": annotations}))
}

/// What a pod with this config has after it was given the filter.
#[track_caller]
fn config(text: &str) -> Value {
    let before = annotated(&json!({CONFIG: text}));
    let (after, warning) = done(&before, filtered(&before).unwrap());
    assert_eq!(warning, None, "{text}");
    let text = after["metadata"]["annotations"][CONFIG].as_str().unwrap();
    serde_json::from_str(text).unwrap()
}

/// All that is set where nothing was.
fn all() -> Value {
    json!({
        "statusPort": 15019,
        "runtimeValues": {
            "http.async_response_buffer_limit": "1048576",
            "envoy.resource_limits.listener.app_health.connection_limit": "12000",
        },
        "extraStatTags": ["app_container", "probe", "result", "by"],
        "proxyStatsMatcher": {"inclusionPrefixes": ["http.app_health.", "cluster.app_health_pilot_agent_probes.upstream_rq_total"]},
        "proxyMetadata": {"ISTIO_META_APP_HEALTH_FILTER": "true"},
    })
}

#[test]
fn a_pod_that_says_nothing_gets_all_of_it() {
    let spec = json!({"containers": [{"name": "app"}]});
    for mut before in [
        json!({"spec": spec}),
        json!({"spec": spec, "metadata": null}),
        json!({"spec": spec, "metadata": {"name": "a"}}),
        json!({"spec": spec, "metadata": {"labels": null, "annotations": null}}),
        json!({"spec": spec, "metadata": {"labels": {}, "annotations": {}}}),
        json!({"spec": spec, "metadata": {"labels": {"app": "a"}, "annotations": {"b": "c"}}}),
        json!({"spec": spec, "metadata": {"labels": {"app-health/filter": ""}, "annotations": {CONFIG: "", EXCLUDED: ""}}}),
    ] {
        let (after, warning) = done(&before, filtered(&before).unwrap());
        assert_eq!(warning, None);
        // The rest is as it was.
        let set = json!({"labels": {"app-health/filter": "true"}, "annotations": {
            CONFIG: after["metadata"]["annotations"][CONFIG],
            EXCLUDED: "15019",
        }});
        json_patch::merge(&mut before, &json!({"metadata": set}));
        assert_eq!(after, before);
        let text = after["metadata"]["annotations"][CONFIG].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), all());
        assert!(filtered(&after).unwrap() == Rewrite::default(), "a second pass changes nothing");
    }
}

#[test]
fn what_the_pod_says_itself_is_kept_and_lists_are_appended_to() {
    let with = |changes: Value| {
        let mut expected = all();
        json_patch::merge(&mut expected, &changes);
        expected
    };
    for (text, expected) in [
        ("{}", all()),
        ("null", all()),
        (r#"{"concurrency":2}"#, with(json!({"concurrency": 2}))),
        (r#"{"statusPort":"15019"}"#, with(json!({"statusPort": "15019"}))),
        (
            r#"{"runtimeValues":{"http.async_response_buffer_limit":"9","a":"b"}}"#,
            with(json!({"runtimeValues": {"http.async_response_buffer_limit": "9", "a": "b"}})),
        ),
        (
            r#"{"extraStatTags":["mine","probe"]}"#,
            with(json!({"extraStatTags": ["mine", "probe", "app_container", "result", "by"]})),
        ),
        (
            r#"{"proxyStatsMatcher":{"inclusionPrefixes":["a"],"inclusionSuffixes":["b"]}}"#,
            with(json!({"proxyStatsMatcher": {
                "inclusionPrefixes": ["a", "http.app_health.", "cluster.app_health_pilot_agent_probes.upstream_rq_total"],
                "inclusionSuffixes": ["b"],
            }})),
        ),
        (
            r#"{"proxyMetadata":{"A":"b","ISTIO_META_APP_HEALTH_FILTER":"true"}}"#,
            with(json!({"proxyMetadata": {"A": "b"}})),
        ),
        (
            r#"{"statusPort":null,"runtimeValues":null,"extraStatTags":null,"proxyStatsMatcher":null,"proxyMetadata":null}"#,
            all(),
        ),
    ] {
        assert_eq!(config(text), expected, "{text}");
    }
}

/// Istio takes both spellings of a name.
#[test]
fn a_name_in_snake_case_stays_the_only_one() {
    let text = r#"{"status_port":15019,"runtime_values":{},"extra_stat_tags":[],"proxy_stats_matcher":{"inclusion_prefixes":["a"]},"proxy_metadata":{"A":"b"}}"#;
    let mut expected = all();
    let tags = expected["extraStatTags"].take();
    let runtime = expected["runtimeValues"].take();
    assert_eq!(
        config(text),
        json!({
            "status_port": 15019,
            "runtime_values": runtime,
            "extra_stat_tags": tags,
            "proxy_stats_matcher": {"inclusion_prefixes": ["a", "http.app_health.", "cluster.app_health_pilot_agent_probes.upstream_rq_total"]},
            "proxy_metadata": {"A": "b", "ISTIO_META_APP_HEALTH_FILTER": "true"},
        })
    );
}

/// As it is for Istio, also where that is null.
#[test]
fn of_two_spellings_the_one_in_camel_case_counts() {
    let with = |changes: Value| {
        let mut expected = all();
        json_patch::merge(&mut expected, &changes);
        expected
    };
    for (text, others) in [
        (r#"{"status_port":15020,"statusPort":15019}"#, json!({"status_port": 15020})),
        (r#"{"extra_stat_tags":"a","extraStatTags":null}"#, json!({"extra_stat_tags": "a"})),
    ] {
        assert_eq!(config(text), with(others), "{text}");
    }
    let pod = annotated(&json!({CONFIG: r#"{"status_port":15019,"statusPort":15020}"#}));
    let (_, warning) = done(&pod, filtered(&pod).unwrap());
    assert!(warning.unwrap().1.contains("statusPort is 15020"));
}

/// What Istio puts into the sidecar's environment may be a little longer.
#[test]
fn a_config_is_no_longer_than_a_sidecar_takes() {
    let with =
        |length: usize| annotated(&json!({CONFIG: json!({"a": "x".repeat(length)}).to_string()}));
    let text = |pod: &Value| pod["metadata"]["annotations"][CONFIG].as_str().unwrap().len();
    let (given, _) = done(&with(0), filtered(&with(0)).unwrap());
    let length = (120 << 10) - text(&given);
    for (length, says) in
        [(length, None), (length + 1, Some("with what is added to it 120 KiB, more than"))]
    {
        let (given, warning) = done(&with(length), filtered(&with(length)).unwrap());
        assert_eq!(text(&given) == 120 << 10, says.is_none());
        assert_eq!(warning.is_none(), says.is_none());
        assert!(says.is_none_or(|says| warning.unwrap().1.contains(says)));
    }
}

/// Istio's injector and others add annotations of their own.
#[test]
fn room_is_left_for_what_others_annotate() {
    let with = |length: usize| annotated(&json!({"a": "x".repeat(length)}));
    let size = |pod: &Value| {
        let all = pod["metadata"]["annotations"].as_object().unwrap();
        all.iter().map(|(name, text)| name.len() + text.as_str().unwrap().len()).sum::<usize>()
    };
    let (given, _) = done(&with(0), filtered(&with(0)).unwrap());
    let length = (248 << 10) - size(&given);
    for (length, cause) in [(length, None), (length + 1, Some(Cause::TooLong))] {
        let (given, warning) = done(&with(length), filtered(&with(length)).unwrap());
        assert_eq!(warning.map(|(cause, _)| cause), cause);
        assert_eq!(size(&given) == 248 << 10, cause.is_none());
    }
}

/// Istio replaces each member of what the mesh sets by the annotation's, but for the metadata.
#[test]
fn what_the_mesh_sets_is_set_where_the_pod_does_not_say_otherwise() {
    let mesh = |config: Value| Mesh {
        proxy_config: config.try_into().unwrap(),
        excluded_inbound_ports: "9000".to_owned(),
    };
    let mesh = mesh(json!({
        "runtimeValues": {"a": "b", "http.async_response_buffer_limit": "9"},
        "extra_stat_tags": ["mesh", "by"],
        "proxyStatsMatcher": {"inclusion_prefixes": ["mesh"], "inclusionRegexps": ["r"]},
        "proxyMetadata": {"A": "b"},
        "concurrency": 7,
    }));
    let by = Filter { mesh: Arc::new(mesh), ..by("true") };
    let limit = "envoy.resource_limits.listener.app_health.connection_limit";
    let every = |name: &str| all()[name].clone();
    let with_all = json!({
        "runtimeValues": {"a": "b", "http.async_response_buffer_limit": "9", limit: "12000"},
        "extraStatTags": ["mesh", "by", "app_container", "probe", "result"],
        "proxyStatsMatcher": {
            "inclusion_prefixes": ["mesh", "http.app_health.", "cluster.app_health_pilot_agent_probes.upstream_rq_total"],
            "inclusionRegexps": ["r"],
        },
        "proxyMetadata": every("proxyMetadata"),
        "statusPort": 15019,
    });
    let own = json!({"runtimeValues": {}, "extra_stat_tags": [], "proxyStatsMatcher": {}});
    let with_own = json!({
        "runtimeValues": every("runtimeValues"),
        "extra_stat_tags": every("extraStatTags"),
        "proxyStatsMatcher": every("proxyStatsMatcher"),
        "proxyMetadata": every("proxyMetadata"),
        "statusPort": 15019,
    });
    for (annotations, expected, excluded) in [
        (json!({}), &with_all, "9000,15019"),
        (json!({CONFIG: r#"{"extraStatTags":null}"#}), &with_all, "9000,15019"),
        (json!({CONFIG: own.to_string(), EXCLUDED: "1"}), &with_own, "1,15019"),
        (json!({CONFIG: own.to_string(), EXCLUDED: ""}), &with_own, "15019"),
    ] {
        let pod = annotated(&annotations);
        let (after, warning) = done(&pod, filter(&pod, &by, &[]).unwrap());
        assert_eq!(warning, None);
        let annotations = &after["metadata"]["annotations"];
        let config: Value = serde_json::from_str(annotations[CONFIG].as_str().unwrap()).unwrap();
        assert_eq!((&config, &annotations[EXCLUDED]), (expected, &json!(excluded)));
        assert_eq!(filter(&after, &by, &[]).unwrap(), Rewrite::default(), "a second time");
    }
}

#[test]
fn what_cannot_be_a_meshs_defaults() {
    let long = "x".repeat(120 << 10);
    for (config, says) in [
        (json!(null), None),
        (json!({"statusPort": 15020, "proxyMetadata": 7, "runtimeValues": null}), None),
        (json!([]), Some("expected an object, not an array")),
        (json!({"runtimeValues": "a"}), Some("runtimeValues: expected an object")),
        (json!({"extraStatTags": {}}), Some("extraStatTags: expected an array")),
        (json!({"proxy_stats_matcher": []}), Some("proxyStatsMatcher: expected an object")),
        (json!({"defaultConfig": {}}), Some("give what is under defaultConfig")),
        (json!({"meshConfig": {"defaultConfig": {}}}), Some("give what is under defaultConfig")),
        (json!({"extraStatTags": [long]}), Some("120 KiB, more than a sidecar takes")),
    ] {
        let problem = ProxyDefaults::try_from(config).err();
        assert_eq!(problem.is_some(), says.is_some(), "{problem:?}");
        assert!(problem.is_none_or(|problem| problem.starts_with(says.unwrap())));
    }
}

#[test]
fn lists_with_commas() {
    let prefixes = "sidecar.istio.io/statsInclusionPrefixes";
    for (name, before, after) in [
        (EXCLUDED, "8080", "8080,15019"),
        (EXCLUDED, " 8080, 9090 ", "8080, 9090,15019"),
        (EXCLUDED, "8080, 15019", "8080, 15019"),
        (EXCLUDED, "115019", "115019,15019"),
        (
            prefixes,
            "cluster.a",
            "cluster.a,http.app_health.,cluster.app_health_pilot_agent_probes.upstream_rq_total",
        ),
        (
            prefixes,
            "http.app_health.,a",
            "http.app_health.,a,cluster.app_health_pilot_agent_probes.upstream_rq_total",
        ),
        (
            prefixes,
            "cluster.app_health_pilot_agent_probes.upstream_rq_total,http.app_health.",
            "cluster.app_health_pilot_agent_probes.upstream_rq_total,http.app_health.",
        ),
        // Istio reads the config then.
        (prefixes, "", ""),
    ] {
        let pod = annotated(&json!({name: before}));
        let (pod, _) = done(&pod, filtered(&pod).unwrap());
        assert_eq!(pod["metadata"]["annotations"][name], after, "{before}");
    }
}

/// In the proxy's metadata, too, whatever revision was there before.
#[test]
fn the_revision_is_the_pods_own_or_the_one_that_is_asked_for() {
    let before = r#"{"proxyMetadata":{"ISTIO_META_APP_HEALTH_FILTER":"before"}}"#;
    for config in ["", before] {
        for (own, expected) in [(Value::Null, "canary"), (json!("true"), "true"), (json!("b"), "b")]
        {
            let pod = pod(
                &json!({"labels": {"app-health/filter": own}, "annotations": {CONFIG: config}}),
            );
            let edited = filter(&pod, &by("canary"), &[]).unwrap();
            let (pod, _) = done(&pod, edited);
            assert_eq!(pod["metadata"]["labels"]["app-health/filter"], expected);
            let annotations = &pod["metadata"]["annotations"];
            assert_eq!(annotations[EXCLUDED], "15019");
            let config: Value =
                serde_json::from_str(annotations[CONFIG].as_str().unwrap()).unwrap();
            let metadata = json!({"ISTIO_META_APP_HEALTH_FILTER": expected});
            assert_eq!(config["proxyMetadata"], metadata);
        }
    }
}

#[test]
fn what_is_a_revision() {
    for text in ["true", "a", "1.2.3", "A_b-c", &"x".repeat(63)] {
        assert_eq!(text.parse::<Revision>().unwrap().as_str(), text);
    }
    for text in ["", "false", "-a", "a.", "a b", "a/b", "é", "a%20b", &"x".repeat(64)] {
        assert!(text.parse::<Revision>().is_err(), "{text}");
    }
}

#[test]
fn a_pod_that_cannot_take_it_stays_as_it_is_and_says_why() {
    let of = |name: &str, text: &str| annotated(&json!({name: text}));
    let of_config = |text: &str| of(CONFIG, text);
    let with = |spec: Value| {
        let mut pod = pod(&json!({}));
        json_patch::merge(&mut pod["spec"], &spec);
        pod
    };
    let inject = "sidecar.istio.io/inject";
    let templates = "inject.istio.io/templates";
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(200 << 10));
    let full = json!({"a": "x".repeat(262_000)});
    for (pod, cause, says) in [
        (of_config("{"), Cause::Annotation, "annotation proxy.istio.io/config: EOF while"),
        (of_config("[]"), Cause::Annotation, "config: expected an object, not an array"),
        (of_config("7"), Cause::Annotation, "config: expected an object, not 7"),
        (of_config(&long), Cause::Annotation, "config: 200 KiB, more than a sidecar takes"),
        (of_config(r#"{"statusPort":15020}"#), Cause::Annotation, "statusPort is 15020, not 15019"),
        (of_config(r#"{"status_port":"a\nb"}"#), Cause::Annotation, r#"statusPort is "a\nb", not"#),
        (of_config(r#"{"runtimeValues":[]}"#), Cause::Annotation, "runtimeValues: expected an obj"),
        (of_config(r#"{"extraStatTags":"a"}"#), Cause::Annotation, "extraStatTags: expected an ar"),
        (of_config(r#"{"proxyMetadata":[]}"#), Cause::Annotation, "proxyMetadata: expected an obj"),
        (of_config(r#"{"proxyStatsMatcher":1}"#), Cause::Annotation, "proxyStatsMatcher: expected"),
        (
            of_config(r#"{"proxyStatsMatcher":{"inclusionPrefixes":{}}}"#),
            Cause::Annotation,
            "inclusionPrefixes: expected an array, not an object",
        ),
        (of("status.sidecar.istio.io/port", "15020"), Cause::Annotation, "istio.io/port is there"),
        (of(inject, "false"), Cause::NotInjected, "sidecar.istio.io/inject is false; the pod is"),
        (pod(&json!({"labels": {inject: "false"}})), Cause::NotInjected, "inject is false"),
        (
            pod(&json!({"labels": {inject: "false"}, "annotations": {inject: "true"}})),
            Cause::NotInjected,
            "inject is false",
        ),
        (of(templates, "grpc-agent"), Cause::NotInjected, r#"templates is "grpc-agent""#),
        (of(templates, "sidecar,custom"), Cause::NotInjected, r#"templates is "sidecar,custom""#),
        (with(json!({"hostNetwork": true})), Cause::HostNetwork, "hostNetwork is true"),
        (with(json!({"os": {"name": "windows"}})), Cause::Windows, "it runs on Windows"),
        (of("kubernetes.io/config.mirror", "a"), Cause::MirrorPod, "the mirror pod"),
        (
            with(json!({"containers": [{"name": "app"}, {"name": "istio-proxy"}]})),
            Cause::InjectedBefore,
            "the sidecar istio-proxy is there already",
        ),
        (
            with(json!({"initContainers": [{"name": "istio-proxy", "restartPolicy": "Always"}]})),
            Cause::InjectedBefore,
            "the sidecar istio-proxy is there already",
        ),
        (
            with(json!({"containers": [{"name": "istio-proxy", "image": "proxyv2:1"}]})),
            Cause::InjectedBefore,
            "the sidecar istio-proxy is there already",
        ),
        (annotated(&full), Cause::TooLong, "its annotations would be too long"),
    ] {
        let (after, warning) = done(&pod, filtered(&pod).unwrap());
        assert_eq!(after, pod, "{says}");
        let (is, text) = warning.expect(says);
        assert_eq!(is, cause, "{text}");
        assert!(text.contains(says) && text.lines().count() == 1, "{text}");
        assert!(text.ends_with("; the pod is not given the filter"), "{text}");
    }
}

/// Pilot-agent may have left 15020 already. Where it has not, the label alone selects nothing.
#[test]
fn a_pod_that_cannot_take_it_keeps_its_label() {
    let long = "x".repeat(255 << 10);
    let moved = r#"{"statusPort":15019,"proxyMetadata":{"ISTIO_META_APP_HEALTH_FILTER":"canary"}"#;
    for (annotation, text) in [
        ("a", &*long),
        (CONFIG, "{"),
        (CONFIG, r#"{"statusPort":15021}"#),
        ("status.sidecar.istio.io/port", "15021"),
        ("inject.istio.io/templates", "grpc-agent"),
    ] {
        for config in [moved.to_owned(), format!("{moved}}}")] {
            let mut metadata = json!({"labels": {"app-health/filter": "canary"}});
            metadata["annotations"] = json!({CONFIG: config});
            metadata["annotations"][annotation] = text.into();
            let (after, warning) = done(&pod(&metadata), filtered(&pod(&metadata)).unwrap());
            assert_eq!(after, pod(&metadata), "{text}");
            assert!(warning.is_some(), "{text}");
        }
    }
}

#[test]
fn what_does_not_keep_a_pod_from_it() {
    for metadata in [
        json!({"annotations": {"sidecar.istio.io/inject": "true"}}),
        json!({"labels": {"sidecar.istio.io/inject": "true"}, "annotations": {"sidecar.istio.io/inject": "false"}}),
        json!({"annotations": {"inject.istio.io/templates": " sidecar "}}),
        json!({"annotations": {"sidecar.istio.io/userVolume": "[{\"name\":\"mine\"}]"}}),
        json!({"annotations": {"a": "x".repeat(250_000)}}),
        // Istio goes by the label where that is there, and takes nothing but true and false.
        json!({"labels": {"sidecar.istio.io/inject": ""}, "annotations": {"sidecar.istio.io/inject": "false"}}),
        json!({"annotations": {"sidecar.istio.io/inject": "False"}}),
    ] {
        let before = pod(&metadata);
        let (after, warning) = done(&before, filtered(&before).unwrap());
        assert_eq!(
            (warning, &after["metadata"]["labels"]["app-health/filter"]),
            (None, &json!("true"))
        );
        for (name, text) in metadata["annotations"].as_object().unwrap() {
            assert_eq!(&after["metadata"]["annotations"][name], text);
        }
    }
}

/// By a container of the sidecar's name and without an image of its own, which is Istio's way.
#[test]
fn a_sidecar_that_the_pod_only_customises_is_yet_to_come() {
    let sidecar = json!({"name": "istio-proxy", "image": "auto"});
    for list in ["containers", "initContainers"] {
        let mut before = pod(&json!({}));
        json_patch::merge(&mut before["spec"], &json!({list: [sidecar]}));
        let (after, warning) = done(&before, filtered(&before).unwrap());
        assert_eq!(warning, None);
        assert_eq!(after["metadata"]["labels"]["app-health/filter"], "true");
        assert_eq!(after["spec"], before["spec"]);
    }
}

#[test]
fn nothing_is_said_where_the_pod_has_chosen_itself() {
    let own =
        |spec: Value| json!({"metadata": {"labels": {"app-health/filter": "false"}}, "spec": spec});
    let (mut has_all, _) = done(&pod(&json!({})), filtered(&pod(&json!({}))).unwrap());
    // What would keep it from being given to it.
    has_all["spec"]["containers"] = json!([{"name": "istio-proxy"}]);
    for pod in [own(json!({})), own(json!({"hostNetwork": true})), has_all] {
        assert_eq!(filtered(&pod).unwrap(), Rewrite::default(), "{pod}");
    }
}

#[test]
fn a_wrong_type_is_named() {
    for (pod, at) in [
        (json!({"metadata": {"labels": {"a": 1}}}), "/metadata/labels/a"),
        (json!({"metadata": {"labels": []}}), "/metadata/labels"),
        (
            json!({"metadata": {"annotations": {CONFIG: {}}}}),
            "/metadata/annotations/proxy.istio.io~1config",
        ),
        (json!({"metadata": 7}), "/metadata"),
        (json!({"spec": {"containers": {}}}), "/spec/containers"),
        (json!([]), ""),
    ] {
        assert_eq!(filtered(&pod).unwrap_err().at.as_str(), at);
        assert_eq!(switch(&pod).unwrap_err().at.as_str(), at);
    }
    assert_eq!(filtered(&json!(7)).unwrap_err().at, Pointer::root());
}

#[test]
fn the_switch_is_set_where_the_pod_says_nothing_of_either() {
    let istios = "sidecar.istio.io/rewriteAppHTTPProbers";
    let ours = "app-health/rewrite";
    let both = json!({istios: "false", ours: "true"});
    for (annotations, expected) in [
        (json!({}), both.clone()),
        (json!({istios: ""}), both),
        (json!({istios: "true"}), json!({istios: "true"})),
        (json!({istios: "false"}), json!({istios: "false"})),
        (json!({istios: "perhaps"}), json!({istios: "perhaps"})),
        (json!({ours: "true"}), json!({ours: "true"})),
        (json!({ours: "false"}), json!({ours: "false"})),
    ] {
        let before = annotated(&annotations);
        let (after, warning) = done(&before, switch(&before).unwrap());
        assert_eq!(after, annotated(&expected), "{annotations}");
        assert_eq!(warning, None);
        assert_eq!(switch(&after).unwrap(), Rewrite::default());
    }
    let (bare, _) = done(&json!({"spec": {}}), switch(&json!({"spec": {}})).unwrap());
    assert_eq!(bare["metadata"]["annotations"][ours], "true");
}
