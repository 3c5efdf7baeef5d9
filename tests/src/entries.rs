//! What the variable holds.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;

use app_health_webhook::path::{PROBE_PREFIX, ProbeKind, ProbePath};
use app_health_webhook::probers::{
    Grpc, GrpcMode, Handler, HttpGet, HttpHeader, HttpProtocol, Prober, Scheme, TcpSocket, encode,
    encode_entry,
};

/// The path on the status port of a container's readiness probe.
pub fn probe(container: &str) -> String {
    path(container, ProbeKind::Readiness)
}

/// The path on the status port of a container's preStop hook.
pub fn hook(container: &str) -> String {
    path(container, ProbeKind::PreStop)
}

/// The path on the status port of a container's probe or hook.
///
/// # Panics
/// Where a container cannot have this name.
pub fn path(container: &str, kind: ProbeKind) -> String {
    ProbePath::new(container, kind).expect("a container's name").to_string()
}

/// An httpGet without a timeout of its own.
pub fn http(app: SocketAddr, path: &str) -> Prober {
    http_get(HttpGet { path: path.into(), port: app.port(), ..HttpGet::default() })
}

/// The same over TLS.
pub fn https(app: SocketAddr, path: &str) -> Prober {
    let scheme = Some(Scheme::Https);
    http_get(HttpGet { path: path.into(), port: app.port(), scheme, ..HttpGet::default() })
}

/// The same with these `httpHeaders`.
pub fn http_with(app: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Prober {
    let header =
        |(name, value): &(&str, &str)| HttpHeader { name: (*name).into(), value: (*value).into() };
    let headers = headers.iter().map(header).collect();
    http_get(HttpGet { path: path.into(), port: app.port(), headers, ..HttpGet::default() })
}

fn http_get(http: HttpGet) -> Prober {
    Prober { handler: Handler::HttpGet(http), timeout_seconds: 0 }
}

/// An httpGet with `protocol: HTTP2`.
pub fn http2(app: SocketAddr, path: &str) -> Prober {
    let protocol = Some(HttpProtocol::Http2);
    http_get(HttpGet { path: path.into(), port: app.port(), protocol, ..HttpGet::default() })
}

/// A tcpSocket.
pub fn tcp(app: SocketAddr) -> Prober {
    let tcp = TcpSocket { port: app.port(), ..TcpSocket::default() };
    Prober { handler: Handler::TcpSocket(tcp), timeout_seconds: 0 }
}

/// A grpc.
pub fn grpc(app: SocketAddr, service: Option<&str>) -> Prober {
    let grpc = Grpc { port: app.port(), service: service.map(Into::into), mode: None };
    Prober { handler: Handler::Grpc(grpc), timeout_seconds: 0 }
}

/// A grpc with `mode: TLS`.
pub fn grpc_tls(app: SocketAddr, service: Option<&str>) -> Prober {
    let service = service.map(Into::into);
    let grpc = Grpc { port: app.port(), service, mode: Some(GrpcMode::Tls) };
    Prober { handler: Handler::Grpc(grpc), timeout_seconds: 0 }
}

/// The prober with this `timeoutSeconds`.
pub fn within(timeout_seconds: u32, prober: Prober) -> Prober {
    Prober { timeout_seconds, ..prober }
}

/// Entries by the path that they are recorded under.
#[derive(Clone, Debug, Default)]
pub struct Entries(BTreeMap<String, Prober>);

impl Entries {
    /// Records a container's readiness probe.
    pub fn probe(self, container: &str, prober: Prober) -> Self {
        self.of(container, ProbeKind::Readiness, prober)
    }

    /// Records a container's preStop hook.
    pub fn hook(self, container: &str, prober: Prober) -> Self {
        self.of(container, ProbeKind::PreStop, prober)
    }

    /// Records a probe or hook of a container.
    pub fn of(mut self, container: &str, kind: ProbeKind, prober: Prober) -> Self {
        self.0.insert(path(container, kind), prober);
        self
    }

    /// Gives ten seconds to the probes that have no timeout of their own: a busy machine may need
    /// more than the usual one. Hooks without one have no limit.
    pub fn patient(mut self) -> Self {
        for (path, prober) in &mut self.0 {
            if path.starts_with(PROBE_PREFIX) && prober.timeout_seconds == 0 {
                prober.timeout_seconds = 10;
            }
        }
        self
    }
}

impl From<Entries> for OsString {
    fn from(entries: Entries) -> Self {
        encode(entries.0.iter().map(|(key, prober)| encode_entry(key, prober))).into()
    }
}
