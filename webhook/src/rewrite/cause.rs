//! What a warning is about, for those who count warnings rather than read them.

/// The reason of a warning, without the names and values that its text has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// An annotation says what it cannot say, or moves the status port.
    Annotation,
    /// The pod uses its node's network.
    HostNetwork,
    /// The pod has no sidecar container.
    NoSidecar,
    /// The sidecar's variable cannot be read.
    Variable,
    /// The container's name cannot stand in a path.
    ContainerName,
    /// A rewritten probe whose original is recorded nowhere.
    OriginalLost,
    /// The probe would ask the listener itself.
    StatusPort,
    /// The probe asks another host.
    Host,
    /// The scheme of an httpGet is none that is known, or its protocol is HTTP2 over HTTPS.
    Scheme,
    /// The container has no port of that name.
    NamedPort,
    /// The container has to have started before the sidecar does.
    BeforeSidecar,
    /// The variable or the annotation would be too long.
    TooLong,
    /// A handler of a later Kubernetes.
    UnknownHandler,
    /// A member of a handler, or the value of one, of a later Kubernetes.
    UnknownMember,
    /// A hook that the kubelet fails, whatever the app does.
    TcpHook,
    /// A container of the user's own has the name of the agent's.
    AgentName,
    /// A field of the pod has a type that no pod can have.
    Malformed,
    /// The review is too large to be read.
    TooLarge,
    /// The pod runs on Windows.
    Windows,
    /// The pod is the mirror pod of a static pod.
    MirrorPod,
    /// The resources that are set for the agent's container do not go with the pod's.
    AgentResources,
}

impl Cause {
    /// All of them, in the order of their declaration.
    pub const ALL: [Cause; 21] = [
        Cause::Annotation,
        Cause::HostNetwork,
        Cause::NoSidecar,
        Cause::Variable,
        Cause::ContainerName,
        Cause::OriginalLost,
        Cause::StatusPort,
        Cause::Host,
        Cause::Scheme,
        Cause::NamedPort,
        Cause::BeforeSidecar,
        Cause::TooLong,
        Cause::UnknownHandler,
        Cause::UnknownMember,
        Cause::TcpHook,
        Cause::AgentName,
        Cause::Malformed,
        Cause::TooLarge,
        Cause::Windows,
        Cause::MirrorPod,
        Cause::AgentResources,
    ];

    /// In snake case, as a metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Cause::Annotation => "annotation",
            Cause::HostNetwork => "host_network",
            Cause::NoSidecar => "no_sidecar",
            Cause::Variable => "variable",
            Cause::ContainerName => "container_name",
            Cause::OriginalLost => "original_lost",
            Cause::StatusPort => "status_port",
            Cause::Host => "host",
            Cause::Scheme => "scheme",
            Cause::NamedPort => "named_port",
            Cause::BeforeSidecar => "before_sidecar",
            Cause::TooLong => "too_long",
            Cause::UnknownHandler => "unknown_handler",
            Cause::UnknownMember => "unknown_member",
            Cause::TcpHook => "tcp_hook",
            Cause::AgentName => "agent_name",
            Cause::Malformed => "malformed",
            Cause::TooLarge => "too_large",
            Cause::Windows => "windows",
            Cause::MirrorPod => "mirror_pod",
            Cause::AgentResources => "agent_resources",
        }
    }
}
