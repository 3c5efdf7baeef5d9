//! Probes that set `Connection: Upgrade` and `Upgrade`. To Envoy the request has a body that never ends,
//! so it is dispatched, as a plain GET.

use super::{HTTP, READYZ, host};
use crate::host::Request;
use crate::host::app::{App, Failure};
use crate::host::run::Way;

fn request() -> Request {
    Request::get(READYZ).with("connection", "Upgrade").header("upgrade", "websocket").with_body()
}

#[test]
fn the_app_is_asked() {
    for (app, status) in [
        (App::answers(200), 200),
        (App::answers(426), 426),
        (App::answers(101), 502),
        (App::Fails(Failure::Refused), 500),
    ] {
        let probe = host(HTTP).run(request().header("sec-websocket-key", "x"), |_| app.clone());
        assert_eq!(probe.status(), status, "{app:?}");
        let [ask] = &probe.asks[..] else { panic!("{probe:#?}") };
        assert_eq!(ask.way, Way::Hop);
        assert_eq!(ask.headers.get("upgrade"), None);
        assert_eq!(ask.headers.get("connection").as_deref(), Some("close"));
        assert_eq!(ask.headers.get("sec-websocket-key").as_deref(), Some("x"));
    }
}

/// With a gRPC Content-Type nothing could be answered once Envoy's own limit of a request has ended it;
/// with a length the app would wait for what does not come.
#[test]
fn what_is_more_than_an_upgrade_is_refused() {
    for (name, value) in [("content-type", "application/grpc"), ("content-length", "3")] {
        let probe = host(HTTP).run(request().header(name, value), super::unasked);
        assert_eq!(probe.status(), 400, "{name}");
    }
}

/// The filter has paused the head; what comes after it must not carry it on to the routes.
#[test]
fn nothing_takes_it_to_the_routes() {
    let mut host = host(HTTP);
    let id = host.request(request());
    host.request_body(id, b"", false);
    assert_eq!(host.stream(id).phase, crate::host::stream::Phase::Request);
    host.client_gone(id);
}
