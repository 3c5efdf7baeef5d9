//! Objects decoded into the types that the Kubernetes API has for them. The types leave out what
//! they do not know, so what was written has to come out of them again: a misspelt field is missed.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

macro_rules! version {
    ($version:ident, $types:ident::api) => {
        mod $version {
            use serde_json::Value;
            use $types::api::admissionregistration::v1::MutatingWebhookConfiguration;
            use $types::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
            use $types::api::batch::v1::{CronJob, Job};
            use $types::api::core::v1::{
                ConfigMap, Namespace, Pod, ResourceQuota, Secret, Service, ServiceAccount,
            };
            use $types::api::networking::v1::NetworkPolicy;
            use $types::api::policy::v1::PodDisruptionBudget;
            use $types::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};

            use super::round_trip;

            pub fn check(object: &Value) -> Result<(), String> {
                let text = |name: &str| object[name].as_str().unwrap_or_default();
                let check = match (text("apiVersion"), text("kind")) {
                    ("v1", "ConfigMap") => round_trip::<ConfigMap>,
                    ("v1", "Namespace") => round_trip::<Namespace>,
                    ("v1", "Pod") => round_trip::<Pod>,
                    ("v1", "ResourceQuota") => round_trip::<ResourceQuota>,
                    ("v1", "Secret") => round_trip::<Secret>,
                    ("v1", "Service") => round_trip::<Service>,
                    ("v1", "ServiceAccount") => round_trip::<ServiceAccount>,
                    ("apps/v1", "DaemonSet") => round_trip::<DaemonSet>,
                    ("apps/v1", "Deployment") => round_trip::<Deployment>,
                    ("apps/v1", "ReplicaSet") => round_trip::<ReplicaSet>,
                    ("apps/v1", "StatefulSet") => round_trip::<StatefulSet>,
                    ("batch/v1", "CronJob") => round_trip::<CronJob>,
                    ("batch/v1", "Job") => round_trip::<Job>,
                    ("networking.k8s.io/v1", "NetworkPolicy") => round_trip::<NetworkPolicy>,
                    ("policy/v1", "PodDisruptionBudget") => round_trip::<PodDisruptionBudget>,
                    ("rbac.authorization.k8s.io/v1", "ClusterRole") => round_trip::<ClusterRole>,
                    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding") => {
                        round_trip::<ClusterRoleBinding>
                    }
                    ("rbac.authorization.k8s.io/v1", "Role") => round_trip::<Role>,
                    ("rbac.authorization.k8s.io/v1", "RoleBinding") => round_trip::<RoleBinding>,
                    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration") => {
                        round_trip::<MutatingWebhookConfiguration>
                    }
                    (version, kind) => return Err(format!("no type for {version} {kind}")),
                };
                check(object)
            }
        }
    };
}

version!(v1_33, k8s_openapi_1_33::api);
version!(v1_37, k8s_openapi::api);

/// What is wrong with an object, by the API of Kubernetes 1.33 or of 1.37.
pub fn check(object: &Value) -> Result<(), String> {
    v1_33::check(object).map_err(|error| format!("1.33: {error}"))?;
    v1_37::check(object).map_err(|error| format!("1.37: {error}"))
}

/// What is wrong with an object of this type.
pub fn round_trip<T: DeserializeOwned + Serialize>(object: &Value) -> Result<(), String> {
    let typed: T = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    let back = serde_json::to_value(typed).expect("a typed object is JSON");
    if back == *object { Ok(()) } else { Err(format!("of this the API knows only: {back}")) }
}
