//! The `log` crate's lines, into Envoy's log. The SDK's own logger panics where Envoy refuses one.

use alloc::string::{String, ToString};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::host::{self, LogLevel};

struct EnvoyLog;

/// Sends every line to Envoy, which filters by its own level. May be called again.
pub fn init() {
    if log::set_logger(&EnvoyLog).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}

/// A pod's variable must not forge lines.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl Log for EnvoyLog {
    fn enabled(&self, _: &Metadata) -> bool {
        true
    }

    fn log(&self, record: &Record) {
        let level = match record.level() {
            Level::Error => LogLevel::Error,
            Level::Warn => LogLevel::Warn,
            Level::Info => LogLevel::Info,
            Level::Debug => LogLevel::Debug,
            Level::Trace => LogLevel::Trace,
        };
        host::log(level, &one_line(&record.args().to_string()));
    }

    fn flush(&self) {}
}
