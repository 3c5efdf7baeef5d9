//! The documents' Deployments, and what `app-health-agent rewrite` makes of them.

use std::fs;

use app_health_webhook::probers::VARIABLE;
use serde_json::Value;

use crate::kubelet::{Probe, probes};
use crate::manifest::rewritten;
use crate::program;

/// A Deployment as the cluster would get it.
pub struct Deployment {
    /// The pod template.
    pub template: Value,
}

impl Deployment {
    /// An example, named by its file, rewritten, with ten seconds for its probe. The sidecar is put
    /// in as the injector would.
    pub fn example(file: &str) -> Self {
        Self::of(&Self::patient_text(file), &[])
    }

    /// The text of an example.
    ///
    /// # Panics
    /// Where there is no such file.
    pub fn text(file: &str) -> String {
        let path = program::root().join("envoy-config/examples").join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The same with ten seconds for its probe, for a busy machine.
    ///
    /// # Panics
    /// As [`Deployment::text`].
    pub fn patient_text(file: &str) -> String {
        let (text, line) = (Self::text(file), "initialDelaySeconds: 5");
        assert!(text.contains(line), "{file}: no {line}");
        text.replace(line, "timeoutSeconds: 10")
    }

    /// A text, rewritten with these options.
    pub fn of(text: &str, options: &[&str]) -> Self {
        let mut all = rewritten(text, &[&["--add-sidecar"], options].concat());
        Self { template: all["spec"]["template"].take() }
    }

    /// Its one probe.
    ///
    /// # Panics
    /// Where it has another number of them.
    pub fn probe(&self) -> Probe {
        let mut all = probes(&self.template);
        assert_eq!(all.len(), 1, "{}", self.template);
        all.remove(0)
    }

    /// The one probe of this container.
    ///
    /// # Panics
    /// Where it has another number of them.
    pub fn probe_of(&self, container: &str) -> Probe {
        let mut all = probes(&self.template);
        all.retain(|probe| probe.container == container);
        assert_eq!(all.len(), 1, "{container}: {}", self.template);
        all.remove(0)
    }

    /// What the sidecar's variable holds.
    pub fn variable(&self) -> Option<&str> {
        let containers = self.template["spec"]["containers"].as_array()?;
        let all = containers.iter().filter_map(|container| container["env"].as_array()).flatten();
        let mut ours = all.filter(|variable| variable["name"] == VARIABLE);
        ours.next()?["value"].as_str()
    }
}
