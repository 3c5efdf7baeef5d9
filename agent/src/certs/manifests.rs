//! Writes what is applied.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::args::{CertsArgs, Webhook};
use super::authority::Authority;
use crate::webhook::certificate::Contents;

/// The Secret, and the caBundle as a part of the configurations that are there already: applied by
/// the server for a field manager of its own, it leaves the rest of those as it is. What `certs
/// --apply` has set is taken over, by force. The Secret's type is not named, since that of one that is
/// there cannot change. All names are DNS names: none needs quotes but one of digits.
pub fn write(args: &CertsArgs, authority: &Authority, signed: &Contents) -> String {
    let ca = STANDARD.encode(authority.certificate());
    let mut text = format!(
        "\
# kubectl apply --server-side --force-conflicts --field-manager=app-health-certs -f -
apiVersion: v1
kind: Secret
metadata:
  name: '{secret}'
  namespace: '{namespace}'
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
    let mut begun = String::new();
    for Webhook { configuration, name } in args.webhooks() {
        if begun != configuration {
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
            begun = configuration;
        }
        text += &format!("- name: '{name}'\n  clientConfig:\n    caBundle: {ca}\n");
    }
    text
}
