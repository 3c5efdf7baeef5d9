//! The recorded probes, prepared once at start, so that a request only has to look its entry up.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use app_health_webhook::handler::HandlerKind;
use app_health_webhook::path::{ProbeKind, ProbePath};
use app_health_webhook::probers::{self, GrpcMode, HttpGet, HttpProtocol, Prober, Scheme};
use app_health_webhook::reason::Reason;
use app_health_webhook::url::{self, Url};

use crate::metrics::Labels;
use crate::outcome::Outcome;
use crate::report::Failures;
use crate::runs::Runs;
use crate::state::Memory;

/// All entries of the variable, sorted by their keys.
#[derive(Default)]
pub struct Table {
    entries: Vec<Rc<Entry>>,
    /// Why the variable could not be read, if it could not.
    broken: Option<String>,
}

/// One recorded probe or hook.
pub struct Entry {
    pub key: String,
    pub container: String,
    pub kind: ProbeKind,
    pub action: Result<HandlerAction, Refusal>,
    /// The time for the whole check, in milliseconds; 0 for no limit.
    pub timeout_ms: u32,
    pub runs: Runs,
    pub memory: Memory,
    pub failures: Failures,
}

/// Why an entry cannot be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The entry is not valid: any request for it is answered with a status.
    Invalid(Outcome),
    /// The kubelet could not send it either, so that a hook fails as it would with the kubelet.
    Unsendable(Outcome),
}

/// What a handler asks for, ready to be sent.
pub enum HandlerAction {
    Http(Rc<HttpAction>),
    Tcp { port: u16 },
    Grpc(Rc<GrpcAction>),
}

/// A gRPC health check.
pub struct GrpcAction {
    pub port: u16,
    pub tls: bool,
    /// Empty for the server as a whole.
    pub service: String,
}

/// The protocol in which an app is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// HTTP/1.1 in clear text.
    Http,
    /// HTTP/2 in clear text, with prior knowledge.
    Http2,
    /// Over TLS, where the app chooses HTTP/1.1 or HTTP/2.
    Https,
}

/// An HTTP request.
pub struct HttpAction {
    pub port: u16,
    pub wire: Wire,
    /// Path, query and user. Scheme and host are filled in for a redirect.
    pub url: Url,
    /// Path and query as they stand in the request line.
    pub target: Vec<u8>,
    /// Whether the probe sets a Host header of its own, which the kubelet then sends.
    pub has_host: bool,
}

/// What a path leads to.
pub enum Lookup {
    Found(Rc<Entry>),
    /// No entry has this path, and the request is answered so.
    NotFound(Outcome),
}

impl Table {
    /// Reads the variable. The notes say what in it is not valid.
    pub fn new(variable: &[u8]) -> (Self, Vec<String>) {
        let mut table = Self::default();
        let mut notes = Vec::new();
        match probers::decode(variable) {
            Ok(probers) => {
                for (key, prober) in probers.into_entries() {
                    if let Err(error) = &prober {
                        notes.push(format!("{}: {error}", probers::VARIABLE));
                    }
                    table.entries.extend(Entry::new(key, prober).map(Rc::new));
                }
            }
            Err(error) => {
                let reason = format!("{}: {error}", probers::VARIABLE);
                notes.push(reason.clone());
                table.broken = Some(reason);
            }
        }
        (table, notes)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn entries(&self) -> &[Rc<Entry>] {
        &self.entries
    }

    /// Finds the entry whose key is exactly this path.
    pub fn lookup(&self, path: &[u8]) -> Lookup {
        let found = self.entries.binary_search_by(|entry| entry.key.as_bytes().cmp(path));
        if let Some(entry) = found.ok().and_then(|at| self.entries.get(at)) {
            return Lookup::Found(entry.clone());
        }
        let path = String::from_utf8_lossy(path);
        Lookup::NotFound(match &self.broken {
            Some(reason) if ProbePath::parse(&path).is_some() => not_valid(reason.clone()),
            _ => {
                let path: String = path.chars().take(200).collect();
                Outcome::declined(400, format!("no probe is recorded for {path}"))
            }
        })
    }
}

impl Entry {
    /// Prepares an entry. A key that is no probe path gives `None`, since no request can ask for it.
    fn new(key: String, prober: Result<Prober, probers::EntryError>) -> Option<Self> {
        let path = ProbePath::parse(&key)?;
        let (container, kind) = (path.container().to_owned(), path.kind());
        let (action, timeout) = match prober {
            Ok(prober) => (HandlerAction::new(prober.handler, kind), prober.timeout_seconds),
            Err(error) => (Err(Refusal::Invalid(not_valid(error.to_string()))), 0),
        };
        // A raw manifest may lack the kubelet's default. Hooks have no timeout.
        let timeout = if timeout == 0 && !kind.is_hook() { 1 } else { timeout };
        let timeout_ms = timeout.saturating_mul(1000);
        Some(Self {
            key,
            container,
            kind,
            action,
            timeout_ms,
            runs: Runs::default(),
            memory: Memory::default(),
            failures: Failures::default(),
        })
    }

    /// The time for the whole check; zero for no limit.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.into())
    }

    /// `container/readinessProbe`, for the log.
    pub fn name(&self) -> String {
        [&self.container, "/", self.kind.field()].concat()
    }

    /// The labels of its metrics.
    pub fn labels(&self) -> Labels<'_> {
        Labels { container: &self.container, kind: self.kind }
    }
}

impl HandlerAction {
    fn new(handler: probers::Handler, kind: ProbeKind) -> Result<Self, Refusal> {
        Ok(match handler {
            probers::Handler::HttpGet(http) => {
                let url = url::of_probe_path(&http.path).map_err(|error| {
                    Refusal::Unsendable(not_valid(format!("httpGet.path: {error}")))
                })?;
                let is_host = |name: &str| name.eq_ignore_ascii_case("host");
                Self::Http(Rc::new(HttpAction {
                    port: http.port,
                    wire: wire(&http, kind)?,
                    target: url.request_target(),
                    url,
                    has_host: http.headers.iter().any(|h| is_host(&h.name) && !h.value.is_empty()),
                }))
            }
            probers::Handler::TcpSocket(tcp) => Self::Tcp { port: tcp.port },
            probers::Handler::Grpc(grpc) => Self::Grpc(Rc::new(GrpcAction {
                port: grpc.port,
                tls: grpc.mode == Some(GrpcMode::Tls),
                service: grpc.service.unwrap_or_default(),
            })),
        })
    }

    pub fn kind(&self) -> HandlerKind {
        match self {
            Self::Http(_) => HandlerKind::HttpGet,
            Self::Tcp { .. } => HandlerKind::TcpSocket,
            Self::Grpc(_) => HandlerKind::Grpc,
        }
    }

    /// The protocol, for people.
    pub fn protocol(&self) -> &'static str {
        match self {
            Self::Http(action) => match action.wire {
                Wire::Http => "http",
                Wire::Http2 => "http2",
                Wire::Https => "https",
            },
            Self::Tcp { .. } => "tcp",
            Self::Grpc(_) => "grpc",
        }
    }

    /// The check in words: `http GET :8080/ready`.
    pub fn words(&self) -> String {
        let port = u32::from(self.port()).to_string();
        let (before, after) = match self {
            Self::Http(action) => (" GET :", String::from_utf8_lossy(&action.target)),
            Self::Tcp { .. } => (" :", "".into()),
            Self::Grpc(action) => {
                let tls = if action.tls { " over TLS" } else { "" };
                let space = if action.service.is_empty() { "" } else { " " };
                (" :", [space, &action.service, tls].concat().into())
            }
        };
        [self.protocol(), before, &port, &after].concat()
    }

    pub fn port(&self) -> u16 {
        match self {
            Self::Http(action) => action.port,
            Self::Tcp { port } => *port,
            Self::Grpc(action) => action.port,
        }
    }
}

/// The outcome of what is recorded and not valid.
fn not_valid(text: impl Into<Cow<'static, str>>) -> Outcome {
    Outcome::failed(Reason::Config, text)
}

/// The protocol of an httpGet. The kubelet's lifecycle handlers ignore `protocol`, and the API server
/// refuses HTTP2 with the scheme HTTPS.
fn wire(http: &HttpGet, kind: ProbeKind) -> Result<Wire, Refusal> {
    match (http.scheme, http.protocol) {
        (Some(Scheme::Https), Some(HttpProtocol::Http2)) if !kind.is_hook() => {
            let reason = "httpGet.protocol: HTTP2 goes with the scheme HTTP only";
            Err(Refusal::Invalid(not_valid(reason)))
        }
        (Some(Scheme::Https), _) => Ok(Wire::Https),
        (_, Some(HttpProtocol::Http2)) if !kind.is_hook() => Ok(Wire::Http2),
        _ => Ok(Wire::Http),
    }
}

#[cfg(test)]
mod tests {
    use app_health_webhook::reason::StatusCodes;

    use super::*;

    fn found(table: &Table, path: &str) -> Rc<Entry> {
        match table.lookup(path.as_bytes()) {
            Lookup::Found(entry) => entry,
            Lookup::NotFound(outcome) => panic!("{outcome:?}"),
        }
    }

    fn not_found(table: &Table, path: &str) -> (u16, String) {
        match table.lookup(path.as_bytes()) {
            Lookup::Found(_) => panic!("found"),
            Lookup::NotFound(outcome) => {
                let status = outcome.status(HandlerKind::HttpGet, StatusCodes::Plain);
                (status, outcome.text().to_owned())
            }
        }
    }

    #[test]
    fn entries_are_found_by_their_exact_path() {
        let (table, notes) = Table::new(
            br#"{"/app-health/a/livez":{"tcpSocket":{"port":1}},"/app-health/a-b/readyz":{"grpc":{"port":2,"service":"s"},"timeoutSeconds":7},"/app-lifecycle/a/prestopz":{"httpGet":{"port":3}}}"#,
        );
        assert_eq!((table.len(), notes.len()), (3, 0));
        let livez = found(&table, "/app-health/a/livez");
        assert_eq!((livez.name(), livez.timeout_ms), ("a/livenessProbe".to_owned(), 1000));
        assert_eq!(found(&table, "/app-health/a-b/readyz").timeout_ms, 7000);
        assert_eq!(found(&table, "/app-lifecycle/a/prestopz").timeout_ms, 0);
        assert_eq!(
            not_found(&table, "/app-health/a/readyz"),
            (400, "no probe is recorded for /app-health/a/readyz".to_owned())
        );
        assert_eq!(not_found(&table, &"/app-health/".repeat(5000)).1.len(), 225);
    }

    #[test]
    fn what_is_not_valid_says_why() {
        let (table, notes) = Table::new(
            br#"{"/x":{"tcpSocket":{"port":1}},"/app-health/a/livez":{"tcpSocket":{"port":0}},"/app-health/a/readyz":{"httpGet":{"port":1,"path":"mailto:x"}}}"#,
        );
        assert_eq!(notes.len(), 2);
        assert_eq!(table.len(), 2);
        let invalid = "/app-health/a/livez: tcpSocket.port: 0 is not a port from 1 to 65535";
        for (path, refusal) in [
            ("/app-health/a/livez", Refusal::Invalid(not_valid(invalid))),
            (
                "/app-health/a/readyz",
                Refusal::Unsendable(not_valid("httpGet.path: no host in URL")),
            ),
        ] {
            assert_eq!(found(&table, path).action.as_ref().err(), Some(&refusal));
        }
        assert_eq!(not_found(&table, "/x").0, 400);
    }

    #[test]
    fn a_variable_that_is_not_json_fails_every_probe() {
        let (table, notes) = Table::new(b"{");
        assert_eq!(notes, ["ISTIO_KUBE_APP_PROBERS: not JSON: expected a string at byte 1"]);
        assert_eq!(not_found(&table, "/app-health/a/livez"), (500, notes[0].clone()));
        assert_eq!(not_found(&table, "/app-health/x").0, 400);
    }
}
