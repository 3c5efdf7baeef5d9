//! What `scripts/image` makes of two clones of one commit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use app_health_tests::process::command;
use app_health_tests::program::root;

use super::archive::Archive;

/// All that a build reads.
const SOURCES: [&str; 9] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "agent",
    "filter",
    "rust-toolchain.toml",
    "scripts",
    "tests",
    "webhook",
];
pub const DATE: &str = "1700000000";
pub const SOURCE: &str = "https://example.org/app-health";

/// One run of the script.
pub struct Made {
    /// What it printed: a line for each image.
    pub stdout: String,
    /// Where it was built.
    pub folder: PathBuf,
}

impl Made {
    pub fn archive(&self, name: &str) -> Archive {
        Archive::open(&self.folder.join(format!("out/{name}.tar")))
    }
}

/// Two clones, at paths of different lengths.
pub fn clones() -> &'static [Made; 2] {
    static CLONES: OnceLock<[Made; 2]> = OnceLock::new();
    CLONES.get_or_init(|| ["image/one", "image/and another"].map(make))
}

/// In cargo's folder for tests, where the next run finds what is built already.
fn make(name: &str) -> Made {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let project = folder.join("app-health");
    let _ = fs::remove_dir_all(&project);
    fs::create_dir_all(&project).expect("a folder");
    // With their times, by which cargo sees what has changed.
    let from = SOURCES.map(|name| root().join(name));
    run(Command::new("cp").arg("-a").args(from).arg(&project));
    commit(&project);
    let stdout = run(script(&project)
        .arg("--out")
        .arg(folder.join("out"))
        .args(["--registry", "registry.test/mesh", "--source", SOURCE])
        .env("CARGO_TARGET_DIR", folder.join("target")));
    Made { stdout, folder }
}

/// The script of that project, after all other tests, and without what takes long in a release.
fn script(project: &Path) -> Command {
    let mut nice = command("nice");
    nice.args(["-n", "19"]).arg(project.join("scripts/image"));
    nice.env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env_remove("SOURCE_DATE_EPOCH");
    nice
}

/// The same commit in each: author, dates and content are.
fn commit(project: &Path) {
    let git = |arguments: &[&str]| {
        run(Command::new("git")
            .args(["-c", "user.name=test", "-c", "user.email=test@example.org"])
            .args(["-c", "commit.gpgsign=false", "-c", "core.autocrlf=false"])
            .args(arguments)
            .env("GIT_AUTHOR_DATE", format!("{DATE} +0000"))
            .env("GIT_COMMITTER_DATE", format!("{DATE} +0000"))
            .current_dir(project))
    };
    git(&["init", "--quiet"]);
    git(&["add", "--all", "--force"]);
    git(&["commit", "--quiet", "--message", "All"]);
}

/// Its standard output.
///
/// # Panics
/// Where it fails, with its standard error.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{stderr}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}
