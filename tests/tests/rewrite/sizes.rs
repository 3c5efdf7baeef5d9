//! Limits that others set: what exec takes of a variable, and the API server of annotations.

use app_health_webhook::probers::VARIABLE;
use app_health_webhook::rewrite::{
    AgentOptions, Malformed, Options, RESTORE_ANNOTATION, REWRITE_ANNOTATION, Rewrite,
    STATUS_ANNOTATION, Warning,
};
use serde_json::{Value, json};

use super::{restored, rewritten};

type Transform = fn(&Value, &Options) -> Result<(Value, Rewrite), Malformed>;

/// `NAME=value` and its NUL.
const LONGEST_VARIABLE: usize = 131_072;
const LARGEST_ANNOTATIONS: usize = 262_144;

fn pod(probes: &[Value]) -> Value {
    let app = |(index, probe): (usize, &Value)| {
        json!({
            "name": format!("app-{index}"),
            "ports": [{"name": "http", "containerPort": 80}],
            "readinessProbe": probe,
        })
    };
    let mut containers: Vec<_> = probes.iter().enumerate().map(app).collect();
    containers.push(json!({"name": "istio-proxy"}));
    json!({"metadata": {"annotations": {"a": "b"}}, "spec": {"containers": containers}})
}

fn http(path_length: usize) -> Value {
    json!({"httpGet": {"path": format!("/{}", "p".repeat(path_length - 1)), "port": 80}})
}

fn variable(pod: &Value) -> &str {
    let containers = pod["spec"]["containers"].as_array().unwrap();
    containers.last().unwrap()["env"][0]["value"].as_str().unwrap()
}

fn rewrite_all(pod: &Value) -> (Value, Rewrite) {
    rewritten(pod, &Options::default()).unwrap()
}

/// The bytes that one more byte of path costs is one, so the longest path follows from any other.
fn longest_path(probes: &[Value]) -> usize {
    let probes: Vec<_> = probes.iter().cloned().chain([http(1)]).collect();
    let (there, _) = rewrite_all(&pod(&probes));
    1 + LONGEST_VARIABLE - VARIABLE.len() - "=\0".len() - variable(&there).len()
}

#[test]
fn the_variable_is_filled_to_the_last_byte() {
    let small = json!({"tcpSocket": {"port": 1}});
    let longest = longest_path(std::slice::from_ref(&small));
    let (there, rewrite) = rewrite_all(&pod(&[small, http(longest)]));
    assert_eq!(rewrite.warnings, vec![]);
    assert_eq!(VARIABLE.len() + variable(&there).len() + "=\0".len(), LONGEST_VARIABLE);
}

#[test]
fn what_is_a_byte_too_long_stays_and_the_next_still_fits() {
    let small = json!({"tcpSocket": {"port": 1}});
    let longest = longest_path(std::slice::from_ref(&small));
    let before = pod(&[small.clone(), http(longest + 1), small]);
    let (there, rewrite) = rewrite_all(&before);
    let warnings: Vec<_> = rewrite.warnings.iter().map(ToString::to_string).collect();
    let reason = "with it ISTIO_KUBE_APP_PROBERS would be too long for exec; it stays as it was";
    assert_eq!(warnings, [format!("app-1/readinessProbe: {reason}")]);
    let expected = r#"{"/app-health/app-0/readyz":{"tcpSocket":{"port":1}},"/app-health/app-2/readyz":{"tcpSocket":{"port":1}}}"#;
    assert_eq!(variable(&there), expected);
    assert_eq!(rewrite_all(&there).1.patch, vec![]);
    assert_eq!(restored(&there, &Options::default()).unwrap().0, before);
}

/// A named port is kept together with its path, so a long one fills the annotations.
#[test]
fn annotations_stay_within_what_the_api_server_takes() {
    let named = |length| {
        let mut probe = http(length);
        probe["httpGet"]["port"] = json!("http");
        probe
    };
    let mut before = pod(&[named(1000), http(2000), named(20_000), named(10)]);
    before["metadata"]["annotations"]["big"] = json!("x".repeat(LARGEST_ANNOTATIONS - 10_000));
    let (there, rewrite) = rewrite_all(&before);
    let warnings: Vec<_> = rewrite.warnings.iter().map(ToString::to_string).collect();
    let reason = "with it annotation app-health/restore would be too long; it stays as it was";
    assert_eq!(warnings, [format!("app-2/readinessProbe: {reason}")]);
    let annotations = there["metadata"]["annotations"].as_object().unwrap();
    let size: usize = annotations.iter().map(|(k, v)| k.len() + v.as_str().unwrap().len()).sum();
    assert!(size <= LARGEST_ANNOTATIONS, "{size}");
    let kept = annotations[RESTORE_ANNOTATION].as_str().unwrap();
    assert!(kept.contains("app-0") && kept.contains("app-3"), "{kept}");
    assert_eq!(rewrite_all(&there).1.patch, vec![]);
    assert_eq!(restored(&there, &Options::default()).unwrap().0, before);
}

/// The mark gives way to what the pod has and to what is kept, to the byte.
#[test]
fn the_mark_is_there_where_it_has_room() {
    let mark = r#"{"version":1,"rewritten":1}"#;
    for (left, there_is) in [(0, true), (1, false)] {
        let mut before = pod(&[http(1)]);
        let others = "a".len() + "b".len() + "big".len();
        let room = LARGEST_ANNOTATIONS - STATUS_ANNOTATION.len() - mark.len() - others;
        before["metadata"]["annotations"]["big"] = json!("x".repeat(room + left));
        let (there, rewrite) = rewrite_all(&before);
        assert_eq!((rewrite.probes[0].to.is_ok(), rewrite.warnings), (true, vec![]));
        let expected = if there_is { json!(mark) } else { Value::Null };
        assert_eq!(there["metadata"]["annotations"][STATUS_ANNOTATION], expected);
        assert_eq!(rewrite_all(&there).1.patch, vec![]);
        assert_eq!(restored(&there, &Options::default()).unwrap().0, before);
    }
}

/// Nor does a mark of before keep anything out.
#[test]
fn the_mark_of_before_takes_no_room() {
    let mut before = pod(&[json!({"tcpSocket": {"port": "http"}})]);
    let kept = rewrite_all(&before).0["metadata"]["annotations"][RESTORE_ANNOTATION].clone();
    let room = LARGEST_ANNOTATIONS - RESTORE_ANNOTATION.len() - kept.as_str().unwrap().len();
    before["metadata"]["annotations"]["big"] = json!("x".repeat(room - 100));
    before["metadata"]["annotations"][STATUS_ANNOTATION] = json!("x".repeat(200));
    let (there, rewrite) = rewrite_all(&before);
    assert_eq!(rewrite.warnings, vec![]);
    let annotations = &there["metadata"]["annotations"];
    assert_eq!(annotations[RESTORE_ANNOTATION], kept);
    assert_eq!(annotations[STATUS_ANNOTATION], r#"{"version":1,"rewritten":1}"#);
}

/// Where rewriting is off, the note of the agent that is put in may need the mark's room.
#[test]
fn a_mark_gives_way_to_the_agents_note() {
    let options = Options { agent: Some(AgentOptions::new("agent:1")), ..Options::default() };
    let bytes = |pod: &Value| {
        let annotations = pod["metadata"]["annotations"].as_object().unwrap().iter();
        annotations.map(|(key, text)| key.len() + text.as_str().unwrap().len()).sum::<usize>()
    };
    let mut before = rewrite_all(&pod(&[json!({"tcpSocket": {"port": 80}})])).0;
    before["metadata"]["annotations"][REWRITE_ANNOTATION] = json!("false");
    before["metadata"]["annotations"]["big"] = json!("");
    let room = LARGEST_ANNOTATIONS - bytes(&before);
    let note = RESTORE_ANNOTATION.len() + r#"{"agent":true}"#.len();
    for (left, stays) in [(note, true), (note - 1, false)] {
        before["metadata"]["annotations"]["big"] = json!("x".repeat(room - left));
        let there = rewritten(&before, &options).unwrap().0;
        let annotations = &there["metadata"]["annotations"];
        assert_eq!(annotations[RESTORE_ANNOTATION], r#"{"agent":true}"#);
        assert_eq!(annotations.get(STATUS_ANNOTATION).is_some(), stays);
        assert!(bytes(&there) <= LARGEST_ANNOTATIONS);
    }
}

/// Container names of 63 characters, 200 of them, and one that no API server takes.
#[test]
fn the_mark_has_its_own_limit() {
    let probe = json!({"httpGet": {"port": "none"}});
    let names = (0..200).map(|index| format!("{index:063}")).chain(["\"".repeat(100_000)]);
    let app = |name| json!({"name": name, "readinessProbe": probe});
    let mut containers: Vec<_> = names.map(app).collect();
    containers.push(json!({"name": "istio-proxy"}));
    let before = json!({"metadata": {"name": "pod"}, "spec": {"containers": containers}});
    let (there, rewrite) = rewrite_all(&before);
    assert_eq!(rewrite.warnings.len(), 201);
    let mark = there["metadata"]["annotations"][STATUS_ANNOTATION].as_str().unwrap();
    assert!(mark.len() < 8192, "{}", mark.len());
    let mark: Value = serde_json::from_str(mark).unwrap();
    let stayed = mark["stayed"].as_object().unwrap();
    assert_eq!(stayed.values().filter(|label| **label == "named_port").count(), stayed.len());
    assert_eq!(stayed.len() as u64 + mark["more"].as_u64().unwrap(), 201);
    assert_eq!(rewrite_all(&there).1.patch, vec![]);
    assert_eq!(restored(&there, &Options::default()).unwrap().0, before);
}

/// Where the variable is near its limit already, and its entries change.
#[test]
fn a_changed_entry_frees_the_room_of_the_old_one() {
    let longest = longest_path(&[]);
    let (mut there, _) = rewrite_all(&pod(&[http(longest)]));
    there["spec"]["containers"][0]["readinessProbe"] = http(longest - 1);
    let (again, rewrite) = rewrite_all(&there);
    assert_eq!(rewrite.warnings, vec![]);
    assert_eq!(VARIABLE.len() + variable(&again).len() + "=\0".len(), LONGEST_VARIABLE - 1);
}

#[test]
fn a_variable_that_no_process_could_have_is_left_alone() {
    let (there, _) = rewrite_all(&pod(&[http(1)]));
    let text = variable(&there);
    let longest = LONGEST_VARIABLE - VARIABLE.len() - "=\0".len();
    for (length, warnings) in [(longest, 0), (longest + 1, 1)] {
        let mut pod = pod(&[http(2)]);
        let value = text.to_owned() + &" ".repeat(length - text.len());
        pod["spec"]["containers"][1]["env"] = json!([{"name": VARIABLE, "value": value}]);
        let (after, rewrite) = rewrite_all(&pod);
        assert_eq!(rewrite.warnings.len(), warnings, "{length}: {:?}", rewrite.warnings);
        assert_eq!(after == pod, warnings > 0, "{length}");
        let said = |warning: &Warning| warning.to_string().contains("longer than exec takes");
        assert!(rewrite.warnings.iter().all(said), "{:?}", rewrite.warnings);
    }
}

/// Each copy but the last is a step of the patch, whose cost grows with the environment.
#[test]
fn a_sidecar_with_very_many_copies_of_the_variable_is_left_alone() {
    let (there, _) = rewrite_all(&pod(&[http(1)]));
    let variable = &there["spec"]["containers"][1]["env"][0];
    for (copies, left_alone) in [(2, false), (16, false), (17, true), (40_000, true)] {
        for (transform, containers) in
            [(rewritten as Transform, &pod(&[http(2)])), (restored, &there)]
        {
            let mut before = containers.clone();
            let mut env = vec![variable.clone(); copies];
            env.insert(1, json!({"name": "A", "value": "b", "future": 1.5}));
            before["spec"]["containers"][1]["env"] = json!(env);
            let (after, change) = transform(&before, &Options::default()).unwrap();
            assert_eq!(after == before, left_alone, "{copies}");
            assert!(change.patch.len() < 20, "{copies}: {} steps", change.patch.len());
            let warnings: Vec<_> = change.warnings.iter().map(ToString::to_string).collect();
            let says =
                format!("{VARIABLE} of istio-proxy: is there {copies} times; its probes stay");
            assert!(warnings.iter().all(|it| it.starts_with(&says)), "{warnings:?}");
            assert_eq!(warnings.len(), usize::from(left_alone), "{copies}");
        }
    }
}

/// Work per probe must not grow with their number: encoding all of it for each is minutes here.
#[test]
fn ten_thousand_probes_take_no_longer_than_they_must() {
    let probes: Vec<_> = (1..=10_000).map(|port| json!({"grpc": {"port": port}})).collect();
    let before = pod(&probes);
    let (there, rewrite) = rewrite_all(&before);
    let rewritten = rewrite.probes.iter().filter(|probe| probe.to.is_ok()).count();
    assert!(variable(&there).len() > LONGEST_VARIABLE - 200);
    assert_eq!(rewritten + rewrite.warnings.len(), 10_000);
    assert_eq!(restored(&there, &Options::default()).unwrap().0, before);
}
