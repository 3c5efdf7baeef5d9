//! The running server: from a request to its answer, and in the end.

use std::sync::Arc;
use std::time::Duration;

use app_health_webhook::reason::Reason;
use hyper::{Request, Response};
use tokio::time::Instant;

use super::bound::Bound;
use super::check::{Checks, TcpCheck};
use super::dial::DialFailure;
use super::limits;
use super::own::OwnAddresses;
use super::route::{self, Reply};
use crate::net::server::{Port, drain};
use crate::net::signals::Signals;

/// How long running checks may go on after the signal to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// What all connections share.
#[derive(Default)]
pub struct Server {
    checks: Checks,
    own: OwnAddresses,
}

impl Server {
    /// Serves until the first signal; then running checks may finish, until the second.
    pub async fn run(self, bound: Bound, descriptors: u64, signals: &mut Signals) {
        let port = Port::new(limits::for_descriptors(descriptors));
        let server = Arc::new(self);
        let service = move |request| {
            let server = Arc::clone(&server);
            async move { server.answer(&request).await }
        };
        let signal = tokio::select! {
            signal = signals.next() => signal,
            never = port.serve(bound, service) => match never {},
        };
        log::info!("{signal}: no new connections; requests that are under way are answered");
        drain([port], Instant::now() + DRAIN, signals).await;
    }

    async fn answer<B>(&self, request: &Request<B>) -> Response<String> {
        let began = Instant::now();
        self.check(request, began).await.unwrap_or_else(|reply| reply).response()
    }

    async fn check<B>(&self, request: &Request<B>, began: Instant) -> Result<Reply, Reply> {
        let check = route::check(request)?;
        self.refuse_foreign(check)?;
        match self.checks.run(check, began).await {
            Ok(()) => Ok(Reply::Connected),
            Err(DialFailure { reason, text }) => {
                log::debug!("{text}");
                Err(Reply::Failed(reason, text))
            }
        }
    }

    fn refuse_foreign(&self, check: TcpCheck) -> Result<(), Reply> {
        let ip = check.to.ip();
        match self.own.contains(ip) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Reply::BadRequest(format!("{ip}: no address of this pod"))),
            Err(error) => {
                let text = format!("{ip}: cannot list this pod's addresses: {error}");
                log::warn!("{text}");
                Err(Reply::Failed(Reason::Agent, text))
            }
        }
    }
}
