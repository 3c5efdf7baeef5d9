//! What every server of this program needs: `serve` and `webhook`.
//!
//! | module | what it does |
//! |---|---|
//! | [`connections`] | who is open and who only waits; whom to close when there are too many |
//! | [`signals`] | SIGTERM and SIGINT |

pub mod connections;
pub mod signals;

use std::io;
use std::net::SocketAddr;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};

use crate::exit::Failure;

/// Connections that the kernel holds until they are accepted, unless its own limit is lower. Where
/// they are more, a client waits a second for its next attempt: as long as a whole probe.
const BACKLOG: u32 = 4096;

/// One thread: a request costs microseconds, and a second thread costs memory.
///
/// # Errors
/// The system has no descriptors left.
pub fn runtime() -> Result<Runtime, Failure> {
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| Failure::system(format!("event loop: {error}")))
}

/// Binds and listens.
///
/// # Errors
/// The system's.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for the TIME_WAIT of the last run's connections.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Raises the soft limit of descriptors to the hard one. Returns the limit that holds.
pub fn raise_descriptors() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return 1024;
    };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

/// The error in the system's words, without the number that std appends.
pub fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}
