//! The mesh's certificates, and a client that has one.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::authority::Issuer;

const SIDECAR: &str = "sidecar.test";

/// Who may take part in the mesh.
#[derive(Default)]
pub struct MeshAuthority(Issuer);

impl MeshAuthority {
    /// What Envoy needs to ask for certificates of this authority.
    pub(super) fn downstream(&self) -> serde_json::Value {
        let (certificate, key) = self.0.issue(SIDECAR);
        serde_json::json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "require_client_certificate": true,
                "common_tls_context": {
                    "tls_certificates": [{
                        "certificate_chain": {"inline_string": certificate.pem()},
                        "private_key": {"inline_string": key.serialize_pem()},
                    }],
                    "validation_context": {"trusted_ca": {"inline_string": self.0.pem()}},
                },
            },
        })
    }

    /// A client with a certificate of the mesh.
    pub fn client(&self) -> Mtls {
        let (certificate, key) = self.0.issue("client.test");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions that ring has")
            .with_root_certificates(self.0.roots())
            .with_client_auth_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .expect("a key that fits");
        Mtls(Arc::new(config))
    }
}

/// A client in the mesh.
#[derive(Clone)]
pub struct Mtls(Arc<ClientConfig>);

impl Mtls {
    /// Sends these bytes and gives back all that comes until the other side closes.
    pub fn exchange(&self, to: SocketAddr, bytes: &str) -> io::Result<String> {
        let timeout = Duration::from_secs(5);
        let stream = TcpStream::connect_timeout(&to, timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        let name = ServerName::try_from(SIDECAR).expect("a name");
        let session = ClientConnection::new(self.0.clone(), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(session, stream);
        stream.write_all(bytes.as_bytes())?;
        let mut all = Vec::new();
        match stream.read_to_end(&mut all) {
            // Whoever closes a plain connection sends no close_notify.
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
            _ => Ok(String::from_utf8_lossy(&all).into_owned()),
        }
    }
}
