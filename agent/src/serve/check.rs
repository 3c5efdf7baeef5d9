//! The running checks: how many of one port, and how long.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app_health_webhook::reason::Reason;
use tokio::time::{Instant, timeout_at};

use super::dial::{Dial, DialFailure, begin, finish};

/// Dials under way to one port, which a port that accepts or refuses has none of. This many that
/// wait prove that it hangs; more would only use up the agent's connections, and with them the
/// checks of healthy ports.
const MOST_UNDER_WAY: usize = 16;

/// A check that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpCheck {
    /// The port that should accept.
    pub to: SocketAddr,
    /// The time for everything. None: no limit of our own.
    pub limit: Option<Duration>,
}

/// All checks. One for each connection from Envoy, so their number is limited by that.
#[derive(Default)]
pub struct Checks {
    under_way: Mutex<HashMap<SocketAddr, usize>>,
}

/// One dial under way. Dropping it makes room for another.
struct Place<'a> {
    checks: &'a Checks,
    to: SocketAddr,
}

impl Checks {
    /// Makes the check, whose time began at `began`.
    ///
    /// # Errors
    /// Why the port did not accept, in one line that names it.
    pub async fn run(&self, check: TcpCheck, began: Instant) -> Result<(), DialFailure> {
        let to = check.to;
        self.dial(check, began).await.map_err(|DialFailure { reason, text }| DialFailure {
            reason,
            text: format!("{to}: {text}"),
        })
    }

    async fn dial(
        &self,
        TcpCheck { to, limit }: TcpCheck,
        began: Instant,
    ) -> Result<(), DialFailure> {
        let Dial::UnderWay(stream) = begin(to)? else { return Ok(()) };
        let _place = self.place(to)?;
        // A limit beyond the clock's end is none.
        match limit.and_then(|limit| Some((limit, began.checked_add(limit)?))) {
            None => finish(&stream).await,
            Some((limit, deadline)) => match timeout_at(deadline, finish(&stream)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(DialFailure {
                    reason: Reason::Timeout,
                    text: format!("no connection within {} ms", limit.as_millis()),
                }),
            },
        }
    }

    fn place(&self, to: SocketAddr) -> Result<Place<'_>, DialFailure> {
        let mut under_way = self.under_way();
        let dials = under_way.entry(to).or_default();
        if *dials >= MOST_UNDER_WAY {
            let text = format!("{MOST_UNDER_WAY} dials are waiting for this port already");
            return Err(DialFailure { reason: Reason::Agent, text });
        }
        *dials += 1;
        Ok(Place { checks: self, to })
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<SocketAddr, usize>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut under_way = self.checks.under_way();
        if let Some(dials) = under_way.get_mut(&self.to) {
            *dials -= 1;
            if *dials == 0 {
                under_way.remove(&self.to);
            }
        }
    }
}
