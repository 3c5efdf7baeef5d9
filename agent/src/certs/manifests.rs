//! Writes what is applied.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::args::CertsArgs;
use super::authority::{Authority, Signed};

/// The Secret, and the caBundle as a part of the configuration that is there already: applied by
/// the server for a field manager of its own, it leaves the rest of that as it is. All names are DNS
/// names: none needs quotes but one of digits.
pub fn write(args: &CertsArgs, authority: &Authority, signed: &Signed) -> String {
    let ca = STANDARD.encode(authority.certificate());
    let mut text = format!(
        "\
# kubectl apply --server-side --field-manager=app-health-certs -f -
apiVersion: v1
kind: Secret
metadata:
  name: '{secret}'
  namespace: '{namespace}'
type: kubernetes.io/tls
data:
  tls.crt: {certificate}
  tls.key: {key}
  ca.crt: {ca}
  ca.key: {ca_key}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata:
  name: '{configuration}'
webhooks:
",
        secret = args.secret,
        namespace = args.namespace,
        certificate = STANDARD.encode(&signed.certificate),
        key = STANDARD.encode(&signed.key),
        ca_key = STANDARD.encode(authority.key()),
        configuration = args.configuration,
    );
    for webhook in &args.webhook {
        text += &format!("- name: '{webhook}'\n  clientConfig:\n    caBundle: {ca}\n");
    }
    text
}
