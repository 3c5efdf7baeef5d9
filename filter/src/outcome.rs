//! What a check comes to, and what the kubelet is told: the app's own status, or why there is none.

use std::borrow::Cow;

/// What a check comes to. A reason is one line of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The app has answered with this status.
    Answered(u16),
    /// The app has not answered, or its answer is not valid. The kubelet is told this status.
    Failed { status: u16, reason: Cow<'static, str> },
    /// The check was not made, so that nothing is known of the app. The client is told this status.
    Declined { status: u16, reason: Cow<'static, str> },
    /// The client went away before there was an answer, so that nothing is known of the app.
    Abandoned,
}

impl Outcome {
    pub fn failed(status: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Failed { status, reason: reason.into() }
    }

    pub fn declined(status: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Declined { status, reason: reason.into() }
    }

    /// The app was not reached, or the probe cannot be sent.
    pub fn unreached(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::failed(500, reason)
    }

    /// What the app sent is no valid answer.
    pub fn invalid(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::failed(502, reason)
    }

    /// The check was not done in time.
    pub fn timeout() -> Self {
        Self::failed(504, "not done within the probe's timeout")
    }

    /// The status that the client is told, or 0 where the client has gone.
    pub fn status(&self) -> u16 {
        match self {
            Self::Answered(status)
            | Self::Failed { status, .. }
            | Self::Declined { status, .. } => *status,
            Self::Abandoned => 0,
        }
    }

    /// The body of the answer, which says why the status is not the app's own.
    pub fn reason(&self) -> &str {
        match self {
            Self::Failed { reason, .. } | Self::Declined { reason, .. } => reason,
            Self::Answered(_) | Self::Abandoned => "",
        }
    }

    /// Whether the probe or hook passes, as the kubelet sees it; `None` where nothing is known of the app.
    pub fn passes(&self, hook: bool) -> Option<bool> {
        match self {
            Self::Answered(status) => Some(hook || (200..400).contains(status)),
            Self::Failed { .. } => Some(false),
            Self::Declined { .. } | Self::Abandoned => None,
        }
    }
}

/// The `response.code_details` of an answer that came from the app.
pub const VIA_UPSTREAM: &[u8] = b"via_upstream";

/// The outcome where Envoy has made a local reply, by its `response.code_details`.
pub fn of_details(details: &str) -> Outcome {
    let reset = |prefix| details.strip_prefix(prefix).and_then(|rest| rest.strip_suffix('}'));
    if details == "response_timeout" {
        return Outcome::timeout();
    }
    if details.starts_with("upstream_reset_after_response_started") {
        return Outcome::invalid("the app's answer broke off within its first 10240 bytes");
    }
    let Some(reset) = reset("upstream_reset_before_response_started{") else {
        return Outcome::unreached(with_cause("Envoy", details));
    };
    let (event, cause) = reset.split_once('|').unwrap_or((reset, ""));
    match event {
        _ if contains(cause, "TLS_error") => Outcome::invalid(with_cause("TLS", cause)),
        "protocol_error" => Outcome::invalid(with_cause("not a valid HTTP answer", cause)),
        "connection_termination" => Outcome::unreached("connection closed before an answer"),
        "connection_timeout" => Outcome::timeout(),
        "remote_connection_failure" | "local_connection_failure" => {
            Outcome::unreached(with_cause("no connection", cause))
        }
        _ => Outcome::unreached(with_cause("Envoy", reset)),
    }
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
        status => {
            let of_details = of_details(&String::from_utf8_lossy(details));
            Outcome::failed(status, of_details.reason().to_owned())
        }
    }
}

/// Why Envoy could not connect in a TCP check that it makes, or `None` where it could. A connection that
/// was reset counts as made: before the handshake it would have been refused.
pub fn why_not_connected(details: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(details);
    if details == VIA_UPSTREAM || contains(&text, "Connection_reset_by_peer") {
        return None;
    }
    let outcome = of_details(&text);
    let reason = outcome.reason();
    let of_system = after(reason, "connect error: ");
    Some(
        if outcome == Outcome::timeout() { NO_CONNECTION } else { of_system.unwrap_or(reason) }
            .to_owned(),
    )
}

/// The agent gives the same reason.
const NO_CONNECTION: &str = "no connection within the probe's timeout";

/// Envoy's text of a dispatched call holds this where the cluster's `connect_timeout` has ended the dial.
pub const DIAL_TIMED_OUT: &str = "connection timeout";

/// The outcome where Envoy has answered a dispatched call itself. With a gRPC Content-Type that answer
/// has the status 200, so that only its text says what happened.
pub fn of_call_failure(status: &[u8], text: &str) -> Outcome {
    let cause = after(text, "reset reason: ").unwrap_or(text);
    match status {
        b"504" => Outcome::timeout(),
        b"502" => Outcome::invalid("not a valid HTTP answer"),
        _ if contains(text, "upstream request timeout") || contains(text, DIAL_TIMED_OUT) => {
            Outcome::timeout()
        }
        _ if contains(text, "TLS_error") => Outcome::invalid(with_cause("TLS", cause)),
        _ if contains(text, "protocol error") => Outcome::invalid("not a valid HTTP answer"),
        _ => Outcome::unreached(with_cause("no answer", cause)),
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
            Outcome::invalid(["the app answered with the status ", &number].concat())
        }
    }
}

/// Whether `word` is in `text`. str::contains would add 3 KB to the .wasm.
pub fn contains(text: &str, word: &str) -> bool {
    after(text, word).is_some()
}

fn after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let mut windows = text.as_bytes().windows(word.len());
    let at = windows.position(|window| window == word.as_bytes())?;
    text.get(at + word.len()..)
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
fn readable(text: &str) -> String {
    let plain = |c: char| if c == '_' || c.is_control() { ' ' } else { c };
    text.chars().take(200).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_envoy() {
        for (details, status, reason) in [
            ("response_timeout", 504, "not done within the probe's timeout"),
            (
                "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}",
                500,
                "no connection: delayed connect error: Connection refused",
            ),
            (
                "upstream_reset_before_response_started{local_connection_failure|failed_to_bind_to_[::6]:0:_Cannot_assign}",
                500,
                "no connection: failed to bind to [::6]:0: Cannot assign",
            ),
            (
                "upstream_reset_before_response_started{connection_termination}",
                500,
                "connection closed before an answer",
            ),
            (
                "upstream_reset_before_response_started{protocol_error}",
                502,
                "not a valid HTTP answer",
            ),
            (
                "upstream_reset_before_response_started{remote_connection_failure|TLS_error:|33554536:WRONG_VERSION_NUMBER}",
                502,
                "TLS: TLS error:|33554536:WRONG VERSION NUMBER",
            ),
            (
                "upstream_reset_before_response_started{connection_timeout}",
                504,
                "not done within the probe's timeout",
            ),
            ("upstream_reset_before_response_started{overflow}", 500, "Envoy: overflow"),
            ("no_healthy_upstream", 500, "Envoy: no healthy upstream"),
            ("", 500, "Envoy"),
        ] {
            let outcome = of_details(details);
            assert_eq!((outcome.status(), outcome.reason()), (status, reason), "{details}");
        }
    }

    #[test]
    fn statuses_of_apps() {
        for (status, probe, hook) in [
            ("200", 200, 200),
            ("302", 302, 302),
            ("404", 404, 404),
            ("599", 599, 599),
            ("600", 502, 200),
            ("999", 502, 200),
            ("101", 502, 200),
            ("199", 502, 200),
            ("99", 502, 502),
            ("1000", 502, 502),
            ("0", 502, 502),
            ("", 502, 502),
            ("2x0", 502, 502),
        ] {
            assert_eq!(of_status(status.as_bytes(), false).status(), probe, "{status}");
            assert_eq!(of_status(status.as_bytes(), true).status(), hook, "{status}");
        }
    }
}
