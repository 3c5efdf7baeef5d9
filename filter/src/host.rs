//! Every call to Envoy, and nothing else.
//!
//! What Envoy refuses is `None` or `false`: nothing here panics.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use crate::pairs::{self, Pairs};

const OK: u32 = 0;

// Those values of the ABI's enumerations that are used.

#[repr(u32)]
pub enum LogLevel {
    Trace = 0,
    Debug = 1,
    Info = 2,
    Warn = 3,
    Error = 4,
}

#[repr(u32)]
pub enum BufferType {
    HttpResponseBody = 1,
    HttpCallResponseBody = 4,
    GrpcReceiveBuffer = 5,
    PluginConfiguration = 7,
}

#[repr(u32)]
#[expect(clippy::enum_variant_names, reason = "the ABI's names")]
pub enum MapType {
    HttpRequestHeaders = 0,
    HttpResponseHeaders = 2,
    HttpCallResponseHeaders = 6,
}

#[repr(u32)]
pub enum StreamType {
    HttpRequest = 0,
    HttpResponse = 1,
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: LogLevel, message: *const u8, message_size: usize) -> u32;
    fn proxy_get_log_level(level: *mut u32) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_buffer_bytes(
        kind: BufferType,
        start: usize,
        max_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(
        kind: BufferType,
        start: usize,
        size: usize,
        data: *const u8,
        data_size: usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(kind: MapType, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_header_map_pairs(kind: MapType, data: *const u8, size: usize) -> u32;
    fn proxy_get_header_map_value(
        kind: MapType,
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        kind: MapType,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(kind: MapType, key: *const u8, key_size: usize) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_close_stream(kind: StreamType) -> u32;
    fn proxy_continue_stream(kind: StreamType) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_http_call(
        upstream: *const u8,
        upstream_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout_ms: u32,
        token: *mut u32,
    ) -> u32;
    fn proxy_grpc_call(
        upstream: *const u8,
        upstream_size: usize,
        service: *const u8,
        service_size: usize,
        method: *const u8,
        method_size: usize,
        metadata: *const u8,
        metadata_size: usize,
        message: *const u8,
        message_size: usize,
        timeout_ms: u32,
        token: *mut u32,
    ) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_get_status(code: *mut u32, data: *mut *mut u8, size: *mut usize) -> u32;
}

// WASI by itself: core::env would add 0.05 of an empty filter's memory to every Envoy.
#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn environ_sizes_get(count: *mut usize, size: *mut usize) -> u16;
    fn environ_get(pointers: *mut *mut u8, buffer: *mut u8) -> u16;
}

/// Takes what a call returned: memory that it had from `callbacks::proxy_on_memory_allocate`.
fn take(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Option<Vec<u8>> {
    let mut data = core::ptr::null_mut();
    let mut size = 0;
    if call(&mut data, &mut size) != OK {
        return None;
    }
    if data.is_null() {
        return Some(Vec::new());
    }
    // SAFETY: the host got `data` from `proxy_on_memory_allocate(size)`, which allocated exactly
    // `size` bytes with the global allocator, and wrote all of them.
    Some(unsafe { Vec::from_raw_parts(data, size, size) })
}

/// One line in Envoy's log.
pub fn log(level: LogLevel, message: &str) {
    // SAFETY: the host reads `message` during the call only.
    unsafe { proxy_log(level, message.as_ptr(), message.len()) };
}

/// The lowest level that Envoy logs; all, where it does not say.
pub fn log_level() -> u32 {
    let mut level = LogLevel::Trace as u32;
    // SAFETY: the host writes one word to `level`.
    unsafe { proxy_get_log_level(&mut level) };
    level
}

/// Nanoseconds since the epoch, or 0 where the host has no clock.
pub fn now() -> u64 {
    let mut time = 0;
    // SAFETY: the host writes 8 bytes to `time`.
    unsafe { proxy_get_current_time_nanoseconds(&mut time) };
    time
}

/// The value of an environment variable of this VM.
pub fn environment(name: &str) -> Option<Vec<u8>> {
    let (mut count, mut size) = (0, 0);
    // SAFETY: the host writes one word to each.
    if unsafe { environ_sizes_get(&mut count, &mut size) } != 0 {
        return None;
    }
    let mut pointers = vec![core::ptr::null_mut(); count];
    let mut buffer = vec![0; size];
    // SAFETY: the host writes `count` pointers and `size` bytes, as it has just said.
    if unsafe { environ_get(pointers.as_mut_ptr(), buffer.as_mut_ptr()) } != 0 {
        return None;
    }
    let mut variables = buffer.split(|byte| *byte == 0);
    variables
        .find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .map(<[u8]>::to_vec)
}

/// Up to `max_size` bytes of a buffer.
pub fn buffer(kind: BufferType, max_size: usize) -> Option<Vec<u8>> {
    // SAFETY: see `take`.
    take(|data, size| unsafe { proxy_get_buffer_bytes(kind, 0, max_size, data, size) })
}

/// Drops the `size` bytes of the response body that have come.
pub fn drop_response_body(size: usize) {
    // SAFETY: no bytes are read, since the new content is empty.
    unsafe { proxy_set_buffer_bytes(BufferType::HttpResponseBody, 0, size, core::ptr::null(), 0) };
}

/// All headers of a map.
pub fn headers(kind: MapType) -> Option<Pairs> {
    // SAFETY: see `take`.
    take(|data, size| unsafe { proxy_get_header_map_pairs(kind, data, size) }).map(Pairs::new)
}

/// Replaces all headers of a map.
pub fn set_headers(kind: MapType, headers: &[(&[u8], &[u8])]) -> bool {
    let bytes = pairs::serialize(headers);
    // SAFETY: the host reads `bytes` during the call only.
    unsafe { proxy_set_header_map_pairs(kind, bytes.as_ptr(), bytes.len()) == OK }
}

/// The (first) value of one header; `None` where it is absent.
pub fn header(kind: MapType, name: &str) -> Option<Vec<u8>> {
    // SAFETY: see `take`; the host reads `name` during the call only.
    take(|data, size| unsafe {
        proxy_get_header_map_value(kind, name.as_ptr(), name.len(), data, size)
    })
}

/// Sets one header, in the place of all that have its name.
pub fn set_header(kind: MapType, name: &[u8], value: &[u8]) -> bool {
    // SAFETY: the host reads both during the call only.
    let status = unsafe {
        proxy_replace_header_map_value(kind, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    };
    status == OK
}

/// Removes all headers of that name.
pub fn remove_header(kind: MapType, name: &[u8]) -> bool {
    // SAFETY: the host reads `name` during the call only.
    unsafe { proxy_remove_header_map_value(kind, name.as_ptr(), name.len()) == OK }
}

/// A property; the parts of its path are separated by NUL.
pub fn property(path: &str) -> Option<Vec<u8>> {
    // SAFETY: see `take`; the host reads `path` during the call only.
    take(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

/// Sets a property, which becomes the filter state `wasm.<path>`.
pub fn set_property(path: &str, value: &str) -> bool {
    // SAFETY: the host reads both during the call only.
    unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) == OK }
}

/// Calls a function that Envoy has beyond the ABI; its result is dropped.
pub fn call_foreign_function(name: &str, arguments: &[u8]) -> bool {
    // SAFETY: see `take`; the host reads name and arguments during the call only.
    take(|data, size| unsafe {
        proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            arguments.as_ptr(),
            arguments.len(),
            data,
            size,
        )
    })
    .is_some()
}

/// Answers the request; takes effect after the callback.
pub fn reply(status: u16, headers: &[(&[u8], &[u8])], body: &str) {
    const DETAILS: &str = "app_health";
    const NO_GRPC_STATUS: i32 = -1;
    let headers = pairs::serialize(headers);
    // SAFETY: the host reads all of them during the call only.
    unsafe {
        proxy_send_local_response(
            u32::from(status),
            DETAILS.as_ptr(),
            DETAILS.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            NO_GRPC_STATUS,
        )
    };
}

/// Closes the client's connection without an answer; takes effect after the callback.
pub fn close(kind: StreamType) {
    // SAFETY: takes no memory.
    unsafe { proxy_close_stream(kind) };
}

/// Lets a request that waits go on to the next filter.
pub fn resume(kind: StreamType) {
    // SAFETY: takes no memory.
    unsafe { proxy_continue_stream(kind) };
}

/// The message of the gRPC status that has just come. The code is stale when it is 0.
pub fn grpc_message() -> Vec<u8> {
    let mut code = 0;
    // SAFETY: see `take`; the host writes one word to `code`.
    take(|data, size| unsafe { proxy_get_status(&mut code, data, size) }).unwrap_or_default()
}

/// What follows concerns this request, not the context that Envoy called.
pub fn act_as(context: u32) {
    // SAFETY: takes no memory.
    unsafe { proxy_set_effective_context(context) };
}

/// Sends a request of the filter's own. The token will name it; `None`: it could not be sent, and
/// no callback follows.
pub fn dispatch_http(cluster: &str, headers: &[(&[u8], &[u8])], timeout: Duration) -> Option<u32> {
    let headers = pairs::serialize(headers);
    let trailers = pairs::serialize(&[]);
    let mut token = 0;
    // SAFETY: the host reads all of them during the call only, and writes one word to `token`.
    let status = unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            core::ptr::null(),
            0,
            trailers.as_ptr(),
            trailers.len(),
            milliseconds(timeout),
            &mut token,
        )
    };
    (status == OK).then_some(token)
}

/// The same for a gRPC request.
pub fn dispatch_grpc(
    upstream: &[u8],
    (service, method): (&str, &str),
    metadata: &[(&[u8], &[u8])],
    message: &[u8],
    timeout: Duration,
) -> Option<u32> {
    let metadata = pairs::serialize(metadata);
    let mut token = 0;
    // SAFETY: the host reads all of them during the call only, and writes one word to `token`.
    let status = unsafe {
        proxy_grpc_call(
            upstream.as_ptr(),
            upstream.len(),
            service.as_ptr(),
            service.len(),
            method.as_ptr(),
            method.len(),
            metadata.as_ptr(),
            metadata.len(),
            message.as_ptr(),
            message.len(),
            milliseconds(timeout),
            &mut token,
        )
    };
    (status == OK).then_some(token)
}

/// As many as fit: Envoy reads a signed number.
fn milliseconds(timeout: Duration) -> u32 {
    timeout.as_millis().min(i32::MAX as u128) as u32
}
