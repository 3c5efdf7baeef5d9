//! A child process whose output goes to a file, and that never outlives the thread it serves.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Process {
    name: &'static str,
    child: Mutex<Child>,
    log: PathBuf,
}

/// A command that is killed when the thread that started it ends, however it ends.
pub(super) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    let with_parent = || set_pdeathsig(Signal::SIGKILL).map_err(Into::into);
    // SAFETY: prctl is a bare system call, and allocates nothing.
    unsafe { command.pre_exec(with_parent) };
    command
}

impl Process {
    pub(super) fn start(name: &'static str, command: &mut Command, dir: &Path) -> Self {
        let log = dir.join(name).with_extension("log");
        let file = File::create(&log).expect("the log is created");
        let same = file.try_clone().expect("a second handle of the log");
        command.stdin(Stdio::null()).stdout(file).stderr(same);
        let child = command.spawn().unwrap_or_else(|error| panic!("start {command:?}: {error}"));
        Self { name, child: Mutex::new(child), log }
    }

    /// Polls until `ready` is.
    pub(super) fn wait_until(&self, ready: impl Fn() -> Result<(), String>) {
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = ready() {
            if let Some(status) = self.ended() {
                panic!("{} has ended, {status}:\n{}", self.name, self.log());
            }
            if Instant::now() > deadline {
                panic!("{} is not ready: {error}\n{}", self.name, self.log());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn ended(&self) -> Option<std::process::ExitStatus> {
        self.child.lock().expect("not poisoned").try_wait().expect("the child can be waited for")
    }

    pub(super) fn log(&self) -> String {
        let log = fs::read(&self.log).expect("the log can be read");
        String::from_utf8_lossy(&log).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- log of {} ---\n{}--- end of it ---", self.name, self.log());
        }
        if let Ok(child) = self.child.get_mut() {
            // Already gone is well, too.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
