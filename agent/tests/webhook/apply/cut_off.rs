//! A run may end after any request, and another may come between any two.

use std::thread;

use app_health_tests::authority::Issuer;
use app_health_tests::cluster::Cluster;
use app_health_tests::poll::until;
use time::Duration;

use super::{
    applied, apply, assert_trusted, bundles, certificates, empty, installed, made, part,
    set_bundles, written,
};

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
        set_bundles(&cluster, &(other + &part(&cluster, "ca.crt")));
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
        situation("the old CA goes", Some((-days(2), days(80))), false, true),
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
