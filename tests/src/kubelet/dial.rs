//! A connection that lasts until a deadline, over TLS or not.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use app_health_webhook::probers::Scheme;
use rustls::{ClientConnection, StreamOwned};

use super::tls;

/// Reads fail once the deadline is over.
pub(super) enum Stream {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

pub(super) struct Timed {
    stream: TcpStream,
    deadline: Option<Instant>,
}

impl Stream {
    pub(super) fn dial(
        to: SocketAddr,
        scheme: Scheme,
        deadline: Option<Instant>,
    ) -> io::Result<Self> {
        let stream = match left(deadline)? {
            Some(left) => TcpStream::connect_timeout(&to, left)?,
            None => TcpStream::connect(to)?,
        };
        let timed = Timed { stream, deadline };
        Ok(match scheme {
            Scheme::Http => Self::Plain(timed),
            Scheme::Https => Self::Tls(Box::new(StreamOwned::new(tls::session(to)?, timed))),
        })
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buf),
            Self::Tls(stream) => stream.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(buf),
            Self::Tls(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl Read for Timed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(left(self.deadline)?)?;
        self.stream.read(buf).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => timed_out(),
            _ => error,
        })
    }
}

impl Write for Timed {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.stream.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn left(deadline: Option<Instant>) -> io::Result<Option<Duration>> {
    let Some(deadline) = deadline else { return Ok(None) };
    match deadline.checked_duration_since(Instant::now()) {
        Some(left) if !left.is_zero() => Ok(Some(left)),
        _ => Err(timed_out()),
    }
}

fn timed_out() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "not in time")
}
