//! The probers config: any bytes read, what is read written again, all of it compared with serde_json.

use app_health_webhook::probers::{
    ConfigError, Grpc, GrpcMode, Handler, HttpGet, HttpHeader, HttpProtocol, Prober, Probers,
    Scheme, TcpSocket, decode, encode, encode_entry,
};
use serde_json::Value;

use crate::input::Choices;
use crate::seeds;

pub fn target(data: &[u8]) {
    let decoded = decode(data);
    if let Ok(probers) = &decoded {
        comes_back(probers.clone());
    }
    agrees_with_serde_json(data, decoded);
    comes_back(made_of(&mut Choices::new(data)));
}

pub fn seeds() -> Vec<Vec<u8>> {
    seeds::variables().into_iter().map(String::into_bytes).collect()
}

/// What is written reads as what it was, here and by serde_json.
fn comes_back(probers: Probers) {
    let valid = |(key, entry): (String, Result<Prober, _>)| Some((key, entry.ok()?));
    let entries: Vec<_> = probers.into_entries().filter_map(valid).collect();
    let text = encode(entries.iter().map(|(key, prober)| encode_entry(key, prober)));
    let again = decode(text.as_bytes()).expect("what is written here can be read");
    let again: Vec<_> = again.into_entries().filter_map(valid).collect();
    assert_eq!(again, entries, "{text}");
    assert!(!text.contains("$(") && !text.contains("$$"), "the kubelet would expand it: {text}");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    for (key, prober) in &entries {
        is_written(&value[key], prober);
    }
}

fn is_written(entry: &Value, prober: &Prober) {
    assert_eq!(entry["timeoutSeconds"].as_u64().unwrap_or(0), u64::from(prober.timeout_seconds));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match &prober.handler {
        Handler::HttpGet(http) => {
            let written = &entry["httpGet"];
            assert_eq!(written["port"], http.port);
            assert_eq!(
                (text(&written["path"]), text(&written["host"])),
                (http.path.clone(), http.host.clone())
            );
            assert_eq!(text(&written["scheme"]), http.scheme.map_or("", Scheme::as_str));
            assert_eq!(text(&written["protocol"]), http.protocol.map_or("", HttpProtocol::as_str));
            let headers = written["httpHeaders"].as_array().into_iter().flatten();
            let pairs = headers.map(|it| (text(&it["name"]), text(&it["value"])));
            let of_prober = http.headers.iter().map(|it| (it.name.clone(), it.value.clone()));
            assert!(pairs.eq(of_prober), "{written}");
        }
        Handler::TcpSocket(tcp) => {
            let written = &entry["tcpSocket"];
            assert_eq!(
                (&written["port"], text(&written["host"])),
                (&tcp.port.into(), tcp.host.clone())
            );
        }
        Handler::Grpc(grpc) => {
            let written = &entry["grpc"];
            assert_eq!(written["port"], grpc.port);
            assert_eq!(written["service"].as_str(), grpc.service.as_deref());
            assert_eq!(text(&written["mode"]), grpc.mode.map_or("", GrpcMode::as_str));
        }
    }
}

/// Both take it for JSON, or neither; and both find the same entries.
fn agrees_with_serde_json(data: &[u8], decoded: Result<Probers, ConfigError>) {
    let value = serde_json::from_slice::<Value>(data);
    if value.as_ref().is_err_and(is_refused_by_serde_json_alone) {
        return;
    }
    match decoded {
        Err(ConfigError::NotUtf8(_)) => assert!(std::str::from_utf8(data).is_err()),
        Err(ConfigError::NoObject) => {
            assert!(value.is_ok_and(|it| !it.is_object()), "{}", String::from_utf8_lossy(data));
        }
        Err(ConfigError::Syntax(error)) => assert!(value.is_err(), "{error}"),
        Ok(_) if data.is_empty() => {}
        Ok(probers) => {
            let value = value.unwrap_or_else(|error| panic!("{error}"));
            let keys: Vec<_> = probers.into_entries().map(|(key, _)| key).collect();
            let mut expected: Vec<_> =
                value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect();
            expected.sort();
            assert_eq!(keys, expected);
        }
    }
}

/// A number too large for it, and half a surrogate pair, which Go takes for U+FFFD.
fn is_refused_by_serde_json_alone(error: &serde_json::Error) -> bool {
    ["number out of range", "unexpected end of hex escape", "lone leading surrogate"]
        .iter()
        .any(|it| error.to_string().starts_with(it))
}

fn made_of(choices: &mut Choices) -> Probers {
    let keys = [
        "/app-health/a/livez",
        "/app-health/a/readyz",
        "/app-health/a-b/startupz",
        "/app-lifecycle/a/prestopz",
    ];
    let mut entries: Vec<_> =
        choices.several(4, |choices| (choices.one_of(&keys), prober(choices)));
    entries.sort_by_key(|(key, _)| *key);
    entries.dedup_by_key(|(key, _)| *key);
    let text = encode(entries.iter().map(|(key, prober)| encode_entry(key, prober)));
    let probers = decode(text.as_bytes()).expect("what is written here can be read");
    let read: Vec<_> = probers.clone().into_entries().collect();
    let written: Vec<_> =
        entries.into_iter().map(|(key, prober)| (key.to_owned(), Ok(prober))).collect();
    assert_eq!(read, written, "{text}");
    probers
}

fn prober(choices: &mut Choices) -> Prober {
    let port = 1 + choices.below(65_535) as u16;
    let handler = match choices.below(3) {
        0 => Handler::HttpGet(HttpGet {
            path: choices.text(),
            port,
            host: choices.text(),
            scheme: choices.one_of(&[None, Some(Scheme::Http), Some(Scheme::Https)]),
            headers: choices.several(3, |it| HttpHeader { name: it.text(), value: it.text() }),
            protocol: choices.one_of(&[None, Some(HttpProtocol::Http1), Some(HttpProtocol::Http2)]),
        }),
        1 => Handler::TcpSocket(TcpSocket { port, host: choices.text() }),
        _ => Handler::Grpc(Grpc {
            port,
            service: (choices.below(2) == 1).then(|| choices.text()),
            mode: choices.one_of(&[None, Some(GrpcMode::Plaintext), Some(GrpcMode::Tls)]),
        }),
    };
    Prober { handler, timeout_seconds: choices.one_of(&[0, 1, 60, i32::MAX as u32]) }
}
