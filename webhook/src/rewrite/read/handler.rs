//! The handler of a probe or hook: what it asks.

use super::node::{JsonObject, Node, present};
use crate::handler::HandlerKind;
use crate::path::ProbeKind;
use crate::rewrite::result::Malformed;

pub enum ProbeHandler<'a> {
    /// It asks a port.
    Network(Target<'a>),
    /// `exec` or `sleep`: nothing that a sidecar could intercept.
    Local(HandlerKind),
    /// A handler of a later Kubernetes.
    Unknown(&'a str),
}

/// What a handler asks.
pub struct Target<'a> {
    pub action: Action<'a>,
    pub port: Port<'a>,
    /// The host that it asks; empty where it has none.
    pub host: &'a str,
    /// The handler itself.
    pub fields: &'a JsonObject,
    pub unknown: Option<Unknown<'a>>,
}

pub enum Action<'a> {
    HttpGet { path: &'a str, scheme: &'a str, headers: Headers<'a>, protocol: Option<&'a str> },
    TcpSocket,
    Grpc { service: Option<&'a str>, mode: Option<&'a str> },
}

/// Names and values.
pub type Headers<'a> = Vec<(&'a str, &'a str)>;

/// A member of a later Kubernetes: what it asks for would be lost in the variable.
#[derive(Clone, Copy)]
pub struct Unknown<'a> {
    /// Who has it: a handler, or one of `httpHeaders`.
    pub holder: &'static str,
    pub member: &'a str,
}

pub enum Port<'a> {
    Number(u16),
    /// A named port of the container, and its number; `None` where the container has none such.
    Named(&'a str, Option<u16>),
}

type Result<T> = std::result::Result<T, Malformed>;

const NO_HANDLER: &str = "needs a handler: httpGet, tcpSocket, grpc or exec";

/// A probe's other fields. A hook has none.
const TIMING: [&str; 6] = [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
    "terminationGracePeriodSeconds",
];

/// Reads the handler of a probe or hook.
///
/// # Errors
/// There is none, or more than one, or it has a value that no handler can have.
pub fn read<'a>(
    container: &Node<'a, '_>,
    probe: &Node<'a, '_>,
    kind: ProbeKind,
) -> Result<ProbeHandler<'a>> {
    let fields = probe.object()?;
    let is_there = |it: &HandlerKind| it.is_of(kind) && present(fields, it.field()).is_some();
    let mut there = HandlerKind::ALL.into_iter().filter(is_there);
    match (there.next(), there.next()) {
        (Some(one), Some(other)) => {
            let (one, other) = (one.field(), other.field());
            Err(probe.malformed(format!("has more than one handler: {one} and {other}")))
        }
        (Some(handler), None) => read_known(container, probe, handler),
        (None, _) => unknown_handler(fields)
            .map(ProbeHandler::Unknown)
            .ok_or_else(|| probe.malformed(NO_HANDLER)),
    }
}

fn unknown_handler(fields: &JsonObject) -> Option<&str> {
    let mut names = fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name);
    names.find(|name| !TIMING.contains(&name.as_str())).map(String::as_str)
}

fn read_known<'a>(
    container: &Node<'a, '_>,
    probe: &Node<'a, '_>,
    kind: HandlerKind,
) -> Result<ProbeHandler<'a>> {
    let Some(handler) = probe.member(kind.field())? else {
        return Err(probe.malformed(NO_HANDLER));
    };
    let target = match kind {
        HandlerKind::HttpGet => http_get(container, &handler)?,
        HandlerKind::TcpSocket => tcp_socket(container, &handler)?,
        HandlerKind::Grpc => grpc(&handler)?,
        HandlerKind::Exec | HandlerKind::Sleep => return Ok(ProbeHandler::Local(kind)),
    };
    Ok(ProbeHandler::Network(target))
}

fn http_get<'a>(container: &Node<'a, '_>, handler: &Node<'a, '_>) -> Result<Target<'a>> {
    let (mut port, mut host, mut unknown) = (None, "", None);
    let (mut path, mut scheme, mut headers, mut protocol) = ("", "", Vec::new(), None);
    for (member, node) in handler.members()? {
        match member {
            "path" => path = node.string()?,
            "port" => port = Some(read_port(container, &node)?),
            "host" => host = node.string()?,
            "scheme" => scheme = node.string()?,
            "httpHeaders" => headers = read_headers(&node, &mut unknown)?,
            "protocol" => protocol = Some(node.string()?),
            _ => unknown = Some(Unknown { holder: HandlerKind::HttpGet.field(), member }),
        }
    }
    let action = Action::HttpGet { path, scheme, headers, protocol };
    Target::new(action, port, host, handler, unknown)
}

fn tcp_socket<'a>(container: &Node<'a, '_>, handler: &Node<'a, '_>) -> Result<Target<'a>> {
    let (mut port, mut host, mut unknown) = (None, "", None);
    for (member, node) in handler.members()? {
        match member {
            "port" => port = Some(read_port(container, &node)?),
            "host" => host = node.string()?,
            _ => unknown = Some(Unknown { holder: HandlerKind::TcpSocket.field(), member }),
        }
    }
    Target::new(Action::TcpSocket, port, host, handler, unknown)
}

fn grpc<'a>(handler: &Node<'a, '_>) -> Result<Target<'a>> {
    let (mut port, mut service, mut mode, mut unknown) = (None, None, None, None);
    for (member, node) in handler.members()? {
        match member {
            // A grpc probe's port has no name.
            "port" => port = Some(Port::Number(node.port()?)),
            "service" => service = Some(node.string()?),
            "mode" => mode = Some(node.string()?),
            _ => unknown = Some(Unknown { holder: HandlerKind::Grpc.field(), member }),
        }
    }
    Target::new(Action::Grpc { service, mode }, port, "", handler, unknown)
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

impl Port<'_> {
    pub fn number(&self) -> Option<u16> {
        match self {
            Port::Number(number) => Some(*number),
            Port::Named(_, number) => *number,
        }
    }
}

impl<'a> Target<'a> {
    fn new(
        action: Action<'a>,
        port: Option<Port<'a>>,
        host: &'a str,
        handler: &Node<'a, '_>,
        unknown: Option<Unknown<'a>>,
    ) -> Result<Self> {
        let port = port.ok_or_else(|| handler.malformed("needs a port"))?;
        Ok(Target { action, port, host, fields: handler.object()?, unknown })
    }

    /// The path of an httpGet.
    pub fn http_path(&self) -> Option<&'a str> {
        match self.action {
            Action::HttpGet { path, .. } => Some(path),
            Action::TcpSocket | Action::Grpc { .. } => None,
        }
    }

    /// Whether an httpGet says its protocol, whatever it is.
    pub fn has_protocol(&self) -> bool {
        matches!(self.action, Action::HttpGet { protocol: Some(_), .. })
    }

    /// The `protocol` of an httpGet, the `mode` of a grpc; empty where there is none.
    pub fn variant(&self) -> &'a str {
        match self.action {
            Action::HttpGet { protocol, .. } => protocol.unwrap_or_default(),
            Action::TcpSocket => "",
            Action::Grpc { mode, .. } => mode.unwrap_or_default(),
        }
    }
}

impl ProbeHandler<'_> {
    /// `None` for one of a later Kubernetes.
    pub fn kind(&self) -> Option<HandlerKind> {
        match self {
            ProbeHandler::Network(target) => Some(match target.action {
                Action::HttpGet { .. } => HandlerKind::HttpGet,
                Action::TcpSocket => HandlerKind::TcpSocket,
                Action::Grpc { .. } => HandlerKind::Grpc,
            }),
            ProbeHandler::Local(kind) => Some(*kind),
            ProbeHandler::Unknown(_) => None,
        }
    }
}
