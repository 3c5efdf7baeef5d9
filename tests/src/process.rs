//! Child processes that end with the thread that started them, however that ends. Their output goes
//! to a file without a name.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::{Pid, getpid, getppid};

use crate::poll::{PATIENCE, until_ok};

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
    #[expect(unsafe_code, reason = "code between fork and exec")]
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
    /// Where that does not come, with the last error.
    pub fn wait_until(&self, ready: impl Fn() -> Result<(), String>) {
        self.wait_within(PATIENCE, ready);
    }

    /// The same with a limit of one's own.
    ///
    /// # Panics
    /// As [`Process::wait_until`].
    pub fn wait_within(&self, limit: Duration, ready: impl Fn() -> Result<(), String>) {
        until_ok(limit, || {
            ready().map_err(|error| match self.ended() {
                Some(status) => panic!("{} has ended, {status}: {error}", self.name),
                None => format!("{} is not ready: {error}", self.name),
            })
        });
    }

    /// Waits for a line of its log that contains this.
    ///
    /// # Panics
    /// Where there comes none.
    pub fn line(&self, text: &str) -> String {
        until_ok(PATIENCE, || {
            let log = self.log();
            let line = log.lines().find(|line| line.contains(text)).map(str::to_owned);
            line.ok_or_else(|| format!("{}: no line with {text:?} in its log", self.name))
        })
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// Where it has been waited for already.
    pub fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.id().try_into().expect("an id"));
        kill(id, signal).expect("it is there");
    }

    /// Ends it as Ctrl-C does, and waits until it has ended.
    ///
    /// # Panics
    /// Where it does not.
    pub fn interrupt(&self) {
        self.signal(Signal::SIGINT);
        self.wait();
    }

    /// Waits until it has ended: its exit code, `None` after a signal.
    ///
    /// # Panics
    /// Where it does not end.
    pub fn wait(&self) -> Option<i32> {
        self.end_within(PATIENCE).code()
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// Where it does not within the limit.
    pub fn end_within(&self, limit: Duration) -> ExitStatus {
        until_ok(limit, || self.ended().ok_or_else(|| format!("{} does not end", self.name)))
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

/// What a program came to that has run to its end.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its exit code.
    pub exit: i32,
    /// What it has printed.
    pub stdout: String,
    /// What it has said besides.
    pub stderr: String,
}

/// Runs a program to its end, with this on its stdin.
///
/// # Panics
/// Where it cannot be started, ends by a signal, or prints what is no text.
pub fn run(command: &mut Command, input: impl AsRef<[u8]>) -> Run {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("start {command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    let output = thread::scope(|scope| {
        // It may end before it has read everything.
        let input = input.as_ref();
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().expect("it ends")
    });
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let stderr = text(output.stderr);
    let exit = output.status.code();
    let exit = exit.unwrap_or_else(|| panic!("{command:?}: {}, {stderr}", output.status));
    Run { exit, stdout: text(output.stdout), stderr }
}

impl Run {
    /// What it has printed.
    ///
    /// # Panics
    /// Where it has failed, with what it said.
    pub fn succeeded(self) -> String {
        assert_eq!(self.exit, 0, "{}", self.stderr);
        self.stdout
    }
}
