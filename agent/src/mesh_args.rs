//! The arguments about a mesh's settings for all pods, which `webhook` and `rewrite` have in common.

use std::num::NonZeroU16;
use std::sync::Arc;

use app_health_webhook::injection::{Mesh, ProxyDefaults};
use clap::Args;

use crate::document;

/// What a mesh sets for all pods, where a pod's annotation would replace it.
#[derive(Args, Debug)]
pub struct MeshArgs {
    /// What is under the mesh's defaultConfig, as YAML or JSON. Its runtimeValues, extraStatTags and
    /// proxyStatsMatcher, which the annotation for the filter replaces, are repeated there
    #[arg(long, value_name = "YAML", value_parser = proxy_config)]
    pub proxy_config: Option<ProxyDefaults>,

    /// The ports of the mesh's global.proxy.excludeInboundPorts, with commas, which the annotation for the
    /// filter replaces as well
    #[arg(long, value_name = "PORTS", value_parser = ports)]
    pub exclude_inbound_ports: Option<String>,
}

impl MeshArgs {
    /// What the library takes of them.
    pub fn mesh(&self) -> Arc<Mesh> {
        Arc::new(Mesh {
            proxy_config: self.proxy_config.clone().unwrap_or_default(),
            excluded_inbound_ports: self.exclude_inbound_ports.clone().unwrap_or_default(),
        })
    }
}

/// An empty variable of the environment is as good as none.
fn proxy_config(text: &str) -> Result<ProxyDefaults, String> {
    document::value(text)?.try_into()
}

/// The same. Istio's injector takes nothing but digits.
fn ports(text: &str) -> Result<String, String> {
    let ports = text.split(',').map(str::trim).filter(|_| !text.is_empty());
    let port = |port: &str| match port.parse::<NonZeroU16>() {
        Ok(port) => Ok(port.to_string()),
        Err(_) => Err(format!("{port:?} is no port from 1 to 65535")),
    };
    Ok(ports.map(port).collect::<Result<Vec<_>, _>>()?.join(","))
}
