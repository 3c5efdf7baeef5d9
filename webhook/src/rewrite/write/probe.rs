//! What changes in a probe.

use serde_json::{Value, json};

use crate::handler::HandlerKind;
use crate::patch::{Operation, Pointer};
use crate::probers::Scheme;
use crate::rewrite::decide::{Destination, Disposition, PlannedProbe};
use crate::rewrite::read::{Action, JsonObject, ProbeHandler, Target};
use crate::rewrite::records::{Original, is_https};

const HTTP_GET: &str = HandlerKind::HttpGet.field();

pub fn write(planned: &PlannedProbe<'_, '_>, patch: &mut Vec<Operation>) {
    // What asks no port is always left.
    let ProbeHandler::Network(target) = &planned.probe.handler else { return };
    let at = || planned.container.probe_pointer(planned.probe.kind);
    match &planned.disposition {
        Disposition::Redirected(to) => redirect(&at(), target, to, patch),
        Disposition::Updated { to, port, protocol, .. } => {
            let at = at().key(HTTP_GET);
            patch.extend(port.then(|| Operation::Replace(at.key("port"), to.port.into())));
            patch.extend(protocol.then(|| without_protocol(&at)));
        }
        Disposition::Restored(original) => put_back(&at(), target.fields, original, patch),
        Disposition::Left(_) => {}
    }
}

/// In an httpGet only what changes is replaced, so that it keeps its headers.
fn redirect(probe: &Pointer, target: &Target<'_>, to: &Destination, patch: &mut Vec<Operation>) {
    let at = probe.key(HTTP_GET);
    let replaced = match &target.action {
        Action::HttpGet { scheme, .. } => {
            patch.push(set(target.fields, &at, "path", to.path.as_str().into()));
            patch.push(set(target.fields, &at, "port", to.port.into()));
            if is_https(scheme) {
                patch.push(set(target.fields, &at, "scheme", Scheme::Http.as_str().into()));
            }
            patch.extend(target.has_protocol().then(|| without_protocol(&at)));
            return;
        }
        Action::TcpSocket => HandlerKind::TcpSocket,
        Action::Grpc { .. } => HandlerKind::Grpc,
    };
    patch.push(Operation::Remove(probe.key(replaced.field())));
    patch.push(Operation::Add(at, json!({"path": to.path, "port": to.port})));
}

/// The status port speaks HTTP/1.1, whatever the app does.
fn without_protocol(http: &Pointer) -> Operation {
    Operation::Remove(http.key("protocol"))
}

/// Puts back what a probe had whose `httpGet` is now `http`.
fn put_back(probe: &Pointer, http: &JsonObject, original: &Original, patch: &mut Vec<Operation>) {
    let at = probe.key(HTTP_GET);
    let members = &original.members;
    if original.handler == HandlerKind::HttpGet {
        if !members.contains_key("path") {
            patch.push(Operation::Remove(at.key("path")));
        }
        let changed = members.iter().filter(|(key, value)| http.get(*key) != Some(value));
        patch.extend(changed.map(|(key, value)| set(http, &at, key, value.clone())));
    } else {
        patch.push(Operation::Remove(at));
        let at = probe.key(original.handler.field());
        patch.push(Operation::Add(at, Value::Object(members.clone())));
    }
}

fn set(object: &JsonObject, at: &Pointer, key: &str, value: Value) -> Operation {
    let write = if object.contains_key(key) { Operation::Replace } else { Operation::Add };
    write(at.key(key), value)
}
