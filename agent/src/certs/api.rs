//! The API server, as a pod asks it: three verbs, one connection each.

use std::env;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::exit::Failure;
use crate::input;
use crate::logger::{InLine, in_line};
use crate::net::client::exchange;
use crate::net::reason;

/// Far more than each of these objects may have.
const LARGEST: usize = 4 << 20;

/// For one request.
const DEADLINE: Duration = Duration::from_secs(10);

/// For what is busy, or not there yet: a run has so long from its start.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often that is asked for.
pub const AGAIN: Duration = Duration::from_secs(1);

/// How much of what the API server says is repeated.
const LONGEST: usize = 400;

/// As the audit log has it, and the fields that were set.
const PROGRAM: &str = "app-health-agent";

const JSON: &str = "application/json";

/// What is sent, and its kind.
type Body<'a> = Option<(&'static str, &'a Value)>;

/// Where it is, whom to trust there, and who asks.
pub struct Api {
    host: String,
    port: u16,
    tls: TlsConnector,
    token: HeaderValue,
    /// Until then it is worth while to wait.
    pub deadline: Instant,
}

/// Why there is no answer.
enum Problem {
    /// It may pass: busy, or not reached. Where a write was done all the same, a second one is a conflict.
    Passing(String),
    /// It will not.
    Lasting(String),
}

/// Why it is of no use to go on.
pub enum Stop {
    /// An object is no longer as it was read: from the start.
    Again,
    /// For good.
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Api {
    /// The one of the pod's own cluster.
    ///
    /// # Errors
    /// Usage where this is no pod, no input where CA or token cannot be used. They name what is missing.
    pub fn of_pod(folder: &Path) -> Result<Self, Failure> {
        let host = variable("KUBERNETES_SERVICE_HOST")?;
        let port = variable("KUBERNETES_SERVICE_PORT")?.parse();
        let port = port.map_err(|_| Failure::usage("KUBERNETES_SERVICE_PORT: no port"))?;
        let name =
            |name: &str| format!("--service-account {}", InLine(folder.join(name).display()));
        let read = |file: &str| {
            input::file(&folder.join(file), 1 << 20).map_err(|failure| failure.of(&name(file)))
        };
        let roots = roots(&read("ca.crt")?)
            .map_err(|problem| Failure::no_input(problem).of(&name("ca.crt")))?;
        let token = [b"Bearer ", read("token")?.trim_ascii()].concat();
        let mut token = HeaderValue::from_bytes(&token)
            .map_err(|_| Failure::no_input("no token").of(&name("token")))?;
        token.set_sensitive(true);
        let tls = client(roots).map_err(|error| Failure::internal(format!("TLS: {error}")))?;
        let tls = TlsConnector::from(Arc::new(tls));
        Ok(Self { host, port, tls, token, deadline: Instant::now() + PATIENCE })
    }

    /// Reads an object, where there is one.
    ///
    /// # Errors
    /// The API server does not answer, or refuses.
    pub async fn get(&self, path: &str) -> Result<Option<Value>, Stop> {
        self.ask(Method::GET, path, None).await
    }

    /// Replaces one. What it is then.
    ///
    /// # Errors
    /// As above; or it has changed since it was read.
    pub async fn put(&self, path: &str, object: &Value) -> Result<Value, Stop> {
        self.ask(Method::PUT, path, Some((JSON, object))).await?.ok_or(Stop::Again)
    }

    /// Changes parts of one; items of lists go by their names.
    ///
    /// # Errors
    /// As above.
    pub async fn patch(&self, path: &str, patch: &Value) -> Result<Value, Stop> {
        let kind = "application/strategic-merge-patch+json";
        self.ask(Method::PATCH, path, Some((kind, patch))).await?.ok_or(Stop::Again)
    }

    async fn ask(&self, method: Method, path: &str, body: Body<'_>) -> Result<Option<Value>, Stop> {
        let what = format!("{method} https://{}{path}", self.authority());
        let fail = |problem| Stop::Failed(Failure::unreachable(problem).of(&what));
        let answer = loop {
            let answer = timeout(DEADLINE, self.answer(&method, path, body)).await;
            match answer.unwrap_or_else(|_| Err(Problem::Passing(late()))) {
                Ok(answer) => break answer,
                Err(Problem::Passing(_)) if Instant::now() < self.deadline => sleep(AGAIN).await,
                Err(Problem::Passing(problem) | Problem::Lasting(problem)) => {
                    return Err(fail(problem));
                }
            }
        };
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::CONFLICT => Err(Stop::Again),
            status if status.is_success() => serde_json::from_slice(answer.body())
                .map(Some)
                .map_err(|error| fail(format!("no JSON: {error}"))),
            _ => Err(fail(refusal(&answer))),
        }
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        body: Body<'_>,
    ) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.authority())
            .header(USER_AGENT, PROGRAM)
            .header(AUTHORIZATION, self.token.clone());
        match body {
            Some((kind, object)) => {
                request.header(CONTENT_TYPE, kind).body(Full::from(object.to_string()))
            }
            None => request.body(Full::default()),
        }
    }

    async fn answer(
        &self,
        method: &Method,
        path: &str,
        body: Body<'_>,
    ) -> Result<Response<Bytes>, Problem> {
        let request = self.request(method, path, body);
        let request = request.map_err(|error| Problem::Lasting(error.to_string()))?;
        let stream = self.connect().await?;
        let answer = exchange(stream, request, LARGEST).await.map_err(Problem::Lasting)?;
        let status = answer.status();
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return Err(Problem::Passing(refusal(&answer)));
        }
        Ok(answer)
    }

    async fn connect(&self) -> Result<TlsStream<TcpStream>, Problem> {
        let name = ServerName::try_from(self.host.clone());
        let name = name.map_err(|error| Problem::Lasting(error.to_string()))?;
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = stream.map_err(|error| Problem::Passing(reason(&error)))?;
        self.tls.connect(name, stream).await.map_err(|error| {
            let text = format!("TLS: {error}");
            // What TLS itself finds wrong, such as the certificate.
            let is_lasting = error.kind() == ErrorKind::InvalidData;
            if is_lasting { Problem::Lasting(text) } else { Problem::Passing(text) }
        })
    }

    fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

fn late() -> String {
    format!("no answer within {} s", DEADLINE.as_secs())
}

/// Status and message of an answer that refuses.
fn refusal(answer: &Response<Bytes>) -> String {
    let json = serde_json::from_slice::<Value>(answer.body()).unwrap_or_default();
    let said = in_line(json["message"].as_str().unwrap_or("no reason"), LONGEST);
    format!("{}: {said}", answer.status().as_u16())
}

fn variable(name: &str) -> Result<String, Failure> {
    env::var(name).map_err(|_| Failure::usage(format!("--apply: no pod: {name} is not set")))
}

/// Those certificates in PEM.
fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let all = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok);
    match roots.add_parsable_certificates(all) {
        (0, _) => Err("no certificate in PEM in it".to_owned()),
        _ => Ok(roots),
    }
}

fn client(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    Ok(ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
