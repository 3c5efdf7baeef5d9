use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use app_health_tests::poll::{until, until_ok};
use app_health_tests::{process, program};
use nix::sys::signal::Signal::{self, SIGCONT, SIGINT, SIGKILL, SIGSTOP, SIGTERM};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tempfile::TempDir;

/// By this variable a program's descendants are found, whatever group they are in.
const MARK: &str = "APP_HEALTH_INTERRUPTED";

/// A program that is about to be interrupted.
struct Interrupted {
    child: Child,
    folder: TempDir,
}

impl Interrupted {
    /// In a process group of its own, and with a folder of its own for temporary files.
    fn start(program: impl AsRef<Path>, arguments: &[&str]) -> Self {
        let kustomize = program::root().join("tests/tests/mesh/slow-kustomize");
        // Not in /tmp: this test may be interrupted, too.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
        let mut command: Command = process::command(program.as_ref());
        command.args(arguments).process_group(0).stdout(Stdio::piped()).stderr(Stdio::null());
        command.env("TMPDIR", folder.path()).env(MARK, folder.path()).env("KUSTOMIZE", kustomize);
        Self { child: command.spawn().expect("it starts"), folder }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().expect("an id"))
    }

    /// Waits until it has printed so many lines.
    fn printed(&mut self, lines: usize) {
        let stdout = self.child.stdout.as_mut().expect("a pipe");
        let lines_read = BufReader::new(stdout).lines().take(lines).map_while(Result::ok).count();
        assert_eq!(lines_read, lines);
    }

    /// Its process and those that it has started, as `4711 envoy`; zombies have ended.
    fn processes(&self) -> Vec<String> {
        let all = fs::read_dir("/proc").expect("processes").filter_map(Result::ok);
        all.filter_map(|entry| self.process(&entry.path())).collect()
    }

    fn process(&self, at: &Path) -> Option<String> {
        let stat = fs::read_to_string(at.join("stat")).ok()?;
        // Of "4711 (a name) S parent group ..." what follows the name.
        let (name, rest) = stat.rsplit_once(") ")?;
        let mut rest = rest.split(' ');
        let (state, group) = (rest.next()?, rest.nth(1)?);
        let mark = format!("{MARK}={}", self.folder.path().display());
        let environment = fs::read(at.join("environ")).unwrap_or_default();
        let is_marked = environment.split(|byte| *byte == 0).any(|one| one == mark.as_bytes());
        let is_ours = group == self.child.id().to_string() || is_marked;
        (is_ours && state != "Z").then(|| name.replace('(', ""))
    }

    /// The namespaces that it holds by descriptors, as `net:[4026532281]`.
    fn namespaces(&self) -> BTreeSet<String> {
        let files = fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("descriptors");
        let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
        let links = links.map(|link| link.to_string_lossy().into_owned());
        links.filter(|link| link.starts_with("net:[") || link.starts_with("mnt:[")).collect()
    }

    /// Interrupts it where it stands, and checks that nothing is left. It alone gets the signal, as
    /// from `kill`.
    fn interrupt(mut self, signal: Signal) {
        kill(self.pid(), SIGSTOP).expect("it runs");
        let namespaces = self.namespaces();
        kill(self.pid(), signal).expect("it is there");
        kill(self.pid(), SIGCONT).expect("it is there");
        let status = self.child.wait().expect("it ends");
        assert_eq!(status.signal(), Some(signal as i32), "{status}");
        until("no process is left", || self.processes().is_empty());
        // Without processes only a mount could keep a namespace.
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
        let kept = |line: &&str| namespaces.iter().any(|space| line.contains(space));
        assert_eq!(mounts.lines().find(kept), None);
        assert!(!mounts.contains("app-health-agent"), "a mount of the pod's is seen outside");
        let files: Vec<_> = fs::read_dir(self.folder.path()).expect("the folder").collect();
        assert!(files.is_empty(), "{files:?}");
    }
}

/// However a test ends that fails here.
impl Drop for Interrupted {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_demo_leaves_nothing_behind() {
    // Before there is anything; the app alone; a sidecar that goes; one that stays; the second pod.
    let points = [(1, 0), (6, 4), (7, 4), (9, 4), (16, 4)];
    let interrupt_with = |signal| {
        for (lines, namespaces) in points {
            let mut run = Interrupted::start(env!("CARGO_BIN_EXE_mesh-demo"), &[]);
            run.printed(lines);
            assert!(run.namespaces().len() >= namespaces, "{:?}", run.namespaces());
            run.interrupt(signal);
        }
    };
    thread::scope(|scope| {
        for signal in [SIGINT, SIGTERM, SIGKILL] {
            scope.spawn(move || interrupt_with(signal));
        }
    });
}

#[test]
fn a_test_leaves_nothing_behind() {
    let tcp = "mesh::story::s4_a_rewritten_tcp_probe_says_whether_the_port_is_open";
    let ipv4 = "mesh::istio::ipv4_only";
    let suite = env::current_exe().expect("this program");
    for (test, started, signal) in [
        (tcp, "nginx", SIGKILL),
        (tcp, "envoy", SIGINT),
        (tcp, "envoy", SIGTERM),
        (ipv4, "sleep", SIGKILL),
    ] {
        let run = Interrupted::start(&suite, &[test, "--exact", "--nocapture"]);
        let is_there = |process: &String| process.ends_with(&format!(" {started}"));
        // It may have to wait until another test's cargo has built something.
        until_ok(Duration::from_secs(300), || {
            run.processes().into_iter().find(is_there).ok_or(started)
        });
        assert!(run.namespaces().len() >= 4, "{:?}", run.namespaces());
        run.interrupt(signal);
    }
}
