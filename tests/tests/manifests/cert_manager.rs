//! cert-manager's objects. No crate has its types: these hold the fields that are used, named as
//! in its CRDs (`cert-manager.io_certificates.yaml` and `cert-manager.io_issuers.yaml`), and take
//! no others. Whether cert-manager makes a certificate of them is not tried here.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::built::{named, only, variant, webhooks};

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Object<S> {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    spec: S,
}

pub type Certificate = Object<CertificateSpec>;
pub type Issuer = Object<IssuerSpec>;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CertificateSpec {
    secret_name: String,
    issuer_ref: IssuerRef,
    duration: String,
    private_key: PrivateKey,
    #[serde(skip_serializing_if = "Option::is_none")]
    common_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dns_names: Option<Vec<String>>,
    #[serde(rename = "isCA", skip_serializing_if = "Option::is_none")]
    is_ca: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renew_before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usages: Option<Vec<Usage>>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct IssuerRef {
    group: String,
    kind: String,
    name: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PrivateKey {
    algorithm: Algorithm,
    size: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_policy: Option<RotationPolicy>,
}

#[derive(Deserialize, Serialize)]
enum Algorithm {
    #[serde(rename = "ECDSA")]
    Ecdsa,
}

#[derive(Deserialize, Serialize)]
enum RotationPolicy {
    Always,
    Never,
}

#[derive(Deserialize, Serialize)]
enum Usage {
    #[serde(rename = "digital signature")]
    DigitalSignature,
    #[serde(rename = "server auth")]
    ServerAuth,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssuerSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    self_signed: Option<Nothing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<Ca>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Ca {
    secret_name: String,
}

#[test]
fn the_serving_certificate_is_the_one_that_is_mounted_called_and_trusted() {
    let objects = &variant("cert-manager", "opt-in").objects;
    let pod = &only(objects, "Deployment")["spec"]["template"]["spec"];
    let secret = &pod["volumes"][0]["secret"]["secretName"];
    let serves = |object: &&Value| object["spec"]["secretName"] == *secret;
    let certificate = objects.iter().find(serves).expect("a Certificate of that Secret");

    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let metadata = &certificate["metadata"];
    let source = format!("{}/{}", text(&metadata["namespace"]), text(&metadata["name"]));
    for (configuration, webhook) in webhooks(objects) {
        let service = &webhook["clientConfig"]["service"];
        let host = format!("{}.{}.svc", text(&service["name"]), text(&service["namespace"]));
        assert_eq!(certificate["spec"]["dnsNames"][0], host);
        assert_eq!(metadata["namespace"], service["namespace"]);
        let annotations = &configuration["metadata"]["annotations"];
        assert_eq!(annotations["cert-manager.io/inject-ca-from"], source);
    }

    // Signed by the CA's issuer, whose Secret is the one that the CA's Certificate fills.
    let issuer = named(objects, "Issuer", &text(&certificate["spec"]["issuerRef"]["name"]));
    let ca = &issuer["spec"]["ca"]["secretName"];
    let filled =
        |object: &&Value| object["kind"] == "Certificate" && object["spec"]["isCA"] == true;
    let authority = objects.iter().find(filled).expect("the CA");
    assert_eq!(&authority["spec"]["secretName"], ca);
    let root = named(objects, "Issuer", &text(&authority["spec"]["issuerRef"]["name"]));
    assert!(root["spec"]["selfSigned"].is_object());
    // The configurations have its one key from the start, and keep it.
    assert_eq!(authority["spec"]["privateKey"]["rotationPolicy"], "Never");
}
