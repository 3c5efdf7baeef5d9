//! The reasons: why the answer to a probe is as it is, in one vocabulary for all that tells of it, and
//! the status that each one has.

use crate::handler::HandlerKind;

/// The header that has the reason's word: in every answer of the agent's, and in those of the filter's
/// that are not the app's own.
pub const HEADER: &str = "x-app-health-reason";

/// Why the answer is as it is, for programs: the text beside it is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The app passed.
    Ok,
    /// The app answered, and that is a failure.
    Status,
    /// Nobody listens.
    Refused,
    /// No way to the address, or a packet filter that says so.
    Unreachable,
    /// The connection was closed before an answer.
    Reset,
    /// Not done in time.
    Timeout,
    /// The TLS handshake failed.
    Tls,
    /// What the app answered is no answer of its protocol.
    Invalid,
    /// The answer's body broke off.
    Broken,
    /// The gRPC health service said so, or does not know the service.
    NotServing,
    /// Too many redirects, or one that leads nowhere.
    Redirect,
    /// The agent hangs, could not find out, or answers what it should not.
    Agent,
    /// Envoy itself could not ask.
    Proxy,
    /// The recorded entry or the variable is not valid; of the agent: the request is not.
    Config,
    /// The client went away before there was an answer.
    Abandoned,
}

/// Which statuses tell of failures, where the answer is not the app's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatusCodes {
    /// 500, 502 and 504.
    #[default]
    Plain,
    /// A status for nearly each reason, as a large CDN has them.
    Detailed,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 15] = [
        Reason::Ok,
        Reason::Status,
        Reason::Refused,
        Reason::Unreachable,
        Reason::Reset,
        Reason::Timeout,
        Reason::Tls,
        Reason::Invalid,
        Reason::Broken,
        Reason::NotServing,
        Reason::Redirect,
        Reason::Agent,
        Reason::Proxy,
        Reason::Config,
        Reason::Abandoned,
    ];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Ok => "ok",
            Reason::Status => "status",
            Reason::Refused => "refused",
            Reason::Unreachable => "unreachable",
            Reason::Reset => "reset",
            Reason::Timeout => "timeout",
            Reason::Tls => "tls",
            Reason::Invalid => "invalid",
            Reason::Broken => "broken",
            Reason::NotServing => "not_serving",
            Reason::Redirect => "redirect",
            Reason::Agent => "agent",
            Reason::Proxy => "proxy",
            Reason::Config => "config",
            Reason::Abandoned => "abandoned",
        }
    }

    /// The status of an answer that has this reason; `None` where the app's own is sent, or none.
    pub const fn status(self, handler: HandlerKind, codes: StatusCodes) -> Option<u16> {
        let (plain, detailed) = match self {
            Reason::Ok | Reason::Status | Reason::Abandoned => return None,
            Reason::Refused => (500, 521),
            Reason::Unreachable => (500, 523),
            Reason::Reset => (500, 520),
            Reason::Timeout => (504, 524),
            Reason::Tls => (502, 525),
            Reason::Invalid | Reason::Broken | Reason::Redirect => (502, 502),
            Reason::NotServing => (500, 503),
            Reason::Agent | Reason::Proxy => (500, 530),
            Reason::Config => (500, 500),
        };
        Some(match (codes, handler, plain) {
            (StatusCodes::Detailed, ..) => detailed,
            (StatusCodes::Plain, HandlerKind::TcpSocket, _)
            | (StatusCodes::Plain, HandlerKind::Grpc, 502) => 500,
            (StatusCodes::Plain, ..) => plain,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use HandlerKind::{Grpc, HttpGet, TcpSocket};

    #[test]
    fn statuses() {
        for (reason, http, tcp, grpc, detailed) in [
            (Reason::Refused, 500, 500, 500, 521),
            (Reason::Unreachable, 500, 500, 500, 523),
            (Reason::Reset, 500, 500, 500, 520),
            (Reason::Timeout, 504, 500, 504, 524),
            (Reason::Tls, 502, 500, 500, 525),
            (Reason::Invalid, 502, 500, 500, 502),
            (Reason::Broken, 502, 500, 500, 502),
            (Reason::NotServing, 500, 500, 500, 503),
            (Reason::Redirect, 502, 500, 500, 502),
            (Reason::Agent, 500, 500, 500, 530),
            (Reason::Proxy, 500, 500, 500, 530),
            (Reason::Config, 500, 500, 500, 500),
        ] {
            for (handler, plain) in [(HttpGet, http), (TcpSocket, tcp), (Grpc, grpc)] {
                let of = |codes| reason.status(handler, codes);
                assert_eq!(of(StatusCodes::Plain), Some(plain), "{reason:?} {handler:?}");
                assert_eq!(of(StatusCodes::Detailed), Some(detailed), "{reason:?} {handler:?}");
            }
        }
        for reason in [Reason::Ok, Reason::Status, Reason::Abandoned] {
            assert_eq!(reason.status(HttpGet, StatusCodes::Detailed), None);
        }
    }

    #[test]
    fn all_are_in_order_and_have_words_of_their_own() {
        for (n, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, n);
            let same = Reason::ALL.iter().filter(|other| other.as_str() == reason.as_str());
            assert_eq!(same.count(), 1, "{reason:?}");
        }
    }
}
