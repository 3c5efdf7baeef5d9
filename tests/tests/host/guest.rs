//! The filter's memory, and the macro that links hostcalls.

use wasmtime::{Caller, Extern, Memory, TypedFunc};

use super::abi::{HeaderPair, HostcallResult, Status, decode_pairs};
use super::state::HostState;

/// The hostcalls that the VM may make while it allocates memory for a result.
const ALLOCATING: &[&str] = &["proxy_log", "fd_write", "clock_time_get"];
/// Envoy reads a header map of more pairs as an empty one.
const MOST_PAIRS: usize = 1024;
/// Envoy reads a header map of more bytes as an empty one.
const LARGEST_MAP: usize = 1 << 20;

/// Bytes in the filter's memory, which a hostcall takes as two arguments.
#[derive(Clone, Copy)]
pub struct Slice {
    pub at: u32,
    pub length: u32,
}

/// The VM as a hostcall sees it.
pub struct Guest<'a>(pub Caller<'a, HostState>);

impl Guest<'_> {
    pub fn state(&mut self) -> &mut HostState {
        self.0.data_mut()
    }

    /// Traps the VM where Envoy does not permit this hostcall.
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

    pub fn read(&mut self, slice: Slice) -> HostcallResult<Vec<u8>> {
        let start = slice.at as usize;
        let memory = self.memory()?;
        let bytes = memory.data(&self.0).get(start..start + slice.length as usize);
        bytes.map(<[u8]>::to_vec).ok_or(Status::InvalidMemoryAccess)
    }

    pub fn read_u32(&mut self, at: u32) -> HostcallResult<u32> {
        let word = self.read(Slice { at, length: 4 })?;
        Ok(u32::from_le_bytes(word.try_into().expect("four bytes")))
    }

    pub fn text(&mut self, slice: Slice) -> HostcallResult<String> {
        Ok(String::from_utf8_lossy(&self.read(slice)?).into_owned())
    }

    /// Reads a header map.
    pub fn pairs(&mut self, slice: Slice) -> HostcallResult<Vec<HeaderPair>> {
        let bytes = self.read(slice)?;
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

    /// Copies bytes into memory that the filter allocates and then owns, and writes down where. No bytes
    /// take no memory.
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

/// Links hostcalls whose arguments are all `u32`. `(at, length)` becomes a [`Slice`]:
/// `module: name(number, (at, length)), …`.
macro_rules! link_functions {
    ($linker:ident, $module:literal: $($name:ident(
        $($($number:ident)? $(($at:ident, $length:ident))?),*
    ),)*) => {
        $($linker.func_wrap(
            $module,
            stringify!($name),
            |caller: wasmtime::Caller<'_, $crate::host::state::HostState>,
             $($($number: u32,)? $($at: u32, $length: u32,)?)*| {
                let guest = &mut $crate::host::guest::Guest(caller);
                guest.permit(stringify!($name))?;
                let result = $name(
                    guest,
                    $($($number)? $($crate::host::guest::Slice { at: $at, length: $length })?),*
                );
                wasmtime::Result::Ok(result.map_or_else(|status| status as u32, |()| 0))
            },
        )?;)*
    };
}
pub(super) use link_functions;
