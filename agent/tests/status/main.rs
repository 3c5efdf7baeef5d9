//! `app-health-agent status`, run as a user runs it, against pages of the test's own.
//!
//! | module | what it shows |
//! |---|---|
//! | [`page`] | pages: the table, the JSON, the exit code; hostile texts, many probes |
//! | [`no_page`] | what gives no page: the one line, and exit code 2 |
//! | [`watch`] | `--watch` |

mod no_page;
mod page;
mod watch;

use std::net::SocketAddr;
use std::process::Command;

use app_health_tests::app::{Http, Script, V4};
use app_health_tests::process::{self, Run};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_app-health-agent");

fn command(addr: SocketAddr, args: &str) -> Command {
    let mut command = process::command(BINARY);
    command.args(["status", "--url", &format!("http://{addr}/app-health/")]);
    command.args(args.split_whitespace());
    command
}

/// Runs `status` with further arguments, separated by spaces, where this answers.
fn status(answer: Script, args: &str) -> Run {
    let server = Http::start(V4, move |_| answer.clone());
    process::run(&mut command(server.addr(), args), "")
}

/// An answer of this status.
fn answer(status: u16, body: &str) -> Script {
    let length = body.len();
    Script::raw(format!("HTTP/1.1 {status} Status\r\nContent-Length: {length}\r\n\r\n{body}"))
}

/// The page of these probes.
fn page(probes: &[Value]) -> Value {
    json!({
        "version": 1,
        "filter_version": "0.1.0",
        "address": "10.0.0.7",
        "errors": [],
        "tcp_checks": {"agent": 12, "envoy": 0},
        "probes": probes,
    })
}

fn passing() -> Value {
    json!({
        "path": "/app-health/web/readyz",
        "container": "web",
        "probe": "readiness",
        "check": "http GET :8080/ready",
        "state": "passing",
        "state_seconds": 12.3,
        "reason": "ok",
        "text": "",
        "passes": 12,
        "failures": 3,
        "results": {"ok": 12, "refused": 3, "abandoned": 1},
        "timeout_seconds": 1,
        "recorded": {"httpGet": {"path": "/ready", "port": 8080}, "timeoutSeconds": 1},
    })
}

fn failing() -> Value {
    let probe = json!({
        "path": "/app-health/cache/livez",
        "container": "cache",
        "probe": "liveness",
        "check": "tcp :2940",
        "state": "failing",
        "state_seconds": 7384.0,
        "reason": "refused",
        "text": "tcp 10.0.0.7:2940: connection refused",
    });
    with(passing(), probe)
}

/// As long as nobody has asked.
fn unknown() -> Value {
    with(
        passing(),
        json!({"state": "unknown", "state_seconds": null, "reason": null, "passes": 0, "failures": 0}),
    )
}

/// The same object with these members.
fn with(mut object: Value, members: Value) -> Value {
    let Value::Object(members) = members else { panic!("no object: {members}") };
    object.as_object_mut().expect("an object").extend(members);
    object
}
