//! A mesh on one machine: a pod whose traffic a sidecar intercepts as Istio's does, and the node
//! from which the kubelet probes it.
//!
//! Both are anonymous namespaces, held by descriptors and processes only: they vanish with the
//! process that made them, however it ends, and so does all that is in them.

mod bootstrap;
mod deployment;
mod istio;
mod kernel;
mod namespace;
mod nginx;
mod rules;
mod sidecar;
mod tls;
mod world;

pub use deployment::Deployment;
pub use istio::{EnvoyFilter, PodComponent};
pub use kernel::without_ipv6;
pub use namespace::{Namespace, bind, empty};
pub use nginx::{LogLine, Nginx};
pub use sidecar::{AGENT_PORT, DISCOVERY, Setup, Sidecar};
pub use tls::{MeshAuthority, Mtls};
pub use world::{NODE_V4, NODE_V6, POD_V4, POD_V6, World};
