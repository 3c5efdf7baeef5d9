//! What is somebody else's is left as it is.

use app_health_tests::authority::Issuer;

use super::{HOST, apply, assert_fails, for_each_webhook, installed, put};

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

#[test]
fn webhooks_of_others_are_no_place_for_the_ca() {
    let cluster = installed();
    for_each_webhook(&cluster, |webhook| {
        webhook["clientConfig"]["service"]["namespace"] = "other".into();
    });
    let before = cluster.objects();
    let run = apply(&cluster);
    assert_fails(
        &run,
        2,
        "no webhook was found that asks the Service app-health/app-health-webhook",
    );
    assert!(run.stderr.contains("say --service"), "{}", run.stderr);
    assert_eq!(cluster.objects(), before);
}
