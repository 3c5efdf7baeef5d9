//! `httpGet`, of a probe and of a lifecycle hook.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use app_health_webhook::kubelet::{
    self, Answer, BODY_LIMIT, DEFAULT_TIMEOUT, Failure, Read, Reading,
};
use app_health_webhook::reason::Reason;

use super::dial::Stream;

/// A GET as the kubelet sends it.
#[derive(Clone, Debug)]
pub struct Get {
    get: kubelet::Get,
    timeout: Option<Duration>,
    body_limit: usize,
    follows: bool,
}

impl Get {
    /// A probe: one second in all unless [`Get::timeout`] says otherwise, no keep-alive.
    pub fn probe(to: SocketAddr, target: impl Into<Vec<u8>>) -> Self {
        Self::of(kubelet::Get::probe(to, target), Some(DEFAULT_TIMEOUT))
    }

    /// A lifecycle hook: no limit, keep-alive; it fails only where this gives an error.
    pub fn hook(to: SocketAddr, target: impl Into<Vec<u8>>) -> Self {
        Self::of(kubelet::Get::hook(to, target), None)
    }

    fn of(get: kubelet::Get, timeout: Option<Duration>) -> Self {
        Self { get, timeout, body_limit: BODY_LIMIT, follows: false }
    }

    /// One of the probe's `httpHeaders`.
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.get = self.get.header(name, value);
        self
    }

    /// Over TLS.
    pub fn over_tls(mut self) -> Self {
        self.get = self.get.over_tls();
        self
    }

    /// Follows redirects to the same host, as it does with an app; the status port sends none.
    pub fn follow(mut self) -> Self {
        self.follows = true;
        self
    }

    /// A limit for all of it: the dial, the head and the body.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Reads all of the body, as no kubelet does.
    pub fn whole_body(mut self) -> Self {
        self.body_limit = usize::MAX;
        self
    }

    /// The answer, its body read up to the 10,240 bytes that the kubelet reads.
    pub fn send(&self) -> io::Result<Answer> {
        let deadline = self.timeout.map(|timeout| Instant::now() + timeout);
        let mut get = self.get.clone();
        loop {
            let mut stream = Stream::dial(get.to(), get.scheme(), deadline)?;
            stream.write_all(&get.bytes())?;
            let reading = if self.follows { Reading::of(&get) } else { Reading::of_answer() };
            match read(&mut stream, reading.body_limit(self.body_limit))? {
                Read::Whole(answer) => return Ok(answer),
                Read::Follow(next) => get = *next,
            }
        }
    }

    /// The status alone, for tables of cases: an error is shown as its text.
    pub fn status(&self) -> Result<u16, String> {
        self.send().map(|answer| answer.status).map_err(|error| error.to_string())
    }
}

/// Reads as far as it matters.
pub(super) fn read(stream: &mut impl io::Read, mut reading: Reading<'_>) -> io::Result<Read> {
    let mut piece = [0; 16 << 10];
    loop {
        match stream.read(&mut piece) {
            Ok(n) => {
                if let Some(read) = reading.feed(&piece[..n]).map_err(as_io)? {
                    return Ok(read);
                }
            }
            Err(error) => return reading.broken(error),
        }
    }
}

fn as_io(failure: Failure) -> io::Error {
    let kind = match failure.reason {
        Reason::Reset | Reason::Broken => io::ErrorKind::UnexpectedEof,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, failure)
}
