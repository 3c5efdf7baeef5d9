//! The root context, of which each worker of Envoy has one for each configuration of the filter.

use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};

use crate::config::FilterConfig;
use crate::context::StatusPort;
use crate::process::EnvoyProcess;
use crate::{host, logger, metrics};

#[derive(Default)]
pub struct Root(Rc<FilterConfig>);

impl Context for Root {}

impl RootContext for Root {
    /// Always returns true: otherwise Envoy would refuse to start, and the pod with it.
    fn on_configure(&mut self, size: usize) -> bool {
        logger::init();
        let configuration = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size);
        let configuration = configuration.ok().flatten().unwrap_or_default();
        let config = FilterConfig::read(&configuration, host::environment);
        metrics::set_config(config.table.len(), config.errors.is_empty(), &EnvoyProcess);
        config.keep_metrics(&EnvoyProcess);
        self.0 = Rc::new(config);
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(StatusPort::new(self.0.clone())))
    }
}
