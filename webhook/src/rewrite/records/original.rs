//! What a rewrite replaces in a probe: the handler, or of an `httpGet` the members that change.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::handler::HandlerKind;
use crate::probers::{GrpcMode, Handler, HttpProtocol, Prober, Scheme};
use crate::rewrite::read::{Action, JsonObject, Port, Target, present};

/// What a probe had before.
pub struct Original {
    pub handler: HandlerKind,
    /// The handler's members: all of a `tcpSocket` or `grpc`, those that were replaced of an `httpGet`.
    pub members: JsonObject,
}

impl Original {
    /// What the variable says that it was.
    pub fn recorded(prober: &Prober) -> Self {
        let mut members = JsonObject::new();
        let mut put = |key: &str, value: Value| members.insert(key.to_owned(), value);
        let handler = prober.handler.kind();
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
            }
            Handler::TcpSocket(tcp) => {
                put("port", tcp.port.into());
                if !tcp.host.is_empty() {
                    put("host", tcp.host.as_str().into());
                }
            }
            Handler::Grpc(grpc) => {
                put("port", grpc.port.into());
                if let Some(service) = &grpc.service {
                    put("service", service.as_str().into());
                }
                if let Some(mode) = grpc.mode.map(GrpcMode::as_str) {
                    put("mode", mode.into());
                }
            }
        }
        Self { handler, members }
    }

    /// Reads what [`to_keep`] wrote. `None` where it is not one handler that asks a port.
    pub fn read(text: &str) -> Option<Self> {
        let handlers: JsonObject = serde_json::from_str(text).ok()?;
        let mut handlers = handlers.into_iter().filter(|(_, handler)| !handler.is_null());
        let (Some((name, Value::Object(members))), None) = (handlers.next(), handlers.next())
        else {
            return None;
        };
        let mut known = HandlerKind::ALL.into_iter();
        let handler = known.find(|it| it.asks_port() && it.field() == name)?;
        present(&members, "port").map(|_| ())?;
        Some(Self { handler, members })
    }
}

/// What the rewrite of a probe replaces, where the variable cannot say it: a named port, and an HTTPS
/// that is not in upper case.
pub fn to_keep(target: &Target<'_>) -> Option<Box<RawValue>> {
    let named = matches!(target.port, Port::Named(..));
    let (handler, replaced, is_said): (_, &[&str], _) = match &target.action {
        Action::HttpGet { scheme, .. } if is_https(scheme) => {
            let is_said = *scheme == Scheme::Https.as_str();
            (HandlerKind::HttpGet, &["path", "port", "protocol", "scheme"], is_said)
        }
        Action::HttpGet { .. } => (HandlerKind::HttpGet, &["path", "port", "protocol"], true),
        Action::TcpSocket => (HandlerKind::TcpSocket, HandlerKind::TcpSocket.members(), true),
        Action::Grpc { .. } => (HandlerKind::Grpc, HandlerKind::Grpc.members(), true),
    };
    if is_said && !named {
        return None;
    }
    let there = replaced.iter().filter_map(|key| Some((*key, present(target.fields, key)?)));
    let members: BTreeMap<_, _> = there.collect();
    // An object of texts and numbers can always be written.
    to_raw_value(&BTreeMap::from([(handler.field(), members)])).ok()
}

pub fn is_https(scheme: &str) -> bool {
    Scheme::parse(scheme) == Some(Scheme::Https)
}
