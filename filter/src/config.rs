//! What all requests share: the plugin configuration and the environment, read before the first one.

use std::cell::Cell;

use app_health_webhook::{probers, url};
use log::{error, info, warn};

use crate::settings::Settings;
use crate::table::Table;

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
    pub agent: AgentStatus,
}

impl Shared {
    /// Reads the plugin configuration and the environment's variables. What is wrong with them is
    /// logged, and never keeps Envoy from starting.
    pub fn read(configuration: &[u8], environment: impl Fn(&str) -> Option<Vec<u8>>) -> Self {
        let (settings, notes) = Settings::parse(configuration);
        notes.iter().for_each(|note| warn!("{note}"));
        let (table, notes) = Table::new(&environment(probers::VARIABLE).unwrap_or_default());
        notes.iter().for_each(|note| error!("{note}"));
        info!("{} probes are recorded", table.len());
        Self { settings, table, pod_ip: pod_ip(environment), agent: AgentStatus::default() }
    }
}

/// `POD_IP`, else `INSTANCE_IP` (Istio's name for it).
fn pod_ip(environment: impl Fn(&str) -> Option<Vec<u8>>) -> Option<String> {
    ["POD_IP", "INSTANCE_IP"].into_iter().find_map(|name| {
        let ip = String::from_utf8(environment(name)?).ok()?;
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

/// Whether the agent was reached the last time that it was asked; `None`: never yet.
#[derive(Default)]
pub struct AgentStatus(Cell<Option<bool>>);

impl AgentStatus {
    /// It was asked, and is not there.
    pub fn note_lost(&self) {
        if self.0.get() == Some(true) {
            self.0.set(Some(false));
            warn!("the agent is not reached any more: Envoy makes the TCP checks");
        }
    }

    /// It has answered.
    pub fn note_reached(&self) {
        if self.0.replace(Some(true)) == Some(false) {
            info!("the agent is reached again");
        }
    }
}
