//! The variable and the plugin configuration: what happens before the first probe.

use app_health_tests::manifest;

use super::{
    HTTP, HTTP2, PRESTOPZ, READYZ, assert_failure, assert_status, get, probe, unasked, variable,
};
use crate::host::app::App;
use crate::host::headers::Headers;
use crate::host::hostcalls::stubs::STUBS;
use crate::host::state::LogLevel;
use crate::host::{Host, module};

/// The filter imports environment and clock of WASI, and of proxy-wasm all that the SDK does. Envoy
/// refuses a filter that imports a function which Envoy does not have.
#[test]
fn imports() {
    assert_eq!(
        module::imports(),
        [
            "env.proxy_add_header_map_value",
            "env.proxy_call_foreign_function",
            "env.proxy_close_stream",
            "env.proxy_continue_stream",
            "env.proxy_define_metric",
            "env.proxy_dequeue_shared_queue",
            "env.proxy_done",
            "env.proxy_enqueue_shared_queue",
            "env.proxy_get_buffer_bytes",
            "env.proxy_get_current_time_nanoseconds",
            "env.proxy_get_header_map_pairs",
            "env.proxy_get_header_map_value",
            "env.proxy_get_log_level",
            "env.proxy_get_metric",
            "env.proxy_get_property",
            "env.proxy_get_shared_data",
            "env.proxy_get_status",
            "env.proxy_grpc_call",
            "env.proxy_grpc_cancel",
            "env.proxy_grpc_close",
            "env.proxy_grpc_send",
            "env.proxy_grpc_stream",
            "env.proxy_http_call",
            "env.proxy_increment_metric",
            "env.proxy_log",
            "env.proxy_record_metric",
            "env.proxy_register_shared_queue",
            "env.proxy_remove_header_map_value",
            "env.proxy_replace_header_map_value",
            "env.proxy_resolve_shared_queue",
            "env.proxy_send_local_response",
            "env.proxy_set_buffer_bytes",
            "env.proxy_set_effective_context",
            "env.proxy_set_header_map_pairs",
            "env.proxy_set_property",
            "env.proxy_set_shared_data",
            "env.proxy_set_tick_period_milliseconds",
            "wasi_snapshot_preview1.clock_time_get",
            "wasi_snapshot_preview1.environ_get",
            "wasi_snapshot_preview1.environ_sizes_get",
        ]
    );
}

/// The functions that Envoy lets the filter call, or calls of it.
fn allowed() -> Vec<String> {
    let bootstrap = manifest::bootstrap();
    let filters = &bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"];
    let wasm = &filters[0]["typed_config"]["http_filters"][1]["typed_config"]["config"];
    let functions = &wasm["capability_restriction_config"]["allowed_capabilities"];
    functions.as_object().expect("a map").keys().cloned().collect()
}

/// All tests in the emulator hold that it calls no other.
#[test]
fn envoy_allows_what_the_filter_calls_and_no_more() {
    let (back, mut calls): (Vec<_>, Vec<_>) =
        allowed().into_iter().partition(|name| name.starts_with("proxy_on_"));
    let imports = module::imports();
    let names = imports.iter().filter_map(|import| import.split_once('.'));
    let mut called: Vec<_> =
        names.map(|(_, name)| name).filter(|name| !STUBS.contains(name)).collect();
    calls.sort();
    called.sort_unstable();
    assert_eq!(calls, called);
    for name in back {
        assert!(module::filter().get_export(&name).is_some(), "the filter has no {name}");
    }
}

/// The plugin configuration may be updated while a probe is under way.
#[test]
fn a_probe_in_flight_keeps_its_configuration() {
    let mut host = Host::with_probers(variable(HTTP));
    let id = host.request(get(READYZ));
    host.state_mut().env.clear();
    host.configure();
    host.respond(id, Headers::of([(":status", "204")]), true);
    let answer = host.stream(id).response().expect("a response");
    assert_eq!(answer.status(), 204);
    assert_failure("the next", &host.run(get(READYZ), unasked), 400, READYZ);
}

#[test]
fn nothing_recorded() {
    let unset = Host::builder().build();
    let hosts = ["", "{}", "null", " {} "].map(Host::with_probers);
    for mut host in hosts.into_iter().chain([unset]) {
        for path in [READYZ, PRESTOPZ] {
            assert_failure(path, &host.run(get(path), unasked), 400, path);
        }
        assert_eq!(host.take_log(LogLevel::Error), [""; 0]);
    }
}

#[test]
fn a_variable_that_is_no_json_object() {
    let nested = "[".repeat(1 << 20);
    let nested_entry = format!(r#"{{"{READYZ}":{}"#, r#"{"x":"#.repeat(1 << 18));
    for variable in [
        b"x".as_slice(),
        b"{",
        b"[]",
        b"[{}]",
        b"1",
        b"\"{}\"",
        b"true",
        b"{}{}",
        b"{} x",
        b"{\"/app-health/app/readyz\":{\"tcpSocket\":{\"port\":1}}",
        b"{\"/app-health/app/readyz\":{\"tcpSocket\":{\"port\":1}},}",
        b"{'a':1}",
        b"{\"\xff\":1}",
        b"\xef\xbb\xbf{}",
        nested.as_bytes(),
        nested_entry.as_bytes(),
    ] {
        let mut host = Host::with_probers(variable);
        let name = String::from_utf8_lossy(&variable[..variable.len().min(60)]).into_owned();
        for path in [READYZ, "/app-health/other/livez", PRESTOPZ] {
            let probe = host.run(get(path), unasked);
            assert_failure(&name, &probe, 500, "ISTIO_KUBE_APP_PROBERS");
        }
        assert_eq!(host.take_log(LogLevel::Error).len(), 1, "{name}");
        let other = host.request(get("/healthz/ready"));
        assert_eq!(host.stream(other).destination(), None, "other routes are served");
    }
}

#[test]
fn an_entry_that_is_not_valid_harms_no_other() {
    for (entry, why) in [
        ("null", ""),
        ("[]", ""),
        ("1", ""),
        ("\"x\"", ""),
        ("{}", "httpGet"),
        (r#"{"exec":{"command":["x"]}}"#, "httpGet"),
        (r#"{"httpGet":null}"#, "httpGet"),
        (r#"{"timeoutSeconds":1}"#, "httpGet"),
        (r#"{"httpGet":{"port":80},"tcpSocket":{"port":80}}"#, "more than one"),
        (r#"{"tcpSocket":{"port":80},"grpc":{"port":80}}"#, "more than one"),
        (r#"{"httpGet":{}}"#, "port"),
        (r#"{"httpGet":{"port":0}}"#, "port"),
        (r#"{"httpGet":{"port":65536}}"#, "65536"),
        (r#"{"httpGet":{"port":-1}}"#, "-1"),
        (r#"{"httpGet":{"port":"80"}}"#, "port"),
        (r#"{"httpGet":{"port":80.5}}"#, "port"),
        (r#"{"httpGet":{"port":99999999999999999999}}"#, "port"),
        (r#"{"httpGet":{"port":80,"path":1}}"#, "path"),
        (r#"{"httpGet":{"port":80,"scheme":"FTP"}}"#, "scheme"),
        (r#"{"httpGet":{"port":80,"httpHeaders":{}}}"#, "httpHeaders"),
        (r#"{"httpGet":{"port":80},"timeoutSeconds":-1}"#, "timeoutSeconds"),
        (r#"{"httpGet":{"port":80},"timeoutSeconds":"1"}"#, "timeoutSeconds"),
        (r#"{"tcpSocket":{"port":70000}}"#, "70000"),
        (r#"{"tcpSocket":{}}"#, "port"),
        (r#"{"grpc":{"port":0,"service":null}}"#, "port"),
        (r#"{"grpc":{"port":80,"service":1}}"#, "service"),
        (r#"{"grpc":[]}"#, "grpc"),
    ] {
        let variable = format!(r#"{{"{READYZ}":{entry},"/app-health/b/livez":{HTTP}}}"#);
        let mut host = Host::with_probers(variable);
        let logged = host.take_log(LogLevel::Error).join("\n");
        assert!(logged.contains(READYZ) && logged.contains(why), "{entry}: {logged:?}");
        let probe = host.run(get(READYZ), unasked);
        assert_failure(entry, &probe, 500, why);
        let other = host.run(get("/app-health/b/livez"), |_| App::answers(204));
        assert_status(entry, &other, 204);
    }
}

#[test]
fn what_an_entry_may_hold_besides() {
    for entry in [
        r#"{"httpGet":{"port":8080},"periodSeconds":3,"x":{"y":[1,null,"z"]}}"#,
        r#"{"httpGet":{"port":8080,"x":1,"host":"1.2.3.4","httpHeaders":null,"path":null}}"#,
        r#"{"HTTPGET":{"Port":8080}}"#,
        r#"{"httpGet":{"port":8080},"tcpSocket":null,"grpc":null,"timeoutSeconds":null}"#,
        r#"{"httpGet":{"port":8080,"scheme":"http","path":""}}"#,
        r#"{"\u0068ttpGet":{"port":8080}}"#,
    ] {
        let probe = probe(entry, |_| App::answers(204));
        assert_status(entry, &probe, 204);
        assert_eq!(probe.urls(), ["http://10.0.0.7:8080/"], "{entry}");
    }
}

#[test]
fn a_key_that_is_no_probe_path_is_logged_and_never_answered() {
    for key in ["/", "x", "", "/healthz", "/app-health/a/b/readyz", "/app-health/a/prestopz"] {
        let mut host = Host::with_probers(format!(r#"{{"{key}":{HTTP},"{READYZ}":{HTTP}}}"#));
        let logged = host.take_log(LogLevel::Error).join("\n");
        assert!(logged.contains(key), "{key}: {logged:?}");
        assert_status(key, &host.run(get(READYZ), |_| App::answers(200)), 200);
        if key.starts_with("/app-health/") {
            assert_eq!(host.run(get(key), unasked).status(), 400, "{key}");
        } else {
            let stream = host.request(get(key));
            assert_eq!(host.stream(stream).destination(), None, "{key}");
        }
    }
}

#[test]
fn of_a_key_that_is_there_twice_the_last_counts() {
    let other = HTTP.replace("8080", "81");
    let mut host = Host::with_probers(format!(r#"{{"{READYZ}":{other},"{READYZ}":{HTTP}}}"#));
    let probe = host.run(get(READYZ), |_| App::answers(200));
    assert_eq!(probe.urls(), ["http://10.0.0.7:8080/"]);
}

#[test]
fn the_largest_variable_that_exec_takes() {
    let entry = |n: usize| format!(r#""/app-health/c{n}/livez":{HTTP}"#);
    let entries: Vec<String> = (0..2500).map(entry).collect();
    let variable = format!("{{{}}}", entries.join(","));
    assert!((120_000..131_072).contains(&variable.len()), "{}", variable.len());
    let mut host = Host::with_probers(variable);
    let probe = host.run(get("/app-health/c2499/livez"), |_| App::answers(200));
    assert_status("the last one", &probe, 200);
}

#[test]
fn the_plugin_configuration_names_clusters() {
    for (key, cluster, entry, second) in [
        ("http_cluster", "app_http_hop", HTTP, "http://10.0.0.7:81/"),
        ("https_cluster", "app_https_hop", HTTP, "https://10.0.0.7:81/"),
        ("grpc_cluster", "app_grpc", r#"{"grpc":{"port":8080}}"#, ""),
        ("agent_cluster", "app_health_agent", r#"{"tcpSocket":{"port":8080}}"#, ""),
    ] {
        let mut host = Host::builder()
            .env("ISTIO_KUBE_APP_PROBERS", variable(entry))
            .rename_cluster(cluster, "other")
            .plugin_config(format!(r#"{{"{key}":"other"}}"#))
            .build();
        let probe = host.run(get(READYZ), |sent| match sent.cluster.as_str() {
            "http" => App::redirects(302, second),
            _ if key == "grpc_cluster" => App::Message(vec![8, 1]),
            _ => App::answers(200),
        });
        assert_eq!(probe.status(), 200, "{key}: {probe:#?}");
        assert_eq!(probe.sent.last().expect("asked").cluster, "other", "{key}");
    }
}

#[test]
fn a_cluster_that_envoy_does_not_know() {
    for (key, entry, location, why) in [
        ("http_cluster", HTTP, "http://10.0.0.7:81/", "redirect"),
        ("https_cluster", HTTP, "https://10.0.0.7:81/", "redirect"),
        ("grpc_cluster", r#"{"grpc":{"port":8080}}"#, "", "grpc"),
        ("grpc_cluster", HTTP2, "http://10.0.0.7:81/", "redirect"),
        ("grpc_tls_cluster", r#"{"grpc":{"port":8080,"mode":"TLS"}}"#, "", "grpc"),
    ] {
        let mut host = Host::builder()
            .env("ISTIO_KUBE_APP_PROBERS", variable(entry))
            .plugin_config(format!(r#"{{"{key}":"unknown"}}"#))
            .build();
        let probe = host.run(get(READYZ), |_| App::redirects(302, location));
        assert_failure(key, &probe, 500, why);
    }
}

/// An upgrade of one side must not fail every pod's liveness.
#[test]
fn a_wrong_plugin_configuration_is_logged_and_the_defaults_hold() {
    for (config, named) in [
        (b"{\"clutser\":\"x\"}".as_slice(), "clutser"),
        (b"{\"agent_cluster\":1}", "agent_cluster"),
        (b"{\"agent_cluster\":null}", "agent_cluster"),
        (b"{\"status_port\":\"15020\"}", "status_port"),
        (b"{\"status_port\":0}", "status_port"),
        (b"{\"status_port\":65536}", "status_port"),
        (b"{\"status_port\":-1}", "status_port"),
        (b"{\"status_port\":1.5}", "status_port"),
        (b"{\"status_port\":{}}", "status_port"),
        (b"[]", "object"),
        (b"x", "plugin configuration"),
        (b"{", "plugin configuration"),
        (b"{\"a\":\xff}", "UTF-8"),
    ] {
        let name = String::from_utf8_lossy(config).into_owned();
        let mut host = Host::builder()
            .env("ISTIO_KUBE_APP_PROBERS", variable(r#"{"tcpSocket":{"port":8080}}"#))
            .plugin_config(config)
            .build();
        let logged = host.take_log(LogLevel::Warn).join("\n");
        assert!(logged.contains(named), "{name}: {logged:?}");
        let probe = host.run(get(READYZ), |_| App::answers(200));
        assert_status(&name, &probe, 200);
        assert_eq!(probe.sent[0].cluster, "app_health_agent", "{name}");
    }
}

#[test]
fn an_empty_plugin_configuration_is_no_mistake() {
    for config in ["", "{}"] {
        let mut host = Host::builder().plugin_config(config).build();
        assert_eq!(host.take_log(LogLevel::Warn), [""; 0], "{config}");
    }
}

#[test]
fn the_start_is_one_line_with_the_number_of_probes() {
    let mut host = Host::with_probers(variable(HTTP));
    let lines = host.take_log(LogLevel::Info);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains('3'), "{lines:?}");
    assert_eq!(host.log_text(), "", "and nothing else");
}
