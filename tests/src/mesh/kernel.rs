//! A kernel without IPv6, as a node that was booted with `ipv6.disable=1` has it.

#![expect(unsafe_code, reason = "code between fork and exec, and a call that nix lacks")]

use std::io;
use std::mem::offset_of;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::libc::{self, sock_filter, sock_fprog};

/// The program can open no IPv6 socket, and neither can what it starts. (A network in which IPv6 is
/// switched off still gives out sockets, and lets `::` be listened on.)
pub fn without_ipv6(command: &mut Command) {
    // SAFETY: only bare system calls, which allocate nothing.
    unsafe { command.pre_exec(refuse_ipv6_sockets) };
}

/// A seccomp filter lets `socket(AF_INET6, ...)` fail with `EAFNOSUPPORT` and allows everything else.
fn refuse_ipv6_sockets() -> io::Result<()> {
    let (number, family) =
        (offset_of!(libc::seccomp_data, nr), offset_of!(libc::seccomp_data, args));
    let mut filter = [
        load(number),
        unless_equal_skip(libc::SYS_socket as u32, 3),
        load(family),
        unless_equal_skip(libc::AF_INET6 as u32, 1),
        answer(libc::SECCOMP_RET_ERRNO | Errno::EAFNOSUPPORT as u32),
        answer(libc::SECCOMP_RET_ALLOW),
    ];
    let program = sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    nix::sys::prctl::set_no_new_privs()?;
    // SAFETY: the program is read before the call returns.
    let done =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    Ok(Errno::result(done).map(drop)?)
}

/// The low half of a field, on machines of this byte order.
fn load(at: usize) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, at as u32, 0)
}

fn unless_equal_skip(value: u32, instructions: u8) -> sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, instructions)
}

fn answer(action: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, action, 0)
}

fn instruction(code: u32, k: u32, jf: u8) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf, k }
}
