//! Network and mount namespaces without a name.

use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{Gid, Uid, chdir, getpid, setgid, setgroups, setuid};

use crate::process::{self, die_with};

/// A network of its own, and file systems of its own.
pub struct Namespace {
    net: File,
    mnt: File,
}

impl Namespace {
    /// Makes a namespace and runs `mounts` in it. What that mounts is seen nowhere else.
    ///
    /// # Panics
    /// Without CAP_SYS_ADMIN, which root has, but not in every container.
    pub fn new(mounts: impl FnOnce() -> io::Result<()> + Send) -> Self {
        let make = || {
            unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)?;
            mount(
                None::<&str>,
                "/",
                None::<&str>,
                MsFlags::MS_REC | MsFlags::MS_PRIVATE,
                None::<&str>,
            )?;
            mounts()?;
            let own = |kind: &str| File::open(format!("/proc/thread-self/ns/{kind}"));
            Ok(Self { net: own("net")?, mnt: own("mnt")? })
        };
        // Only the thread that calls unshare changes its namespaces.
        let made = thread::scope(|scope| scope.spawn(make).join().expect("no panic"));
        made.unwrap_or_else(|error: io::Error| match error.raw_os_error() {
            Some(errno) if errno == Errno::EPERM as i32 => {
                panic!(
                    "the mesh needs network and mount namespaces, and so CAP_SYS_ADMIN: run \
                     scripts/test as root (in a container: a privileged one)"
                )
            }
            _ => panic!("network namespaces: {error}"),
        })
    }

    /// Runs `work` in this network: sockets that it opens stay there.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let within = || {
            setns(&self.net, CloneFlags::CLONE_NEWNET).expect("the namespace can be entered");
            work()
        };
        thread::scope(|scope| scope.spawn(within).join())
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// A command that runs in here as this user and group, and is killed when the thread that
    /// started it ends.
    pub fn command(&self, program: impl AsRef<OsStr>, id: u32) -> Command {
        self.command_in(c"/", program, id)
    }

    /// The same in a folder of this namespace.
    pub fn command_in(
        &self,
        folder: &'static CStr,
        program: impl AsRef<OsStr>,
        id: u32,
    ) -> Command {
        let mut command = Command::new(program);
        let own = |file: &File| file.try_clone().expect("another handle");
        let (net, mnt) = (own(&self.net), own(&self.mnt));
        let (uid, gid, parent) = (Uid::from_raw(id), Gid::from_raw(id), getpid());
        let enter = move || {
            setns(&net, CloneFlags::CLONE_NEWNET)?;
            setns(&mnt, CloneFlags::CLONE_NEWNS)?;
            chdir(folder)?;
            setgroups(&[])?;
            setgid(gid)?;
            setuid(uid)?;
            die_with(parent)
        };
        #[expect(unsafe_code, reason = "code between fork and exec")]
        // SAFETY: only bare system calls, which allocate nothing.
        unsafe {
            command.pre_exec(enter)
        };
        command.stdin(Stdio::null());
        command
    }

    /// Runs a program in here as root, `input` on its stdin.
    ///
    /// # Panics
    /// Where it cannot be run, or fails.
    pub fn configure(&self, program: &str, arguments: &[&str], input: &str) {
        let run = process::run(self.command(program, 0).args(arguments), input);
        assert_eq!(run.exit, 0, "{program} {arguments:?}: {}\n{input}", run.stderr);
    }

    /// Where other processes find this network.
    pub(super) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.net.as_raw_fd())
    }
}

/// Mounts an empty file system in place of what is there.
pub fn empty(at: &str) -> io::Result<()> {
    Ok(mount(Some("tmpfs"), at, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?)
}

/// Mounts a file at a second place, where every user can reach it. Opened within the namespace, and
/// before something is mounted over where it is.
pub fn bind(file: &File, at: &str) -> io::Result<()> {
    File::create(at)?;
    let file = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(mount(Some(&file[..]), at, None::<&str>, MsFlags::MS_BIND, None::<&str>)?)
}
