//! Both scenarios of the documents with real interception: shown, then gone. Each test has a pod
//! and a node of its own, and does all for IPv4 and IPv6. Needs root.
//!
//! | what is seen | where |
//! |---|---|
//! | 1 no sidecar: the probes say how the app is | `story::s1_…` |
//! | 2 strict mTLS: HTTP fails, TCP succeeds though nobody listens | `story::s2_…` |
//! | 3 a permissive listener: HTTP succeeds, TCP is as wrong | `story::s3_…` |
//! | 4 rewritten: the probes say how the app is | `story::s4_…`, other kinds in `probes` |
//! | 5 switched off: as 2 | `story::s5_…` |
//! | 6 who may do what on 15020 | `ports` |
//! | 7 probes are no traffic, and come from the sidecar | `assert_probes_are_no_traffic` and `is_sidecars`, in 4 |
//! | 8 a thousand probes of each kind | `load` |

use std::net::{IpAddr, SocketAddr};

use app_health_tests::kubelet::{Answer, DEFAULT_TIMEOUT, Verdict, tcp};
use app_health_tests::mesh::{Deployment, POD_V4, POD_V6, Sidecar, World};
use app_health_tests::poll::until;

/// The pod component, as Kustomize applies it to the examples.
mod component;
/// The demo, to its end.
mod demo;
/// Nothing that a client sends chooses where a request goes.
mod destination;
/// A pod that ends.
mod drain;
/// The extensions that Istio's own Envoy has.
mod extensions;
/// Who answers before the filter is there, and while it is replaced.
mod fallback;
/// What is left when a test or the demo is interrupted: nothing.
mod interrupted;
/// What is shipped for Istio: drift, variants, what fits together.
mod istio;
/// What the README tells a user to build.
mod kustomizations;
/// Many probes.
mod load;
/// Who may do what on 15020.
mod ports;
/// Probes of the kinds that the documents do not have.
mod probes;
/// The documents' story: before, with a sidecar, and rewritten.
mod story;
/// Clients that do not read.
mod unread;

const FAMILIES: [IpAddr; 2] = [POD_V4, POD_V6];
/// The port of the documents' TCP probe.
const NOBODY: u16 = 2940;
const HTTP: &str = "http-readiness.yaml";
const TCP: &str = "tcp-readiness.yaml";
const OFF: &[&str] = &["--default-rewrite", "false"];

/// An example as the documents have it before their last step: without the annotation.
fn without_annotation(file: &str) -> String {
    let line = "        sidecar.istio.io/rewriteAppHTTPProbers: \"true\"\n";
    let text = Deployment::patient_text(file);
    let (before, after) = text.split_once(line).unwrap_or_else(|| panic!("{file}: no {line}"));
    before.trim_end().trim_end_matches("annotations:").to_owned() + "\n" + after
}

/// The probe of an example that is not rewritten.
fn original(file: &str) -> Deployment {
    Deployment::of(&without_annotation(file), OFF)
}

/// The outcome of the httpGet probe of this Deployment, asked from the node.
fn http(world: &World, deployment: &Deployment, ip: IpAddr) -> std::io::Result<Answer> {
    world.node.run(|| deployment.probe().answer(ip))
}

/// The status of the same, or its error.
fn status(world: &World, deployment: &Deployment, ip: IpAddr) -> Result<u16, String> {
    http(world, deployment, ip).map(|answer| answer.status).map_err(|error| error.to_string())
}

/// The kubelet's verdict on the probe of this Deployment.
fn verdict(world: &World, deployment: &Deployment, ip: IpAddr) -> Verdict {
    world.node.run(|| deployment.probe().ask(ip))
}

/// Whether the node can connect.
fn accepts(world: &World, ip: IpAddr, port: u16) -> bool {
    world.node.run(|| tcp(SocketAddr::new(ip, port), DEFAULT_TIMEOUT).is_ok())
}

/// After probes only: one client comes, and the inbound listener has counted just that.
fn assert_probes_are_no_traffic(world: &World, sidecar: &Sidecar) {
    assert!(accepts(world, POD_V4, NOBODY));
    let counted = || sidecar.stat("listener.inbound.downstream_cx_total");
    until("the client is counted", || counted() > 0);
    assert_eq!(counted(), 1);
}

/// The addresses from which the app may be asked through a sidecar.
fn is_sidecars(peer: IpAddr) -> bool {
    ["127.0.0.6", "::6"].contains(&peer.to_canonical().to_string().as_str())
}
