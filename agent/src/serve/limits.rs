//! How much at once, by the descriptors that the system grants.

use std::time::Duration;

use crate::net::server::Limits;

/// Connections at once, where descriptors allow it. Each has a check at most.
const CONNECTIONS: usize = 1024;

/// Descriptors that are neither connections nor dials: stdio, the listener, the event loop, signals,
/// the list of interfaces.
const RESERVED: u64 = 24;

/// The limits of the port of checks.
pub fn for_descriptors(descriptors: u64) -> Limits {
    // Each connection has a descriptor of its own, and its check another.
    let granted = descriptors.saturating_sub(RESERVED) / 2;
    let connections = usize::try_from(granted).unwrap_or(CONNECTIONS).clamp(1, CONNECTIONS);
    if connections < CONNECTIONS {
        let enough = 2 * CONNECTIONS as u64 + RESERVED;
        log::warn!(
            "at most {connections} checks at once: RLIMIT_NOFILE is {descriptors}, {enough} would do"
        );
    }
    Limits {
        connections,
        first_request: Duration::from_secs(5),
        // Envoy keeps an idle connection for 10 s.
        next_request: Duration::from_secs(30),
        // The filter gives up a check when its probe's time is over.
        request: None,
        http2: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_follow_the_descriptors() {
        for (descriptors, connections) in
            [(u64::MAX, 1024), (2072, 1024), (1024, 500), (64, 20), (24, 1), (0, 1)]
        {
            assert_eq!(for_descriptors(descriptors).connections, connections);
        }
    }
}
