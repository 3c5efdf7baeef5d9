//! The `log` crate's lines, into Envoy's log. The crate proxy-wasm has a logger, whose level is fixed at
//! the start.

use log::{Level, LevelFilter, Log, Metadata, Record};

use proxy_wasm::hostcalls;
use proxy_wasm::types::LogLevel;

use crate::host;

struct EnvoyLogger;

/// May be called again.
pub fn init() {
    if log::set_logger(&EnvoyLogger).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}

fn of(level: Level) -> LogLevel {
    match level {
        Level::Error => LogLevel::Error,
        Level::Warn => LogLevel::Warn,
        Level::Info => LogLevel::Info,
        Level::Debug => LogLevel::Debug,
        Level::Trace => LogLevel::Trace,
    }
}

/// A pod's variable must not forge lines.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl Log for EnvoyLogger {
    /// By Envoy's own level, which an operator may change at any time.
    fn enabled(&self, metadata: &Metadata) -> bool {
        of(metadata.level()) as u32 >= host::log_level()
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            let line = one_line(&record.args().to_string());
            let _ = hostcalls::log(of(record.level()), &line);
        }
    }

    fn flush(&self) {}
}
