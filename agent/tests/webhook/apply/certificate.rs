//! When the Secret gets a new certificate.

use app_health_tests::authority::Issuer;
use rcgen::{GeneralSubtree, NameConstraints};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::{
    DAY, FILTER, HOST, REWRITE, SECRET, annotate, applied, apply, assert_fails, assert_trusted,
    bundles, installed, made, made_by, part, put, put_ca, written,
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
    made(&cluster, -DAY, Duration::days(90));
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

/// Without a moment in which the Secret has none.
#[test]
fn it_is_renewed_at_once_where_the_secret_asks_for_it() {
    let cluster = installed();
    let issuer = made(&cluster, -DAY * 2, Duration::days(88));
    let before = part(&cluster, "tls.crt");
    annotate(&cluster);
    let said = applied(&cluster);
    assert!(said.contains("new certificate for 365 days, since: its annotation"), "{said}");
    assert_ne!(part(&cluster, "tls.crt"), before);
    assert_eq!(part(&cluster, "ca.crt"), issuer.pem());
    assert_trusted(&cluster, &part(&cluster, "tls.crt"));
    assert_eq!(cluster.get(SECRET)["metadata"]["annotations"], json!({"a": "b"}));
    assert!(applied(&cluster).contains("the certificate stays"));
}

#[test]
fn a_ca_that_ends_is_told_of_by_the_exit_code() {
    let cluster = installed();
    put_ca(&cluster, &Issuer::until(Duration::days(29)));
    let run = apply(&cluster);
    assert_fails(&run, 65, "Secret app-health/app-health-webhook-tls: the CA ends at ");
    // Not before all else was done.
    assert_trusted(&cluster, &part(&cluster, "tls.crt"));
}

/// By clocks that were wrong when it was made, or for too long.
#[test]
fn a_ca_that_is_not_valid_now_signs_nothing() {
    for (from, until, says) in
        [(-DAY * 90, -DAY, "the CA expired at "), (DAY, DAY * 90, "the CA is not valid before ")]
    {
        let cluster = installed();
        let now = OffsetDateTime::now_utc();
        let issuer = Issuer::with(|params| {
            (params.not_before, params.not_after) = (now + from, now + until);
        });
        put_ca(&cluster, &issuer);
        let run = apply(&cluster);
        assert_fails(&run, 65, &format!("Secret app-health/app-health-webhook-tls: {says}"));
        assert!(
            run.stderr.contains("envoy-config/webhook/README.md, Another CA"),
            "{}",
            run.stderr
        );
        assert_eq!(part(&cluster, "tls.crt"), "");
        // Nor is it well where it has signed already.
        made_by(&cluster, &issuer, -DAY * 2, DAY * 88);
        assert_fails(&apply(&cluster), 65, says);
    }
}

/// One that the API server would not take is worse than the old one.
#[test]
fn a_certificate_that_nobody_would_take_is_not_put() {
    let cluster = installed();
    let elsewhere = NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("shop.svc".to_owned())],
        excluded_subtrees: Vec::new(),
    };
    let issuer = Issuer::with(|params| params.name_constraints = Some(elsewhere));
    put_ca(&cluster, &issuer);
    let before = cluster.get(SECRET);
    let says = "Secret app-health/app-health-webhook-tls: a new certificate of its CA cannot be used: tls.crt: ";
    assert_fails(&apply(&cluster), 65, says);
    assert_eq!(cluster.get(SECRET), before);
}
