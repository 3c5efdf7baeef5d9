//! Reads an archive with an OCI image layout, by tar; whatever does not fit panics.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::script::run;

/// An archive, unpacked.
pub struct Archive {
    folder: TempDir,
    /// The descriptor in index.json.
    pub top: Value,
}

/// The image of one platform.
pub struct Image {
    pub architecture: String,
    pub config: Value,
    /// Its files as tar lists them: mode, owner, size, time and name of each, on one line.
    pub list: String,
    /// Its files.
    pub files: TempDir,
}

impl Archive {
    pub fn open(file: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        run(Command::new("tar").arg("-xf").arg(file).arg("-C").arg(folder.path()));
        let layout = json(&folder.path().join("oci-layout"));
        assert_eq!(layout["imageLayoutVersion"], "1.0.0");
        let mut index = json(&folder.path().join("index.json"));
        let descriptors = index["manifests"].as_array_mut().expect("descriptors");
        assert_eq!(descriptors.len(), 1, "{descriptors:?}");
        let top = descriptors.remove(0);
        Self { folder, top }
    }

    /// Each platform's, in the order of the index.
    pub fn images(&self) -> Vec<Image> {
        let index = json(&self.blob(&self.top, "index.v1+json"));
        index["manifests"].as_array().expect("images").iter().map(|of| self.image(of)).collect()
    }

    fn image(&self, descriptor: &Value) -> Image {
        let manifest = json(&self.blob(descriptor, "manifest.v1+json"));
        let config = json(&self.blob(&manifest["config"], "config.v1+json"));
        let [layer] = &manifest["layers"].as_array().expect("layers")[..] else {
            panic!("not one layer: {manifest}")
        };
        let layer = self.blob(layer, "layer.v1.tar+gzip");
        let platform = &descriptor["platform"];
        assert_eq!((&platform["os"], &config["os"]), (&"linux".into(), &"linux".into()));
        assert_eq!(platform["architecture"], config["architecture"]);
        let architecture = platform["architecture"].as_str().expect("a name").to_owned();
        Image { architecture, config, list: list(&layer), files: unpack(&layer) }
    }

    /// The file of a descriptor, which says of what kind it is.
    fn blob(&self, descriptor: &Value, kind: &str) -> PathBuf {
        assert_eq!(descriptor["mediaType"], format!("application/vnd.oci.image.{kind}"));
        let digest = descriptor["digest"].as_str().expect("a digest");
        self.folder.path().join("blobs").join(digest.replace(':', "/"))
    }
}

fn list(layer: &Path) -> String {
    let mut tar = Command::new("tar");
    let list = run(tar.args(["--numeric-owner", "--utc", "--full-time", "-tvzf"]).arg(layer));
    list.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn unpack(layer: &Path) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    run(Command::new("tar").arg("-xzf").arg(layer).arg("-C").arg(folder.path()));
    folder
}

fn json(file: &Path) -> Value {
    let text = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_slice(&text).expect("JSON")
}
