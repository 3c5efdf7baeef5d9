//! Every object is one of the Kubernetes API, or of cert-manager's.

use serde_json::Value;

use super::built::{variant, variants};
use super::cert_manager::{Certificate, Issuer};
use crate::kubernetes::{self, round_trip};

/// What is wrong with an object.
fn check(object: &Value) -> Result<(), String> {
    match (object["apiVersion"].as_str(), object["kind"].as_str()) {
        (Some("cert-manager.io/v1"), Some("Certificate")) => round_trip::<Certificate>(object),
        (Some("cert-manager.io/v1"), Some("Issuer")) => round_trip::<Issuer>(object),
        _ => kubernetes::check(object),
    }
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
