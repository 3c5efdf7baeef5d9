//! The shipped configuration, with nothing replaced but ports and the path of the filter.

use std::fs;
use std::path::Path;

use crate::program::root;

/// The three ports of the configuration.
pub struct Ports {
    /// Where probes are sent.
    pub status: u16,
    /// Envoy's admin.
    pub admin: u16,
    /// Where the agent listens.
    pub agent: u16,
}

const FILTER: &str = "target/wasm32-unknown-unknown/release/app_health_filter.wasm";

/// The text to start Envoy with.
///
/// # Panics
/// Where the shipped file no longer has what is to be replaced, as often as it should.
pub fn shipped(ports: &Ports, filter: &Path) -> String {
    let file = root().join("envoy-config/envoy.yaml");
    let text = fs::read_to_string(&file).expect("envoy-config/envoy.yaml");
    let text = replaced(&text, "port_value: 15020", &port(ports.status), 1);
    let text = replaced(&text, "port_value: 15000", &port(ports.admin), 2);
    let text = replaced(&text, "port_value: 15023", &port(ports.agent), 1);
    let filter = filter.to_str().expect("a path in UTF-8");
    replaced(&text, &format!("filename: {FILTER}"), &format!("filename: {filter}"), 1)
}

fn port(port: u16) -> String {
    format!("port_value: {port}")
}

fn replaced(text: &str, from: &str, to: &str, times: usize) -> String {
    let found = text.matches(from).count();
    assert_eq!(found, times, "envoy-config/envoy.yaml: how often it has {from:?}");
    text.replace(from, to)
}
