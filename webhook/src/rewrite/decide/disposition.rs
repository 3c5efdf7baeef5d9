//! What can become of a probe.

use crate::rewrite::read::{ProbeHandler, Target};
use crate::rewrite::records::Original;
use crate::rewrite::result::Cause;
use crate::rewrite::text::quoted;

/// What becomes of a probe.
pub enum Disposition {
    /// It asks for its path on the status port, and what it asked before is recorded.
    Redirected(Destination),
    /// It was redirected before, and is brought up to date.
    Updated {
        to: Destination,
        /// Whether its port changes: it is a status port of before.
        port: bool,
        /// Whether its `protocol` goes.
        protocol: bool,
        /// Why its `protocol` stays though it should go.
        left: Option<Left>,
    },
    /// It is again what it was.
    Restored(Original),
    /// It stays as it is.
    Left(Left),
}

/// What a rewritten probe asks.
pub struct Destination {
    pub port: u16,
    pub path: String,
}

/// Why a probe, or something of it, stays.
pub struct Left {
    /// What is told or counted of it; `None` where it is as it should be.
    pub cause: Option<Cause>,
    pub reason: String,
}

impl Disposition {
    pub fn changes_the_probe(&self) -> bool {
        !matches!(self, Disposition::Left(_))
    }

    pub fn left(&self) -> Option<&Left> {
        match self {
            Disposition::Redirected(_) | Disposition::Restored(_) => None,
            Disposition::Updated { left, .. } => left.as_ref(),
            Disposition::Left(left) => Some(left),
        }
    }
}

impl Left {
    /// The probe is as it should be.
    pub fn silently(reason: impl Into<String>) -> Self {
        Self { cause: None, reason: reason.into() }
    }

    /// The probe's user should know.
    pub fn warned(cause: Cause, reason: impl Into<String>) -> Self {
        Self { cause: Some(cause), reason: reason.into() }
    }

    /// The probe would be rewritten if it were not for this.
    pub fn as_it_was(cause: Cause, reason: impl AsRef<str>) -> Self {
        Self::warned(cause, reason.as_ref().to_owned() + "; it stays as it was")
    }
}

/// What a handler asks.
///
/// # Errors
/// It asks no port, or is not known: such a probe stays, whatever else holds of it.
pub fn target_of<'t, 'a>(handler: &'t ProbeHandler<'a>) -> Result<&'t Target<'a>, Left> {
    match handler {
        ProbeHandler::Network(target) => Ok(target),
        ProbeHandler::Local(kind) => Err(Left::silently(format!("{} asks no port", kind.field()))),
        ProbeHandler::Unknown(name) => {
            let reason = format!("{} is no handler that is known", quoted(name));
            Err(Left::as_it_was(Cause::UnknownHandler, reason))
        }
    }
}
