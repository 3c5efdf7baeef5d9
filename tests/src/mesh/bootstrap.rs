//! Envoy's configuration in the pod: Istio's two listeners as far as they matter here, and what
//! `envoyfilter.yaml` adds.

use serde_json::{Value, json};

use super::{EnvoyFilter, MeshAuthority, PodComponent};

/// Where Envoy finds the extension. In a mesh pilot-agent sends it.
pub(super) const EXTENSION: &str = "/var/lib/app-health/extension.json";

/// What the inbound listener takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inbound {
    /// Strict mTLS.
    Strict,
    /// Plain text as well.
    Permissive,
}

/// The configuration as JSON, for `--config-yaml`.
pub(super) fn bootstrap(
    inbound: Inbound,
    authority: &MeshAuthority,
    filter: &EnvoyFilter,
    pod: &PodComponent,
    has_ipv6: bool,
) -> String {
    let filter = filter.sent_to(pod);
    let mut listeners =
        vec![inbound_listener(inbound, authority, has_ipv6), outbound_listener(has_ipv6)];
    listeners.extend(filter.values("LISTENER").into_iter().map(with_extension_by_file));
    let mut clusters = vec![to_the_app(has_ipv6), to_anywhere()];
    clusters.extend(filter.values("CLUSTER"));
    json!({
        // Envoy asks for no extension without.
        "node": {"id": "pod", "cluster": "mesh"},
        "admin": {"address": address("127.0.0.1", 15000)},
        // As Istio's bootstrap does with them.
        "layered_runtime": {"layers": [
            {"name": "istio", "static_layer": pod.proxy_config()["runtimeValues"]},
        ]},
        "static_resources": {"listeners": listeners, "clusters": clusters},
    })
    .to_string()
}

/// The listener with its extension from a file in place of istiod's stream, and all else of it as it is.
fn with_extension_by_file(mut listener: Value) -> Value {
    let filters = listener.pointer_mut("/filter_chains/0/filters/0/typed_config/http_filters");
    let filters = filters.and_then(Value::as_array_mut).expect("HTTP filters");
    let sources =
        filters.iter_mut().filter_map(|it| it.pointer_mut("/config_discovery/config_source"));
    for source in sources {
        let source = source.as_object_mut().expect("a source");
        assert_eq!(source.remove("ads"), Some(json!({})));
        source.insert("path_config_source".to_owned(), json!({"path": EXTENSION}));
    }
    listener
}

fn inbound_listener(inbound: Inbound, authority: &MeshAuthority, has_ipv6: bool) -> Value {
    let to_the_app = tcp_proxy("inbound");
    let tls = authority.downstream();
    let chains = match inbound {
        Inbound::Strict => json!([{"filters": [to_the_app], "transport_socket": tls}]),
        Inbound::Permissive => json!([
            {
                "filter_chain_match": {"transport_protocol": "tls"},
                "filters": [to_the_app],
                "transport_socket": tls,
            },
            {"filter_chain_match": {"transport_protocol": "raw_buffer"}, "filters": [to_the_app]},
        ]),
    };
    let mut listener = intercepting("inbound", 15006, has_ipv6);
    listener["traffic_direction"] = json!("INBOUND");
    listener["filter_chains"] = chains;
    if inbound == Inbound::Permissive {
        let inspector = listener_filter("tls_inspector", "tls_inspector.v3.TlsInspector");
        listener["listener_filters"].as_array_mut().expect("filters").push(inspector);
    }
    listener
}

fn outbound_listener(has_ipv6: bool) -> Value {
    let mut listener = intercepting("outbound", 15001, has_ipv6);
    listener["traffic_direction"] = json!("OUTBOUND");
    listener["filter_chains"] = json!([{"filters": [tcp_proxy("outbound")]}]);
    listener
}

/// A listener for redirected connections. It has a socket for each family, as an IPv6 socket cannot
/// tell the original destination of an IPv4 connection.
fn intercepting(name: &str, port: u16, has_ipv6: bool) -> Value {
    let v6 = has_ipv6.then(|| json!({"address": address("::", port)}));
    json!({
        "name": name,
        "stat_prefix": name,
        "address": address("0.0.0.0", port),
        "additional_addresses": v6.as_slice(),
        "listener_filters": [listener_filter("original_dst", "original_dst.v3.OriginalDst")],
    })
}

fn listener_filter(name: &str, kind: &str) -> Value {
    json!({
        "name": format!("envoy.filters.listener.{name}"),
        "typed_config": {"@type": format!("type.googleapis.com/envoy.extensions.filters.listener.{kind}")},
    })
}

fn tcp_proxy(cluster: &str) -> Value {
    json!({
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": cluster,
            "cluster": cluster,
        },
    })
}

/// Envoy connects to the app from 127.0.0.6 or ::6, which the interception lets pass.
fn to_the_app(has_ipv6: bool) -> Value {
    let v6 = has_ipv6.then(|| json!({"address": {"address": "::6", "port_value": 0}}));
    let mut cluster = original_dst("inbound");
    cluster["upstream_bind_config"] = json!({
        "source_address": {"address": "127.0.0.6", "port_value": 0},
        "extra_source_addresses": v6.as_slice(),
    });
    cluster
}

fn to_anywhere() -> Value {
    original_dst("outbound")
}

fn original_dst(name: &str) -> Value {
    json!({"name": name, "type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED", "connect_timeout": "10s"})
}

fn address(ip: &str, port: u16) -> Value {
    json!({"socket_address": {"address": ip, "port_value": port}})
}
