//! One HTTP/1.1 exchange on a connection of its own, as far as the kubelet reads it.

use std::io::{self, ErrorKind, Read, Write};

use super::dial::Stream;

/// The kubelet reads no more than this of a body.
pub(super) const BODY_LIMIT: usize = 10_240;
/// Go's limit for the head of an answer.
const HEAD_LIMIT: usize = 10 << 20;

/// What the kubelet takes from an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// In the order and the case in which they came.
    pub headers: Vec<(String, String)>,
    /// At most 10,240 bytes.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| &v[..])
    }

    /// Reads what came on a connection until its end: the body is all that followed the head.
    pub(super) fn parse(bytes: &[u8]) -> io::Result<Self> {
        let end = b"\r\n\r\n";
        let at = find(bytes, end).ok_or_else(|| invalid(&String::from_utf8_lossy(bytes)))?;
        Ok(Self { body: bytes[at + end.len()..].to_vec(), ..head(&bytes[..at])? })
    }

    /// The status and the body.
    ///
    /// # Panics
    /// Where that is no text.
    pub fn pair(&self) -> (u16, &str) {
        (self.status, std::str::from_utf8(&self.body).expect("text"))
    }

    /// The body as text, without white space at its end.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim_end().to_owned()
    }
}

/// Sends `request` and reads the answer.
pub(super) fn exchange(stream: Stream, request: &[u8], body_limit: usize) -> io::Result<Answer> {
    let mut connection = Reader { stream, ahead: Vec::new(), body_limit };
    connection.stream.write_all(request)?;
    loop {
        let mut answer = connection.head()?;
        if answer.status >= 200 || answer.status == 101 {
            answer.body = connection.body(&answer)?;
            return Ok(answer);
        }
    }
}

struct Reader {
    stream: Stream,
    /// Read and not yet used.
    ahead: Vec<u8>,
    body_limit: usize,
}

impl Reader {
    /// Reads some more; false at the end of the stream.
    fn more(&mut self) -> io::Result<bool> {
        let mut piece = [0; 16 << 10];
        let n = self.stream.read(&mut piece)?;
        self.ahead.extend_from_slice(&piece[..n]);
        Ok(n > 0)
    }

    fn more_or_eof(&mut self) -> io::Result<()> {
        if self.more()? { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    /// Takes `n` bytes out of what has been read.
    fn take(&mut self, n: usize) -> Vec<u8> {
        let rest = self.ahead.split_off(n);
        std::mem::replace(&mut self.ahead, rest)
    }

    /// Takes everything up to `end`, which goes too.
    fn until(&mut self, end: &[u8], limit: usize) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = find(&self.ahead, end) {
                let mut taken = self.take(at + end.len());
                taken.truncate(at);
                return Ok(taken);
            }
            if self.ahead.len() > limit {
                return Err(invalid("no end of the head"));
            }
            self.more_or_eof()?;
        }
    }

    fn head(&mut self) -> io::Result<Answer> {
        head(&self.until(b"\r\n\r\n", HEAD_LIMIT)?)
    }

    fn body(&mut self, answer: &Answer) -> io::Result<Vec<u8>> {
        if answer.header("transfer-encoding").is_some() {
            return self.chunks();
        }
        match answer.header("content-length") {
            Some(length) => {
                let length = length.parse::<usize>().map_err(|_| invalid(length))?;
                self.bytes(length.min(self.body_limit))
            }
            None if answer.status == 204 || answer.status == 304 => Ok(Vec::new()),
            None => self.rest(),
        }
    }

    fn bytes(&mut self, n: usize) -> io::Result<Vec<u8>> {
        while self.ahead.len() < n {
            self.more_or_eof()?;
        }
        Ok(self.take(n))
    }

    fn rest(&mut self) -> io::Result<Vec<u8>> {
        while self.ahead.len() < self.body_limit && self.more()? {}
        Ok(self.take(self.ahead.len().min(self.body_limit)))
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        while body.len() < self.body_limit {
            let size = String::from_utf8_lossy(&self.until(b"\r\n", 1024)?).into_owned();
            let size = usize::from_str_radix(&size, 16).map_err(|_| invalid(&size))?;
            if size == 0 {
                break;
            }
            body.extend(self.bytes(size.min(self.body_limit - body.len()))?);
            if body.len() < self.body_limit {
                self.until(b"\r\n", 0)?;
            }
        }
        Ok(body)
    }
}

fn head(head: &[u8]) -> io::Result<Answer> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1)?.parse().ok())
        .ok_or_else(|| invalid(first))?;
    let headers = lines.map(header).collect::<io::Result<_>>()?;
    Ok(Answer { status, headers, body: Vec::new() })
}

fn header(line: &str) -> io::Result<(String, String)> {
    let (name, value) = line.split_once(':').ok_or_else(|| invalid(line))?;
    Ok((name.to_owned(), value.trim().to_owned()))
}

fn find(within: &[u8], what: &[u8]) -> Option<usize> {
    within.windows(what.len()).position(|window| window == what)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("no HTTP: {what:?}"))
}
