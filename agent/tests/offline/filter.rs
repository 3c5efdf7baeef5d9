//! `rewrite --filter`: what pods need to take the filter.

use app_health_tests::manifest::text_to_json;
use serde_json::{Value, json};

use crate::{CONFIG_MAP, agent, output};

const PLAIN: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: hello}
spec:
  template:
    metadata:
      labels: {app: hello}
      annotations:
        proxy.istio.io/config: |
          concurrency: 2   # of their own
          extraStatTags: [mine]
    spec:
      containers:
      - name: app
        image: app:1
        readinessProbe: {httpGet: {port: 8080}}
";

/// What becomes of the pod template.
fn template(manifest: &str) -> Value {
    text_to_json(manifest)["spec"]["template"].take()
}

#[test]
fn a_deployment_gets_label_and_annotations() {
    for (flag, revision) in [("--filter", "true"), ("--filter=canary-1", "canary-1")] {
        let made = output(&format!("rewrite -f - {flag}"), PLAIN);
        let mut after = template(&made);
        let annotations = &mut after["metadata"]["annotations"];
        let config = annotations["proxy.istio.io/config"].take();
        let config: Value = serde_json::from_str(config.as_str().unwrap()).unwrap();
        assert_eq!(config["concurrency"], 2);
        assert_eq!(config["statusPort"], 15019);
        let tags = json!(["mine", "app_container", "probe", "result", "by"]);
        assert_eq!(config["extraStatTags"], tags);
        assert_eq!(annotations["traffic.sidecar.istio.io/excludeInboundPorts"], "15019");
        let labels = json!({"app": "hello", "app-health/filter": revision});
        assert_eq!(after["metadata"]["labels"], labels);
        assert_eq!(after["spec"], template(PLAIN)["spec"]);
        assert_eq!(output(&format!("rewrite -f - {flag}"), &made), made, "a second time");
    }
}

#[test]
fn the_rest_of_a_file_stays_as_it_stands() {
    let labelled = PLAIN.replace("app: hello", "app-health/filter: \"false\"");
    let input = format!("{CONFIG_MAP}---\n{labelled}");
    assert_eq!(output("rewrite -f - --filter", &input), input);
    let patch = output("rewrite -f - --filter -o patch", &input);
    assert_eq!(patch.matches("\"patch\":[]").count(), 2, "{patch}");
}

#[test]
fn what_the_mesh_sets_is_repeated() {
    let mesh =
        r#"--proxy-config={"runtimeValues":{"mesh":"a"}} --exclude-inbound-ports=+9000,0080"#;
    let after = template(&output(&format!("rewrite -f - --filter {mesh}"), PLAIN));
    let annotations = &after["metadata"]["annotations"];
    let config = annotations["proxy.istio.io/config"].as_str().unwrap();
    let config: Value = serde_json::from_str(config).unwrap();
    assert_eq!(config["runtimeValues"]["mesh"], "a");
    assert_eq!(annotations["traffic.sidecar.istio.io/excludeInboundPorts"], "9000,80,15019");
}

/// It is for probes alone.
#[test]
fn restore_says_that_it_leaves_the_filter() {
    let made = output("rewrite -f - --filter", PLAIN);
    let run = agent("restore -f -", &made);
    assert_eq!((run.exit, run.stdout), (0, made));
    let says = "hello: label app-health/filter: it stays, as do the annotations for the filter";
    assert_eq!(run.stderr, format!("{says}: restore gives back probes alone\n"));
    for plain in [PLAIN, &PLAIN.replace("app: hello", "app-health/filter: \"false\"")] {
        let run = agent("restore -f -", plain);
        assert_eq!((run.exit, run.stdout, run.stderr), (0, plain.to_owned(), String::new()));
    }
}

#[test]
fn a_config_that_cannot_be_merged_with_gets_one_line() {
    let config = "concurrency: 2   # of their own\n          extraStatTags: [mine]";
    let long = format!("a: {}", "x".repeat(200 << 10));
    for (text, says) in [
        ("a: b: c", "line 1: not YAML: mapping values are not allowed"),
        ("a: &x [b]\n          c: *x", "line 2: no alias is taken here"),
        ("a: b\n          ---\n          c: d", "line 2: a second document"),
        ("- a", "expected an object, not an array"),
        ("statusPort: 15021", "statusPort is 15021, not 15019"),
        (&long, "200 KiB, more than a sidecar takes"),
    ] {
        let input = PLAIN.replace(config, text);
        let run = agent("rewrite -f - --filter", &input);
        assert_eq!((run.exit, run.stdout), (0, input), "{says}");
        let line = format!("hello: annotation proxy.istio.io/config: {says}");
        assert!(run.stderr.starts_with(&line), "{}", run.stderr);
        assert!(run.stderr.ends_with("; the pod is not given the filter\n"), "{}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    }
}
