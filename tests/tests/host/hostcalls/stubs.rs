//! Hostcalls that a module may import but not call: the SDK imports them, and the filter has no use for
//! them.

use wasmtime::{ExternType, Linker, Module};

use crate::host::state::HostState;

/// Envoy is told to refuse them (`contract::start`).
pub const STUBS: [&str; 12] = [
    "proxy_add_header_map_value",
    "proxy_dequeue_shared_queue",
    "proxy_done",
    "proxy_enqueue_shared_queue",
    "proxy_get_current_time_nanoseconds",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
    "proxy_grpc_send",
    "proxy_grpc_stream",
    "proxy_register_shared_queue",
    "proxy_resolve_shared_queue",
    "proxy_set_tick_period_milliseconds",
];

/// Links functions that trap the VM.
pub fn link_all(linker: &mut Linker<HostState>, module: &Module) -> wasmtime::Result<()> {
    for import in module.imports() {
        let name = import.name();
        let (true, ExternType::Func(kind)) = (STUBS.contains(&name), import.ty()) else {
            continue;
        };
        let message = format!("the emulator has no {name}");
        linker
            .func_new(import.module(), name, kind, move |_, _, _| wasmtime::bail!("{message}"))?;
    }
    Ok(())
}
