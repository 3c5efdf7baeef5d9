//! The functions that a filter imports, with the very status that Envoy answers: the SDK takes one
//! that it does not expect for a reason to panic.
//!
//! By the sources of Envoy and of its proxy-wasm-cpp-host; measured where it is not obvious, on Envoy
//! 1.36 and 1.40 with a filter that logs what it sees.

mod callouts;
mod maps;
mod stream;
mod stubs;
mod system;
mod wasi;

use wasmtime::{Linker, Module};

use super::state::HostState;

/// Everything that a module may import; anything else does not link.
pub fn link_all(linker: &mut Linker<HostState>, module: &Module) -> wasmtime::Result<()> {
    stubs::link_all(linker, module)?;
    wasi::link_all(linker)?;
    system::link_all(linker)?;
    maps::link_all(linker)?;
    stream::link_all(linker)?;
    callouts::link_all(linker)
}
