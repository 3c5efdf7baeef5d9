//! What a YAML scalar means to kubectl: YAML 1.1 as go-yaml v2 resolves it, then as JSON.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

/// The value of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as JSON text.
    Number(String),
    /// A string: the scalar's own text.
    Text,
    /// A string that the scalar's text encodes in base64.
    Binary(String),
}

/// What the plain, untagged scalar `text` means. `Err`: it has no JSON value.
pub fn plain(text: &str) -> Result<Meaning, String> {
    Ok(match parse(text) {
        Parsed::Null => Meaning::Null,
        Parsed::Bool(value) => Meaning::Bool(value),
        Parsed::Integer(number) => Meaning::Number(number),
        Parsed::Float(value, number) if value.is_finite() => Meaning::Number(number),
        Parsed::Float(..) => return Err(format!("`{text}` has no place in JSON")),
        Parsed::Text => Meaning::Text,
    })
}

/// What the scalar `text` means under an explicit tag such as `tag:yaml.org,2002:int`.
pub fn tagged(tag: &str, text: &str) -> Result<Meaning, String> {
    let Some(name) = tag.strip_prefix("tag:yaml.org,2002:") else { return Ok(Meaning::Text) };
    let meaning = match name {
        "binary" => base64(text).map(Meaning::Binary),
        "null" | "bool" | "int" | "float" => match (name, parse(text)) {
            ("null", Parsed::Null)
            | ("bool", Parsed::Bool(_))
            | ("int" | "float", Parsed::Integer(_))
            | ("float", Parsed::Float(..)) => Some(plain(text)?),
            _ => None,
        },
        _ => Some(Meaning::Text),
    };
    meaning.ok_or_else(|| format!("`{text}` is no !!{name}"))
}

/// The key of a JSON object that a scalar stands for as the key of a mapping.
pub fn key(meaning: &Meaning, text: &str) -> Result<String, String> {
    match meaning {
        Meaning::Text => Ok(text.to_owned()),
        Meaning::Binary(text) => Ok(text.clone()),
        Meaning::Bool(value) => Ok(value.to_string()),
        // kubectl rounds it to 32 bits, and nobody means that.
        Meaning::Number(_) if matches!(parse(text), Parsed::Float(..)) => {
            Err(format!("the key `{text}` is a float: put it in quotes"))
        }
        Meaning::Number(number) => Ok(number.clone()),
        Meaning::Null => Err(format!("the key `{text}` is null, and must be a string")),
    }
}

enum Parsed {
    Null,
    Bool(bool),
    Integer(String),
    Float(f64, String),
    Text,
}

fn parse(text: &str) -> Parsed {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Parsed::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Parsed::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Parsed::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" => Parsed::Float(f64::NAN, String::new()),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF" => {
            Parsed::Float(f64::INFINITY, String::new())
        }
        _ => number(text),
    }
}

fn number(text: &str) -> Parsed {
    match text.as_bytes().first() {
        Some(b'.') => separated(text).and_then(|text| float(&text)).unwrap_or(Parsed::Text),
        Some(b'0'..=b'9' | b'+' | b'-') => {
            let digits = text.replace('_', "");
            let integer = integer(&digits).map(Parsed::Integer);
            let odd = || binary_with_inner_sign(&digits).map(Parsed::Integer);
            integer.or_else(|| float(&digits)).or_else(odd).unwrap_or(Parsed::Text)
        }
        _ => Parsed::Text,
    }
}

/// Go's `ParseInt` and `ParseUint` with base 0: a prefix says the base, and `0` alone says octal.
fn integer(text: &str) -> Option<String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = digits.get(..2).unwrap_or_default().to_ascii_lowercase();
    let (base, digits) = match (lower.as_str(), digits) {
        ("0x", _) => (16, digits.get(2..)?),
        ("0o", _) => (8, digits.get(2..)?),
        ("0b", _) => (2, digits.get(2..)?),
        (_, "0") => (10, digits),
        _ if digits.starts_with('0') => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    in_base(text.chars().next().filter(|c| "+-".contains(*c)), digits, base)
}

fn in_base(sign: Option<char>, digits: &str, base: u32) -> Option<String> {
    if !digits.chars().all(|c| c.is_digit(base)) {
        return None;
    }
    let size = u64::from_str_radix(digits, base).ok()?;
    match sign {
        Some('-') if size <= 1 << 63 => Some((-i128::from(size)).to_string()),
        Some('+') if size < 1 << 63 => Some(size.to_string()),
        None => Some(size.to_string()),
        _ => None,
    }
}

/// `0b-1`: go-yaml takes it.
fn binary_with_inner_sign(text: &str) -> Option<String> {
    let rest = text.strip_prefix("0b")?;
    in_base(rest.chars().next(), rest.strip_prefix(['+', '-'])?, 2)
}

fn float(text: &str) -> Option<Parsed> {
    let value: f64 = text.parse().ok().filter(|_| is_float(text))?;
    // Beyond what a float holds, go-yaml leaves it a string.
    value.is_finite().then(|| Parsed::Float(value, float_text(text, value)))
}

/// The text without its underscores, where each of them stands between two digits.
fn separated(text: &str) -> Option<String> {
    let (digit, parts) = (|b: Option<&u8>| b.is_some_and(u8::is_ascii_digit), text.split('_'));
    let parts: Vec<&[u8]> = parts.map(str::as_bytes).collect();
    let between = parts.windows(2).all(|pair| digit(pair[0].last()) && digit(pair[1].first()));
    between.then(|| text.replace('_', ""))
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let some = !whole.is_empty() || !fraction.is_empty();
    some && !exponent.is_empty() && digits(whole) && digits(fraction) && digits(exponent)
}

/// As Go writes a float in JSON; but an integer too large for 64 bits keeps its digits.
fn float_text(text: &str, value: f64) -> String {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let large = value.abs() >= u64::MAX as f64 && !digits.starts_with('0');
    if large && digits.bytes().all(|b| b.is_ascii_digit()) {
        text.to_owned()
    } else if value != 0.0 && !(1e-6..1e21).contains(&value.abs()) {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}

/// RFC 4648 with padding, line breaks ignored, as in Go. Bytes that are not UTF-8 become U+FFFD, as
/// in JSON.
fn base64(text: &str) -> Option<String> {
    let lenient = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let bytes = GeneralPurpose::new(&STANDARD, lenient).decode(text.replace(['\r', '\n'], ""));
    Some(String::from_utf8_lossy(&bytes.ok()?).into_owned())
}
