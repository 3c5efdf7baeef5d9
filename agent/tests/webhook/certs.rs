//! `app-health-agent certs`: what it prints serves, and renewing keeps the CA.

use std::fs;

use app_health_tests::api_server::{config, tls};
use app_health_tests::authority::Authority;
use app_health_tests::process::{self, Run};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::server::{BINARY, Server};

fn run(arguments: &[&str], input: &str) -> Run {
    process::run(process::command(BINARY).arg("certs").args(arguments), input)
}

fn printed(arguments: &[&str], input: &str) -> String {
    let run = run(arguments, input);
    assert_eq!((run.exit, run.stderr.as_str()), (0, ""));
    run.stdout
}

/// What follows `name: ` in a manifest, decoded.
fn value(manifest: &str, name: &str) -> String {
    let start = format!("{name}: ");
    let line = manifest.lines().find_map(|line| line.trim().strip_prefix(&start));
    let text = line.unwrap_or_else(|| panic!("no {name}"));
    String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
}

async fn handshake(manifest: &str, ca: &str) -> std::io::Result<()> {
    let authority = Authority::new();
    authority.put(&value(manifest, "tls.crt"), &value(manifest, "tls.key"));
    let server = Server::start(&authority);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    tls(&server, config(roots, rustls::ALL_VERSIONS)).await.map(drop)
}

const SERVICE: [&str; 4] = ["--service", "webhook", "--namespace", "test"];

#[tokio::test]
async fn what_it_prints_serves_and_renewing_keeps_the_ca() {
    let first = printed(&SERVICE, "");
    let ca = value(&first, "caBundle");
    assert_eq!(ca, value(&first, "ca.crt"));
    handshake(&first, &ca).await.unwrap();

    let renewed = printed(&[&SERVICE[..], &["--renew", "-"]].concat(), &first);
    assert_eq!(value(&renewed, "caBundle"), ca);
    assert_eq!(value(&renewed, "ca.key"), value(&first, "ca.key"));
    assert_ne!(value(&renewed, "tls.key"), value(&first, "tls.key"));
    handshake(&renewed, &ca).await.unwrap();

    let another = printed(&SERVICE, "");
    assert_ne!(value(&another, "caBundle"), ca);
    handshake(&another, &ca).await.unwrap_err();
    let elsewhere = printed(&["--service", "webhook", "--namespace", "other"], "");
    handshake(&elsewhere, &value(&elsewhere, "ca.crt")).await.unwrap_err();
}

#[test]
fn private_keys_are_in_the_secret_alone() {
    let folder = tempfile::TempDir::new().unwrap();
    let text = process::run(process::command(BINARY).arg("certs").current_dir(&folder), "").stdout;
    let (secret, configuration) = text.split_once("---\n").unwrap();
    assert!(secret.contains("kind: Secret") && value(secret, "tls.key").contains("PRIVATE KEY"));
    assert!(value(configuration, "caBundle").starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(!value(configuration, "caBundle").contains("PRIVATE"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn each_configuration_is_printed_once_and_the_own_ones_always() {
    let named = ["--webhook", "b/b.a", "--webhook", "a/x", "--webhook", "b/b.c"];
    let named = [&named[..], &["--webhook", "rewrite.webhook.app-health/other"]].concat();
    let text = printed(&named, "");
    let lines: Vec<_> = text.lines().filter(|line| line.contains("name: ")).skip(1).collect();
    assert_eq!(
        lines,
        [
            "  name: 'a'",
            "- name: 'x'",
            "  name: 'b'",
            "- name: 'b.a'",
            "- name: 'b.c'",
            "  name: 'filter.webhook.app-health'",
            "- name: 'filter.webhook.app-health'",
            "- name: 'switch.webhook.app-health'",
            "  name: 'rewrite.webhook.app-health'",
            "- name: 'other'",
            "- name: 'rewrite.webhook.app-health'",
        ]
    );
    assert_eq!(text.matches("caBundle: ").count(), 7);
}

/// The manifest with a comment behind it, so that it has this length.
fn padded(manifest: &str, length: usize) -> String {
    format!("{manifest}#{}", "x".repeat(length - manifest.len() - 1))
}

#[track_caller]
fn refused(run: &Run, exit: i32, says: &str) {
    assert_eq!(run.exit, exit, "{}", run.stderr);
    let is_one_line = run.stderr.lines().count() == 1;
    assert!(run.stderr.contains(says) && is_one_line, "{says}: {}", run.stderr);
    assert_eq!(run.stdout, "");
}

#[test]
fn a_secret_that_cannot_be_renewed() {
    let good = printed(&[], "");
    let other = printed(&[], "");
    let with = |name: &str, value: &str| {
        let line = good.lines().find(|line| line.trim().starts_with(name)).unwrap();
        good.replace(line, &format!("  {name}: {value}"))
    };
    let of = |name: &str| STANDARD.encode(value(&other, name));
    for (secret, exit, says) in [
        (String::new(), 65, "no Secret in it"),
        ("kind: ConfigMap".to_owned(), 65, "no Secret in it"),
        ("kind: Secret".to_owned(), 65, "data has no ca.crt"),
        ("kind: [".to_owned(), 65, "--renew -: "),
        (with("ca.crt", "'*'"), 65, "data.ca.crt: "),
        (with("ca.crt", ""), 65, "data has no ca.crt"),
        (with("ca.crt", "aGVsbG8="), 65, "ca.crt: no certificate in PEM"),
        (with("ca.crt", &STANDARD.encode(value(&good, "tls.crt"))), 65, "ca.crt: not the"),
        (with("ca.key", "aGVsbG8="), 65, "ca.key: "),
        (with("ca.key", &of("ca.key")), 65, "ca.key: does not fit ca.crt"),
        (padded(&good, (4 << 20) + 1), 65, "--renew -: larger than 4 MiB"),
    ] {
        refused(&run(&["--renew", "-"], &secret), exit, says);
    }
    let missing = run(&["--renew", "/no/such/file"], "");
    refused(&missing, 66, "--renew /no/such/file: No such file");
    let renewed = printed(&["--renew", "-"], &padded(&good, 4 << 20));
    assert_eq!(value(&renewed, "ca.crt"), value(&good, "ca.crt"));
}

#[test]
fn another_secret_than_the_flags_name_is_not_renewed() {
    let flags = ["--namespace", "other", "--service", "hook", "--secret", "sec"];
    let secret = printed(&flags, "");
    for (left_out, says) in [
        (0..2, "its namespace is other, not app-health: say --namespace other"),
        (2..4, "its certificate is for hook.other, hook.other.svc, "),
        (4..6, "its name is sec, not app-health-webhook-tls: say --secret sec"),
    ] {
        let mut flags = flags.to_vec();
        flags.drain(left_out);
        refused(&run(&[&flags[..], &["--renew", "-"]].concat(), &secret), 65, says);
    }
    printed(&[&flags[..], &["--renew", "-"]].concat(), &secret);
}
