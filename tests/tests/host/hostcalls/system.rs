//! Log, time, and the part of WASI that Envoy offers a filter.

use wasmtime::Linker;

use crate::host::ROOT;
use crate::host::abi::{Outcome, Status};
use crate::host::guest::{Guest, link_functions};
use crate::host::state::{Level, LogLine, State};

pub fn link_all(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_functions!(linker, "env":
        proxy_log(level, text_at, length),
        proxy_get_log_level(level_at),
        proxy_get_current_time_nanoseconds(time_at),
        proxy_set_effective_context(context),
    );
    link_functions!(linker, "wasi_snapshot_preview1":
        environ_sizes_get(count_at, size_at),
        environ_get(pointers_at, text_at),
    );
    Ok(())
}

fn proxy_log(guest: &mut Guest, level: u32, text_at: u32, length: u32) -> Outcome {
    use Level::*;
    let levels = [Trace, Debug, Info, Warn, Error, Critical];
    let level = *levels.get(level as usize).ok_or(Status::BadArgument)?;
    let text = guest.text(text_at, length)?;
    let state = guest.state();
    if level >= state.log_level {
        state.log.push(LogLine { level, text });
    }
    Ok(())
}

fn proxy_get_log_level(guest: &mut Guest, level_at: u32) -> Outcome {
    let level = guest.state().log_level;
    guest.write_u32(level_at, level as u32)
}

fn proxy_get_current_time_nanoseconds(guest: &mut Guest, time_at: u32) -> Outcome {
    let now = guest.state().now.as_nanos() as u64;
    guest.write(time_at, &now.to_le_bytes())
}

fn proxy_set_effective_context(guest: &mut Guest, context: u32) -> Outcome {
    let state = guest.state();
    let known = state.streams.get(&context).is_some_and(|stream| !stream.deleted);
    if !known && context != ROOT {
        return Err(Status::BadArgument);
    }
    state.current = context;
    Ok(())
}

fn environ_sizes_get(guest: &mut Guest, count_at: u32, size_at: u32) -> Outcome {
    let env = &guest.state().env;
    let size: usize = env.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let count = env.len() as u32;
    guest.write_u32(count_at, count)?;
    guest.write_u32(size_at, size as u32)
}

fn environ_get(guest: &mut Guest, mut pointers_at: u32, mut text_at: u32) -> Outcome {
    for (name, value) in guest.state().env.clone() {
        let line = [name.as_slice(), b"=", &value, b"\0"].concat();
        guest.write_u32(pointers_at, text_at)?;
        guest.write(text_at, &line)?;
        pointers_at += 4;
        text_at += line.len() as u32;
    }
    Ok(())
}
