//! One port: it accepts, speaks HTTP/1.1 and HTTP/2, and ends with grace.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::signals::Signals;

/// The pause after a failed accept(): for want of descriptors it would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A request's head, in bytes; hyper takes no less.
const MOST_HEAD: usize = 8192;

/// Requests at once on one connection of HTTP/2. A client opens another connection beyond that.
const STREAMS: u32 = 8;

/// What a client may send of a body before we read it, in bytes.
const WINDOW: u32 = 8 << 10;

/// How many connections a port has, and how long they may wait.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once. Further ones wait in the kernel's queue.
    pub connections: usize,
    /// The time for the TLS handshake, and again for the first request's head.
    pub first_request: Duration,
    /// The time between a request's end and the next one's head. Longer than clients keep an idle
    /// connection, so that they close it: closed from here, it might be in use again.
    pub next_request: Duration,
    /// The time in which, of the requests under way on a connection, one has to end: its answer is
    /// made, and the client has taken it. [`Duration::MAX`]: as long as the service takes.
    pub request: Duration,
}

/// Where connections come from.
pub trait Listener {
    /// An open connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// What is left to do once one is accepted, as a TLS handshake: it must not keep out the next one.
    type Handshake: Future<Output = io::Result<Self::Stream>> + Send + 'static;

    /// The next connection.
    ///
    /// # Errors
    /// The system's, such as no descriptors left; the listener goes on.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Handshake>> + Send;
}

/// An open port.
pub struct Port {
    limits: Limits,
    places: Arc<Semaphore>,
    graceful: GracefulShutdown,
}

/// Requests of a connection, and those of them whose answer has been taken.
#[derive(Clone, Copy, Default)]
struct Requests {
    begun: u64,
    ended: u64,
}

/// A request from its head until its answer has been taken.
struct UnderWay(watch::Sender<Requests>);

/// An answer's body, and the request that it belongs to.
struct Sent<B> {
    body: B,
    _request: UnderWay,
}

impl Port {
    /// Without connections yet.
    pub fn new(limits: Limits) -> Self {
        let places = Arc::new(Semaphore::new(limits.connections));
        Self { limits, places, graceful: GracefulShutdown::new() }
    }

    /// Accepts connections and answers their requests, until it is dropped. The body of an answer
    /// is dropped once it has been sent.
    pub async fn serve<L, S, F, B>(&self, listener: L, service: S) -> Infallible
    where
        L: Listener,
        S: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: AsRef<[u8]> + Send + 'static,
    {
        let mut failing = false;
        loop {
            let place = Arc::clone(&self.places).acquire_owned().await;
            match listener.accept().await {
                Ok(handshake) => {
                    failing = false;
                    let (limits, service) = (self.limits, service.clone());
                    let watcher = self.graceful.watcher();
                    tokio::spawn(async move {
                        talk(handshake, service, limits, watcher).await;
                        drop(place);
                    });
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

    /// Closes idle connections and lets requests finish: until `end`, or a further signal.
    pub async fn drain(self, end: Instant, signals: &mut Signals) {
        let how = tokio::select! {
            () = self.graceful.shutdown() => "done",
            () = sleep_until(end) => "some requests were not done in time",
            _ = signals.next() => "second signal: ending at once",
        };
        log::info!("{how}");
    }
}

/// One connection, from its handshake to its end.
async fn talk<H, T, S, F, B>(handshake: H, service: S, limits: Limits, watcher: Watcher)
where
    H: Future<Output = io::Result<T>>,
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<B>> + Send + 'static,
    B: AsRef<[u8]> + Send + 'static,
{
    let stream = match timeout(limits.first_request, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return log::debug!("TLS handshake: {error}"),
        Err(_) => return log::debug!("TLS handshake: not done in time"),
    };
    let requests = watch::Sender::default();
    let service = service_fn(|request| {
        let request_under_way = UnderWay::begin(&requests);
        let answer = service(request);
        async move { Ok::<_, Infallible>(answer.await.map(|body| request_under_way.body(body))) }
    });
    let builder = http();
    let connection = watcher.watch(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        result = connection => {
            if let Err(error) = result {
                log::debug!("connection: {error}");
            }
        }
        () = overdue(&requests, limits) => log::debug!("connection: closed, after too long a wait"),
    }
}

fn http() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // hyper's own time-out of a head would end idle connections as well.
    builder.http1().header_read_timeout(None).max_buf_size(MOST_HEAD);
    builder
        .http2()
        .max_concurrent_streams(STREAMS)
        .initial_connection_window_size(STREAMS * WINDOW)
        .initial_stream_window_size(WINDOW)
        .max_header_list_size(MOST_HEAD as u32);
    builder
}

/// Returns once a connection waits for longer than it may.
async fn overdue(requests: &watch::Sender<Requests>, limits: Limits) {
    let mut requests = requests.subscribe();
    let mut now = Requests::default();
    let mut idle = limits.first_request;
    loop {
        // Idle: until another request begins.
        if timeout(idle, requests.wait_for(|new| new.begun > now.begun)).await.is_err() {
            return;
        }
        idle = limits.next_request;
        // Busy: until none is under way.
        now = *requests.borrow();
        while now.begun > now.ended {
            if timeout(limits.request, requests.wait_for(|new| new.ended > now.ended))
                .await
                .is_err()
            {
                return;
            }
            now = *requests.borrow();
        }
    }
}

impl UnderWay {
    fn begin(requests: &watch::Sender<Requests>) -> Self {
        requests.send_modify(|requests| requests.begun += 1);
        Self(requests.clone())
    }

    fn body<B: AsRef<[u8]> + Send + 'static>(self, body: B) -> Full<Bytes> {
        Full::new(Bytes::from_owner(Sent { body, _request: self }))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|requests| requests.ended += 1);
    }
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Sent<B> {
    fn as_ref(&self) -> &[u8] {
        self.body.as_ref()
    }
}
