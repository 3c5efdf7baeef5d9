//! Ports that accept, that refuse, and that accept late.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, getsockname, listen,
    setsockopt, socket, sockopt::ReuseAddr,
};
use tokio::task::JoinHandle;

use super::Script;
use super::server::Server;
use crate::runtime;

/// A port that accepts, and says nothing.
pub struct Open {
    server: Server,
    peers: Arc<Mutex<Vec<SocketAddr>>>,
    plain_ends: Arc<AtomicUsize>,
}

impl Open {
    /// Listens on a free port.
    pub fn start(ip: IpAddr) -> Self {
        Self::start_at(SocketAddr::new(ip, 0))
    }

    /// Listens at an address.
    pub fn start_at(addr: SocketAddr) -> Self {
        let peers = Arc::new(Mutex::new(Vec::new()));
        let plain_ends = Arc::new(AtomicUsize::new(0));
        let (seen, ends) = (peers.clone(), plain_ends.clone());
        let server = Server::start_at(addr, move |stream, peer| {
            seen.lock().expect("no app panics").push(peer);
            let ends = ends.clone();
            async move {
                Script::default().hold().play(stream).await?;
                ends.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        });
        Self { server, peers, plain_ends }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr
    }

    /// Where the connections so far came from.
    pub fn peers(&self) -> Vec<SocketAddr> {
        self.peers.lock().expect("no app panics").clone()
    }

    /// How many connections have ended by a close of the other side, without a reset.
    pub fn plain_ends(&self) -> usize {
        self.plain_ends.load(Ordering::Relaxed)
    }
}

/// A port that refuses: taken, so that nobody else gets it, but without a listener.
pub struct Closed {
    addr: SocketAddr,
    _socket: OwnedFd,
}

impl Closed {
    /// Takes a free port.
    pub fn start(ip: IpAddr) -> Self {
        let any = SocketAddr::new(ip, 0);
        let (socket, addr) = bound(any).unwrap_or_else(|error| panic!("a port of {ip}: {error}"));
        Self { addr, _socket: socket }
    }

    /// The address that refuses.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// A port that accepts late, and then plays a script. Until it is opened its queue is full, so that
/// the kernel drops new connections.
pub struct Late {
    addr: SocketAddr,
    listener: TcpListener,
    fillers: Vec<TcpStream>,
    script: Script,
    task: OnceLock<JoinHandle<io::Result<()>>>,
}

impl Late {
    /// The script is played without waiting for a request.
    pub fn start(ip: IpAddr, script: Script) -> Self {
        Self::try_start(ip, script).unwrap_or_else(|error| panic!("a late port: {error}"))
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Accepts from then on.
    pub fn open_in(&self, time: Duration) {
        let listener = self.listener.try_clone().expect("a second handle of the listener");
        let accept = accept_late(listener, time, self.fillers.len(), self.script.clone());
        self.task.get_or_init(|| runtime().spawn(accept));
    }

    fn try_start(ip: IpAddr, script: Script) -> io::Result<Self> {
        let (socket, addr) = bound(SocketAddr::new(ip, 0))?;
        listen(&socket, Backlog::new(0).map_err(io::Error::from)?)?;
        let listener = TcpListener::from(socket);
        listener.set_nonblocking(true)?;
        Ok(Self { addr, listener, fillers: fill(addr)?, script, task: OnceLock::new() })
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

/// Connects until the queue is full, and keeps the connections.
pub(super) fn fill(addr: SocketAddr) -> io::Result<Vec<TcpStream>> {
    let mut fillers = Vec::new();
    loop {
        match TcpStream::connect_timeout(&addr, Duration::from_millis(200)) {
            Ok(stream) => fillers.push(stream),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(fillers),
            Err(error) => return Err(error),
        }
    }
}

async fn accept_late(
    listener: TcpListener,
    after: Duration,
    fillers: usize,
    script: Script,
) -> io::Result<()> {
    tokio::time::sleep(after).await;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    for _ in 0..fillers {
        listener.accept().await?;
    }
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(script.clone().play(stream));
    }
}

/// Takes a port, without listening.
pub(super) fn bound(addr: SocketAddr) -> io::Result<(OwnedFd, SocketAddr)> {
    let family = if addr.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // Connections of an earlier listener may linger on the port.
    setsockopt(&socket, ReuseAddr, &true)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(addr))?;
    let name: SockaddrStorage = getsockname(socket.as_raw_fd())?;
    let v4 = name.as_sockaddr_in().map(|a| SocketAddr::V4((*a).into()));
    let v6 = name.as_sockaddr_in6().map(|a| SocketAddr::V6((*a).into()));
    v4.or(v6).map(|addr| (socket, addr)).ok_or_else(|| io::Error::other("no IP address"))
}
