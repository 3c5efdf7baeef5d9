//! One connection to a port of this pod, made and closed.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
use tokio::net::TcpSocket;

/// The sources that a mesh's iptables rules let pass straight to the app.
const SOURCE_V4: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 6);
const SOURCE_V6: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6);

static SAID_V4: AtomicBool = AtomicBool::new(false);
static SAID_V6: AtomicBool = AtomicBool::new(false);

/// Connects to `to` and closes at once. Dropping the future gives up.
///
/// The kubelet sets SO_LINGER to 1 s; here it stays unset, and the app sees the same: a FIN. On
/// Linux a linger above zero changes nothing on the wire, it only makes close() wait for the
/// peer's acknowledgement of the FIN, even on a non-blocking socket. That would hold this one
/// thread, and so every other check: for a millisecond as a rule, for the whole second where the
/// acknowledgement does not come (a rule that drops packets, an accept queue just filled up).
///
/// Each check leaves a TIME_WAIT, as the kubelet's do. Linux takes such a port again after a
/// second, but towards IPv6 addresses other than ::1 only after sixty: some 470 checks a second
/// to one IPv6 port can go on for ever.
///
/// # Errors
/// The system's: refused, unreachable, no descriptors left.
pub async fn dial(to: SocketAddr) -> io::Result<()> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    bind_source(&socket, to)?;
    socket.connect(to).await.map(drop)
}

fn bind_source(socket: &TcpSocket, to: SocketAddr) -> io::Result<()> {
    let (source, said): (IpAddr, _) = match to {
        SocketAddr::V4(_) => (SOURCE_V4.into(), &SAID_V4),
        SocketAddr::V6(_) => (SOURCE_V6.into(), &SAID_V6),
    };
    // Else bind() reserves a port for this socket alone, whatever the destination, and these run
    // out; connect() picks one that is free towards the destination. qemu-user does not know it:
    // there, fewer checks a minute have to do.
    match setsockopt(socket, IpBindAddressNoPort, &true) {
        Ok(()) | Err(Errno::ENOPROTOOPT) => {}
        Err(error) => return Err(error.into()),
    }
    match socket.bind((source, 0).into()) {
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
            if !said.swap(true, Ordering::Relaxed) {
                log::warn!("no source address {source}: checks go out without it");
            }
            Ok(())
        }
        result => result,
    }
}
