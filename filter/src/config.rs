//! What all requests share: the plugin configuration and the environment, read once before the first.

use std::cell::Cell;

use app_health_webhook::{probers, url};
use log::{error, info, warn};

use crate::metrics::{TcpChecker, TcpMetrics};
use crate::page;
use crate::process::Process;
use crate::settings::Settings;
use crate::table::{HandlerAction, Table};

/// What all requests of a filter configuration share.
#[derive(Default)]
pub struct FilterConfig {
    pub settings: Settings,
    pub table: Table,
    /// The pod's address, if its environment tells it.
    pub pod_ip: Option<String>,
    pub agent: AgentStatus,
    pub tcp_checks: TcpMetrics,
    pub page: page::Kept,
    /// What is not valid in plugin configuration and variable.
    pub errors: Vec<String>,
}

impl FilterConfig {
    /// Reads the plugin configuration and the variables of the environment. Mistakes in them are
    /// logged, and never keep Envoy from starting.
    pub fn read(configuration: &[u8], environment: impl Fn(&str) -> Option<Vec<u8>>) -> Self {
        let (settings, mut errors) = Settings::parse(configuration);
        errors.iter().for_each(|note| warn!("{note}"));
        let (table, notes) = Table::new(&environment(probers::VARIABLE).unwrap_or_default());
        notes.iter().for_each(|note| error!("{note}"));
        info!("{} probes are recorded", table.len());
        errors.extend(notes);
        Self { settings, table, pod_ip: pod_ip(environment), errors, ..Self::default() }
    }

    /// Takes over the metrics of a filter that this one replaces while Envoy runs, so that they go on.
    pub fn keep_metrics(&self, process: &dyn Process) {
        for entry in self.table.entries() {
            let has_any = entry.memory.keep(&entry.key, &entry.labels(), process);
            if has_any && matches!(entry.action, Ok(HandlerAction::Tcp { .. })) {
                for by in TcpChecker::ALL {
                    self.tcp_checks.total(by, process);
                }
            }
        }
    }
}

/// Reads `POD_IP` or, where that is missing, `INSTANCE_IP`, Istio's name for the same.
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

/// Whether the agent was reached when it was last asked, so that a change is logged once. `None` until
/// the agent has answered for the first time: a pod may well have none.
#[derive(Default)]
pub struct AgentStatus(Cell<Option<bool>>);

impl AgentStatus {
    pub fn note_unreached(&self) {
        if self.0.get() == Some(true) {
            self.0.set(Some(false));
            warn!("the agent is not reached any more: Envoy makes the TCP checks");
        }
    }

    pub fn note_reached(&self) {
        if self.0.replace(Some(true)) == Some(false) {
            info!("the agent is reached again");
        }
    }
}
