//! `grpc`: the app's health service says SERVING.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use app_health_webhook::kubelet::grpc::{PATH, USER_AGENT, request, verdict};
use app_health_webhook::probers::Scheme;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, Response};

use super::http2::{Boxed, Exchange, Transport, connect};
use crate::runtime;

/// `Ok` when the service says SERVING, else the reason. The timeout covers the dial and the check. As
/// the kubelet does, it dials again after a refused connection, until the time is over.
pub fn grpc(to: SocketAddr, service: &str, timeout: Duration) -> Result<(), String> {
    over(Scheme::Http, to, service, timeout)
}

/// The same with `mode: TLS`.
pub fn grpc_tls(to: SocketAddr, service: &str, timeout: Duration) -> Result<(), String> {
    over(Scheme::Https, to, service, timeout)
}

fn over(scheme: Scheme, to: SocketAddr, service: &str, timeout: Duration) -> Result<(), String> {
    let check = async {
        let connection = dial(to, scheme).await.map_err(|error| error.to_string())?;
        check(connection, to, service).await.map_err(|error| error.to_string())
    };
    let outcome = runtime().block_on(async { tokio::time::timeout(timeout, check).await });
    outcome.unwrap_or_else(|_| Err("not in time".into()))
}

async fn dial(to: SocketAddr, scheme: Scheme) -> io::Result<Box<dyn Transport>> {
    loop {
        match connect(to, scheme).await {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            outcome => return outcome,
        }
    }
}

async fn check(connection: Box<dyn Transport>, to: SocketAddr, service: &str) -> Result<(), Boxed> {
    let mut exchange = Exchange::default();
    read(exchange.send(connection, call(to, service)?).await?).await
}

fn call(to: SocketAddr, service: &str) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    Request::post(format!("http://{to}{}", PATH))
        .header("content-type", "application/grpc")
        .header("user-agent", USER_AGENT)
        .header("te", "trailers")
        .body(Full::from(request(service)))
}

async fn read(answer: Response<hyper::body::Incoming>) -> Result<(), Boxed> {
    let in_head = answer.headers().get("grpc-status").cloned();
    let body = answer.into_body().collect().await?;
    let in_trailers = body.trailers().and_then(|trailers| trailers.get("grpc-status").cloned());
    let status = in_head.or(in_trailers);
    Ok(verdict(status.as_ref().map(|status| status.as_bytes()), &body.to_bytes())?)
}
