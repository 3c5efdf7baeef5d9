//! Ports, descriptors and network namespaces.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, connect, setsockopt, socket,
    sockopt::{RcvBuf, TcpMaxSeg},
};

/// A free port for a program that has to be told one. From below the range out of which the kernel
/// gives ports to clients, so that no connection takes it in the meantime.
pub fn free_port() -> u16 {
    const PORTS: std::ops::Range<u32> = 16_000..32_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Test binaries that run at the same time begin at different places.
    let start = process::id().wrapping_mul(61);
    let candidates = PORTS.map(|_| start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)));
    let ports = candidates.map(|n| PORTS.start + n % PORTS.len() as u32);
    let mut ports = ports.filter_map(|port| u16::try_from(port).ok());
    ports.find(|port| is_free(*port)).expect("a free port below 32000")
}

fn is_free(port: u16) -> bool {
    let v4 = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
    v4 && TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).is_ok()
}

/// Raises the limit of descriptors to what the system allows, for this process and its children,
/// and says how many that is.
pub fn raise_descriptor_limit() -> u64 {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit can be read");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("the limit can be raised");
    hard
}

/// A connection that takes in a few KiB and no more until it is read from, as one over a slow line.
///
/// # Panics
/// Where it does not come up.
pub fn narrow(to: SocketAddr) -> TcpStream {
    let family = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
    // Before it connects: later, the other side has been told of more already. With packets of 64 KiB,
    // as on loopback, the kernel would hold all for it.
    setsockopt(&socket, RcvBuf, &4096).expect("a small buffer");
    setsockopt(&socket, TcpMaxSeg, &1400).expect("small packets");
    connect(socket.as_raw_fd(), &SockaddrStorage::from(to)).expect("a connection");
    socket.into()
}

/// Takes the calling thread, the sockets that it opens and the processes that it starts into a
/// network of their own: a loopback with 127.0.0.1, ::1 and, as istio-init leaves it, ::6.
///
/// # Panics
/// Without the right to make network namespaces (root has it), and without the command `ip`.
pub fn enter_pod_network() {
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace, for which one has to be root");
    for arguments in ["link set lo up", "-6 addr add ::6/128 dev lo"] {
        let status = Command::new("ip").args(arguments.split(' ')).status();
        let status = status.expect("the command ip, from the package iproute2");
        assert!(status.success(), "ip {arguments}: {status}");
    }
}
