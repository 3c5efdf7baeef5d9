//! TLS as the kubelet speaks it to an app: no certificate is verified.

use std::net::IpAddr;
use std::sync::Arc;

use app_health_webhook::kubelet::Failure;
use app_health_webhook::reason::Reason;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// HTTP/2 in the handshake.
pub const H2: &[u8] = b"h2";

/// Shakes hands, and offers these protocols. An IP address is no name to ask for (SNI).
///
/// # Errors
/// The app speaks no TLS, or none that fits.
pub async fn connect(
    stream: TcpStream,
    ip: IpAddr,
    alpn: &[&[u8]],
) -> Result<TlsStream<TcpStream>, Failure> {
    let failure = |error: &dyn ToString| Failure {
        reason: Reason::Tls,
        text: format!("TLS: {}", error.to_string()),
    };
    let config = config(alpn).map_err(|error| failure(&error))?;
    let connected = TlsConnector::from(Arc::new(config)).connect(ip.into(), stream).await;
    connected.map_err(|error| failure(&error))
}

/// Whether the app has agreed on HTTP/2.
pub fn is_http2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(H2)
}

fn config(alpn: &[&[u8]]) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any(provider)))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

/// Takes any certificate.
#[derive(Debug)]
struct Any(Arc<CryptoProvider>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
