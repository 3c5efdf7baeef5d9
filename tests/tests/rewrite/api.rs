//! The types of the Kubernetes API, as of 1.37: what a pod may have there is carried, and the
//! variable is written in the same terms.

use std::collections::BTreeMap;

use app_health_webhook::probers::VARIABLE;
use app_health_webhook::rewrite::Options;
use k8s_openapi::api::core::v1::{
    Container, GRPCAction, HTTPGetAction, HTTPHeader, Lifecycle, LifecycleHandler, Pod, PodSpec,
    Probe, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

use super::{restored, rewritten};

fn http(protocol: Option<&str>) -> HTTPGetAction {
    let header = HTTPHeader { name: "A".to_owned(), value: "b".to_owned() };
    HTTPGetAction {
        host: None,
        http_headers: Some(vec![header]),
        path: Some("/path".to_owned()),
        port: IntOrString::Int(8080),
        protocol: protocol.map(str::to_owned),
        scheme: Some("HTTP".to_owned()),
    }
}

fn grpc(mode: Option<&str>) -> GRPCAction {
    let service = Some("my.Service".to_owned());
    GRPCAction { mode: mode.map(str::to_owned), port: 9090, service }
}

fn of_http(protocol: Option<&str>) -> Probe {
    Probe { http_get: Some(http(protocol)), timeout_seconds: Some(3), ..Probe::default() }
}

fn of_grpc(mode: Option<&str>) -> Probe {
    Probe { grpc: Some(grpc(mode)), timeout_seconds: Some(3), ..Probe::default() }
}

/// Every way of asking a port.
fn pod() -> Pod {
    let tcp = TCPSocketAction { host: None, port: IntOrString::Int(2940) };
    let tcp = Probe { tcp_socket: Some(tcp), timeout_seconds: Some(3), ..Probe::default() };
    let hook = LifecycleHandler { http_get: Some(http(Some("HTTP1"))), ..Default::default() };
    let container = |name: &str, probes: [Probe; 3]| {
        let [readiness, liveness, startup] = probes.map(Some);
        Container {
            name: name.to_owned(),
            readiness_probe: readiness,
            liveness_probe: liveness,
            startup_probe: startup,
            ..Container::default()
        }
    };
    let mut a = container("a", [of_http(None), of_http(Some("HTTP1")), of_http(Some("HTTP2"))]);
    a.lifecycle = Some(Lifecycle { post_start: Some(hook), ..Lifecycle::default() });
    let b = container("b", [of_grpc(None), of_grpc(Some("Plaintext")), of_grpc(Some("TLS"))]);
    let c = Container { name: "c".to_owned(), readiness_probe: Some(tcp), ..Container::default() };
    let proxy = Container { name: "istio-proxy".to_owned(), ..Container::default() };
    let spec = PodSpec { containers: vec![a, b, c, proxy], ..PodSpec::default() };
    Pod { spec: Some(spec), ..Pod::default() }
}

/// Fails where the type has no place for something.
fn typed<T: serde::Serialize + serde::de::DeserializeOwned>(value: &Value) -> T {
    let typed = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(&typed).unwrap(), *value);
    typed
}

#[test]
fn all_that_the_api_knows_is_carried_and_given_back() {
    let before = serde_json::to_value(pod()).unwrap();
    let (there, rewrite) = rewritten(&before, &Options::default()).unwrap();
    assert_eq!(rewrite.warnings, vec![]);
    assert_eq!(rewrite.probes.iter().filter(|probe| probe.to.is_ok()).count(), 8);
    let rewritten: Pod = typed(&there);
    let containers = rewritten.spec.as_ref().unwrap().containers.iter();
    for probe in containers.flat_map(|it| [&it.readiness_probe, &it.liveness_probe]).flatten() {
        let http = probe.http_get.as_ref().unwrap();
        assert_eq!((&http.protocol, &http.port), (&None, &IntOrString::Int(15020)));
        assert_eq!(probe.timeout_seconds, Some(3));
    }
    let (back, _) = restored(&there, &Options::default()).unwrap();
    assert_eq!(back, before);
}

#[test]
fn an_entry_of_the_variable_is_a_probe_of_the_api() {
    let before = serde_json::to_value(pod()).unwrap();
    let (there, _) = rewritten(&before, &Options::default()).unwrap();
    let sidecar: Container = typed(&there["spec"]["containers"][3]);
    let variable = sidecar.env.into_iter().flatten().find(|it| it.name == VARIABLE).unwrap();
    let entries: Value = serde_json::from_str(&variable.value.unwrap()).unwrap();
    let entries: BTreeMap<String, Probe> = typed(&entries);
    for (path, probe) in [
        ("/app-health/a/readyz", of_http(None)),
        ("/app-health/a/livez", of_http(Some("HTTP1"))),
        ("/app-health/a/startupz", of_http(Some("HTTP2"))),
        ("/app-health/b/readyz", of_grpc(None)),
        ("/app-health/b/livez", of_grpc(Some("Plaintext"))),
        ("/app-health/b/startupz", of_grpc(Some("TLS"))),
    ] {
        assert_eq!(entries[path], probe, "{path}");
    }
}
