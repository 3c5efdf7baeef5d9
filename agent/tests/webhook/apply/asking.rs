//! The API server cannot be asked.

use app_health_tests::authority::Issuer;
use app_health_tests::process::{self, Run};
use serde_json::Value;

use super::{SECRET, apply, command, installed};
use crate::server::BINARY;

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
