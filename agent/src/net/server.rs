//! One port: it accepts, speaks HTTP/1.1 and HTTP/2, and ends with grace.

use std::convert::Infallible;
use std::fmt::Display;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::signals::Signals;

/// The pause after a failed accept(): for want of descriptors it would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// The time for a connection that is told to close to do so.
const CLOSE: Duration = Duration::from_secs(1);

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
    /// The time from a request's head until the client has taken its answer. `None`: as long as the
    /// service takes.
    pub request: Option<Duration>,
    /// Whether HTTP/2 is spoken as well as HTTP/1.1.
    pub http2: bool,
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
    /// The system accepts none for now, as where no descriptors are left. The listener goes on.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Handshake>> + Send;
}

/// An open port.
pub struct Port {
    limits: Limits,
    places: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
}

/// The requests of a connection.
#[derive(Clone, Copy, Default)]
struct Requests {
    begun: u64,
    /// Those of them whose answer has been taken.
    ended: u64,
    /// One of them takes too long.
    late: bool,
}

/// A request, from its head until its answer has been taken.
struct UnderWay {
    requests: watch::Sender<Requests>,
    /// Says when it takes too long.
    timer: Option<AbortHandle>,
}

/// The body of an answer, and the request that it belongs to.
struct Sent<B> {
    body: B,
    _request: UnderWay,
}

impl Port {
    /// Without connections yet.
    pub fn new(limits: Limits) -> Self {
        let places = Arc::new(Semaphore::new(limits.connections));
        Self { limits, places, stopping: watch::Sender::new(false) }
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
                    let stopping = self.stopping.subscribe();
                    tokio::spawn(async move {
                        talk(handshake, service, limits, stopping).await;
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

    /// Closes idle connections, and waits until all requests are done.
    async fn finish(self) {
        self.stopping.send_replace(true);
        let all = u32::try_from(self.limits.connections).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        let _ = self.places.acquire_many(all).await;
    }
}

/// Lets the requests of these ports finish: until `end`, or a further signal.
pub async fn drain<const N: usize>(ports: [Port; N], end: Instant, signals: &mut Signals) {
    let finished: JoinSet<_> = ports.into_iter().map(Port::finish).collect();
    let how = tokio::select! {
        _ = finished.join_all() => "done",
        () = sleep_until(end) => "some requests were not done in time",
        _ = signals.next() => "second signal: ending at once",
    };
    log::info!("{how}");
}

/// One connection, from its handshake to its end.
async fn talk<H, T, S, F, B>(
    handshake: H,
    service: S,
    limits: Limits,
    mut stopping: watch::Receiver<bool>,
) where
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
        let under_way = UnderWay::begin(&requests, limits.request);
        let answer = service(request);
        async move { Ok::<_, Infallible>(answer.await.map(|body| under_way.sent(body))) }
    });
    let builder = http(limits.http2);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let last = tokio::select! {
        // What has come already is read before it is found to be late.
        biased;
        result = connection.as_mut() => return ended(result),
        () = overdue(&requests, limits) => CLOSE,
        _ = stopping.wait_for(|stopping| *stopping) => Duration::MAX,
    };
    connection.as_mut().graceful_shutdown();
    match timeout(last, connection).await {
        Ok(result) => ended(result),
        Err(_) => log::debug!("connection: closed, since its client takes too long"),
    }
}

fn ended<E: Display>(result: Result<(), E>) {
    if let Err(error) = result {
        log::debug!("connection: {error}");
    }
}

fn http(http2: bool) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // hyper's own timeout of a head would end idle connections as well.
    builder.http1().header_read_timeout(None).max_buf_size(MOST_HEAD);
    builder
        .http2()
        .max_concurrent_streams(STREAMS)
        .initial_connection_window_size(STREAMS * WINDOW)
        .initial_stream_window_size(WINDOW)
        .max_header_list_size(MOST_HEAD as u32);
    if http2 { builder } else { builder.http1_only() }
}

/// Returns once a connection is idle for too long, or one of its requests takes too long.
async fn overdue(requests: &watch::Sender<Requests>, limits: Limits) {
    let mut requests = requests.subscribe();
    let mut begun = 0;
    let mut idle = limits.first_request;
    loop {
        if timeout(idle, requests.wait_for(|now| now.begun > begun)).await.is_err() {
            return;
        }
        idle = limits.next_request;
        match requests.wait_for(|now| now.late || now.ended == now.begun).await {
            Ok(now) if !now.late => begun = now.begun,
            _ => return,
        }
    }
}

impl UnderWay {
    fn begin(requests: &watch::Sender<Requests>, limit: Option<Duration>) -> Self {
        requests.send_modify(|requests| requests.begun += 1);
        let timer = limit.map(|limit| {
            let requests = requests.clone();
            let timer = async move {
                sleep(limit).await;
                requests.send_modify(|requests| requests.late = true);
            };
            tokio::spawn(timer).abort_handle()
        });
        Self { requests: requests.clone(), timer }
    }

    fn sent<B: AsRef<[u8]> + Send + 'static>(self, body: B) -> Full<Bytes> {
        Full::new(Bytes::from_owner(Sent { body, _request: self }))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.timer.iter().for_each(AbortHandle::abort);
        self.requests.send_modify(|requests| requests.ended += 1);
    }
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Sent<B> {
    fn as_ref(&self) -> &[u8] {
        self.body.as_ref()
    }
}
