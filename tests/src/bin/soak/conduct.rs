//! What an app does in its state.

use std::time::Duration;

use app_health_tests::app::{
    Alpn, Conduct, HALF_A_FRAME, HALF_A_RECORD, Health, Script, TlsAnswer, status,
};
use app_health_tests::health::ServingStatus::{NotServing, Serving};
use http_body_util::Full;
use hyper::Response;

use crate::state::{AppKind, AppState};

/// Far more than the kubelet reads, and less than Envoy buffers of a later hop's answer.
const LONG: usize = 300_000;

/// How far from the timeout an app is that is almost or just too slow. A machine that is held up for less
/// changes no verdict.
const NEAR: Duration = Duration::from_millis(300);

/// What puts an app into a state.
#[derive(Clone, Debug)]
pub enum Deed {
    Open(Conduct),
    Fill,
    Close,
}

/// `None` where no such app gets into this state.
pub fn deed(kind: AppKind, state: AppState, timeout: Duration) -> Option<Deed> {
    match state {
        AppState::Closed => Some(Deed::Close),
        AppState::QueueFull => Some(Deed::Fill),
        AppState::Taken => Some(Deed::Open(another(kind))),
        _ => connection(kind, state).or_else(|| conduct(kind, state, timeout)).map(Deed::Open),
    }
}

/// What else may have the port: it is well, and for others.
fn another(kind: AppKind) -> Conduct {
    if kind.is_tls() {
        Conduct::Grpc(Health::Says(Serving))
    } else {
        Conduct::Asked(Script::status(200)).over_tls(Alpn::Http1)
    }
}

/// How far its answer is from the end of this time.
pub fn margin(state: AppState, timeout: Duration, end: Duration) -> Duration {
    delay(state, timeout).unwrap_or_default().abs_diff(end)
}

/// How long it takes to answer, where that is all that is the matter.
fn delay(state: AppState, timeout: Duration) -> Option<Duration> {
    match state {
        AppState::Slow => Some(timeout / 2),
        AppState::AlmostTooSlow => Some(timeout - NEAR),
        AppState::JustTooSlow => Some(timeout + NEAR),
        AppState::TooSlow => Some(timeout * 2),
        _ => None,
    }
}

/// Where it gets no further than the connection.
fn connection(kind: AppKind, state: AppState) -> Option<Conduct> {
    Some(Conduct::AtOnce(match state {
        AppState::Reset => Script::close().reset(),
        AppState::ClosedAtOnce => Script::close(),
        // A TCP app is well then.
        AppState::Silent if kind != AppKind::Tcp => Script::default().hold(),
        AppState::HangsInHandshake if kind.is_tls() => Script::raw(HALF_A_RECORD).hold(),
        AppState::Garbage if kind.is_tls() => Script::raw("SSH-2.0-app\r\n"),
        _ => return None,
    }))
}

fn conduct(kind: AppKind, state: AppState, timeout: Duration) -> Option<Conduct> {
    match kind {
        AppKind::Http | AppKind::Hop => http(state, timeout),
        AppKind::Https | AppKind::HopTls => Some(http(state, timeout)?.over_tls(Alpn::Http1)),
        AppKind::Http2 => http2(state, timeout),
        AppKind::HttpsH2 => Some(http2(state, timeout)?.over_tls(Alpn::Http2)),
        AppKind::Tcp => tcp(state),
        AppKind::Grpc => grpc(state, timeout),
        AppKind::GrpcTls => Some(grpc(state, timeout)?.over_tls(Alpn::Http2)),
    }
}

fn http(state: AppState, timeout: Duration) -> Option<Conduct> {
    const HALF_A_HEAD: &str = "HTTP/1.1 200 OK\r\nContent-";
    const HALF_A_BODY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    let well = Script::status(200);
    if let Some(delay) = delay(state, timeout) {
        return Some(Conduct::Asked(Script::default().wait(delay).and(well)));
    }
    let long = format!("HTTP/1.1 200 OK\r\nContent-Length: {LONG}\r\n\r\n");
    Some(Conduct::Asked(match state {
        AppState::Healthy => well,
        AppState::NoAnswer => Script::default().hold(),
        AppState::HangsInHead => Script::raw(HALF_A_HEAD).hold(),
        AppState::HangsInBody => Script::raw(HALF_A_BODY).hold(),
        AppState::HalfHead => Script::raw(HALF_A_HEAD),
        AppState::HalfBody => Script::raw(HALF_A_BODY),
        AppState::Garbage => Script::raw("SSH-2.0-app\r\n\r\n"),
        AppState::Status503 => Script::status(503),
        AppState::Elsewhere => Script::redirect(302, "http://elsewhere.test/"),
        AppState::Loop => Script::redirect(302, "/"),
        AppState::Long => Script::raw(long).then(vec![b'x'; LONG]),
        _ => return None,
    }))
}

fn http2(state: AppState, timeout: Duration) -> Option<Conduct> {
    const NEVER: Duration = Duration::from_secs(3600);
    if let Some(after) = delay(state, timeout) {
        return Some(Conduct::Http2 { after, answer: status(200) });
    }
    let answer = match state {
        AppState::Healthy => status(200),
        AppState::NoAnswer => return Some(Conduct::Http2 { after: NEVER, answer: status(200) }),
        AppState::Status503 => status(503),
        AppState::Elsewhere => with(302, "location", "http://elsewhere.test/", ""),
        AppState::HalfBody => with(200, "content-length", "100", "half"),
        AppState::Long => with(200, "x-body", "long", vec![b'x'; LONG]),
        _ => return broken_http2(state).map(Conduct::AtOnce),
    };
    Some(Conduct::Http2 { after: Duration::ZERO, answer })
}

fn with(
    status: u16,
    name: &str,
    value: &str,
    body: impl Into<Full<hyper::body::Bytes>>,
) -> TlsAnswer {
    let answer = Response::builder().status(status).header(name, value).body(body.into());
    answer.expect("an answer of fixed parts")
}

/// Frames that hyper does not send.
fn broken_http2(state: AppState) -> Option<Script> {
    let half = Script::raw(HALF_A_FRAME);
    match state {
        AppState::HangsInHead => Some(half.hold()),
        AppState::HalfHead => Some(half),
        AppState::Garbage => Some(Script::raw("HTTP/1.1 400 Bad\r\n\r\n")),
        _ => None,
    }
}

fn tcp(state: AppState) -> Option<Conduct> {
    Some(Conduct::AtOnce(match state {
        AppState::Healthy => Script::default().hold(),
        AppState::Garbage => Script::raw("220 app\r\n").hold(),
        _ => return None,
    }))
}

fn grpc(state: AppState, timeout: Duration) -> Option<Conduct> {
    if let Some(delay) = delay(state, timeout) {
        return Some(Conduct::Grpc(Health::Late(delay)));
    }
    Some(Conduct::Grpc(match state {
        AppState::Healthy => Health::Says(Serving),
        AppState::NoAnswer => Health::Silent,
        AppState::Status503 => Health::Status(503),
        AppState::NotServing => Health::Says(NotServing),
        AppState::Unimplemented => Health::Error(12),
        _ => return broken_http2(state).map(Conduct::AtOnce),
    }))
}
