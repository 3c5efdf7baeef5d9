//! What every server of this program needs, `serve` and `webhook`, and what asks one.
//!
//! | module | what it does |
//! |---|---|
//! | [`client`] | one request, the whole answer |
//! | [`server`] | one port: accepts, speaks HTTP, ends with grace |
//! | [`signals`] | SIGTERM and SIGINT |

pub mod client;
pub mod server;
pub mod signals;

use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};

use crate::exit::Failure;
use server::Listener;

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
/// The address is in use, or is none of this machine's, or its port takes a privilege.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for the TIME_WAIT of the last run's connections.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Listener for TcpListener {
    type Stream = TcpStream;
    type Handshake = Ready<io::Result<TcpStream>>;

    async fn accept(&self) -> io::Result<Self::Handshake> {
        Ok(ready(Ok(accept(self).await?)))
    }
}

/// The next connection of a listener.
///
/// # Errors
/// The system accepts none for now, as where no descriptors are left. The listener goes on.
pub async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = TcpListener::accept(listener).await?;
    // Answers are small: none may wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    Ok(stream)
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
