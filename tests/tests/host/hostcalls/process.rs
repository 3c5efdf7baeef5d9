//! Metrics and shared data.

use wasmtime::{Caller, Linker, Result};

use crate::host::abi::{HostcallResult, Status};
use crate::host::guest::{Guest, Slice, link_functions};
use crate::host::state::HostState;

pub fn link_all(linker: &mut Linker<HostState>) -> Result<()> {
    link_functions!(linker, "env":
        proxy_define_metric(kind, (name_at, name_length), metric_at),
        proxy_get_metric(metric, value_at),
        proxy_get_shared_data((key_at, key_length), value_at, size_at, version_at),
        proxy_set_shared_data((key_at, key_length), (value_at, value_length), version),
    );
    // Their last argument has 64 bits.
    linker.func_wrap("env", "proxy_record_metric", proxy_record_metric)?;
    linker.func_wrap("env", "proxy_increment_metric", proxy_increment_metric)?;
    Ok(())
}

fn proxy_define_metric(
    guest: &mut Guest,
    kind: u32,
    name: Slice,
    metric_at: u32,
) -> HostcallResult {
    // The third kind are histograms, which the filter has none of.
    let is_counter = match kind {
        0 => true,
        1 => false,
        _ => return Err(Status::BadArgument),
    };
    let name = guest.text(name)?;
    let metric = guest.state().process.lock().define(name, is_counter);
    guest.write_u32(metric_at, metric)
}

fn proxy_get_metric(guest: &mut Guest, metric: u32, value_at: u32) -> HostcallResult {
    let value = guest.state().process.lock().metric(metric).map(|metric| metric.value);
    guest.write(value_at, &value.ok_or(Status::NotFound)?.to_le_bytes())
}

/// Only a gauge can be set.
fn proxy_record_metric(caller: Caller<'_, HostState>, metric: u32, value: u64) -> Result<u32> {
    change(caller, metric, |metric| {
        metric.value = if metric.is_counter { return Err(Status::BadArgument) } else { value };
        Ok(())
    })
}

/// A counter takes no negative offset.
fn proxy_increment_metric(caller: Caller<'_, HostState>, metric: u32, offset: i64) -> Result<u32> {
    change(caller, metric, |metric| {
        if metric.is_counter && offset < 0 {
            return Err(Status::BadArgument);
        }
        metric.value = metric.value.saturating_add_signed(offset);
        Ok(())
    })
}

fn change(
    caller: Caller<'_, HostState>,
    number: u32,
    change: impl FnOnce(&mut crate::host::process::Metric) -> HostcallResult,
) -> Result<u32> {
    let guest = &mut Guest(caller);
    guest.permit("a change of a metric")?;
    let result = match guest.state().process.lock().metric(number) {
        Some(metric) => change(metric),
        None => Err(Status::NotFound),
    };
    Ok(result.map_or_else(|status| status as u32, |()| 0))
}

fn proxy_get_shared_data(
    guest: &mut Guest,
    key: Slice,
    value_at: u32,
    size_at: u32,
    version_at: u32,
) -> HostcallResult {
    let key = guest.text(key)?;
    let found = guest.state().process.lock().shared.get(&key).cloned();
    let (value, version) = found.ok_or(Status::NotFound)?;
    guest.give(&value, value_at, size_at)?;
    guest.write_u32(version_at, version)
}

/// A version of 0 is none. The first value of a key takes any.
fn proxy_set_shared_data(
    guest: &mut Guest,
    key: Slice,
    value: Slice,
    version: u32,
) -> HostcallResult {
    let (key, value) = (guest.text(key)?, guest.read(value)?);
    let mut process = guest.state().process.lock();
    if process.shared.get(&key).is_some_and(|(_, last)| version != 0 && version != *last) {
        return Err(Status::CasMismatch);
    }
    let version = process.next_version();
    process.shared.insert(key, (value, version));
    Ok(())
}
