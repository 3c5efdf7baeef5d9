//! What the emulator knows while the filter runs, which is the data of the wasmtime store.

use std::collections::BTreeMap;
use std::time::Duration;

use super::callout::{Callout, CalloutResponse, ClusterType};
use super::process::Process;
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
    /// The level at which Envoy logs nothing. It is not in the ABI, yet Envoy returns it.
    Off,
}

/// All that is outside the VM.
pub struct HostState {
    pub env: Vec<(Vec<u8>, Vec<u8>)>,
    pub plugin_config: Vec<u8>,
    /// What the workers of the process share.
    pub process: Process,
    pub clusters: BTreeMap<String, ClusterType>,
    /// Whether every dispatch fails at once.
    pub dispatch_fails: bool,
    /// The monotonic time.
    pub now: Duration,
    /// The time of the wall clock when the monotonic clock was 0.
    pub epoch: Duration,
    /// The lowest level that is logged.
    pub log_level: LogLevel,
    pub log: Vec<LogLine>,
    /// How many lines below that level the filter composed, for nobody.
    pub unlogged: usize,
    pub streams: BTreeMap<u32, Stream>,
    /// The callouts that have not been answered, by their tokens.
    pub callouts: BTreeMap<u32, Callout>,
    /// The id of the stream whose callback runs, or of the root context.
    pub current: u32,
    /// The response to a callout, while its callback runs.
    pub callout_response: Option<CalloutResponse>,
    /// What `proxy_get_status` returns. The code remains that of the last callout that failed.
    pub status: (u32, Vec<u8>),
    /// Whether `proxy_on_configure` runs: only then can the plugin configuration be read.
    pub configuring: bool,
    /// The only functions that the VM may call now, where that is limited: others trap.
    pub permitted: Option<&'static [&'static str]>,
    /// What the filter did that Envoy would object to, or that would break a message.
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
            process: Process::default(),
            clusters: clusters.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect(),
            dispatch_fails: false,
            now: Duration::from_secs(1000),
            epoch: Duration::from_secs(1_700_000_000),
            log_level: LogLevel::Trace,
            log: Vec::new(),
            unlogged: 0,
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

    /// A new id for a context.
    pub fn next_id(&mut self) -> u32 {
        self.last_id += 1;
        self.last_id
    }

    /// A new token for a callout. Tokens and the ids of contexts are counted apart.
    pub fn next_token(&mut self) -> u32 {
        self.last_token += 1;
        self.last_token
    }

    /// The stream whose callback runs, if it still exists.
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
            self.unlogged += 1;
        }
    }

    /// The whole log as text.
    pub fn log_text(&self) -> String {
        self.log.iter().map(|line| format!("{:?}: {}\n", line.level, line.text)).collect()
    }
}
