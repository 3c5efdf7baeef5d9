//! Which CAs the webhooks have.

use std::thread;

use app_health_tests::authority::Issuer;
use app_health_tests::poll::until;
use serde_json::Value;
use time::Duration;

use super::{
    DAY, FILTER, REWRITE, applied, apply, assert_fails, assert_takes, assert_trusted, bundles,
    installed, made, part, put_ca, set_bundles,
};

#[test]
fn an_old_ca_goes_once_every_pod_serves_by_the_new_one() {
    let hour = Duration::hours(1);
    for (age, goes) in
        [(DAY, false), (DAY + hour - Duration::minutes(1), false), (DAY + hour, true)]
    {
        let cluster = installed();
        let issuer = made(&cluster, -age, Duration::days(90));
        let old = Issuer::default().pem();
        let both = format!("{old}{}", issuer.pem());
        set_bundles(&cluster, &both);
        applied(&cluster);
        let expected = if goes { issuer.pem() } else { both };
        assert!(bundles(&cluster).iter().all(|bundle| *bundle == expected), "{age}");
    }
}

/// However old its certificate is: the pods may serve with another one's until now. Nor does the next run take out
/// that one, wherever this one is cut off, or is overtaken.
#[test]
fn the_ca_of_a_restored_secret_comes_beside_the_other_one() {
    for fault in ["", "409", "cut off"] {
        let cluster = installed();
        let issuer = made(&cluster, -DAY * 30, DAY * 60);
        let before = part(&cluster, "tls.crt");
        let other = Issuer::default().pem();
        set_bundles(&cluster, &other);
        match fault {
            "409" => cluster.refuse(&format!("PATCH {REWRITE}"), 1, 409),
            // After the first configuration has the CA.
            "cut off" => cluster.refuse(&format!("PATCH {REWRITE}"), 1, 403),
            _ => {}
        }
        apply(&cluster);
        applied(&cluster);
        let both = format!("{other}{}", issuer.pem());
        assert!(bundles(&cluster).iter().all(|bundle| *bundle == both), "{fault}");
        assert_ne!(part(&cluster, "tls.crt"), before, "{fault}");
        assert_trusted(&cluster, &part(&cluster, "tls.crt"));
    }
}

/// The rest is done, and the failure told.
#[test]
fn one_configuration_that_refuses_keeps_no_certificate_from_being_renewed() {
    for (request, status) in [("PATCH", 403), ("PATCH", 422), ("GET", 403)] {
        let cluster = installed();
        made(&cluster, -DAY * 60, DAY * 20);
        let before = part(&cluster, "tls.crt");
        let request = format!("{request} {FILTER}");
        cluster.refuse(&request, usize::MAX, status);
        let run = apply(&cluster);
        assert_fails(&run, 2, &format!("{FILTER}: {status}: refused"));
        assert!(run.stdout.contains("new certificate"), "{}", run.stdout);
        assert_ne!(part(&cluster, "tls.crt"), before);
        assert_takes(&bundles(&cluster)[3], &part(&cluster, "tls.crt"));
        // It is no use to ask again.
        let asked = cluster.requests().into_iter().filter(|it| it.0 == request).count();
        assert_eq!(asked, 1);
    }
}

/// Pods may serve with one that is trusted there.
#[test]
fn a_certificate_of_another_ca_waits_until_all_trust_it() {
    let cluster = installed();
    put_ca(&cluster, &Issuer::default());
    cluster.refuse(&format!("PATCH {FILTER}"), 1, 403);
    assert_fails(&apply(&cluster), 2, "403: refused");
    assert_eq!(part(&cluster, "tls.crt"), "");
    assert_eq!(bundles(&cluster)[3], part(&cluster, "ca.crt"));
    applied(&cluster);
    assert_trusted(&cluster, &part(&cluster, "tls.crt"));
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
