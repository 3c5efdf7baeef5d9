//! `app-health-agent certs --apply`: what it does in a cluster.
//!
//! | module | what it shows |
//! |---|---|
//! | [`certificate`] | when there is a new one |
//! | [`trust`] | which CAs the webhooks have |
//! | [`left_alone`] | what is somebody else's |
//! | [`cut_off`] | that it may end anywhere, and run twice |
//! | [`asking`] | the API server that is busy, or not there |

mod asking;
mod certificate;
mod cut_off;
mod left_alone;
mod trust;

use std::process::Command;
use std::sync::Arc;

use app_health_tests::authority::Issuer;
use app_health_tests::cluster::Cluster;
use app_health_tests::process::{self, Run};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::{Value, json};
use time::Duration;

use crate::server::BINARY;

pub const SECRET: &str = "/api/v1/namespaces/app-health/secrets/app-health-webhook-tls";
const FILTER: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/\
                          filter.webhook.app-health";
const REWRITE: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/\
                           rewrite.webhook.app-health";
pub const HOST: &str = "app-health-webhook.app-health.svc";
/// By so much a certificate of ours is backdated.
const DAY: Duration = Duration::DAY;

/// As it is installed: the Secret is empty, and so are the caBundles.
pub fn installed() -> Cluster {
    let cluster = Cluster::new();
    let metadata = json!({"name": "app-health-webhook-tls", "labels": {"a": "b"}});
    cluster.set(SECRET, json!({"kind": "Secret", "metadata": metadata, "type": "Opaque"}));
    let webhook = |name: &str, service: &str| {
        let service = json!({"name": service, "namespace": "app-health", "path": "/mutate"});
        json!({"name": name, "clientConfig": {"service": service}, "timeoutSeconds": 5})
    };
    let ours = |name| webhook(name, "app-health-webhook");
    let filter = [ours("filter"), ours("switch"), ours("canary"), webhook("other", "other")];
    cluster.set(FILTER, json!({"metadata": {"name": "filter"}, "webhooks": filter}));
    cluster.set(REWRITE, json!({"metadata": {}, "webhooks": [ours("rewrite")]}));
    cluster
}

fn command(cluster: &Cluster) -> Command {
    let mut command = process::command(BINARY);
    cluster.within(command.args(["certs", "--apply"]));
    command
}

fn apply(cluster: &Cluster) -> Run {
    process::run(&mut command(cluster), "")
}

pub fn applied(cluster: &Cluster) -> String {
    let run = apply(cluster);
    assert_eq!(run.stderr, "");
    run.succeeded()
}

/// A part of the Secret as it is now; empty where it is not there.
pub fn part(cluster: &Cluster, name: &str) -> String {
    let text = cluster.get(SECRET)["data"][name].as_str().unwrap_or_default().to_owned();
    String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
}

/// Puts these into the Secret.
pub fn put(cluster: &Cluster, parts: &[(&str, &str)]) {
    let mut secret = cluster.get(SECRET);
    for (name, text) in parts {
        secret["data"][name] = STANDARD.encode(text).into();
    }
    cluster.set(SECRET, secret);
}

/// The caBundles of all webhooks that are ours.
pub fn bundles(cluster: &Cluster) -> Vec<String> {
    let bundle = |webhook: &Value| {
        let text = webhook["clientConfig"]["caBundle"].as_str().unwrap_or_default();
        String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
    };
    let of = |path| cluster.get(path)["webhooks"].as_array().unwrap().clone();
    [of(FILTER)[..3].to_vec(), of(REWRITE)].concat().iter().map(bundle).collect()
}

fn certificates(pem: &str) -> impl Iterator<Item = CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap)
}

pub fn roots(bundle: &str) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    certificates(bundle).for_each(|ca| roots.add(ca).unwrap());
    roots
}

/// Each webhook's API server takes this certificate.
#[track_caller]
fn assert_trusted(cluster: &Cluster, certificate: &str) {
    for bundle in bundles(cluster) {
        assert_takes(&bundle, certificate);
    }
}

/// An API server with this caBundle takes it.
#[track_caller]
fn assert_takes(bundle: &str, certificate: &str) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(bundle)), provider);
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let host = ServerName::try_from(HOST).unwrap();
    let now = UnixTime::now();
    let result = verifier.build().unwrap().verify_server_cert(&certificate, &[], &host, &[], now);
    assert!(result.is_ok(), "{result:?}");
}

/// Changes each webhook of both configurations.
fn for_each_webhook(cluster: &Cluster, change: impl Fn(&mut Value)) {
    for path in [FILTER, REWRITE] {
        let mut configuration = cluster.get(path);
        configuration["webhooks"].as_array_mut().unwrap().iter_mut().for_each(&change);
        cluster.set(path, configuration);
    }
}

/// Gives each webhook of both configurations this caBundle.
fn set_bundles(cluster: &Cluster, bundle: &str) {
    for_each_webhook(cluster, |webhook| {
        webhook["clientConfig"]["caBundle"] = STANDARD.encode(bundle).into();
    });
}

/// As somebody does to have the next run make another CA.
pub fn empty(cluster: &Cluster) {
    put(cluster, &["tls.crt", "tls.key", "ca.crt", "ca.key"].map(|name| (name, "")));
}

/// As somebody does to have the next run renew the certificate.
pub fn annotate(cluster: &Cluster) {
    let mut secret = cluster.get(SECRET);
    secret["metadata"]["annotations"] = json!({"app-health/renew": "now", "a": "b"});
    cluster.set(SECRET, secret);
}

fn written(cluster: &Cluster) -> Vec<String> {
    let requests = cluster.requests().into_iter().map(|(request, _)| request);
    requests.filter(|request| !request.starts_with("GET ")).collect()
}

/// A Secret as an earlier run may have left it, with a certificate that is valid from then until then.
fn made(cluster: &Cluster, from: Duration, until: Duration) -> Issuer {
    let issuer = Issuer::default();
    made_by(cluster, &issuer, from, until);
    issuer
}

fn made_by(cluster: &Cluster, issuer: &Issuer, from: Duration, until: Duration) {
    let (certificate, key) = issuer.issue_between(HOST, from, until);
    put(cluster, &[("tls.crt", &certificate.pem()), ("tls.key", &key.serialize_pem())]);
    put_ca(cluster, issuer);
}

/// As somebody does who has a CA already.
fn put_ca(cluster: &Cluster, issuer: &Issuer) {
    put(cluster, &[("ca.crt", &issuer.pem()), ("ca.key", &issuer.key())]);
}

/// It has failed by that, and says so in one line.
#[track_caller]
fn assert_fails(run: &Run, exit: i32, says: &str) {
    assert_eq!(run.exit, exit, "{says}: {}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    assert!(run.stderr.contains(says), "{says}: {}", run.stderr);
}
