//! A client over TLS, as an API server is one: HTTP/2 or HTTP/1.1, connections kept.

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
use crate::server::Server;

/// The version of HTTP to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http {
    One,
    Two,
}

/// An open connection.
pub enum Connection {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
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

pub fn review() -> String {
    include_str!("../../../tests/golden/admission/create-pod.json").to_owned()
}

pub fn config(
    roots: RootCertStore,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The handshake.
pub async fn tls(server: &Server, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(server.address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from(NAME).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

impl Connection {
    pub async fn open(server: &Server, authority: &Authority, http: Http) -> Result<Self, Failure> {
        let not_sent = |error: &dyn std::error::Error| Failure::NotSent(error.to_string());
        let mut config = config(authority.roots(), rustls::ALL_VERSIONS);
        let protocol: &[u8] = if http == Http::Two { b"h2" } else { b"http/1.1" };
        config.alpn_protocols = vec![protocol.to_vec()];
        let tls = tls(server, config).await.map_err(|error| not_sent(&error))?;
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(protocol));
        let io = TokioIo::new(tls);
        Ok(match http {
            Http::One => {
                let (sender, talk) =
                    http1::handshake(io).await.map_err(|error| not_sent(&error))?;
                tokio::spawn(talk);
                Self::One(sender)
            }
            Http::Two => {
                let (sender, talk) = http2::handshake(TokioExecutor::new(), io)
                    .await
                    .map_err(|error| not_sent(&error))?;
                tokio::spawn(talk);
                Self::Two(sender)
            }
        })
    }

    pub async fn post(&mut self, body: impl Into<Bytes>) -> Result<Answer, Failure> {
        self.send("POST", "/mutate?timeout=5s", body).await
    }

    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, Failure> {
        // What a connection that has said its last refuses, has not been sent.
        self.ready().await.map_err(|error| Failure::NotSent(error.to_string()))?;
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
            .unwrap();
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
        Answer::read(response.map_err(lost)?).await.map_err(lost)
    }

    async fn ready(&mut self) -> Result<(), hyper::Error> {
        match self {
            Self::One(sender) => sender.ready().await,
            Self::Two(sender) => sender.ready().await,
        }
    }
}

impl Answer {
    async fn read(response: Response<Incoming>) -> Result<Self, hyper::Error> {
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        let closes = head.headers.get("connection").is_some_and(|value| value == "close");
        let body = String::from_utf8(body.to_vec()).unwrap();
        Ok(Self { status: head.status.as_u16(), body, closes })
    }
}
