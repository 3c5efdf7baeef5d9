use app_health_tests::app::{Closed, Http, Script, V4};
use app_health_tests::entries::{Entries, hook, http, probe, within};

use super::SECOND;
use super::expected::envoy;

const HALF: &str = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";

/// Logged once the request is over, by what Envoy then still says of it.
#[test]
fn what_a_probe_came_to_is_logged() {
    let app = Http::start(V4, |_| Script::status(204));
    let stalled = Http::start(V4, |_| Script::default().then(HALF).hold());
    let silent = Http::start(V4, |_| Script::default().hold());
    let closed = Closed::start(V4);
    let entries = [("app", app.addr()), ("gone", silent.addr())];
    let entries = entries.into_iter().chain([("closed", closed.addr())]);
    let half = Http::start(V4, |_| Script::raw(HALF));
    let entries =
        entries.fold(Entries::default(), |all, (name, addr)| all.probe(name, http(addr, "/")));
    let entries = entries.probe("stalled", within(1, http(stalled.addr(), "/")));
    let envoy = envoy(entries.hook("half", http(half.addr(), "/")));
    assert_eq!(envoy.hook(hook("half")).status(), Ok(200));
    for name in ["closed", "stalled"] {
        envoy.get(probe(name)).send().expect("an answer");
    }
    envoy.get(probe("gone")).timeout(SECOND / 4).send().expect_err("no answer yet");
    for line in [
        "closed/readinessProbe: failing: 500 refused: http 127.0.0.1:",
        "stalled/readinessProbe: failing: 504 timeout: http 127.0.0.1:",
        "gone/readinessProbe: no answer: the client went away before it",
    ] {
        envoy.line(line);
    }
    envoy.get(probe("app")).send().expect("an answer");
    envoy.line("app/readinessProbe: 204 from the app");
    envoy.line("half/preStop: 200 from the app");
    for name in ["app", "gone", "half"] {
        let changes = envoy
            .log()
            .lines()
            .filter(|line| {
                line.contains(&format!("{name}/"))
                    && line.contains("ing: ")
                    && !line.contains("debug")
            })
            .count();
        assert_eq!(changes, 0, "{name}: {}", envoy.log());
    }
}
