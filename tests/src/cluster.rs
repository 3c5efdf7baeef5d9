//! An API server that keeps objects in memory, as far as `certs --apply` needs one: GET, PUT and
//! strategic merge patches, versions, a token. It may break off after any request, hold one, refuse some, or
//! close connections.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use crate::authority::Issuer;
use crate::runtime;

const TOKEN: &str = "a.token.of-ours";

/// A running one. It ends with the test.
pub struct Cluster {
    address: SocketAddr,
    folder: TempDir,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    inner: Mutex<Inner>,
    resumed: Notify,
}

#[derive(Default)]
struct Inner {
    objects: BTreeMap<String, Value>,
    version: u64,
    /// Method and path of each request, and its status.
    requests: Vec<(String, u16)>,
    /// After so many requests nothing is answered any more.
    breaks_after: Option<usize>,
    /// The request before which so many have come is held.
    held: Option<usize>,
    /// Requests that begin with this are refused so often, with this status.
    refused: Option<(String, usize, StatusCode)>,
    /// So many connections are closed at once.
    closes: usize,
}

impl Cluster {
    /// Without objects.
    ///
    /// # Panics
    /// Where the machine has no port.
    pub fn new() -> Self {
        let issuer = Issuer::default();
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("ca.crt"), issuer.pem()).expect("it is written");
        fs::write(folder.path().join("token"), TOKEN).expect("it is written");
        let (certificate, key) = issuer.issue("127.0.0.1");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions that ring has")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a pair");
        let bound = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        bound.set_nonblocking(true).expect("it is a socket");
        let address = bound.local_addr().expect("an address");
        let state = Arc::new(State::default());
        runtime().spawn(serve(bound, TlsAcceptor::from(Arc::new(tls)), Arc::clone(&state)));
        Self { address, folder, state }
    }

    /// What a pod of it has in its environment and volumes.
    pub fn within<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("KUBERNETES_SERVICE_HOST", self.address.ip().to_string())
            .env("KUBERNETES_SERVICE_PORT", self.address.port().to_string())
            .arg("--service-account")
            .arg(self.folder.path())
    }

    /// The folder of CA and token.
    pub fn service_account(&self) -> &Path {
        self.folder.path()
    }

    /// Puts an object there; `null` takes it away.
    pub fn set(&self, path: &str, object: Value) {
        let mut inner = self.inner();
        inner.objects.remove(path);
        if !object.is_null() {
            inner.store(path, object);
        }
    }

    /// An object as it is now; `null` where there is none.
    pub fn get(&self, path: &str) -> Value {
        self.inner().objects.get(path).cloned().unwrap_or_default()
    }

    /// All objects, to be put back.
    pub fn objects(&self) -> BTreeMap<String, Value> {
        self.inner().objects.clone()
    }

    /// Puts them back.
    pub fn restore(&self, objects: BTreeMap<String, Value>) {
        self.inner().objects = objects;
    }

    /// From now on, so many requests are done; the last one of them and all later get no answer.
    pub fn break_after(&self, requests: Option<usize>) {
        let mut inner = self.inner();
        inner.requests.clear();
        inner.breaks_after = requests;
    }

    /// From now on, the request before which so many have come is held, until [`Cluster::release`].
    pub fn hold(&self, requests: usize) {
        let mut inner = self.inner();
        inner.requests.clear();
        inner.held = Some(requests);
    }

    /// Goes on with it, where it has come, and holds none.
    pub fn release(&self) {
        self.inner().held = None;
        self.state.resumed.notify_waiters();
    }

    /// From now on, so many requests that begin with this are refused with this status.
    ///
    /// # Panics
    /// That is no status.
    pub fn refuse(&self, request: &str, times: usize, status: u16) {
        let status = StatusCode::from_u16(status).expect("a status");
        self.inner().refused = Some((request.to_owned(), times, status));
    }

    /// From now on, so many connections are closed before anything is said.
    pub fn close(&self, connections: usize) {
        self.inner().closes = connections;
    }

    /// Method and path of each request since then, and its status.
    pub fn requests(&self) -> Vec<(String, u16)> {
        self.inner().requests.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.state.inner.lock().expect("not poisoned")
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Self::new()
    }
}

async fn serve(bound: std::net::TcpListener, tls: TlsAcceptor, state: Arc<State>) {
    let bound = TcpListener::from_std(bound).expect("it is a listener");
    while let Ok((stream, _)) = bound.accept().await {
        tokio::spawn(talk(stream, tls.clone(), Arc::clone(&state)));
    }
}

async fn talk(stream: TcpStream, tls: TlsAcceptor, state: Arc<State>) {
    if state.closes() {
        return;
    }
    // Whoever is not to be trusted goes away.
    let Ok(stream) = tls.accept(stream).await else { return };
    let service = service_fn(|request| answer(request, &state));
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    state: &State,
) -> Result<Response<Full<Bytes>>, &'static str> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let token = head.headers.get("authorization").and_then(|value| value.to_str().ok());
    let known = token == Some(&format!("Bearer {TOKEN}"));
    let index = state.begin(format!("{} {}", head.method, head.uri.path()));
    state.wait_while_held(index).await;
    let mut inner = state.inner.lock().expect("not poisoned");
    if inner.breaks_after.is_some_and(|after| index > after) {
        return Err("broken off");
    }
    let refused = inner.refuses(index);
    let result = if let Some(status) = refused {
        Err((status, "refused"))
    } else if known {
        let kind = head.headers.get("content-type").and_then(|value| value.to_str().ok());
        inner.carry_out(&head.method, head.uri.path(), kind.unwrap_or_default(), body)
    } else {
        Err((StatusCode::UNAUTHORIZED, "Unauthorized"))
    };
    let (status, body) = match result {
        Ok(object) => (StatusCode::OK, object),
        Err((status, message)) => (status, json!({"kind": "Status", "message": message})),
    };
    inner.requests[index].1 = status.as_u16();
    if inner.breaks_after == Some(index) {
        return Err("broken off");
    }
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    Ok(response)
}

impl State {
    fn begin(&self, request: String) -> usize {
        let mut inner = self.inner.lock().expect("not poisoned");
        inner.requests.push((request, 0));
        inner.requests.len() - 1
    }

    fn closes(&self) -> bool {
        let mut inner = self.inner.lock().expect("not poisoned");
        let closes = inner.closes > 0;
        inner.closes = inner.closes.saturating_sub(1);
        closes
    }

    async fn wait_while_held(&self, index: usize) {
        loop {
            let resumed = self.resumed.notified();
            if self.inner.lock().expect("not poisoned").held != Some(index) {
                return;
            }
            resumed.await;
        }
    }
}

type Refusal = (StatusCode, &'static str);

impl Inner {
    fn store(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    fn refuses(&mut self, index: usize) -> Option<StatusCode> {
        let (start, times, status) = self.refused.as_mut()?;
        if *times == 0 || !self.requests[index].0.starts_with(&*start) {
            return None;
        }
        *times -= 1;
        Some(*status)
    }

    fn carry_out(
        &mut self,
        method: &Method,
        path: &str,
        kind: &str,
        body: Value,
    ) -> Result<Value, Refusal> {
        let found = self.objects.get(path).cloned();
        let mut object = found.ok_or((StatusCode::NOT_FOUND, "not found"))?;
        if method == Method::GET {
            return Ok(object);
        }
        let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
        if version(&body) != version(&object) {
            return Err((StatusCode::CONFLICT, "the object has been modified"));
        }
        match (method.as_str(), kind) {
            ("PUT", "application/json") => Ok(self.store(path, body)),
            ("PATCH", "application/strategic-merge-patch+json") => {
                merge(&mut object, body);
                Ok(self.store(path, object))
            }
            _ => Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body has a wrong type")),
        }
    }
}

/// Objects member by member, lists by the names of their items.
fn merge(object: &mut Value, patch: Value) {
    match (object, patch) {
        (Value::Object(object), Value::Object(patch)) => {
            for (name, value) in patch {
                merge(object.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(list), Value::Array(patch)) => {
            for item in patch {
                match list.iter_mut().find(|it| it["name"] == item["name"]) {
                    Some(found) => merge(found, item),
                    None => list.push(item),
                }
            }
        }
        (object, patch) => *object = patch,
    }
}
