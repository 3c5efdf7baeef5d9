//! What an app does in its state.

use std::time::Duration;

use app_health_tests::app::{Alpn, Conduct, Health, Script, TlsAnswer, status};
use app_health_tests::health::ServingStatus::{NotServing, Serving};
use http_body_util::Full;
use hyper::Response;

use crate::state::{Kind, State};

/// Far more than the kubelet reads, and less than Envoy buffers of a later hop's answer.
const LONG: usize = 300_000;
/// Of HTTP/2, and empty.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
/// Of a HEADERS frame of HTTP/2.
const HALF_A_FRAME: &[u8] = &[0, 0, 40, 1, 4, 0, 0, 0, 1, 0x88];

/// What puts an app into a state.
#[derive(Clone, Debug)]
pub enum Deed {
    Open(Conduct),
    Fill,
    Close,
}

/// `None` where no such app gets into this state.
pub fn deed(kind: Kind, state: State, timeout: Duration) -> Option<Deed> {
    match state {
        State::Closed => Some(Deed::Close),
        State::QueueFull => Some(Deed::Fill),
        _ => connection(kind, state).or_else(|| conduct(kind, state, timeout)).map(Deed::Open),
    }
}

/// Where it gets no further than the connection.
fn connection(kind: Kind, state: State) -> Option<Conduct> {
    const HALF_A_RECORD: &[u8] = &[0x16, 3, 3, 0, 0x7a, 2];
    let is_tls = matches!(kind, Kind::Https | Kind::HttpsH2 | Kind::GrpcTls | Kind::HopTls);
    Some(Conduct::AtOnce(match state {
        State::Reset => Script::close().reset(),
        State::ClosedAtOnce => Script::close(),
        // A TCP app is well then.
        State::Silent if kind != Kind::Tcp => Script::default().hold(),
        State::HangsInHandshake if is_tls => Script::raw(HALF_A_RECORD).hold(),
        State::Garbage if is_tls => Script::raw("SSH-2.0-app\r\n"),
        _ => return None,
    }))
}

fn conduct(kind: Kind, state: State, timeout: Duration) -> Option<Conduct> {
    match kind {
        Kind::Http | Kind::Hop => http(state, timeout),
        Kind::Https | Kind::HopTls => Some(http(state, timeout)?.over_tls(Alpn::Http1)),
        Kind::Http2 => http2(state, timeout),
        Kind::HttpsH2 => Some(http2(state, timeout)?.over_tls(Alpn::Http2)),
        Kind::Tcp => tcp(state),
        Kind::Grpc => grpc(state, timeout),
        Kind::GrpcTls => Some(grpc(state, timeout)?.over_tls(Alpn::Http2)),
    }
}

fn http(state: State, timeout: Duration) -> Option<Conduct> {
    const HALF_A_HEAD: &str = "HTTP/1.1 200 OK\r\nContent-";
    const HALF_A_BODY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    let well = Script::status(200);
    let long = format!("HTTP/1.1 200 OK\r\nContent-Length: {LONG}\r\n\r\n");
    Some(Conduct::Asked(match state {
        State::Healthy => well,
        State::Slow => Script::default().wait(timeout / 2).and(well),
        State::TooSlow => Script::default().wait(timeout * 2).and(well),
        State::NoAnswer => Script::default().hold(),
        State::HangsInHead => Script::raw(HALF_A_HEAD).hold(),
        State::HangsInBody => Script::raw(HALF_A_BODY).hold(),
        State::HalfHead => Script::raw(HALF_A_HEAD),
        State::HalfBody => Script::raw(HALF_A_BODY),
        State::Garbage => Script::raw("SSH-2.0-app\r\n\r\n"),
        State::Status503 => Script::status(503),
        State::Elsewhere => Script::redirect(302, "http://elsewhere.test/"),
        State::Long => Script::raw(long).then(vec![b'x'; LONG]),
        _ => return None,
    }))
}

fn http2(state: State, timeout: Duration) -> Option<Conduct> {
    const NEVER: Duration = Duration::from_secs(3600);
    let (after, answer) = match state {
        State::Healthy => (Duration::ZERO, status(200)),
        State::Slow => (timeout / 2, status(200)),
        State::TooSlow => (timeout * 2, status(200)),
        State::NoAnswer => (NEVER, status(200)),
        State::Status503 => (Duration::ZERO, status(503)),
        State::Elsewhere => (Duration::ZERO, with(302, "location", "http://elsewhere.test/", "")),
        State::HalfBody => (Duration::ZERO, with(200, "content-length", "100", "half")),
        State::Long => (Duration::ZERO, with(200, "x-body", "long", vec![b'x'; LONG])),
        _ => return broken_http2(state).map(Conduct::AtOnce),
    };
    Some(Conduct::Http2 { after, answer })
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
fn broken_http2(state: State) -> Option<Script> {
    let half = Script::raw(SETTINGS).then(HALF_A_FRAME);
    match state {
        State::HangsInHead => Some(half.hold()),
        State::HalfHead => Some(half),
        State::Garbage => Some(Script::raw("HTTP/1.1 400 Bad\r\n\r\n")),
        _ => None,
    }
}

fn tcp(state: State) -> Option<Conduct> {
    Some(Conduct::AtOnce(match state {
        State::Healthy => Script::default().hold(),
        State::Garbage => Script::raw("220 app\r\n").hold(),
        _ => return None,
    }))
}

fn grpc(state: State, timeout: Duration) -> Option<Conduct> {
    Some(Conduct::Grpc(match state {
        State::Healthy => Health::Says(Serving),
        State::Slow => Health::Late(timeout / 2),
        State::TooSlow => Health::Late(timeout * 2),
        State::NoAnswer => Health::Silent,
        State::Status503 => Health::Status(503),
        State::NotServing => Health::Says(NotServing),
        State::Unimplemented => Health::Error(12),
        _ => return broken_http2(state).map(Conduct::AtOnce),
    }))
}
