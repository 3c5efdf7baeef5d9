//! `app-health-agent certs --apply`: what it does in a cluster, and that it may end anywhere.

use std::process::Command;
use std::sync::Arc;
use std::thread;

use app_health_tests::authority::Issuer;
use app_health_tests::cluster::Cluster;
use app_health_tests::poll::until;
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
const HOUR: Duration = Duration::hours(1);

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
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::new(roots(&bundle));
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider);
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let host = ServerName::try_from(HOST).unwrap();
        let now = UnixTime::now();
        let result =
            verifier.build().unwrap().verify_server_cert(&certificate, &[], &host, &[], now);
        assert!(result.is_ok(), "{result:?}");
    }
}

/// Changes each webhook of both configurations.
fn for_each_webhook(cluster: &Cluster, change: impl Fn(&mut Value)) {
    for path in [FILTER, REWRITE] {
        let mut configuration = cluster.get(path);
        configuration["webhooks"].as_array_mut().unwrap().iter_mut().for_each(&change);
        cluster.set(path, configuration);
    }
}

/// As somebody does to have the next run make another CA.
pub fn empty(cluster: &Cluster) {
    let mut secret = cluster.get(SECRET);
    secret["data"] = Value::Null;
    cluster.set(SECRET, secret);
}

fn written(cluster: &Cluster) -> Vec<String> {
    let requests = cluster.requests().into_iter().map(|(request, _)| request);
    requests.filter(|request| !request.starts_with("GET ")).collect()
}

/// A Secret as an earlier run may have left it, with a certificate that is valid from then until then.
fn made(cluster: &Cluster, from: Duration, until: Duration) -> Issuer {
    let issuer = Issuer::default();
    let (certificate, key) = issuer.issue_between(HOST, from, until);
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    let (ca, ca_key) = (issuer.pem(), issuer.key());
    put(
        cluster,
        &[("tls.crt", &certificate), ("tls.key", &key), ("ca.crt", &ca), ("ca.key", &ca_key)],
    );
    issuer
}

#[test]
fn an_empty_secret_is_filled_and_trusted_and_then_left() {
    let cluster = installed();
    let before = cluster.objects();
    let said = applied(&cluster);
    assert_eq!(said.lines().count(), 4, "{said}");
    assert_trusted(&cluster, &part(&cluster, "tls.crt"));
    assert!(bundles(&cluster).iter().all(|bundle| *bundle == part(&cluster, "ca.crt")));
    // Nothing else has changed.
    let mut after = cluster.objects();
    assert_eq!(after[FILTER]["webhooks"][3], before[FILTER]["webhooks"][3]);
    after.get_mut(SECRET).unwrap().as_object_mut().unwrap().remove("data");
    for path in [FILTER, REWRITE] {
        for webhook in after.get_mut(path).unwrap()["webhooks"].as_array_mut().unwrap() {
            webhook["clientConfig"].as_object_mut().unwrap().remove("caBundle");
        }
    }
    for (path, mut object) in after {
        object["metadata"]["resourceVersion"] =
            before[&path]["metadata"]["resourceVersion"].clone();
        assert_eq!(object, before[&path]);
    }

    cluster.break_after(None);
    let said = applied(&cluster);
    assert!(said.contains("the certificate stays, which expires at"), "{said}");
    assert_eq!(written(&cluster), [""; 0]);
}

#[test]
fn it_is_renewed_by_the_same_ca_when_a_third_of_its_life_is_left() {
    let days = Duration::days;
    for (from, until, renews) in [
        (-days(60), days(31), false),
        (-days(60), days(29), true),
        (-days(60), -days(1), true),
        (days(1), days(90), true),
    ] {
        let cluster = installed();
        let issuer = made(&cluster, from, until);
        let (before, key) = (part(&cluster, "tls.crt"), part(&cluster, "tls.key"));
        cluster.break_after(None);
        let said = applied(&cluster);
        assert_eq!(said.contains("new certificate for 365 days"), renews, "{from} {until}: {said}");
        assert_eq!(part(&cluster, "tls.crt") != before, renews, "{from} {until}");
        assert_eq!(part(&cluster, "tls.key") != key, renews, "{from} {until}");
        assert_eq!(
            (part(&cluster, "ca.crt"), part(&cluster, "ca.key")),
            (issuer.pem(), issuer.key())
        );
        assert_trusted(&cluster, &part(&cluster, "tls.crt"));
        assert!(bundles(&cluster).iter().all(|bundle| *bundle == issuer.pem()));
    }
}

/// The webhook keeps what it had, and says so; the next run puts it right.
#[test]
fn a_pair_that_does_not_load_is_replaced() {
    let cluster = installed();
    made(&cluster, -HOUR, Duration::days(90));
    let other = Issuer::default().issue(HOST).1.serialize_pem();
    for (name, text, says) in [
        ("tls.crt", "", "tls.crt: no certificate in PEM"),
        ("tls.crt", "-----BEGIN CERTIFICATE-----\n", "tls.crt: no certificate in PEM"),
        ("tls.key", "hello", "tls.key: no private key in PEM"),
        ("tls.key", &other, "tls.key: cannot be used with the certificate"),
    ] {
        put(&cluster, &[(name, text)]);
        let said = applied(&cluster);
        assert!(said.contains("new certificate") && said.contains(says), "{said}");
        assert_trusted(&cluster, &part(&cluster, "tls.crt"));
        assert!(applied(&cluster).contains("the certificate stays"));
    }
}

#[test]
fn somebody_elses_secret_is_left_alone() {
    let other = Issuer::default();
    let theirs = other.issue(HOST);
    let (certificate, key) = (theirs.0.pem(), theirs.1.serialize_pem());
    let elsewhere = Issuer::default();
    let named = elsewhere.issue("web.shop.svc");
    let (named_certificate, named_key) = (named.0.pem(), named.1.serialize_pem());
    let (ca, ca_key) = (elsewhere.pem(), elsewhere.key());
    for (parts, says) in [
        (&[("password", "s3cret")] as &[(&str, &str)], "data has no ca.crt"),
        (&[("tls.crt", &certificate), ("tls.key", &key)], "data has no ca.crt"),
        (&[("tls.crt", &certificate), ("tls.key", &key), ("ca.crt", &ca)], "data has no ca.key"),
        (&[("ca.crt", "hello"), ("ca.key", &ca_key)], "ca.crt: no certificate in PEM"),
        (&[("ca.crt", &ca), ("ca.key", &other.key())], "ca.key: does not fit ca.crt"),
        (
            &[("ca.crt", &ca), ("ca.key", &ca_key), ("tls.crt", &certificate), ("tls.key", &key)],
            "tls.crt: not signed by its ca.crt",
        ),
        (
            &[
                ("ca.crt", &ca),
                ("ca.key", &ca_key),
                ("tls.crt", &named_certificate),
                ("tls.key", &named_key),
            ],
            "its certificate is for web.shop.svc",
        ),
    ] {
        let cluster = installed();
        put(&cluster, parts);
        let before = cluster.objects();
        let run = apply(&cluster);
        assert_eq!((run.exit, run.stdout.as_str()), (65, ""), "{says}: {}", run.stderr);
        let start = "app-health-agent: Secret app-health/app-health-webhook-tls: ";
        assert!(run.stderr.starts_with(start) && run.stderr.contains(says), "{}", run.stderr);
        assert!(run.stderr.ends_with("; it is left as it is\n"), "{}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        assert!(!run.stderr.contains("s3cret"));
        assert_eq!(cluster.objects(), before);
    }
}

/// What pods may still serve with, and what they are about to.
#[track_caller]
fn assert_all_trusted(cluster: &Cluster, served: &str) {
    for certificate in [served, &part(cluster, "tls.crt")] {
        if !certificate.is_empty() {
            assert_trusted(cluster, certificate);
        }
    }
}

/// What a run may find: an empty Secret; a certificate that ends; the same, and somebody has emptied the
/// Secret to have another CA; and a CA of before, which goes. With it the certificate that pods serve with.
fn situations() -> [(&'static str, Cluster, String); 4] {
    let days = Duration::days;
    let situation = |name, age: Option<(Duration, Duration)>, is_emptied, has_other| {
        let cluster = installed();
        if let Some((from, until)) = age {
            made(&cluster, from, until);
        }
        let other = if has_other { Issuer::default().pem() } else { String::new() };
        let bundle = STANDARD.encode(other + &part(&cluster, "ca.crt"));
        for_each_webhook(&cluster, |webhook| {
            webhook["clientConfig"]["caBundle"] = bundle.clone().into();
        });
        let served = part(&cluster, "tls.crt");
        if is_emptied {
            empty(&cluster);
        }
        (name, cluster, served)
    };
    let old = Some((-days(60), days(20)));
    [
        situation("new", None, false, false),
        situation("renewed", old, false, false),
        situation("another CA", old, true, false),
        situation("the old CA goes", Some((-days(1), days(80))), false, true),
    ]
}

/// Nobody trusts a CA that no certificate is of: only those of before, and the Secret's.
#[track_caller]
fn assert_no_other_ca(cluster: &Cluster, before: &[String]) {
    for (bundle, before) in bundles(cluster).iter().zip(before) {
        let allowed = format!("{before}{}", part(cluster, "ca.crt"));
        let unknown: Vec<_> =
            certificates(bundle).filter(|ca| !certificates(&allowed).any(|it| it == *ca)).collect();
        assert_eq!(unknown, []);
    }
}

/// How many requests a run makes from here. The cluster is then as before.
fn requests(cluster: &Cluster) -> usize {
    let start = cluster.objects();
    cluster.break_after(None);
    applied(cluster);
    cluster.restore(start);
    cluster.requests().len()
}

/// Whether it was carried out or not, nobody knows.
#[test]
fn wherever_it_is_cut_off_all_is_trusted_and_the_next_run_ends_it() {
    for (name, cluster, served) in situations() {
        let (start, before) = (cluster.objects(), bundles(&cluster));
        let all = requests(&cluster);
        assert!(all >= 4, "{name}: {all}");
        for cut in 0..all {
            cluster.restore(start.clone());
            cluster.break_after(Some(cut));
            let run = apply(&cluster);
            assert_eq!(run.exit, 2, "{name}, {cut}: {}", run.stderr);
            assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
            assert_all_trusted(&cluster, &served);
            cluster.break_after(None);
            applied(&cluster);
            assert_all_trusted(&cluster, &served);
            assert_no_other_ca(&cluster, &before);
            // A new one is not renewed at once.
            cluster.break_after(None);
            assert!(applied(&cluster).contains("the certificate stays"), "{name}, {cut}");
            assert_eq!(written(&cluster), [""; 0], "{name}, {cut}");
        }
    }
}

/// The other one is the first run's twin, or that of somebody who wants another CA meanwhile.
#[test]
fn another_run_may_come_between_any_two_requests() {
    for (name, cluster, served) in situations() {
        let (start, before) = (cluster.objects(), bundles(&cluster));
        let all = requests(&cluster);
        for (held, is_emptied) in (0..all).flat_map(|held| [(held, false), (held, true)]) {
            cluster.restore(start.clone());
            cluster.hold(held);
            thread::scope(|scope| {
                let _released = Released(&cluster);
                let run = scope.spawn(|| applied(&cluster));
                until("it is held", || cluster.requests().len() > held);
                if is_emptied {
                    empty(&cluster);
                }
                applied(&cluster);
                assert_all_trusted(&cluster, &served);
                cluster.release();
                run.join().unwrap();
            });
            assert_all_trusted(&cluster, &served);
            if !is_emptied {
                assert_no_other_ca(&cluster, &before);
            }
            cluster.break_after(None);
            assert!(applied(&cluster).contains("the certificate stays"), "{name}, {held}");
            assert_eq!(written(&cluster), [""; 0], "{name}, {held}, {is_emptied}");
        }
    }
}

/// Also where the test fails.
struct Released<'a>(&'a Cluster);

impl Drop for Released<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

#[test]
fn an_old_ca_goes_once_every_pod_serves_by_the_new_one() {
    for (age, goes) in [(HOUR, false), (HOUR * 2 - Duration::minutes(1), false), (HOUR * 2, true)] {
        let cluster = installed();
        let issuer = made(&cluster, -age, Duration::days(90));
        let old = Issuer::default().pem();
        let both = format!("{old}{}", issuer.pem());
        for_each_webhook(&cluster, |webhook| {
            webhook["clientConfig"]["caBundle"] = STANDARD.encode(&old).into();
        });
        applied(&cluster);
        let expected = if goes { issuer.pem() } else { both };
        assert!(bundles(&cluster).iter().all(|bundle| *bundle == expected), "{age}");
    }
}

/// As kubectl may apply it, after the Job.
#[test]
fn a_configuration_that_comes_later_is_waited_for() {
    let cluster = installed();
    let configuration = cluster.get(REWRITE);
    cluster.set(REWRITE, Value::Null);
    cluster.break_after(None);
    thread::scope(|scope| {
        let run = scope.spawn(|| applied(&cluster));
        let asked = (format!("GET {REWRITE}"), 404);
        until("it is asked for", || cluster.requests().contains(&asked));
        cluster.set(REWRITE, configuration);
        run.join().unwrap();
    });
    assert_trusted(&cluster, &part(&cluster, "tls.crt"));
}

#[test]
fn webhooks_of_others_are_no_place_for_the_ca() {
    let cluster = installed();
    for_each_webhook(&cluster, |webhook| {
        webhook["clientConfig"]["service"]["namespace"] = "other".into();
    });
    let before = cluster.get(FILTER);
    let run = apply(&cluster);
    assert_eq!(run.exit, 2, "{}", run.stderr);
    assert!(run.stderr.contains("no webhook was found that asks the Service"), "{}", run.stderr);
    assert_eq!(cluster.get(FILTER), before);
}

#[test]
fn a_ca_that_ends_is_told_of_by_the_exit_code() {
    let cluster = installed();
    let issuer = Issuer::until(Duration::days(29));
    put(&cluster, &[("ca.crt", &issuer.pem()), ("ca.key", &issuer.key())]);
    let run = apply(&cluster);
    assert_eq!(run.exit, 65, "{}", run.stderr);
    assert!(run.stderr.contains("its CA ends at "), "{}", run.stderr);
    // Not before all else was done.
    assert_trusted(&cluster, &part(&cluster, "tls.crt"));
}

#[test]
fn what_keeps_it_from_asking() {
    let cluster = installed();
    let no_pod = ["certs", "--apply"];
    let folder = cluster.service_account();
    let (ca, token) = (folder.join("ca.crt"), folder.join("token"));
    let good = std::fs::read(&ca).unwrap();
    let check = |run: Run, exit, says: &str| {
        assert_eq!((run.exit, run.stdout.as_str()), (exit, ""), "{says}: {}", run.stderr);
        assert!(run.stderr.contains(says) && run.stderr.lines().count() == 1, "{}", run.stderr);
    };
    let outside = process::run(process::command(BINARY).args(no_pod).env_clear(), "");
    check(outside, 64, "KUBERNETES_SERVICE_HOST is not set");

    let secret = cluster.get(SECRET);
    cluster.set(SECRET, Value::Null);
    check(apply(&cluster), 2, "Secret app-health/app-health-webhook-tls: not there");
    cluster.set(SECRET, secret);

    std::fs::write(&token, "another").unwrap();
    check(apply(&cluster), 2, ": 401: Unauthorized");
    std::fs::write(&token, "a\nb").unwrap();
    check(apply(&cluster), 66, "token: no token");
    std::fs::remove_file(&token).unwrap();
    check(apply(&cluster), 66, "token: No such file");
    std::fs::write(&token, "another").unwrap();
    std::fs::write(&ca, Issuer::default().pem()).unwrap();
    check(apply(&cluster), 2, "TLS: invalid peer certificate");
    std::fs::write(&ca, "").unwrap();
    check(apply(&cluster), 66, "ca.crt: no certificate in PEM");
    std::fs::write(&ca, good).unwrap();
    let mut refused = command(&cluster);
    refused.env("KUBERNETES_SERVICE_PORT", "1");
    check(process::run(&mut refused, ""), 2, "Connection refused");
}
