//! Log lines on stderr: `app-health-agent: message`.

use std::io::Write;

use log::{Level, LevelFilter, Log, Metadata, Record};

/// `debug` shows every failed check.
const LEVEL: &str = "RUST_LOG";

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let level = match record.level() {
            Level::Error => "error: ",
            Level::Warn => "warning: ",
            Level::Info => "",
            Level::Debug | Level::Trace => "debug: ",
        };
        let line = format!("app-health-agent: {level}{}\n", record.args());
        // A closed stderr must not end the agent, as eprintln! would.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }

    fn flush(&self) {}
}

/// Installs it, at the level that `RUST_LOG` names, else info.
pub fn init() {
    let wanted = std::env::var(LEVEL).unwrap_or_default();
    let level = wanted.parse().unwrap_or(LevelFilter::Info);
    // An error means that there is a logger already, which is as good.
    let _ = log::set_logger(&Stderr);
    log::set_max_level(level);
    if !wanted.is_empty() && wanted.parse::<LevelFilter>().is_err() {
        log::warn!("{LEVEL}={wanted} is none of off, error, warn, info, debug, trace: info it is");
    }
}
