//! What can be the matter with an app.

use std::fmt;

/// The kinds of apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AppKind {
    Http,
    Https,
    /// HTTP/2 in clear text.
    Http2,
    /// HTTP/2 over TLS.
    HttpsH2,
    Tcp,
    Grpc,
    GrpcTls,
    /// An HTTP app to which another app, that is always well, redirects the probe.
    Hop,
    /// The same over HTTPS.
    HopTls,
}

impl AppKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Http,
        Self::Https,
        Self::Http2,
        Self::HttpsH2,
        Self::Tcp,
        Self::Grpc,
        Self::GrpcTls,
        Self::Hop,
        Self::HopTls,
    ];

    /// Whether the app that changes speaks TLS.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::HttpsH2 | Self::GrpcTls | Self::HopTls)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Http2 => "http2",
            Self::HttpsH2 => "https-h2",
            Self::Tcp => "tcp",
            Self::Grpc => "grpc",
            Self::GrpcTls => "grpc-tls",
            Self::Hop => "http-hop",
            Self::HopTls => "https-hop",
        }
    }
}

/// What an app does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AppState {
    Healthy,
    /// Half of the timeout.
    Slow,
    /// A little less than the timeout.
    AlmostTooSlow,
    /// A little more than the timeout.
    JustTooSlow,
    /// Twice the timeout.
    TooSlow,
    Closed,
    /// Another app has the port, which speaks TLS where this one does not, or the other way round.
    Taken,
    QueueFull,
    /// Accepts, and nothing more.
    Silent,
    HangsInHandshake,
    /// Takes the request, and nothing more.
    NoAnswer,
    HangsInHead,
    HangsInBody,
    /// Half a head, then the end.
    HalfHead,
    /// Half a body, then the end.
    HalfBody,
    Reset,
    ClosedAtOnce,
    Garbage,
    Status503,
    /// A redirect to another host.
    Elsewhere,
    /// A redirect to itself.
    Loop,
    /// 300 KB.
    Long,
    NotServing,
    Unimplemented,
}

impl AppState {
    pub const ALL: [Self; 24] = [
        Self::Healthy,
        Self::Slow,
        Self::AlmostTooSlow,
        Self::JustTooSlow,
        Self::TooSlow,
        Self::Closed,
        Self::Taken,
        Self::QueueFull,
        Self::Silent,
        Self::HangsInHandshake,
        Self::NoAnswer,
        Self::HangsInHead,
        Self::HangsInBody,
        Self::HalfHead,
        Self::HalfBody,
        Self::Reset,
        Self::ClosedAtOnce,
        Self::Garbage,
        Self::Status503,
        Self::Elsewhere,
        Self::Loop,
        Self::Long,
        Self::NotServing,
        Self::Unimplemented,
    ];
}

impl fmt::Display for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Healthy => "healthy",
            Self::Slow => "slow",
            Self::AlmostTooSlow => "almost too slow",
            Self::JustTooSlow => "just too slow",
            Self::TooSlow => "too slow",
            Self::Closed => "closed",
            Self::Taken => "port taken by another",
            Self::QueueFull => "accept queue full",
            Self::Silent => "silent after the accept",
            Self::HangsInHandshake => "hanging in the handshake",
            Self::NoAnswer => "no answer",
            Self::HangsInHead => "hanging in the head",
            Self::HangsInBody => "hanging in the body",
            Self::HalfHead => "half a head",
            Self::HalfBody => "half a body",
            Self::Reset => "reset",
            Self::ClosedAtOnce => "closed at once",
            Self::Garbage => "garbage",
            Self::Status503 => "503",
            Self::Elsewhere => "a redirect elsewhere",
            Self::Loop => "a redirect to itself",
            Self::Long => "300 KB",
            Self::NotServing => "NOT_SERVING",
            Self::Unimplemented => "unimplemented",
        })
    }
}
