//! One connection: TLS, then HTTP/1.1 or HTTP/2, as its client chose.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::graceful::GracefulConnection;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::server::{Phase, Server};
use super::status;
use crate::net::connections::Connection;

/// For a connection that is told to close, and has no request under way, to do so.
const CLOSE: Duration = Duration::from_secs(1);

/// A request's head, all of it; hyper takes no less.
const MOST_HEAD: usize = 16 << 10;

/// Requests at once on one connection: an API server opens another one beyond that.
const STREAMS: u32 = 8;

/// What a request may send ahead of our reading it. All that may be open send as much twice, and wait
/// for memory: what is read to see that there is something, and what comes in its place.
const WINDOW: u32 = 8 << 10;

/// The same of all that are on a connection. A body that waits for memory leaves the others theirs.
const CONNECTION_WINDOW: u32 = STREAMS * WINDOW;

type Answer<B> = Result<Response<B>, Infallible>;

/// A connection to the port of the reviews.
struct Client {
    connection: Connection,
    /// Told when it takes too long to read an answer.
    reader: Arc<Notify>,
}

impl Server {
    /// A connection to the port of the reviews.
    pub async fn talk_tls(self: Arc<Self>, stream: TcpStream, connection: Connection) {
        let tls = tokio::select! {
            biased;
            () = connection.closed() => return,
            () = self.draining() => return,
            tls = self.tls.accept(stream) => tls,
        };
        match tls {
            Ok(tls) if tls.get_ref().1.alpn_protocol() == Some(b"h2") => {
                self.talk_http2(tls, Client::new(connection)).await;
            }
            Ok(tls) => self.talk_http1(tls, Client::new(connection)).await,
            Err(error) => log::debug!("TLS handshake: {error}"),
        }
    }

    async fn talk_http1(self: Arc<Self>, tls: TlsStream<TcpStream>, client: Arc<Client>) {
        let service = service_fn(|request| self.review(request, &client));
        let talk = http1::Builder::new()
            // hyper's own would end idle connections too: see Connections.
            .header_read_timeout(None)
            .max_buf_size(MOST_HEAD)
            .serve_connection(TokioIo::new(tls), service);
        self.until_closed(talk, &client).await;
    }

    async fn talk_http2(self: Arc<Self>, tls: TlsStream<TcpStream>, client: Arc<Client>) {
        let service = service_fn(|request| {
            let (server, client) = (Arc::clone(&self), Arc::clone(&client));
            async move { server.review(request, &client).await }
        });
        let talk = http2::Builder::new(TokioExecutor::new())
            .max_concurrent_streams(STREAMS)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_stream_window_size(WINDOW)
            .max_header_list_size(MOST_HEAD as u32)
            .serve_connection(TokioIo::new(tls), service);
        self.until_closed(talk, &client).await;
    }

    /// A connection to the port of health and metrics.
    pub async fn talk_plain(self: Arc<Self>, stream: TcpStream, connection: Connection) {
        let service = service_fn(async |request: Request<Incoming>| -> Answer<String> {
            let _busy = connection.busy();
            Ok(status::answer(&request, &self))
        });
        let talk = http1::Builder::new()
            .header_read_timeout(None)
            .max_buf_size(MOST_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            biased;
            () = connection.closed() => {}
            _ = talk => {}
        }
    }

    /// Serves until the client, or we, want to end it. Requests under way are answered.
    async fn until_closed<C>(&self, talk: C, client: &Client)
    where
        C: GracefulConnection<Error = hyper::Error>,
    {
        let mut talk = pin!(talk);
        let result = tokio::select! {
            biased;
            () = client.reader.notified() => Ok(()),
            () = client.connection.closed() => {
                talk.as_mut().graceful_shutdown();
                timeout(CLOSE, talk).await.unwrap_or(Ok(()))
            }
            () = self.draining() => {
                talk.as_mut().graceful_shutdown();
                tokio::select! {
                    () = client.reader.notified() => Ok(()),
                    result = talk => result,
                }
            }
            result = talk.as_mut() => result,
        };
        if let Err(error) = result {
            log::debug!("connection: {error}");
        }
    }

    async fn review(&self, request: Request<Incoming>, client: &Client) -> Answer<Full<Bytes>> {
        let _busy = client.connection.busy();
        let version = request.version();
        let mut response = self.mutate(request, &client.reader).await;
        if version < Version::HTTP_2 && self.phase() > Phase::Serving {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}

impl Client {
    fn new(connection: Connection) -> Arc<Self> {
        Arc::new(Self { connection, reader: Arc::default() })
    }
}
