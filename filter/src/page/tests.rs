use std::cell::RefCell;
use std::time::Duration;

use app_health_webhook::probers;

use super::*;
use crate::process::{Metric, MetricKind};

/// A process with these counters, by parts of their names, and the same shared data for all probes.
#[derive(Default)]
struct Given {
    counts: Vec<(&'static str, u64)>,
    shared: String,
    names: RefCell<Vec<String>>,
}

impl Process for Given {
    fn metric(&self, kind: MetricKind, name: &str) -> Metric {
        assert_eq!(kind, MetricKind::Counter);
        let mut names = self.names.borrow_mut();
        names.push(name.to_owned());
        Metric(names.len() as u32 - 1)
    }

    fn value(&self, metric: Metric) -> u64 {
        let name = &self.names.borrow()[metric.0 as usize];
        self.counts.iter().find(|(part, _)| name.contains(part)).map_or(0, |(_, n)| *n)
    }

    fn increment(&self, _: Metric) {
        panic!("the page changes nothing")
    }

    fn set(&self, _: Metric, _: u64) {
        panic!("the page changes nothing")
    }

    fn shared(&self, _: &str) -> Option<(Vec<u8>, u32)> {
        (!self.shared.is_empty()).then(|| (self.shared.clone().into_bytes(), 1))
    }

    fn share(&self, _: &str, _: &[u8], _: Option<u32>) -> bool {
        panic!("the page changes nothing")
    }
}

fn json_of(plugin: &str, variable: &[u8], process: &Given) -> String {
    let read = |name: &str| (name == probers::VARIABLE).then(|| variable.to_vec());
    let config = FilterConfig::read(plugin.as_bytes(), read);
    let now = Duration::from_millis(100_960);
    let local = SocketAddress { ip: "::1".to_owned(), port: 15020 };
    let pod = SocketAddress { ip: "fd00::7".to_owned(), ..local };
    let addresses = Some(Addresses { local, pod });
    let rest = Status { config: &config, variable, now, process }.json();
    json::of_request(&addresses, &config, &rest)
}

/// The probes of the page, each as one text.
fn probes(variable: &[u8], process: &Given) -> Vec<String> {
    let json = json_of("", variable, process);
    let (_, probes) = json.split_once(r#""probes":[{"path""#).unwrap();
    probes.strip_suffix("]}").unwrap().split(r#",{"path""#).map(str::to_owned).collect()
}

#[test]
fn all_of_it() {
    let process = Given {
        counts: vec![
            ("by=.=agent;.;", 12),
            ("by=.=envoy;.;", 3),
            ("app_container=.=web;.;probe=.=readiness;.;result=.=ok;.;", 5_000_000_000),
            ("result=.=refused;.;", 2),
            ("result=.=abandoned;.;", 1),
        ],
        shared: "1 16389 fails 88600000000 refused tcp [fd00::7]:2940: connection refused"
            .to_owned(),
        ..Given::default()
    };
    let variable = br#"{"/app-health/web/readyz":{"tcpSocket":{"port":2940},"timeoutSeconds":3}}"#;
    let expected = concat!(
        r#"{"version":1,"filter_version":"VERSION","address":"fd00::7","status_port":15020,"#,
        r#""errors":["plugin configuration: unknown key x, ignored"],"#,
        r#""tcp_checks":{"agent":12,"envoy":3},"probes":["#,
        r#"{"path":"/app-health/web/readyz","container":"web","probe":"readiness","#,
        r#""check":"tcp :2940","state":"failing","state_seconds":12.3,"reason":"refused","#,
        r#""text":"tcp [fd00::7]:2940: connection refused","passes":5000000000,"failures":2,"#,
        r#""results":{"ok":5000000000,"refused":2,"abandoned":1},"timeout_seconds":3,"#,
        r#""recorded":{"tcpSocket":{"port":2940},"timeoutSeconds":3}}]}"#,
    );
    let expected = expected.replace("VERSION", env!("CARGO_PKG_VERSION"));
    assert_eq!(json_of(r#"{"x":1}"#, variable, &process), expected);
}

#[test]
fn a_probe_that_nobody_has_asked() {
    let variable = br#"{"/app-lifecycle/web/prestopz":{"tcpSocket":{"port":1}}}"#;
    let expected = concat!(
        r#":"/app-lifecycle/web/prestopz","container":"web","probe":"prestop","check":"tcp :1","#,
        r#""state":"unknown","state_seconds":null,"reason":null,"text":"","passes":0,"failures":0,"#,
        r#""results":{},"timeout_seconds":0,"recorded":{"tcpSocket":{"port":1}}}"#,
    );
    assert_eq!(probes(variable, &Given::default()), [expected]);
}

/// The original check in words.
#[test]
fn checks() {
    for (entry, words) in [
        (r#"{"httpGet":{"port":8080}}"#, "http GET :8080/"),
        (
            r#"{"httpGet":{"port":80,"path":"ready?x=y","scheme":"HTTPS"}}"#,
            "https GET :80/ready?x=y",
        ),
        (r#"{"httpGet":{"port":80,"path":"/","protocol":"HTTP2"}}"#, "http2 GET :80/"),
        (r#"{"tcpSocket":{"port":2940}}"#, "tcp :2940"),
        (r#"{"grpc":{"port":9090}}"#, "grpc :9090"),
        (r#"{"grpc":{"port":9090,"service":"db","mode":"TLS"}}"#, "grpc :9090 db over TLS"),
        (r#"{"tcpSocket":{"port":0}}"#, ""),
    ] {
        let variable = format!(r#"{{"/app-health/web/livez":{entry}}}"#);
        let probes = probes(variable.as_bytes(), &Given::default());
        assert!(probes[0].contains(&format!(r#""check":"{words}","#)), "{entry}: {probes:?}");
    }
}

#[test]
fn values_of_headers_are_hidden_but_for_host() {
    let variable = br#"{"/app-health/a/livez":{"httpGet":{"port":1,"httpHeaders":[{"name":"hOST","value":"shop"},{"name":"X-Token","value":"secret"}]}}}"#;
    let probes = probes(variable, &Given::default());
    let headers = r#""httpHeaders":[{"name":"hOST","value":"shop"},{"name":"X-Token"}]"#;
    assert!(probes[0].contains(headers), "{probes:?}");
}

/// The kubelet sends a user in the path as Authorization, whose value is hidden as any other's.
#[test]
fn a_user_is_hidden() {
    let hidden = r#""httpHeaders":[{"name":"Authorization"}]"#;
    for (path, shown) in [
        ("//u:p@x/a?b", format!(r#""path":"//x/a?b","port":1,{hidden}"#)),
        ("http://u@v@x?y@z", format!(r#""path":"http://x?y@z","port":1,{hidden}"#)),
        ("/a//b@c", r#""path":"/a//b@c","port":1}"#.to_owned()),
        ("//x/a@b", r#""path":"//x/a@b","port":1}"#.to_owned()),
        ("/a@b", r#""path":"/a@b","port":1}"#.to_owned()),
    ] {
        let entry = format!(r#"{{"httpGet":{{"path":"{path}","port":1}}}}"#);
        let variable = format!(r#"{{"/app-health/a/livez":{entry}}}"#);
        let probes = probes(variable.as_bytes(), &Given::default());
        assert!(probes[0].contains(&shown), "{path}: {probes:?}");
    }
}

#[test]
fn an_entry_that_is_not_valid_harms_no_other() {
    let variable = br#"{"/app-health/a/livez":{"tcpSocket":{"port":0}},"/app-health/b/livez":{"tcpSocket":{"port":1}}}"#;
    let probes = probes(variable, &Given::default());
    let recorded = probes.iter().map(|probe| probe.split_once(r#""recorded":"#).unwrap().1);
    assert!(recorded.eq(["null}", r#"{"tcpSocket":{"port":1}}}"#]), "{probes:?}");
}

#[test]
fn text_is_escaped() {
    let variable =
        r#"{"/app-health/a/livez":{"grpc":{"port":1,"service":"\u0000<script>\"\\\n\u2028é"}}}"#;
    let reason = "</script>\u{1}\u{2029}\u{7f}";
    let shared = format!("1 4 fails 1 refused {reason}");
    let probes = probes(variable.as_bytes(), &Given { shared, ..Given::default() });
    let service = r#"\u0000\u003cscript\u003e\"\\\n\u2028é"#;
    for text in [
        format!(r#""check":"grpc :1 {service}","#),
        format!(r#""service":"{service}""#),
        "\"text\":\"\\u003c/script\\u003e\\u0001\\u2029\u{7f}\",".to_owned(),
    ] {
        assert!(probes[0].contains(&text), "{text} in {probes:?}");
    }
}

#[test]
fn html_or_json_by_what_is_accepted() {
    for (method, accept, status, kind) in [
        ("GET", "*/*", 200, "text/html; charset=utf-8"),
        ("HEAD", "text/html,application/xhtml+xml,*/*;q=0.8", 200, "text/html; charset=utf-8"),
        ("GET", "application/json", 200, "application/json"),
        ("HEAD", "text/plain, application/json;q=0.9", 200, "application/json"),
        ("POST", "application/json", 405, "text/plain"),
    ] {
        let headers = [(":method", method), (":authority", "[::1]"), ("accept", accept)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        let reply = answer(&Headers::new(headers.into()), || "{}".to_owned());
        let of = |name| reply.headers.iter().find(|header| header.0 == name).map(|header| header.1);
        assert_eq!((reply.status, of("content-type")), (status, Some(kind)), "{method} {accept}");
        assert_eq!(of("allow"), (status == 405).then_some("GET, HEAD"));
        assert_eq!(reply.body == "{}", kind == "application/json");
    }
}

/// A name that a web page's author could have lead to loopback is none to ask by.
#[test]
fn hosts() {
    for (host, status) in [
        ("127.0.0.1:15020", 200),
        ("127.0.0.1", 200),
        ("[::1]:8015", 200),
        ("[::1]", 200),
        ("localhost:15020", 200),
        ("LOCALHOST", 200),
        ("10.0.0.7:15020", 200),
        ("evil.example:15020", 403),
        ("evil.example", 403),
        ("localhost.evil.example:15020", 403),
        ("127.0.0.1.evil.example", 403),
        ("1.evil:1", 403),
        ("", 403),
    ] {
        let headers = [(":method", "GET"), (":authority", host), ("accept", "application/json")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        assert_eq!(answer(&Headers::new(headers.into()), String::new).status, status, "{host}");
    }
}

#[test]
fn only_by_its_route_and_path() {
    for (path, route, is_asked) in [
        ("/app-health/", "status_page", true),
        ("/app-health/?x", "status_page", true),
        ("/app-health/", "", false),
        ("/app-health", "status_page", false),
        ("/app-health/web/readyz", "status_page", false),
    ] {
        let headers = Headers::new(vec![(":path".to_owned(), path.as_bytes().to_vec())]);
        assert_eq!(
            super::is_asked(&headers, || route.as_bytes().to_vec()),
            is_asked,
            "{path} {route}"
        );
    }
}
