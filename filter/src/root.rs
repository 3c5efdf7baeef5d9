//! What is read once, before the first request: the plugin configuration and the environment.

use alloc::string::String;
use core::cell::Cell;

use app_health_webhook::{probers, url};
use log::{error, info, warn};

use crate::host::BufferType;
use crate::settings::Settings;
use crate::table::Table;
use crate::{host, log_line};

/// What all requests share.
#[derive(Default)]
pub struct Shared {
    /// The plugin configuration.
    pub settings: Settings,
    /// The recorded probes.
    pub table: Table,
    /// The pod's address, where its environment tells it.
    pub pod_ip: Option<String>,
    /// Whether the agent is there; for the log.
    pub agent: Agent,
}

/// Whether the agent was reached the last time that it was asked; `None`: never yet.
#[derive(Default)]
pub struct Agent(pub Cell<Option<bool>>);

/// Reads the plugin configuration of `size` bytes, and the environment.
pub fn configure(size: usize) -> Shared {
    log_line::init();
    let configuration = host::buffer(BufferType::PluginConfiguration, size);
    let (settings, notes) = Settings::parse(&configuration.unwrap_or_default());
    notes.iter().for_each(|note| warn!("{note}"));
    let variable = host::environment(probers::VARIABLE).unwrap_or_default();
    let (table, notes) = Table::new(&variable);
    notes.iter().for_each(|note| error!("{note}"));
    info!("{} probes are recorded", table.len());
    Shared { settings, table, pod_ip: pod_ip(), agent: Agent::default() }
}

/// `POD_IP`, else `INSTANCE_IP` (Istio's name for it).
fn pod_ip() -> Option<String> {
    ["POD_IP", "INSTANCE_IP"].into_iter().find_map(|name| {
        let ip = String::from_utf8(host::environment(name)?).ok()?;
        if ip.is_empty() {
            return None;
        }
        if !url::is_ip(&ip) {
            warn!("{name}: not an IP address, ignored: {ip}");
            return None;
        }
        Some(ip)
    })
}
