//! What can be the matter with an app.

use std::fmt;
use std::time::Duration;

use app_health_tests::app::{Conduct, Health, Script, TlsAnswer, status};
use app_health_tests::health::ServingStatus::{NotServing, Serving};
use http_body_util::Full;
use hyper::Response;

/// Far more than the kubelet reads, and less than Envoy buffers of a later hop's answer.
const LONG: usize = 300_000;

/// The kinds of apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Http,
    Https,
    /// Over HTTP/2.
    HttpsH2,
    Tcp,
    Grpc,
    /// An HTTP app to which another app, that is always well, redirects the probe.
    Hop,
    /// The same over HTTPS.
    HopTls,
}

impl Kind {
    pub const ALL: [Self; 7] =
        [Self::Http, Self::Https, Self::HttpsH2, Self::Tcp, Self::Grpc, Self::Hop, Self::HopTls];

    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::HttpsH2 => "https-h2",
            Self::Tcp => "tcp",
            Self::Grpc => "grpc",
            Self::Hop => "http-hop",
            Self::HopTls => "https-hop",
        }
    }
}

/// What an app does. Slow and too slow are far from the timeout on either side, so that a verdict
/// is no race.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Healthy,
    /// Half of the timeout.
    Slow,
    /// Twice the timeout.
    TooSlow,
    Closed,
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
    /// [`LONG`].
    Long,
    NotServing,
    Unimplemented,
}

/// What makes an app be in a state.
#[derive(Clone, Debug)]
pub enum Deed {
    Open(Conduct),
    Fill,
    Close,
}

impl State {
    pub const ALL: [Self; 20] = [
        Self::Healthy,
        Self::Slow,
        Self::TooSlow,
        Self::Closed,
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
        Self::Long,
        Self::NotServing,
        Self::Unimplemented,
    ];

    /// What an app of this kind does in this state; `None` where no such app gets into it.
    pub fn of(self, kind: Kind, timeout: Duration) -> Option<Deed> {
        let conduct = match self {
            Self::Closed => return Some(Deed::Close),
            Self::QueueFull => return Some(Deed::Fill),
            Self::Reset => Some(Conduct::AtOnce(Script::close().reset())),
            Self::ClosedAtOnce => Some(Conduct::AtOnce(Script::close())),
            _ => match kind {
                Kind::Http | Kind::Hop => self.of_http(timeout),
                Kind::Https | Kind::HopTls => self.of_https(timeout),
                Kind::HttpsH2 => self.of_https_h2(timeout),
                Kind::Tcp => self.of_tcp(),
                Kind::Grpc => self.of_grpc(timeout),
            },
        };
        conduct.map(Deed::Open)
    }

    fn of_http(self, timeout: Duration) -> Option<Conduct> {
        match self {
            Self::Silent => Some(Conduct::AtOnce(Script::default().hold())),
            Self::Garbage => Some(Conduct::Asked(Script::raw("SSH-2.0-app\r\n\r\n"))),
            _ => self.answer(timeout).map(Conduct::Asked),
        }
    }

    fn of_https(self, timeout: Duration) -> Option<Conduct> {
        self.before_http().or_else(|| self.answer(timeout).map(Conduct::AskedByTls))
    }

    fn of_https_h2(self, timeout: Duration) -> Option<Conduct> {
        self.before_http().or_else(|| {
            let (after, answer) = self.answer_h2(timeout)?;
            Some(Conduct::Http2ByTls { after, answer })
        })
    }

    /// Of an app that speaks TLS.
    fn before_http(self) -> Option<Conduct> {
        const HALF_A_RECORD: &[u8] = &[0x16, 3, 3, 0, 0x7a, 2];
        match self {
            Self::Silent => Some(Conduct::AtOnce(Script::default().hold())),
            Self::HangsInHandshake => Some(Conduct::AtOnce(Script::raw(HALF_A_RECORD).hold())),
            Self::Garbage => Some(Conduct::AtOnce(Script::raw("SSH-2.0-app\r\n\r\n"))),
            _ => None,
        }
    }

    /// To a request that was read.
    fn answer(self, timeout: Duration) -> Option<Script> {
        const HALF_A_HEAD: &str = "HTTP/1.1 200 OK\r\nContent-";
        const HALF_A_BODY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
        let well = Script::status(200);
        Some(match self {
            Self::Healthy => well,
            Self::Slow => Script::default().wait(timeout / 2).and(well),
            Self::TooSlow => Script::default().wait(timeout * 2).and(well),
            Self::NoAnswer => Script::default().hold(),
            Self::HangsInHead => Script::raw(HALF_A_HEAD).hold(),
            Self::HangsInBody => Script::raw(HALF_A_BODY).hold(),
            Self::HalfHead => Script::raw(HALF_A_HEAD),
            Self::HalfBody => Script::raw(HALF_A_BODY),
            Self::Status503 => Script::status(503),
            Self::Elsewhere => Script::redirect(302, "http://elsewhere.test/"),
            Self::Long => Script::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {LONG}\r\n\r\n"))
                .then(vec![b'x'; LONG]),
            _ => return None,
        })
    }

    /// When, and what.
    fn answer_h2(self, timeout: Duration) -> Option<(Duration, TlsAnswer)> {
        const NEVER: Duration = Duration::from_secs(3600);
        let answer = |status: u16, header: (&str, &str), body| {
            let answer = Response::builder().status(status).header(header.0, header.1).body(body);
            answer.expect("an answer of fixed parts")
        };
        Some(match self {
            Self::Healthy => (Duration::ZERO, status(200)),
            Self::Slow => (timeout / 2, status(200)),
            Self::TooSlow => (timeout * 2, status(200)),
            Self::NoAnswer => (NEVER, status(200)),
            Self::Status503 => (Duration::ZERO, status(503)),
            Self::Elsewhere => {
                let location = ("location", "http://elsewhere.test/");
                (Duration::ZERO, answer(302, location, Full::default()))
            }
            Self::HalfBody => {
                (Duration::ZERO, answer(200, ("content-length", "100"), Full::from("half")))
            }
            Self::Long => {
                (Duration::ZERO, answer(200, ("x-app", "long"), Full::from(vec![b'x'; LONG])))
            }
            _ => return None,
        })
    }

    fn of_tcp(self) -> Option<Conduct> {
        Some(Conduct::AtOnce(match self {
            Self::Healthy => Script::default().hold(),
            Self::Garbage => Script::raw("220 app\r\n").hold(),
            _ => return None,
        }))
    }

    fn of_grpc(self, timeout: Duration) -> Option<Conduct> {
        const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
        /// Of a frame of HEADERS.
        const HALF_A_HEAD: &[u8] = &[0, 0, 40, 1, 4, 0, 0, 0, 1, 0x88];
        let settings = Script::raw(SETTINGS);
        Some(match self {
            Self::Healthy => Conduct::Grpc(Health::Says(Serving)),
            Self::Slow => Conduct::Grpc(Health::Late(timeout / 2)),
            Self::TooSlow => Conduct::Grpc(Health::Late(timeout * 2)),
            Self::Silent => Conduct::AtOnce(Script::default().hold()),
            Self::NoAnswer => Conduct::Grpc(Health::Silent),
            Self::HangsInHead => Conduct::AtOnce(settings.then(HALF_A_HEAD).hold()),
            Self::HalfHead => Conduct::AtOnce(settings.then(HALF_A_HEAD)),
            Self::Garbage => Conduct::AtOnce(Script::raw("HTTP/1.1 400 Bad\r\n\r\n")),
            Self::Status503 => Conduct::Grpc(Health::Status(503)),
            Self::NotServing => Conduct::Grpc(Health::Says(NotServing)),
            Self::Unimplemented => Conduct::Grpc(Health::Error(12)),
            _ => return None,
        })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Healthy => "healthy",
            Self::Slow => "slow",
            Self::TooSlow => "too slow",
            Self::Closed => "closed",
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
            Self::Long => "300 KB",
            Self::NotServing => "NOT_SERVING",
            Self::Unimplemented => "unimplemented",
        })
    }
}
