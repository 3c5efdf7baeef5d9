//! The paths that rewritten probes ask for on the status port.

use core::fmt;

/// What a recorded entry is: one of a container's three probes, or one of its two lifecycle hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProbeKind {
    /// `readinessProbe`
    Readiness,
    /// `livenessProbe`
    Liveness,
    /// `startupProbe`
    Startup,
    /// `lifecycle.preStop`
    PreStop,
    /// `lifecycle.postStart`
    PostStart,
}

impl ProbeKind {
    /// The five kinds, probes first.
    pub const ALL: [ProbeKind; 5] = [
        ProbeKind::Readiness,
        ProbeKind::Liveness,
        ProbeKind::Startup,
        ProbeKind::PostStart,
        ProbeKind::PreStop,
    ];

    /// A lifecycle hook, of which the kubelet ignores the status code.
    pub const fn is_hook(self) -> bool {
        matches!(self, ProbeKind::PreStop | ProbeKind::PostStart)
    }

    /// The field of the container (or of its `lifecycle`) that holds it.
    pub fn field(self) -> &'static str {
        match self {
            ProbeKind::Readiness => "readinessProbe",
            ProbeKind::Liveness => "livenessProbe",
            ProbeKind::Startup => "startupProbe",
            ProbeKind::PreStop => "preStop",
            ProbeKind::PostStart => "postStart",
        }
    }

    /// Its word in metrics and on the status page.
    pub fn as_str(self) -> &'static str {
        match self {
            ProbeKind::Readiness => "readiness",
            ProbeKind::Liveness => "liveness",
            ProbeKind::Startup => "startup",
            ProbeKind::PreStop => "prestop",
            ProbeKind::PostStart => "poststart",
        }
    }

    fn prefix(self) -> &'static str {
        if self.is_hook() { LIFECYCLE_PREFIX } else { PROBE_PREFIX }
    }

    fn last_segment(self) -> &'static str {
        match self {
            ProbeKind::Readiness => "readyz",
            ProbeKind::Liveness => "livez",
            ProbeKind::Startup => "startupz",
            ProbeKind::PreStop => "prestopz",
            ProbeKind::PostStart => "poststartz",
        }
    }
}

/// Every probe's path begins with this.
pub const PROBE_PREFIX: &str = "/app-health/";
/// Every lifecycle hook's path begins with this.
pub const LIFECYCLE_PREFIX: &str = "/app-lifecycle/";

/// Whether the filter answers this path, recorded or not. All others are passed on.
pub fn is_ours(path: &[u8]) -> bool {
    path.starts_with(PROBE_PREFIX.as_bytes()) || path.starts_with(LIFECYCLE_PREFIX.as_bytes())
}

/// A path on the status port: `/app-health/<container>/<readyz|livez|startupz>` or
/// `/app-lifecycle/<container>/<prestopz|poststartz>` (Istio's forms).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProbePath<'a> {
    container: &'a str,
    kind: ProbeKind,
}

impl<'a> ProbePath<'a> {
    /// `None` where the container's name could not stand in a path as it is. Names that Kubernetes
    /// accepts (DNS labels) always can.
    pub fn new(container: &'a str, kind: ProbeKind) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        (!container.is_empty() && container.bytes().all(plain)).then_some(Self { container, kind })
    }

    /// `None` for anything but the five forms, matched exactly: nothing is decoded or normalized.
    pub fn parse(path: &'a str) -> Option<Self> {
        ProbeKind::ALL.into_iter().find_map(|kind| {
            let container = path
                .strip_prefix(kind.prefix())?
                .strip_suffix(kind.last_segment())?
                .strip_suffix('/')?;
            Self::new(container, kind)
        })
    }

    /// The container whose probe this is.
    pub fn container(&self) -> &'a str {
        self.container
    }

    /// Which of its probes or hooks.
    pub fn kind(&self) -> ProbeKind {
        self.kind
    }
}

impl fmt::Display for ProbePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.prefix())?;
        f.write_str(self.container)?;
        f.write_str("/")?;
        f.write_str(self.kind.last_segment())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_forms_are_written_and_parsed() {
        for (kind, text) in [
            (ProbeKind::Readiness, "/app-health/nginx/readyz"),
            (ProbeKind::Liveness, "/app-health/nginx/livez"),
            (ProbeKind::Startup, "/app-health/nginx/startupz"),
            (ProbeKind::PreStop, "/app-lifecycle/nginx/prestopz"),
            (ProbeKind::PostStart, "/app-lifecycle/nginx/poststartz"),
        ] {
            let path = ProbePath::new("nginx", kind).unwrap();
            assert_eq!(path.to_string(), text);
            assert_eq!(ProbePath::parse(text), Some(path), "{text}");
            assert_eq!((path.container(), path.kind()), ("nginx", kind));
            assert!(is_ours(text.as_bytes()) && !is_ours(&text.as_bytes()[1..]));
        }
    }

    #[test]
    fn anything_else_is_no_probe_path() {
        for text in [
            "",
            "/",
            "/app-health",
            "/app-health/",
            "/app-health//readyz",
            "/app-health/readyz",
            "/app-health/a/b/readyz",
            "/app-health/a/readyz/",
            "/app-health/a/readyz?x",
            "/app-health/a/prestopz",
            "/app-lifecycle/a/readyz",
            "/app-health/a%2Fb/readyz",
            "/app-health/a b/readyz",
            "app-health/a/readyz",
            "/APP-HEALTH/a/readyz",
        ] {
            assert_eq!(ProbePath::parse(text), None, "{text}");
        }
        assert_eq!(ProbePath::new("a/b", ProbeKind::Readiness), None);
        assert_eq!(ProbePath::new("", ProbeKind::Readiness), None);
    }
}
