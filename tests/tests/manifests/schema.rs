//! Every object decoded into the type that the Kubernetes API has for it. The types leave out what
//! they do not know, so what was written has to come out of them again: a misspelt field is missed.

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Namespace, ResourceQuota, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::built::{variant, variants};
use super::cert_manager::{Certificate, Issuer};

/// What is wrong with an object.
fn check(object: &Value) -> Result<(), String> {
    let text = |name: &str| object[name].as_str().unwrap_or_default();
    match (text("apiVersion"), text("kind")) {
        ("v1", "Namespace") => round_trip::<Namespace>(object),
        ("v1", "ServiceAccount") => round_trip::<ServiceAccount>(object),
        ("v1", "ResourceQuota") => round_trip::<ResourceQuota>(object),
        ("v1", "Service") => round_trip::<Service>(object),
        ("v1", "Secret") => round_trip::<Secret>(object),
        ("batch/v1", "CronJob") => round_trip::<CronJob>(object),
        ("batch/v1", "Job") => round_trip::<Job>(object),
        ("rbac.authorization.k8s.io/v1", "Role") => round_trip::<Role>(object),
        ("rbac.authorization.k8s.io/v1", "RoleBinding") => round_trip::<RoleBinding>(object),
        ("rbac.authorization.k8s.io/v1", "ClusterRole") => round_trip::<ClusterRole>(object),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding") => {
            round_trip::<ClusterRoleBinding>(object)
        }
        ("apps/v1", "Deployment") => round_trip::<Deployment>(object),
        ("policy/v1", "PodDisruptionBudget") => round_trip::<PodDisruptionBudget>(object),
        ("networking.k8s.io/v1", "NetworkPolicy") => round_trip::<NetworkPolicy>(object),
        ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration") => {
            round_trip::<MutatingWebhookConfiguration>(object)
        }
        ("cert-manager.io/v1", "Certificate") => round_trip::<Certificate>(object),
        ("cert-manager.io/v1", "Issuer") => round_trip::<Issuer>(object),
        (version, kind) => Err(format!("no type for {version} {kind}")),
    }
}

pub fn round_trip<T: DeserializeOwned + Serialize>(object: &Value) -> Result<(), String> {
    let typed: T = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    let back = serde_json::to_value(typed).expect("a typed object is JSON");
    if back == *object { Ok(()) } else { Err(format!("of this the API knows only: {back}")) }
}

#[test]
fn every_object_is_one_of_the_api() {
    for variant in variants() {
        for object in &variant.objects {
            assert_eq!(check(object), Ok(()), "{object}");
        }
    }
}

/// Members of these have names that are free.
const FREE: [&str; 7] =
    ["/labels", "/annotations", "/matchLabels", "/hard", "/requests", "/limits", "/spec/selector"];

/// Where the fields of an object are, those within lists too.
fn fields(value: &Value, at: &str, found: &mut Vec<(String, String)>) {
    if let Some(members) = value.as_object() {
        for (name, member) in members {
            if !FREE.iter().any(|free| at.ends_with(free)) || name.starts_with("match") {
                found.push((at.to_owned(), name.clone()));
            }
            fields(member, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        fields(item, &format!("{at}/{index}"), found);
    }
}

#[test]
fn a_field_misspelt_anywhere_is_found() {
    let mut tried = 0;
    // These have objects of all kinds.
    let variants = ["cert-manager", "self-signed"].map(|one| &variant(one, "opt-in").objects);
    for object in variants.into_iter().flatten() {
        let mut places = Vec::new();
        fields(object, "", &mut places);
        for (at, name) in places {
            let mut misspelt = object.clone();
            let members = misspelt.pointer_mut(&at).and_then(Value::as_object_mut).expect("it");
            let member = members.remove(&name).expect("the field");
            members.insert(format!("{name}x"), member);
            assert!(check(&misspelt).is_err(), "{at}/{name}: {misspelt}");
            tried += 1;
        }
    }
    assert!(tried > 500, "{tried} fields");
}
