//! The page's JSON, whose shape docs/configuration.md describes.

use std::time::Duration;

use app_health_webhook::json::write_string;
use app_health_webhook::probers::{self, Handler, HttpHeader, Prober, Probers};
use app_health_webhook::reason::Reason;
use app_health_webhook::url;

use crate::check::Addresses;
use crate::config::FilterConfig;
use crate::metrics::TcpChecker;
use crate::process::Process;
use crate::state::State;
use crate::table::Entry;

/// The version of the shape.
const VERSION: u64 = 1;

/// What the page tells.
pub struct Status<'a> {
    pub config: &'a FilterConfig,
    /// The variable, which the filter does not keep.
    pub variable: &'a [u8],
    /// The monotonic time.
    pub now: Duration,
    pub process: &'a dyn Process,
}

/// All of it: what depends on the request, and then `rest`, as [`Status::json`] writes it.
pub fn of_request(addresses: &Option<Addresses>, config: &FilterConfig, rest: &str) -> String {
    let mut out = Json::default();
    out.open('{');
    out.number("version", VERSION);
    out.string("filter_version", env!("CARGO_PKG_VERSION"));
    out.string("address", addresses.as_ref().map_or("", |of| &of.pod.ip));
    let arrived = addresses.as_ref().map_or(0, |of| of.local.port);
    out.number("status_port", config.settings.status_port.unwrap_or(arrived).into());
    out.0.push_str(rest);
    out.0
}

impl Status<'_> {
    /// All of it but for what depends on the request.
    pub fn json(&self) -> String {
        let recorded = probers::decode(self.variable).unwrap_or_default();
        let mut out = Json::default();
        out.key("errors").open('[');
        self.config.errors.iter().for_each(|error| write_string(out.item(), error));
        out.close(']');
        out.key("tcp_checks").open('{');
        for by in TcpChecker::ALL {
            out.number(
                by.as_str(),
                self.process.value(self.config.tcp_checks.total(by, self.process)),
            );
        }
        out.close('}');
        out.key("probes").open('[');
        for entry in self.config.table.entries() {
            self.probe(&mut out, entry, &recorded);
        }
        out.close(']');
        out.close('}');
        out.0
    }

    fn probe(&self, out: &mut Json, entry: &Entry, recorded: &Probers) {
        let (state, _) = State::shared(&entry.key, self.process);
        let results = entry.memory.results(&entry.labels(), &state, self.process);
        let count = |counts: &dyn Fn(Reason) -> bool| {
            results.iter().filter(|(reason, _)| counts(*reason)).map(|(_, n)| n).sum()
        };
        out.item();
        out.open('{');
        out.string("path", &entry.key);
        out.string("container", &entry.container);
        out.string("probe", entry.kind.as_str());
        out.string("check", &entry.action.as_ref().map_or(String::new(), |action| action.words()));
        let word = match state.passes {
            Some(true) => "passing",
            Some(false) => "failing",
            None => "unknown",
        };
        out.string("state", word);
        match state.passes {
            Some(_) => out.seconds("state_seconds", self.now.saturating_sub(state.since)),
            None => out.null("state_seconds"),
        }
        match state.reason {
            Some(reason) => out.string("reason", reason.as_str()),
            None => out.null("reason"),
        }
        out.string("text", &state.text);
        out.number("passes", count(&|reason| reason == Reason::Ok));
        out.number("failures", count(&|r| !matches!(r, Reason::Ok | Reason::Abandoned)));
        out.key("results").open('{');
        results.iter().for_each(|(reason, n)| out.number(reason.as_str(), *n));
        out.close('}');
        out.number("timeout_seconds", entry.timeout().as_secs());
        match recorded.get(&entry.key) {
            Some(Ok(prober)) => write_recorded(out.key("recorded"), prober),
            _ => out.null("recorded"),
        }
        out.close('}');
    }
}

/// Values of headers may be secrets: only that of Host is shown. A user in the path is one, too, which the
/// kubelet sends as Authorization.
fn write_recorded(out: &mut Json, prober: &Prober) {
    let mut prober = prober.clone();
    if let Handler::HttpGet(http) = &mut prober.handler
        && let Some((before, after)) = around_user(&http.path)
    {
        http.path = [before, after].concat();
        let name = "Authorization";
        if !http.headers.iter().any(|header| header.name.eq_ignore_ascii_case(name)) {
            http.headers.push(HttpHeader { name: name.to_owned(), value: String::new() });
        }
    }
    let is_shown = |header: &HttpHeader| header.name.eq_ignore_ascii_case("host");
    probers::encode_prober(&mut out.0, &prober, is_shown);
}

/// What is before and after the user of a URL, where it has one.
fn around_user(url: &str) -> Option<(&str, &str)> {
    url::of_probe_path(url).ok()?.user?;
    let begin = url.as_bytes().windows(2).position(|two| two == b"//")? + 2;
    let rest = url.get(begin..)?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let end = authority.bytes().rposition(|byte| byte == b'@')? + 1;
    Some((url.get(..begin)?, rest.get(end..)?))
}

/// A JSON text that is being written.
#[derive(Default)]
struct Json(String);

impl Json {
    fn open(&mut self, bracket: char) {
        self.0.push(bracket);
    }

    fn close(&mut self, bracket: char) {
        self.0.push(bracket);
    }

    /// Begins an item of an array or object.
    fn item(&mut self) -> &mut String {
        if !matches!(self.0.as_bytes().last(), Some(b'{' | b'[')) {
            self.0.push(',');
        }
        &mut self.0
    }

    /// Begins a member of an object.
    fn key(&mut self, key: &str) -> &mut Self {
        write_string(self.item(), key);
        self.0.push(':');
        self
    }

    fn string(&mut self, key: &str, text: &str) {
        write_string(&mut self.key(key).0, text);
    }

    fn number(&mut self, key: &str, number: u64) {
        self.key(key).0.push_str(&number.to_string());
    }

    /// To a tenth of a second.
    fn seconds(&mut self, key: &str, time: Duration) {
        self.number(key, time.as_secs());
        self.0.push('.');
        self.0.push_str(&(time.subsec_millis() / 100).to_string());
    }

    fn null(&mut self, key: &str) {
        self.key(key).0.push_str("null");
    }
}
