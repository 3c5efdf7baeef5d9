//! Which CAs the webhooks have.

use std::thread;

use app_health_tests::authority::Issuer;
use app_health_tests::poll::until;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use time::Duration;

use super::{
    HOUR, REWRITE, applied, assert_trusted, bundles, for_each_webhook, installed, made, part,
};

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
