//! The log, the time, and the effective context.

use wasmtime::Linker;

use crate::host::ROOT;
use crate::host::abi::{HostcallResult, Status};
use crate::host::guest::{Guest, Slice, link_functions};
use crate::host::state::{HostState, LogLevel, LogLine};

pub fn link_all(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    link_functions!(linker, "env":
        proxy_log(level, (text_at, length)),
        proxy_get_log_level(level_at),
        proxy_set_effective_context(context),
    );
    Ok(())
}

fn proxy_log(guest: &mut Guest, level: u32, text: Slice) -> HostcallResult {
    use LogLevel::*;
    let levels = [Trace, Debug, Info, Warn, Error, Critical];
    let level = *levels.get(level as usize).ok_or(Status::BadArgument)?;
    let text = guest.text(text)?;
    guest.state().log(LogLine { level, text });
    Ok(())
}

fn proxy_get_log_level(guest: &mut Guest, level_at: u32) -> HostcallResult {
    let level = guest.state().log_level;
    guest.write_u32(level_at, level as u32)
}

fn proxy_set_effective_context(guest: &mut Guest, context: u32) -> HostcallResult {
    let state = guest.state();
    let known = state.streams.get(&context).is_some_and(|stream| !stream.deleted);
    if !known && context != ROOT {
        return Err(Status::BadArgument);
    }
    state.current = context;
    Ok(())
}
