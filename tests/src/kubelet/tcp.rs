//! `tcpSocket`: a connection is a success.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use app_health_webhook::kubelet::is_accepted;

/// Dials and closes.
pub fn tcp(to: SocketAddr, timeout: Duration) -> io::Result<()> {
    match TcpStream::connect_timeout(&to, timeout) {
        Err(error) if is_accepted(error.kind()) => Ok(()),
        outcome => outcome.map(drop),
    }
}
