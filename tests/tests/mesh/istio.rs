use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use app_health_tests::app::{Http, Request, Script, V4};
use app_health_tests::envoy::{self, Ports};
use app_health_tests::manifest::text_to_json;
use app_health_tests::mesh::{
    Deployment, EnvoyFilter, NODE_V4, Nginx, POD_V4, PodComponent, Setup, World, without_ipv6,
};
use app_health_tests::{kustomize, process, program, wasm};
use app_health_webhook::handler::HandlerKind;
use app_health_webhook::reason::{HEADER, Reason, StatusCodes};
use serde_json::{Value, json};

use super::{FAMILIES, HTTP, TCP, ports, status};

const HTTP_MANAGER: &str = "/filter_chains/0/filters/0/typed_config";

fn bootstrap() -> Value {
    let file = program::root().join("envoy-config/envoy.yaml");
    let text = fs::read_to_string(file).expect("envoy-config/envoy.yaml");
    // The reader takes manifests only.
    text_to_json(&format!("apiVersion: envoy\nkind: Bootstrap\n{text}"))
}

/// What is at this place of the HTTP connection manager of a listener.
fn within<'a>(listener: &'a mut Value, place: &str) -> &'a mut Value {
    let place = format!("{HTTP_MANAGER}{place}");
    listener.pointer_mut(&place).unwrap_or_else(|| panic!("no {place}"))
}

/// Takes the routes that are passed on, which differ, from those of probes and of the page, which may not.
fn passed_on(listener: &mut Value) -> Vec<Value> {
    let routes = within(listener, "/route_config/virtual_hosts/0/routes");
    let routes = routes.as_array_mut().expect("routes");
    let is_filters =
        |route: &Value| route["match"].get("filter_state").is_some() || route["name"].is_string();
    let first = routes.iter().position(|route| !is_filters(route)).expect("other routes");
    routes.split_off(first)
}

fn named(clusters: &mut Vec<Value>, name: &str) -> Value {
    let at = clusters.iter().position(|cluster| cluster["name"] == name);
    clusters.remove(at.unwrap_or_else(|| panic!("no cluster {name}")))
}

#[test]
fn the_listener_is_that_of_the_bootstrap_but_for_what_is_named() {
    let mut shipped = bootstrap()["static_resources"]["listeners"][0].take();
    let [mut istio] = EnvoyFilter::shipped().values("LISTENER").try_into().expect("one listener");
    assert_eq!(istio.get("traffic_direction"), None);

    // The routes that are passed on.
    passed_on(&mut shipped);
    let routes = passed_on(&mut istio);
    // Where the .wasm is.
    let code = "/http_filters/1/typed_config/config/vm_config/code";
    let file = within(&mut istio, code).take();
    within(&mut shipped, code).take();
    assert_eq!(istio, shipped);

    let mount = PodComponent::shipped();
    let mount = mount.annotation("sidecar.istio.io/userVolumeMount");
    let mount: Value = serde_json::from_str(mount).expect("JSON");
    let folder = mount[0]["mountPath"].as_str().expect("a path");
    let expected = json!({"local": {"filename": format!("{folder}/app_health_filter.wasm")}});
    assert_eq!(file, expected);

    let guard = within(&mut istio, "/route_config/virtual_hosts/0/routes").as_array_mut();
    let guard = guard.and_then(|routes| routes.pop()).expect("the page's route");
    let guard = guard["typed_per_filter_config"].clone();
    assert!(guard["envoy.filters.http.rbac"].is_object());
    let route = |route: &Value| {
        let method = &route["match"]["headers"][0]["string_match"]["exact"];
        let guarded = route.get("typed_per_filter_config") == Some(&guard);
        let Value::String(cluster) = &route["route"]["cluster"] else { panic!("{route}") };
        let kind = cluster.strip_prefix("app_health_pilot_agent").expect("pilot-agent's");
        json!([method, route["match"]["path"], kind, route["route"]["timeout"], guarded])
    };
    assert_eq!(
        routes.iter().map(route).collect::<Value>(),
        json!([
            ["GET", "/healthz/ready", "", "5s", false],
            ["GET", "/metrics", "_pages", "60s", false],
            ["GET", "/stats/prometheus", "_pages", "60s", false],
            ["POST", "/quitquitquit", "", null, true],
            ["POST", "/drain", "", null, true],
        ])
    );
}

#[test]
fn the_clusters_are_those_of_the_bootstrap_but_for_pilot_agent() {
    let mut shipped = bootstrap()["static_resources"]["clusters"].take();
    let shipped = shipped.as_array_mut().expect("clusters");
    let mut istio = EnvoyFilter::shipped().values("CLUSTER");
    let port = PodComponent::shipped().proxy_config()["statusPort"].take();
    // The admin's two are pilot-agent's there, but for the name and the port.
    for kind in ["", "_pages"] {
        let admin = named(shipped, &format!("admin{kind}")).to_string();
        let expected = admin.replace("15000", &port.to_string());
        let expected = expected.replace("\"admin", "\"app_health_pilot_agent");
        let pilot_agent = named(&mut istio, &format!("app_health_pilot_agent{kind}"));
        assert_eq!(pilot_agent.to_string(), expected);
    }
    assert_eq!(&istio, shipped);
}

#[test]
fn the_component_and_the_filter_fit_together() {
    let pod = PodComponent::shipped();
    let filter = EnvoyFilter::shipped().0;
    let labels = &filter["spec"]["workloadSelector"]["labels"];
    assert_eq!(labels, &pod.template["metadata"]["labels"]);
    assert!(labels.as_object().is_some_and(|labels| !labels.is_empty()));
    for patch in filter["spec"]["configPatches"].as_array().expect("patches") {
        assert_eq!(patch["match"], json!({"context": "SIDECAR_INBOUND"}));
        assert_eq!(patch["patch"]["operation"], "ADD");
    }
    let port = &pod.proxy_config()["statusPort"];
    let excluded = pod.annotation("traffic.sidecar.istio.io/excludeInboundPorts");
    assert_eq!(excluded, port.to_string());
    // The same runtime, whose values are text in Istio.
    let layer = &bootstrap()["layered_runtime"]["layers"][0]["static_layer"];
    let text = |(key, value): (&String, &Value)| (key.clone(), Value::String(value.to_string()));
    let layer: Value = layer.as_object().expect("values").iter().map(text).collect();
    assert_eq!(pod.proxy_config()["runtimeValues"], layer);
}

/// Where the protobuf type is an Any, there is an `@type`: istiod reads the patches by Go's library, which takes
/// no Any without one, and then leaves the whole patch out; Envoy takes an empty one.
#[test]
fn every_any_says_its_type() {
    for patch in EnvoyFilter::shipped().0["spec"]["configPatches"].as_array().expect("patches") {
        untyped(&patch["patch"]["value"], "");
    }
}

fn untyped(value: &Value, place: &str) {
    let members = value.as_object().into_iter().flatten();
    let of_filter = value["@type"].as_str().is_some_and(|name| name.ends_with("FilterConfig"));
    for (name, member) in members {
        let place = format!("{place}/{name}");
        let any: Vec<_> = match name.as_str() {
            "typed_config" | "configuration" => vec![member],
            "config" if of_filter => vec![member],
            "typed_per_filter_config" | "typed_extension_protocol_options" => {
                member.as_object().into_iter().flat_map(|all| all.values()).collect()
            }
            _ => vec![],
        };
        for any in any {
            assert!(any["@type"].is_string(), "{place}: {any}");
        }
        untyped(member, &place);
    }
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        untyped(item, &format!("{place}/{n}"));
    }
}

/// The EnvoyFilter as a user's kustomization makes it with a variant of the folder.
pub(super) fn variant(name: &str) -> EnvoyFilter {
    let component = format!("envoy-config/istio/{name}");
    let made = kustomize::compose(&["envoy-config/istio"], &[&component]);
    let [filter] = made.try_into().expect("one manifest");
    EnvoyFilter(filter)
}

/// Where Envoy answers past the filter, it gives the status that the filter would give for that reason.
#[test]
fn setting_and_mappers_agree() {
    const CONFIGURATION: &str = "/http_filters/1/typed_config/config/configuration/value";
    const MAPPERS: &str = "/local_reply_config/mappers";
    let shipped = EnvoyFilter::shipped();
    let detailed = variant("detailed-status-codes");
    let mut rest = Vec::new();
    for (filter, codes, word) in [
        (shipped, StatusCodes::Plain, None),
        (detailed, StatusCodes::Detailed, Some(json!("detailed"))),
    ] {
        let mut listener = filter.values("LISTENER").remove(0);
        let settings = within(&mut listener, CONFIGURATION).take();
        let mut settings: Value =
            serde_json::from_str(settings.as_str().expect("text")).expect("JSON");
        let set = settings.as_object_mut().expect("an object").remove("status_codes");
        assert_eq!(set, word);
        let mappers = within(&mut listener, MAPPERS).as_array_mut().expect("mappers");
        for (mapper, expected) in mappers.iter_mut().zip(["", "broken", "timeout"]) {
            let header = mapper["headers_to_add"][0]["header"].clone();
            let word = header["value"].as_str().unwrap_or("");
            assert_eq!(word, expected);
            let reason = Reason::ALL.into_iter().find(|reason| reason.as_str() == word);
            let status = match reason {
                // The kubelet takes any answer to a hook for a success.
                None => Some(200),
                Some(reason) => {
                    assert_eq!(header["key"], HEADER);
                    reason.status(HandlerKind::HttpGet, codes)
                }
            };
            assert_eq!(mapper["status_code"].take(), json!(status), "{word}");
        }
        assert_eq!(mappers.len(), 3);
        rest.push((settings, listener, filter.values("CLUSTER")));
    }
    assert_eq!(rest[0], rest[1], "all else is the same");
}

/// What Envoy says where it refuses this configuration, on a kernel without IPv6.
fn validate_without_ipv6(config: &str) -> Result<(), String> {
    let mut envoy = process::command(envoy::find());
    envoy.args(["--mode", "validate", "--log-level", "error", "--config-yaml", config]);
    without_ipv6(&mut envoy);
    let output = envoy.output().expect("envoy runs");
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(said.into_owned()) }
}

#[test]
fn the_bootstrap_says_what_to_change_without_ipv6() {
    let ports = Ports { status: 15020, admin: 15000, agent: 15023 };
    let shipped = envoy::shipped(&ports, wasm::filter());
    let error = validate_without_ipv6(&shipped).expect_err("IPv6 addresses");
    assert!(error.contains("malformed IP address"), "{error}");
    let listener = shipped.replace(r#"address: "::", "#, "address: 0.0.0.0, ");
    let listener = listener.replace(", ipv4_compat: true", "");
    let listener =
        listener.replace(r#"- direct_remote_ip: {address_prefix: "::1", prefix_len: 128}"#, "");
    let is_kept = |line: &&str| !line.trim_start().starts_with("extra_source_addresses:");
    let changed = listener.lines().filter(is_kept).collect::<Vec<_>>().join("\n");
    assert_eq!(validate_without_ipv6(&changed), Ok(()));
}

#[test]
fn ipv4_only() {
    let world = World::ipv4_only();
    let _nginx = Nginx::start(&world);
    for (file, expected) in [(HTTP, 200), (TCP, 500)] {
        let deployment = Deployment::example(file);
        let setup = Setup::strict().variable(deployment.variable());
        let _sidecar = setup.filter(variant("ipv4-only")).start(&world);
        assert_eq!(status(&world, &deployment, POD_V4), Ok(expected), "{file}");
        for (from, ip, expected) in [(&world.node, POD_V4, 403), (&world.pod, V4, 200)] {
            for request in [("POST", "/drain"), ("GET", "/app-health/")] {
                let sent = ports::request(request.0, request.1, "");
                let status = ports::status(from, (ip, 15020).into(), &sent);
                assert_eq!(status, Ok(expected), "{request:?} at {ip}");
            }
        }
    }
}

#[test]
fn detailed_status_codes() {
    let world = World::dual_stack();
    let deployment = Deployment::example(TCP);
    let setup = Setup::strict().variable(deployment.variable());
    let _sidecar = setup.filter(variant("detailed-status-codes")).start(&world);
    for ip in FAMILIES {
        assert_eq!(status(&world, &deployment, ip), Ok(521), "{ip}");
    }
}

/// An answer of the server that has the `.wasm`.
fn file_of(content: &[u8]) -> Script {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.len());
    Script::raw([head.as_bytes(), content].concat())
}

/// However long the server is away, or has another file: a sidecar that had given up would be ready
/// without the filter.
#[test]
fn the_wasm_from_a_server() {
    const FAILURES: usize = 100;
    let file = wasm::filter();
    let code = fs::read(file).expect("the filter");
    let sum = Command::new("sha256sum").arg(file).output().expect("sha256sum runs").stdout;
    let sum = String::from_utf8_lossy(&sum[..64]).into_owned();
    let shipped = variant("remote").0.to_string();
    let host = "app-health-filter.app-health.svc.cluster.local";
    assert!(shipped.contains(host) && shipped.contains(&"0".repeat(64)));
    let filled = shipped.replace(host, &NODE_V4.to_string()).replace(&"0".repeat(64), &sum);
    // For the test not to take minutes.
    let pause = r#""retry_back_off":{"base_interval":"1s","max_interval":"10s"}"#;
    assert!(filled.contains(pause));
    let filled = filled.replace(pause, r#""retry_back_off":{"base_interval":"0.001s"}"#);

    let world = World::dual_stack();
    let _nginx = Nginx::start(&world);
    let asked = AtomicUsize::new(0);
    let answer = move |_: &Request| match asked.fetch_add(1, Ordering::Relaxed) {
        n @ ..FAILURES if n % 2 == 0 => Script::status(503),
        ..FAILURES => file_of(b"another file"),
        _ => file_of(&code),
    };
    let server = world.node.run(|| Http::start_at(SocketAddr::new(NODE_V4, 80), answer));
    let deployment = Deployment::example(HTTP);
    let filter = EnvoyFilter(serde_json::from_str(&filled).expect("JSON"));
    let setup = Setup::strict().variable(deployment.variable());
    // Ready only now.
    let _sidecar = setup.filter(filter).start(&world);
    for ip in FAMILIES {
        assert_eq!(status(&world, &deployment, ip), Ok(200), "{ip}");
    }
    assert_eq!(server.seen_at("/app_health_filter.wasm").len(), FAILURES + 1);
}
