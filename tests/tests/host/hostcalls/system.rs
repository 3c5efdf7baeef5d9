//! Log, time, metrics, and the part of WASI that Envoy offers a filter.

use wasmtime::{Caller, Linker};

use crate::host::ROOT;
use crate::host::abi::{Outcome, Status};
use crate::host::guest::{Guest, link_functions};
use crate::host::state::{Level, LogLine, Metric, State};

pub fn link_all(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_functions!(linker, "env":
        proxy_log(level, text_at, length),
        proxy_get_log_level(level_at),
        proxy_get_current_time_nanoseconds(time_at),
        proxy_set_effective_context(context),
        proxy_define_metric(kind, name_at, length, id_at),
    );
    link_functions!(linker, "wasi_snapshot_preview1":
        environ_sizes_get(count_at, size_at),
        environ_get(pointers_at, text_at),
        fd_write(file, parts_at, count, written_at),
    );
    linker.func_wrap(
        "env",
        "proxy_increment_metric",
        |mut caller: Caller<'_, State>, id: u32, by: i64| {
            change_metric(caller.data_mut(), id, |value| value.wrapping_add_signed(by))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_record_metric",
        |mut caller: Caller<'_, State>, id: u32, to: u64| {
            change_metric(caller.data_mut(), id, |_| to)
        },
    )?;
    Ok(())
}

fn proxy_log(guest: &mut Guest, level: u32, text_at: u32, length: u32) -> Outcome {
    use Level::*;
    let levels = [Trace, Debug, Info, Warn, Error, Critical];
    let level = *levels.get(level as usize).ok_or(Status::BadArgument)?;
    let text = guest.text(text_at, length)?;
    guest.state().log.push(LogLine { level, text });
    Ok(())
}

fn proxy_get_log_level(guest: &mut Guest, level_at: u32) -> Outcome {
    guest.write_u32(level_at, Level::Trace as u32)
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

fn proxy_define_metric(
    guest: &mut Guest,
    kind: u32,
    name_at: u32,
    length: u32,
    id_at: u32,
) -> Outcome {
    if kind > 2 {
        return Err(Status::BadArgument);
    }
    let name = guest.text(name_at, length)?;
    let metrics = &mut guest.state().metrics;
    // Envoy gives the same name the same metric.
    let known = metrics.iter().position(|metric| metric.name == name);
    let id = known.unwrap_or(metrics.len());
    if known.is_none() {
        metrics.push(Metric { name, value: 0 });
    }
    guest.write_u32(id_at, id as u32)
}

fn change_metric(state: &mut State, id: u32, change: impl FnOnce(u64) -> u64) -> u32 {
    match state.metrics.get_mut(id as usize) {
        Some(metric) => {
            metric.value = change(metric.value);
            0
        }
        None => Status::NotFound as u32,
    }
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

/// What Rust's standard library says of a panic.
fn fd_write(guest: &mut Guest, _file: u32, parts_at: u32, count: u32, written_at: u32) -> Outcome {
    let mut text = Vec::new();
    for part in guest.read(parts_at, count.saturating_mul(8))?.chunks_exact(8) {
        let word = |at: usize| u32::from_le_bytes(part[at..at + 4].try_into().expect("four bytes"));
        text.extend(guest.read(word(0), word(4))?);
    }
    guest.write_u32(written_at, text.len() as u32)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    guest.state().log.push(LogLine { level: Level::Critical, text });
    Ok(())
}
