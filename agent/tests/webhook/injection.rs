//! Reviews of pods that Istio's injector is yet to read: each task by its path.

use app_health_tests::api_server::{Connection, Http, review};
use app_health_tests::authority::Authority;
use serde_json::{Value, json};

use crate::reviews::{as_go_writes, parsed, patched, response};
use crate::server::Server;

const CONFIG: &str = "proxy.istio.io/config";

/// A review of a pod without a sidecar, and with this annotation.
fn plain(name: &str, text: &str) -> Value {
    let mut review = parsed();
    let pod = &mut review["request"]["object"];
    let containers = pod["spec"]["containers"].as_array_mut().unwrap();
    containers.retain(|container| container["name"] != "istio-proxy");
    pod["metadata"]["annotations"][name] = text.into();
    review
}

/// What is answered to it.
async fn ask(connection: &mut Connection, path: &str, review: &Value) -> Value {
    let answer = connection.send("POST", path, review.to_string()).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    response(&answer.body)
}

#[tokio::test]
async fn a_pod_is_given_the_filter_of_the_revision_in_the_path() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let mut connection = Connection::open(&server, &authority, Http::Two).await.unwrap();
    let yaml = "concurrency: 2 # of its own\nproxyStatsMatcher:\n  inclusionPrefixes: [mine]\n";
    let review = plain(CONFIG, yaml);
    for revision in ["true", "canary-1.2"] {
        let path = format!("/mutate/filter/{revision}");
        let pod = patched(&review, &ask(&mut connection, &path, &review).await);
        assert_eq!(pod["metadata"]["labels"]["app-health/filter"], revision);
        let annotations = &pod["metadata"]["annotations"];
        assert_eq!(annotations["traffic.sidecar.istio.io/excludeInboundPorts"], "15019");
        let config: Value = serde_json::from_str(annotations[CONFIG].as_str().unwrap()).unwrap();
        assert_eq!((&config["concurrency"], &config["statusPort"]), (&json!(2), &json!(15019)));
        let prefixes = &config["proxyStatsMatcher"]["inclusionPrefixes"];
        assert_eq!(
            prefixes,
            &json!([
                "mine",
                "http.app_health.",
                "cluster.app_health_pilot_agent_probes.upstream_rq_total"
            ])
        );
        assert_eq!(pod["spec"], review["request"]["object"]["spec"]);
    }
    server.wait_for("shop/hello-5d9c7b6f8-: given the filter");
    let counted = r#"app_health_admissions_total{result="patched",task="filter"}"#;
    assert_eq!(server.metric(counted), 2.0);
}

#[tokio::test]
async fn a_config_that_cannot_be_merged_with_gets_one_line_and_its_pod_comes_in() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let mut connection = Connection::open(&server, &authority, Http::Two).await.unwrap();
    let long = format!("a: {}", "x".repeat(200 << 10));
    for (text, says) in [
        ("a: &x 1\nb: *x\n", "line 2: no alias is taken here"),
        ("a: b: c", "line 1: not YAML"),
        ("a: b\n---\nc: d\n", "line 2: a second document"),
        ("[]", "expected an object, not an array"),
        (&long, "200 KiB, more than a sidecar takes"),
    ] {
        let mut review = plain(CONFIG, text);
        review["request"]["object"]["metadata"]["labels"]["app-health/filter"] = "true".into();
        let left = ask(&mut connection, "/mutate/filter/true", &review).await;
        assert_eq!(left.get("patch"), None, "its own label stays, too");
        let [warning] = &left["warnings"].as_array().unwrap()[..] else { panic!("{left}") };
        let warning = warning.as_str().unwrap();
        let begins = format!("app-health: annotation proxy.istio.io/config: {says}");
        assert!(warning.starts_with(&begins), "{warning}");
        server.wait_for(&format!("not given the filter; warnings: annotation {CONFIG}: {says}"));
    }
    let counted = r#"app_health_admissions_total{result="unchanged",task="filter"}"#;
    assert_eq!(server.metric(counted), 5.0);
    assert_eq!(server.metric(r#"app_health_warnings_total{reason="annotation"}"#), 5.0);
}

#[tokio::test]
async fn the_rewrite_is_switched() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let mut connection = Connection::open(&server, &authority, Http::Two).await.unwrap();
    let review = plain("a", "b");
    let pod = patched(&review, &ask(&mut connection, "/mutate/switch", &review).await);
    let annotations = &pod["metadata"]["annotations"];
    assert_eq!(annotations["sidecar.istio.io/rewriteAppHTTPProbers"], "false");
    assert_eq!(annotations["app-health/rewrite"], "true");
    server.wait_for("shop/hello-5d9c7b6f8-: rewrite switched");

    let chosen = plain("sidecar.istio.io/rewriteAppHTTPProbers", "true");
    assert_eq!(ask(&mut connection, "/mutate/switch", &chosen).await.get("patch"), None);
    for result in ["patched", "unchanged"] {
        let counted = format!("app_health_admissions_total{{result=\"{result}\",task=\"switch\"}}");
        assert_eq!(server.metric(&counted), 1.0);
    }
}

/// The rewrite could not read it once it has its sidecar, and Istio's would be off.
#[tokio::test]
async fn the_rewrite_of_a_pod_that_is_nearly_too_large_is_not_switched() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let mut connection = Connection::open(&server, &authority, Http::Two).await.unwrap();
    for (length, is_switched) in [(896 << 10, true), ((896 << 10) + 1, false)] {
        let others = as_go_writes(plain("a", "")).len();
        let review = as_go_writes(plain("a", &"x".repeat(length - others)));
        assert_eq!(review.len(), length);
        let answer = connection.send("POST", "/mutate/switch", review).await.unwrap();
        let answer = response(&answer.body);
        assert_eq!(answer.get("patch").is_some(), is_switched);
        let warning =
            "app-health: the review is larger than 896 KiB; the pod's rewrite is not switched";
        assert_eq!(answer.get("warnings").is_none(), is_switched);
        assert!(is_switched || answer["warnings"] == json!([warning]), "{answer}");
    }
}

#[tokio::test]
async fn what_the_mesh_sets_is_repeated() {
    let authority = Authority::new();
    let yaml = "proxyStatsMatcher: {inclusionRegexps: [mesh]} # all pods\n";
    let arguments = ["--proxy-config", yaml, "--exclude-inbound-ports", "9000, 9001"];
    let server = Server::with(&authority, &arguments);
    let mut connection = Connection::open(&server, &authority, Http::Two).await.unwrap();
    let review = plain("a", "b");
    let answer = ask(&mut connection, "/mutate/filter/true", &review).await;
    let annotations = patched(&review, &answer)["metadata"]["annotations"].take();
    let config: Value = serde_json::from_str(annotations[CONFIG].as_str().unwrap()).unwrap();
    assert_eq!(config["proxyStatsMatcher"]["inclusionRegexps"], json!(["mesh"]));
    assert_eq!(annotations["traffic.sidecar.istio.io/excludeInboundPorts"], "9000,9001,15019");
}

#[tokio::test]
async fn what_is_no_revision_is_no_path() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let mut connection = Connection::open(&server, &authority, Http::Two).await.unwrap();
    for (path, status) in [
        ("/mutate/filter", 404),
        ("/mutate/filter/", 404),
        ("/mutate/filter/false", 404),
        ("/mutate/filter/a/b", 404),
        ("/mutate/filter/-a", 404),
        ("/mutate/filter/a%20b", 404),
        ("/mutate/switch/", 404),
        ("/mutate/", 404),
        ("/mutate/switch", 200),
        ("/mutate/filter/a?timeout=5s", 200),
    ] {
        let answer = connection.send("POST", path, review()).await.unwrap();
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
    }
    let answer = connection.send("GET", "/mutate/switch", String::new()).await.unwrap();
    assert_eq!(answer.status, 405);
}

/// Each task is asked for twice of a pod, before and after the sidecar is there.
#[tokio::test]
async fn of_a_webhook_that_is_installed_twice_the_second_changes_nothing() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let mut connection = Connection::open(&server, &authority, Http::Two).await.unwrap();
    for (path, mut review) in [
        ("/mutate/filter/true", plain("a", "b")),
        ("/mutate/switch", plain("a", "b")),
        ("/mutate", parsed()),
    ] {
        let first = ask(&mut connection, path, &review).await;
        review["request"]["object"] = patched(&review, &first);
        let second = ask(&mut connection, path, &review).await;
        assert_eq!(second.get("patch"), None, "{path}");
        assert_eq!(second.get("warnings"), first.get("warnings"), "{path}");
        assert_eq!(second["allowed"], true);
    }
}
