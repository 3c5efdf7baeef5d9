//! What is not asked.

use std::time::Instant;

use app_health_tests::app::{Http, Script, V4};
use app_health_tests::poll::PATIENCE;
use app_health_tests::process;
use serde_json::json;

use crate::{PAGE, READYZ, command, entry, page, pod, probe};

#[test]
fn a_probe_that_is_not_there() {
    let tcp = || json!({"tcpSocket": {"port": 1}});
    let server = pod(
        page(&[
            entry("/app-health/cache/livez", tcp()),
            entry(READYZ, tcp()),
            entry("/app-health/\u{1b}/readyz", tcp()),
            entry("/app-lifecycle/web/prestopz", tcp()),
        ]),
        |_| Script::status(200),
    );
    let run = probe(&server, "web/livez");
    assert_eq!((run.exit, &*run.stdout), (2, ""));
    let line = "app-health-agent: web/livez: no such probe; there are: cache/livez, web/readyz\n";
    assert_eq!(run.stderr, line);
    assert_eq!(server.seen().len(), server.seen_at(PAGE).len());
}

#[test]
fn hooks_are_not_carried_out() {
    let server =
        pod(page(&[entry("/app-lifecycle/web/prestopz", json!({"httpGet": {"port": 1}}))]), |_| {
            Script::status(200)
        });
    for name in ["web/prestopz", "web/poststartz", "/app-lifecycle/web/prestopz"] {
        let run = probe(&server, name);
        assert_eq!(run.exit, 64, "{name}");
        let says = "a lifecycle hook is not asked: that would carry it out";
        assert!(run.stderr.contains(says), "{}", run.stderr);
    }
    assert_eq!(server.seen(), []);
}

#[test]
fn what_is_no_status_page() {
    for (script, says) in [
        (Script::status(404), "404 instead of a status page"),
        (Script::raw("SSH-2.0-x\r\n\r\n"), "no HTTP answer"),
        (Script::raw("HTTP/1.1 200 OK\r\n\r\n").endless("a".repeat(1 << 16)), "longer than 4 MiB"),
        (Script::default().hold(), "no answer within 4 s"),
    ] {
        let server = Http::start(V4, move |_| script.clone());
        let begun = Instant::now();
        let run = process::run(&mut command(server.addr(), "web/readyz"), "");
        assert_eq!((run.exit, &*run.stdout), (2, ""), "{says}");
        assert!(run.stderr.contains(says) && run.stderr.lines().count() == 1, "{}", run.stderr);
        assert!(begun.elapsed() < PATIENCE, "{says}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_status_port_that_never_ends_its_answer() {
    let late =
        crate::with(entry(READYZ, json!({"tcpSocket": {"port": 1}})), "timeout_seconds", json!(1));
    let server = pod(page(&[late]), |_| Script::raw("HTTP/1.1 200 OK\r\n").endless("a: b\r\n"));
    let begun = Instant::now();
    let run = probe(&server, "web/readyz");
    assert!(
        run.stdout.contains("at fault: redirection (the status port gives no answer)"),
        "{}",
        run.stdout
    );
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}
