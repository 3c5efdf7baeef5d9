//! An answer of HTTP/1 as Go's client reads it, and as far as the kubelet does. Bytes come in, whatever
//! their pieces.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::mem;

use super::get::{Get, is_name, is_value};
use super::{BODY_LIMIT, Failure};
use crate::reason::Reason;

/// Go's limit for the head of an answer (`MaxResponseHeaderBytes`).
const HEAD_LIMIT: usize = 10 << 20;

/// The body of a redirect is read so far before the next request (`maxBodySlurpSize`).
pub const REDIRECT_BODY_LIMIT: usize = 2 << 10;

/// The longest line before a chunk.
const CHUNK_LINE_LIMIT: usize = 4096;

/// What the kubelet takes from an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

    /// The body as text, without white space at its end.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim_end().to_string()
    }
}

/// What has been read. The rest of the connection does not matter.
#[derive(Debug)]
pub enum Read {
    /// A redirect: this is asked next.
    Follow(Box<Get>),
    /// An answer that is final.
    Whole(Answer),
}

/// The reading of one answer.
pub struct Reading<'a> {
    follows: Option<&'a Get>,
    limit: usize,
    state: State,
    /// Came and not yet used, from `at` on; no end of a line stands before `searched`.
    ahead: Vec<u8>,
    at: usize,
    searched: usize,
    head_size: usize,
    may_have_chunks: bool,
    answer: Answer,
    next: Option<Box<Get>>,
}

#[derive(Clone, Copy)]
enum State {
    Status,
    Header,
    /// So much of the body is to come.
    Length(usize),
    ToTheEnd,
    ChunkSize,
    Chunk(usize),
    ChunkEnd,
    Trailer,
}

/// What a step has come to.
enum Step {
    Wait,
    Go(State),
    Done,
}

type Result<T> = core::result::Result<T, Failure>;

impl<'a> Reading<'a> {
    /// Of an answer that is final, whatever it is.
    pub fn of_answer() -> Self {
        Self {
            follows: None,
            limit: BODY_LIMIT,
            state: State::Status,
            ahead: Vec::new(),
            at: 0,
            searched: 0,
            head_size: 0,
            may_have_chunks: false,
            answer: Answer::default(),
            next: None,
        }
    }

    /// Of the answer to this, which may lead on.
    pub fn of(get: &'a Get) -> Self {
        Self { follows: Some(get), ..Self::of_answer() }
    }

    /// Reads so much of the body.
    pub fn body_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Takes what has come; nothing means that the other side has closed. `None`: more has to come.
    ///
    /// # Errors
    /// It is no answer.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Option<Read>> {
        if bytes.is_empty() {
            return self.closed().map(Some);
        }
        self.ahead.extend_from_slice(bytes);
        let read = loop {
            match self.step()? {
                Step::Go(state) => self.state = state,
                Step::Wait => break None,
                Step::Done => break Some(self.done()),
            }
        };
        self.ahead.drain(..self.at);
        self.searched = self.searched.saturating_sub(self.at);
        self.at = 0;
        Ok(read)
    }

    /// The connection has broken, which does not matter to the body of a redirect that is followed, nor to that
    /// of a hook's answer.
    ///
    /// # Errors
    /// Elsewhere this one.
    pub fn broken<E>(&mut self, error: E) -> core::result::Result<Read, E> {
        let in_body = !matches!(self.state, State::Status | State::Header);
        let is_done = in_body && self.follows.is_some_and(Get::is_hook);
        if self.next.is_some() || is_done { Ok(self.done()) } else { Err(error) }
    }

    fn closed(&mut self) -> Result<Read> {
        let failure = match self.state {
            State::ToTheEnd => return Ok(self.done()),
            State::Status | State::Header => {
                Failure::new(Reason::Reset, "connection closed before an answer")
            }
            _ => Failure::new(Reason::Broken, "the app's answer broke off"),
        };
        self.broken(failure)
    }

    fn done(&mut self) -> Read {
        self.answer.body.truncate(self.limit);
        match self.next.take() {
            Some(get) => Read::Follow(get),
            None => Read::Whole(mem::take(&mut self.answer)),
        }
    }

    fn step(&mut self) -> Result<Step> {
        Ok(match self.state {
            State::Status => match self.head_line()? {
                Some(line) => self.status(&line)?,
                None => Step::Wait,
            },
            State::Header => match self.head_line()? {
                Some(line) if line.is_empty() => self.head_is_whole()?,
                Some(line) => self.header(&line)?,
                None => Step::Wait,
            },
            State::Length(left) => match self.body(left) {
                0 => Step::Done,
                left => self.wait_or(State::Length(left)),
            },
            State::ToTheEnd => match self.body(usize::MAX) {
                _ if self.is_enough() => Step::Done,
                _ => Step::Wait,
            },
            State::ChunkSize => match self.chunk_line()? {
                Some(line) => Step::Go(chunk_size(&line)?),
                None => Step::Wait,
            },
            State::Chunk(left) => match self.body(left) {
                _ if self.is_enough() => Step::Done,
                0 => Step::Go(State::ChunkEnd),
                left => self.wait_or(State::Chunk(left)),
            },
            State::ChunkEnd => match self.chunk_line()? {
                Some(line) if line.is_empty() => Step::Go(State::ChunkSize),
                Some(_) => return Err(broken_chunks()),
                None => Step::Wait,
            },
            State::Trailer => match self.chunk_line()? {
                Some(line) if line.is_empty() => Step::Done,
                Some(_) => Step::Go(State::Trailer),
                None => Step::Wait,
            },
        })
    }

    fn wait_or(&mut self, state: State) -> Step {
        if self.is_enough() {
            return Step::Done;
        }
        self.state = state;
        Step::Wait
    }

    fn is_enough(&self) -> bool {
        self.answer.body.len() >= self.limit
    }

    /// Takes up to so many bytes of the body; how many are left.
    fn body(&mut self, left: usize) -> usize {
        let came = self.ahead.len() - self.at;
        let taken = came.min(left).min(self.limit.saturating_sub(self.answer.body.len()));
        self.answer.body.extend_from_slice(&self.ahead[self.at..self.at + taken]);
        self.at += taken;
        left - taken
    }

    fn head_line(&mut self) -> Result<Option<Vec<u8>>> {
        let line = self.line();
        let size = match &line {
            Some(line) => {
                self.head_size += line.len() + 2;
                self.head_size
            }
            None => self.head_size + self.ahead.len() - self.at,
        };
        if size > HEAD_LIMIT {
            return Err(invalid("a head of more than 10 MiB"));
        }
        Ok(line)
    }

    fn chunk_line(&mut self) -> Result<Option<Vec<u8>>> {
        let line = self.line();
        let size = line.as_ref().map_or(self.ahead.len() - self.at, Vec::len);
        if size > CHUNK_LINE_LIMIT { Err(broken_chunks()) } else { Ok(line) }
    }

    /// The next line, without its end, which may lack the CR.
    fn line(&mut self) -> Option<Vec<u8>> {
        let from = self.searched.max(self.at);
        let Some(length) = self.ahead[from..].iter().position(|b| *b == b'\n') else {
            self.searched = self.ahead.len();
            return None;
        };
        let line = &self.ahead[self.at..from + length];
        let line = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
        self.at = from + length + 1;
        Some(line)
    }

    fn status(&mut self, line: &[u8]) -> Result<Step> {
        let status = status(line).ok_or_else(|| invalid(&String::from_utf8_lossy(line)))?;
        self.answer = Answer { status, ..Answer::default() };
        self.may_have_chunks = !line.starts_with(b"HTTP/1.0") && !line.starts_with(b"HTTP/0.");
        Ok(Step::Go(State::Header))
    }

    fn header(&mut self, line: &[u8]) -> Result<Step> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes.trim_ascii()).into_owned();
        let malformed = || invalid(&text(line));
        if !is_value(line) {
            return Err(malformed());
        }
        if matches!(line.first(), Some(b' ' | b'\t')) {
            // A line that is folded goes on with the header before it.
            let (_, value) = self.answer.headers.last_mut().ok_or_else(malformed)?;
            value.push(' ');
            value.push_str(&text(line));
            return Ok(Step::Go(State::Header));
        }
        let colon = line.iter().position(|b| *b == b':').ok_or_else(malformed)?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        // Go takes spaces in a name.
        let characters: Vec<u8> = name.iter().copied().filter(|b| *b != b' ').collect();
        if !is_name(&characters) {
            return Err(malformed());
        }
        self.answer.headers.push((String::from_utf8_lossy(name).into_owned(), text(value)));
        Ok(Step::Go(State::Header))
    }

    fn head_is_whole(&mut self) -> Result<Step> {
        let status = self.answer.status;
        if (100..200).contains(&status) && status != 101 {
            return Ok(Step::Go(State::Status));
        }
        let state = self.framing()?;
        let location = self.answer.header("location").map(str::as_bytes);
        if let Some(get) = self.follows
            && let Some(next) = get.next(status, location)?
        {
            self.next = Some(next);
            self.limit = REDIRECT_BODY_LIMIT;
        }
        Ok(match state {
            State::Length(0) => Step::Done,
            _ if self.is_enough() => Step::Done,
            State::Length(length) if self.next.is_some() && length > self.limit => Step::Done,
            state => Step::Go(state),
        })
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let headers = self.answer.headers.iter();
        headers
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| &value[..])
    }

    /// How the body ends.
    fn framing(&self) -> Result<State> {
        let mut codings = self.all("transfer-encoding").filter(|_| self.may_have_chunks);
        let coding = codings.next();
        if codings.next().is_some() || coding.is_some_and(|it| !it.eq_ignore_ascii_case("chunked"))
        {
            return Err(invalid("an unknown transfer encoding"));
        }
        let mut lengths = self.all("content-length");
        let length = lengths.next();
        if lengths.any(|other| Some(other) != length) {
            return Err(invalid("two Content-Lengths"));
        }
        Ok(match (self.answer.status, coding, length) {
            (101 | 204 | 304, ..) => State::Length(0),
            (_, Some(_), _) => State::ChunkSize,
            (_, _, Some(length)) => {
                let digits = length.bytes().all(|b| b.is_ascii_digit());
                let length = length.parse().ok().filter(|_| digits);
                State::Length(length.ok_or_else(|| invalid("a Content-Length that is none"))?)
            }
            _ => State::ToTheEnd,
        })
    }
}

fn status(line: &[u8]) -> Option<u16> {
    let (version, rest) = line.split_at_checked(b"HTTP/1.1".len())?;
    let [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] = version else {
        return None;
    };
    let code = rest.strip_prefix(b" ")?.split(|b| *b == b' ').find(|word| !word.is_empty())?;
    // Three characters that are a number, with a sign where they have one (`Atoi`), and not negative.
    let number: i16 = core::str::from_utf8(code).ok()?.parse().ok()?;
    u16::try_from(number).ok().filter(|_| code.len() == 3)
}

fn chunk_size(line: &[u8]) -> Result<State> {
    let size = line.split(|b| *b == b';').next().unwrap_or_default().trim_ascii_end();
    let digits = size.iter().all(u8::is_ascii_hexdigit);
    let size = core::str::from_utf8(size).ok().filter(|_| digits);
    match size.and_then(|size| usize::from_str_radix(size, 16).ok()) {
        Some(0) => Ok(State::Trailer),
        Some(size) => Ok(State::Chunk(size)),
        None => Err(broken_chunks()),
    }
}

fn broken_chunks() -> Failure {
    Failure::new(Reason::Broken, "malformed chunks")
}

fn invalid(what: &str) -> Failure {
    // It may be long.
    let what: String = what.chars().take(100).collect();
    Failure::new(Reason::Invalid, format!("not a valid HTTP answer: {what:?}"))
}

#[cfg(test)]
mod tests;
