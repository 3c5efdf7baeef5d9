//! What an Istio user applies, read from `envoy-config/istio/`.

use serde_json::{Value, json};

use crate::manifest::{json, text_to_json};

/// Where the `.wasm` is in the pod: the path of `volume/kustomization.yaml`.
pub(super) const FETCHED: &str = "/var/lib/app-health/app_health_filter.wasm";

/// `envoyfilter.yaml`, or a variant of it.
pub struct EnvoyFilter(pub Value);

impl EnvoyFilter {
    /// The file that ships.
    pub fn shipped() -> Self {
        Self(json("envoy-config/istio/envoyfilter.yaml"))
    }

    /// The values of the patches, `LISTENER`, `CLUSTER` or `EXTENSION_CONFIG`.
    pub fn values(&self, apply_to: &str) -> Vec<Value> {
        let ours = self.patches().iter().filter(|patch| patch["applyTo"] == apply_to);
        ours.map(|patch| patch["patch"]["value"].clone()).collect()
    }

    /// The patches.
    ///
    /// # Panics
    /// Where it has none.
    pub fn patches(&self) -> &[Value] {
        self.0["spec"]["configPatches"].as_array().expect("patches")
    }

    /// What of it istiod sends to such a pod: by the pod's labels, and by what its proxy says of itself.
    ///
    /// # Panics
    /// Where it has no patches.
    #[must_use]
    pub fn sent_to(&self, pod: &PodComponent) -> Self {
        let of_pod = |wanted: &Value, prefix: &str, has: &Value| {
            let mut wanted = wanted.as_object().into_iter().flatten();
            wanted.all(|(name, value)| has.get(format!("{prefix}{name}")) == Some(value))
        };
        let (selector, labels) =
            (&self.0["spec"]["workloadSelector"]["labels"], &pod.template["metadata"]["labels"]);
        let is_selected = of_pod(selector, "", labels);
        let metadata = &pod.proxy_config()["proxyMetadata"];
        let mut patches = self.patches().to_vec();
        patches.retain(|patch| {
            let wanted = &patch["match"]["proxy"]["metadata"];
            is_selected && of_pod(wanted, "ISTIO_META_", metadata)
        });
        Self(json!({"spec": {"configPatches": patches}}))
    }

    /// The filter as pilot-agent hands it to Envoy: once fetched, the code is a local file.
    ///
    /// # Panics
    /// Where there is none, or more than one.
    pub fn extension(&self) -> Value {
        let [mut extension] = self.values("EXTENSION_CONFIG").try_into().expect("one extension");
        let code = extension.pointer_mut("/typed_config/config/vm_config/code").expect("code");
        if code.get("remote").is_some() {
            *code = json!({"local": {"filename": FETCHED}});
        }
        extension
    }
}

/// `pod/kustomization.yaml`: what is added to a pod template.
pub struct PodComponent {
    /// The pod template's part.
    pub template: Value,
}

impl PodComponent {
    /// The file that ships.
    ///
    /// # Panics
    /// Where it is not one patch.
    pub fn shipped() -> Self {
        let file = json("envoy-config/istio/pod/kustomization.yaml");
        let patch = file["patches"][0]["patch"].as_str().expect("a patch");
        Self { template: text_to_json(patch)["spec"]["template"].take() }
    }

    /// An annotation.
    ///
    /// # Panics
    /// Where there is no such.
    pub fn annotation(&self, name: &str) -> &str {
        let annotation = self.template["metadata"]["annotations"][name].as_str();
        annotation.unwrap_or_else(|| panic!("no annotation {name}"))
    }

    /// `proxy.istio.io/config`; null where there is none.
    ///
    /// # Panics
    /// Where it is no JSON.
    pub fn proxy_config(&self) -> Value {
        let config = self.template["metadata"]["annotations"]["proxy.istio.io/config"].as_str();
        config.map_or(Value::Null, |text| serde_json::from_str(text).expect("JSON"))
    }

    /// The ports that the annotation excludes from interception.
    pub(super) fn excluded_ports(&self) -> Vec<u16> {
        let ports = self.annotation("traffic.sidecar.istio.io/excludeInboundPorts");
        ports.split(',').map(|port| port.trim().parse().expect("a port")).collect()
    }

    /// The arguments of the agent's container.
    pub(super) fn agent_arguments(&self) -> Vec<&str> {
        let arguments = self.template["spec"]["initContainers"][0]["args"].as_array();
        arguments.expect("args").iter().map(|argument| argument.as_str().expect("text")).collect()
    }

    /// The agent's user.
    pub(super) fn agent_user(&self) -> u32 {
        let user = &self.template["spec"]["initContainers"][0]["securityContext"]["runAsUser"];
        user.as_u64().and_then(|user| user.try_into().ok()).expect("runAsUser")
    }
}
