//! What a warning is about, for those who count warnings rather than read them; and why a probe stays
//! of which nobody has to be warned.

/// Declares the causes, each with its label, so that none is missing in a list of them.
macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $label:literal,)*) => {
        /// The reason of a warning, or of what stays without one, without the names and values that
        /// its text has.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Cause {
            $($(#[$doc])* $name,)*
        }

        impl Cause {
            /// All of them, in the order of their declaration.
            pub const ALL: &[Cause] = &[$(Cause::$name,)*];

            /// In snake case, as a metric's label.
            pub fn label(self) -> &'static str {
                match self {
                    $(Cause::$name => $label,)*
                }
            }
        }
    };
}

causes! {
    /// An annotation says what it cannot say, or moves the status port.
    Annotation = "annotation",
    /// The pod uses its node's network.
    HostNetwork = "host_network",
    /// The pod has no sidecar container.
    NoSidecar = "no_sidecar",
    /// Istio's injector will not give the pod a sidecar that can have the filter.
    NotInjected = "not_injected",
    /// Istio's injector has given the pod its sidecar already.
    InjectedBefore = "injected_before",
    /// The sidecar's variable cannot be read.
    Variable = "variable",
    /// The container's name cannot stand in a path.
    ContainerName = "container_name",
    /// A rewritten probe whose original is recorded nowhere.
    OriginalLost = "original_lost",
    /// The probe would ask the listener itself.
    StatusPort = "status_port",
    /// The probe asks another host.
    Host = "host",
    /// The scheme of an httpGet is none that is known, or its protocol is HTTP2 over HTTPS.
    Scheme = "scheme",
    /// The container has no port of that name.
    NamedPort = "named_port",
    /// The container has to have started before the sidecar does.
    BeforeSidecar = "before_sidecar",
    /// The variable or the annotation would be too long.
    TooLong = "too_long",
    /// A handler of a later Kubernetes.
    UnknownHandler = "unknown_handler",
    /// A member of a handler, or the value of one, of a later Kubernetes.
    UnknownMember = "unknown_member",
    /// A hook that the kubelet fails, whatever the app does.
    TcpHook = "tcp_hook",
    /// A container of the user's own has the name of the agent's.
    AgentName = "agent_name",
    /// A field of the pod has a type that no pod can have.
    Malformed = "malformed",
    /// The review is too large to be read.
    TooLarge = "too_large",
    /// The pod runs on Windows.
    Windows = "windows",
    /// The pod is the mirror pod of a static pod.
    MirrorPod = "mirror_pod",
    /// The resources that are set for the agent's container do not go with the pod's.
    AgentResources = "agent_resources",
    /// The pod's own annotation names the probe's container: nobody is warned of it.
    Excluded = "excluded",
}
