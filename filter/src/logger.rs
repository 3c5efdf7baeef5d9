//! Writes the lines of the crate `log` to Envoy's log. The crate proxy-wasm has a logger of its own, but
//! one whose level is fixed at the start.

use log::{Level, LevelFilter, Log, Metadata, Record};

use proxy_wasm::hostcalls;
use proxy_wasm::types::LogLevel;

use crate::host;

struct EnvoyLogger;

/// Sets the logger. A second call changes nothing.
pub fn init() {
    if log::set_logger(&EnvoyLogger).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}

fn envoy_level(level: Level) -> LogLevel {
    match level {
        Level::Error => LogLevel::Error,
        Level::Warn => LogLevel::Warn,
        Level::Info => LogLevel::Info,
        Level::Debug => LogLevel::Debug,
        Level::Trace => LogLevel::Trace,
    }
}

/// Blanks control characters, so that a pod's variable or an app cannot forge lines of the log.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl Log for EnvoyLogger {
    /// Asks Envoy for its level each time, since an operator may change it at any time.
    fn enabled(&self, metadata: &Metadata) -> bool {
        envoy_level(metadata.level()) as u32 >= host::log_level()
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            let line = one_line(&record.args().to_string());
            let _ = hostcalls::log(envoy_level(record.level()), &line);
        }
    }

    fn flush(&self) {}
}
