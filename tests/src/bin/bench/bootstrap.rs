//! The shipped bootstrap without the filter, or with a direct route beside it.

use std::net::SocketAddr;
use std::path::Path;

const LISTENERS: &str = "  listeners:\n";
const CLUSTERS: &str = "\n  clusters:\n";
const FILTER: &str = "          - name: app_health\n            typed_config:\n";
const ROUTER: &str = "          - name: envoy.filters.http.router\n";
const ROUTES: &str = "              routes:\n";
const HTTP_FILTERS: &str = "          http_filters:\n";

/// Envoy's own direct route, as the filter's shipped routes are.
const DIRECT_ROUTE: &str = r#"              - match: {prefix: "/"}
                route: {cluster: direct, timeout: 1s, idle_timeout: 0s}
                request_headers_to_remove: [x-forwarded-proto]
"#;

/// The same without the filter.
///
/// # Panics
/// Here and below: where the shipped file no longer has what is looked for.
pub fn without_filter(bootstrap: &str) -> String {
    with_between(bootstrap, FILTER, ROUTER, "").replace(FILTER, "")
}

/// The ports of an Envoy with two listeners besides.
pub struct DirectPorts {
    /// Without a filter.
    pub direct: u16,
    /// With one that does nothing.
    pub empty: u16,
}

/// The same with two listeners more. They are the shipped one but for the filter, and all that they
/// are asked goes to the app, through a cluster that is the shipped one but for the address, which
/// is fixed.
pub fn with_direct_routes(
    bootstrap: &str,
    status: u16,
    ports: &DirectPorts,
    empty_filter: &Path,
    app: SocketAddr,
) -> String {
    let shipped = between(bootstrap, LISTENERS, CLUSTERS);
    let direct = directed(&without_filter(shipped), "direct", status, ports.direct);
    let file = empty_filter.to_str().expect("a path in UTF-8");
    let empty = with_between(shipped, "code: {local: {filename: ", "}}", file);
    let empty = directed(&empty, "empty", status, ports.empty);
    let cluster = fixed(between(bootstrap, "  - name: app_http\n", "  - name: app_https\n"), app);
    let bootstrap = once(bootstrap, LISTENERS, &format!("{LISTENERS}{direct}\n{empty}\n"));
    format!("{bootstrap}{cluster}")
}

fn directed(listener: &str, name: &str, from: u16, to: u16) -> String {
    let listener = with_between(listener, ROUTES, HTTP_FILTERS, DIRECT_ROUTE);
    let name = format!("  - name: {name}\n    #");
    let listener = once(&listener, "  - name: app_health\n    #", &name);
    once(&listener, &port(from), &port(to))
}

/// The cluster with this destination, instead of the one in filter state.
fn fixed(cluster: &str, app: SocketAddr) -> String {
    let of_original = |line: &&str| {
        let names = ["    type:", "    lb_policy:", "    cleanup_interval:"];
        !names.iter().any(|name| line.starts_with(name))
    };
    let rest: Vec<&str> = cluster.lines().filter(of_original).collect();
    let address =
        format!("{{socket_address: {{address: {}, port_value: {}}}}}", app.ip(), app.port());
    format!(
        "  - name: direct
    type: STATIC
    load_assignment:
      cluster_name: direct
      endpoints:
      - lb_endpoints: [{{endpoint: {{address: {address}}}}}]
{}
",
        rest.join("\n")
    )
}

fn port(port: u16) -> String {
    format!("port_value: {port},")
}

fn once(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "envoy-config/envoy.yaml: how often it has {from:?}");
    text.replacen(from, to, 1)
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| missing(from));
    rest.split_once(to).unwrap_or_else(|| missing(to)).0
}

fn with_between(text: &str, from: &str, to: &str, instead: &str) -> String {
    once(text, between(text, from, to), instead)
}

fn missing(text: &str) -> ! {
    panic!("envoy-config/envoy.yaml has no {text:?}")
}

#[cfg(test)]
mod tests {
    use app_health_tests::envoy::{Ports, shipped};

    use super::*;

    fn bootstrap() -> String {
        let ports = Ports { status: 1, admin: 2, agent: 3 };
        shipped(&ports, "/filter.wasm".as_ref())
    }

    #[test]
    fn the_filter_can_be_left_out() {
        let without = without_filter(&bootstrap());
        assert!(bootstrap().contains("filters.http.wasm") && without.contains(ROUTER));
        assert!(!without.contains("filters.http.wasm"), "{without}");
        assert!(!without.contains("root_id"), "{without}");
    }

    #[test]
    fn direct_routes_stand_beside_the_filter() {
        let ports = DirectPorts { direct: 4, empty: 6 };
        let app = ([127, 0, 0, 1], 5).into();
        let all = with_direct_routes(&bootstrap(), 1, &ports, "/empty.wasm".as_ref(), app);
        let all: Vec<&str> = all.lines().map(str::trim).collect();
        let count = |line: &str| all.iter().filter(|other| other.contains(line)).count();
        for (line, times) in [
            ("filters.http.wasm", 2),
            ("filename: /filter.wasm", 1),
            ("filename: /empty.wasm", 1),
            ("- name: envoy.filters.http.router", 3),
            ("port_value: 1, ipv4_compat", 1),
            ("port_value: 4, ipv4_compat", 1),
            ("port_value: 6, ipv4_compat", 1),
            ("- name: direct", 2),
            ("- name: empty", 1),
            ("cluster: direct", 2),
            ("port_value: 5}", 1),
            ("filter_state: [{key: wasm.app_health,", 7),
        ] {
            assert_eq!(count(line), times, "{line}");
        }
    }
}
