//! An HTTPS app with a self-signed certificate.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::PrivateKeyDer;
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, ServerConfig, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::Request;
use super::server::{Log, Server};

/// What the app offers in the TLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpn {
    /// No ALPN at all, and HTTP/1.1.
    None,
    /// `http/1.1`
    Http1,
    /// `h2`
    Http2,
    /// Both, `h2` first.
    Both,
}

/// The TLS versions that the app speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// Only 1.2.
    Only12,
    /// Only 1.3.
    Only13,
    /// 1.2 and 1.3.
    Both,
}

/// An answer of a TLS app.
pub type TlsAnswer = Response<Full<Bytes>>;

/// An answer of this status, without a body.
pub fn status(status: u16) -> TlsAnswer {
    let answer = Response::builder().status(status).body(Full::default());
    answer.expect("a status that exists")
}

/// Answers over TLS.
pub struct Https {
    server: Server,
    log: Log,
}

impl Https {
    /// Answers each request as `answer` says.
    pub fn start(
        ip: IpAddr,
        alpn: Alpn,
        versions: Versions,
        answer: impl Fn(&Request) -> TlsAnswer + Send + Sync + 'static,
    ) -> Self {
        Self::start_at(SocketAddr::new(ip, 0), alpn, versions, answer)
    }

    /// As [`Https::start`], at an address.
    pub fn start_at(
        addr: SocketAddr,
        alpn: Alpn,
        versions: Versions,
        answer: impl Fn(&Request) -> TlsAnswer + Send + Sync + 'static,
    ) -> Self {
        let log = Log::default();
        let acceptor = TlsAcceptor::from(Arc::new(config(alpn, versions)));
        let (seen, answer) = (log.clone(), Arc::new(answer));
        let server = Server::start_at(addr, move |stream, peer| {
            serve(acceptor.clone(), stream, peer, seen.clone(), answer.clone())
        });
        Self { server, log }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Request> {
        self.log.all()
    }
}

async fn serve<A>(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
    log: Log,
    answer: Arc<A>,
) -> io::Result<()>
where
    A: Fn(&Request) -> TlsAnswer,
{
    let stream = acceptor.accept(stream).await?;
    let (_, session) = stream.get_ref();
    let sni = session.server_name().map(ToOwned::to_owned);
    let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
    let is_http2 = session.alpn_protocol() == Some(b"h2");
    let service = service_fn(|request: hyper::Request<_>| {
        let request = Request { sni: sni.clone(), resumed, ..Request::of(peer, &request) };
        log.add(request.clone());
        let answer = answer(&request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let io = TokioIo::new(stream);
    let served = if is_http2 {
        http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await
    } else {
        http1::Builder::new().serve_connection(io, service).await
    };
    served.map_err(io::Error::other)
}

/// With a certificate of its own.
pub(super) fn config(alpn: Alpn, versions: Versions) -> ServerConfig {
    let identity = rcgen::generate_simple_self_signed(["app".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(identity.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(supported(versions))
        .expect("versions that ring has")
        .with_no_client_auth()
        .with_single_cert(vec![identity.cert.der().clone()], key)
        .expect("a key that fits");
    config.alpn_protocols = match alpn {
        Alpn::None => vec![],
        Alpn::Http1 => vec![b"http/1.1".to_vec()],
        Alpn::Http2 => vec![b"h2".to_vec()],
        Alpn::Both => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    config
}

fn supported(versions: Versions) -> &'static [&'static SupportedProtocolVersion] {
    static ONLY_12: [&SupportedProtocolVersion; 1] = [&TLS12];
    static ONLY_13: [&SupportedProtocolVersion; 1] = [&TLS13];
    match versions {
        Versions::Only12 => &ONLY_12,
        Versions::Only13 => &ONLY_13,
        Versions::Both => rustls::ALL_VERSIONS,
    }
}
