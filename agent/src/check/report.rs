//! All that a check comes to.

use std::collections::BTreeMap;

use app_health_webhook::manifest::Object;
use time::OffsetDateTime;

use super::envoy_filter;
use super::finding::{Code, Finding, Severity};
use super::pods::Judge;
use super::webhook;

/// All that a check comes to.
#[derive(Default)]
pub struct Report {
    pub findings: Vec<Finding>,
    /// Pods and pod templates that were looked at.
    pub pods: usize,
    /// Items of lists that are no Kubernetes objects.
    pub passed_over: usize,
    of_unknown_namespace: usize,
    of_unknown_listener: usize,
    /// Where the findings of pods with a controller are: by that, and by what they say.
    of_controllers: BTreeMap<(String, Code, String, String), usize>,
}

/// What was not looked at, since the input has not what it takes.
pub struct Unjudged {
    /// The kind of what is missing.
    pub kind: &'static str,
    pub what: String,
}

impl Report {
    /// Judges one more object.
    pub fn take(&mut self, object: &Object<'_>, judge: &Judge<'_>, now: OffsetDateTime) {
        match object.group_kind() {
            ("", _) | (_, "") => self.passed_over += 1,
            (_, "MutatingWebhookConfiguration") => {
                self.findings.extend(webhook::findings(object, now));
            }
            ("v1", "Namespace") => self.findings.extend(judge.namespace(object)),
            ("networking.istio.io", "EnvoyFilter") => {
                self.findings.extend(envoy_filter::findings(object));
            }
            _ => {
                self.findings.extend(webhook::without_pods(object));
                let Some(judgement) = judge.pod(object) else { return };
                self.pods += 1;
                self.of_unknown_namespace += usize::from(judgement.of_unknown_namespace);
                self.of_unknown_listener += usize::from(judgement.of_unknown_listener);
                for finding in judgement.findings {
                    self.add(finding, judgement.controller.as_deref());
                }
            }
        }
    }

    /// What is found alike in many pods of one controller is one finding.
    fn add(&mut self, finding: Finding, controller: Option<&str>) {
        if let Some(controller) = controller {
            let probe = finding.probe.as_ref().map(ToString::to_string).unwrap_or_default();
            let key = (controller.to_owned(), finding.code, probe, finding.message.clone());
            let first = *self.of_controllers.entry(key).or_insert(self.findings.len());
            if let Some(first) = self.findings.get_mut(first) {
                first.more += 1;
                return;
            }
        }
        self.findings.push(finding);
    }

    /// Errors first, else in the order of the input.
    pub fn sort(&mut self) {
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.code.severity()));
    }

    /// How many are as bad as this.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.code.severity() == severity).count()
    }

    /// What was not looked at.
    pub fn unjudged(&self, judge: &Judge<'_>) -> Vec<Unjudged> {
        let pods = |number| if number == 1 { "1 pod".to_owned() } else { format!("{number} pods") };
        let mut unjudged = Vec::new();
        let mut add = |kind, is_missing, what| {
            if is_missing {
                unjudged.push(Unjudged { kind, what });
            }
        };
        let missed =
            format!("whether {} should have been rewritten", pods(self.of_unknown_namespace));
        add("Namespace", self.of_unknown_namespace > 0, missed);
        let no_webhook = !judge.surroundings.has_webhooks && !judge.complete;
        add("MutatingWebhookConfiguration", no_webhook, "the webhook's CA".to_owned());
        let listener = format!("the listener of {}", pods(self.of_unknown_listener));
        add("EnvoyFilter", self.of_unknown_listener > 0, listener);
        add("Pod", self.pods == 0, "any pod".to_owned());
        unjudged
    }
}
