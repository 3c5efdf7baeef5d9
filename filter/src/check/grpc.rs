//! The handler `grpc`: a dispatched health check, and what its answer means.

use std::mem;
use std::rc::Rc;
use std::time::Duration;

use app_health_webhook::protobuf::serving_status;
use app_health_webhook::reason::Reason;

use super::probe_request::ProbeRequest;
use super::step::{Command, Event, Facts, GrpcCall, Step};
use crate::outcome::{Outcome, of_details, with_cause};
use crate::table::GrpcAction;

/// A `grpc` check under way.
pub struct GrpcCheck {
    action: Rc<GrpcAction>,
    /// How often a connection that the app had closed was made anew.
    dialled_again: u8,
    /// Whether a call that Envoy cut off was made anew.
    cut_off: bool,
}

impl GrpcCheck {
    pub fn start(action: Rc<GrpcAction>, probe: &ProbeRequest) -> (Self, Step) {
        let grpc = Self { action, dialled_again: 0, cut_off: false };
        let step = grpc.dispatch(probe, probe.started).into();
        (grpc, step)
    }

    pub fn on(&mut self, event: Event, probe: &ProbeRequest, facts: &dyn Facts) -> Step {
        match event {
            Event::Accepted(false) => {
                Step::End(Outcome::failed(Reason::Proxy, "the check cannot be sent"))
            }
            Event::GrpcCallResponse { code, message } => self.called(code, &message, probe, facts),
            event => event.unawaited(),
        }
    }

    fn dispatch(&self, probe: &ProbeRequest, now: Duration) -> Result<Command, Outcome> {
        let settings = &probe.config.settings;
        let cluster =
            if self.action.tls { &settings.grpc_tls_cluster } else { &settings.grpc_cluster };
        Ok(Command::GrpcCall(GrpcCall {
            cluster: cluster.clone(),
            destination: probe.pod.at(self.action.port),
            user_agent: probe.client.get("user-agent").map(<[u8]>::to_vec),
            service: self.action.service.clone(),
            timeout: probe.begin_call(now)?,
        }))
    }

    fn called(
        &mut self,
        code: u32,
        message: &[u8],
        probe: &ProbeRequest,
        facts: &dyn Facts,
    ) -> Step {
        if code == 0 {
            return Step::End(of_message(message));
        }
        let text = String::from_utf8_lossy(message);
        let now = facts.now();
        if ConnectionFailure::of(code, &text)
            .is_some_and(|failure| self.may_call_again(failure, probe, now))
        {
            return self.dispatch(probe, now).into();
        }
        // An app that keeps the call's deadline ends the call at that time, too.
        let late = probe.is_over(now);
        Step::End(if late { Outcome::timeout() } else { of_status(code, &text) })
    }

    /// Whether a call is made anew: always while there is time where `connect_timeout` ended the dial,
    /// as often as the kubelet's client would dial where the connection was closed, and once where the
    /// cluster may be a new one.
    fn may_call_again(
        &mut self,
        failure: ConnectionFailure,
        probe: &ProbeRequest,
        now: Duration,
    ) -> bool {
        match failure {
            ConnectionFailure::DialTimedOut => probe.may_dial_again(now),
            ConnectionFailure::Closed => {
                self.dialled_again = self.dialled_again.saturating_add(1);
                self.dialled_again <= dials_again(probe.entry.timeout())
            }
            ConnectionFailure::CutOff => !mem::replace(&mut self.cut_off, true),
        }
    }
}

/// How often the kubelet's client dials again within this time if the app closes the connection: after
/// 1 s, then each time after 1.6 times as long as before (gRPC's connection backoff). The filter dials
/// again at once, since it has no timer.
fn dials_again(limit: Duration) -> u8 {
    let (mut dials, mut pause, mut at) = (0, 1000, 1000);
    while at < limit.as_millis() && pause < 120_000 {
        dials += 1;
        pause = pause * 8 / 5;
        at += pause;
    }
    dials
}

/// The outcome of a call that was answered, by its message, as the kubelet's gRPC prober has it.
fn of_message(message: &[u8]) -> Outcome {
    match serving_status(message) {
        Some(1) => Outcome::Answered(200),
        Some(2) => Outcome::failed(Reason::NotServing, "NOT_SERVING"),
        Some(3) => Outcome::failed(Reason::NotServing, "SERVICE_UNKNOWN"),
        Some(_) => Outcome::failed(Reason::NotServing, "UNKNOWN"),
        None => Outcome::failed(Reason::Invalid, "not a health check's answer"),
    }
}

/// The outcome of a call with a gRPC status other than OK.
fn of_status(code: u32, text: &str) -> Outcome {
    // Envoy appends to a message, and replaces an empty one.
    let of_app = match text {
        VIA_UPSTREAM => Some(""),
        text => text.strip_suffix(OF_APP),
    };
    let detail =
        |what: &str| Outcome::failed(Reason::NotServing, with_cause(what, of_app.unwrap_or(text)));
    match code {
        4 => Outcome::timeout(),
        5 => detail("service unknown"),
        8 => detail("resource exhausted, or an answer of more than 4 MiB"),
        12 => detail("health service not implemented"),
        14 if of_app.is_none() => {
            unavailable_by_envoy(text).unwrap_or_else(|| detail("unavailable"))
        }
        14 => detail("unavailable"),
        code => detail(&["status ", &code.to_string()].concat()),
    }
}

/// Envoy appends `response.code_details` in braces to each status message.
const OF_APP: &str = "{via_upstream}";
const VIA_UPSTREAM: &str = "via_upstream";
const DIAL_TIMED_OUT: &str = "{upstream_reset_before_response_started{connection_timeout}}";
const CLOSED: &str = "{upstream_reset_before_response_started{connection_termination}}";

/// Why a call did not get to the app, where it may be made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConnectionFailure {
    /// The cluster's `connect_timeout` ended the dial.
    DialTimedOut,
    /// The connection was closed before an answer.
    Closed,
    /// Envoy has cut off the call, as it does where a push changes the cluster. An answer that breaks off
    /// looks the same, and so does one that says OK and has no message.
    CutOff,
}

impl ConnectionFailure {
    /// `None` for all other failures. The message of an app never ends so, as Envoy appends to it.
    fn of(code: u32, status_message: &str) -> Option<Self> {
        match code {
            14 if status_message.ends_with(DIAL_TIMED_OUT) => Some(Self::DialTimedOut),
            14 if status_message.ends_with(CLOSED) => Some(Self::Closed),
            13 if status_message.is_empty() => Some(Self::CutOff),
            _ => None,
        }
    }
}

/// Where `word` stands in `text` for the last time. str::rfind would add 2 KB to the .wasm.
fn last(text: &str, word: &str) -> Option<usize> {
    text.as_bytes().windows(word.len()).rposition(|window| window == word.as_bytes())
}

/// The outcome where the status UNAVAILABLE is Envoy's own, as it also is after the deadline.
fn unavailable_by_envoy(status_message: &str) -> Option<Outcome> {
    let inner = status_message.strip_suffix('}')?;
    // The details may hold one pair of braces themselves.
    let details = match inner.strip_suffix('}') {
        Some(nested) => inner.get(last(nested, "{upstream_reset")? + 1..)?,
        None => inner.get(last(inner, "{")? + 1..)?,
    };
    Some(of_details(details))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(outcome: &Outcome) -> (&str, &str) {
        (outcome.reason().map_or("", Reason::as_str), outcome.text())
    }

    #[test]
    fn answers() {
        for (code, message, reason) in [
            (0, &b"\x08\x01"[..], ""),
            (0, b"\x08\x02", "not_serving"),
            (0, b"", "not_serving"),
            (0, b"\x08\x03", "not_serving"),
            (0, b"\x08\x02\x08\x01", ""),
            (0, b"\x08\x01\x08\x02", "not_serving"),
            // Unknown fields of every wire type.
            (0, b"\x10\x05\x1a\x01x\x21AAAAAAAA\x2dBBBB\x08\x01", ""),
            (0, b"\x08", "invalid"),
            (0, b"\x0a\x05x", "invalid"),
            (0, b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "invalid"),
            (0, b"\x0b", "invalid"),
            (0, b"garbage", "invalid"),
            (2, b"\x08\x01", "not_serving"),
            (4, b"", "timeout"),
            (5, b"", "not_serving"),
            (12, b"", "not_serving"),
            (14, b"", "not_serving"),
        ] {
            let outcome = if code == 0 { of_message(message) } else { of_status(code, "") };
            assert_eq!(of(&outcome).0, reason, "{code} {message:?}");
            assert_eq!(outcome == Outcome::Answered(200), reason.is_empty(), "{code} {message:?}");
        }
        let outcome = of_status(14, "Connection_refused");
        assert_eq!(outcome.text(), "unavailable: Connection refused");
    }

    #[test]
    fn envoys_own_statuses() {
        const REFUSED: &str = "upstream connect error or disconnect/reset before headers. reset \
            reason: remote connection failure{upstream_reset_before_response_started{\
            remote_connection_failure|delayed_connect_error:_Connection_refused}}";
        for (message, reason, text) in [
            (
                "upstream request timeout{response_timeout}",
                "timeout",
                "not done within the probe's timeout",
            ),
            (REFUSED, "refused", "connection refused"),
            ("too {much{via_upstream}", "not_serving", "unavailable: too {much"),
            ("via_upstream", "not_serving", "unavailable"),
            (
                "upstream {response_timeout}{via_upstream}",
                "not_serving",
                "unavailable: upstream {response timeout}",
            ),
            ("no braces", "not_serving", "unavailable: no braces"),
            ("}", "not_serving", "unavailable: }"),
            ("}}", "not_serving", "unavailable: }}"),
        ] {
            assert_eq!(of(&of_status(14, message)), (reason, text));
        }
    }

    #[test]
    fn connection_failures() {
        let timed_out = ["reset reason: connection timeout", DIAL_TIMED_OUT].concat();
        for (code, message, undelivered) in [
            (14, timed_out.clone(), Some(ConnectionFailure::DialTimedOut)),
            (14, CLOSED.to_owned(), Some(ConnectionFailure::Closed)),
            (13, String::new(), Some(ConnectionFailure::CutOff)),
            (14, [&timed_out, OF_APP].concat(), None),
            (13, timed_out, None),
            (14, String::new(), None),
        ] {
            assert_eq!(ConnectionFailure::of(code, &message), undelivered, "{code} {message}");
        }
    }

    #[test]
    fn dials_as_often_as_the_kubelets_client() {
        for (seconds, dials) in
            [(0, 0), (1, 0), (2, 1), (3, 2), (5, 2), (6, 3), (60, 7), (3600, 11)]
        {
            assert_eq!(dials_again(Duration::from_secs(seconds)), dials, "{seconds}");
        }
    }
}
