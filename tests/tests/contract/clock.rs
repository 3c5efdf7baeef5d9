//! A check has its time by a clock that nobody sets. The wall clock of a node is set while checks run:
//! forward by an hour, and none may fail for it; back by an hour, and none may get more time.

use std::time::Duration;

use super::{HTTP, READYZ, get, host};
use crate::host::Host;
use crate::host::app::{App, UpstreamFailure::*, grpc_response};
use crate::host::headers::Headers;

const TCP: &str = r#"{"tcpSocket":{"port":2940}}"#;
const GRPC: &str = r#"{"grpc":{"port":9090}}"#;

/// Each check has a second, of which 300 ms go by; then the clock is set.
fn under_way(entry: &str, hours: i64) -> (Host, u32) {
    let mut host = host(entry);
    let id = host.request(get(READYZ));
    host.advance(Duration::from_millis(300));
    let state = host.state();
    let to = (state.epoch + state.now).as_secs().checked_add_signed(hours * 3600);
    host.set_wall_clock(Duration::from_secs(to.expect("after 1970")));
    (host, id)
}

/// The call that waits, and how long it may.
fn call(host: &Host) -> (u32, u128) {
    let callout = host.state().callouts.values().next().expect("a call");
    (callout.token, callout.timeout.as_millis())
}

fn status(host: &Host, id: u32) -> u16 {
    host.stream(id).response().expect("an answer").status()
}

#[test]
fn a_redirect_is_followed_in_the_time_that_is_left() {
    for hours in [1, -1] {
        let (mut host, id) = under_way(HTTP, hours);
        host.respond(id, Headers::of([(":status", "302"), ("location", "/x")]), true);
        let (token, left) = call(&host);
        assert_eq!(left, 700, "{hours}");
        host.answer_http_call(token, Silent.callout_response());
        assert_eq!(status(&host, id), 504, "{hours}");
    }
}

#[test]
fn grpc_is_dialled_again_in_the_time_that_is_left() {
    for hours in [1, -1] {
        let (mut host, id) = under_way(GRPC, hours);
        let dead = || grpc_response(App::Fails(DialTimedOut));
        host.answer_grpc_call(call(&host).0, dead());
        let (token, left) = call(&host);
        assert_eq!(left, 700, "{hours}");
        host.advance(Duration::from_millis(700));
        host.answer_grpc_call(token, dead());
        assert_eq!(status(&host, id), 504, "{hours}");
    }
}

#[test]
fn a_reset_is_told_from_a_deadline() {
    for (hours, more, expected) in [(1, 0, 500), (-1, 0, 500), (1, 700, 504), (-1, 700, 504)] {
        let (mut host, id) = under_way(GRPC, hours);
        host.advance(Duration::from_millis(more));
        host.answer_grpc_call(call(&host).0, grpc_response(App::Fails(RemoteReset)));
        assert_eq!(status(&host, id), expected, "{hours} {more}");
    }
}

#[test]
fn envoy_connects_in_the_time_that_the_agent_has_left() {
    for hours in [1, -1] {
        let (mut host, id) = under_way(TCP, hours);
        host.answer_http_call(call(&host).0, Refused.callout_response());
        let limit = host.stream(id).request.get("x-envoy-upstream-rq-timeout-ms");
        assert_eq!(limit.as_deref(), Some("700"), "{hours}");
    }
}
