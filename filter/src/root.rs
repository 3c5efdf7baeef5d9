//! The root context: reads the configuration once, gives every request what it needs of it.

use std::rc::Rc;

use app_health_webhook::{probers, url};
use log::{error, info, warn};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};

use crate::probe::Probe;
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
}

/// Made once a VM.
#[derive(Default)]
pub struct Root {
    shared: Rc<Shared>,
}

impl Context for Root {}

impl RootContext for Root {
    /// Always true: where it is not, Envoy refuses to start, and the pod with it.
    fn on_configure(&mut self, size: usize) -> bool {
        log_line::init();
        let configuration = host::buffer(BufferType::PluginConfiguration, size);
        let (settings, notes) = Settings::parse(&configuration.unwrap_or_default());
        notes.iter().for_each(|note| warn!("{note}"));
        let variable = host::environment(probers::VARIABLE).unwrap_or_default();
        let (table, notes) = Table::new(&variable);
        notes.iter().for_each(|note| error!("{note}"));
        info!("{} probes are recorded", table.len());
        self.shared = Rc::new(Shared { settings, table, pod_ip: pod_ip() });
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Probe::new(self.shared.clone())))
    }
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
