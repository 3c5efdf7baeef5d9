//! Requests that no kubelet sends.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use app_health_webhook::kubelet::{self, Answer, Reading};

use super::get::read;

/// Sends these bytes as they are, and reads until the other side closes or the answer is as long as
/// its Content-Length says. When nothing comes for `silence`, the error says what came before.
pub fn send_bytes(to: SocketAddr, bytes: &[u8], silence: Duration) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&to, silence)?;
    stream.set_read_timeout(Some(silence))?;
    // The other side may have answered and closed before it has read everything.
    let _ = stream.write_all(bytes);
    let mut all = Vec::new();
    let mut piece = [0; 16 << 10];
    while !is_whole(&all) {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => all.extend_from_slice(&piece[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let came = String::from_utf8_lossy(&all).into_owned();
                return Err(io::Error::new(
                    ErrorKind::TimedOut,
                    format!("still open, after {came:?}"),
                ));
            }
            Err(error) if all.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    Ok(all)
}

/// Sends these bytes and reads until the other side closes the connection.
pub fn until_closed(mut stream: impl Read + Write, request: &[u8]) -> io::Result<Answer> {
    stream.write_all(request)?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    match read(&mut &all[..], Reading::of_answer().body_limit(0))? {
        kubelet::Read::Whole(head) => Ok(Answer { body: behind_the_head(&all), ..head }),
        kubelet::Read::Follow(_) => unreachable!("no redirect is followed"),
    }
}

/// All that came, whatever the head says of it.
fn behind_the_head(answer: &[u8]) -> Vec<u8> {
    const END: &[u8] = b"\r\n\r\n";
    let at = answer.windows(END.len()).position(|window| window == END);
    at.map(|at| answer[at + END.len()..].to_vec()).unwrap_or_default()
}

fn is_whole(answer: &[u8]) -> bool {
    let answer = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| body.len() >= length)
}
