//! What gives no page.

use app_health_tests::app::{Closed, Http, Script, V4};
use app_health_tests::process::{self, Process};
use serde_json::json;

use crate::{answer, command, page, passing, status, with};

#[test]
fn one_line_says_why_there_is_no_page() {
    let (hostile, long) = ("\u{1b}[31m\n", "a".repeat(1000));
    let ok = "HTTP/1.1 200 OK\r\n";
    for (script, says) in [
        (answer(403, "RBAC"), "403: RBAC: only callers on loopback see the page"),
        (answer(503, "the filter is not there\n"), "503: the filter is not there\n"),
        (answer(503, hostile), "503: \\u{1b}[31m\n"),
        (answer(404, ""), "404 instead of a status page, whose path is /app-health/\n"),
        (
            answer(400, "no probe is recorded for /app-health/\n"),
            "400 instead of a status page: Envoy's configuration may lack the route status_page\n",
        ),
        (
            answer(400, "app prober config does not exists for /app-health/"),
            "400: Istio's pilot-agent answers here, and not the filter: probes are answered, but without a \
             status page; for the filter, label the namespace app-health/filter=enabled and replace the pod; \
             where both is done, the webhook's log says why not\n",
        ),
        (answer(500, &long), "500 instead of a status page\n"),
        (Script::redirect(302, "/"), "302 instead of a status page"),
        (answer(200, ""), "the answer is no JSON"),
        (answer(200, "<html>"), "the answer is no JSON"),
        (answer(200, "{"), "the answer is no JSON"),
        (answer(200, "[]"), "JSON, but not that of a status page"),
        (answer(200, "{}"), "JSON, but not that of a status page: missing field `version`"),
        (answer(200, r#"{"version":1}"#), "JSON, but not that of a status page: missing field"),
        (answer(200, r#"{"version":2}"#), "the page's JSON is of version 2, and only 1 is known"),
        (of_state(hostile), "not that of a status page: unknown variant `\\u{1b}[31m\\n`"),
        (of_state(&long), "not that of a status page: unknown variant `aaaaa"),
        (Script::close(), "no HTTP answer"),
        (Script::default().reset(), "no HTTP answer"),
        (Script::raw("hello\r\n\r\n"), "no HTTP answer"),
        (Script::raw(format!("{ok}Content-Length: 9\r\n\r\n{{")), "the answer broke off"),
        (
            Script::raw(format!("{ok}Content-Length: 10000000\r\n\r\n"))
                .endless(" ".repeat(1 << 16)),
            "the answer is longer than 4 MiB",
        ),
        (
            Script::raw(format!("{ok}\r\n")).endless("a".repeat(1 << 16)),
            "the answer is longer than 4 MiB",
        ),
        (Script::raw(ok).endless("a: b\r\n".repeat(999)), "no HTTP answer"),
    ] {
        let run = status(script, "");
        assert!(run.stderr.contains(says), "{says:?}: {:?}", run.stderr);
        assert!(run.stderr.starts_with("app-health-agent: http://127.0.0.1:"), "{:?}", run.stderr);
        let line = run.stderr.strip_suffix('\n').expect("a line");
        assert!(!line.contains(char::is_control) && line.len() < 400, "{line:?}");
        assert_eq!((run.exit, &*run.stdout), (2, ""), "{says:?}");
    }
}

fn of_state(state: &str) -> Script {
    answer(200, &page(&[with(passing(), json!({"state": state}))]).to_string())
}

#[test]
fn nobody_listens() {
    let port = Closed::start(V4);
    let run = process::run(&mut command(port.addr(), ""), "");
    assert_eq!(run.exit, 2);
    let refused = "Connection refused; outside the pod it takes kubectl port-forward POD 15020\n";
    assert!(run.stderr.ends_with(refused), "{}", run.stderr);
}

#[test]
fn an_answer_that_is_not_done_in_time() {
    let beginning = || Script::raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
    let servers = [
        Http::at_accept(V4, Script::default().hold()),
        Http::start(V4, |_| Script::raw("HTTP/1.1 200 OK\r\n").hold()),
        Http::start(V4, move |_| beginning().hold()),
    ];
    let all =
        servers.each_ref().map(|server| Process::start("status", &mut command(server.addr(), "")));
    for process in all {
        assert_eq!(process.wait(), Some(2));
        assert!(process.log().ends_with(": no answer within 4 s\n"), "{}", process.log());
    }
}
