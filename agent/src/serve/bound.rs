//! The bound listener: binds, accepts, cleans up.

use std::fs;
use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use super::listen::Listen;
use crate::net::server::Listener;
use crate::net::{self, reason};

/// A bound listener. Dropping it removes the socket file.
pub enum Bound {
    /// On loopback.
    Tcp(TcpListener, SocketAddr),
    /// On a Unix socket.
    Unix(UnixListener, SocketFile),
}

/// What HTTP needs of a connection, whatever its kind.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

impl Bound {
    /// Binds and listens.
    ///
    /// # Errors
    /// One line that says why not, without the address itself.
    pub fn bind(listen: &Listen) -> Result<Self, String> {
        match listen {
            Listen::Tcp(address) => bind_tcp(*address).map_err(|error| reason(&error)),
            Listen::Unix(path) => bind_unix(path),
        }
    }

    /// Where it listens, as `--listen` would say it, with the port that the system chose.
    pub fn address(&self) -> Listen {
        match self {
            Self::Tcp(_, address) => Listen::Tcp(*address),
            Self::Unix(_, file) => Listen::Unix(file.path.clone()),
        }
    }
}

impl Listener for Bound {
    type Stream = Box<dyn Transport>;
    type Handshake = Ready<io::Result<Self::Stream>>;

    async fn accept(&self) -> io::Result<Self::Handshake> {
        let stream: Self::Stream = match self {
            Self::Tcp(listener, _) => Box::new(net::accept(listener).await?),
            Self::Unix(listener, _) => Box::new(listener.accept().await?.0),
        };
        Ok(ready(Ok(stream)))
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<Bound> {
    let listener = net::bind(address)?;
    let address = listener.local_addr()?;
    Ok(Bound::Tcp(listener, address))
}

fn bind_unix(path: &Path) -> Result<Bound, String> {
    make_way(path)?;
    let bind = || {
        let listener = UnixListener::bind(path)?;
        let file = SocketFile::new(path)?;
        // Envoy runs as another user than we do.
        fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
        Ok(Bound::Unix(listener, file))
    };
    bind().map_err(|error| reason(&error))
}

/// Removes a socket file on which nobody accepts: what a killed run has left behind.
fn make_way(path: &Path) -> Result<(), String> {
    let kind = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(reason(&error)),
        Ok(metadata) => metadata.file_type(),
    };
    if !kind.is_socket() {
        return Err("there is a file that is no socket; remove it or choose another path".into());
    }
    if is_live(path).map_err(|error| reason(&error))? {
        return Err("in use: somebody accepts connections on it".into());
    }
    fs::remove_file(path).map_err(|error| format!("stale, but not removable: {}", reason(&error)))
}

/// Whether somebody listens there. Never waits: a full backlog is somebody too.
fn is_live(path: &Path) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(error),
    }
}

/// The file of a bound Unix socket, removed in the end unless another has taken its place.
pub struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), inode: inode(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|now| now == self.inode) {
            // Nothing to be done about a failure: the next run replaces the file.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}
