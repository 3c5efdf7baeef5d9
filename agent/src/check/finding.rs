//! What can be found, and what has been.

use app_health_webhook::manifest::Owner;
use app_health_webhook::rewrite::{Cause, ProbeName};
use clap::ValueEnum;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Severity {
    /// It works, but not as it looks, or not for long.
    Warning,
    /// A probe or the webhook does not do what it is there for.
    Error,
}

impl Severity {
    /// The word for it.
    pub fn label(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// Declares the codes, each with its row of the table in docs/configuration.md, so that none is missing.
macro_rules! codes {
    ($($name:ident = $label:literal, $severity:ident, $meaning:literal, $remedy:literal;)*) => {
        /// What is wrong. A code never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $meaning] $name,)*
        }

        impl Code {
            /// All of them, in order.
            #[cfg(test)]
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// As it is printed.
            pub fn label(self) -> &'static str {
                match self {
                    $(Code::$name => $label,)*
                }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self {
                    $(Code::$name => Severity::$severity,)*
                }
            }

            /// What it means.
            #[cfg(test)]
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Code::$name => $meaning,)*
                }
            }

            /// What to do about it.
            pub fn remedy(self) -> &'static str {
                match self {
                    $(Code::$name => $remedy,)*
                }
            }
        }
    };
}

codes! {
    Missed = "AH001", Error,
        "a pod with a sidecar was missed: its probes ask the app, past the sidecar",
        "replace the pod (kubectl rollout restart, or delete it); if it comes back the same, see whether the webhook runs, and its log";
    Lost = "AH002", Error,
        "a rewritten probe's original is not recorded: nobody can answer it",
        "replace the pod; in a manifest, go back to the original probe";
    Variable = "AH003", Error,
        "ISTIO_KUBE_APP_PROBERS cannot be read, or an entry of it is not valid",
        "take the variable out of the pod template, and replace the pod";
    Gone = "AH004", Warning,
        "a probe is recorded of a container that the pod does not have",
        "take the entry out of the variable; a new pod has none of it";
    Stays = "AH005", Warning,
        "a probe or hook stays as it is, or an annotation does not do what it says",
        "see the message; `reason` in the JSON is that of the metric app_health_warnings_total";
    NamedPort = "AH006", Error,
        "a probe asks a named port that its container does not have",
        "name a port of the container, or use its number";
    Timeout = "AH007", Warning,
        "a probe's timeout is longer than its period",
        "make timeoutSeconds at most periodSeconds";
    NoCa = "AH008", Error,
        "the webhook has no CA: the API server cannot ask it, and pods start as they came",
        "see the log of the job app-health-certs, or of cert-manager's cainjector";
    CaInvalid = "AH009", Error,
        "the webhook's CA has expired, is not valid yet, or is no certificate",
        "make a new CA (envoy-config/webhook/README.md, Another CA)";
    CaEnds = "AH010", Warning,
        "the webhook's CA ends within 30 days",
        "make a new CA (envoy-config/webhook/README.md, Another CA)";
    NoListener = "AH011", Error,
        "a pod or its namespace has the label app-health/filter, or pilot-agent is on 15019, but no EnvoyFilter gives it the listener: nobody answers on 15020",
        "apply envoy-config/istio to the mesh's root namespace; or take the label app-health/filter off the pod's namespace (envoy-config/istio/pod out of its manifest), and replace the pod";
    Host = "AH012", Error,
        "a rewritten probe still has a host: the kubelet asks that one, and not the pod",
        "take the host out of the original probe, and replace the pod";
    NoWebhook = "AH013", Error,
        "no pod of the webhook can be asked: pods start as they came",
        "see to its Deployment, then replace the pods that were missed (AH001)";
    Port = "AH014", Error,
        "a rewritten probe asks a port on which no EnvoyFilter listens for its pod",
        "replace the pod; if it comes back the same, see --status-port of the webhook, and the annotation status.sidecar.istio.io/port";
    NotMoved = "AH015", Warning,
        "a pod has the label app-health/filter, or its namespace has, but it lacks the rest that the filter takes: pilot-agent answers, and not the filter",
        "replace the pod (kubectl rollout restart, or delete it); if it comes back the same, see whether its namespace has the label app-health/filter=enabled and whether the webhook runs, and its log";
    NoSum = "AH016", Warning,
        "an EnvoyFilter names a sha256 that is none, or another than its uri does: sidecars refuse the .wasm, and pilot-agent answers",
        "write the sum that scripts/image prints (envoy-config/istio/README.md, Install)";
}

/// The object in which it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// `Pod`
    pub kind: String,
    /// Empty where it has none.
    pub namespace: String,
    /// Empty where it has none.
    pub name: String,
}

impl Place {
    /// That of this object.
    pub fn of(owner: &Owner<'_>) -> Self {
        let [kind, namespace, name] = [owner.kind, owner.namespace, owner.name].map(str::to_owned);
        Self { kind, namespace, name }
    }
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub code: Code,
    /// In which object.
    pub place: Place,
    /// In which of its probes; `None` where it concerns the object as a whole.
    pub probe: Option<ProbeName>,
    /// Why the rewrite leaves it, where it does.
    pub cause: Option<Cause>,
    /// One line, with what it is about.
    pub message: String,
    /// Pods of the same controller of which the same was found.
    pub more: usize,
}

impl Finding {
    /// One of this object, or of a probe in it.
    pub fn new(code: Code, place: &Place, probe: Option<ProbeName>, message: String) -> Self {
        Self { code, place: place.clone(), probe, cause: None, message, more: 0 }
    }
}
