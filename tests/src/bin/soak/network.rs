//! Where everything runs: a network of its own, or a pod of a mesh and the node beside it.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use app_health_tests::app::{V4, V6};
use app_health_tests::entries::Entries;
use app_health_tests::envoy::{self, Envoy};
use app_health_tests::mesh::{self, AGENT_PORT, POD_V4, POD_V6, World};
use app_health_tests::net::enter_pod_network;

use crate::args::Args;

pub enum Network {
    /// Loopback, and `envoy.yaml`.
    Alone,
    /// Interception, and the EnvoyFilter.
    Mesh(World),
}

/// Envoy, and beside it the agent or not.
pub enum Sidecar<'a> {
    Alone(Envoy),
    Mesh(Box<mesh::Sidecar<'a>>),
}

impl Network {
    /// This thread, and those that it starts, are in there from now on.
    pub fn enter(args: &Args) -> Self {
        if args.mesh {
            return Self::Mesh(World::dual_stack_with(&args.envoy()));
        }
        enter_pod_network();
        Self::Alone
    }

    /// Of both families.
    pub fn pod_ips(&self) -> [IpAddr; 2] {
        match self {
            Self::Alone => [V4, V6],
            Self::Mesh(_) => [POD_V4, POD_V6],
        }
    }

    /// Where the app is.
    pub fn in_pod<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match self {
            Self::Alone => work(),
            Self::Mesh(world) => world.pod.run(work),
        }
    }

    /// Where the kubelet is.
    pub fn on_node<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match self {
            Self::Alone => work(),
            Self::Mesh(world) => world.node.run(work),
        }
    }

    /// Returns once both programs are ready.
    pub fn start(&self, entries: Entries, args: &Args) -> Sidecar<'_> {
        match self {
            Self::Alone => Sidecar::Alone(alone(entries, args, &args.envoy())),
            Self::Mesh(world) => Sidecar::Mesh(Box::new(in_mesh(world, entries, args))),
        }
    }
}

fn alone(entries: Entries, args: &Args, envoy: &Path) -> Envoy {
    let setup = envoy::Setup::default().probers(entries).concurrency(args.concurrency);
    let setup = setup.binary(envoy);
    let setup = if args.without_agent { setup.without_agent() } else { setup };
    setup.start()
}

fn in_mesh<'a>(world: &'a World, entries: Entries, args: &Args) -> mesh::Sidecar<'a> {
    let variable = std::ffi::OsString::from(entries).into_string().expect("text");
    let setup = mesh::Setup::strict().variable(Some(&variable)).concurrency(args.concurrency);
    let setup = if args.without_agent { setup.without_agent() } else { setup };
    setup.start(world)
}

impl Sidecar<'_> {
    /// The status port on an address of the pod.
    pub fn status_port(&self, ip: IpAddr) -> SocketAddr {
        match self {
            Self::Alone(envoy) => envoy.addr_on(ip),
            Self::Mesh(_) => SocketAddr::new(ip, 15020),
        }
    }

    /// Envoy, then the agent.
    pub fn pids(&self) -> Vec<u32> {
        match self {
            Self::Alone(envoy) => envoy.pids(),
            Self::Mesh(sidecar) => sidecar.pids(),
        }
    }

    pub fn has_agent(&self) -> bool {
        self.pids().len() > 1
    }

    pub fn agent_port(&self) -> u16 {
        match self {
            Self::Alone(envoy) => envoy.agent_addr().port(),
            Self::Mesh(_) => AGENT_PORT,
        }
    }
}
