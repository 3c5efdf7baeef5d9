//! All kinds of input.

use std::fs;
use std::process::Stdio;

use app_health_tests::process;
use app_health_tests::usage::peak_memory;
use serde_json::{Value, json};

use crate::{BINARY, check, chosen, deployment, list, pod, rewritten, with};

const YAML: &str = "\
# a comment
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
      - name: web
        readinessProbe: {httpGet: {port: http}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
---
";

#[test]
fn every_way_to_write_objects_is_read() {
    let item = rewritten("{}");
    let lines = format!("{item}\n{item}\n");
    let of_a_kind = {
        let mut item = item.clone();
        item.as_object_mut().unwrap().retain(|key, _| key != "kind" && key != "apiVersion");
        json!({"apiVersion": "v1", "kind": "PodList", "items": [item]}).to_string()
    };
    let yaml_list = "apiVersion: v1\nkind: List\nitems:\n- ".to_owned() + &item.to_string();
    for (input, codes) in [
        (YAML.to_owned(), "AH006"),
        (lines, "AH002 AH002"),
        (of_a_kind, "AH002"),
        (yaml_list, "AH002"),
        (list(&[item]), "AH002"),
    ] {
        let run = check("", &input);
        let rows = run.stdout.lines().filter_map(|line| line.strip_prefix("AH")?.split_once("  "));
        let rows: Vec<String> = rows.map(|(number, _)| format!("AH{number}")).collect();
        assert_eq!(rows.join(" "), codes, "{input}: {}", run.stdout);
    }
}

#[test]
fn what_is_wrong_is_one_line_and_its_exit_code() {
    let cut = "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"items\":[{}";
    for (input, exit, begins) in [
        ("", 65, "stdin: empty: no Kubernetes object"),
        ("# nothing\n", 65, "stdin: empty: no Kubernetes object"),
        ("{}", 65, "stdin: document 1: not a Kubernetes object: it has no `apiVersion`"),
        ("just text", 65, "stdin: document 1: not a Kubernetes object"),
        ("a: [", 65, "stdin: document 1: line 2: not YAML"),
        (cut, 65, "stdin: document 1: line 1: not JSON"),
        ("{kind: PodList, apiVersion: v1, items: 5}", 0, ""),
        (
            "{kind: List, apiVersion: v1, items: 5}",
            65,
            "stdin: document 1: /items: expected an array",
        ),
    ] {
        let run = check("", input);
        assert_eq!(run.exit, exit, "{input}: {}", run.stderr);
        let line = run.stderr.strip_prefix("app-health-agent: ").unwrap_or_default();
        assert!(line.starts_with(begins), "{input}: {}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{input}");
        assert_eq!(run.stdout.is_empty(), exit != 0, "{input}");
    }
    assert_eq!(check("", b"a: \xff\n").exit, 65);
    let mut missing = process::command(BINARY);
    assert_eq!(process::run(missing.args(["check", "-f", "/no/such/file"]), "").exit, 66);
    assert_eq!(check("--frobnicate", "").exit, 64);
}

#[test]
fn items_that_are_no_objects_are_passed_over_and_counted() {
    let run = check("--complete", list(&[json!(5), json!({}), json!({"kind": "Pod"}), chosen()]));
    assert_eq!(run.exit, 0);
    let line = "passed over, for being no Kubernetes objects: 3\n";
    assert!(run.stderr.starts_with(line), "{}", run.stderr);
}

/// Fields of any type, where others are expected.
#[test]
fn objects_of_a_wrong_shape_are_no_crash() {
    let (missed, label) = (rewritten("{}"), json!({"app-health/filter": "true"}));
    let full = [missed, deployment(json!({"readinessProbe": {"grpc": {"port": 1}}})), chosen()];
    let webhook = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "a", "uid": "1"},
        "webhooks": [{
            "name": "rewrite.webhook.app-health",
            "clientConfig": {"caBundle": "AAAA", "service": {}},
            "namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]},
            "rules": [],
        }],
    });
    let filter = json!({
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": "a"},
        "spec": {"workloadSelector": {"labels": label}, "configPatches": [{
            "applyTo": "LISTENER",
            "patch": {"value": {"address": {"socket_address": {"port_value": 15020}}}},
        }]},
    });
    for object in full.iter().chain([&webhook, &filter]) {
        for place in places(object, "") {
            let others = [json!(null), json!(5), json!("\u{0}"), json!([[]]), json!({"a": {}})];
            let changed = others.map(|other| {
                let mut object = object.clone();
                *object.pointer_mut(&place).unwrap() = other;
                object
            });
            let run = check("-o json", list(&[&full[..], &changed[..]].concat()));
            assert_eq!(run.exit, 2, "{place}: {}", run.stderr);
        }
    }
}

/// The pointers to all that is in an object.
fn places(value: &Value, at: &str) -> Vec<String> {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(key, it)| (key.clone(), it)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, it)| (index.to_string(), it)).collect()
        }
        _ => Vec::new(),
    };
    let places = members.into_iter().flat_map(|(key, value)| {
        let place = format!("{at}/{}", key.replace('/', "~1"));
        let inner = places(value, &place);
        std::iter::once(place).chain(inner)
    });
    places.collect()
}

#[test]
fn hostile_text_stays_in_its_line() {
    let hostile = "<script>\"';\n\r\u{1b}[31m\u{0}\u{85} ${x} | ".to_owned() + &"long".repeat(5000);
    let probe = json!({"httpGet": {"path": hostile, "port": hostile, "host": hostile}});
    let named = with(
        &pod("", json!({"name": hostile, "readinessProbe": probe})),
        "/metadata/name",
        json!(hostile),
    );
    let key = json!({hostile.clone(): {"tcpSocket": {"port": 1}}}).to_string();
    let variable = with(&rewritten(&key), "/metadata/namespace", json!(hostile));
    let label = with(&rewritten("{}"), "/metadata/labels", json!({"app-health/filter": hostile}));
    let run = check("--complete", list(&[named, variable, label, chosen()]));
    assert_eq!(run.exit, 2, "{}", run.stderr);
    let rows: Vec<&str> = run.stdout.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(
        rows.iter().filter(|row| row.starts_with("AH")).count() + 1,
        rows.len(),
        "{rows:#?}"
    );
    assert!(rows.len() > 4, "{rows:#?}");
    for row in rows {
        assert!(!row.contains(char::is_control) && row.chars().count() < 2000, "{row:?}");
    }
    let objects = [with(&rewritten("{}"), "/metadata/name", json!(hostile))];
    let run = check("-o json --complete", list(&objects));
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["findings"][0]["name"], json!(hostile));
}

/// The text is kept, and its objects are read one by one.
#[test]
fn memory_is_a_few_times_the_text() {
    let spare = json!({"spare": "x".repeat(800)});
    let host = json!({"readinessProbe": {"httpGet": {"port": 80, "host": "h"}}});
    let pod = crate::manifest(&with(&pod("", host), "/metadata/annotations", spare));
    let used = |pods: usize| {
        let (folder, text) = (tempfile::tempdir().unwrap(), list(&vec![pod.clone(); pods]));
        let file = folder.path().join("list");
        fs::write(&file, &text).unwrap();
        let mut command = process::command(BINARY);
        command
            .args(["check", "-o", "json", "-f"])
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        // It prints more than a pipe holds, so it has not ended before the rest has been read.
        std::io::Read::read_exact(&mut stdout, &mut [0]).unwrap();
        let memory = peak_memory(child.id()).expect("it runs");
        assert!(std::io::Read::read_to_end(&mut stdout, &mut Vec::new()).unwrap() > 64 << 10);
        assert_eq!(child.wait().unwrap().code(), Some(1));
        (memory, text.len() as f64 / 1024.0 / 1024.0)
    };
    let ((few, small), (many, large)) = (used(300), used(10_000));
    let (more, text) = (many - few, large - small);
    assert!(more < 4.0 * text, "{more} MiB of memory for {text} of text");
}
