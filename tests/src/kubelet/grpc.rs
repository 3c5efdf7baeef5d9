//! `grpc`: the app's health service says SERVING.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::{health, runtime};

type Boxed = Box<dyn Error + Send + Sync>;

/// `Ok` for SERVING, else why not. The timeout covers dial and check; as in the kubelet a refused
/// connection is dialled again until it is over.
pub fn grpc(to: SocketAddr, service: &str, timeout: Duration) -> Result<(), String> {
    let check = async {
        let stream = dial(to).await;
        check(stream, to, service).await.map_err(|error| error.to_string())
    };
    let outcome = runtime().block_on(async { tokio::time::timeout(timeout, check).await });
    outcome.unwrap_or_else(|_| Err("not in time".into()))
}

async fn dial(to: SocketAddr) -> TcpStream {
    loop {
        match TcpStream::connect(to).await {
            Ok(stream) => return stream,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn check(stream: TcpStream, to: SocketAddr, service: &str) -> Result<(), Boxed> {
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    // Ends the connection when it is dropped, also where the time is over.
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    let answer = sender.send_request(call(to, service)?).await?;
    verdict(answer).await
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
