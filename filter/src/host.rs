//! The hostcalls that the crate proxy-wasm lacks, or makes in a way that may trap the VM.

#![expect(unsafe_code, reason = "hostcalls are; the rest of the filter makes none by itself")]

use std::time::Duration;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    // The crate takes every message for UTF-8, and panics when an app sends something else:
    // https://github.com/proxy-wasm/proxy-wasm-rust-sdk/issues/310
    fn proxy_get_status(code: *mut u32, data: *mut *mut u8, size: *mut usize) -> u32;
    // The crate's enum of levels lacks "off", which is a level that Envoy may have:
    // https://github.com/proxy-wasm/proxy-wasm-rust-sdk/issues/310
    fn proxy_get_log_level(level: *mut u32) -> u32;
}

// The crate leaves environment and monotonic clock to std, which has them on wasm32-wasip1 only, where
// they cost 15 KB: https://github.com/proxy-wasm/spec/issues/19
#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn environ_sizes_get(count: *mut usize, size: *mut usize) -> u16;
    fn environ_get(pointers: *mut *mut u8, buffer: *mut u8) -> u16;
    fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u16;
}

/// The message of the gRPC status that has just arrived, or nothing where it has none.
pub fn grpc_message() -> Vec<u8> {
    let (mut code, mut data, mut size) = (0, std::ptr::null_mut(), 0);
    // SAFETY: the host writes one word to each of the three.
    let status = unsafe { proxy_get_status(&mut code, &mut data, &mut size) };
    if status != 0 || data.is_null() {
        return Vec::new();
    }
    // SAFETY: the host got `data` from the allocation of `size` bytes that the crate exports, and
    // wrote all of them.
    unsafe { Vec::from_raw_parts(data, size, size) }
}

/// The lowest level that Envoy logs, from 0 (trace) to 6 (off). Where Envoy does not say, it is 0.
pub fn log_level() -> u32 {
    let mut level = 0;
    // SAFETY: the host writes one word to `level`.
    unsafe { proxy_get_log_level(&mut level) };
    level
}

/// The monotonic time, or 0 where the host has no such clock.
pub fn monotonic_time() -> Duration {
    const MONOTONIC: u32 = 1;
    let mut nanoseconds = 0;
    // SAFETY: the host writes 8 bytes to `nanoseconds`.
    unsafe { clock_time_get(MONOTONIC, 0, &mut nanoseconds) };
    Duration::from_nanos(nanoseconds)
}

/// The value of an environment variable of this VM.
pub fn environment(name: &str) -> Option<Vec<u8>> {
    let (mut count, mut size) = (0, 0);
    // SAFETY: the host writes one word to each of the two.
    if unsafe { environ_sizes_get(&mut count, &mut size) } != 0 {
        return None;
    }
    let mut pointers = vec![std::ptr::null_mut(); count];
    let mut buffer = vec![0; size];
    // SAFETY: the host writes `count` pointers and `size` bytes, the numbers that it has just given.
    if unsafe { environ_get(pointers.as_mut_ptr(), buffer.as_mut_ptr()) } != 0 {
        return None;
    }
    let mut variables = buffer.split(|byte| *byte == 0);
    variables
        .find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .map(<[u8]>::to_vec)
}
