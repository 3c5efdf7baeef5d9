//! The handlers that the Kubernetes API has, as of 1.37.

use crate::path::ProbeKind;

/// How the kubelet asks an app. Whatever depends on it is matched by all of them, so that one of a later
/// Kubernetes is missed nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandlerKind {
    /// An HTTP GET.
    HttpGet,
    /// A TCP connection.
    TcpSocket,
    /// A gRPC health check.
    Grpc,
    /// A command in the container.
    Exec,
    /// A pause.
    Sleep,
}

impl HandlerKind {
    /// All of them.
    pub const ALL: [HandlerKind; 5] = [
        HandlerKind::HttpGet,
        HandlerKind::TcpSocket,
        HandlerKind::Grpc,
        HandlerKind::Exec,
        HandlerKind::Sleep,
    ];

    /// The field of a probe or hook that holds it.
    pub const fn field(self) -> &'static str {
        match self {
            HandlerKind::HttpGet => "httpGet",
            HandlerKind::TcpSocket => "tcpSocket",
            HandlerKind::Grpc => "grpc",
            HandlerKind::Exec => "exec",
            HandlerKind::Sleep => "sleep",
        }
    }

    /// Whether it asks a port, which a sidecar intercepts. The others need no rewrite.
    pub const fn asks_port(self) -> bool {
        match self {
            HandlerKind::HttpGet | HandlerKind::TcpSocket | HandlerKind::Grpc => true,
            HandlerKind::Exec | HandlerKind::Sleep => false,
        }
    }

    /// Whether a probe or hook of this kind may have it.
    pub const fn is_of(self, kind: ProbeKind) -> bool {
        match self {
            HandlerKind::HttpGet | HandlerKind::TcpSocket | HandlerKind::Exec => true,
            HandlerKind::Grpc => !kind.is_hook(),
            HandlerKind::Sleep => kind.is_hook(),
        }
    }

    /// The members that it may have.
    pub const fn members(self) -> &'static [&'static str] {
        match self {
            HandlerKind::HttpGet => &["path", "port", "host", "scheme", "httpHeaders", "protocol"],
            HandlerKind::TcpSocket => &["port", "host"],
            HandlerKind::Grpc => &["port", "service", "mode"],
            HandlerKind::Exec => &["command"],
            HandlerKind::Sleep => &["seconds"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_has() {
        for (handler, asks_port, of_probes, of_hooks) in [
            (HandlerKind::HttpGet, true, true, true),
            (HandlerKind::TcpSocket, true, true, true),
            (HandlerKind::Grpc, true, true, false),
            (HandlerKind::Exec, false, true, true),
            (HandlerKind::Sleep, false, false, true),
        ] {
            assert_eq!(handler.asks_port(), asks_port, "{handler:?}");
            for kind in ProbeKind::ALL {
                let may_have = if kind.is_hook() { of_hooks } else { of_probes };
                assert_eq!(handler.is_of(kind), may_have, "{handler:?} {kind:?}");
            }
        }
    }
}
