//! serde_json is the oracle of the JSON; the texts with a `golden` name are what Istio writes.

use super::*;

fn decoded(text: &str) -> Probers {
    decode(text.as_bytes()).unwrap()
}

fn encoded(probers: &Probers) -> String {
    encode(probers.0.iter().map(|entry| encode_entry(&entry.0, entry.1.as_ref().unwrap())))
}

const GOLDEN: &str = concat!(
    r#"{"/app-health/a-b/livez":{"grpc":{"port":9090,"service":null}},"#,
    r#""/app-health/a/livez":{"httpGet":{"path":"/a?b=\u003c\u0026\u003e","port":80,"host":"h","#,
    r#""scheme":"HTTPS","httpHeaders":[{"name":"X-A","value":""},{"name":"","value":"é\u2028"}]},"#,
    r#""timeoutSeconds":1},"#,
    r#""/app-health/a/readyz":{"tcpSocket":{"port":65535,"host":"10.0.0.1"},"timeoutSeconds":2147483647},"#,
    r#""/app-health/a/startupz":{"grpc":{"port":1,"service":""}},"#,
    r#""/app-health/hello/livez":{"httpGet":{"port":80}},"#,
    r#""/app-health/hello/readyz":{"tcpSocket":{"port":3333},"timeoutSeconds":1},"#,
    r#""/app-lifecycle/a/poststartz":{"tcpSocket":{"port":1}},"#,
    r#""/app-lifecycle/a/prestopz":{"httpGet":{"path":"\b\f\n\r\t\u0001\"\\","port":1,"scheme":"HTTP"}}}"#,
);

#[test]
fn what_istio_wrote_comes_back_byte_for_byte() {
    assert_eq!(encoded(&decoded(GOLDEN)), GOLDEN);
}

/// In the order of the API's Go types, as of Kubernetes 1.37.
#[test]
fn protocol_and_mode_are_the_apis() {
    for text in [
        r#"{"/app-health/a/livez":{"grpc":{"port":1,"service":null,"mode":"TLS"}}}"#,
        r#"{"/app-health/a/livez":{"grpc":{"port":1,"service":"s","mode":"Plaintext"}}}"#,
        concat!(
            r#"{"/app-health/a/livez":{"httpGet":{"port":1,"scheme":"HTTP","#,
            r#""httpHeaders":[{"name":"a","value":"b"}],"protocol":"HTTP2"}}}"#
        ),
        r#"{"/app-health/a/livez":{"httpGet":{"port":1,"protocol":"HTTP1"}}}"#,
    ] {
        assert_eq!(encoded(&decoded(text)), text);
    }
}

#[test]
fn what_is_written_is_the_json_that_serde_json_reads() {
    let value: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
    let rewritten: serde_json::Value = serde_json::from_str(&encoded(&decoded(GOLDEN))).unwrap();
    assert_eq!(value, rewritten);
    let path = &value["/app-lifecycle/a/prestopz"]["httpGet"]["path"];
    let probers = decoded(GOLDEN);
    let Ok(Prober { handler: Handler::HttpGet(http), .. }) =
        probers.get("/app-lifecycle/a/prestopz").unwrap()
    else {
        panic!("no httpGet")
    };
    assert_eq!(path, &http.path);
}

#[test]
fn a_dollar_is_written_so_that_the_kubelet_leaves_it() {
    let probers = decoded(r#"{"/app-health/a/livez":{"httpGet":{"path":"/$(X)$$/$a","port":80}}}"#);
    let text = encoded(&probers);
    assert_eq!(
        text,
        r#"{"/app-health/a/livez":{"httpGet":{"path":"/\u0024(X)\u0024$/$a","port":80}}}"#
    );
    assert_eq!(decoded(&text), probers);
}

#[test]
fn nothing_recorded() {
    for text in ["", "{}", "null", " { } ", "\nnull\n"] {
        assert_eq!(decoded(text), Probers::default(), "{text:?}");
    }
    assert_eq!(encode([""; 0]), "{}");
}

#[test]
fn no_config_at_all() {
    for (text, error) in [
        ("x", "not JSON: expected a value at byte 0"),
        (" ", "not JSON: expected a value at byte 1"),
        ("{", "not JSON: expected a string at byte 1"),
        ("{}}", "not JSON: expected the end at byte 2"),
        ("null null", "not JSON: expected the end at byte 5"),
        (
            r#"{"/app-health/a/livez":{"tcpSocket":{"port":80}}"#,
            "not JSON: expected a comma or the end at byte 48",
        ),
        (r#"{"/app-health/a/livez":{"x":01}}"#, "not JSON: expected a comma or the end at byte 29"),
        ("[]", "not a JSON object"),
        ("\"{}\"", "not a JSON object"),
        ("7", "not a JSON object"),
        ("[", "not JSON: expected a value at byte 1"),
    ] {
        assert_eq!(decode(text.as_bytes()).unwrap_err().to_string(), error, "{text}");
    }
    assert_eq!(decode(b"{\"\xff\":1}").unwrap_err().to_string(), "not UTF-8 at byte 2");
    assert!(decode("[".repeat(1 << 20).as_bytes()).is_err());
    assert!(decode(format!("{{\"a\":{}", "[".repeat(1 << 20)).as_bytes()).is_err());
}

/// Every entry below stands beside a good one, which always survives.
#[test]
fn an_entry_that_is_not_valid_names_key_and_field() {
    for (entry, error) in [
        ("null", "not an object"),
        ("7", "not an object"),
        ("[]", "not an object"),
        ("{}", "none of httpGet, tcpSocket and grpc"),
        (r#"{"exec":{"command":["x"]}}"#, "none of httpGet, tcpSocket and grpc"),
        (r#"{"httpGet":null,"timeoutSeconds":1}"#, "none of httpGet, tcpSocket and grpc"),
        (
            r#"{"httpGet":{"port":1},"tcpSocket":{"port":1}}"#,
            "more than one of httpGet, tcpSocket and grpc",
        ),
        (
            r#"{"grpc":{"port":1},"tcpSocket":{"port":1}}"#,
            "more than one of httpGet, tcpSocket and grpc",
        ),
        (r#"{"httpGet":[]}"#, "httpGet: not an object"),
        (r#"{"httpGet":{}}"#, "httpGet.port: 0 is not a port from 1 to 65535"),
        (r#"{"httpGet":{"port":0}}"#, "httpGet.port: 0 is not a port from 1 to 65535"),
        (r#"{"httpGet":{"port":65536}}"#, "httpGet.port: 65536 is not a port from 1 to 65535"),
        (r#"{"tcpSocket":{"port":-1}}"#, "tcpSocket.port: -1 is not a port from 1 to 65535"),
        (r#"{"tcpSocket":{"port":"http"}}"#, "tcpSocket.port: not an integer"),
        (r#"{"grpc":{"port":1.5}}"#, "grpc.port: not an integer"),
        (r#"{"grpc":{"port":1e3}}"#, "grpc.port: not an integer"),
        (r#"{"grpc":{"port":99999999999999999999}}"#, "grpc.port: not an integer"),
        (r#"{"grpc":{"port":1,"service":2}}"#, "grpc.service: not a string"),
        (r#"{"httpGet":{"port":1,"path":{}}}"#, "httpGet.path: not a string"),
        (r#"{"httpGet":{"port":1,"scheme":"ftp"}}"#, "httpGet.scheme: neither HTTP nor HTTPS"),
        (
            r#"{"httpGet":{"port":1,"protocol":"http2"}}"#,
            "httpGet.protocol: neither HTTP1 nor HTTP2",
        ),
        (r#"{"grpc":{"port":1,"mode":"mTLS"}}"#, "grpc.mode: neither Plaintext nor TLS"),
        (r#"{"grpc":{"port":1,"mode":2}}"#, "grpc.mode: not a string"),
        (r#"{"httpGet":{"port":1,"httpHeaders":{}}}"#, "httpGet.httpHeaders: not an array"),
        (r#"{"httpGet":{"port":1,"httpHeaders":["a"]}}"#, "httpGet.httpHeaders: not an object"),
        (
            r#"{"httpGet":{"port":1,"httpHeaders":[{"name":1}]}}"#,
            "httpGet.httpHeaders: not a string",
        ),
        (
            r#"{"httpGet":{"port":1},"timeoutSeconds":-1}"#,
            "timeoutSeconds: -1 is not a number of seconds",
        ),
        (
            r#"{"httpGet":{"port":1},"timeoutSeconds":2147483648}"#,
            "timeoutSeconds: 2147483648 is not a number of seconds",
        ),
        (r#"{"httpGet":{"port":1},"timeoutSeconds":"1"}"#, "timeoutSeconds: not an integer"),
    ] {
        let good = r#""/app-health/good/livez":{"tcpSocket":{"port":80}}"#;
        let probers = decoded(&format!("{{\"/app-health/bad/livez\":{entry},{good}}}"));
        assert!(probers.get("/app-health/good/livez").unwrap().is_ok(), "{entry}");
        let found = probers.get("/app-health/bad/livez").unwrap().as_ref().unwrap_err().to_string();
        assert_eq!(found, format!("/app-health/bad/livez: {error}"), "{entry}");
    }
}

#[test]
fn a_key_that_is_no_probe_path() {
    for key in ["", "/", "/app-health/a", "/app-health/a/prestopz", "/app-health/a/livez?x"] {
        let probers = decoded(&format!("{{\"{key}\":{{\"tcpSocket\":{{\"port\":80}}}}}}"));
        let error = probers.get(key).unwrap().as_ref().unwrap_err().to_string();
        assert_eq!(error, format!("{key}: the key is no probe path"));
    }
}

#[test]
fn what_is_forgiven() {
    let plain = decoded(r#"{"/app-health/a/livez":{"grpc":{"port":80,"service":null}}}"#);
    for entry in [
        // Names match without regard to case: Istio's own tests write gRPC.
        r#"{"gRPC":{"PORT":80,"Service":null}}"#,
        r#"{"grpc":{"port":80}}"#,
        // Unknown fields, whatever they hold.
        r#"{"x":[{"y":[1,"2",null,true]}],"grpc":{"port":80,"z":{}}}"#,
        // null is absent.
        r#"{"httpGet":null,"tcpSocket":null,"grpc":{"port":80},"timeoutSeconds":null}"#,
        // The last of two counts.
        r#"{"grpc":{"port":1},"grpc":{"port":81,"port":80}}"#,
    ] {
        assert_eq!(decoded(&format!("{{\"/app-health/a/livez\":{entry}}}")), plain, "{entry}");
    }
    let scheme = decoded(r#"{"/app-health/a/livez":{"httpGet":{"port":80,"scheme":"https"}}}"#);
    assert!(encoded(&scheme).contains(r#""scheme":"HTTPS""#));
}
