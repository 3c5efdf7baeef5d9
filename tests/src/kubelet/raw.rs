//! What no kubelet sends.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Sends these bytes as they are and gives back all that comes until the other side closes.
/// Where nothing more comes for `silence`, that is an error which says what had come.
pub fn raw(to: SocketAddr, bytes: &[u8], silence: Duration) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&to, silence)?;
    stream.set_read_timeout(Some(silence))?;
    // The other side may have answered and closed before it has read everything.
    let _ = stream.write_all(bytes);
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            let came = String::from_utf8_lossy(&all).into_owned();
            Err(io::Error::new(ErrorKind::TimedOut, format!("still open, after {came:?}")))
        }
        Err(error) if all.is_empty() => Err(error),
        _ => Ok(all),
    }
}
