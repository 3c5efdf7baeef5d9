//! The time of a check is measured by the monotonic clock. The wall clock of a node may be set while
//! checks run: no check may fail when it is set forward, and none may get more time when it is set back.

use std::time::Duration;

use super::{HTTP, READYZ, call, get, host};
use crate::host::Host;
use crate::host::app::{App, UpstreamFailure::*, grpc_response};
use crate::host::callout::Callout;
use crate::host::headers::Headers;

const TCP: &str = r#"{"tcpSocket":{"port":2940}}"#;
const GRPC: &str = r#"{"grpc":{"port":9090}}"#;

/// Starts a check that has a second, and sets the wall clock after 300 ms of it.
fn under_way(entry: &str, hours: i64) -> (Host, u32) {
    let mut host = host(entry);
    let id = host.request(get(READYZ));
    host.advance(Duration::from_millis(300));
    let state = host.state();
    let to = (state.epoch + state.now).as_secs().checked_add_signed(hours * 3600);
    host.set_wall_clock(Duration::from_secs(to.expect("after 1970")));
    (host, id)
}

fn status(host: &Host, id: u32) -> u16 {
    host.stream(id).response().expect("an answer").status()
}

#[test]
fn a_redirect_is_followed_in_the_time_that_is_left() {
    for hours in [1, -1] {
        let (mut host, id) = under_way(HTTP, hours);
        host.respond(id, Headers::of([(":status", "302"), ("location", "/x")]), true);
        let &Callout { token, timeout, .. } = call(&host);
        assert_eq!(timeout.as_millis(), 700, "{hours}");
        host.answer_http_call(token, Silent.callout_response());
        assert_eq!(status(&host, id), 504, "{hours}");
    }
}

#[test]
fn grpc_is_dialled_again_in_the_time_that_is_left() {
    for hours in [1, -1] {
        let (mut host, id) = under_way(GRPC, hours);
        let dead = || grpc_response(App::Fails(DialTimedOut));
        host.answer_grpc_call(call(&host).token, dead());
        let &Callout { token, timeout, .. } = call(&host);
        assert_eq!(timeout.as_millis(), 700, "{hours}");
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
        host.answer_grpc_call(call(&host).token, grpc_response(App::Fails(RemoteReset)));
        assert_eq!(status(&host, id), expected, "{hours} {more}");
    }
}

#[test]
fn envoy_connects_in_the_time_that_the_agent_has_left() {
    for hours in [1, -1] {
        let (mut host, id) = under_way(TCP, hours);
        host.answer_http_call(call(&host).token, Refused.callout_response());
        let limit = host.stream(id).request.get("x-envoy-upstream-rq-timeout-ms");
        assert_eq!(limit.as_deref(), Some("700"), "{hours}");
    }
}
