//! A container's probes and lifecycle hooks, read with what their handlers say.

use std::fmt;

use super::node::{InLine, JsonObject, Node, present, quoted};
use super::{Cause, Malformed};
use crate::path::ProbeKind;

/// A probe or hook, as the pod has it.
pub(super) struct Probe<'a> {
    pub kind: ProbeKind,
    pub fields: &'a JsonObject,
    pub handler: Handler<'a>,
    /// 0 where it has none.
    pub timeout_seconds: u32,
}

pub(super) enum Handler<'a> {
    /// It asks a port.
    Network(Target<'a>),
    /// `exec` or `sleep`: nothing that a sidecar could intercept.
    Local(&'static str),
    /// A handler of a later Kubernetes.
    Unknown(&'a str),
}

/// What a handler asks.
pub(super) struct Target<'a> {
    pub protocol: Protocol<'a>,
    pub port: Port<'a>,
    /// Empty where it has none.
    pub host: &'a str,
    /// The handler itself.
    pub fields: &'a JsonObject,
    pub unknown: Option<Unknown<'a>>,
}

pub(super) enum Protocol<'a> {
    Http { path: &'a str, scheme: &'a str, headers: Headers<'a>, protocol: Option<&'a str> },
    Tcp,
    Grpc { service: Option<&'a str>, mode: Option<&'a str> },
}

/// Names and values.
pub(super) type Headers<'a> = Vec<(&'a str, &'a str)>;

/// A member of a later Kubernetes: what it asks for would be lost in the variable.
#[derive(Clone, Copy)]
pub(super) struct Unknown<'a> {
    /// What has it: a handler, or one of `httpHeaders`.
    pub holder: &'static str,
    pub member: &'a str,
}

pub(super) enum Port<'a> {
    Number(u16),
    /// A named port of the container, and its number; `None` where the container has none such.
    Named(&'a str, Option<u16>),
}

impl Port<'_> {
    pub fn number(&self) -> Option<u16> {
        match self {
            Port::Number(number) => Some(*number),
            Port::Named(_, number) => *number,
        }
    }
}

type Result<T, E = Malformed> = std::result::Result<T, E>;

/// The order in which a container's probes are read and reported.
const KINDS: [ProbeKind; 5] = [
    ProbeKind::Readiness,
    ProbeKind::Liveness,
    ProbeKind::Startup,
    ProbeKind::PostStart,
    ProbeKind::PreStop,
];

/// All probes and hooks of a container.
pub(super) fn read_all<'a>(container: &Node<'a, '_>) -> Result<Vec<Probe<'a>>> {
    let lifecycle = container.member("lifecycle")?;
    let mut probes = Vec::new();
    for kind in KINDS {
        let holder = if kind.is_hook() { lifecycle.as_ref() } else { Some(container) };
        let Some(holder) = holder else { continue };
        if let Some(probe) = holder.member(kind.field())? {
            probes.push(read(container, &probe, kind)?);
        }
    }
    Ok(probes)
}

fn read<'a>(container: &Node<'a, '_>, probe: &Node<'a, '_>, kind: ProbeKind) -> Result<Probe<'a>> {
    let fields = probe.object()?;
    let handler = match handler_name(probe, kind)? {
        HandlerName::Local(name) => Handler::Local(name),
        HandlerName::Unknown(name) => Handler::Unknown(name),
        HandlerName::Network(name) => match probe.member(name)? {
            Some(handler) => Handler::Network(target(container, name, &handler)?),
            None => return Err(probe.malformed(NO_HANDLER)),
        },
    };
    // A hook has no time limit, whatever it says.
    let timeout_seconds = if kind.is_hook() { 0 } else { timeout(probe)? };
    Ok(Probe { kind, fields, handler, timeout_seconds })
}

const NO_HANDLER: &str = "needs a handler: httpGet, tcpSocket, grpc or exec";

enum HandlerName<'a> {
    Network(&'static str),
    Local(&'static str),
    Unknown(&'a str),
}

/// The handlers that the API knows, of a probe and of a hook.
const PROBE_HANDLERS: [&str; 4] = ["httpGet", "tcpSocket", "grpc", "exec"];
const HOOK_HANDLERS: [&str; 4] = ["httpGet", "tcpSocket", "exec", "sleep"];

/// A probe's other fields. A hook has none.
const TIMING: [&str; 6] = [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
    "terminationGracePeriodSeconds",
];

fn handler_name<'a>(probe: &Node<'a, '_>, kind: ProbeKind) -> Result<HandlerName<'a>> {
    let fields = probe.object()?;
    let known = if kind.is_hook() { HOOK_HANDLERS } else { PROBE_HANDLERS };
    let mut there = known.into_iter().filter(|name| present(fields, name).is_some());
    match (there.next(), there.next()) {
        (Some(one), Some(other)) => {
            Err(probe.malformed(format!("has more than one handler: {one} and {other}")))
        }
        (Some(name @ ("exec" | "sleep")), None) => Ok(HandlerName::Local(name)),
        (Some(name), None) => Ok(HandlerName::Network(name)),
        (None, _) => unknown_handler(fields)
            .map(HandlerName::Unknown)
            .ok_or_else(|| probe.malformed(NO_HANDLER)),
    }
}

fn unknown_handler(fields: &JsonObject) -> Option<&str> {
    let mut names = fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name);
    names.find(|name| !TIMING.contains(&name.as_str())).map(String::as_str)
}

fn timeout(probe: &Node<'_, '_>) -> Result<u32> {
    let Some(node) = probe.member("timeoutSeconds")? else { return Ok(0) };
    let seconds = node.integer()?;
    match u32::try_from(seconds) {
        Ok(seconds) if seconds <= i32::MAX as u32 => Ok(seconds),
        _ => Err(node.malformed(format!("{seconds} is not a number of seconds"))),
    }
}

/// Reads a handler with the members that it has as of Kubernetes 1.37.
fn target<'a>(
    container: &Node<'a, '_>,
    handler_name: &'static str,
    handler: &Node<'a, '_>,
) -> Result<Target<'a>> {
    let (mut port, mut host, mut unknown) = (None, "", None);
    let (mut path, mut scheme, mut headers, mut protocol) = ("", "", Vec::new(), None);
    let (mut service, mut mode) = (None, None);
    for (member, node) in handler.members()? {
        match (handler_name, member) {
            // A grpc probe's port has no name.
            ("grpc", "port") => port = Some(Port::Number(node.port()?)),
            (_, "port") => port = Some(read_port(container, &node)?),
            ("httpGet" | "tcpSocket", "host") => host = node.string()?,
            ("httpGet", "path") => path = node.string()?,
            ("httpGet", "scheme") => scheme = node.string()?,
            ("httpGet", "httpHeaders") => headers = read_headers(&node, &mut unknown)?,
            ("httpGet", "protocol") => protocol = Some(node.string()?),
            ("grpc", "service") => service = Some(node.string()?),
            ("grpc", "mode") => mode = Some(node.string()?),
            _ => unknown = Some(Unknown { holder: handler_name, member }),
        }
    }
    let protocol = match handler_name {
        "grpc" => Protocol::Grpc { service, mode },
        "tcpSocket" => Protocol::Tcp,
        _ => Protocol::Http { path, scheme, headers, protocol },
    };
    let port = port.ok_or_else(|| handler.malformed("needs a port"))?;
    Ok(Target { protocol, port, host, fields: handler.object()?, unknown })
}

fn read_port<'a>(container: &Node<'a, '_>, port: &Node<'a, '_>) -> Result<Port<'a>> {
    Ok(match port.value.as_str() {
        Some(name) => Port::Named(name, named_port(container, name)?),
        None => Port::Number(port.port()?),
    })
}

fn read_headers<'a>(list: &Node<'a, '_>, unknown: &mut Option<Unknown<'a>>) -> Result<Headers<'a>> {
    let mut headers = Vec::new();
    for header in list.items()? {
        let (mut name, mut value) = ("", "");
        for (member, node) in header.members()? {
            match member {
                "name" => name = node.string()?,
                "value" => value = node.string()?,
                _ => *unknown = Some(Unknown { holder: "httpHeaders", member }),
            }
        }
        headers.push((name, value));
    }
    Ok(headers)
}

/// The first port of the container that has this name, whatever its protocol (as Istio does it).
fn named_port(container: &Node<'_, '_>, name: &str) -> Result<Option<u16>> {
    let Some(ports) = container.member("ports")? else { return Ok(None) };
    for port in ports.items()? {
        if port.text("name")? == Some(name) {
            let number = port.member("containerPort")?;
            let number = number.ok_or_else(|| port.malformed("needs a containerPort"))?;
            return number.port().map(Some);
        }
    }
    Ok(None)
}

/// Why a probe stays as it was.
pub(super) enum Stay {
    /// It is as it should be.
    Rightly(String),
    /// Its user should know.
    Sadly(Cause, String),
}

impl Stay {
    pub fn reason(self) -> String {
        let (Stay::Rightly(reason) | Stay::Sadly(_, reason)) = self;
        reason
    }
}

/// A probe that is not rewritten, and why.
pub(super) fn stays(cause: Cause, reason: impl fmt::Display) -> Stay {
    Stay::Sadly(cause, format!("{reason}; it stays as it was"))
}

impl<'a> Handler<'a> {
    /// What it asks, where it is one that can be rewritten.
    pub fn target(&self) -> Result<&Target<'a>, Stay> {
        match self {
            Handler::Network(target) => Ok(target),
            Handler::Local(name) => Err(Stay::Rightly(format!("{name} asks no port"))),
            Handler::Unknown(name) => {
                let reason = format!("{} is no handler that is known", quoted(name));
                Err(stays(Cause::UnknownHandler, reason))
            }
        }
    }
}

impl Handler<'_> {
    /// As the pod's field is called.
    pub fn name(&self) -> &'static str {
        match self {
            Handler::Network(target) => match target.protocol {
                Protocol::Http { .. } => "httpGet",
                Protocol::Tcp => "tcpSocket",
                Protocol::Grpc { .. } => "grpc",
            },
            Handler::Local(name) => name,
            Handler::Unknown(_) => "other",
        }
    }
}

impl Target<'_> {
    /// The path of an httpGet.
    pub fn http_path(&self) -> Option<&str> {
        match self.protocol {
            Protocol::Http { path, .. } => Some(path),
            Protocol::Tcp | Protocol::Grpc { .. } => None,
        }
    }

    /// The `protocol` of an httpGet, the `mode` of a grpc; empty where there is none.
    pub fn variant(&self) -> &str {
        match self.protocol {
            Protocol::Http { protocol, .. } => protocol.unwrap_or_default(),
            Protocol::Tcp => "",
            Protocol::Grpc { mode, .. } => mode.unwrap_or_default(),
        }
    }
}

/// For people: `httpGet :8080/index.html`, `grpc TLS :9090`.
impl fmt::Display for Handler<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Handler::Network(target) => target.fmt(f),
            Handler::Local(name) => f.write_str(name),
            Handler::Unknown(name) => write!(f, "{}", InLine(name)),
        }
    }
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.protocol {
            Protocol::Http { scheme, .. } if scheme.eq_ignore_ascii_case("HTTPS") => "https",
            Protocol::Http { .. } => "httpGet",
            Protocol::Tcp => "tcpSocket",
            Protocol::Grpc { .. } => "grpc",
        })?;
        if !self.variant().is_empty() {
            write!(f, " {}", InLine(self.variant()))?;
        }
        write!(f, " {}:{}", InLine(self.host), self.port)?;
        match self.protocol {
            Protocol::Http { path, .. } => {
                let slash = if path.starts_with('/') { "" } else { "/" };
                write!(f, "{slash}{}", InLine(path))
            }
            Protocol::Grpc { service: Some(service), .. } if !service.is_empty() => {
                write!(f, " {}", InLine(service))
            }
            Protocol::Tcp | Protocol::Grpc { .. } => Ok(()),
        }
    }
}

impl fmt::Display for Port<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Port::Number(number) => number.fmt(f),
            Port::Named(name, _) => write!(f, "{}", InLine(name)),
        }
    }
}
