//! Admission reviews at the webhook, 16 at once over TLS with keep-alive: how many a second, and
//! how long they take.
//!
//!   admissions ADDRESS CA-FILE SERVER-NAME SECONDS [A-SECOND]
//!
//! Without a rate each connection sends as fast as it is answered. The pod has three containers
//! and six probes, and the review 15 KB.

use std::env;
use std::error::Error;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::sleep_until;
use tokio_rustls::TlsConnector;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const CONNECTIONS: u32 = 16;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [address, ca, name, seconds, rate @ ..] = arguments.as_slice() else {
        return Err("admissions ADDRESS CA-FILE SERVER-NAME SECONDS [A-SECOND]".into());
    };
    let length = Duration::from_secs(seconds.parse()?);
    let rate = rate.first().map(|rate| rate.parse::<u32>()).transpose()?;
    let pause = rate.map(|rate| Duration::from_secs(1) * CONNECTIONS / rate);
    let tls = connector(ca)?;
    let began = Instant::now();
    let mut tasks = Vec::new();
    for number in 0..CONNECTIONS {
        let sender = connect(&tls, address, name).await?;
        let first = pause.unwrap_or_default() * number / CONNECTIONS;
        tasks.push(tokio::spawn(send(sender, name.clone(), length, pause, first)));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    report(times, began.elapsed());
    Ok(())
}

fn connector(ca: &str) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&fs::read(ca)?)?)?;
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn connect(
    tls: &TlsConnector,
    address: &str,
    name: &str,
) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let stream = tls.connect(ServerName::try_from(name.to_owned())?, stream).await?;
    let (sender, talk) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(talk);
    Ok(sender)
}

async fn send(
    mut sender: SendRequest<Full<Bytes>>,
    name: String,
    length: Duration,
    pause: Option<Duration>,
    first: Duration,
) -> Result<Vec<Duration>> {
    let body = Bytes::from(review());
    let start = Instant::now();
    let mut due = start + first;
    let mut times = Vec::new();
    while start.elapsed() < length {
        // A request that had to wait for the one before is as late as it is.
        let began = if pause.is_some() { due } else { Instant::now() };
        sleep_until(began.into()).await;
        due += pause.unwrap_or_default();
        let request =
            Request::post(format!("https://{name}/mutate")).body(Full::new(body.clone()))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        if status != 200 {
            return Err(format!("status {status}").into());
        }
        times.push(began.elapsed());
    }
    Ok(times)
}

fn report(mut times: Vec<Duration>, took: Duration) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let rate = times.len() as f64 / took.as_secs_f64();
    println!("{} admissions, {rate:.0}/s, p50 {:?}, p99 {:?}", times.len(), at(0.5), at(0.99));
}

/// Three containers besides the sidecar, six probes, 15 KB.
fn review() -> String {
    let text = include_str!("../../../golden/admission/create-pod.json");
    let mut review: Value = serde_json::from_str(text).expect("the golden review is JSON");
    let containers = &mut review["request"]["object"]["spec"]["containers"];
    let hello = containers[0].clone();
    for name in ["two", "three"] {
        let mut container = hello.clone();
        container["name"] = json!(name);
        containers.as_array_mut().expect("a list").push(container);
    }
    let spare = 15_000 - review.to_string().len();
    review["request"]["object"]["metadata"]["annotations"]["spare"] = json!("x".repeat(spare));
    review.to_string()
}
