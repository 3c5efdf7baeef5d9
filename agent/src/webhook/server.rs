//! The running server: both its ports, and in the end.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use app_health_webhook::rewrite::Options;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use super::metrics::Metrics;
use super::mutate::Reviews;
use super::rotation::Rotation;
use super::status;
use crate::net;
use crate::net::server::{Limits, Listener, Port};
use crate::net::signals::Signals;

/// After the signal to stop: the time in which connections are still taken. As long may a Service
/// go on sending them, since it learns from the readiness that this pod is no more.
const FAREWELL: Duration = Duration::from_secs(3);

/// After the signal to stop: the time for everything.
const DRAIN: Duration = Duration::from_secs(10);

/// An API server keeps an idle connection for 90 s.
const REVIEWS: Limits = Limits {
    connections: 1024,
    first_request: Duration::from_secs(3),
    next_request: Duration::from_secs(120),
    request: Duration::from_secs(10),
};

/// A kubelet and a Prometheus or two.
const STATUS: Limits = Limits {
    connections: 64,
    first_request: Duration::from_secs(5),
    next_request: Duration::from_secs(60),
    request: Duration::from_secs(10),
};

/// Both ports.
pub struct Listeners {
    /// Admission reviews over TLS.
    pub reviews: TcpListener,
    /// Health and metrics, plain.
    pub status: TcpListener,
}

/// What all connections share.
pub struct Server {
    pub(super) reviews: Reviews,
    pub(super) metrics: Metrics,
    stopping: AtomicBool,
}

/// The port of the reviews: TCP, and TLS on it.
struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Tls {
    type Stream = TlsStream<TcpStream>;
    type Handshake = Accept<TcpStream>;

    async fn accept(&self) -> io::Result<Self::Handshake> {
        Ok(self.acceptor.accept(net::accept(&self.listener).await?))
    }
}

impl Server {
    /// Nothing runs yet.
    pub fn new(options: Options) -> Self {
        Self {
            reviews: Reviews::new(options),
            metrics: Metrics::default(),
            stopping: AtomicBool::new(false),
        }
    }

    /// Whether it was told to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Serves until the first signal; then requests may finish, until the second.
    pub async fn run(
        self: Arc<Self>,
        bound: Listeners,
        tls: ServerConfig,
        certificate: Rotation,
        signals: &mut Signals,
    ) {
        // Dropped at the end, and then aborted.
        let mut beside = JoinSet::new();
        let (server, status) = (Arc::clone(&self), bound.status);
        beside.spawn(async move { server.serve_status(status).await });
        let server = Arc::clone(&self);
        beside.spawn(async move { certificate.watch(&server.metrics).await });

        let port = Port::new(REVIEWS);
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let tls = Tls { listener: bound.reviews, acceptor };
        let end = tokio::select! {
            end = self.farewell(signals) => end,
            never = self.serve_reviews(&port, tls) => match never {},
        };
        port.drain(end, signals).await;
    }

    /// Waits for the signal to stop, and until no further connection is to be expected. When all is
    /// to have ended.
    async fn farewell(&self, signals: &mut Signals) -> Instant {
        let signal = signals.next().await;
        let begins = Instant::now();
        log::info!(
            "{signal}: not ready any more; connections are taken for 3 s, requests finished within 10 s"
        );
        self.stopping.store(true, Ordering::Relaxed);
        tokio::select! {
            () = sleep(FAREWELL) => begins + DRAIN,
            _ = signals.next() => {
                log::info!("second signal: ending at once");
                begins
            }
        }
    }

    async fn serve_reviews(self: &Arc<Self>, port: &Port, listener: Tls) -> Infallible {
        let server = Arc::clone(self);
        let service = move |request| {
            let server = Arc::clone(&server);
            async move { server.review(request).await }
        };
        port.serve(listener, service).await
    }

    async fn serve_status(self: Arc<Self>, listener: TcpListener) {
        let service = move |request| std::future::ready(status::answer(&request, &self));
        match Port::new(STATUS).serve(listener, service).await {}
    }
}
