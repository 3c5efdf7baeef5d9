//! What the emulator knows while the filter runs: the data of the wasmtime store.

use std::collections::BTreeMap;
use std::time::Duration;

use super::callout::{Callout, CalloutResponse, ClusterType};
use super::stream::Stream;

/// A line that the filter logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub level: LogLevel,
    pub text: String,
}

/// The levels of the ABI, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
    /// No line has it: nothing is logged. The ABI does not name it, yet Envoy says it.
    Off,
}

/// Everything outside the VM.
pub struct HostState {
    pub env: Vec<(Vec<u8>, Vec<u8>)>,
    pub plugin_config: Vec<u8>,
    pub clusters: BTreeMap<String, ClusterType>,
    /// Every dispatch fails at once.
    pub dispatch_fails: bool,
    /// By the clock that nobody sets.
    pub now: Duration,
    /// What the wall clock showed when the other one began.
    pub epoch: Duration,
    /// What is below it is not logged.
    pub log_level: LogLevel,
    pub log: Vec<LogLine>,
    /// How many lines were below it: each was composed for nobody.
    pub unheard: usize,
    pub streams: BTreeMap<u32, Stream>,
    /// Those that wait for an answer, by token.
    pub callouts: BTreeMap<u32, Callout>,
    /// The stream whose callback runs, or the root context.
    pub current: u32,
    /// What the maps and buffers of a callout show while its callback runs.
    pub callout_response: Option<CalloutResponse>,
    /// What `proxy_get_status` says: the code is the last failed callout's, long after it.
    pub status: (u32, Vec<u8>),
    /// `proxy_on_configure` runs: only then the plugin configuration can be read.
    pub configuring: bool,
    /// The functions that the VM may call, where not all: Envoy traps the others.
    pub permitted: Option<&'static [&'static str]>,
    /// What the filter did that Envoy would object to, or that would break on the wire.
    pub violations: Vec<String>,
    last_id: u32,
    last_token: u32,
}

impl HostState {
    pub fn new() -> HostState {
        let clusters = [
            ("app_http_hop", ClusterType::OriginalDst),
            ("app_https_hop", ClusterType::OriginalDst),
            ("app_grpc", ClusterType::OriginalDst),
            ("app_grpc_tls", ClusterType::OriginalDst),
            ("app_health_agent", ClusterType::Static),
        ];
        HostState {
            env: Vec::new(),
            plugin_config: Vec::new(),
            clusters: clusters.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect(),
            dispatch_fails: false,
            now: Duration::from_secs(1000),
            epoch: Duration::from_secs(1_700_000_000),
            log_level: LogLevel::Trace,
            log: Vec::new(),
            unheard: 0,
            streams: BTreeMap::new(),
            callouts: BTreeMap::new(),
            current: 0,
            callout_response: None,
            status: (0, Vec::new()),
            configuring: false,
            permitted: None,
            violations: Vec::new(),
            last_id: 0,
            last_token: 0,
        }
    }

    /// Contexts have ids that are used once.
    pub fn next_id(&mut self) -> u32 {
        self.last_id += 1;
        self.last_id
    }

    /// So have callouts, with numbers of their own: those of contexts may be the same.
    pub fn next_token(&mut self) -> u32 {
        self.last_token += 1;
        self.last_token
    }

    /// The stream whose callback runs.
    pub fn stream(&mut self) -> Option<&mut Stream> {
        self.streams.get_mut(&self.current).filter(|stream| !stream.deleted)
    }

    /// Nanoseconds since 1970, by the wall clock.
    pub fn wall_clock(&self) -> u64 {
        (self.epoch + self.now).as_nanos() as u64
    }

    pub fn violation(&mut self, text: impl Into<String>) {
        self.violations.push(text.into());
    }

    pub fn log(&mut self, line: LogLine) {
        if line.level >= self.log_level {
            self.log.push(line);
        } else {
            self.unheard += 1;
        }
    }

    /// All lines, for a message.
    pub fn log_text(&self) -> String {
        self.log.iter().map(|line| format!("{:?}: {}\n", line.level, line.text)).collect()
    }
}
