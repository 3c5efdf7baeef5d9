//! Probes that set `Connection: Upgrade` and `Upgrade`. To Envoy such a request has a body that never
//! ends, so that the filter dispatches a plain GET in its place.

use super::{HTTP, READYZ, get, host};
use crate::host::DownstreamRequest;
use crate::host::app::{App, UpstreamFailure::*};
use crate::host::run::Via;

fn request() -> DownstreamRequest {
    get(READYZ).with("connection", "Upgrade").header("upgrade", "websocket").with_body()
}

#[test]
fn the_app_is_asked() {
    for (app, status) in [
        (App::answers(200), 200),
        (App::answers(426), 426),
        (App::answers(101), 502),
        (App::Fails(Refused), 500),
    ] {
        let probe = host(HTTP).run(request().header("sec-websocket-key", "x"), |_| app.clone());
        assert_eq!(probe.status(), status, "{app:?}");
        let [sent] = &probe.sent[..] else { panic!("{probe:#?}") };
        assert_eq!(sent.via, Via::HttpCall);
        assert_eq!(sent.headers.get("upgrade"), None);
        assert_eq!(sent.headers.get("connection").as_deref(), Some("close"));
        assert_eq!(sent.headers.get("sec-websocket-key").as_deref(), Some("x"));
    }
}

/// A request with a gRPC Content-Type could not be answered once Envoy's limit has ended it; with a
/// Content-Length, the app would wait for a body that does not come.
#[test]
fn what_is_more_than_an_upgrade_is_refused() {
    for (name, value) in [("content-type", "application/grpc"), ("content-length", "3")] {
        let probe = host(HTTP).run(request().header(name, value), super::unasked);
        assert_eq!(probe.status(), 400, "{name}");
    }
}

/// The filter has paused the request's headers. Its body must not carry the request on to the routes.
#[test]
fn nothing_takes_it_to_the_routes() {
    let mut host = host(HTTP);
    let id = host.request(request());
    host.request_body(id, b"", false);
    assert_eq!(host.stream(id).phase, crate::host::stream::StreamPhase::Request);
    host.client_gone(id);
}
