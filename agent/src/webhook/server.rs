//! The running server: its ports, and in the end.

use std::convert::Infallible;
use std::future::{pending, ready};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use super::mutate::Reviews;
use super::rotation::Rotation;
use super::status;
use super::wasm::Wasm;
use crate::net;
use crate::net::server::{Limits, Listener, Port, drain};
use crate::net::signals::Signals;

/// After the signal to stop: the time in which connections are still taken. As long may a Service
/// go on sending them, since it learns from the readiness that this pod is no more.
const FAREWELL: Duration = Duration::from_secs(3);

/// After the signal to stop: the time for everything.
const DRAIN: Duration = Duration::from_secs(10);

/// An API server keeps an idle connection for 90 s, and waits 5 s for an answer.
const REVIEWS: Limits = Limits {
    connections: 1024,
    first_request: Duration::from_secs(3),
    next_request: Duration::from_secs(120),
    request: Some(Duration::from_secs(5)),
    http2: true,
};

/// A kubelet uses no connection twice, and Prometheus asks again where one was closed: so that nobody
/// keeps these out, none is kept for long.
const STATUS: Limits = Limits {
    connections: 1024,
    first_request: Duration::from_secs(3),
    next_request: Duration::from_secs(3),
    request: Some(Duration::from_secs(5)),
    http2: false,
};

/// A sidecar fetches the file once, when it starts or the EnvoyFilter changes. So that a cluster that
/// starts all at once takes no memory and no descriptors from the reviews, only so many are served at a
/// time. The others wait: pilot-agent does for 15 s, and comes again, where 503 would use up its five
/// tries within 4 s. A thousand of them at once get the file at the first try, if each link takes 50 KB a
/// second. The kernel has what it sends to a slow reader, who is gone after ten seconds.
const WASM: Limits = Limits {
    connections: 64,
    first_request: Duration::from_secs(1),
    next_request: Duration::from_secs(1),
    request: Some(Duration::from_secs(10)),
    http2: false,
};

/// The ports.
pub struct Listeners {
    /// Admission reviews over TLS.
    pub reviews: TcpListener,
    /// Health and metrics, plain.
    pub status: TcpListener,
    /// The filter for sidecars, plain, where there is one.
    pub wasm: Option<(TcpListener, Wasm)>,
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

/// Serves until the first signal; then requests may finish, until the second.
pub async fn run(
    reviews: Arc<Reviews>,
    bound: Listeners,
    tls: ServerConfig,
    certificate: Rotation,
    signals: &mut Signals,
) {
    // Before anybody can ask.
    reviews.metrics().serves(certificate.validity());
    // Dropped at the end, and then aborted.
    let mut beside = JoinSet::new();
    beside.spawn(serve_status(Arc::clone(&reviews), bound.status));
    let watched = Arc::clone(&reviews);
    beside.spawn(async move { certificate.watch(watched.metrics()).await });

    let (port, wasm_port) = (Port::new(REVIEWS), Port::new(WASM));
    let tls = Tls { listener: bound.reviews, acceptor: TlsAcceptor::from(Arc::new(tls)) };
    let end = tokio::select! {
        end = farewell(&reviews, signals) => end,
        never = serve_reviews(Arc::clone(&reviews), &port, tls) => match never {},
        never = serve_wasm(Arc::clone(&reviews), &wasm_port, bound.wasm) => match never {},
    };
    match end {
        Some(end) => drain([port, wasm_port], end, signals).await,
        None => log::info!("second signal: ending at once"),
    }
}

/// Waits for the signal to stop, and until no further connection is to be expected. When all is to
/// have ended; `None` where a second signal says at once.
async fn farewell(reviews: &Reviews, signals: &mut Signals) -> Option<Instant> {
    let signal = signals.next().await;
    let begins = Instant::now();
    log::info!(
        "{signal}: not ready any more; connections are taken for 3 s, requests finished within 10 s"
    );
    reviews.stop();
    tokio::select! {
        () = sleep(FAREWELL) => Some(begins + DRAIN),
        _ = signals.next() => None,
    }
}

async fn serve_reviews(reviews: Arc<Reviews>, port: &Port, listener: Tls) -> Infallible {
    let service = move |request| {
        let reviews = Arc::clone(&reviews);
        async move { reviews.review(request).await }
    };
    port.serve(listener, service).await
}

async fn serve_status(reviews: Arc<Reviews>, listener: TcpListener) {
    let service = move |request| ready(status::answer(&request, &reviews));
    match Port::new(STATUS).serve(listener, service).await {}
}

async fn serve_wasm(
    reviews: Arc<Reviews>,
    port: &Port,
    bound: Option<(TcpListener, Wasm)>,
) -> Infallible {
    let Some((listener, file)) = bound else { return pending().await };
    let file = Arc::new(file);
    let service = move |request| ready(file.answer(&request, reviews.metrics()));
    port.serve(listener, service).await
}
