//! How long the app has to answer, and how often Envoy dials it in that time.

use super::{HTTP, HTTP2, HTTPS, PRESTOPZ, READYZ, first, first_of, get, variable};
use crate::host::Host;

#[test]
fn timeouts() {
    for (seconds, probe, hook) in [
        ("", "1000", "0"),
        (r#","timeoutSeconds":0"#, "1000", "0"),
        (r#","timeoutSeconds":1"#, "1000", "1000"),
        (r#","timeoutSeconds":90"#, "90000", "90000"),
    ] {
        let entry = format!(r#"{{"httpGet":{{"port":8080}}{seconds}}}"#);
        for (path, millis) in [(READYZ, probe), (PRESTOPZ, hook)] {
            let sent = first(&entry, get(path));
            let header = sent.headers.get("x-envoy-upstream-rq-timeout-ms");
            assert_eq!(header.as_deref(), Some(millis), "{path} {entry}");
        }
    }
    let longest = r#"{"httpGet":{"port":8080},"timeoutSeconds":2147483647}"#;
    let sent = first(longest, get(READYZ));
    assert!(sent.timeout.is_some_and(|timeout| timeout.as_secs() > 4_000_000), "{sent:?}");
}

/// Envoy ends a dial after half a minute. A probe with more time is dialled again.
#[test]
fn how_often_envoy_dials() {
    for (seconds, retries) in [(1, None), (29, None), (30, Some("1")), (3600, Some("120"))] {
        let entry = format!(r#"{{"httpGet":{{"port":8080}},"timeoutSeconds":{seconds}}}"#);
        let sent = first(&entry, get(READYZ));
        assert_eq!(sent.headers.get("x-envoy-max-retries").as_deref(), retries, "{seconds}");
    }
    let sent = first(HTTP, get(PRESTOPZ));
    assert_eq!(sent.headers.get("x-envoy-max-retries").as_deref(), Some("4"));
}

/// The filter's numbers are the `connect_timeout` of the clusters in `envoy-config/`.
#[test]
fn the_dials_are_as_long_as_the_filter_thinks() {
    let file = app_health_tests::program::root().join("envoy-config/envoy.yaml");
    let bootstrap = std::fs::read_to_string(file).expect("envoy-config/envoy.yaml");
    for (name, entry, seconds, dial) in [
        ("app_http", HTTP, 60, "30s"),
        ("app_https", HTTPS, 60, "30s"),
        ("app_http2", HTTP2, 60, "30s"),
        ("app_tcp", r#"{"tcpSocket":{"port":8080}}"#, 1, "0.25s"),
    ] {
        let cluster =
            bootstrap.split("  - name: ").find(|text| text.starts_with(&format!("{name}\n")));
        let cluster = cluster.unwrap_or_else(|| panic!("no {name}"));
        assert!(cluster.contains(&format!("    connect_timeout: {dial}\n")), "{name}");
        let entry = entry.replacen("}}", &format!("}},\"timeoutSeconds\":{seconds}}}"), 1);
        let mut host = Host::builder()
            .env("ISTIO_KUBE_APP_PROBERS", variable(&entry))
            .plugin_config(r#"{"agent_cluster":""}"#)
            .build();
        let again: f64 = first_of(&mut host, get(READYZ))
            .headers
            .get("x-envoy-max-retries")
            .and_then(|text| text.parse().ok())
            .expect("a number");
        let dial: f64 = dial.trim_end_matches('s').parse().expect("seconds");
        assert_eq!(again * dial, f64::from(seconds), "{name}");
    }
}
