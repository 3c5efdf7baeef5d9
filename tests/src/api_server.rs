//! Asks the webhook as an API server does: over TLS, by HTTP/2 or HTTP/1.1, connections kept.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::authority::{Authority, NAME};

/// The version of HTTP to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http {
    /// HTTP/1.1
    One,
    /// HTTP/2
    Two,
}

/// An open connection.
pub enum Connection {
    /// By HTTP/1.1.
    One(http1::SendRequest<Full<Bytes>>),
    /// By HTTP/2.
    Two(http2::SendRequest<Full<Bytes>>),
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// All of the body.
    pub body: String,
    /// The client is not to use the connection any more.
    pub closes: bool,
}

/// Why there is none.
#[derive(Debug)]
pub enum Failure {
    /// Nothing was sent.
    NotSent(String),
    /// It was sent, and may have been seen.
    Lost(String),
}

/// What an API server sends when a pod is created.
pub fn review() -> String {
    include_str!("../golden/admission/create-pod.json").to_owned()
}

/// Trusts these, and speaks these versions of TLS.
pub fn config(
    roots: RootCertStore,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("versions that ring has")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The handshake.
///
/// # Errors
/// Where there is no connection, or the certificate is not one to trust.
pub async fn tls(
    to: impl Into<SocketAddr>,
    config: ClientConfig,
) -> io::Result<TlsStream<TcpStream>> {
    tls_to(NAME, to, config).await
}

async fn tls_to(
    name: &'static str,
    to: impl Into<SocketAddr>,
    config: ClientConfig,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(to.into()).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from(name).expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

impl Connection {
    /// A new connection to whom this authority certifies.
    ///
    /// # Errors
    /// Where it does not come up.
    pub async fn open(
        to: impl Into<SocketAddr>,
        authority: &Authority,
        http: Http,
    ) -> Result<Self, Failure> {
        Self::open_to(NAME, to, authority.roots(), http).await
    }

    /// A new connection to whoever has this name by one of these.
    ///
    /// # Errors
    /// Where it does not come up.
    pub async fn open_to(
        name: &'static str,
        to: impl Into<SocketAddr>,
        roots: RootCertStore,
        http: Http,
    ) -> Result<Self, Failure> {
        let mut config = config(roots, rustls::ALL_VERSIONS);
        let protocol: &[u8] = if http == Http::Two { b"h2" } else { b"http/1.1" };
        config.alpn_protocols = vec![protocol.to_vec()];
        let tls = tls_to(name, to, config).await.map_err(not_sent)?;
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(protocol));
        let io = TokioIo::new(tls);
        Ok(match http {
            Http::One => {
                let (sender, talk) = http1::handshake(io).await.map_err(not_sent)?;
                tokio::spawn(talk);
                Self::One(sender)
            }
            Http::Two => {
                let executor = TokioExecutor::new();
                let (sender, talk) = http2::handshake(executor, io).await.map_err(not_sent)?;
                tokio::spawn(talk);
                Self::Two(sender)
            }
        })
    }

    /// The answer to a review.
    ///
    /// # Errors
    /// Where there is none.
    pub async fn post(&mut self, body: impl Into<Bytes>) -> Result<Reply, Failure> {
        self.send("POST", "/mutate?timeout=5s", body).await
    }

    /// The answer to any request.
    ///
    /// # Errors
    /// Where there is none.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Reply, Failure> {
        // What a connection that has said its last refuses, has not been sent.
        self.ready().await.map_err(not_sent)?;
        let uri = match self {
            Self::One(_) => path.to_owned(),
            Self::Two(_) => format!("https://{NAME}{path}"),
        };
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("host", NAME)
            .header("content-type", "application/json")
            .body(Full::new(body.into()))
            .expect("a request");
        let response = match self {
            Self::One(sender) => sender.send_request(request).await,
            Self::Two(sender) => sender.send_request(request).await,
        };
        let lost = |error: hyper::Error| {
            let text = format!("{error:?}");
            // Streams that the server has begun to read outlive its GOAWAY; this is said of others.
            let is_refused = text.contains("GoAway(b\"\", NO_ERROR, Remote)");
            if error.is_canceled() || is_refused {
                Failure::NotSent(text)
            } else {
                Failure::Lost(text)
            }
        };
        Reply::read(response.map_err(lost)?).await.map_err(lost)
    }

    async fn ready(&mut self) -> Result<(), hyper::Error> {
        match self {
            Self::One(sender) => sender.ready().await,
            Self::Two(sender) => sender.ready().await,
        }
    }
}

fn not_sent(error: impl Error) -> Failure {
    Failure::NotSent(error.to_string())
}

impl Reply {
    async fn read(response: Response<Incoming>) -> Result<Self, hyper::Error> {
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        let closes = head.headers.get("connection").is_some_and(|value| value == "close");
        let body = String::from_utf8(body.to_vec()).expect("text");
        Ok(Self { status: head.status.as_u16(), body, closes })
    }
}
