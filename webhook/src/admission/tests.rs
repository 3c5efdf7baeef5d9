//! Reviews as an API server sends them, and what no API server would send.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;
use crate::handler::HandlerKind;
use crate::injection::Filter;
use crate::rewrite::{AgentOptions, STATUS_ANNOTATION, rewrite};

/// A ReplicaSet's pod, defaulted, after Istio's and another injector.
fn review() -> Value {
    let text = include_str!("../../../tests/golden/admission/create-pod.json");
    serde_json::from_str(text).unwrap()
}

fn options() -> Options {
    Options { agent: Some(AgentOptions::new("agent:1")), ..Options::default() }
}

fn admitted(review: &Value) -> Admission {
    admit(review.to_string().as_bytes(), &Task::Rewrite, &options()).unwrap()
}

/// The answer's `response`.
fn response(admission: &Admission) -> Value {
    let mut answer: Value = serde_json::from_str(&admission.body).unwrap();
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(answer["kind"], "AdmissionReview");
    assert_eq!(answer["response"]["allowed"], true);
    answer["response"].take()
}

/// The pod after the answer's patch, applied by the crate json-patch.
fn patched(review: &Value, admission: &Admission) -> Value {
    let response = response(admission);
    assert_eq!(response["patchType"], "JSONPatch");
    let patch = STANDARD.decode(response["patch"].as_str().unwrap()).unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
    let mut pod = review["request"]["object"].clone();
    json_patch::patch(&mut pod, &patch).unwrap();
    pod
}

fn by_the_library(pod: &Value) -> Value {
    let mut patched = pod.clone();
    let rewrite = rewrite(pod, &options()).unwrap();
    crate::patch::apply(&mut patched, &rewrite.patch).unwrap();
    patched
}

#[test]
fn a_pod_is_patched_as_the_library_says() {
    let review = review();
    let admission = admitted(&review);
    let pod = patched(&review, &admission);
    assert_eq!(pod, by_the_library(&review["request"]["object"]));
    assert_eq!(pod["spec"]["containers"][0]["readinessProbe"]["httpGet"]["port"], 15020);
    assert_eq!(pod["spec"]["containers"][3]["name"], "app-health-agent");
    let response = response(&admission);
    assert_eq!(response["uid"], review["request"]["uid"]);
    let stayed = "vault-agent/livenessProbe=host";
    let audited = json!({"probes-rewritten": "3", "probes-stayed": stayed});
    assert_eq!(response["auditAnnotations"], audited);
    let warning =
        "app-health: vault-agent/livenessProbe: it asks the host \"127.0.0.1\"; it stays as it was";
    assert_eq!(response["warnings"], json!([warning]));
    assert_eq!(admission.outcome, ReviewOutcome::Patched);
    assert_eq!((admission.namespace.as_str(), &*admission.name), ("shop", "hello-5d9c7b6f8-"));
    let handlers: Vec<_> = admission.rewritten.iter().map(|report| report.handler).collect();
    let expected = [HandlerKind::HttpGet, HandlerKind::TcpSocket, HandlerKind::HttpGet];
    assert_eq!(handlers, expected.map(Some));
}

#[test]
fn a_second_time_nothing_is_left_to_do() {
    let mut review = review();
    review["request"]["object"] = patched(&review, &admitted(&review));
    let again = admitted(&review);
    assert_eq!(again.outcome, ReviewOutcome::Unchanged);
    let response = response(&again);
    assert_eq!((response.get("patch"), response.get("patchType")), (None, None));
    assert_eq!(response.get("auditAnnotations"), None);
}

#[test]
fn what_is_audited_is_there_only_where_there_is_something_to_say() {
    let probe = |port: Value| json!({"httpGet": {"port": port}});
    let (passes, stays) = (probe(json!(80)), probe(json!("none")));
    for (readiness, liveness, sidecar, audited) in [
        (&passes, &passes, "istio-proxy", json!({"probes-rewritten": "2"})),
        (
            &stays,
            &Value::Null,
            "istio-proxy",
            json!({"probes-stayed": "app/readinessProbe=named_port"}),
        ),
        (
            &stays,
            &passes,
            "istio-proxy",
            json!({"probes-rewritten": "1", "probes-stayed": "app/readinessProbe=named_port"}),
        ),
        (&Value::Null, &Value::Null, "istio-proxy", Value::Null),
        (&passes, &stays, "none", Value::Null),
    ] {
        let mut review = review();
        review["request"]["object"]["spec"]["containers"] = json!([
            {"name": "app", "readinessProbe": readiness, "livenessProbe": liveness},
            {"name": sidecar},
        ]);
        let admission = admitted(&review);
        let response = response(&admission);
        assert_eq!(response["auditAnnotations"], audited, "{readiness} {liveness}");
        let warnings = response.get("warnings").cloned().unwrap_or_else(|| json!([]));
        assert_eq!(warnings, json!(admission.said));
        let stays = [readiness, liveness].contains(&&stays);
        assert_eq!(admission.said.len(), usize::from(stays), "{:?}", admission.said);
    }
}

/// It is audited and counted, but nobody is warned.
#[test]
fn an_exclusion_is_its_users_own_wish() {
    let mut review = review();
    let metadata = &mut review["request"]["object"]["metadata"];
    metadata["annotations"]["app-health/rewrite-exclude"] = json!("vault-agent");
    let admission = admitted(&review);
    let response = response(&admission);
    let stayed = "vault-agent/livenessProbe=excluded";
    let audited = json!({"probes-rewritten": "3", "probes-stayed": stayed});
    assert_eq!(response["auditAnnotations"], audited);
    assert_eq!((response.get("warnings"), admission.said.len()), (None, 0));
    let causes: Vec<_> = admission.warnings.iter().map(|warning| warning.cause).collect();
    assert_eq!(causes, [Cause::Excluded]);
    let mark = patched(&review, &admission)["metadata"]["annotations"][STATUS_ANNOTATION].take();
    assert!(
        mark.as_str().unwrap().contains(r#"{"vault-agent/livenessProbe":"excluded"}"#),
        "{mark}"
    );
}

#[test]
fn a_sidecar_that_comes_later_ends_in_the_same_pod() {
    let whole = review();
    let mut early = review();
    let containers = early["request"]["object"]["spec"]["containers"].as_array_mut().unwrap();
    let sidecar = containers.remove(2);
    let first = admitted(&early);
    assert_eq!(first.outcome, ReviewOutcome::Unchanged);
    assert_eq!(first.warnings[0].cause, Cause::NoSidecar);
    let containers = early["request"]["object"]["spec"]["containers"].as_array_mut().unwrap();
    containers.push(sidecar);
    assert_eq!(patched(&early, &admitted(&early)), patched(&whole, &admitted(&whole)));
}

#[test]
fn a_dry_run_gets_the_same_answer() {
    let mut review = review();
    let body = admitted(&review).body;
    assert!(!admitted(&review).dry_run);
    review["request"]["dryRun"] = json!(true);
    let dry = admitted(&review);
    assert!(dry.dry_run);
    assert_eq!(dry.body, body);
}

#[test]
fn what_is_no_new_pod_is_admitted_untouched() {
    let pod = json!({"group": "", "version": "v1", "kind": "Pod"});
    for (kind, operation, sub_resource) in [
        (&pod, "UPDATE", json!(null)),
        (&pod, "DELETE", json!(null)),
        (&pod, "CONNECT", json!("exec")),
        (&pod, "UPDATE", json!("ephemeralcontainers")),
        (&pod, "CREATE", json!("status")),
        (&pod, "create", json!(null)),
        (&json!({"group": "", "version": "v1", "kind": "ConfigMap"}), "CREATE", json!("")),
        (&json!({"group": "", "version": "v1", "kind": "Binding"}), "CREATE", json!("binding")),
        (&json!({"group": "other.io", "version": "v1", "kind": "Pod"}), "CREATE", json!(null)),
        (&json!({"group": "", "version": "v2", "kind": "Pod"}), "CREATE", json!(null)),
        (&json!({}), "CREATE", json!(null)),
        (&json!(null), "CREATE", json!(null)),
    ] {
        let mut review = review();
        review["request"]["kind"] = kind.clone();
        review["request"]["operation"] = json!(operation);
        review["request"]["subResource"] = sub_resource;
        let admission = admitted(&review);
        assert_eq!(admission.outcome, ReviewOutcome::NotConcerned, "{kind} {operation}");
        let untouched = json!({"uid": review["request"]["uid"], "allowed": true});
        assert_eq!(response(&admission), untouched, "{kind} {operation}");
    }
}

#[test]
fn a_body_that_is_no_review_says_why() {
    let with = |keys: &str, value: Value| {
        let mut review = review();
        match review.pointer_mut(keys) {
            Some(place) => *place = value,
            None => unreachable!("{keys}"),
        }
        review.to_string()
    };
    for (body, says) in [
        (String::new(), "the body is empty"),
        (" ".to_owned(), "EOF"),
        ("hello".to_owned(), "expected value"),
        ("{".to_owned(), "EOF"),
        ("[]".to_owned(), "its kind is \"\""),
        ("null".to_owned(), "a field of the wrong type"),
        ("{}".to_owned(), "its kind is \"\""),
        (review().to_string() + "x", "trailing characters"),
        (with("/kind", json!("Pod")), "its kind is \"Pod\""),
        (with("/kind", json!(7)), "a field of the wrong type"),
        (with("/apiVersion", json!("admission.k8s.io/v1beta1")), "admissionReviewVersions to [v1]"),
        (with("/apiVersion", json!("v1")), "its apiVersion is \"v1\""),
        (with("/request", json!(null)), "it has no request"),
        (with("/request", json!("x")), "a field of the wrong type"),
        (with("/request/uid", json!("")), "it has no uid".trim_start_matches("it ")),
        (with("/request/uid", json!(1)), "a field of the wrong type"),
        (with("/request/operation", json!(["CREATE"])), "a field of the wrong type"),
    ] {
        let error = admit(body.as_bytes(), &Task::Rewrite, &options()).expect_err(says).to_string();
        assert!(error.starts_with("no AdmissionReview: ") && error.contains(says), "{error}");
    }
    let mut no_uid = review();
    no_uid["request"].as_object_mut().unwrap().remove("uid");
    assert!(admit(no_uid.to_string().as_bytes(), &Task::Rewrite, &options()).is_err());
    assert!(admit(b"{\"kind\":\"\xff\"}", &Task::Rewrite, &options()).is_err(), "no UTF-8");
}

#[test]
fn a_pod_with_wrong_types_comes_in_with_a_warning_that_names_the_field() {
    for (field, value) in [
        ("/spec/containers", json!("none")),
        ("/spec/containers/0/name", json!(7)),
        ("/spec/containers/0/readinessProbe", json!([])),
        ("/spec/containers/0/readinessProbe/httpGet/port", json!(1.5)),
        ("/spec/containers/0/livenessProbe/timeoutSeconds", json!("1")),
        ("/spec/containers/2/env", json!({})),
        ("/spec/restartPolicy", json!(true)),
        ("/metadata/annotations/prometheus.io~1scrape", json!(true)),
    ] {
        let mut review = review();
        *review["request"]["object"].pointer_mut(field).unwrap() = value;
        let admission = admitted(&review);
        assert_eq!(admission.outcome, ReviewOutcome::Malformed, "{field}");
        let response = response(&admission);
        assert_eq!(response.get("patch"), None, "{field}");
        let warning = response["warnings"][0].as_str().unwrap();
        assert!(warning.starts_with(&format!("app-health: {field}: ")), "{warning}");
        assert_eq!(admission.name, "hello-5d9c7b6f8-", "{field}");
    }
    for object in [json!(null), json!(7), json!([]), json!("x")] {
        let mut review = review();
        review["request"]["object"] = object;
        let warning = response(&admitted(&review))["warnings"][0].take();
        assert!(warning.as_str().unwrap().starts_with("app-health: request.object: "), "{warning}");
    }
}

#[test]
fn no_depth_is_too_deep() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let text = review().to_string();
    for (place, outcome) in [
        (r#""oldObject":null"#, ReviewOutcome::Patched),
        (r#""status":{}"#, ReviewOutcome::Malformed),
    ] {
        let name = place.split(':').next().unwrap();
        assert!(text.contains(place), "{place}");
        let body = text.replace(place, &format!("{name}:{deep}"));
        let admission = admit(body.as_bytes(), &Task::Rewrite, &options()).unwrap();
        assert_eq!(admission.outcome, outcome, "{place}");
    }
}

#[test]
fn a_large_pod_is_patched_too() {
    let mut review = review();
    let value = json!({"name": "BIG", "value": "é\n\"".repeat(100_000)});
    let env = &mut review["request"]["object"]["spec"]["containers"][0]["env"];
    env.as_array_mut().unwrap().extend([value.clone(), value.clone(), value]);
    review["request"]["oldObject"] = review["request"]["object"].clone();
    assert!(review["request"]["object"].to_string().len() > 1_500_000);
    let pod = patched(&review, &admitted(&review));
    assert_eq!(pod, by_the_library(&review["request"]["object"]));
}

#[test]
fn a_review_that_is_cut_off_lets_its_pod_in_as_it_is() {
    let text = include_str!("../../../tests/golden/admission/create-pod.json");
    // As Go writes it: its fields in order, and no space between them.
    let review: Value = serde_json::from_str(text).unwrap();
    let (uid, request) = (&review["request"]["uid"], review["request"].to_string());
    let written = |uid: &str| {
        format!(
            r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":{uid},{}"#,
            &request[1..]
        )
    };
    let text = written(&uid.to_string());
    for end in [text.len() / 2, text.len()] {
        let admission = admit_too_large(&text.as_bytes()[..end], 1 << 20, &Task::Rewrite).unwrap();
        assert_eq!(admission.outcome, ReviewOutcome::Unchanged);
        assert_eq!(admission.warnings[0].cause, Cause::TooLarge);
        assert_eq!(admission.namespace, "shop");
        let response = response(&admission);
        assert_eq!((&response["uid"], response.get("patch")), (uid, None));
        let warning =
            "app-health: the review is larger than 1024 KiB; the pod's probes stay as they were";
        assert_eq!(response["warnings"], json!([warning]));
    }
    for no_review in ["", "{", &request, &written("7"), &written(r#""a\"b""#)] {
        let error =
            admit_too_large(no_review.as_bytes(), 1 << 20, &Task::Rewrite).unwrap_err().to_string();
        assert!(error.ends_with("the review is larger than 1024 KiB"), "{error}");
    }
}

#[test]
fn a_pod_full_of_small_objects_is_patched() {
    let mut review = review();
    let variable = |i: usize| json!({"name": format!("V{i}"), "value": "x"});
    let variables: Vec<_> = (0..52_000).map(variable).collect();
    review["request"]["object"]["spec"]["containers"][0]["env"] = json!(variables);
    assert_eq!(admitted(&review).outcome, ReviewOutcome::Patched);
}

/// The task, and what becomes of the review's pod.
fn done(task: &Task, review: &Value) -> Admission {
    admit(review.to_string().as_bytes(), task, &options()).unwrap()
}

/// By a revision that no pod has yet.
fn by_filter() -> Task {
    let read_yaml = |text: &str| serde_json::from_str(text).map_err(|error| error.to_string());
    Task::Filter(Filter { revision: "canary".parse().unwrap(), mesh: Arc::default(), read_yaml })
}

/// The pod before Istio's injector has read it.
fn plain_review() -> Value {
    let mut review = review();
    let containers = review["request"]["object"]["spec"]["containers"].as_array_mut().unwrap();
    containers.retain(|container| container["name"] != "istio-proxy");
    review
}

#[test]
fn a_pod_is_given_the_filter_and_its_rewrite_is_switched() {
    for (task, field, set, audited) in [
        (by_filter(), "/metadata/labels/app-health~1filter", "canary", json!({"filter": "given"})),
        (
            Task::Switch,
            "/metadata/annotations/app-health~1rewrite",
            "true",
            json!({"rewrite": "switched"}),
        ),
    ] {
        let mut review = plain_review();
        let admission = done(&task, &review);
        assert_eq!(admission.outcome, ReviewOutcome::Patched);
        assert_eq!((&*admission.namespace, &*admission.name), ("shop", "hello-5d9c7b6f8-"));
        let pod = patched(&review, &admission);
        assert_eq!(pod.pointer(field), Some(&json!(set)));
        assert_eq!(pod["spec"], review["request"]["object"]["spec"], "no probe is touched");
        assert_eq!(response(&admission)["auditAnnotations"], audited);
        review["request"]["object"] = pod;
        let again = done(&task, &review);
        assert_eq!(again.outcome, ReviewOutcome::Unchanged);
        assert_eq!(response(&again).get("auditAnnotations"), None);
    }
}

#[test]
fn a_pod_that_is_left_alone_is_told_of_by_its_task() {
    let injected = done(&by_filter(), &review());
    assert_eq!(injected.outcome, ReviewOutcome::Unchanged);
    let left = response(&injected);
    let warning =
        "app-health: the sidecar istio-proxy is there already; the pod is not given the filter";
    assert_eq!(left["warnings"], json!([warning]));
    assert_eq!(left["auditAnnotations"], json!({"filter": "injected_before"}));

    let mut malformed = plain_review();
    malformed["request"]["object"]["metadata"]["labels"] = json!(7);
    let text = review().to_string().replace(r#""request":{"#, r#""request":{"uid":"7","#);
    for (task, says) in [
        (by_filter(), "the pod is not given the filter"),
        (Task::Switch, "the pod's rewrite is not switched"),
    ] {
        let too_large = admit_too_large(text.as_bytes(), 1 << 20, &task).unwrap();
        for admission in [done(&task, &malformed), too_large] {
            let [warning] = &admission.said[..] else { panic!("one warning") };
            assert!(warning.ends_with(&format!("; {says}")), "{warning}");
            assert_eq!(response(&admission).get("patch"), None);
        }
    }
}
