//! The filter's memory, and how hostcalls are entered in the linker.

use wasmtime::{Caller, Extern, Memory, TypedFunc};

use super::abi::{HostcallResult, Pair, Status, decode_pairs};
use super::state::HostState;

/// What the VM may call while it allocates memory for a result.
const ALLOCATING: &[&str] = &["proxy_log", "fd_write", "clock_time_get"];
/// Envoy reads a larger map, or one of more pairs, as an empty one.
const MOST_PAIRS: usize = 1024;
const LARGEST_MAP: usize = 1 << 20;

/// The VM as a hostcall sees it.
pub struct Guest<'a>(pub Caller<'a, HostState>);

impl Guest<'_> {
    pub fn state(&mut self) -> &mut HostState {
        self.0.data_mut()
    }

    /// An error is a trap.
    pub fn permit(&mut self, function: &str) -> wasmtime::Result<()> {
        let permitted = self.state().permitted;
        wasmtime::ensure!(
            permitted.is_none_or(|names| names.contains(&function)),
            "Envoy does not permit {function} here, but {permitted:?}"
        );
        Ok(())
    }

    fn memory(&mut self) -> HostcallResult<Memory> {
        match self.0.get_export("memory") {
            Some(Extern::Memory(memory)) => Ok(memory),
            _ => Err(Status::InvalidMemoryAccess),
        }
    }

    pub fn read(&mut self, at: u32, length: u32) -> HostcallResult<Vec<u8>> {
        let end = (at as usize).checked_add(length as usize).ok_or(Status::InvalidMemoryAccess)?;
        let memory = self.memory()?;
        let bytes = memory.data(&self.0).get(at as usize..end);
        bytes.map(<[u8]>::to_vec).ok_or(Status::InvalidMemoryAccess)
    }

    pub fn read_u32(&mut self, at: u32) -> HostcallResult<u32> {
        let word = self.read(at, 4)?;
        Ok(u32::from_le_bytes(word.try_into().expect("four bytes")))
    }

    pub fn text(&mut self, at: u32, length: u32) -> HostcallResult<String> {
        Ok(String::from_utf8_lossy(&self.read(at, length)?).into_owned())
    }

    /// A header map.
    pub fn pairs(&mut self, at: u32, size: u32) -> HostcallResult<Vec<Pair>> {
        let bytes = self.read(at, size)?;
        let Some(pairs) = decode_pairs(&bytes) else {
            self.state().violation("a header map that is none");
            return Ok(Vec::new());
        };
        let fits = bytes.len() <= LARGEST_MAP && pairs.len() <= MOST_PAIRS;
        Ok(if fits { pairs } else { Vec::new() })
    }

    pub fn write(&mut self, at: u32, bytes: &[u8]) -> HostcallResult {
        let memory = self.memory()?;
        memory.write(&mut self.0, at as usize, bytes).map_err(|_| Status::InvalidMemoryAccess)
    }

    pub fn write_u32(&mut self, at: u32, value: u32) -> HostcallResult {
        self.write(at, &value.to_le_bytes())
    }

    /// Hands over bytes in memory that the filter allocates and then owns; none of it for no bytes.
    pub fn give(&mut self, bytes: &[u8], pointer_at: u32, length_at: u32) -> HostcallResult {
        let length = u32::try_from(bytes.len()).map_err(|_| Status::InvalidMemoryAccess)?;
        let pointer = if bytes.is_empty() { 0 } else { self.allocate(length)? };
        self.write(pointer, bytes)?;
        self.write_u32(pointer_at, pointer)?;
        self.write_u32(length_at, length)
    }

    fn allocate(&mut self, length: u32) -> HostcallResult<u32> {
        let names = ["malloc", "proxy_on_memory_allocate"];
        let export = names.iter().find_map(|name| self.0.get_export(name)?.into_func());
        let export = export.ok_or(Status::InvalidMemoryAccess)?;
        let allocate: TypedFunc<u32, u32> =
            export.typed(&self.0).map_err(|_| Status::InvalidMemoryAccess)?;
        let permitted = self.state().permitted.replace(ALLOCATING);
        let pointer = allocate.call(&mut self.0, length);
        self.state().permitted = permitted;
        pointer.ok().filter(|pointer| *pointer != 0).ok_or(Status::InvalidMemoryAccess)
    }
}

/// Enters functions of `u32`s in the linker: `module: name(arguments), …`.
macro_rules! link_functions {
    ($linker:ident, $module:literal: $($name:ident($($argument:ident),*),)*) => {
        $($linker.func_wrap(
            $module,
            stringify!($name),
            |caller: wasmtime::Caller<'_, $crate::host::state::HostState>, $($argument: u32),*| {
                let guest = &mut $crate::host::guest::Guest(caller);
                guest.permit(stringify!($name))?;
                let outcome = $name(guest, $($argument),*);
                wasmtime::Result::Ok(outcome.map_or_else(|status| status as u32, |()| 0))
            },
        )?;)*
    };
}
pub(super) use link_functions;
