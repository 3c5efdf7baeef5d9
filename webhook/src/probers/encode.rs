//! Writing the config, byte for byte as Istio does.

use alloc::string::{String, ToString};

use super::{GrpcMode, Handler, HttpGet, HttpHeader, HttpProtocol, Prober};
use crate::json::write_string;

/// A config of these entries, as [`encode_entry`] writes them. They must come in the bytewise order
/// of their keys, as a map's do.
pub fn encode(entries: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut out = String::from("{");
    for entry in entries {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(entry.as_ref());
    }
    out.push('}');
    out
}

/// Room for most entries, in bytes.
const USUAL_ENTRY: usize = 128;

/// Writes one entry, `"key":{…}`.
pub fn encode_entry(key: &str, prober: &Prober) -> String {
    let mut out = String::with_capacity(USUAL_ENTRY);
    write_string(&mut out, key);
    out.push(':');
    encode_prober(&mut out, prober, |_| true);
    out
}

/// Writes an entry's value, `{…}`, without the values of the headers that are not shown.
pub fn encode_prober(out: &mut String, prober: &Prober, is_shown: impl Fn(&HttpHeader) -> bool) {
    match &prober.handler {
        Handler::HttpGet(http) => encode_http_get(out, http, is_shown),
        Handler::TcpSocket(tcp) => {
            out.push_str(r#"{"tcpSocket":{"port":"#);
            out.push_str(&tcp.port.to_string());
            encode_string_field(out, ",\"host\":", &tcp.host);
        }
        Handler::Grpc(grpc) => {
            out.push_str(r#"{"grpc":{"port":"#);
            out.push_str(&grpc.port.to_string());
            out.push_str(",\"service\":");
            match &grpc.service {
                Some(service) => write_string(out, service),
                None => out.push_str("null"),
            }
            encode_string_field(out, ",\"mode\":", grpc.mode.map_or("", GrpcMode::as_str));
        }
    }
    out.push('}');
    if prober.timeout_seconds > 0 {
        out.push_str(",\"timeoutSeconds\":");
        out.push_str(&prober.timeout_seconds.to_string());
    }
    out.push('}');
}

fn encode_http_get(out: &mut String, http: &HttpGet, is_shown: impl Fn(&HttpHeader) -> bool) {
    out.push_str(r#"{"httpGet":{"#);
    if !http.path.is_empty() {
        out.push_str("\"path\":");
        write_string(out, &http.path);
        out.push(',');
    }
    out.push_str("\"port\":");
    out.push_str(&http.port.to_string());
    encode_string_field(out, ",\"host\":", &http.host);
    if let Some(scheme) = http.scheme {
        encode_string_field(out, ",\"scheme\":", scheme.as_str());
    }
    let mut before = ",\"httpHeaders\":[";
    for header in &http.headers {
        out.push_str(before);
        out.push_str("{\"name\":");
        write_string(out, &header.name);
        if is_shown(header) {
            out.push_str(",\"value\":");
            write_string(out, &header.value);
        }
        out.push('}');
        before = ",";
    }
    if !http.headers.is_empty() {
        out.push(']');
    }
    let protocol = http.protocol.map_or("", HttpProtocol::as_str);
    encode_string_field(out, ",\"protocol\":", protocol);
}

fn encode_string_field(out: &mut String, name: &str, text: &str) {
    if !text.is_empty() {
        out.push_str(name);
        write_string(out, text);
    }
}
