//! The manifests of the admission webhook and of its monitoring, as kustomize builds them.
//!
//! | module | what it holds |
//! |---|---|
//! | `built` | the kustomization of the README, in each of its variants, built |
//! | `schema` | every object against the Kubernetes API's own types |
//! | `cert_manager` | the same of cert-manager's objects |
//! | `monitoring` | the same of those of the Prometheus Operator, and that they find what they name |
//! | `pod` | the pod with an Envoy of its own: rendered, rewritten, and run |
//! | `configuration` | the MutatingWebhookConfiguration: what it chooses, whom it calls |
//! | `chart` | the chart by the real Helm: the same objects, and what its values do |
//! | `conditions` | which pods its CEL expressions let through |
//! | `certs` | the jobs that renew the certificate: what they may, and that it is what they need |
//! | `workload` | Deployment, Service and all that has to fit them |

mod built;
mod cert_manager;
mod certs;
mod chart;
mod conditions;
mod configuration;
mod monitoring;
mod pod;
mod schema;
mod workload;
