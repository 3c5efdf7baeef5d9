//! The part of WASI that a module with Rust's standard library imports, as Envoy implements it.

use wasmtime::{Caller, Linker, Result};

use crate::host::abi::{HostcallResult, Status};
use crate::host::guest::{Guest, Slice, link_functions};
use crate::host::state::{HostState, LogLevel, LogLine};

const WASI: &str = "wasi_snapshot_preview1";

#[derive(Clone, Copy)]
enum Errno {
    BadDescriptor = 8,
    Fault = 21,
    NotSupported = 58,
}

type WasiResult = HostcallResult<(), Errno>;

impl From<Status> for Errno {
    fn from(_: Status) -> Errno {
        Errno::Fault
    }
}

pub fn link_all(linker: &mut Linker<HostState>) -> Result<()> {
    link_functions!(linker, "wasi_snapshot_preview1":
        args_get(_pointers_at, _text_at),
        args_sizes_get(count_at, size_at),
        environ_get(pointers_at, text_at),
        environ_sizes_get(count_at, size_at),
        fd_write(descriptor, pieces_at, pieces, written_at),
        random_get(bytes_at, length),
    );
    linker.func_wrap(WASI, "proc_exit", |_: u32| -> Result<()> {
        wasmtime::bail!(
            "proc_exit: Envoy returns from it, and the module has nothing to go on with"
        )
    })?;
    linker.func_wrap(WASI, "clock_time_get", clock_time_get)?;
    Ok(())
}

fn args_get(_: &mut Guest, _pointers_at: u32, _text_at: u32) -> WasiResult {
    Ok(())
}

fn args_sizes_get(guest: &mut Guest, count_at: u32, size_at: u32) -> WasiResult {
    guest.write_u32(count_at, 0)?;
    Ok(guest.write_u32(size_at, 0)?)
}

fn environ_sizes_get(guest: &mut Guest, count_at: u32, size_at: u32) -> WasiResult {
    let env = &guest.state().env;
    let size: usize = env.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let count = env.len() as u32;
    guest.write_u32(count_at, count)?;
    Ok(guest.write_u32(size_at, size as u32)?)
}

fn environ_get(guest: &mut Guest, mut pointers_at: u32, mut text_at: u32) -> WasiResult {
    for (name, value) in guest.state().env.clone() {
        let line = [name.as_slice(), b"=", &value, b"\0"].concat();
        guest.write_u32(pointers_at, text_at)?;
        guest.write(text_at, &line)?;
        pointers_at += 4;
        text_at += line.len() as u32;
    }
    Ok(())
}

/// Envoy logs what is written to stdout and stderr.
fn fd_write(
    guest: &mut Guest,
    descriptor: u32,
    pieces_at: u32,
    pieces: u32,
    written_at: u32,
) -> WasiResult {
    let level = match descriptor {
        1 => LogLevel::Info,
        2 => LogLevel::Error,
        _ => return Err(Errno::BadDescriptor),
    };
    let mut text = Vec::new();
    for n in 0..pieces {
        let at = guest.read_u32(pieces_at + n * 8)?;
        let length = guest.read_u32(pieces_at + n * 8 + 4)?;
        text.extend(guest.read(Slice { at, length })?);
    }
    guest.write_u32(written_at, text.len() as u32)?;
    let text = String::from_utf8_lossy(text.strip_suffix(b"\n").unwrap_or(&text)).into_owned();
    guest.state().log(LogLine { level, text });
    Ok(())
}

fn random_get(guest: &mut Guest, bytes_at: u32, length: u32) -> WasiResult {
    let bytes: Vec<u8> = (0..length).map(|_| fastrand::u8(..)).collect();
    Ok(guest.write(bytes_at, &bytes)?)
}

fn clock_time_get(
    caller: Caller<'_, HostState>,
    clock: u32,
    _precision: u64,
    time_at: u32,
) -> Result<u32> {
    let guest = &mut Guest(caller);
    guest.permit("clock_time_get")?;
    let time = match clock {
        0 => guest.state().wall_clock(),
        1 => guest.state().now.as_nanos() as u64,
        _ => return Ok(Errno::NotSupported as u32),
    };
    let written = guest.write(time_at, &time.to_le_bytes());
    Ok(written.map_or(Errno::Fault as u32, |()| 0))
}
