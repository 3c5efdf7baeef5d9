use app_health_tests::app::V4;
use app_health_tests::envoy::{self, Ports};
use app_health_tests::manifest::bootstrap;
use app_health_tests::mesh::{
    Deployment, EnvoyFilter, Nginx, POD_V4, PodComponent, Setup, World, without_ipv6,
};
use app_health_tests::{kustomize, process, wasm};
use app_health_webhook::handler::HandlerKind;
use app_health_webhook::reason::{HEADER, Reason, StatusCodes};
use serde_json::{Value, json};

use super::{FAMILIES, HTTP, TCP, ports, status};

const HTTP_MANAGER: &str = "/filter_chains/0/filters/0/typed_config";

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
    let mut routes = passed_on(&mut istio);
    // What the page says without the filter.
    let page = "/route_config/virtual_hosts/0/routes/7/direct_response/body/inline_string";
    let [said, bootstraps] = [&mut istio, &mut shipped].map(|it| within(it, page).take());
    assert_eq!(bootstraps, "the app-health filter does not run\n");
    assert_eq!(said, "the app-health filter does not run: pilot-agent answers the probes\n");
    // The filter is an extension there, and of that where the .wasm is.
    let discovery = within(&mut istio, "/http_filters/1")["config_discovery"].take();
    let mut filter = within(&mut shipped, "/http_filters/1").take();
    let mut extension = EnvoyFilter::shipped().values("EXTENSION_CONFIG").remove(0);
    let code = "/typed_config/config/vm_config/code";
    let [code, _] =
        [&mut extension, &mut filter].map(|it| it.pointer_mut(code).expect("code").take());
    assert_eq!(extension, filter);
    let expected = json!({"name": filter["name"], "config_discovery": null});
    assert_eq!(within(&mut istio, "/http_filters/1").take(), expected);
    assert_eq!(istio, shipped);

    let zeros = "0".repeat(64);
    let uri = format!("http://app-health-webhook.app-health.svc/{zeros}.wasm");
    let http_uri = json!({"uri": uri, "cluster": "none", "timeout": "40s"});
    assert_eq!(code, json!({"remote": {"http_uri": http_uri, "sha256": zeros}}));
    let default = &discovery["default_config"];
    assert_eq!(
        default.as_object().map(serde_json::Map::len),
        Some(1),
        "it does nothing: {default}"
    );
    let types = json!([filter["typed_config"]["@type"], default["@type"]]);
    assert_eq!(discovery["type_urls"], types, "pilot-agent's RBAC is refused");

    let guard = within(&mut istio, "/route_config/virtual_hosts/0/routes").as_array_mut();
    let guard = guard.and_then(|routes| routes.pop()).expect("the page's route");
    let probes = routes.split_off(routes.len() - 2);
    let guard = guard["typed_per_filter_config"].clone();
    assert!(guard["envoy.filters.http.rbac"].is_object());
    let route = |route: &Value| {
        let method = &route["match"]["headers"][0]["string_match"]["exact"];
        let guarded = route.get("typed_per_filter_config") == Some(&guard);
        let Value::String(cluster) = &route["route"]["cluster"] else { panic!("{route}") };
        let kind = cluster.strip_prefix("app_health_pilot_agent").expect("pilot-agent's");
        let limit = &route["route"]["max_stream_duration"]["max_stream_duration"];
        json!([method, route["match"]["path"], kind, limit, guarded])
    };
    assert_eq!(
        routes.iter().map(route).collect::<Value>(),
        json!([
            ["GET", "/healthz/ready", "", "5s", false],
            ["GET", "/metrics", "_pages", "60s", false],
            ["GET", "/stats/prometheus", "_pages", "60s", false],
            ["POST", "/quitquitquit", "", "15s", true],
            ["POST", "/drain", "", "15s", true],
        ])
    );
    for (route, prefix) in probes.iter().zip(["/app-health/", "/app-lifecycle/"]) {
        let cluster = "app_health_pilot_agent_probes";
        let to = json!({"cluster": cluster, "timeout": "0s", "idle_timeout": "0s"});
        assert_eq!(route["match"], json!({"prefix": prefix}));
        assert_eq!(route["route"], to);
    }
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
    // Probes: as many as to the app, each on a connection of its own.
    let probes = named(&mut istio, "app_health_pilot_agent_probes");
    let port = probes.pointer("/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address");
    assert_eq!(port.expect("an address")["socket_address"]["port_value"], 15019);
    for same in ["circuit_breakers", "connect_timeout"] {
        assert_eq!(probes[same], istio[0][same]);
    }
    let options = "/typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions/common_http_protocol_options";
    assert_eq!(probes.pointer(options), istio[0].pointer(options));
    assert_eq!(&istio, shipped);
}

#[test]
fn the_component_and_the_filter_fit_together() {
    let pod = PodComponent::shipped();
    let filter = EnvoyFilter::shipped();
    let labels = &filter.0["spec"]["workloadSelector"]["labels"];
    assert_eq!(labels, &pod.template["metadata"]["labels"]);
    assert!(labels.as_object().is_some_and(|labels| !labels.is_empty()));
    for patch in filter.patches() {
        let metadata = json!({"APP_HEALTH_FILTER": labels["app-health/filter"]});
        let expected = json!({"context": "SIDECAR_INBOUND", "proxy": {"metadata": metadata}});
        assert_eq!(patch["match"], expected);
        assert_eq!(patch["patch"]["operation"], "ADD");
    }
    assert_eq!(filter.sent_to(&pod).patches(), filter.patches());
    let port = &pod.proxy_config()["statusPort"];
    let excluded = pod.annotation("traffic.sidecar.istio.io/excludeInboundPorts");
    assert_eq!(excluded, port.to_string());
    // The same runtime, whose values are text in Istio.
    let layer = &bootstrap()["layered_runtime"]["layers"][0]["static_layer"];
    let text = |(key, value): (&String, &Value)| (key.clone(), Value::String(value.to_string()));
    let layer: Value = layer.as_object().expect("values").iter().map(text).collect();
    assert_eq!(pod.proxy_config()["runtimeValues"], layer);
}

/// Where pilot-agent still holds 15020, or another revision's filter is there, this listener would be rejected,
/// and the pod never ready.
#[test]
fn a_pod_with_a_part_of_the_component_is_sent_nothing() {
    const LABEL: &str = "/metadata/labels/app-health~1filter";
    const CONFIG: &str = "/metadata/annotations/proxy.istio.io~1config";
    let shipped = PodComponent::shipped().annotation("proxy.istio.io/config").to_owned();
    for (at, value) in [
        // The webhook was away, and the label is the template's own.
        (CONFIG, json!("{}")),
        (CONFIG, json!(shipped.replace(r#""true""#, r#""canary""#))),
        (LABEL, json!("canary")),
        (LABEL, json!("false")),
    ] {
        let mut pod = PodComponent::shipped();
        *pod.template.pointer_mut(at).expect("it is there") = value.clone();
        let sent = EnvoyFilter::shipped().sent_to(&pod);
        assert!(sent.patches().is_empty(), "{at}: {value}");
    }
}

/// Where the protobuf type is an Any, there is an `@type`: istiod reads the patches by Go's library, which takes
/// no Any without one, and then leaves the whole patch out; Envoy takes an empty one.
#[test]
fn every_any_says_its_type() {
    for patch in EnvoyFilter::shipped().patches() {
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
    const CONFIGURATION: &str = "/typed_config/config/configuration/value";
    const MAPPERS: &str = "/local_reply_config/mappers";
    let shipped = EnvoyFilter::shipped();
    let detailed = variant("detailed-status-codes");
    let mut rest = Vec::new();
    for (filter, codes, word) in [
        (shipped, StatusCodes::Plain, None),
        (detailed, StatusCodes::Detailed, Some(json!("detailed"))),
    ] {
        let mut listener = filter.values("LISTENER").remove(0);
        let mut extension = filter.values("EXTENSION_CONFIG").remove(0);
        let settings = extension.pointer_mut(CONFIGURATION).expect("settings").take();
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
        rest.push((settings, extension, listener, filter.values("CLUSTER")));
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
