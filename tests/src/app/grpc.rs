//! A gRPC app with a health service, or without one.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use app_health_webhook::kubelet::grpc::PATH;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{HeaderMap, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::Request;
use super::script::AppStream;
use super::server::{Log, Server};
use super::tls::{Alpn, Versions, config};
use crate::health::{self, ServingStatus};

/// What the health service says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The service answers with this status.
    Says(ServingStatus),
    /// An error with this `grpc-status`: 5 for a service that it does not know,
    /// 12 where there is no health service.
    Error(u8),
    /// The app answers with this HTTP status and does not speak gRPC.
    Status(u16),
    /// The service says SERVING after this time.
    Late(Duration),
    /// The service says SERVING, in a message with an unknown field of so many bytes.
    Long(usize),
    /// The service resets the stream at the call's own deadline.
    ResetAtDeadline,
    /// The service never answers.
    Silent,
}

/// Speaks gRPC, and so HTTP/2, in plain text or over TLS.
pub struct Grpc {
    server: Server,
    log: Log,
    services: Arc<Mutex<Vec<String>>>,
    health: Arc<Mutex<Health>>,
}

impl Grpc {
    /// Listens on a free port.
    pub fn start(ip: IpAddr, health: Health) -> Self {
        Self::start_at(SocketAddr::new(ip, 0), health)
    }

    /// The same over TLS.
    pub fn over_tls(ip: IpAddr, health: Health) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config(Alpn::Http2, Versions::Both)));
        Self::serving(SocketAddr::new(ip, 0), health, move |stream| {
            let acceptor = acceptor.clone();
            async move { acceptor.accept(stream).await }
        })
    }

    /// Listens at an address.
    pub fn start_at(addr: SocketAddr, health: Health) -> Self {
        Self::serving(addr, health, |stream| async { Ok(stream) })
    }

    /// `open` makes the stream that is served out of a connection: over TLS or not.
    fn serving<O, F, S>(addr: SocketAddr, health: Health, open: O) -> Self
    where
        O: Fn(TcpStream) -> F + Clone + Send + 'static,
        F: Future<Output = io::Result<S>> + Send + 'static,
        S: AppStream,
    {
        let log = Log::default();
        let services = Arc::<Mutex<Vec<String>>>::default();
        let health = Arc::new(Mutex::new(health));
        let (seen, asked, says) = (log.clone(), services.clone(), health.clone());
        let server = Server::start_at(addr, move |stream, peer| {
            let (seen, asked, says) = (seen.clone(), asked.clone(), says.clone());
            let opened = open(stream);
            async move {
                serve(opened.await?, move |request| {
                    seen.add(Request::of(peer, &request));
                    let (asked, says) = (asked.clone(), says.clone());
                    async move {
                        let call = Call::of(&request);
                        let service = service(request).await;
                        asked.lock().expect("no app panics").push(service);
                        let says = *says.lock().expect("no app panics");
                        answer(call, says).await
                    }
                })
                .await
            }
        });
        Self { server, log, services, health }
    }

    /// Changes what it says from now on.
    pub fn set(&self, health: Health) {
        *self.health.lock().expect("no app panics") = health;
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Request> {
        self.log.all()
    }

    /// The services that were asked for so far.
    pub fn services(&self) -> Vec<String> {
        self.services.lock().expect("no app panics").clone()
    }
}

/// An answer of an app that speaks HTTP/2. An error resets the stream.
pub(super) type AppAnswer = Result<Response<BoxBody<Bytes, Infallible>>, io::Error>;

/// The parts of a request on which the answer depends, besides the service's health.
#[derive(Clone, Copy)]
struct Call {
    is_check: bool,
    /// The call's deadline, if it is in whole milliseconds, as Envoy writes it.
    deadline: Option<Duration>,
}

impl Call {
    fn of(request: &hyper::Request<Incoming>) -> Self {
        let timeout = request.headers().get("grpc-timeout").and_then(|text| text.to_str().ok());
        let millis = timeout.and_then(|text| text.strip_suffix('m')?.parse().ok());
        Self { is_check: request.uri().path() == PATH, deadline: millis.map(Duration::from_millis) }
    }
}

/// Serves one connection of an app that speaks HTTP/2.
pub(super) async fn serve<S, F, A>(stream: S, answer: F) -> io::Result<()>
where
    S: AppStream,
    F: Fn(hyper::Request<Incoming>) -> A + Send + 'static,
    A: Future<Output = AppAnswer> + Send + 'static,
{
    let service = service_fn(answer);
    let builder = http2::Builder::new(TokioExecutor::new());
    let served = builder.serve_connection(TokioIo::new(stream), service).await;
    served.map_err(io::Error::other)
}

/// Serves one connection of a health service that says this.
pub(super) async fn serve_health(stream: impl AppStream, says: Health) -> io::Result<()> {
    serve(stream, move |request| async move {
        let call = Call::of(&request);
        service(request).await;
        answer(call, says).await
    })
    .await
}

/// The service that a request asks for, once all of it is there.
async fn service(request: hyper::Request<Incoming>) -> String {
    let frame = request.into_body().collect().await.map(|body| body.to_bytes());
    health::service(&frame.unwrap_or_default()).unwrap_or("unreadable".into())
}

async fn answer(Call { is_check, deadline }: Call, says: Health) -> AppAnswer {
    Ok(match says {
        Health::Says(status) if is_check => grpc(Some(health::response(status)), 0),
        Health::Long(size) if is_check => grpc(Some(health::long_response(size)), 0),
        Health::Late(time) if is_check => {
            tokio::time::sleep(time).await;
            grpc(Some(health::response(ServingStatus::Serving)), 0)
        }
        Health::Says(_) | Health::Long(_) | Health::Late(_) => grpc(None, 12),
        Health::Error(code) => grpc(None, code),
        Health::Status(status) => {
            let answer = Response::builder().status(status).body(Full::default().boxed());
            answer.expect("a status that exists")
        }
        Health::ResetAtDeadline => {
            tokio::time::sleep(deadline.expect("the caller names its deadline")).await;
            return Err(io::ErrorKind::TimedOut.into());
        }
        Health::Silent => pending().await,
    })
}

/// The message, where there is one, and `grpc-status` in the trailers; without one, in the head.
fn grpc(frame: Option<Vec<u8>>, code: u8) -> Response<BoxBody<Bytes, Infallible>> {
    let answer = Response::builder().header("content-type", "application/grpc");
    let code = HeaderValue::from(u16::from(code));
    let answer = match frame {
        Some(frame) => {
            let trailers = HeaderMap::from_iter([("grpc-status".parse().expect("a name"), code)]);
            let body = Full::<Bytes>::from(frame);
            answer.body(body.with_trailers(async move { Some(Ok(trailers)) }).boxed())
        }
        None => answer.header("grpc-status", code).body(Full::default().boxed()),
    };
    answer.expect("an answer of fixed parts")
}
