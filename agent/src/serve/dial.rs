//! One connection to a port of this pod, made and closed.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use app_health_webhook::kubelet::is_accepted;
use app_health_webhook::reason::Reason;
use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
use socket2::{Domain, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::net;

/// The sources that a mesh's iptables rules let pass straight to the app.
const SOURCE_V4: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 6);
const SOURCE_V6: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6);

static SAID_V4: AtomicBool = AtomicBool::new(false);
static SAID_V6: AtomicBool = AtomicBool::new(false);

/// How far a dial has come.
pub enum Dial {
    /// The port has accepted. The connection is closed already.
    Accepted,
    /// The port has said nothing yet. Dropping it gives up.
    UnderWay(TcpStream),
}

/// Why the port did not accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialFailure {
    /// For programs.
    pub reason: Reason,
    /// For people, without the address.
    pub text: String,
}

/// Connects to `to` and closes at once, if it can be done without waiting: the port is this pod's
/// own, so its kernel accepts or refuses before connect() returns. Only a port that hangs is left
/// under way: its accept queue is full, or a rule drops the packets.
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
/// The port refuses, the address cannot be reached, or the agent lacks what it takes.
pub fn begin(to: SocketAddr) -> Result<Dial, DialFailure> {
    let socket = connecting(to)?;
    match accepted(&socket) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            under_way(socket).map(Dial::UnderWay)
        }
        result => result.map(|()| Dial::Accepted).map_err(|error| DialFailure::of(&error)),
    }
}

/// Waits until the port has said something.
///
/// # Errors
/// The port refuses, or cannot be reached any more.
pub async fn finish(stream: &TcpStream) -> Result<(), DialFailure> {
    let outcome = stream.async_io(Interest::WRITABLE, || accepted(stream)).await;
    outcome.map_err(|error| DialFailure::of(&error))
}

/// A connection to `to` that is kept.
///
/// # Errors
/// As of [`begin`] and [`finish`].
pub async fn connect(to: SocketAddr) -> Result<TcpStream, DialFailure> {
    let stream = under_way(connecting(to)?)?;
    finish(&stream).await.map(|()| stream)
}

fn connecting(to: SocketAddr) -> Result<Socket, DialFailure> {
    let socket = prepared(to).map_err(|error| DialFailure::agents(&error))?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() == Some(Errno::EINPROGRESS as i32) => Ok(socket),
        result => result.map(|()| socket).map_err(|error| DialFailure::of(&error)),
    }
}

fn under_way(socket: Socket) -> Result<TcpStream, DialFailure> {
    TcpStream::from_std(socket.into()).map_err(|error| DialFailure::agents(&error))
}

impl DialFailure {
    fn of(error: &io::Error) -> Self {
        let reason = match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ECONNREFUSED) => Reason::Refused,
            Some(Errno::ETIMEDOUT) => Reason::Timeout,
            Some(
                Errno::ENETUNREACH
                | Errno::EHOSTUNREACH
                | Errno::ENETDOWN
                | Errno::EHOSTDOWN
                | Errno::EACCES
                | Errno::EPERM,
            ) => Reason::Unreachable,
            _ => Reason::Agent,
        };
        Self { reason, text: net::reason(error) }
    }

    fn agents(error: &io::Error) -> Self {
        Self { reason: Reason::Agent, ..Self::of(error) }
    }
}

/// Whether the handshake was made. `WouldBlock`: not yet.
fn accepted(socket: &impl AsFd) -> io::Result<()> {
    let socket = SockRef::from(socket);
    match socket.take_error()?.map(|error| (error.kind(), error)) {
        None => {}
        // The app has reset it since.
        Some((kind, _)) if is_accepted(kind) => return Ok(()),
        Some((_, error)) => return Err(error),
    }
    match socket.peer_addr() {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        result => result.map(drop),
    }
}

fn prepared(to: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    bind_source(&socket, to)?;
    Ok(socket)
}

fn bind_source(socket: &Socket, to: SocketAddr) -> io::Result<()> {
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
    match socket.bind(&SocketAddr::from((source, 0)).into()) {
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
            if !said.swap(true, Ordering::Relaxed) {
                log::warn!("no source address {source}: checks go out without it");
            }
            Ok(())
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Shutdown, TcpListener};
    use std::time::Duration;

    use super::*;

    fn connected() -> (Socket, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.connect(&listener.local_addr().unwrap().into()).unwrap();
        (socket, listener.accept().unwrap().0)
    }

    #[test]
    fn a_connection_that_the_app_has_ended_was_accepted() {
        for (ends, resets) in [(true, false), (false, true), (true, true)] {
            let (socket, app) = connected();
            if ends {
                app.shutdown(Shutdown::Write).unwrap();
            }
            if resets {
                SockRef::from(&app).set_linger(Some(Duration::ZERO)).unwrap();
            }
            drop(app);
            assert_eq!(accepted(&socket).map_err(|error| error.to_string()), Ok(()));
        }
    }

    #[test]
    fn an_error_has_its_word() {
        for (error, reason) in [
            (Errno::ECONNREFUSED, Reason::Refused),
            (Errno::EHOSTUNREACH, Reason::Unreachable),
            (Errno::ENETUNREACH, Reason::Unreachable),
            (Errno::EPERM, Reason::Unreachable),
            (Errno::ETIMEDOUT, Reason::Timeout),
            (Errno::EADDRNOTAVAIL, Reason::Agent),
            (Errno::EMFILE, Reason::Agent),
        ] {
            let text = error.desc().to_owned();
            assert_eq!(DialFailure::of(&error.into()), DialFailure { reason, text });
        }
    }
}
