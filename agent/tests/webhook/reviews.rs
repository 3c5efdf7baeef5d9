//! Reviews in, patches out; what is no review.

use app_health_tests::api_server::{Connection, Http, review};
use app_health_tests::authority::Authority;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::server::Server;

pub fn parsed() -> Value {
    serde_json::from_str(&review()).unwrap()
}

/// The answer's `response`, of an answer that is one.
pub fn response(body: &str) -> Value {
    let mut answer: Value = serde_json::from_str(body).unwrap();
    assert_eq!(answer["response"]["allowed"], true);
    answer["response"].take()
}

/// The review's pod after the patch of the answer.
pub fn patched(review: &Value, response: &Value) -> Value {
    let patch = STANDARD.decode(response["patch"].as_str().unwrap()).unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
    let mut pod = review["request"]["object"].clone();
    json_patch::patch(&mut pod, &patch).unwrap();
    pod
}

#[tokio::test]
async fn a_pod_is_patched() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    for http in [Http::One, Http::Two] {
        let mut connection = Connection::open(&server, &authority, http).await.unwrap();
        for _ in 0..2 {
            let answer = connection.post(review()).await.unwrap();
            assert_eq!((answer.status, answer.closes), (200, false), "{http:?}");
            let response = response(&answer.body);
            assert_eq!(response["uid"], parsed()["request"]["uid"]);
            assert_eq!(response["auditAnnotations"]["probes-rewritten"], "3");
            let pod = patched(&parsed(), &response);
            let spec = &pod["spec"]["containers"];
            assert_eq!(spec[0]["livenessProbe"]["httpGet"]["path"], "/app-health/hello/livez");
            assert_eq!(spec[3]["image"], "agent:1");
        }
    }
}

/// The fields of Kubernetes 1.37, and one of a later one.
#[tokio::test]
async fn the_fields_of_a_new_kubernetes() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let mut review = parsed();
    let hello = &mut review["request"]["object"]["spec"]["containers"][0];
    hello["readinessProbe"] = json!({"httpGet": {"port": 8080, "protocol": "HTTP2"}});
    hello["livenessProbe"] = json!({"grpc": {"port": 9090, "mode": "TLS"}});
    hello["lifecycle"]["postStart"] = json!({"tcpSocket": {"port": 8080}});
    let later = json!({"httpGet": {"port": 8080, "trailers": true}});
    hello["startupProbe"] = later.clone();
    let mut connection = Connection::open(&server, &authority, Http::Two).await.unwrap();
    let answer = connection.post(review.to_string()).await.unwrap();
    let response = response(&answer.body);
    let pod = patched(&review, &response);
    let hello = &pod["spec"]["containers"][0];
    let rewritten = json!({"path": "/app-health/hello/readyz", "port": 15020});
    assert_eq!(hello["readinessProbe"]["httpGet"], rewritten);
    assert_eq!(hello["startupProbe"], later);
    assert_eq!(hello["lifecycle"]["postStart"], json!({"tcpSocket": {"port": 8080}}));
    let env = pod["spec"]["containers"][2]["env"].to_string();
    for entry in [
        r#"{"httpGet":{"port":8080,"protocol":"HTTP2"}}"#,
        r#"{"grpc":{"port":9090,"service":null,"mode":"TLS"}}"#,
    ] {
        assert!(env.contains(&entry.replace('"', r#"\""#)), "{env}");
    }
    let warnings = response["warnings"].to_string();
    for says in ["httpGet has a member", "trailers", "the kubelet fails every tcpSocket hook"] {
        assert!(warnings.contains(says), "{warnings}");
    }
    for reason in ["unknown_member", "tcp_hook"] {
        let metric = format!("app_health_warnings_total{{reason=\"{reason}\"}}");
        assert_eq!(server.metric(&metric), 1.0, "{metric}");
    }
}

#[tokio::test]
async fn other_requests_get_what_fits() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let mut config_map = parsed();
    config_map["request"]["kind"]["kind"] = json!("ConfigMap");
    let mut wrong_type = parsed();
    wrong_type["request"]["object"]["spec"]["containers"][0]["ports"] = json!(7);
    let beta = review().replace("admission.k8s.io/v1\"", "admission.k8s.io/v1beta1\"");
    // No more, since on a busy machine it has to come within the 3 s that a request has.
    let large = "x".repeat(2 << 20);
    for http in [Http::One, Http::Two] {
        let mut connection = Connection::open(&server, &authority, http).await.unwrap();
        for (method, path, body, status, says) in [
            ("GET", "/mutate", "", 405, "only POST"),
            ("POST", "/", "{}", 404, "only /mutate"),
            ("POST", "/healthz", "{}", 404, "only /mutate"),
            ("POST", "/mutate", "", 400, "the body is empty"),
            ("POST", "/mutate", "hello", 400, "no AdmissionReview: expected value"),
            ("POST", "/mutate", &beta, 400, "v1beta1"),
            (
                "POST",
                "/mutate",
                &review().replace("\"uid\": \"705", "\"id\": \"705"),
                400,
                "no uid",
            ),
            ("POST", "/mutate", &config_map.to_string(), 200, "\"allowed\":true}}"),
            ("POST", "/mutate", &wrong_type.to_string(), 200, "/spec/containers/0/ports: expected"),
            ("POST", "/mutate", &large, 400, "larger than 1024 KiB"),
        ] {
            let answer = connection.send(method, path, body.to_owned()).await.unwrap();
            let shown = (&answer.body, method, path, http);
            assert_eq!(answer.status, status, "{shown:?}");
            assert!(answer.body.contains(says), "{shown:?}");
            if answer.closes {
                connection = Connection::open(&server, &authority, http).await.unwrap();
            }
        }
        connection = Connection::open(&server, &authority, http).await.unwrap();
        assert_eq!(connection.post(review()).await.unwrap().status, 200);
    }
}

/// A review with a pod of so many bytes and some more.
fn large(bytes: usize) -> String {
    let mut large = parsed();
    let env = large["request"]["object"]["spec"]["containers"][0]["env"].as_array_mut().unwrap();
    env.push(json!({"name": "BIG", "value": "\u{e9}\n".repeat(bytes / 4)}));
    as_go_writes(large)
}

/// Its fields in the order of their declaration, with no space between them.
pub fn as_go_writes(mut review: Value) -> String {
    let (uid, request) = (review["request"]["uid"].take(), review["request"].to_string());
    let request = request.replacen(r#""uid":null"#, r#""userInfo":{}"#, 1);
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":{uid},{}}}"#,
        &request[1..]
    )
}

#[tokio::test]
async fn a_large_pod_is_patched_and_a_larger_one_comes_in_as_it_is() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    for http in [Http::One, Http::Two] {
        let mut connection = Connection::open(&server, &authority, http).await.unwrap();
        for (bytes, is_patched) in [(1_000_000, true), (1 << 20, false), (3 << 20, false)] {
            let answer = connection.post(large(bytes)).await.unwrap();
            let response = response(&answer.body);
            assert_eq!(response["uid"], parsed()["request"]["uid"], "{bytes}");
            assert_eq!(response["patch"].is_string(), is_patched, "{bytes}");
            let warning = "app-health: the review is larger than 1024 KiB; the pod's probes stay as they were";
            assert_eq!(response["warnings"][0] == warning, !is_patched, "{}", response["warnings"]);
        }
    }
    assert_eq!(server.metric("app_health_warnings_total{reason=\"too_large\"}"), 4.0);
    server.wait_for("shop/: 0 probes rewritten; warnings: the review is larger than 1024 KiB");
}
