//! The running server: accepts, and in the end drains.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use app_health_webhook::rewrite::Options;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use tokio_rustls::TlsAcceptor;

use super::memory::Memory;
use super::metrics::Metrics;
use super::rotation::Rotation;
use crate::net::connections::{Bounds, Connection, Connections};
use crate::net::signals::Signals;

/// After the signal to stop: the time in which connections are still taken. As long may a Service
/// go on sending them, since it learns from the readiness that this pod is no more.
const FAREWELL: Duration = Duration::from_secs(3);

/// After the signal to stop: the time for everything.
const DRAIN: Duration = Duration::from_secs(10);

/// How often connections are looked over for those that wait too long, or let others wait.
const SWEEP: Duration = Duration::from_millis(250);

/// The pause after a failed accept(): for want of descriptors it would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// An API server has a few connections, and keeps an idle one for 90 s. Each may hold 240 KiB in bodies
/// that wait for memory.
const REVIEWS: Bounds = Bounds {
    open: 128,
    waiting: 64,
    first_request: Duration::from_secs(7),
    next_request: Duration::from_secs(120),
};

/// A kubelet and a Prometheus or two.
const STATUS: Bounds = Bounds {
    open: 64,
    waiting: 32,
    first_request: Duration::from_secs(5),
    next_request: Duration::from_secs(60),
};

/// A listener, and where it listens.
pub type Bound = (TcpListener, SocketAddr);

/// Both ports.
pub struct Listeners {
    /// Admission reviews over TLS.
    pub reviews: Bound,
    /// Health and metrics, plain.
    pub status: Bound,
}

/// What all connections share.
pub struct Server {
    pub(super) options: Options,
    pub(super) metrics: Metrics,
    pub(super) memory: Memory,
    pub(super) tls: TlsAcceptor,
    phase: watch::Sender<Phase>,
    reviews: Arc<Connections>,
    status: Arc<Connections>,
}

/// From start to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Ready.
    Serving,
    /// Not ready any more; what comes is served all the same, once a connection.
    Farewell,
    /// Nothing new is taken.
    Draining,
}

impl Server {
    /// Nothing runs yet.
    pub fn new(options: Options, tls: ServerConfig) -> Self {
        Self {
            options,
            metrics: Metrics::default(),
            memory: Memory::new(),
            tls: TlsAcceptor::from(Arc::new(tls)),
            phase: watch::Sender::new(Phase::Serving),
            reviews: Connections::new(REVIEWS),
            status: Connections::new(STATUS),
        }
    }

    /// What it is at.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Waits until nothing new is taken.
    pub async fn draining(&self) {
        let mut phase = self.phase.subscribe();
        // The sender is our own: there is no error.
        let _ = phase.wait_for(|phase| *phase == Phase::Draining).await;
    }

    /// Serves until the first signal; then requests may finish, until the second.
    pub async fn run(self: Arc<Self>, bound: Listeners, certificate: Rotation, on: &mut Signals) {
        let mut tasks = JoinSet::new();
        let (server, (status, _)) = (Arc::clone(&self), bound.status);
        tasks.spawn(async move { server.accept_status(&status).await });
        let server = Arc::clone(&self);
        tasks.spawn(async move { server.sweep().await });
        let server = Arc::clone(&self);
        tasks.spawn(async move { certificate.watch(&server.metrics).await });
        let (server, (reviews, _)) = (Arc::clone(&self), bound.reviews);
        let accepting = tasks.spawn(async move { server.accept_reviews(&reviews).await });

        let signal = on.next().await;
        let end = Instant::now() + DRAIN;
        log::info!(
            "{signal}: not ready any more; connections are taken for 3 s, requests finished within 10 s"
        );
        self.phase.send_replace(Phase::Farewell);
        let how = tokio::select! {
            () = self.farewell(&accepting) => "done",
            () = sleep_until(end) => "some requests were not done in time",
            _ = on.next() => "second signal: ending at once",
        };
        log::info!("{how}");
    }

    async fn farewell(&self, accepting: &tokio::task::AbortHandle) {
        sleep(FAREWELL).await;
        accepting.abort();
        self.phase.send_replace(Phase::Draining);
        self.reviews.empty().await;
    }

    async fn accept_reviews(self: Arc<Self>, listener: &TcpListener) {
        accept(listener, &self.reviews, |stream, connection| {
            let server = Arc::clone(&self);
            tokio::spawn(async move { server.talk_tls(stream, connection).await });
        })
        .await;
    }

    async fn accept_status(self: Arc<Self>, listener: &TcpListener) {
        accept(listener, &self.status, |stream, connection| {
            let server = Arc::clone(&self);
            tokio::spawn(async move { server.talk_plain(stream, connection).await });
        })
        .await;
    }

    /// Never returns.
    async fn sweep(&self) {
        let mut ticks = interval(SWEEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.reviews.close_overdue();
            self.status.close_overdue();
            self.memory.close_unread(Instant::now());
        }
    }
}

/// Never returns.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Connections>,
    serve: impl Fn(TcpStream, Connection),
) {
    let mut failing = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                failing = false;
                // Answers are small: none may wait for the acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                serve(stream, connections.open().await);
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
