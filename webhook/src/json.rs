//! A small JSON reader and string writer (RFC 8259), without serde.
//!
//! The reader is pulled: whoever reads says what comes next. It borrows from the text, allocates
//! only for strings with escapes, and refuses nesting deeper than [`MAX_DEPTH`].

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

/// As deep as serde_json goes. A probers config is four deep.
pub const MAX_DEPTH: usize = 128;

/// Reading came to an end before its time: [`Reader::error`] says why. The reader keeps that to
/// itself, since an error handed through every call would weigh 5 KB of the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop;

/// The text is not JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Byte offset at which reading stopped.
    pub at: usize,
    /// What was expected there, or what is wrong.
    pub expected: &'static str,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not JSON: expected {} at byte {}", self.expected, self.at)
    }
}

impl core::error::Error for SyntaxError {}

/// The type of a JSON value, judged by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// `{`
    Object,
    /// `[`
    Array,
    /// `"`
    String,
    /// A digit or `-`
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
}

/// A place in a JSON text.
///
/// # Errors
/// What a method reads is not there, or is not JSON: [`Reader::error`] says where.
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    expected: &'static str,
}

/// How far an object or array has been read: made by [`Reader::open`].
pub struct Items {
    first: bool,
    close: u8,
}

type Result<T> = core::result::Result<T, Stop>;

impl<'a> Reader<'a> {
    /// At the beginning of `text`.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0, expected: "" }
    }

    /// Why reading stopped.
    pub fn error(&self) -> SyntaxError {
        SyntaxError { at: self.at, expected: self.expected }
    }

    /// Byte offset of the next token, white space skipped.
    pub fn position(&mut self) -> usize {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
        self.at
    }

    /// The type of the next value.
    pub fn peek(&mut self) -> Result<ValueType> {
        self.position();
        match self.byte() {
            Some(b'{') => Ok(ValueType::Object),
            Some(b'[') => Ok(ValueType::Array),
            Some(b'"') => Ok(ValueType::String),
            Some(b'-' | b'0'..=b'9') => Ok(ValueType::Number),
            Some(b't' | b'f') => Ok(ValueType::Bool),
            Some(b'n') => Ok(ValueType::Null),
            _ => self.fail("a value"),
        }
    }

    /// Enters the object or array that comes next.
    pub fn open(&mut self) -> Result<Items> {
        let close = match self.peek()? {
            ValueType::Object => b'}',
            ValueType::Array => b']',
            _ => return self.fail("an object or array"),
        };
        if self.depth >= MAX_DEPTH {
            return self.fail("less nesting");
        }
        self.depth += 1;
        self.at += 1;
        Ok(Items { first: true, close })
    }

    /// Whether a further item of an array comes; leaves the array at its end.
    pub fn next_item(&mut self, items: &mut Items) -> Result<bool> {
        self.position();
        if self.byte() == Some(items.close) {
            self.at += 1;
            self.depth = self.depth.saturating_sub(1);
            return Ok(false);
        }
        if !core::mem::take(&mut items.first) {
            self.expect(b',', "a comma or the end")?;
        }
        Ok(true)
    }

    /// The key of an object's next member, its value being next; leaves the object at its end.
    pub fn next_key(&mut self, items: &mut Items) -> Result<Option<Cow<'a, str>>> {
        if !self.next_item(items)? {
            return Ok(None);
        }
        let key = self.string()?;
        self.position();
        self.expect(b':', "a colon")?;
        Ok(Some(key))
    }

    /// The string that comes next, unescaped. A lone surrogate becomes U+FFFD, as in Go.
    pub fn string(&mut self) -> Result<Cow<'a, str>> {
        self.position();
        self.expect(b'"', "a string")?;
        let mut unescaped = String::new();
        let mut from = self.at;
        loop {
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => {
                    unescaped.push_str(self.slice(from, self.at));
                    self.at += 1;
                    unescaped.push(self.escape()?);
                    from = self.at;
                }
                Some(b) if b >= b' ' => self.at += 1,
                Some(_) => return self.fail("no control character"),
                None => return self.fail("the string's end"),
            }
        }
        let rest = self.slice(from, self.at);
        self.at += 1;
        if unescaped.is_empty() {
            return Ok(Cow::Borrowed(rest));
        }
        unescaped.push_str(rest);
        Ok(Cow::Owned(unescaped))
    }

    /// The text of the value that comes next, as it stands; the value is checked and skipped.
    pub fn raw(&mut self) -> Result<&'a str> {
        let from = self.position();
        match self.peek()? {
            ValueType::Object => {
                let mut items = self.open()?;
                while self.next_key(&mut items)?.is_some() {
                    self.raw()?;
                }
            }
            ValueType::Array => {
                let mut items = self.open()?;
                while self.next_item(&mut items)? {
                    self.raw()?;
                }
            }
            ValueType::String => {
                self.string()?;
            }
            ValueType::Number => self.number()?,
            ValueType::Bool if self.byte() == Some(b't') => self.literal("true")?,
            ValueType::Bool => self.literal("false")?,
            ValueType::Null => self.literal("null")?,
        }
        Ok(self.slice(from, self.at))
    }

    /// Nothing but white space may be left.
    pub fn end(&mut self) -> Result<()> {
        if self.position() < self.text.len() { self.fail("the end") } else { Ok(()) }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    fn fail<T>(&mut self, expected: &'static str) -> Result<T> {
        self.expected = expected;
        Err(Stop)
    }

    fn expect(&mut self, byte: u8, expected: &'static str) -> Result<()> {
        if self.byte() != Some(byte) {
            return self.fail(expected);
        }
        self.at += 1;
        Ok(())
    }

    fn literal(&mut self, word: &'static str) -> Result<()> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return self.fail(word);
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<()> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<()> {
        let from = self.at;
        while let Some(b'0'..=b'9') = self.byte() {
            self.at += 1;
        }
        if self.at == from { self.fail("a digit") } else { Ok(()) }
    }

    fn escape(&mut self) -> Result<char> {
        let Some(letter) = self.byte() else { return self.fail("an escape") };
        self.at += 1;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => return self.fail("an escape"),
        })
    }

    fn unicode_escape(&mut self) -> Result<char> {
        let high = self.hex4()?;
        if (0xd800..0xdc00).contains(&high) && self.slice(self.at, self.at + 2) == "\\u" {
            let back = self.at;
            self.at += 2;
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                let point = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Result<u32> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = self.byte().and_then(|b| char::from(b).to_digit(16));
            let Some(digit) = digit else { return self.fail("four hex digits") };
            value = value << 4 | digit;
            self.at += 1;
        }
        Ok(value)
    }
}

/// Writes `text` as a JSON string with the escapes of Go's encoder, which are Istio's.
///
/// A `$` that the kubelet would take for a reference (`$(NAME)`) or for an escaped dollar (`$$`)
/// when it puts the variable together is written `\u0024`: every JSON reader gets it back.
pub fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(is_special) {
        // What could panic would bring 6 KB into the filter.
        let (plain, special) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(plain);
        let mut chars = special.chars();
        let c = chars.next().unwrap_or_default();
        rest = chars.as_str();
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' if !rest.starts_with(['$', '(']) => out.push(c),
            _ => escape(out, c),
        }
    }
    out.push_str(rest);
    out.push('"');
}

/// Whether it may have to be escaped.
fn is_special(c: char) -> bool {
    matches!(c, '\0'..='\u{1f}' | '"' | '\\' | '$' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}')
}

fn escape(out: &mut String, c: char) {
    out.push_str("\\u");
    for shift in [12, 8, 4, 0] {
        out.push(char::from_digit(u32::from(c) >> shift & 0xf, 16).unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests;
