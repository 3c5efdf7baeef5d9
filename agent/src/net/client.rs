//! One request on a connection of its own.

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// The whole answer, of so many bytes at most.
///
/// # Errors
/// One line: no HTTP, too long, broken off.
pub async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    largest: usize,
) -> Result<Response<Bytes>, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let broken = |error: hyper::Error| format!("no HTTP answer: {error}");
    let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // It ends with the client.
    tokio::spawn(connection);
    let (head, body) = client.send_request(request).await.map_err(broken)?.into_parts();
    let body = Limited::new(body, largest).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            format!("the answer is longer than {} MiB", largest >> 20)
        } else {
            format!("the answer broke off: {error}")
        }
    })?;
    Ok(Response::from_parts(head, body.to_bytes()))
}
