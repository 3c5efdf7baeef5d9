//! What pods are judged by: the namespaces, the webhook's selectors, the listeners of EnvoyFilters.
//! It is read first, since kubectl gives the pods before it.

use std::collections::BTreeMap;

use app_health_webhook::injection::FILTER_LABEL;
use app_health_webhook::manifest::Object;
use serde_json::{Value, json};

use super::pod::Pod;
use super::selector::{Labels, is_empty, labels, selects};

/// The label of namespaces and pods that chooses them.
const REWRITE_LABEL: &str = "app-health/rewrite";

/// Which every namespace has, set by the API server.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// What the webhooks of this project are called, before this.
const OWN_WEBHOOKS: &str = ".webhook.app-health";

/// The one that rewrites probes.
const REWRITES: &str = "rewrite";

/// The one that gives pods the filter.
const GIVES_FILTER: &str = "filter";

/// All of it.
#[derive(Default)]
pub struct Surroundings {
    namespaces: BTreeMap<String, Labels>,
    webhooks: Vec<Selectors>,
    listeners: Vec<Listener>,
    /// Whether it has the webhook that gives the filter.
    has_filter_webhook: bool,
    /// Whether the input has any MutatingWebhookConfiguration.
    pub has_webhooks: bool,
    /// Whether it has any EnvoyFilter.
    pub has_envoy_filters: bool,
}

/// Which pods a webhook is asked about.
struct Selectors {
    namespaces: Value,
    pods: Value,
}

/// A port on which an EnvoyFilter listens.
struct Listener {
    namespace: String,
    selector: Labels,
    /// What the pod's proxy has to say of itself.
    metadata: Labels,
    port: u64,
}

impl Surroundings {
    /// Takes in an object, where it is one of these.
    pub fn take(&mut self, object: &Object<'_>) {
        match object.group_kind() {
            ("v1", "Namespace") => self.take_namespace(object),
            ("admissionregistration.k8s.io", "MutatingWebhookConfiguration") => {
                self.has_webhooks = true;
                self.webhooks.extend(own_webhooks(object).filter_map(selectors));
                self.has_filter_webhook |=
                    own_webhooks(object).any(|(name, _)| is_own(name, GIVES_FILTER));
            }
            ("networking.istio.io", "EnvoyFilter") => {
                self.has_envoy_filters = true;
                self.listeners.extend(listeners(object));
            }
            _ => {}
        }
    }

    fn take_namespace(&mut self, object: &Object<'_>) {
        let name = object.owner().name.to_owned();
        let mut labels = labels(object.value().pointer("/metadata/labels"));
        labels.insert(NAME_LABEL.to_owned(), name.clone());
        self.namespaces.insert(name, labels);
    }

    /// Where no webhook is in the input, pods are chosen as by the configuration that ships.
    pub fn settle(&mut self) {
        let label = |operator: &str, value: &str| {
            json!({"matchExpressions": [
                {"key": REWRITE_LABEL, "operator": operator, "values": [value]},
            ]})
        };
        if self.webhooks.is_empty() {
            let (chosen, not_switched_off) = (label("In", "enabled"), label("NotIn", "disabled"));
            self.webhooks = vec![
                Selectors { namespaces: chosen.clone(), pods: not_switched_off },
                Selectors { namespaces: Value::Null, pods: chosen },
            ];
        }
    }

    /// Whether new pods of a namespace are given the filter.
    pub fn gives_filter(&self, namespace: &str) -> bool {
        let label = self.namespaces.get(namespace).and_then(|labels| labels.get(FILTER_LABEL));
        let by_webhook = self.has_filter_webhook || !self.has_webhooks;
        by_webhook && label.is_some_and(|value| value == "enabled")
    }

    /// Whether the webhook is asked about the pods of a namespace that have these labels. `None`
    /// where that depends on a namespace which the input does not have.
    pub fn chooses(&self, namespace: &str, labels: &Labels) -> Option<bool> {
        let known = self.namespaces.get(namespace);
        let mut chosen = Some(false);
        for webhook in self.webhooks.iter().filter(|webhook| selects(&webhook.pods, labels)) {
            match known.map(|labels| selects(&webhook.namespaces, labels)) {
                Some(true) => return Some(true),
                Some(false) => {}
                None if is_empty(&webhook.namespaces) => return Some(true),
                None => chosen = None,
            }
        }
        chosen
    }

    /// Whether an EnvoyFilter gives such a pod a listener on this port. What the proxy of a pod will say
    /// that is not there yet, nobody knows.
    pub fn listens(&self, pod: &Pod<'_>, port: u16, root: &str) -> bool {
        let sidecar = pod.sidecar.filter(|_| pod.exists());
        self.listeners(pod.owner.namespace, &pod.labels, port, root).any(|listener| {
            let mut wanted = listener.metadata.iter();
            sidecar.is_none_or(|sidecar| {
                wanted.all(|(name, value)| sidecar.metadata(name) == Some(value.as_str()))
            })
        })
    }

    /// Whether an EnvoyFilter gives it to the pods that the webhook makes in this namespace.
    pub fn listens_for_new(&self, namespace: &str, port: u16, root: &str) -> bool {
        let labels = Labels::from([(FILTER_LABEL.to_owned(), "true".to_owned())]);
        self.listeners(namespace, &labels, port, root).next().is_some()
    }

    /// Those of a namespace's pods with these labels.
    fn listeners(
        &self,
        namespace: &str,
        labels: &Labels,
        port: u16,
        root: &str,
    ) -> impl Iterator<Item = &Listener> {
        self.listeners.iter().filter(move |listener| {
            let in_reach = [namespace, root].contains(&listener.namespace.as_str());
            let mut wanted = listener.selector.iter();
            let selected = wanted.all(|(key, value)| labels.get(key) == Some(value));
            in_reach && selected && listener.port == u64::from(port)
        })
    }
}

/// The webhooks of a configuration that are this project's.
pub fn own_webhooks<'a>(object: &Object<'a>) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let webhooks = object.value().get("webhooks").and_then(Value::as_array).into_iter().flatten();
    let named = |webhook: &'a Value| Some((webhook.get("name")?.as_str()?, webhook));
    webhooks.filter_map(named).filter(|(name, _)| name.ends_with(OWN_WEBHOOKS))
}

fn is_own(name: &str, which: &str) -> bool {
    name.strip_suffix(OWN_WEBHOOKS) == Some(which)
}

fn selectors((name, webhook): (&str, &Value)) -> Option<Selectors> {
    // What `app-health-agent certs` prints has the CA alone.
    let rules = webhook.get("rules")?;
    let rewrites = is_own(name, REWRITES) && !rules.is_null();
    let selector = |key| webhook.get(key).cloned().unwrap_or_default();
    rewrites.then(|| Selectors {
        namespaces: selector("namespaceSelector"),
        pods: selector("objectSelector"),
    })
}

fn listeners(object: &Object<'_>) -> impl Iterator<Item = Listener> {
    let (namespace, filter) = (object.owner().namespace.to_owned(), object.value());
    let selector = labels(filter.pointer("/spec/workloadSelector/labels"));
    let patches = filter.pointer("/spec/configPatches").and_then(Value::as_array);
    patches.into_iter().flatten().filter_map(move |patch| {
        let is = |pointer, text| patch.pointer(pointer).and_then(Value::as_str) == Some(text);
        let adds = is("/applyTo", "LISTENER") && is("/patch/operation", "ADD");
        let port = patch.pointer("/patch/value/address/socket_address/port_value")?.as_u64()?;
        let metadata = labels(patch.pointer("/match/proxy/metadata"));
        let (namespace, selector) = (namespace.clone(), selector.clone());
        adds.then_some(Listener { namespace, selector, metadata, port })
    })
}
