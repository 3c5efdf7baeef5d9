//! Writes what is applied.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::args::{CertsArgs, Webhook};
use super::authority::{Authority, Signed};

/// The Secret, and the caBundle as a part of the configurations that are there already: applied by
/// the server for a field manager of its own, it leaves the rest of those as it is. All names are DNS
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
",
        secret = args.secret,
        namespace = args.namespace,
        certificate = STANDARD.encode(&signed.certificate),
        key = STANDARD.encode(&signed.key),
        ca_key = STANDARD.encode(authority.key()),
    );
    let webhooks: BTreeSet<_> = args.webhook.iter().collect();
    let mut begun = None;
    for Webhook { configuration, name } in webhooks {
        if begun != Some(configuration) {
            begun = Some(configuration);
            text += &format!(
                "\
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata:
  name: '{configuration}'
webhooks:
"
            );
        }
        text += &format!("- name: '{name}'\n  clientConfig:\n    caBundle: {ca}\n");
    }
    text
}
