//! Health, readiness, metrics, log lines.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

use app_health_tests::api_server::{Connection, Http, review};
use app_health_tests::authority::Authority;
use app_health_tests::{poll, usage};
use nix::sys::resource::{Resource, getrlimit};
use serde_json::{Value, json};

use crate::server::Server;

#[test]
fn the_plain_port_serves_three_paths() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    assert_eq!(server.get("/healthz"), Some((200, "ok".to_owned())));
    assert_eq!(server.get("/readyz?verbose"), Some((200, "ok".to_owned())));
    for (request, status) in [
        ("GET /metrics", 200),
        ("HEAD /healthz", 200),
        ("POST /healthz", 405),
        ("POST /mutate", 404),
        ("GET /", 404),
        ("GET /debug/pprof", 404),
    ] {
        let request = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert_eq!(server.plain(&request).unwrap().0, status, "{request}");
    }
}

#[tokio::test]
async fn an_admission_is_counted_and_logged_without_its_content() {
    let authority = Authority::new();
    let server = Server::with(&authority, &["--log-format", "json"]);
    let mut connection = Connection::open(&server, &authority, Http::Two).await.unwrap();
    connection.post(review()).await.unwrap();
    connection.post("{}").await.unwrap();
    for (metric, value) in [
        ("app_health_admissions_total{result=\"patched\",task=\"rewrite\"}", 1.0),
        ("app_health_admissions_total{result=\"refused\",task=\"rewrite\"}", 1.0),
        ("app_health_probes_rewritten_total{handler=\"tcpSocket\",kind=\"livenessProbe\"}", 1.0),
        ("app_health_warnings_total{reason=\"host\"}", 1.0),
        ("app_health_admission_duration_seconds_count", 2.0),
    ] {
        assert_eq!(server.metric(metric), value, "{metric}");
    }
    let days = 24.0 * 3600.0;
    let now = time::OffsetDateTime::now_utc().unix_timestamp() as f64;
    let left = server.metric("app_health_certificate_expiry_timestamp_seconds") - now;
    assert!(left > 89.0 * days && left < 91.0 * days, "{left}");
    let age = now - server.metric("app_health_certificate_start_timestamp_seconds");
    assert!(age > 0.9 * days && age < 2.0 * days, "{age}");

    let line: Value = serde_json::from_str(&server.wait_for("probes rewritten")).unwrap();
    let warning = "vault-agent/livenessProbe: it asks the host \"127.0.0.1\"; it stays as it was";
    assert_eq!(line["namespace"], "shop");
    assert_eq!(line["name"], "hello-5d9c7b6f8-");
    assert_eq!((&line["probes"], &line["dryRun"]), (&json!(3), &json!(false)));
    assert_eq!(line["warnings"], json!([warning]));
    assert_eq!(line["level"], "info");
    for secret in ["registry.example", "/ready", "vault:1.20", "LEVEL"] {
        assert!(!server.log().contains(secret), "{secret}");
    }
}

#[test]
fn the_process_has_metrics_of_its_own() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let began = now();
    let server = Server::start(&Authority::new());
    let metric = |name: &str| server.metric(&format!("process_{name}"));
    let started = metric("start_time_seconds");
    assert!(began <= started && started <= now(), "{began} {started}");

    let before = usage::processor_time(server.id()).as_secs_f64();
    let time = metric("cpu_seconds_total");
    let after = usage::processor_time(server.id()).as_secs_f64();
    assert!(before <= time && time <= after, "{before} {time} {after}");

    let memory = usage::memory(server.id()) * 1024.0 * 1024.0;
    let resident = metric("resident_memory_bytes");
    assert!(resident > 0.5 * memory && resident < 2.0 * memory, "{resident} {memory}");
    assert!(metric("virtual_memory_bytes") > resident);

    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    assert_eq!(metric("max_fds"), most as f64);
    // Those of connections before this one go sooner or later.
    poll::until("as many descriptors as it has", || {
        let mut asking = TcpStream::connect(server.status).unwrap();
        asking.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut lines = BufReader::new(&asking).lines().map(Result::unwrap);
        let open = lines.find_map(|line| line.strip_prefix("process_open_fds ")?.parse().ok());
        open == Some(usage::descriptors(server.id()) as f64)
    });

    let threads = fs::read_dir(format!("/proc/{}/task", server.id())).unwrap().count();
    assert_eq!(metric("threads"), threads as f64);
    let (_, text) = server.get("/metrics").unwrap();
    for line in ["# TYPE process_cpu_seconds_total counter", "# TYPE process_open_fds gauge"] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn a_pod_that_needs_nothing_is_not_logged() {
    let authority = Authority::new();
    let server = Server::with(&authority, &["--default-rewrite", "false"]);
    let mut connection = Connection::open(&server, &authority, Http::One).await.unwrap();
    let answer = connection.post(review()).await.unwrap();
    assert!(!answer.body.contains("patch"), "{}", answer.body);
    assert_eq!(
        server.metric("app_health_admissions_total{result=\"unchanged\",task=\"rewrite\"}"),
        1.0
    );
    assert_eq!(server.log().lines().count(), 1, "{}", server.log());
}

#[tokio::test]
async fn a_log_line_is_short_whatever_is_sent() {
    let authority = Authority::new();
    let long = "A".repeat(100_000);
    let probe = |i: usize, port: &str| json!({"name": format!("c{i}"), "image": "a", "readinessProbe": {"httpGet": {"port": port}}});
    let mut containers: Vec<_> = (0..8_000).map(|i| probe(i, "none")).collect();
    containers[0]["readinessProbe"]["httpGet"]["port"] = json!(8080);
    containers.push(json!({"name": "istio-proxy"}));
    let mut pod: Value = serde_json::from_str(&review()).unwrap();
    pod["request"]["namespace"] = long.clone().into();
    pod["request"]["object"]["metadata"]["generateName"] = long.clone().into();
    pod["request"]["object"]["spec"]["containers"] = containers.into();
    let reviewed = |request: &str| {
        format!(r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview",{request}}}"#)
    };
    for format in ["text", "json"] {
        let server = Server::with(&authority, &["--log-format", format]);
        let mut connection = Connection::open(&server, &authority, Http::Two).await.unwrap();
        for (body, status) in [
            (json!({"kind": long}).to_string(), 400),
            (json!({"kind": "AdmissionReview", "apiVersion": long}).to_string(), 400),
            (reviewed(r#""request":"token=s3cret""#), 400),
            (reviewed(&format!(r#""request":{{"dryRun":"token=s3cret{long}"}}"#)), 400),
            (pod.to_string(), 200),
        ] {
            let answer = connection.post(body).await.unwrap();
            assert_eq!(answer.status, status);
            assert!(status == 200 || answer.body.len() < 300, "{}", answer.body.len());
        }
        let line = server.wait_for("1 probes rewritten");
        assert!(line.contains("more warnings are left out"), "{line}");
        let log = server.log();
        assert_eq!(log.lines().count(), 6);
        assert!(log.lines().all(|line| line.len() < 10_000 && !line.contains("s3cret")));
    }
}
