//! The node, the pod, and the wire between them.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::bootstrap::EXTENSION;
use super::istio::FETCHED;
use super::namespace::{Namespace, bind, empty};
use super::{nginx, without_ipv6};
use crate::{envoy, program, wasm};

/// Where the kubelet's probes come from.
pub const NODE_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));
/// The same over IPv6.
pub const NODE_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1));
/// The pod's address.
pub const POD_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2));
/// The pod's other address.
pub const POD_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 2));

/// The pod's programs are mounted here, as its users may not be able to read a checkout in somebody's
/// home.
pub(super) const ENVOY: &str = "/run/envoy";
pub(super) const AGENT: &str = "/run/app-health-agent";

/// A node and a pod.
pub struct World {
    /// Where the kubelet is.
    pub node: Namespace,
    /// Where the app and the sidecar are.
    pub pod: Namespace,
    pub(super) has_ipv6: bool,
    /// The pod's folder of what pilot-agent hands to Envoy.
    extensions: File,
}

impl World {
    /// A pod with addresses of both families, and nothing in it.
    ///
    /// # Panics
    /// Without root, or without Debian's iproute2, iptables and nginx.
    pub fn dual_stack() -> Self {
        Self::dual_stack_with(&envoy::find())
    }

    /// The same with this Envoy.
    ///
    /// # Panics
    /// As [`World::dual_stack`].
    pub fn dual_stack_with(envoy: &Path) -> Self {
        let world = Self { has_ipv6: true, ..Self::ipv4(envoy) };
        // Without nodad an address cannot be used for its first second.
        world.pod.ip(&format!("addr add {POD_V6}/64 dev eth0 nodad"));
        world.node.ip(&format!("addr add {NODE_V6}/64 dev pod0 nodad"));
        // What istio-init does for IPv6; 127.0.0.6 needs nothing.
        world.pod.ip("addr add ::6/128 dev lo");
        world
    }

    /// The same on a node whose kernel has no IPv6: the sidecar can open no socket of that family.
    ///
    /// # Panics
    /// As [`World::dual_stack`].
    pub fn ipv4_only() -> Self {
        let world = Self::ipv4(&envoy::find());
        for namespace in [&world.node, &world.pod] {
            let off = || fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
            namespace.run(off).expect("IPv6 can be switched off");
        }
        world
    }

    /// A command of the pod's, run as this user.
    pub(super) fn command(&self, program: &str, id: u32) -> Command {
        let mut command = self.pod.command(program, id);
        if !self.has_ipv6 {
            without_ipv6(&mut command);
        }
        command
    }

    fn ipv4(envoy: &Path) -> Self {
        let node = Namespace::new(|| Ok(()));
        check_programs();
        // Built before the namespace hides anything.
        let (agent, filter) = (program::agent(), wasm::filter());
        let mut folder = None;
        let pod = Namespace::new(|| {
            volumes(envoy, agent, filter)?;
            folder = Some(File::open("/var/lib/app-health")?);
            Ok(())
        });
        pod.ip(&format!(
            "link set lo up\n\
             link add eth0 type veth peer name pod0 netns {}\n\
             addr add {POD_V4}/24 dev eth0\n\
             link set eth0 up",
            node.path()
        ));
        node.ip(&format!("link set lo up\naddr add {NODE_V4}/24 dev pod0\nlink set pod0 up"));
        Self { node, pod, has_ipv6: false, extensions: folder.expect("the folder") }
    }

    /// Puts what pilot-agent would send where Envoy looks for it, at once.
    pub(super) fn put_extensions(&self, resources: &[Value]) {
        let folder = format!("/proc/self/fd/{}", self.extensions.as_raw_fd());
        let named = |name: &str| Path::new(&folder).join(name);
        let name = Path::new(EXTENSION).file_name().and_then(OsStr::to_str).expect("a name");
        let text = json!({"resources": resources}).to_string();
        fs::write(named("new"), text).expect("it can be written");
        fs::rename(named("new"), named(name)).expect("it can be renamed");
    }
}

fn check_programs() {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &&str| env::split_paths(&path).any(|folder| folder.join(name).is_file());
    let needed = ["ip", "iptables-restore", "ip6tables-restore", "nginx"];
    let missing: Vec<_> = needed.into_iter().filter(|name| !is_there(name)).collect();
    assert!(
        missing.is_empty(),
        "the mesh needs {missing:?} on the PATH: run scripts/mesh-packages"
    );
}

/// What the pod mounts: its programs, and the `.wasm` where a volume would have it.
fn volumes(envoy: &Path, agent: &Path, filter: &Path) -> io::Result<()> {
    // They may be where the pod has something of its own.
    let (envoy, agent) = (File::open(envoy)?, File::open(agent)?);
    let filter = fs::read(filter)?;
    empty("/run")?;
    bind(&envoy, ENVOY)?;
    bind(&agent, AGENT)?;
    nginx::volumes()?;
    empty("/var/lib")?;
    fs::create_dir("/var/lib/app-health")?;
    fs::write(FETCHED, filter)
}

impl Namespace {
    fn ip(&self, lines: &str) {
        self.configure("ip", &["-batch", "-"], &format!("{lines}\n"));
    }
}
