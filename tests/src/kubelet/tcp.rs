//! `tcpSocket`: a connection is a success.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Dials and closes.
pub fn tcp(to: SocketAddr, timeout: Duration) -> io::Result<()> {
    TcpStream::connect_timeout(&to, timeout).map(drop)
}
