//! Log lines on stderr: `app-health-agent: message`, or one JSON object a line.

use std::fmt::{self, Display, Write as _};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};
use log::{Level, LevelFilter, Log, Metadata, Record};
use serde_json::{Map, Value};
use time::OffsetDateTime;

/// The flags of both servers.
#[derive(Args, Clone, Copy, Debug)]
pub struct LogArgs {
    /// How log lines are written
    #[arg(long, value_name = "FORMAT", default_value = "text", env = "APP_HEALTH_LOG_FORMAT")]
    pub log_format: Format,

    /// The least important log lines to write: off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = level,
          env = "APP_HEALTH_LOG_LEVEL")]
    pub log_level: LevelFilter,
}

fn level(text: &str) -> Result<LevelFilter, &'static str> {
    text.parse().map_err(|_| "none of off, error, warn, info, debug, trace")
}

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// `app-health-agent: message`
    Text,
    /// An object with `time`, `level` and `message`
    Json,
}

static JSON: AtomicBool = AtomicBool::new(false);

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record) {
        event(record.level(), &record.args().to_string(), []);
    }

    fn flush(&self) {}
}

/// Installs it.
pub fn init(LogArgs { log_format, log_level }: LogArgs) {
    JSON.store(log_format == Format::Json, Ordering::Relaxed);
    // An error means that there is a logger already, which is as good.
    let _ = log::set_logger(&Stderr);
    log::set_max_level(log_level);
}

/// A line that has more than its message for those who read JSON; in text the message has to say
/// it all.
pub fn event<const N: usize>(level: Level, message: &str, fields: [(&str, Value); N]) {
    if level > log::max_level() {
        return;
    }
    let line = if JSON.load(Ordering::Relaxed) {
        json(OffsetDateTime::now_utc(), level, message, fields)
    } else {
        text(level, message)
    };
    // A closed stderr must not end the agent, as eprintln! would.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

fn text(level: Level, message: &str) -> String {
    let level = match level {
        Level::Error => "error: ",
        Level::Warn => "warning: ",
        Level::Info => "",
        Level::Debug | Level::Trace => "debug: ",
    };
    format!("app-health-agent: {level}{message}\n")
}

fn json<const N: usize>(
    now: OffsetDateTime,
    level: Level,
    message: &str,
    fields: [(&str, Value); N],
) -> String {
    let own = [
        ("time", Value::from(timestamp(now))),
        ("level", level.as_str().to_ascii_lowercase().into()),
        ("message", message.into()),
    ];
    let members = fields.into_iter().chain(own).map(|(key, value)| (key.to_owned(), value));
    Value::Object(Map::from_iter(members)).to_string() + "\n"
}

/// Whether it is no text for a terminal but tells it, or a reader's editor, what to do: control
/// characters, line breaks too, and those that format (Unicode's Cf), as by turning the direction.
pub fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}'
            | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e007f}')
}

/// A text from outside as a part of a line: its control characters escaped.
pub struct InLine<T>(pub T);

impl<T: Display> Display for InLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.to_string().chars() {
            if is_control(c) { write!(f, "{}", c.escape_debug()) } else { f.write_char(c) }?;
        }
        Ok(())
    }
}

/// The same of so many characters at most.
pub fn in_line(text: impl Display, most: usize) -> String {
    let mut text = InLine(text).to_string();
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.replace_range(end.., "…");
    }
    text
}

/// RFC 3339, in UTC and milliseconds.
pub fn timestamp(at: OffsetDateTime) -> String {
    let (date, (hour, minute, second)) = (at.date(), at.to_hms());
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    let ms = at.millisecond();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        for (text, shown) in [
            ("a\nb\u{1b}[31m\u{9b}", "a\\nb\\u{1b}[31m\\u{9b}"),
            ("\u{202a}\u{202e}\u{2066}\u{2069}", "\\u{202a}\\u{202e}\\u{2066}\\u{2069}"),
            ("\u{200e}\u{200f}\u{feff}\u{e0041}", "\\u{200e}\\u{200f}\\u{feff}\\u{e0041}"),
            ("\u{2028}\u{2029}\u{ad}", "\\u{2028}\\u{2029}\\u{ad}"),
            ("é e\u{301} \"x\" \\ \u{a0}日本 עברית 🚀", "é e\u{301} \"x\" \\ \u{a0}日本 עברית 🚀"),
        ] {
            assert_eq!(InLine(text).to_string(), shown);
        }
    }

    #[test]
    fn a_line_in_either_format() {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_763_715_845_006_999_999).unwrap();
        assert_eq!(
            json(at, Level::Warn, "a\n\"b\"", [("name", "x".into()), ("probes", 3.into())]),
            "{\"level\":\"warn\",\"message\":\"a\\n\\\"b\\\"\",\"name\":\"x\",\"probes\":3,\
             \"time\":\"2025-11-21T09:04:05.006Z\"}\n"
        );
        assert_eq!(text(Level::Warn, "a"), "app-health-agent: warning: a\n");
        assert_eq!(text(Level::Info, "a"), "app-health-agent: a\n");
    }
}
