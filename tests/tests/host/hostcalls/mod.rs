//! The hostcalls that a filter imports. Each returns the very status that Envoy returns, since the SDK
//! panics at one that it does not expect.
//!
//! They follow the sources of Envoy and of its proxy-wasm-cpp-host. Where those leave a doubt, a filter
//! that logs what it sees was run in Envoy 1.36 and 1.40.

mod callouts;
mod maps;
mod process;
mod stream;
pub mod stubs;
mod system;
mod wasi;

use wasmtime::{Linker, Module};

use super::state::HostState;

/// Links all that a module may import. A module that imports anything else cannot be instantiated.
pub fn link_all(linker: &mut Linker<HostState>, module: &Module) -> wasmtime::Result<()> {
    stubs::link_all(linker, module)?;
    wasi::link_all(linker)?;
    system::link_all(linker)?;
    maps::link_all(linker)?;
    process::link_all(linker)?;
    stream::link_all(linker)?;
    callouts::link_all(linker)
}
