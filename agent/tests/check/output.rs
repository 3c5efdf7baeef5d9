//! What is printed, and the exit codes.

use serde_json::{Value, json};

use crate::{RECORDED, check, chosen, deployment, list, pod, rewritten};

fn warning() -> Value {
    deployment(json!({"readinessProbe": {"tcpSocket": {"port": 1}, "timeoutSeconds": 11}}))
}

#[test]
fn the_exit_code_says_how_bad_it_is() {
    for (objects, args, exit) in [
        (vec![rewritten(RECORDED)], "", 0),
        (vec![warning()], "", 1),
        (vec![warning()], "--fail-on warning", 1),
        (vec![warning()], "--fail-on error", 0),
        (vec![warning(), rewritten("{}")], "", 2),
        (vec![rewritten("{}")], "--fail-on error", 2),
    ] {
        for format in ["table", "json"] {
            let run = check(&format!("-o {format} {args}"), list(&objects));
            assert_eq!(run.exit, exit, "{args} {}", run.stdout);
        }
    }
}

#[test]
fn the_table_has_errors_first_and_says_what_to_do_once() {
    let run = check("", list(&[warning(), rewritten("{}"), rewritten("{}")]));
    assert_eq!(
        run.stdout,
        "\
CODE   SEVERITY  OBJECT               PROBE               FINDING
AH002  error     Pod shop/web-1       web/readinessProbe  ISTIO_KUBE_APP_PROBERS of istio-proxy has no entry
AH002  error     Pod shop/web-1       web/readinessProbe  ISTIO_KUBE_APP_PROBERS of istio-proxy has no entry
AH007  warning   Deployment shop/web  web/readinessProbe  timeoutSeconds 11, periodSeconds 10

AH002: replace the pod; in a manifest, go back to the original probe
AH007: make timeoutSeconds at most periodSeconds

pods and templates: 3, errors: 2, warnings: 1
"
    );
    let run = check("", list(&[rewritten(RECORDED)]));
    assert_eq!(run.stdout, "pods and templates: 1, errors: 0, warnings: 0\n");
}

/// Who changes this raises the version, unless a member is added.
#[test]
fn the_shape_of_the_json() {
    let host = json!({"readinessProbe": {"httpGet": {"port": 80, "host": "other"}}});
    let run = check("-o json", list(&[pod("", host), json!(5), chosen()]));
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        report,
        json!({
            "version": 1,
            "findings": [{
                "code": "AH005",
                "severity": "warning",
                "kind": "Pod",
                "namespace": "shop",
                "name": "web-1",
                "more": 0,
                "container": "web",
                "probe": "readinessProbe",
                "reason": "host",
                "message": "it asks the host \"other\"; it stays as it was",
                "remedy": "see the message; `reason` in the JSON is that of the metric \
                           app_health_warnings_total",
            }],
            "pods": 1,
            "errors": 0,
            "warnings": 1,
            "passed_over": 1,
            "not_looked_at": [
                {"kind": "MutatingWebhookConfiguration", "what": "the webhook's CA"},
            ],
        })
    );
    let run = check("-o json --complete", list(&[chosen()]));
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["findings"], json!([]));
}

#[test]
fn what_was_not_looked_at_is_one_line() {
    let missed = pod("", json!({"readinessProbe": {"httpGet": {"port": 80}}}));
    let labelled = crate::with(&missed, "/metadata/labels", json!({"app-health/filter": "true"}));
    for (args, objects, expected) in [
        ("", vec![missed.clone(), chosen()], "the webhook's CA (no MutatingWebhookConfiguration)"),
        (
            "--complete",
            vec![missed.clone(), missed.clone()],
            "whether 2 pods should have been rewritten (no Namespace)",
        ),
        ("--complete", vec![chosen()], "any pod (no Pod)"),
        (
            "",
            vec![labelled],
            "whether 1 pod should have been rewritten (no Namespace), \
             the webhook's CA (no MutatingWebhookConfiguration), \
             the listener of 1 pod (no EnvoyFilter)",
        ),
    ] {
        let run = check(args, list(&objects));
        assert_eq!(run.stderr, format!("not looked at: {expected}\n"));
    }
    // Nothing is missing for these.
    for objects in [vec![missed.clone(), chosen()], vec![rewritten(RECORDED)]] {
        assert_eq!(check("--complete", list(&objects)).stderr, "");
    }
    let nothing_to_miss = pod("", json!({"readinessProbe": {"exec": {}}}));
    assert_eq!(check("--complete", list(&[nothing_to_miss])).stderr, "");
}

#[test]
fn what_is_found_alike_in_the_pods_of_one_controller_is_one_row() {
    let of = |number: u32, controller: Value| {
        let pod = crate::with(&rewritten("{}"), "/metadata/name", format!("web-{number}").into());
        crate::with(&pod, "/metadata/ownerReferences", json!([{"uid": "0"}, controller]))
    };
    let made_by = |uid: &str| json!({"uid": uid, "controller": true});
    let mut pods: Vec<Value> = (1..=3).map(|number| of(number, made_by("a"))).collect();
    pods.push(of(4, made_by("b")));
    pods.extend([of(5, json!({"uid": "c"})), of(6, json!({"uid": "c"}))]);
    let run = check("", list(&pods));
    let rows = run.stdout.lines().take_while(|line| !line.is_empty()).skip(1);
    let objects: Vec<&str> = rows.filter_map(|row| row.get(17..38)).map(str::trim).collect();
    assert_eq!(
        objects,
        ["Pod shop/web-1 (+2)", "Pod shop/web-4", "Pod shop/web-5", "Pod shop/web-6"],
        "{}",
        run.stdout
    );
    assert!(run.stdout.ends_with("pods and templates: 6, errors: 4, warnings: 0\n"));
    let run = check("-o json", list(&pods));
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["findings"][0]["more"], 2);
}
