//! What a check comes to, and what the kubelet is told: the app's own status, or why there is none.

use std::borrow::Cow;

use app_health_webhook::handler::HandlerKind;
use app_health_webhook::reason::{Reason, StatusCodes};

/// What a check comes to. A text is one line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The app has answered with this status.
    Answered(u16),
    /// The app has not answered, or its answer is not valid.
    Failed { reason: Reason, text: Cow<'static, str> },
    /// The check was not made, so that nothing is known of the app.
    NotMade { reason: Reason, text: Cow<'static, str> },
    /// The request is none for a recorded probe. It has no reason.
    Declined { status: u16, text: Cow<'static, str> },
    /// The client went away before there was an answer, and before its time was over, so that nothing is known
    /// of the app.
    Abandoned,
}

impl Outcome {
    pub fn failed(reason: Reason, text: impl Into<Cow<'static, str>>) -> Self {
        Self::Failed { reason, text: text.into() }
    }

    pub fn not_made(reason: Reason, text: impl Into<Cow<'static, str>>) -> Self {
        Self::NotMade { reason, text: text.into() }
    }

    pub fn declined(status: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self::Declined { status, text: text.into() }
    }

    /// The check was not done in time.
    pub fn timeout() -> Self {
        Self::failed(Reason::Timeout, "not done within the probe's timeout")
    }

    /// The status that the client is told, or 0 where the client has gone.
    pub fn status(&self, handler: HandlerKind, codes: StatusCodes) -> u16 {
        match self {
            Self::Answered(status) | Self::Declined { status, .. } => *status,
            Self::Failed { reason, .. } | Self::NotMade { reason, .. } => {
                reason.status(handler, codes).unwrap_or(500)
            }
            Self::Abandoned => 0,
        }
    }

    /// Why the answer is not the app's own.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Failed { reason, .. } | Self::NotMade { reason, .. } => Some(*reason),
            Self::Answered(_) | Self::Declined { .. } | Self::Abandoned => None,
        }
    }

    /// The `result` that is counted; `None` for a request that asks for no recorded probe.
    pub fn result(&self, hook: bool) -> Option<Reason> {
        match self {
            Self::Failed { reason, .. } | Self::NotMade { reason, .. } => Some(*reason),
            Self::Answered(_) if self.passes(hook) == Some(true) => Some(Reason::Ok),
            Self::Answered(_) => Some(Reason::Status),
            Self::Abandoned => Some(Reason::Abandoned),
            Self::Declined { .. } => None,
        }
    }

    /// The body of the answer, which says so to people.
    pub fn text(&self) -> &str {
        match self {
            Self::Failed { text, .. }
            | Self::NotMade { text, .. }
            | Self::Declined { text, .. } => text,
            Self::Answered(_) | Self::Abandoned => "",
        }
    }

    /// The same outcome, which also says what was tried.
    pub fn of_trying(mut self, tried: &str) -> Self {
        if let Self::Failed { text, .. } | Self::NotMade { text, .. } = &mut self {
            *text = [tried, ": ", text].concat().into();
        }
        self
    }

    /// Whether the probe or hook passes, as the kubelet sees it; `None` where nothing is known of the app.
    pub fn passes(&self, hook: bool) -> Option<bool> {
        match self {
            Self::Answered(status) => Some(hook || (200..400).contains(status)),
            Self::Failed { .. } => Some(false),
            Self::NotMade { .. } | Self::Declined { .. } | Self::Abandoned => None,
        }
    }
}

/// The `response.code_details` of an answer that came from the app.
pub const VIA_UPSTREAM: &[u8] = b"via_upstream";

/// The outcome where Envoy has made a local reply, by its `response.code_details`.
pub fn of_details(details: &str) -> Outcome {
    if details == "response_timeout" {
        return Outcome::timeout();
    }
    if details.starts_with("upstream_reset_after_response_started") {
        let text = "the app's answer broke off within its first 10240 bytes";
        return Outcome::failed(Reason::Broken, text);
    }
    let reset = details.strip_prefix("upstream_reset_before_response_started{");
    match reset.and_then(|reset| reset.strip_suffix('}')) {
        Some(reset) => {
            let (event, cause) = reset.split_once('|').unwrap_or((reset, ""));
            of_reset(&readable(event), &readable(cause))
        }
        None => Outcome::failed(Reason::Proxy, with_cause("Envoy", details)),
    }
}

/// The outcome where Envoy has reset the request to the app, by its words for that and for the cause.
fn of_reset(event: &str, cause: &str) -> Outcome {
    let because = |reason, what| Outcome::failed(reason, with_cause(what, cause));
    let of_system = after(cause, "connect error: ").unwrap_or(cause);
    match event {
        _ if contains(cause, "TLS error") => because(Reason::Tls, "TLS"),
        "protocol error" => because(Reason::Invalid, "not a valid HTTP answer"),
        "connection termination" | "remote reset" | "remote refused stream reset" => {
            Outcome::failed(Reason::Reset, "connection closed before an answer")
        }
        DIAL_TIMED_OUT => Outcome::timeout(),
        // Where Envoy hides the cause, nearly always nobody listens: the address is the pod's own.
        "remote connection failure" => match of_system {
            "" => Outcome::failed(Reason::Refused, "connection failure"),
            "Connection refused" => refused(),
            "Connection reset by peer" => {
                Outcome::failed(Reason::Reset, "connection reset by peer")
            }
            "Cannot assign requested address" => because(Reason::Proxy, "Envoy"),
            _ => Outcome::failed(Reason::Unreachable, with_cause("no connection", of_system)),
        },
        _ => Outcome::failed(Reason::Proxy, with_cause(&["Envoy: ", event].concat(), cause)),
    }
}

/// The outcome where nobody listens.
pub fn refused() -> Outcome {
    Outcome::failed(Reason::Refused, "connection refused")
}

/// The outcome where Envoy has sent the client an answer past all filters, by the `response.code` that
/// it has sent (0: none).
pub fn of_envoy(sent: u16, details: &[u8], is_hook: bool) -> Outcome {
    // A request for an upgrade never ends, so that Envoy's own limit of a request ends it.
    let ends_request = details.starts_with(b"downstream_") || details == b"request_overall_timeout";
    match sent {
        0 => Outcome::Abandoned,
        _ if ends_request => Outcome::Abandoned,
        // The app's body broke off or stalled, and `local_reply_config` has given the status.
        status if is_hook => Outcome::Answered(status),
        _ => of_details(&String::from_utf8_lossy(details)),
    }
}

/// Envoy's word for a dial that the cluster's `connect_timeout` has ended.
pub const DIAL_TIMED_OUT: &str = "connection timeout";

/// The outcome where Envoy has answered a dispatched call itself. With a gRPC Content-Type that answer
/// has the status 200, so that only its text says what happened.
pub fn of_call_failure(status: &[u8], text: &str) -> Outcome {
    if status == b"504" || contains(text, "upstream request timeout") {
        return Outcome::timeout();
    }
    match after(text, "reset reason: ").map(readable) {
        None if status == b"502" => of_reset("protocol error", ""),
        None => Outcome::failed(Reason::Proxy, with_cause("Envoy", text)),
        Some(reset) => {
            let (event, cause) =
                divide(&reset, ", transport failure reason: ").unwrap_or((&reset, ""));
            of_reset(event, cause)
        }
    }
}

/// The outcome where the app has answered, by its `:status`. For a hook any answer is a success.
pub fn of_status(status: &[u8], hook: bool) -> Outcome {
    let number = parse_status(status);
    match number {
        200..=599 => Outcome::Answered(number),
        // To Go's client a status of another length is no HTTP answer.
        100..1000 if hook => Outcome::Answered(200),
        _ => {
            let number = u32::from(number).to_string();
            let text = ["the app answered with the status ", &number].concat();
            Outcome::failed(Reason::Invalid, text)
        }
    }
}

/// Whether `word` is in `text`. str::contains would add 3 KB to the .wasm.
pub fn contains(text: &str, word: &str) -> bool {
    divide(text, word).is_some()
}

fn after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    divide(text, word).map(|(_, after)| after)
}

/// What is before `word` in `text`, and what is after it.
fn divide<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let mut windows = text.as_bytes().windows(word.len());
    let at = windows.position(|window| window == word.as_bytes())?;
    Some((text.get(..at)?, text.get(at + word.len()..)?))
}

/// Reads a `:status`; one that is no number is 0.
pub fn parse_status(status: &[u8]) -> u16 {
    std::str::from_utf8(status).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Joins what went wrong with its cause, if that is known.
pub fn with_cause(what: &str, cause: &str) -> String {
    if cause.is_empty() { what.to_owned() } else { [what, ": ", &readable(cause)].concat() }
}

/// Makes one line of a text: without Envoy's underscores, and of 200 characters at most.
pub fn readable(text: &str) -> String {
    let plain = |c: char| if c == '_' || c.is_control() { ' ' } else { c };
    text.chars().take(200).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(outcome: &Outcome) -> (&str, &str) {
        (outcome.reason().map_or("", Reason::as_str), outcome.text())
    }

    #[test]
    fn replies_of_envoy() {
        for (details, reason, text) in [
            ("response_timeout", "timeout", "not done within the probe's timeout"),
            (
                "upstream_reset_after_response_started{connection_termination}",
                "broken",
                "the app's answer broke off within its first 10240 bytes",
            ),
            (
                "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}",
                "refused",
                "connection refused",
            ),
            (
                "upstream_reset_before_response_started{remote_connection_failure|immediate_connect_error:_Network_is_unreachable}",
                "unreachable",
                "no connection: Network is unreachable",
            ),
            (
                "upstream_reset_before_response_started{remote_connection_failure|immediate_connect_error:_Cannot_assign_requested_address}",
                "proxy",
                "Envoy: immediate connect error: Cannot assign requested address",
            ),
            (
                "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_reset_by_peer}",
                "reset",
                "connection reset by peer",
            ),
            (
                "upstream_reset_before_response_started{local_connection_failure|failed_to_bind_to_[::6]:0:_Cannot_assign}",
                "proxy",
                "Envoy: local connection failure: failed to bind to [::6]:0: Cannot assign",
            ),
            (
                "upstream_reset_before_response_started{connection_termination}",
                "reset",
                "connection closed before an answer",
            ),
            (
                "upstream_reset_before_response_started{remote_reset}",
                "reset",
                "connection closed before an answer",
            ),
            (
                "upstream_reset_before_response_started{protocol_error}",
                "invalid",
                "not a valid HTTP answer",
            ),
            (
                "upstream_reset_before_response_started{remote_connection_failure|TLS_error:|33554536:WRONG_VERSION_NUMBER}",
                "tls",
                "TLS: TLS error:|33554536:WRONG VERSION NUMBER",
            ),
            (
                "upstream_reset_before_response_started{connection_timeout}",
                "timeout",
                "not done within the probe's timeout",
            ),
            ("upstream_reset_before_response_started{overflow}", "proxy", "Envoy: overflow"),
            ("no_healthy_upstream", "proxy", "Envoy: no healthy upstream"),
            ("", "proxy", "Envoy"),
        ] {
            assert_eq!(of(&of_details(details)), (reason, text), "{details}");
        }
    }

    #[test]
    fn replies_of_envoy_to_calls() {
        for (status, text, reason, line) in [
            ("504", "upstream request timeout", "timeout", "not done within the probe's timeout"),
            ("200", "upstream request timeout", "timeout", "not done within the probe's timeout"),
            (
                "503",
                "reset reason: connection timeout",
                "timeout",
                "not done within the probe's timeout",
            ),
            ("502", "", "invalid", "not a valid HTTP answer"),
            ("200", "x. reset reason: protocol error", "invalid", "not a valid HTTP answer"),
            ("503", "reset reason: remote connection failure", "refused", "connection failure"),
            (
                "503",
                "reset reason: remote connection failure, transport failure reason: delayed connect error: Connection refused",
                "refused",
                "connection refused",
            ),
            (
                "503",
                "reset reason: remote connection failure, transport failure reason: TLS_error:|1:X",
                "tls",
                "TLS: TLS error:|1:X",
            ),
            (
                "503",
                "reset reason: connection termination",
                "reset",
                "connection closed before an answer",
            ),
            ("503", "reset reason: overflow", "proxy", "Envoy: overflow"),
            ("503", "no healthy upstream", "proxy", "Envoy: no healthy upstream"),
        ] {
            assert_eq!(of(&of_call_failure(status.as_bytes(), text)), (reason, line), "{text}");
        }
    }

    #[test]
    fn statuses_of_apps() {
        for (status, probe, hook) in [
            ("200", Some(200), Some(200)),
            ("302", Some(302), Some(302)),
            ("404", Some(404), Some(404)),
            ("599", Some(599), Some(599)),
            ("600", None, Some(200)),
            ("999", None, Some(200)),
            ("101", None, Some(200)),
            ("199", None, Some(200)),
            ("99", None, None),
            ("1000", None, None),
            ("0", None, None),
            ("", None, None),
            ("2x0", None, None),
        ] {
            for (is_hook, expected) in [(false, probe), (true, hook)] {
                let outcome = of_status(status.as_bytes(), is_hook);
                match expected {
                    Some(status) => assert_eq!(outcome, Outcome::Answered(status)),
                    None => assert_eq!(outcome.reason(), Some(Reason::Invalid), "{status}"),
                }
            }
        }
    }
}
