//! A container's probes and lifecycle hooks.

use super::handler::{self, ProbeHandler};
use super::node::Node;
use crate::path::ProbeKind;
use crate::rewrite::result::Malformed;

/// A probe or hook, as the pod has it.
pub struct Probe<'a> {
    pub kind: ProbeKind,
    pub handler: ProbeHandler<'a>,
    /// `timeoutSeconds`; 0 where the probe has none.
    pub timeout_seconds: u32,
}

type Result<T> = std::result::Result<T, Malformed>;

/// All probes and hooks of a container.
pub fn read_all<'a>(container: &Node<'a, '_>) -> Result<Vec<Probe<'a>>> {
    let lifecycle = container.member("lifecycle")?;
    let mut probes = Vec::new();
    for kind in ProbeKind::ALL {
        let holder = if kind.is_hook() { lifecycle.as_ref() } else { Some(container) };
        let Some(holder) = holder else { continue };
        if let Some(probe) = holder.member(kind.field())? {
            probes.push(read(container, &probe, kind)?);
        }
    }
    Ok(probes)
}

fn read<'a>(container: &Node<'a, '_>, probe: &Node<'a, '_>, kind: ProbeKind) -> Result<Probe<'a>> {
    let handler = handler::read(container, probe, kind)?;
    // A hook has no time limit, whatever it says.
    let timeout_seconds = if kind.is_hook() { 0 } else { timeout(probe)? };
    Ok(Probe { kind, handler, timeout_seconds })
}

fn timeout(probe: &Node<'_, '_>) -> Result<u32> {
    let Some(node) = probe.member("timeoutSeconds")? else { return Ok(0) };
    let seconds = node.integer()?;
    match u32::try_from(seconds) {
        Ok(seconds) if seconds <= i32::MAX as u32 => Ok(seconds),
        _ => Err(node.malformed(format!("{seconds} is not a number of seconds"))),
    }
}
