//! What `scripts/chart` makes for a release.

use std::fs;
use std::path::Path;

use app_health_tests::helm::template;
use app_health_tests::manifest::documents;
use app_health_tests::process::{self, Run};
use app_health_tests::program::{root, script, tool};
use serde_json::json;

use super::super::built::{named, only};
use super::{NAMESPACE, NO_SUM, is_hook};

/// Digits alone, which YAML would take for a number.
const SUM: &str = "0000000000000000000000000000000000000000000000000000000000000001";

fn make(folder: &Path, image: &str, sum: &str) -> Run {
    let mut command = script("chart");
    command.arg("--out").arg(folder).args([image, sum]).env("HELM", tool("HELM", "helm"));
    process::run(&mut command, "")
}

#[test]
fn the_chart_needs_no_value_and_install_yaml_is_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let steps = fs::read_to_string(root().join("docs/install.md")).expect("the text");
    for name in ["r.test/mesh/app-health-agent", "r.test:5000/app-health-agent"] {
        let digest = format!("sha256:{SUM}");
        let image = format!("{name}:1.2.3@{digest}");
        let printed = make(folder.path(), &image, SUM).succeeded();
        let [chart, install] = <[&str; 2]>::try_from(printed.lines().collect::<Vec<_>>())
            .unwrap_or_else(|lines| panic!("{lines:?}"));
        let install = fs::read_to_string(install).expect("install.yaml");
        let (head, _) = install.split_once("\napiVersion: ").expect("objects");
        assert!(head.starts_with(concat!("# app-health ", env!("CARGO_PKG_VERSION"))), "{head}");
        let asks = "kubectl get pod -A -l 'app-health/filter,app-health/filter!=false'";
        assert!(head.contains(asks) && steps.contains(asks), "{head}");
        let mut objects = documents(&install);

        let namespace = only(&objects, "Namespace");
        assert_eq!(namespace["metadata"]["name"], NAMESPACE);
        let pod = &named(&objects, "Deployment", "app-health-webhook")["spec"]["template"]["spec"];
        assert_eq!(pod["containers"][0]["image"], format!("{name}@{digest}"));
        let filter = only(&objects, "EnvoyFilter").to_string();
        assert!(filter.contains(SUM) && !filter.contains(NO_SUM));

        let mut chart = documents(&template(Path::new(chart), NAMESPACE, &json!({})).succeeded());
        chart.retain(|object| !is_hook(object));
        objects.retain(|object| object["kind"] != "Namespace");
        assert_eq!(chart, objects);
    }
}

#[test]
fn what_is_no_image_or_no_sum_makes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    for (image, sum, said) in [
        ("r.test/app-health-agent:1.2.3", SUM, "IMAGE: r.test/app-health-agent:1.2.3 is no name"),
        (&*format!("r.test/a@sha256:{SUM}"), "abc", "SHA256: abc is no sum"),
    ] {
        let run = make(&out, image, sum);
        assert_eq!(run.exit, 1, "{}", run.stdout);
        assert!(run.stderr.contains(said), "{}", run.stderr);
        assert!(!out.exists());
    }
}
