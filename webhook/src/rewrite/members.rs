//! The members of a probe that a rewrite replaces, and restoring puts back.
//!
//! As they were, they form an object of their own: of an `httpGet` its path, port, `protocol` and
//! (where it was HTTPS) scheme, since the rest stays in the probe; a `tcpSocket` or `grpc` whole,
//! and an `httpGet: null` that stood beside it.

use serde_json::{Value, json};

use super::node::{JsonObject, present};
use super::probe::{Port, Probe, Protocol, Target};
use crate::patch::{Operation, Pointer};
use crate::probers::{GrpcMode, Handler, HttpProtocol, Prober, Scheme};

/// The members that the rewrite of `probe` replaces.
pub(super) fn replaced(probe: &Probe<'_>, target: &Target<'_>) -> JsonObject {
    match &target.protocol {
        Protocol::Http { scheme, protocol, .. } => {
            let changes = |key: &&str| match *key {
                "scheme" => is_https(scheme),
                "protocol" => protocol.is_some(),
                _ => true,
            };
            let keys = ["path", "port", "scheme", "protocol"].into_iter().filter(changes);
            one("httpGet", copy(target.fields, keys))
        }
        Protocol::Tcp => copy(probe.fields, ["httpGet", "tcpSocket"]),
        Protocol::Grpc { .. } => copy(probe.fields, ["grpc", "httpGet"]),
    }
}

/// Those of the members that are there.
fn copy<'k>(from: &JsonObject, keys: impl IntoIterator<Item = &'k str>) -> JsonObject {
    let there = keys.into_iter().filter_map(|key| from.get_key_value(key));
    there.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Whether `recorded` would give back exactly what was replaced, so that nothing need be kept.
pub(super) fn variable_says_all(probe: &Probe<'_>, target: &Target<'_>) -> bool {
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let number = matches!(target.port, Port::Number(_));
    match &target.protocol {
        Protocol::Http { scheme, protocol, .. } => {
            let path = target.fields.get("path").is_none_or(is_text);
            let protocol = protocol.is_none_or(|protocol| !protocol.is_empty());
            let scheme = !is_https(scheme) || *scheme == Scheme::Https.as_str();
            number && path && scheme && protocol
        }
        Protocol::Tcp => {
            let only_port = target.fields.len() == 1;
            number && only_port && !probe.fields.contains_key("httpGet")
        }
        Protocol::Grpc { service, mode } => {
            let mode = mode.is_some_and(|mode| !mode.is_empty());
            let port_service_mode = 1 + usize::from(service.is_some()) + usize::from(mode);
            target.fields.len() == port_service_mode && !probe.fields.contains_key("httpGet")
        }
    }
}

/// The members that were replaced, as far as the variable can say them.
pub(super) fn recorded(prober: &Prober) -> JsonObject {
    let mut fields = JsonObject::new();
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    match &prober.handler {
        Handler::HttpGet(http) => {
            put("port", http.port.into());
            if !http.path.is_empty() {
                put("path", http.path.as_str().into());
            }
            if http.scheme == Some(Scheme::Https) {
                put("scheme", Scheme::Https.as_str().into());
            }
            if let Some(protocol) = http.protocol.map(HttpProtocol::as_str) {
                put("protocol", protocol.into());
            }
            one("httpGet", fields)
        }
        Handler::TcpSocket(tcp) => {
            put("port", tcp.port.into());
            if !tcp.host.is_empty() {
                put("host", tcp.host.as_str().into());
            }
            one("tcpSocket", fields)
        }
        Handler::Grpc(grpc) => {
            put("port", grpc.port.into());
            if let Some(service) = &grpc.service {
                put("service", service.as_str().into());
            }
            if let Some(mode) = grpc.mode.map(GrpcMode::as_str) {
                put("mode", mode.into());
            }
            one("grpc", fields)
        }
    }
}

fn one(key: &str, fields: JsonObject) -> JsonObject {
    JsonObject::from_iter([(key.to_owned(), Value::Object(fields))])
}

fn is_https(scheme: &str) -> bool {
    Scheme::parse(scheme) == Some(Scheme::Https)
}

/// Whether `members` can be put back: one handler, and nothing that is none.
pub(super) fn are_valid(members: &JsonObject) -> bool {
    let handlers = members.iter().filter(|(name, value)| {
        ["httpGet", "tcpSocket", "grpc"].contains(&name.as_str())
            && value.as_object().is_some_and(|handler| present(handler, "port").is_some())
    });
    let nulls = members.iter().filter(|(name, value)| *name == "httpGet" && value.is_null());
    let (handlers, nulls) = (handlers.count(), nulls.count());
    handlers == 1 && handlers + nulls == members.len()
}

/// Sends the probe at `probe_at` to `path` on `port`.
pub(super) fn redirect(
    probe_at: &Pointer,
    target: &Target<'_>,
    path: &str,
    port: u16,
    patch: &mut Vec<Operation>,
) {
    let at = probe_at.key("httpGet");
    let handler = match &target.protocol {
        Protocol::Http { scheme, .. } => {
            patch.push(set(target.fields, &at, "path", path.into()));
            patch.push(set(target.fields, &at, "port", port.into()));
            if is_https(scheme) {
                patch.push(set(target.fields, &at, "scheme", Scheme::Http.as_str().into()));
            }
            patch.extend(without_protocol(target, &at));
            return;
        }
        Protocol::Tcp => "tcpSocket",
        Protocol::Grpc { .. } => "grpc",
    };
    patch.push(Operation::Remove(probe_at.key(handler)));
    patch.push(Operation::Add(at, json!({"path": path, "port": port})));
}

/// The status port speaks HTTP/1.1, whatever the app does.
pub(super) fn without_protocol(target: &Target<'_>, at: &Pointer) -> Option<Operation> {
    let there = matches!(target.protocol, Protocol::Http { protocol: Some(_), .. });
    there.then(|| Operation::Remove(at.key("protocol")))
}

/// Puts `members` back into the probe at `probe_at`, whose `httpGet` is now `http`.
pub(super) fn put_back(
    probe_at: &Pointer,
    http: &JsonObject,
    members: &JsonObject,
    patch: &mut Vec<Operation>,
) {
    let at = probe_at.key("httpGet");
    if let Some(Value::Object(original)) = members.get("httpGet") {
        if !original.contains_key("path") {
            patch.push(Operation::Remove(at.key("path")));
        }
        let changed = original.iter().filter(|(key, value)| http.get(*key) != Some(value));
        patch.extend(changed.map(|(key, value)| set(http, &at, key, value.clone())));
        return;
    }
    if !members.contains_key("httpGet") {
        patch.push(Operation::Remove(at));
    }
    for (key, value) in members {
        let at = probe_at.key(key);
        let write = if key == "httpGet" { Operation::Replace } else { Operation::Add };
        patch.push(write(at, value.clone()));
    }
}

fn set(object: &JsonObject, at: &Pointer, key: &str, value: Value) -> Operation {
    let write = if object.contains_key(key) { Operation::Replace } else { Operation::Add };
    write(at.key(key), value)
}
