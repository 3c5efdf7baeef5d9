//! Builds with kustomize what the README tells its reader to write.

use std::fs;
use std::sync::OnceLock;

use app_health_tests::kustomize::{PATH, build, build_text};
use app_health_tests::program::root;
use serde_json::Value;

const FOLDER: &str = "envoy-config/webhook";
/// What the README names, and what else there is.
const CERTIFICATES: [&str; 2] = ["self-signed", "cert-manager"];
const CHOICES: [&str; 2] = ["opt-in", "opt-out"];
/// The image that comes of it.
pub const IMAGE: &str = concat!("REGISTRY/app-health-agent:", env!("CARGO_PKG_VERSION"));

/// One way of putting the folders together.
pub struct Variant {
    /// Where the certificate comes from.
    pub certificate: &'static str,
    /// Who is rewritten.
    pub choice: &'static str,
    /// What kustomize makes of it.
    pub objects: Vec<Value>,
}

/// Each certificate with each choice, built once.
pub fn variants() -> &'static [Variant] {
    static VARIANTS: OnceLock<Vec<Variant>> = OnceLock::new();
    VARIANTS.get_or_init(|| {
        let pairs = CERTIFICATES.into_iter().flat_map(|one| CHOICES.map(|other| (one, other)));
        pairs.map(|(certificate, choice)| Variant::new(certificate, choice)).collect()
    })
}

/// One of them.
pub fn variant(certificate: &str, choice: &str) -> &'static Variant {
    let fits = |it: &&Variant| it.certificate == certificate && it.choice == choice;
    variants().iter().find(fits).expect("a variant")
}

impl Variant {
    fn new(certificate: &'static str, choice: &'static str) -> Self {
        let text = kustomization();
        for word in [CERTIFICATES[0], CHOICES[0]] {
            assert_eq!(text.matches(word).count(), 1, "{word}: {text}");
        }
        let text = text.replace(CERTIFICATES[0], certificate).replace(CHOICES[0], choice);
        Variant { certificate, choice, objects: build_text(&text) }
    }
}

/// The `kustomization.yaml` that the README shows.
pub fn kustomization() -> String {
    let readme = fs::read_to_string(root().join(FOLDER).join("README.md")).expect("the README");
    let (_, block) = readme.split_once("   ```yaml\n   # kustomization.yaml\n").expect("the block");
    block.split("```").next().expect("its end").to_owned()
}

/// The one object of this kind.
pub fn only<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut all = objects.iter().filter(|object| object["kind"] == kind);
    let first = all.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(all.next().is_none(), "one {kind}");
    first
}

const CONFIGURATION: &str = "MutatingWebhookConfiguration";

/// The names of the two of these, and of the first webhook in each.
pub const REWRITE: &str = "rewrite.webhook.app-health";
pub const FILTER: &str = "filter.webhook.app-health";

/// The object of this kind and name.
pub fn named<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let fits = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
    objects.iter().find(fits).unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// The webhooks of both, each with its configuration.
pub fn webhooks(objects: &[Value]) -> impl Iterator<Item = (&Value, &Value)> {
    let configurations = [FILTER, REWRITE].map(|name| named(objects, CONFIGURATION, name));
    configurations.into_iter().flat_map(|configuration| {
        let webhooks = configuration["webhooks"].as_array().expect("webhooks");
        webhooks.iter().map(move |webhook| (configuration, webhook))
    })
}

/// The webhook of this name, in either.
pub fn webhook<'a>(objects: &'a [Value], name: &str) -> &'a Value {
    let found = webhooks(objects).find(|(_, webhook)| webhook["name"] == name);
    found.unwrap_or_else(|| panic!("no webhook {name}")).1
}

#[test]
fn each_variant_is_built_and_differs() {
    let all = variants();
    for (index, variant) in all.iter().enumerate() {
        let name = format!("{} × {}", variant.certificate, variant.choice);
        assert!(variant.objects.len() >= 8, "{name}");
        let same = all[..index].iter().any(|other| other.objects == variant.objects);
        assert!(!same, "{name}: the same as another");
    }
}

/// As they are, with the placeholder for an image.
#[test]
fn what_is_no_component_is_built_by_itself() {
    for folder in ["base", CERTIFICATES[0], CERTIFICATES[1]] {
        let objects = build(&format!("{FOLDER}/{folder}"));
        assert_eq!(webhooks(&objects).count(), 3, "{folder}");
    }
}

/// The few lines of the first steps come to the same, with the image as it is built there.
#[test]
fn the_first_kustomization_is_the_first_variant() {
    let text = fs::read_to_string(root().join("docs/install.md")).expect("the text");
    let begin = "cat > deploy/webhook/kustomization.yaml <<END\n";
    let (_, text) = text.split_once(begin).expect("the lines");
    let (text, _) = text.split_once("END").expect("their end");
    let text = text.replace("../..", PATH);
    let images =
        kustomization().lines().find(|line| line.contains("images:")).expect("it").to_owned();
    let objects = build_text(&format!("{text}{}", images.trim()));
    assert_eq!(objects, variant(CERTIFICATES[0], CHOICES[0]).objects);
}
