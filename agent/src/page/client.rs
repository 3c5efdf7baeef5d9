//! One request on a connection of its own, all of it within one deadline.

use std::io;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, HOST, HeaderValue};
use hyper::{Request, Response, StatusCode, Uri};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::net::client::exchange;
use crate::net::reason;

/// For everything: the name, the connection, the whole answer. The line is there within 5 s.
const DEADLINE: Duration = Duration::from_secs(4);

/// How pilot-agent's answer to a path that it does not know begins.
const PILOT_AGENT: &str = "app prober config does not exist";

/// The longest answer, in bytes: far more than 200 probes with long texts make.
const LARGEST: usize = 4 << 20;

/// The body of the answer, where that is 200.
///
/// # Errors
/// One line, without the URL.
pub async fn get(url: &Uri) -> Result<Bytes, String> {
    let answer = timeout(DEADLINE, answer(url)).await;
    let answer = answer.map_err(|_| format!("no answer within {} s", DEADLINE.as_secs()))??;
    match answer.status() {
        StatusCode::OK => Ok(answer.into_body()),
        status => Err(refusal(status, answer.body())),
    }
}

async fn answer(url: &Uri) -> Result<Response<Bytes>, String> {
    let stream = connect(url).await.map_err(|error| not_connected(&error))?;
    exchange(stream, request(url), LARGEST).await
}

async fn connect(url: &Uri) -> io::Result<TcpStream> {
    let host = url.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    TcpStream::connect((host, url.port_u16().unwrap_or(80))).await
}

fn not_connected(error: &io::Error) -> String {
    let hint = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "; outside the pod it takes kubectl port-forward POD 15020"
        }
        _ => "",
    };
    format!("{}{hint}", reason(error))
}

fn request(url: &Uri) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    let target = url.path_and_query().cloned().map(Uri::from);
    *request.uri_mut() = target.unwrap_or_default();
    // An authority has no character that a header could not have.
    let host = url.authority().and_then(|it| HeaderValue::from_str(it.as_str()).ok());
    let accept = HeaderValue::from_static("application/json");
    request.headers_mut().extend(host.map(|host| (HOST, host)));
    request.headers_mut().insert(ACCEPT, accept);
    request
}

/// Why there is no page, by the status of the answer.
fn refusal(status: StatusCode, body: &[u8]) -> String {
    let status = status.as_u16();
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    match status {
        403 => format!(
            "403: {text}: only callers on loopback see the page, by an IP address or as localhost: ask \
             in the pod, or by kubectl port-forward"
        ),
        400 if text.starts_with(PILOT_AGENT) => {
            "400: Istio's pilot-agent answers here, and not the filter: \
            probes are answered, but without a status page; for the filter, label the namespace \
            app-health/filter=enabled and replace the pod; where both is done, the webhook's log says why not"
                .into()
        }
        400 => "400 instead of a status page: Envoy's configuration may lack the route status_page"
            .into(),
        503 => format!("503: {text}"),
        404 => "404 instead of a status page, whose path is /app-health/".into(),
        _ => format!("{status} instead of a status page"),
    }
}
