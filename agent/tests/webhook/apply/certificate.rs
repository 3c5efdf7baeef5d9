//! When the Secret gets a new certificate.

use app_health_tests::authority::Issuer;
use time::Duration;

use super::{
    FILTER, HOST, HOUR, REWRITE, SECRET, applied, apply, assert_trusted, bundles, installed, made,
    part, put, written,
};

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
