//! The filter's memory, and how hostcalls are entered in the linker.

use wasmtime::{Caller, Extern, Memory, TypedFunc};

use super::abi::{Outcome, Status};
use super::state::State;

/// The VM as a hostcall sees it.
pub struct Guest<'a>(pub Caller<'a, State>);

impl Guest<'_> {
    pub fn state(&mut self) -> &mut State {
        self.0.data_mut()
    }

    fn memory(&mut self) -> Outcome<Memory> {
        match self.0.get_export("memory") {
            Some(Extern::Memory(memory)) => Ok(memory),
            _ => Err(Status::InvalidMemoryAccess),
        }
    }

    pub fn read(&mut self, at: u32, length: u32) -> Outcome<Vec<u8>> {
        let end = (at as usize).checked_add(length as usize).ok_or(Status::InvalidMemoryAccess)?;
        let memory = self.memory()?;
        let bytes = memory.data(&self.0).get(at as usize..end);
        bytes.map(<[u8]>::to_vec).ok_or(Status::InvalidMemoryAccess)
    }

    pub fn text(&mut self, at: u32, length: u32) -> Outcome<String> {
        Ok(String::from_utf8_lossy(&self.read(at, length)?).into_owned())
    }

    pub fn write(&mut self, at: u32, bytes: &[u8]) -> Outcome {
        let memory = self.memory()?;
        memory.write(&mut self.0, at as usize, bytes).map_err(|_| Status::InvalidMemoryAccess)
    }

    pub fn write_u32(&mut self, at: u32, value: u32) -> Outcome {
        self.write(at, &value.to_le_bytes())
    }

    /// Hands over bytes in memory that the filter allocates and then owns; none of it for no bytes.
    pub fn give(&mut self, bytes: &[u8], pointer_at: u32, length_at: u32) -> Outcome {
        let length = u32::try_from(bytes.len()).map_err(|_| Status::InvalidMemoryAccess)?;
        let pointer = if bytes.is_empty() { 0 } else { self.allocate(length)? };
        self.write(pointer, bytes)?;
        self.write_u32(pointer_at, pointer)?;
        self.write_u32(length_at, length)
    }

    fn allocate(&mut self, length: u32) -> Outcome<u32> {
        let export = self.0.get_export("proxy_on_memory_allocate").and_then(Extern::into_func);
        let export = export.ok_or(Status::InvalidMemoryAccess)?;
        let allocate: TypedFunc<u32, u32> =
            export.typed(&self.0).map_err(|_| Status::InvalidMemoryAccess)?;
        let pointer = allocate.call(&mut self.0, length);
        pointer.ok().filter(|pointer| *pointer != 0).ok_or(Status::InvalidMemoryAccess)
    }
}

/// Enters functions of `u32`s in the linker: `module: name(arguments), …`.
macro_rules! link_functions {
    ($linker:ident, $module:literal: $($name:ident($($argument:ident),*),)*) => {
        $($linker.func_wrap(
            $module,
            stringify!($name),
            |caller: wasmtime::Caller<'_, $crate::host::state::State>, $($argument: u32),*| -> u32 {
                let outcome = $name(&mut $crate::host::guest::Guest(caller), $($argument),*);
                outcome.map_or_else(|status| status as u32, |()| 0)
            },
        )?;)*
    };
}
pub(super) use link_functions;
