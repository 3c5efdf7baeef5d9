//! What became of a probe: the warning and the line of `--explain`.

use std::fmt;

use crate::handler::HandlerKind;
use crate::rewrite::decide::{Disposition, PlannedProbe};
use crate::rewrite::options::Options;
use crate::rewrite::read::{Action, Port, ProbeHandler, Target};
use crate::rewrite::result::{Report, Rewrite, Warning};
use crate::rewrite::text::InLine;

/// Adds a warning where the probe's user should know, and the line.
pub fn write(planned: &PlannedProbe<'_, '_>, options: &Options, rewrite: &mut Rewrite) {
    let PlannedProbe { container, probe, disposition } = planned;
    let left = disposition.left();
    if let Some((cause, left)) = left.and_then(|left| Some((left.cause?, left))) {
        let probe = Some(container.probe_name(probe.kind));
        rewrite.warnings.push(Warning { probe, cause, reason: left.reason.clone() });
    }
    if options.reports {
        rewrite.probes.push(Report {
            probe: container.probe_name(probe.kind),
            handler: probe.handler.kind(),
            from: probe.handler.to_string(),
            to: left.map_or_else(|| Ok(now(disposition)), |left| Err(left.reason.clone())),
        });
    }
}

/// What a probe asks now.
fn now(disposition: &Disposition) -> String {
    match disposition {
        Disposition::Redirected(to) | Disposition::Updated { to, .. } => {
            format!(":{}{}", to.port, to.path)
        }
        Disposition::Restored(_) | Disposition::Left(_) => "as it was".to_owned(),
    }
}

/// For people: `httpGet :8080/index.html`, `grpc TLS :9090`.
impl fmt::Display for ProbeHandler<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProbeHandler::Network(target) => target.fmt(f),
            ProbeHandler::Local(kind) => f.write_str(kind.field()),
            ProbeHandler::Unknown(name) => write!(f, "{}", InLine(name)),
        }
    }
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.action {
            Action::HttpGet { scheme, .. } if scheme.eq_ignore_ascii_case("HTTPS") => "https",
            Action::HttpGet { .. } => HandlerKind::HttpGet.field(),
            Action::TcpSocket => HandlerKind::TcpSocket.field(),
            Action::Grpc { .. } => HandlerKind::Grpc.field(),
        })?;
        if !self.variant().is_empty() {
            write!(f, " {}", InLine(self.variant()))?;
        }
        write!(f, " {}:{}", InLine(self.host), self.port)?;
        match self.action {
            Action::HttpGet { path, .. } => {
                let slash = if path.starts_with('/') { "" } else { "/" };
                write!(f, "{slash}{}", InLine(path))
            }
            Action::Grpc { service: Some(service), .. } if !service.is_empty() => {
                write!(f, " {}", InLine(service))
            }
            Action::TcpSocket | Action::Grpc { .. } => Ok(()),
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
