use std::process::Stdio;

use app_health_tests::process;
use serde_json::{Value, json};

use crate::{BINARY, CONFIG_MAP, DEPLOYMENT, REWRITTEN, agent, output};

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_deployment_is_rewritten_and_restored() {
    assert_eq!(output("rewrite -f -", DEPLOYMENT), REWRITTEN);
    assert_eq!(output("restore -f -", REWRITTEN), DEPLOYMENT);
}

#[test]
fn rewriting_twice_changes_nothing() {
    assert_eq!(output("rewrite -f -", REWRITTEN), REWRITTEN);
    assert_eq!(output("restore -f -", DEPLOYMENT), DEPLOYMENT);
}

#[test]
fn documents_keep_their_order_and_what_does_not_change_its_text() {
    let file = |deployment: &str| {
        format!(
            "# top\n--- # one\n{CONFIG_MAP}---\n# nothing\n---\n{deployment}--- \n\n{CONFIG_MAP}"
        )
    };
    assert_eq!(output("rewrite -f -", &file(DEPLOYMENT)), file(REWRITTEN));
}

#[test]
fn a_file_is_read_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hello.yaml");
    std::fs::write(&file, DEPLOYMENT).unwrap();
    assert_eq!(output(&format!("rewrite -f {}", file.display()), ""), REWRITTEN);
}

#[test]
fn json_stays_json_in_its_shape() {
    let json = output("rewrite -f - -o json", DEPLOYMENT);
    assert!(json.contains("\n    \"apiVersion\": \"apps/v1\",\n"), "{json}");
    assert!(json.contains("\"huge\": 18446744073709551616\n"), "{json}");
    assert!(json.contains("\"defaultMode\": 420,\n"), "{json}");
    let restored = output("restore -f -", &json);
    assert!(restored.contains("\n    \"apiVersion\": \"apps/v1\",\n"), "{restored}");
    assert_eq!(restored, output("restore -f - -o json", DEPLOYMENT));
    assert_eq!(output("rewrite -f -", &restored), json);

    let line = parse(&restored).to_string();
    let rewritten = output("rewrite -f -", &line);
    assert!(!rewritten.contains('\n'));
    assert_eq!(parse(&rewritten), parse(&json));
    assert_eq!(
        output("restore -f -", &format!("{rewritten}\n{rewritten}")),
        format!("{line}\n{line}")
    );
}

#[test]
fn yaml_comes_of_json() {
    let json = r#"{"kind":"ConfigMap","apiVersion":"v1","data":{"a":"yes","b":"012","c":""}}"#;
    let yaml = "kind: ConfigMap\napiVersion: v1\ndata:\n  a: 'yes'\n  b: '012'\n  c: ''\n";
    assert_eq!(output("rewrite -f - -o yaml", json), yaml);
    assert_eq!(
        output("rewrite -f - -o yaml", &format!("{json}{json}")),
        format!("{yaml}---\n{yaml}")
    );
}

#[test]
fn a_patch_is_a_line_for_each_document() {
    let list = format!(
        r#"{{"apiVersion":"v1","kind":"List","items":[{{"apiVersion":"v1","kind":"Secret"}},{}]}}"#,
        parse(&output("rewrite -f - -o json", DEPLOYMENT.replace("15020", "80").as_str()))
    );
    let list = output("restore -f -", &list);
    let input = format!("{CONFIG_MAP}---\n# nothing\n---\n{DEPLOYMENT}---\n{list}\n");
    let lines: Vec<Value> = output("rewrite -f - -o patch", &input).lines().map(parse).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        lines[0],
        json!({"kind": "ConfigMap", "namespace": null, "name": "cm", "patch": []})
    );
    assert_eq!(lines[1]["kind"], "Deployment");
    assert_eq!(lines[1]["namespace"], "default");
    assert_eq!(lines[1]["name"], "hello");
    let path = "/spec/template/spec/containers/1/readinessProbe/httpGet/path";
    let step = json!({"op": "replace", "path": path, "value": "/app-health/app/readyz"});
    assert!(lines[1]["patch"].as_array().unwrap().contains(&step), "{}", lines[1]);
    assert_eq!(lines[2]["kind"], "List");
    assert_eq!(lines[2]["name"], Value::Null);
    let step = json!({"op": "replace", "path": format!("/items/1{path}"), "value": "/app-health/app/readyz"});
    assert!(lines[2]["patch"].as_array().unwrap().contains(&step), "{}", lines[2]);
}

#[test]
fn a_table_explains_each_probe() {
    let input = DEPLOYMENT.replace("port: 3333", "port: nowhere");
    let run = agent("rewrite -f - --explain", &input);
    assert_eq!(run.exit, 0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "NAME   CONTAINER  PROBE           FROM                 TO",
            "hello  app        readinessProbe  httpGet :8080/ready  :15020/app-health/app/readyz",
        ]
    );
    assert!(
        lines[2].starts_with("hello  app        livenessProbe   tcpSocket :nowhere"),
        "{}",
        lines[2]
    );
    assert!(lines[2].contains("  stays: "), "{}", lines[2]);
    assert!(run.stderr.starts_with("hello: app/livenessProbe: "), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1);
}

#[test]
fn an_exclusion_is_explained_without_a_warning() {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "hello", "annotations": {"app-health/rewrite-exclude": "app"}},
        "spec": {"containers": [
            {"name": "app", "readinessProbe": {"httpGet": {"port": 8080}}},
            {"name": "istio-proxy"},
        ]},
    });
    let run = agent("rewrite -f - --explain", pod.to_string());
    let stays = "stays: annotation app-health/rewrite-exclude names its container";
    assert!(run.stdout.contains(stays), "{}", run.stdout);
    assert_eq!(run.stderr, "");
}

#[test]
fn a_hostile_path_does_not_reach_the_terminal() {
    let hostile = format!("\"/\\e[31m\\n{}\"", "a".repeat(1000));
    let table = agent("rewrite -f - --explain", DEPLOYMENT.replace("/ready", &hostile)).stdout;
    assert!(table.contains("httpGet :8080/\\u{1b}[31m\\naaa"), "{table}");
    assert!(table.lines().all(|line| line.len() < 1000), "{table}");
}

/// The fields of Kubernetes 1.37, and one of a later one.
#[test]
fn the_fields_of_a_new_kubernetes() {
    let newer = DEPLOYMENT
        .replace("{path: /ready, port: 8080}", "{path: /ready, port: 8080, protocol: HTTP2}")
        .replace(
            "tcpSocket:\n            port: 3333",
            "grpc:\n            mode: TLS\n            port: 3333",
        );
    let rewritten = output("rewrite -f -", &newer);
    let variable = r#"{"/app-health/app/livez":{"grpc":{"port":3333,"service":null,"mode":"TLS"}},"/app-health/app/readyz":{"httpGet":{"path":"/ready","port":8080,"protocol":"HTTP2"},"timeoutSeconds":5}}"#;
    let rows = REWRITTEN.lines().map(|row| match row.split_once("value: ") {
        Some((before, _)) => format!("{before}value: '{variable}'\n"),
        None => format!("{row}\n"),
    });
    assert_eq!(rewritten, rows.collect::<String>());
    assert_eq!(output("restore -f -", &rewritten), newer);
    let table = output("rewrite -f - --explain", &newer);
    for row in [
        "readinessProbe  httpGet HTTP2 :8080/ready  :15020/app-health/app/readyz\n",
        "livenessProbe   grpc TLS :3333             :15020/app-health/app/livez\n",
    ] {
        assert!(table.contains(row), "{table}");
    }
    let later = newer.replace("mode: TLS", "mode: TLS\n            authority: a");
    let run = agent("rewrite -f -", &later);
    let says = "hello: app/livenessProbe: grpc has a member \"authority\" that is not known; it stays as it was\n";
    assert_eq!((run.exit, run.stderr.as_str()), (0, says));
    assert!(run.stdout.contains("authority: a\n"), "{}", run.stdout);
}

#[test]
fn the_options_reach_the_rewrite() {
    assert_eq!(output("rewrite -f - --default-rewrite false", DEPLOYMENT), DEPLOYMENT);
    assert!(output("rewrite -f - --status-port 16000", DEPLOYMENT).contains("port: 16000}"));
    let other = DEPLOYMENT.replace("istio-proxy", "envoy");
    let rewritten = output("rewrite -f - --sidecar mesh --sidecar envoy", &other);
    assert_eq!(rewritten, REWRITTEN.replace("istio-proxy", "envoy"));
    assert_eq!(output("restore -f - --sidecar envoy", &rewritten), other);
}

#[test]
fn a_pod_without_sidecar_stays_unless_one_is_added() {
    let sidecar = "      - name: istio-proxy\n        image: proxy\n";
    let plain = DEPLOYMENT.replace(sidecar, "");
    let run = agent("rewrite -f -", &plain);
    assert_eq!((run.exit, run.stdout), (0, plain.clone()));
    assert!(run.stderr.starts_with("hello: "), "{}", run.stderr);
    for flag in ["--sidecar NAME", "--add-sidecar", "istio-proxy"] {
        assert!(run.stderr.contains(flag), "{}", run.stderr);
    }
    let added = output("rewrite -f - --add-sidecar", &plain);
    assert!(added.contains("- name: istio-proxy\n"), "{added}");
    assert!(added.contains("path: /app-health/app/readyz"), "{added}");
    // Where one of the names is there already, none is added.
    let flags = "rewrite -f - --add-sidecar --sidecar other --sidecar istio-proxy";
    assert_eq!(output(flags, DEPLOYMENT), REWRITTEN);
    // Without probes there is nothing that it would serve.
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c}]}\n";
    assert_eq!(agent("rewrite -f - --add-sidecar", pod).stdout, pod);
    // Nor where every probe stays.
    let elsewhere = "{name: c, readinessProbe: {httpGet: {port: 80, host: example.com}}}";
    let pod = pod.replace("{name: c}", elsewhere);
    assert_eq!(agent("rewrite -f - --add-sidecar", &pod).stdout, pod);
}

#[test]
fn an_object_without_a_name_is_called_by_its_kind() {
    for (metadata, name) in [("generateName: job-", "job-"), ("labels: {}", "Pod")] {
        let pod = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{{metadata}}}\nspec:\n  containers:\n  - name: c\n    \
             readinessProbe: {{tcpSocket: {{port: 1}}}}\n"
        );
        let run = agent("rewrite -f -", &pod);
        assert!(run.stderr.starts_with(&format!("{name}: ")), "{}", run.stderr);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.yaml");
    std::fs::write(&file, format!("{CONFIG_MAP}---\n").repeat(20_000)).unwrap();
    let mut command = process::command(BINARY);
    command.args(["rewrite", "-f"]).arg(file).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let end = child.wait_with_output().unwrap();
    assert_eq!((end.status.code(), String::from_utf8(end.stderr).unwrap().as_str()), (Some(0), ""));
}

#[test]
fn the_agent_is_put_in_and_taken_out() {
    let options =
        "--agent-image agent:1 --agent-resources none --agent-user none --agent-pull-secret key";
    let rewritten = output(&format!("rewrite -f - {options}"), DEPLOYMENT);
    for line in [
        "      - name: app-health-agent\n        args:\n        - serve\n        image: 'agent:1'\n",
        "      imagePullSecrets:\n      - name: key\n",
    ] {
        assert!(rewritten.contains(line), "{rewritten}");
    }
    for absent in ["resources", "runAsUser"] {
        assert!(!rewritten.contains(absent), "{rewritten}");
    }
    assert_eq!(output("restore -f -", &rewritten), DEPLOYMENT);
    assert!(!output("rewrite -f -", DEPLOYMENT).contains("app-health-agent"));
}

/// They are the webhook's: what a manifest comes to is the same in every shell.
#[test]
fn a_rewrite_has_no_variables() {
    let mut command = process::command(BINARY);
    command.args(["rewrite", "-f", "-"]);
    command.env("APP_HEALTH_AGENT_IMAGE", "agent:1").env("APP_HEALTH_AGENT_USER", "root");
    assert_eq!(process::run(&mut command, DEPLOYMENT).stdout, REWRITTEN);
}
