//! `grpc`: the app's health service says SERVING.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, Response};

use super::dial::Security;
use super::http2::{Boxed, Exchange, Transport, connect};
use crate::{health, runtime};

/// `Ok` when the service says SERVING, else the reason. The timeout covers the dial and the check. As
/// the kubelet does, it dials again after a refused connection, until the time is over.
pub fn grpc(to: SocketAddr, service: &str, timeout: Duration) -> Result<(), String> {
    over(Security::Plain, to, service, timeout)
}

/// The same with `mode: TLS`.
pub fn grpc_tls(to: SocketAddr, service: &str, timeout: Duration) -> Result<(), String> {
    over(Security::Tls, to, service, timeout)
}

fn over(
    security: Security,
    to: SocketAddr,
    service: &str,
    timeout: Duration,
) -> Result<(), String> {
    let check = async {
        let connection = dial(to, security).await.map_err(|error| error.to_string())?;
        check(connection, to, service).await.map_err(|error| error.to_string())
    };
    let outcome = runtime().block_on(async { tokio::time::timeout(timeout, check).await });
    outcome.unwrap_or_else(|_| Err("not in time".into()))
}

async fn dial(to: SocketAddr, security: Security) -> io::Result<Box<dyn Transport>> {
    loop {
        match connect(to, security).await {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            outcome => return outcome,
        }
    }
}

async fn check(connection: Box<dyn Transport>, to: SocketAddr, service: &str) -> Result<(), Boxed> {
    let mut exchange = Exchange::default();
    verdict(exchange.send(connection, call(to, service)?).await?).await
}

fn call(to: SocketAddr, service: &str) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    Request::post(format!("http://{to}{}", health::CHECK))
        .header("content-type", "application/grpc")
        .header("user-agent", "kube-probe/1.36 grpc-go/1.78.0")
        .header("te", "trailers")
        .body(Full::from(health::request(service)))
}

async fn verdict(answer: Response<hyper::body::Incoming>) -> Result<(), Boxed> {
    let in_head = answer.headers().get("grpc-status").cloned();
    let body = answer.into_body().collect().await?;
    let in_trailers = body.trailers().and_then(|trailers| trailers.get("grpc-status").cloned());
    match in_head.or(in_trailers) {
        Some(code) if code == "0" && health::is_serving(&body.to_bytes()) => Ok(()),
        Some(code) if code == "0" => Err("not SERVING".into()),
        Some(code) => Err(format!("grpc-status {}", code.to_str()?).into()),
        None => Err("no grpc-status".into()),
    }
}
