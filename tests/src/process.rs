//! A child process whose output goes to a file without a name, and that never outlives the thread
//! it serves: whatever ends that thread, nothing is left behind.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::{Pid, getpid, getppid};

const PATIENCE: Duration = Duration::from_secs(30);

/// A program that runs. Killed when it is dropped; when that is because a test failed, its log is
/// printed.
pub struct Process {
    name: &'static str,
    child: Mutex<Child>,
    log: File,
}

/// A command that is killed when the thread that started it ends, however it ends. SIGINT ends it,
/// too, also where a shell has put the tests into the background.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    let parent = getpid();
    // SAFETY: only bare system calls, which allocate nothing.
    unsafe {
        command.pre_exec(move || {
            signal(Signal::SIGINT, SigHandler::SigDfl)?;
            die_with(parent)
        })
    };
    command
}

/// In a child: it shall be killed when the thread that started it ends. Lost when it changes its
/// user, so after that.
pub fn die_with(parent: Pid) -> io::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    // It may have ended before.
    if getppid() == parent { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
}

impl Process {
    /// Starts it.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn start(name: &'static str, command: &mut Command) -> Self {
        let log = tempfile::tempfile().expect("a temporary file");
        let handle = || log.try_clone().expect("another handle of the log");
        command.stdout(handle()).stderr(handle());
        let child = command.spawn().unwrap_or_else(|error| panic!("start {command:?}: {error}"));
        Self { name, child: Mutex::new(child), log }
    }

    /// Polls until `ready` is.
    ///
    /// # Panics
    /// Where that does not come, with the last error and the log.
    pub fn wait_until(&self, ready: impl Fn() -> Result<(), String>) {
        self.wait_within(PATIENCE, ready);
    }

    /// The same with a limit of one's own.
    ///
    /// # Panics
    /// As [`Process::wait_until`].
    pub fn wait_within(&self, limit: Duration, ready: impl Fn() -> Result<(), String>) {
        let deadline = Instant::now() + limit;
        while let Err(error) = ready() {
            if let Some(status) = self.ended() {
                panic!("{} has ended, {status}:\n{}", self.name, self.log());
            }
            if Instant::now() > deadline {
                panic!("{} is not ready: {error}\n{}", self.name, self.log());
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends it as Ctrl-C does, and waits until it has ended.
    ///
    /// # Panics
    /// Where it does not.
    pub fn interrupt(&self) {
        let id = Pid::from_raw(self.id().try_into().expect("an id"));
        kill(id, Signal::SIGINT).expect("it is there");
        self.end_within(PATIENCE);
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// Where it does not within the limit, with its log.
    pub fn end_within(&self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(Instant::now() < deadline, "{} does not end:\n{}", self.name, self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().expect("not poisoned").try_wait().expect("the child can be waited for")
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.lock().expect("not poisoned").id()
    }

    /// All that it has written so far.
    pub fn log(&self) -> String {
        let length = self.log.metadata().expect("the log has a length").len();
        let mut log = vec![0; length as usize];
        self.log.read_exact_at(&mut log, 0).expect("the log can be read");
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
