//! What status port and app are asked.

use std::net::IpAddr;

use app_health_tests::app::{Http, Script, V4};
use serde_json::json;

use crate::{PAGE, READYZ, found, probe, readiness};

#[test]
fn as_the_kubelet_asks() {
    let app = Http::start(V4, |_| Script::status(200));
    let port = app.addr().port();
    let headers = json!([{"name": "x-a", "value": "1"}, {"name": "X-B", "value": ""}]);
    let recorded = json!({"httpGet": {"path": "a b?c", "port": port, "httpHeaders": headers}});
    // Behind a forwarded port, which is another one.
    let page = crate::page(&[crate::entry(READYZ, recorded)]);
    let page = crate::with(page, "status_port", json!(8015));
    let server = crate::pod(page, |_| Script::status(200));
    assert_eq!(found(&server).1, 0);
    let host = |port: u16| format!("Host: 127.0.0.1:{port}");
    let rest =
        ["User-Agent: kube-probe/1.37", "Accept: */*", "X-A: 1", "X-B: ", "Connection: close"];
    let [through] = &server.seen_at(READYZ)[..] else { panic!("{:?}", server.seen()) };
    assert_eq!(through.lines(), [&[&*host(8015)][..], &rest].concat());
    let [direct] = &app.seen()[..] else { panic!("{:?}", app.seen()) };
    assert_eq!(direct.target, "/a%20b?c");
    assert_eq!(direct.lines(), [&[&*host(port)][..], &rest].concat());
    // Past the rules of a mesh.
    assert_eq!(direct.peer.ip(), IpAddr::from([127, 0, 0, 6]));
}

#[test]
fn headers_that_the_page_hides_are_left_out_and_named() {
    let app = Http::start(V4, |_| Script::status(401));
    let headers = json!([{"name": "Host", "value": "shop"}, {"name": "X-Token"}]);
    let recorded = json!({"httpGet": {"port": app.addr().port(), "httpHeaders": headers}});
    let server = readiness(recorded, Script::status(401));
    let run = probe(&server, "web/readyz");
    for line in [
        "left out of both requests, for the page hides their values: X-Token\n",
        "at fault: app (it fails whoever asks, unless it is for the headers that are left out)\n",
    ] {
        assert!(run.stdout.contains(line), "{}", run.stdout);
    }
    for request in [&server.seen_at(READYZ)[0], &app.seen()[0]] {
        assert_eq!(request.header("host").as_deref(), Some("shop"));
        assert_eq!(request.header("x-token"), None);
    }
    assert_eq!(found(&server).0["left_out"], json!(["X-Token"]));
}

#[test]
fn of_another_handler_no_headers_go_to_the_status_port() {
    let server = readiness(json!({"tcpSocket": {"port": 1}}), Script::status(200));
    found(&server);
    let lines = server.seen_at(READYZ)[0].lines();
    assert_eq!(lines[0], "Host: 127.0.0.1:15020", "of a page that names no status port");
    assert_eq!(lines[1..], ["User-Agent: kube-probe/1.37", "Accept: */*", "Connection: close"]);
    assert_eq!(server.seen_at(PAGE).len(), 1);
}

#[test]
fn headers_that_cannot_be_sent() {
    let app = Http::start(V4, |_| Script::status(200));
    let headers = json!([{"name": "Host", "value": "a\r\nx-b: c"}]);
    let recorded = json!({"httpGet": {"port": app.addr().port(), "httpHeaders": headers}});
    let server = readiness(recorded, Script::status(200));
    let (finding, code) = found(&server);
    assert_eq!((&finding["fault"], code), (&json!("configuration"), 1), "{finding}");
    assert_eq!((app.seen().len(), server.seen_at(READYZ).len()), (0, 0));
}
