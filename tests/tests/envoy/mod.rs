//! The contract of port 15020, through the real Envoy with the shipped configuration. Each test has
//! an Envoy of its own, and as many cases as can share it.

use std::time::Duration;

/// What the app answers, and what the kubelet then gets.
mod answers;
/// Clients that are no kubelet.
mod clients;
/// Nothing that a client sends chooses where a request goes.
pub mod destination;
/// Each probe makes a connection of its own.
mod dials;
/// How the answers are judged.
mod expected;
/// Probes of the kind grpc.
mod grpc;
mod grpc_content;
/// Lifecycle hooks.
mod hooks;
mod http2;
/// HTTPS apps.
mod https;
/// Pods with IPv6, alone or beside IPv4.
mod ipv6;
/// The metrics behind the rules of Istio's bootstrap.
mod istio_stats;
/// One line where a probe changes.
mod log;
/// What is counted.
mod metrics;
/// Envoy at its limits, and the port at its own.
mod overload;
/// The status page.
mod page;
/// `app-health-agent probe`: who is at fault.
mod probe;
/// Reasons and their statuses, in both forms.
mod reasons;
/// Redirects, followed and not.
mod redirects;
/// What the app gets to see.
mod request;
/// Everything else on the status port.
mod routes;
/// Ten thousand connections that say nothing.
mod silent;
/// How `app-health-agent status` shows it.
mod status;
/// Probes of the kind tcpSocket, and the agent.
mod tcp;
/// Time.
mod timeouts;
/// Clients that do not read their answers.
mod unread;
/// Variables that are not as they should be.
mod variable;

const SECOND: Duration = Duration::from_secs(1);
