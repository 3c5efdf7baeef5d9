//! A container's probes and lifecycle hooks, read with what their handlers say.

use std::fmt;

use super::node::{InLine, Node, Object, present, quoted};
use super::{Cause, Malformed};
use crate::path::Kind;

/// A probe or hook, as the pod has it.
pub(super) struct Probe<'a> {
    pub kind: Kind,
    pub fields: &'a Object,
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
    pub fields: &'a Object,
    pub unknown: Option<Unknown<'a>>,
}

/// Texts are empty where the handler has none.
pub(super) enum Protocol<'a> {
    Http { path: &'a str, scheme: &'a str, headers: Vec<(&'a str, &'a str)>, protocol: &'a str },
    Tcp,
    Grpc { service: Option<&'a str>, mode: &'a str },
}

/// A member of a later Kubernetes: what it asks for would be lost in the variable.
#[derive(Clone, Copy)]
pub(super) struct Unknown<'a> {
    /// What has it: a handler, or one of `httpHeaders`.
    pub holder: &'static str,
    pub member: &'a str,
}

impl<'a> Unknown<'a> {
    /// The first of an object's members that is none of these. Null and absent mean the same.
    fn find(fields: &'a Object, holder: &'static str, known: &[&str]) -> Option<Self> {
        let mut unknown = fields.iter().filter(|(name, _)| !known.contains(&name.as_str()));
        let (member, _) = unknown.find(|(_, value)| !value.is_null())?;
        Some(Unknown { holder, member })
    }
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
const KINDS: [Kind; 5] =
    [Kind::Readiness, Kind::Liveness, Kind::Startup, Kind::PostStart, Kind::PreStop];

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

fn read<'a>(container: &Node<'a, '_>, probe: &Node<'a, '_>, kind: Kind) -> Result<Probe<'a>> {
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

fn handler_name<'a>(probe: &Node<'a, '_>, kind: Kind) -> Result<HandlerName<'a>> {
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

fn unknown_handler(fields: &Object) -> Option<&str> {
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

/// The members of handlers, and of one of `httpHeaders`, as of Kubernetes 1.37.
const HTTP_GET: [&str; 6] = ["path", "port", "host", "scheme", "httpHeaders", "protocol"];
const TCP_SOCKET: [&str; 2] = ["port", "host"];
const GRPC: [&str; 3] = ["port", "service", "mode"];
const HEADER: [&str; 2] = ["name", "value"];

fn target<'a>(
    container: &Node<'a, '_>,
    name: &'static str,
    handler: &Node<'a, '_>,
) -> Result<Target<'a>> {
    let port = port(handler)?;
    let fields = handler.object()?;
    let text = |key| handler.text(key).map(Option::unwrap_or_default);
    let unknown = |known: &[&str]| Unknown::find(fields, name, known);
    let (protocol, host, unknown) = match name {
        "grpc" => {
            let protocol =
                Protocol::Grpc { service: handler.text("service")?, mode: text("mode")? };
            (protocol, "", unknown(&GRPC))
        }
        "tcpSocket" => (Protocol::Tcp, text("host")?, unknown(&TCP_SOCKET)),
        _ => {
            let (headers, in_header) = headers(handler)?;
            let (path, scheme, protocol) = (text("path")?, text("scheme")?, text("protocol")?);
            let protocol = Protocol::Http { path, scheme, headers, protocol };
            (protocol, text("host")?, unknown(&HTTP_GET).or(in_header))
        }
    };
    let port = match port.value.as_str() {
        // A grpc probe's port has no name.
        Some(name) if !matches!(protocol, Protocol::Grpc { .. }) => {
            Port::Named(name, named_port(container, name)?)
        }
        _ => Port::Number(port.port()?),
    };
    Ok(Target { protocol, port, host, fields, unknown })
}

fn port<'a, 's>(handler: &'s Node<'a, '_>) -> Result<Node<'a, 's>> {
    handler.member("port")?.ok_or_else(|| handler.malformed("needs a port"))
}

type Headers<'a> = Vec<(&'a str, &'a str)>;

/// The headers, and what one of them has that is not known.
fn headers<'a>(handler: &Node<'a, '_>) -> Result<(Headers<'a>, Option<Unknown<'a>>)> {
    let (mut headers, mut unknown) = (Vec::new(), None);
    let Some(list) = handler.member("httpHeaders")? else { return Ok((headers, unknown)) };
    for node in list.items()? {
        let text = |key| node.text(key).map(Option::unwrap_or_default);
        headers.push((text("name")?, text("value")?));
        unknown = unknown.or(Unknown::find(node.object()?, "httpHeaders", &HEADER));
    }
    Ok((headers, unknown))
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
            Protocol::Http { protocol, .. } => protocol,
            Protocol::Tcp => "",
            Protocol::Grpc { mode, .. } => mode,
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
