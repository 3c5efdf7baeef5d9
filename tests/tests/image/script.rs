//! Runs `scripts/image` by buildah, for a repository with one commit.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use app_health_tests::process::{self, command};
use app_health_tests::program::root;
use tempfile::TempDir;

use super::archive::Archive;

/// Where the images' names say that they are.
pub const REGISTRY: &str = "registry.test/mesh";

/// What the labels tell of.
pub struct Repository {
    folder: TempDir,
    /// Its commit.
    pub head: String,
}

pub static REPOSITORY: LazyLock<Repository> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let git = |arguments: &[&str]| {
        run(Command::new("git")
            .args(["-c", "user.name=test", "-c", "user.email=test@example.org"])
            .args(["-c", "commit.gpgsign=false"])
            .args(arguments)
            .env("GIT_AUTHOR_DATE", "1700000000 +0000")
            .env("GIT_COMMITTER_DATE", "1700000000 +0000")
            .current_dir(folder.path()))
    };
    git(&["init", "--quiet"]);
    git(&["remote", "add", "origin", "https://example.org/app-health.git"]);
    git(&["commit", "--quiet", "--allow-empty", "--message", "All"]);
    let head = git(&["rev-parse", "HEAD"]).trim().to_owned();
    Repository { folder, head }
});

/// What the script makes without options.
pub static ARCHIVES: LazyLock<Archives> = LazyLock::new(|| Archives::make(&mut script()));

/// The archives of one run.
pub struct Archives {
    folder: TempDir,
    /// What the script printed: a line for each image.
    pub stdout: String,
}

impl Archives {
    pub fn make(script: &mut Command) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let stdout = run(script.arg("--out").arg(folder.path()));
        Self { folder, stdout }
    }

    pub fn open(&self, name: &str) -> Archive {
        Archive::open(&self.folder.path().join(format!("{name}.tar")))
    }
}

/// The script, with buildah.
pub fn script() -> Command {
    let mut script = named("image");
    script.args(["--with", "buildah", "--registry", REGISTRY]);
    script
}

/// A script that builds the images, after all other tests, and without what takes long in a release. It builds
/// in a folder of its own, where the next run finds what is built already.
pub fn named(name: &str) -> Command {
    let repository = REPOSITORY.folder.path();
    let mut nice = command("nice");
    nice.args(["-n", "19"]).arg(root().join("scripts").join(name));
    nice.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("image"))
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("GIT_DIR", repository.join(".git"))
        .env("GIT_WORK_TREE", repository)
        .env_remove("SOURCE_DATE_EPOCH");
    nice
}

/// An image store that is not the machine's.
pub struct Store {
    folder: TempDir,
}

impl Store {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().display();
        let text = format!(
            "[storage]\ndriver = \"vfs\"\ngraphroot = \"{place}/root\"\nrunroot = \"{place}/run\"\n"
        );
        std::fs::write(folder.path().join("storage.conf"), text).expect("written");
        Self { folder }
    }

    /// What podman's and buildah's `CONTAINERS_STORAGE_CONF` names.
    pub fn settings(&self) -> PathBuf {
        self.folder.path().join("storage.conf")
    }
}

/// Its standard output.
///
/// # Panics
/// Where it fails, with its standard error.
pub fn run(command: &mut Command) -> String {
    process::run(command, "").succeeded()
}
