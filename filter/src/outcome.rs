//! What the kubelet is told: the app's own status, or that there was no answer and why.

use std::borrow::Cow;

/// What a check comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The app answered, and this status decides.
    Answered(u16),
    /// There is no answer of the app, or none that counts.
    Failed {
        /// What the kubelet is told.
        status: u16,
        /// One line.
        reason: Cow<'static, str>,
    },
    /// The check was not made: nothing is known of the app.
    Declined {
        /// What the client is told.
        status: u16,
        /// One line.
        reason: Cow<'static, str>,
    },
    /// The client went away before there was an answer: nothing is known of the app.
    Abandoned,
}

impl Outcome {
    /// It failed with this status, for this reason.
    pub fn failed(status: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Failed { status, reason: reason.into() }
    }

    /// It is not made, and this is answered, for this reason.
    pub fn declined(status: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Declined { status, reason: reason.into() }
    }

    /// It was not reached, or the probe cannot be sent.
    pub fn unreached(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::failed(500, reason)
    }

    /// What it sent is no valid answer.
    pub fn invalid(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::failed(502, reason)
    }

    /// It was not done in time.
    pub fn timeout() -> Self {
        Self::failed(504, "not done within the probe's timeout")
    }

    /// The status of the answer; 0 where nobody is there to get one.
    pub fn status(&self) -> u16 {
        match self {
            Self::Answered(status)
            | Self::Failed { status, .. }
            | Self::Declined { status, .. } => *status,
            Self::Abandoned => 0,
        }
    }

    /// The body of the answer: why it is not the app's own.
    pub fn reason(&self) -> &str {
        match self {
            Self::Failed { reason, .. } | Self::Declined { reason, .. } => reason,
            Self::Answered(_) | Self::Abandoned => "",
        }
    }

    /// The kubelet's verdict; `None` where there is none.
    pub fn passes(&self, hook: bool) -> Option<bool> {
        match self {
            Self::Answered(status) => Some(hook || (200..400).contains(status)),
            Self::Failed { .. } => Some(false),
            Self::Declined { .. } | Self::Abandoned => None,
        }
    }
}

/// Envoy's word, in `response.code_details`, for an answer that came from the app.
pub const VIA_UPSTREAM: &[u8] = b"via_upstream";

/// Judges a reply of Envoy's own by its `response.code_details`.
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

/// Judges what Envoy itself has sent the client past all filters: `sent` is its `response.code`, 0
/// where it sent none.
pub fn of_envoy(sent: u16, details: &[u8], is_hook: bool) -> Outcome {
    // Of a request for an upgrade Envoy waits for the end, which never comes.
    let ends_request = details.starts_with(b"downstream_") || details == b"request_overall_timeout";
    match sent {
        0 => Outcome::Abandoned,
        _ if ends_request => Outcome::Abandoned,
        // Its body broke off or stalled, which the configuration answers as the kubelet has it.
        status if is_hook => Outcome::Answered(status),
        status => {
            let of_details = of_details(&String::from_utf8_lossy(details));
            Outcome::failed(status, of_details.reason().to_owned())
        }
    }
}

/// What became of a TCP check that Envoy makes: nothing where the port accepts, else why not. A
/// connection that was reset had been made: without a handshake it would have been refused.
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

/// As the agent says it.
const NO_CONNECTION: &str = "no connection within the probe's timeout";

/// In what Envoy says of a dispatched call whose dial the cluster's `connect_timeout` has ended.
pub const DIAL_TIMED_OUT: &str = "connection timeout";

/// Judges the reply that Envoy makes in place of a dispatched call's answer. Of a call whose
/// Content-Type is gRPC's it has the status 200.
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

/// What an app's `:status` comes to. For a hook any answer is a success.
pub fn of_status(status: &[u8], hook: bool) -> Outcome {
    let number = parse_status(status);
    match number {
        200..=599 => Outcome::Answered(number),
        // A number beyond these is no HTTP answer at all, to Go's client.
        100..1000 if hook => Outcome::Answered(200),
        _ => {
            let number = u32::from(number).to_string();
            Outcome::invalid(["the app answered with the status ", &number].concat())
        }
    }
}

/// Whether `word` is in `text`. str::contains would weigh 3 KB of the .wasm.
pub fn contains(text: &str, word: &str) -> bool {
    after(text, word).is_some()
}

fn after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let mut windows = text.as_bytes().windows(word.len());
    let at = windows.position(|window| window == word.as_bytes())?;
    text.get(at + word.len()..)
}

/// 0 where it is no number.
pub fn parse_status(status: &[u8]) -> u16 {
    std::str::from_utf8(status).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// What went wrong, and what caused it as far as that is known.
pub fn with_cause(what: &str, cause: &str) -> String {
    if cause.is_empty() { what.to_owned() } else { [what, ": ", &readable(cause)].concat() }
}

/// One line without Envoy's underscores, not over 200 characters.
pub fn readable(text: &str) -> String {
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
