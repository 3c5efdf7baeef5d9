//! The probes of a pod, asked as the kubelet would ask them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use app_health_webhook::path::ProbeKind;
use serde_json::Value;

use super::{Answer, DEFAULT_TIMEOUT, Get, Verdict, grpc, tcp};

/// A probe as a manifest has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// The container's name.
    pub container: String,
    /// Which of its probes.
    pub kind: ProbeKind,
    /// The port that it goes to, a named one resolved.
    pub port: u16,
    probe: Value,
}

/// The probes of a pod or pod template, in its order: readiness, liveness, startup of each container.
pub fn probes(pod: &Value) -> Vec<Probe> {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    containers.flat_map(of_container).collect()
}

fn of_container(container: &Value) -> impl Iterator<Item = Probe> {
    [ProbeKind::Readiness, ProbeKind::Liveness, ProbeKind::Startup].into_iter().filter_map(|kind| {
        let probe = container.get(kind.field())?;
        let name = container["name"].as_str()?.to_owned();
        let port = port(container, probe)?;
        Some(Probe { container: name, kind, port, probe: probe.clone() })
    })
}

fn port(container: &Value, probe: &Value) -> Option<u16> {
    let handlers = ["httpGet", "tcpSocket", "grpc"].into_iter();
    let port = handlers.filter_map(|handler| probe.get(handler)?.get("port")).next()?;
    let number = match port.as_str() {
        Some(name) => {
            let ports = container["ports"].as_array()?;
            &ports.iter().find(|port| port["name"] == *name)?["containerPort"]
        }
        None => port,
    };
    number.as_u64()?.try_into().ok()
}

impl Probe {
    /// Asks it of the pod at `ip`.
    pub fn ask(&self, ip: IpAddr) -> Verdict {
        let to = SocketAddr::new(ip, self.port);
        let succeeds = |ok: bool| if ok { Verdict::Success } else { Verdict::Failure };
        if let Some(get) = self.probe.get("httpGet") {
            Verdict::of(&self.get(to, get).send())
        } else if let Some(asked) = self.probe.get("grpc") {
            let service = asked["service"].as_str().unwrap_or_default();
            succeeds(grpc(to, service, self.timeout()).is_ok())
        } else {
            succeeds(tcp(to, self.timeout()).is_ok())
        }
    }

    /// The answer to an httpGet, asked of the pod at `ip`.
    ///
    /// # Panics
    /// Where the probe is none.
    pub fn answer(&self, ip: IpAddr) -> io::Result<Answer> {
        let get = self.probe.get("httpGet").expect("an httpGet");
        self.get(SocketAddr::new(ip, self.port), get).send()
    }

    /// The URL of an httpGet.
    pub fn url(&self, ip: IpAddr) -> Option<String> {
        let path = self.probe.get("httpGet")?["path"].as_str()?;
        Some(format!("http://{}{path}", SocketAddr::new(ip, self.port)))
    }

    fn get(&self, to: SocketAddr, get: &Value) -> Get {
        let path = get["path"].as_str().unwrap_or("/");
        let headers = get["httpHeaders"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        headers.fold(Get::probe(to, path).timeout(self.timeout()), |get, header| {
            get.header(&text(&header["name"]), text(&header["value"]))
        })
    }

    fn timeout(&self) -> Duration {
        let seconds = self.probe["timeoutSeconds"].as_u64();
        seconds.map_or(DEFAULT_TIMEOUT, Duration::from_secs)
    }
}
