//! The running server: accepts, answers, and in the end drains.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use app_health_webhook::tcp_check::Reason;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::bound::{Bound, Stream};
use super::check::{Check, Checks};
use super::dial::Failure;
use super::limits::Limits;
use super::own::OwnAddresses;
use super::route::{self, Reply};
use crate::net::connections::{Connection, Connections};
use crate::net::signals::Signals;

/// How long running checks may go on after the signal to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// How often connections are looked over for those that wait too long.
const SWEEP: Duration = Duration::from_secs(1);

/// The pause after a failed accept(): for want of descriptors it would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A request's head, all of it; hyper reserves as much from the start, and takes no less.
const MOST_HEAD: usize = 8192;

/// What all connections share.
pub struct Server {
    checks: Checks,
    connections: Arc<Connections>,
    own: OwnAddresses,
}

impl Server {
    /// Nothing runs yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            checks: Checks::default(),
            connections: Connections::new(limits.bounds()),
            own: OwnAddresses::default(),
        }
    }

    /// Serves until the first signal; then running checks may finish, until the second.
    pub async fn run(self: Arc<Self>, bound: Bound, signals: &mut Signals) {
        let signal = tokio::select! {
            signal = signals.next() => signal,
            () = self.accept(&bound) => return,
            () = self.sweep() => return,
        };
        drop(bound);
        let busy = self.connections.drain();
        log::info!("{signal}: no new connections; {busy} requests are still being answered");
        let end = tokio::select! {
            () = self.connections.empty() => "done",
            () = sleep(DRAIN) => "some requests were not done in time",
            _ = signals.next() => "second signal: ending at once",
        };
        log::info!("{end}");
    }

    /// Never returns.
    async fn accept(self: &Arc<Self>, bound: &Bound) {
        let mut failing = false;
        loop {
            match bound.accept().await {
                Ok(stream) => {
                    failing = false;
                    let connection = self.connections.open().await;
                    tokio::spawn(Arc::clone(self).serve(stream, connection));
                    // A request that is there already is read before a burst of further
                    // connections can make this one the oldest that waits.
                    yield_now().await;
                }
                Err(error) => {
                    if !failing {
                        log::warn!("cannot accept connections for now: {error}");
                    }
                    failing = true;
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Never returns.
    async fn sweep(&self) {
        let mut ticks = interval(SWEEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.connections.close_overdue();
        }
    }

    async fn serve(self: Arc<Self>, stream: Stream, connection: Connection) {
        tokio::select! {
            biased;
            () = connection.closed() => {}
            () = self.talk(stream, &connection) => {}
        }
    }

    async fn talk(&self, stream: Stream, connection: &Connection) {
        // A client that sends nothing costs no buffer, and not HTTP's state either.
        if stream.first_byte().await.is_err() {
            return;
        }
        Box::pin(self.talk_http(stream, connection)).await;
    }

    async fn talk_http(&self, stream: Stream, connection: &Connection) {
        let service = service_fn(|request| self.answer(request, connection));
        let talk = http1::Builder::new()
            // hyper's own would end idle connections too: see Connections for all of these.
            .header_read_timeout(None)
            .max_buf_size(MOST_HEAD)
            .serve_connection(TokioIo::new(stream.into_transport()), service);
        if let Err(error) = talk.await {
            log::debug!("connection: {error}");
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        connection: &Connection,
    ) -> Result<Response<String>, Infallible> {
        let began = Instant::now();
        let _busy = connection.busy();
        let reply = self.check(&request, began).await.unwrap_or_else(|reply| reply);
        let mut response = reply.response();
        if self.connections.is_draining() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }

    async fn check(&self, request: &Request<Incoming>, began: Instant) -> Result<Reply, Reply> {
        let check = route::check(request)?;
        self.refuse_foreign(check)?;
        match self.checks.run(check, began).await {
            Ok(()) => Ok(Reply::Connected),
            Err(Failure { reason, text }) => {
                log::debug!("{text}");
                Err(Reply::Failed(reason, text))
            }
        }
    }

    fn refuse_foreign(&self, check: Check) -> Result<(), Reply> {
        let ip = check.to.ip();
        match self.own.contains(ip) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Reply::NotOurs(format!("{ip}: no address of this pod"))),
            Err(error) => {
                let text = format!("{ip}: cannot list this pod's addresses: {error}");
                log::warn!("{text}");
                Err(Reply::Failed(Reason::Agent, text))
            }
        }
    }
}
