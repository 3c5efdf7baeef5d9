//! The contract between filter and agent: one TCP check a request.
//!
//! `GET /tcp/<ip>/<port>`, with the time left in the header [`TIMEOUT_HEADER`]. The answer is one
//! of [`CheckStatus`]'s statuses, with the reason as the body's one line unless the port accepted, and
//! always as a word, one of [`Reason`](crate::reason::Reason)'s, in the header
//! [`HEADER`](crate::reason::HEADER).

use alloc::string::{String, ToString};
use core::net::{IpAddr, SocketAddr};

/// The time left for the check, in whole milliseconds, decimal. Absent: no limit but the system's.
pub const TIMEOUT_HEADER: &str = "x-app-health-timeout-ms";

/// Where the agent listens unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:15023";

const PREFIX: &str = "/tcp/";

/// The request's path. An IPv6 address goes without brackets.
pub fn path(ip: &str, port: u16) -> String {
    [PREFIX, ip, "/", &u32::from(port).to_string()].concat()
}

/// What the agent answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckStatus {
    /// The port accepted; the connection is closed already.
    Connected = 200,
    /// The request names no address of this pod, or no port.
    BadRequest = 400,
    /// It did not accept, for the reason in the body.
    Failed = 500,
}

impl CheckStatus {
    /// The HTTP status that says so.
    pub const fn status(self) -> u16 {
        self as u16
    }
}

/// Why a path names no check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// Not of the form `/tcp/<ip>/<port>`: 404.
    Unknown,
    /// What stands for the address is none: 400.
    Address,
    /// What stands for the port is no number from 1 to 65535: 400.
    Port,
}

/// Reads a path that [`path`] wrote. An IPv4-mapped IPv6 address becomes the IPv4 address.
///
/// # Errors
/// The path names no check: which part of it is wrong.
pub fn parse(path: &str) -> Result<SocketAddr, PathError> {
    let (ip, port) = path
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once('/'))
        .ok_or(PathError::Unknown)?;
    if port.contains('/') {
        return Err(PathError::Unknown);
    }
    let ip: IpAddr = ip.parse().map_err(|_| PathError::Address)?;
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let port = if digits { port.parse().unwrap_or(0) } else { 0 };
    if port == 0 {
        return Err(PathError::Port);
    }
    Ok(SocketAddr::new(ip.to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (ip, port, text) in
            [("10.0.0.7", 2940, "/tcp/10.0.0.7/2940"), ("fd00::7", 1, "/tcp/fd00::7/1")]
        {
            assert_eq!(path(ip, port), text);
            assert_eq!(parse(text), Ok(SocketAddr::new(ip.parse().unwrap(), port)));
        }
        assert_eq!(parse("/tcp/::ffff:10.0.0.7/80"), Ok("10.0.0.7:80".parse().unwrap()));
    }

    #[test]
    fn statuses() {
        let all = [CheckStatus::Connected, CheckStatus::BadRequest, CheckStatus::Failed];
        assert_eq!(all.map(CheckStatus::status), [200, 400, 500]);
    }

    #[test]
    fn a_path_that_names_no_check() {
        for (text, error) in [
            ("", PathError::Unknown),
            ("/", PathError::Unknown),
            ("/tcp/", PathError::Unknown),
            ("/tcp/10.0.0.7", PathError::Unknown),
            ("/tcp/10.0.0.7/80/", PathError::Unknown),
            ("/udp/10.0.0.7/80", PathError::Unknown),
            ("/tcp//80", PathError::Address),
            ("/tcp/localhost/80", PathError::Address),
            ("/tcp/[fd00::7]/80", PathError::Address),
            ("/tcp/fe80::1%eth0/80", PathError::Address),
            ("/tcp/10.0.0.7/", PathError::Port),
            ("/tcp/10.0.0.7/0", PathError::Port),
            ("/tcp/10.0.0.7/+80", PathError::Port),
            ("/tcp/10.0.0.7/65536", PathError::Port),
            ("/tcp/10.0.0.7/99999999999999999999", PathError::Port),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }
}
