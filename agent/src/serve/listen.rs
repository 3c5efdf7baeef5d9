//! What `--listen` may say.

use std::fmt;
use std::net::SocketAddr;
use std::os::unix::net::SocketAddr as UnixAddr;
use std::path::PathBuf;

/// Where to listen: nothing that another machine could reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A loopback address. Port 0 lets the system choose.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl Listen {
    /// Reads `IP:PORT` (an IPv6 address in brackets) or `unix:PATH`.
    ///
    /// # Errors
    /// One line that says what is wrong, without the text itself.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some(path) => parse_path(path).map(Self::Unix),
            None => parse_address(text).map(Self::Tcp),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn parse_path(path: &str) -> Result<PathBuf, String> {
    if path.is_empty() {
        return Err("no path after unix:".to_owned());
    }
    // The kernel's own limit: 107 bytes, none of them NUL.
    UnixAddr::from_pathname(path).map_err(|error| format!("no path for a socket: {error}"))?;
    Ok(path.into())
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| {
        "neither IP:PORT, as in 127.0.0.1:15023 or [::1]:15023, nor unix:PATH".to_owned()
    })?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("not a loopback address; use 127.0.0.1, [::1] or unix:PATH".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_loopback_and_unix_sockets() {
        for text in [
            "127.0.0.1:15023",
            "127.0.0.1:0",
            "127.255.255.254:1",
            "[::1]:65535",
            "unix:/run/app-health.sock",
            "unix:relative.sock",
        ] {
            assert_eq!(Listen::parse(text).map(|listen| listen.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn rejects_the_rest_and_says_why() {
        let long = format!("unix:/{}", "x".repeat(107));
        for (text, why) in [
            ("", "neither IP:PORT"),
            ("15023", "neither IP:PORT"),
            ("127.0.0.1", "neither IP:PORT"),
            ("127.0.0.1:", "neither IP:PORT"),
            ("127.0.0.1:65536", "neither IP:PORT"),
            ("localhost:15023", "neither IP:PORT"),
            ("::1:15023", "neither IP:PORT"),
            (" 127.0.0.1:1", "neither IP:PORT"),
            ("0.0.0.0:15023", "not a loopback"),
            ("[::]:15023", "not a loopback"),
            ("10.0.0.7:15023", "not a loopback"),
            ("[::ffff:127.0.0.1]:1", "not a loopback"),
            ("unix:", "no path after"),
            ("unix:/a\0b", "no path for a socket"),
            (&long, "no path for a socket"),
        ] {
            let error = Listen::parse(text).expect_err(text);
            assert!(error.starts_with(why), "{text:?}: {error}");
        }
    }
}
