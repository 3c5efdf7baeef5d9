//! The API server cannot be asked.

use std::thread;

use app_health_tests::authority::Issuer;
use app_health_tests::process::{self, Run};
use serde_json::Value;

use super::{SECRET, applied, apply, assert_fails, command, installed};
use crate::server::BINARY;

#[test]
fn what_keeps_it_from_asking() {
    let cluster = installed();
    let no_pod = ["certs", "--apply"];
    let folder = cluster.service_account();
    let (ca, token) = (folder.join("ca.crt"), folder.join("token"));
    let check = |run: Run, exit, says: &str| {
        assert_eq!(run.stdout, "");
        assert_fails(&run, exit, says);
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
}

#[test]
fn an_api_server_that_is_busy_for_a_moment_is_asked_again() {
    let cluster = installed();
    for (request, status) in [("GET ", 429), ("PUT ", 503), ("PATCH ", 500)] {
        cluster.set(SECRET, installed().get(SECRET));
        cluster.refuse(request, 1, status);
        cluster.break_after(None);
        applied(&cluster);
        let refused = cluster.requests().into_iter().find(|it| it.1 == status);
        assert!(refused.is_some_and(|it| it.0.starts_with(request)), "{request} {status}");
    }
    cluster.close(1);
    assert!(applied(&cluster).contains("the certificate stays"));
}

/// Half a minute, and then by the last reason.
#[test]
fn it_is_not_asked_for_ever() {
    let busy = installed();
    busy.refuse("GET ", usize::MAX, 503);
    let mut refused = command(&busy);
    refused.env("KUBERNETES_SERVICE_PORT", "1");
    thread::scope(|scope| {
        scope.spawn(|| assert_fails(&apply(&busy), 2, "app-health-webhook-tls: 503: refused"));
        assert_fails(&process::run(&mut refused, ""), 2, "Connection refused");
    });
    assert!(busy.requests().len() > 1);
}
