//! `app-health-agent probe`, run as a user runs it, against a server of the test's own that is page and
//! status port, and apps on ports of this machine.
//!
//! | module | what it shows |
//! |---|---|
//! | [`faults`] | whose the fault is: nobody's, the app's, the redirection's, the agent's, the configuration's |
//! | [`requests`] | what status port and app are asked; headers that the page hides |
//! | [`protocols`] | each handler and protocol |
//! | [`refused`] | what is not asked: unknown probes, hooks, no page |

mod faults;
mod protocols;
mod refused;
mod requests;

use std::net::SocketAddr;
use std::process::Command;

use app_health_tests::app::{Http, Request, Script, V4};
use app_health_tests::process::{self, Run};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_app-health-agent");
const PAGE: &str = "/app-health/";
const READYZ: &str = "/app-health/web/readyz";

/// On a page that is of this machine.
fn command(addr: SocketAddr, args: &str) -> Command {
    let mut command = forwarded(addr, args);
    command.arg("--local");
    command
}

/// On a page that may be another machine's.
fn forwarded(addr: SocketAddr, args: &str) -> Command {
    let mut command = process::command(BINARY);
    command.args(["probe", "--url", &format!("http://{addr}{PAGE}")]);
    command.args(args.split_whitespace());
    command
}

/// Runs `probe` with further arguments, separated by spaces.
fn probe(server: &Http, args: &str) -> Run {
    process::run(&mut command(server.addr(), args), "")
}

/// What `probe web/readyz` finds, and its exit code.
fn found(server: &Http) -> (Value, i32) {
    let run = probe(server, "web/readyz -o json");
    let value: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| {
        panic!("{error}: {:?} {:?}", run.stdout, run.stderr);
    });
    (value["probes"][0].clone(), run.exit)
}

/// A page, and on every other path this.
fn pod(page: Value, answer: impl Fn(&Request) -> Script + Send + Sync + 'static) -> Http {
    Http::start(V4, move |request| match &request.target[..] {
        PAGE => body(200, "", &page.to_string()),
        _ => answer(request),
    })
}

/// Whose readiness probe is recorded so, and answered so.
fn readiness(recorded: Value, answer: Script) -> Http {
    pod(page(&[entry(READYZ, recorded)]), move |_| answer.clone())
}

/// An answer of this status, with more lines of headers.
fn body(status: u16, headers: &str, body: &str) -> Script {
    let length = body.len();
    Script::raw(format!("HTTP/1.1 {status} S\r\n{headers}Content-Length: {length}\r\n\r\n{body}"))
}

/// The filter's own answer for this reason.
fn because(status: u16, reason: &str, text: &str) -> Script {
    body(status, &format!("x-app-health-reason: {reason}\r\n"), &format!("{text}\n"))
}

/// The page of a pod on this machine.
fn page(probes: &[Value]) -> Value {
    json!({"version": 1, "address": "127.0.0.1", "errors": [], "probes": probes})
}

fn entry(path: &str, recorded: Value) -> Value {
    json!({
        "path": path,
        "container": "web",
        "probe": "readiness",
        "check": "the check",
        "state": "unknown",
        "state_seconds": null,
        "reason": null,
        "text": "",
        "passes": 0,
        "failures": 0,
        "results": {},
        "timeout_seconds": 10,
        "recorded": recorded,
    })
}

fn http(app: SocketAddr) -> Value {
    json!({"httpGet": {"port": app.port()}})
}

/// The same object with this member.
fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}
