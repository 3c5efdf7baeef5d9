//! One attempt: the connections, what goes over them, and when. What is sent and what follows from an
//! answer is decided by `app_health_webhook::kubelet`.

use std::error::Error;
use std::io::{
    self,
    ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof},
};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use app_health_webhook::kubelet::grpc::{self, USER_AGENT};
use app_health_webhook::kubelet::reading::REDIRECT_BODY_LIMIT;
use app_health_webhook::kubelet::{Answer, BODY_LIMIT, Failure, Get, Read, Reading};
use app_health_webhook::probers::Scheme;
use app_health_webhook::reason::Reason;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::tls;
use crate::net::reason;
use crate::serve::dial::{self, DialFailure};

/// The longest answer of a health service that is read: grpc-go's limit.
const GRPC_LIMIT: usize = 4 << 20;

/// How an `httpGet` is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// HTTP/1.1, or over TLS what the app prefers.
    Any,
    /// HTTP/2 in clear text, with prior knowledge.
    Http2,
}

/// When it came how far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// The last connection was there.
    pub connect: Option<Duration>,
    /// The first byte of the last answer, or over HTTP/2 its head.
    pub first_byte: Option<Duration>,
    /// The end.
    pub whole: Duration,
}

/// An attempt under way.
pub struct Attempt {
    begun: Instant,
    times: Times,
}

/// A connection, over TLS or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Attempt {
    /// Its time begins.
    pub fn begin() -> Self {
        Self { begun: Instant::now(), times: Times::default() }
    }

    /// It has ended.
    pub fn end(mut self) -> Times {
        self.times.whole = self.begun.elapsed();
        self.times
    }

    /// Asks the status port, which sends no redirects.
    pub async fn status_port(&mut self, host: (&str, u16), get: &Get) -> Result<Answer, Failure> {
        let stream = TcpStream::connect(host).await;
        let mut stream = stream.map_err(|error| failure(Reason::Unreachable, reason(&error)))?;
        self.connected();
        match self.http1(&mut stream, get, Reading::of_answer()).await? {
            Read::Whole(answer) => Ok(answer),
            Read::Follow(_) => unreachable!("no redirect is followed"),
        }
    }

    /// Makes a `tcpSocket` check.
    pub async fn tcp(&mut self, to: SocketAddr) -> Result<(), Failure> {
        self.dial(to).await.map(drop)
    }

    /// Makes an `httpGet` check, with all its redirects.
    pub async fn http(&mut self, get: Get, wire: Wire) -> Result<Answer, Failure> {
        let mut get = get;
        loop {
            match self.hop(&get, wire).await? {
                Read::Whole(answer) => return Ok(answer),
                Read::Follow(next) => get = *next,
            }
        }
    }

    /// Makes a `grpc` check. A port that refuses fails at once: the kubelet would dial again until its
    /// time is over, and come to the same.
    pub async fn grpc(
        &mut self,
        to: SocketAddr,
        over_tls: bool,
        service: &str,
    ) -> Result<(), Failure> {
        let stream = self.dial(to).await?;
        let stream: Box<dyn Stream> = if over_tls {
            let stream = tls::connect(stream, to.ip(), &[tls::H2]).await?;
            if !tls::is_http2(&stream) {
                return Err(failure(Reason::Tls, "TLS: the app does not agree on HTTP/2"));
            }
            Box::new(stream)
        } else {
            Box::new(stream)
        };
        let scheme = if over_tls { Scheme::Https } else { Scheme::Http };
        let request = Request::post(url(scheme, to.to_string().as_bytes(), grpc::PATH.as_bytes()))
            .header("content-type", "application/grpc")
            .header("user-agent", USER_AGENT)
            .header("te", "trailers")
            .body(Full::from(grpc::request(service)));
        let mut exchange = Exchange::default();
        let answer = exchange.send(stream, valid(request)?).await?;
        self.answered();
        serving(answer).await
    }

    async fn hop(&mut self, get: &Get, wire: Wire) -> Result<Read, Failure> {
        self.times.first_byte = None;
        let mut stream = self.dial(get.to()).await?;
        match (get.scheme(), wire) {
            (Scheme::Http, Wire::Any) => self.http1(&mut stream, get, Reading::of(get)).await,
            (Scheme::Http, Wire::Http2) => self.http2(Box::new(stream), get).await,
            (Scheme::Https, Wire::Http2) => {
                // The kubelet's client for HTTP/2 in clear text verifies there, and no pod's would pass.
                Err(failure(Reason::Redirect, "redirect from HTTP/2 in clear text to TLS"))
            }
            (Scheme::Https, Wire::Any) => {
                let alpn: [&[u8]; 2] = [tls::H2, b"http/1.1"];
                let mut stream = tls::connect(stream, get.to().ip(), &alpn).await?;
                if tls::is_http2(&stream) {
                    return self.http2(Box::new(stream), get).await;
                }
                self.http1(&mut stream, get, Reading::of(get)).await
            }
        }
    }

    async fn http1(
        &mut self,
        stream: &mut impl Stream,
        get: &Get,
        mut reading: Reading<'_>,
    ) -> Result<Read, Failure> {
        // An app may answer before it has read everything, and close: reading tells.
        let _ = stream.write_all(&get.bytes()).await;
        let _ = stream.flush().await;
        let mut piece = [0; 16 << 10];
        loop {
            match stream.read(&mut piece).await {
                Ok(n) => {
                    if n > 0 {
                        self.answered();
                    }
                    if let Some(read) = reading.feed(&piece[..n])? {
                        return Ok(read);
                    }
                }
                Err(error) => return reading.broken(self.broken(&error)),
            }
        }
    }

    async fn http2(&mut self, stream: Box<dyn Stream>, get: &Get) -> Result<Read, Failure> {
        let mut request = Request::get(url(get.scheme(), get.host(), get.target()));
        for (name, value) in get.headers() {
            request = request.header(name, value);
        }
        let request = valid(request.body(Full::default()))?;
        let mut exchange = Exchange::default();
        let (head, body) = exchange.send(stream, request).await?.into_parts();
        self.answered();
        let (status, location) = (head.status.as_u16(), head.headers.get("location"));
        match get.next(status, location.map(|location| location.as_bytes()))? {
            Some(next) => {
                // However it ends.
                let _ = read(body, REDIRECT_BODY_LIMIT).await;
                Ok(Read::Follow(next))
            }
            None => {
                let body = read(body, BODY_LIMIT).await.map_err(|error| {
                    failure(Reason::Broken, format!("the app's answer broke off: {error}"))
                })?;
                Ok(Read::Whole(Answer { status, headers: lines(&head.headers), body }))
            }
        }
    }

    /// From the source that a mesh's rules let pass straight to the app.
    async fn dial(&mut self, to: SocketAddr) -> Result<TcpStream, Failure> {
        let stream = dial::connect(to).await;
        let stream = stream.map_err(|DialFailure { reason, text }| Failure { reason, text })?;
        self.connected();
        Ok(stream)
    }

    fn connected(&mut self) {
        self.times.connect = Some(self.begun.elapsed());
    }

    fn answered(&mut self) {
        self.times.first_byte.get_or_insert(self.begun.elapsed());
    }

    fn broken(&self, error: &io::Error) -> Failure {
        let of = if self.times.first_byte.is_some() { Reason::Broken } else { Reason::Reset };
        failure(of, reason(error))
    }
}

/// An HTTP/2 exchange, whose connection ends when this is dropped.
#[derive(Default)]
struct Exchange(JoinSet<Result<(), hyper::Error>>);

impl Exchange {
    async fn send(
        &mut self,
        stream: Box<dyn Stream>,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Failure> {
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| no_http2(&error))?;
        self.0.spawn(connection);
        sender.send_request(request).await.map_err(|error| no_http2(&error))
    }
}

fn no_http2(error: &hyper::Error) -> Failure {
    let cause = error.source();
    let io = cause.and_then(|cause| cause.downcast_ref()).map(io::Error::kind);
    let closed = error.is_closed()
        || error.is_canceled()
        || error.is_incomplete_message()
        || matches!(io, Some(BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof));
    let reason = if closed { Reason::Reset } else { Reason::Invalid };
    let cause = cause.map(|cause| format!(": {cause}"));
    failure(reason, format!("HTTP/2: {error}{}", cause.unwrap_or_default()))
}

async fn serving(answer: Response<Incoming>) -> Result<(), Failure> {
    let in_head = answer.headers().get("grpc-status").cloned();
    let body = http_body_util::Limited::new(answer.into_body(), GRPC_LIMIT).collect().await;
    let body = body.map_err(|error| failure(Reason::Broken, error.to_string()))?;
    let in_trailers = body.trailers().and_then(|trailers| trailers.get("grpc-status").cloned());
    let status = in_head.or(in_trailers);
    grpc::verdict(status.as_ref().map(|status| status.as_bytes()), &body.to_bytes())
}

async fn read(mut incoming: Incoming, limit: usize) -> Result<Vec<u8>, hyper::Error> {
    let mut body = Vec::new();
    while body.len() < limit
        && let Some(frame) = incoming.frame().await
    {
        body.extend_from_slice(frame?.data_ref().map_or(&[], |data| data));
    }
    body.truncate(limit);
    Ok(body)
}

fn lines(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
}

fn url(scheme: Scheme, host: &[u8], target: &[u8]) -> Vec<u8> {
    let name = scheme.as_str().to_ascii_lowercase();
    [name.as_bytes(), b"://", host, target].concat()
}

fn valid<T>(request: hyper::http::Result<T>) -> Result<T, Failure> {
    request.map_err(|error| failure(Reason::Config, format!("cannot be sent by HTTP/2: {error}")))
}

fn failure(reason: Reason, text: impl Into<String>) -> Failure {
    Failure { reason, text: text.into() }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind::InvalidData;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::ReadBuf;

    use super::*;

    /// A connection that takes nothing, by this error.
    struct Fails(io::ErrorKind);

    impl AsyncRead for Fails {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Fails {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(self.0.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Err(self.0.into()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn an_app_that_closes_resets_whichever_side_sees_it_first() {
        for (kind, reason) in [
            (ConnectionReset, Reason::Reset),
            (BrokenPipe, Reason::Reset),
            (InvalidData, Reason::Invalid),
        ] {
            let request = Request::post("http://a/").body(Full::default()).unwrap();
            let sent = Exchange::default().send(Box::new(Fails(kind)), request).await;
            let failure = sent.expect_err("no connection");
            assert_eq!(failure.reason, reason, "{kind}: {}", failure.text);
        }
    }
}
