//! The contract of port 15020, row by row, against the filter's real `.wasm`.
//!
//! A test records an entry, lets the app do something, and asserts what the kubelet is told.

mod answers;
mod arbitrary_input;
mod clock;
mod grpc;
mod grpc_content_type;
mod hooks;
mod hops;
mod log;
mod metrics;
mod page;
mod paths;
mod reasons;
mod redirects;
mod request;
mod start;
mod tcp;
mod tcp_by_envoy;
mod timeouts;
mod upgrade;

use crate::host::app::App;
use crate::host::callout::Callout;
use crate::host::run::{ProbeRun, UpstreamRequest, Via};
use crate::host::{DownstreamRequest, Host};

const READYZ: &str = "/app-health/app/readyz";
const PRESTOPZ: &str = "/app-lifecycle/app/prestopz";

/// The kubelet's request for a probe.
fn get(path: impl AsRef<[u8]>) -> DownstreamRequest {
    DownstreamRequest::get(path)
}

/// Runs a readiness probe with this entry.
fn probe(entry: &str, app: impl FnMut(&UpstreamRequest) -> App) -> ProbeRun {
    host(entry).run(get(READYZ), app)
}

/// Runs a preStop hook with this entry.
fn hook(entry: &str, app: impl FnMut(&UpstreamRequest) -> App) -> ProbeRun {
    host(entry).run(get(PRESTOPZ), app)
}

/// The only request that the app gets for this entry.
fn first(entry: &str, request: DownstreamRequest) -> UpstreamRequest {
    first_of(&mut host(entry), request)
}

fn first_of(host: &mut Host, request: DownstreamRequest) -> UpstreamRequest {
    let probe = host.run(request, |_| App::answers(200));
    assert_eq!(probe.sent.len(), 1, "{probe:#?}");
    probe.sent[0].clone()
}

/// Runs a probe whose first request is redirected to this Location; all others are answered 204.
fn redirected(entry: &str, location: &[u8]) -> ProbeRun {
    redirected_of(&mut host(entry), get(READYZ), location)
}

fn redirected_of(host: &mut Host, request: DownstreamRequest, location: &[u8]) -> ProbeRun {
    host.run(request, |sent| match sent.via {
        Via::Router => App::redirects(302, location).text("moved"),
        _ => App::answers(204),
    })
}

/// Starts the filter with this entry for a readiness probe, a preStop hook and a postStart hook.
fn host(entry: &str) -> Host {
    Host::with_probers(variable(entry))
}

/// A dispatched call that has not been answered.
fn call(host: &Host) -> &Callout {
    host.state().callouts.values().next().expect("a call")
}

fn variable(entry: &str) -> String {
    format!(
        r#"{{"{READYZ}":{entry},"{PRESTOPZ}":{entry},"/app-lifecycle/app/poststartz":{entry}}}"#
    )
}

const HTTP: &str = r#"{"httpGet":{"port":8080}}"#;
const HTTPS: &str = r#"{"httpGet":{"port":8080,"scheme":"HTTPS"}}"#;
const HTTP2: &str = r#"{"httpGet":{"port":8080,"protocol":"HTTP2"}}"#;

/// Bytes that HTTP allows and that are no UTF-8.
const NO_TEXT: &[u8] = b"a\xff\xc3";

/// The answer is the app's status, and nothing else of the app's answer.
#[track_caller]
fn assert_status(name: &str, probe: &ProbeRun, status: u16) {
    assert_eq!((probe.status(), probe.reason().as_str()), (status, ""), "{name}: {probe:#?}");
    let headers = &probe.response().expect("an answer").headers;
    let known = [":status", "content-length", "content-type"];
    let leaked =
        headers.pairs().iter().filter(|(name, _)| !known.iter().any(|k| k.as_bytes() == name));
    assert_eq!(leaked.count(), 0, "{name}: of the app's headers nothing is passed on: {headers:?}");
}

/// The answer is a failure, with a reason of one line that contains `why`.
#[track_caller]
fn assert_failure(name: &str, probe: &ProbeRun, status: u16, why: &str) {
    let reason = probe.reason();
    assert_eq!(probe.status(), status, "{name}: {probe:#?}");
    let one_line = !reason.is_empty() && !reason.trim_end().contains(|c: char| c.is_control());
    assert!(one_line, "{name}: one line of text: {reason:?}");
    assert!(
        reason.to_lowercase().contains(&why.to_lowercase()),
        "{name}: {reason:?} has no {why:?}"
    );
}

/// An app that must not be asked.
fn unasked(sent: &UpstreamRequest) -> App {
    panic!("asked {} {sent:?}", sent.url())
}
