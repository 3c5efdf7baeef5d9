//! The sidecar: the interception, Envoy, the agent, and a stand-in for pilot-agent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use serde_json::{Value, json};

use super::bootstrap::{Inbound, bootstrap};
use super::world::{AGENT, ENVOY};
use super::{EnvoyFilter, MeshAuthority, PodComponent, World, rules};
use crate::app::{Http, Request, Script, V4};
use crate::kubelet::Get;
use crate::process::{self, Process, Run};

/// The ports that Istio excludes besides those of the pod's annotation: HBONE's tunnels (15008),
/// Envoy's metrics (15090), its health (15021) and the status port. Nothing here serves HBONE, so it
/// is refused, as in a pod where Istio has not switched it on.
const EXCLUDED: [u16; 4] = [15008, 15090, 15021, 15020];
const PILOT_AGENT: u16 = 15019;

/// Where the agent listens, on loopback.
pub const AGENT_PORT: u16 = 15023;

/// What the names of the extension's statistics begin with.
pub const DISCOVERY: &str = "extension_config_discovery.http_filter.app_health";

/// What a sidecar is started with.
pub struct Setup<'a> {
    inbound: Inbound,
    variable: Option<&'a str>,
    filter: EnvoyFilter,
    has_extension: bool,
    has_agent: bool,
    pod_ip: Option<IpAddr>,
    concurrency: u32,
}

impl<'a> Setup<'a> {
    /// Nobody without a certificate gets through to the app.
    pub fn strict() -> Self {
        Self {
            inbound: Inbound::Strict,
            variable: None,
            filter: EnvoyFilter::shipped(),
            has_extension: true,
            has_agent: true,
            pod_ip: None,
            concurrency: 1,
        }
    }

    /// Plain text gets through as well.
    pub fn permissive() -> Self {
        Self { inbound: Inbound::Permissive, ..Self::strict() }
    }

    /// What `ISTIO_KUBE_APP_PROBERS` holds; unset where this is not called.
    pub fn variable(self, variable: Option<&'a str>) -> Self {
        Self { variable, ..self }
    }

    /// A variant of the EnvoyFilter.
    pub fn filter(self, filter: EnvoyFilter) -> Self {
        Self { filter, ..self }
    }

    /// A pod whose pilot-agent has not fetched the filter yet.
    pub fn without_extension(self) -> Self {
        Self { has_extension: false, ..self }
    }

    /// A pod without the agent's container.
    pub fn without_agent(self) -> Self {
        Self { has_agent: false, ..self }
    }

    /// `POD_IP`; unset where this is not called.
    pub fn pod_ip(self, ip: IpAddr) -> Self {
        Self { pod_ip: Some(ip), ..self }
    }

    /// So many workers; one where this is not called.
    pub fn concurrency(self, concurrency: u32) -> Self {
        Self { concurrency, ..self }
    }

    /// Puts the sidecar into the pod, and waits until all of it is ready.
    ///
    /// # Panics
    /// Where something does not become ready, with its log.
    pub fn start(self, world: &World) -> Sidecar<'_> {
        let pod = PodComponent::shipped();
        rules::intercept(&world.pod, &[&EXCLUDED[..], &pod.excluded_ports()].concat());
        let pilot_agent = pilot_agent(world);
        let agent = self.has_agent.then(|| start_agent(world, &pod));
        let authority = MeshAuthority::default();
        let extension = self.has_extension.then(|| typed(self.filter.extension()));
        world.put_extensions(extension.as_slice());
        let config = bootstrap(self.inbound, &authority, &self.filter, &pod, world.has_ipv6);
        let envoy = start_envoy(world, &config, &self);
        let sidecar = Sidecar { world, authority, pilot_agent, envoy, agent };
        sidecar.envoy.wait_until(|| sidecar.live());
        if self.has_extension {
            sidecar.envoy.wait_until(|| sidecar.has_filter());
        }
        sidecar
    }
}

/// The type that a resource on the stream says it has.
fn typed(mut extension: Value) -> Value {
    extension["@type"] = json!("type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig");
    extension
}

fn start_envoy(world: &World, config: &str, setup: &Setup<'_>) -> Process {
    let mut command = world.command(ENVOY, rules::SIDECAR);
    command.args(["--config-yaml", config]);
    // No shared memory and no domain sockets that could outlive it.
    command.args(["--disable-hot-restart", "--log-level", "warning"]);
    command.args(["--concurrency", &setup.concurrency.to_string()]);
    // Istio's 45 seconds would be a long wait for the tests that drain it.
    command.args(["--drain-time-s", "1"]);
    match setup.variable {
        Some(variable) => command.env("ISTIO_KUBE_APP_PROBERS", variable),
        None => command.env_remove("ISTIO_KUBE_APP_PROBERS"),
    };
    command.env_remove("POD_IP").env_remove("INSTANCE_IP");
    command.envs(setup.pod_ip.map(|ip| ("POD_IP", ip.to_string())));
    Process::start("envoy", &mut command)
}

fn start_agent(world: &World, pod: &PodComponent) -> Process {
    let mut command = world.command(AGENT, pod.agent_user());
    command.args(pod.agent_arguments());
    let agent = Process::start("agent", &mut command);
    // Any answer will do.
    let answers = || Get::probe((V4, AGENT_PORT).into(), "/").send().map(drop);
    agent.wait_until(|| world.pod.run(answers).map_err(|error| error.to_string()));
    agent
}

/// Pilot-agent on its new port, on every address, as far as this project needs it: it lets callers
/// on loopback end or drain the sidecar, and judges by the address that it sees. Its metrics with the
/// query `long` have no end, so that no buffer on the way holds them. Every probe and hook succeeds, but
/// with the query `long` it has no answer.
fn pilot_agent(world: &World) -> Http {
    let ip: IpAddr =
        if world.has_ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    let answer = move |request: &Request| match request.target.split('?').next().unwrap_or_default()
    {
        "/metrics" if request.target.ends_with("?long") => {
            Script::raw("HTTP/1.1 200 OK\r\n\r\n").endless("x".repeat(64 << 10))
        }
        "/healthz/ready" | "/metrics" | "/stats/prometheus" => Script::status(200),
        "/quitquitquit" | "/drain" if !request.peer.ip().to_canonical().is_loopback() => {
            Script::status(403)
        }
        "/quitquitquit" | "/drain" if request.method == "POST" => Script::status(200),
        path if path.starts_with("/app-health/") || path.starts_with("/app-lifecycle/") => {
            if request.target.ends_with("?long") {
                Script::default().hold()
            } else {
                Script::status(200)
            }
        }
        _ => Script::status(404),
    };
    world.pod.run(|| Http::start_at(SocketAddr::new(ip, PILOT_AGENT), answer))
}

/// A sidecar that is ready. It ends when it is dropped, but the interception stays.
pub struct Sidecar<'a> {
    world: &'a World,
    /// Who may take part in the mesh.
    pub authority: MeshAuthority,
    /// Records who calls pilot-agent.
    pub pilot_agent: Http,
    envoy: Process,
    agent: Option<Process>,
}

impl Sidecar<'_> {
    /// Runs a command of the agent's binary in its container, as `kubectl exec` does.
    pub fn exec_agent(&self, arguments: &[&str]) -> Run {
        let mut command = self.world.command(AGENT, PodComponent::shipped().agent_user());
        // As the kubelet does in each container.
        command.env("KUBERNETES_SERVICE_HOST", "10.96.0.1");
        process::run(command.args(arguments), "")
    }

    /// The value of a counter or gauge of Envoy.
    ///
    /// # Panics
    /// Where there is none of this name.
    pub fn stat(&self, name: &str) -> u64 {
        let path = format!("/stats?filter=^{}$", name.replace('.', "\\."));
        let answer = self.admin(&path).expect("the admin answers");
        let value = answer.rsplit(' ').next().and_then(|value| value.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no {name}: {answer:?}"))
    }

    /// Envoy's process and, where there is one, the agent's.
    pub fn pids(&self) -> Vec<u32> {
        std::iter::once(&self.envoy).chain(&self.agent).map(Process::id).collect()
    }

    /// Pilot-agent sends this in place of what it sent before.
    pub fn send_extension(&self, extension: Value) {
        self.world.put_extensions(&[typed(extension)]);
    }

    /// Whether it is the filter that answers, in Envoy's worker too.
    fn has_filter(&self) -> Result<(), String> {
        let page = Get::probe((V4, 15020).into(), "/app-health/");
        match self.world.pod.run(|| page.status())? {
            200 => Ok(()),
            status => Err(format!("the page is {status}")),
        }
    }

    fn admin(&self, path: &str) -> Result<String, String> {
        let get = Get::probe((V4, 15000).into(), path).timeout(Duration::from_secs(5)).whole_body();
        let answer = self.world.pod.run(|| get.send()).map_err(|error| error.to_string())?;
        match answer.status {
            200 => Ok(answer.text()),
            status => Err(format!("{path} is {status}, {}", answer.text())),
        }
    }

    fn live(&self) -> Result<(), String> {
        self.admin("/ready").map(drop)
    }
}
