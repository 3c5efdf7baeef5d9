//! One HTTP/2 exchange on a connection of its own: what the kubelet does over TLS where ALPN says so,
//! for `protocol: HTTP2`, and for gRPC.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use app_health_webhook::kubelet::{Answer, BODY_LIMIT, Get};
use app_health_webhook::probers::Scheme;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http2;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::tls;
use crate::runtime;

pub(super) type Boxed = Box<dyn Error + Send + Sync>;

/// The answer to a GET, its body read as far as the kubelet reads it. Redirects are answers.
pub fn http2(
    to: SocketAddr,
    scheme: Scheme,
    target: &str,
    timeout: Duration,
) -> io::Result<Answer> {
    let asked = async {
        let get = Get::probe(to, target);
        let name = scheme.as_str().to_ascii_lowercase();
        let mut request = Request::get(format!("{name}://{to}{target}"));
        for (name, value) in get.headers() {
            request = request.header(name, value);
        }
        let request = request.body(Empty::<Bytes>::new())?;
        let mut exchange = Exchange::default();
        let answer = exchange.send(connect(to, scheme).await?, request).await?;
        read(answer).await
    };
    let outcome = runtime().block_on(async { tokio::time::timeout(timeout, asked).await });
    outcome.map_err(|_| timed_out())?.map_err(io::Error::other)
}

async fn read(answer: Response<Incoming>) -> Result<Answer, Boxed> {
    let (head, mut incoming) = answer.into_parts();
    let mut body = Vec::new();
    while body.len() < BODY_LIMIT
        && let Some(frame) = incoming.frame().await
    {
        body.extend_from_slice(frame?.data_ref().map_or(&[], |data| data));
    }
    body.truncate(BODY_LIMIT);
    Ok(Answer { status: head.status.as_u16(), headers: lines(&head.headers), body })
}

fn lines(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
}

fn timed_out() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "not in time")
}

/// A connection, over TLS or not.
pub(super) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

pub(super) async fn connect(to: SocketAddr, scheme: Scheme) -> io::Result<Box<dyn Transport>> {
    Ok(match scheme {
        Scheme::Http => Box::new(TcpStream::connect(to).await?),
        Scheme::Https => Box::new(tls::connect_http2(to).await?),
    })
}

/// An exchange whose connection ends when this is dropped, as it is when the time is over.
#[derive(Default)]
pub(super) struct Exchange(JoinSet<Result<(), hyper::Error>>);

impl Exchange {
    /// The head of the answer.
    pub(super) async fn send<B>(
        &mut self,
        connection: Box<dyn Transport>,
        request: Request<B>,
    ) -> Result<Response<Incoming>, hyper::Error>
    where
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Boxed>,
    {
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(connection)).await?;
        self.0.spawn(connection);
        sender.send_request(request).await
    }
}
