//! What the standard library would bring: an allocator, and what happens in a panic. Its own cost
//! every Envoy of a fleet 30 KB of code to compile, most of it for messages of panics.

use core::arch::wasm32;
use core::panic::PanicInfo;

use crate::host::{self, LogLevel};

// For memcmp and its like, which the compiler calls.
#[link(name = "c")]
unsafe extern "C" {}

/// 5 KB less code than dlmalloc, and constant time.
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();

/// Says where, and ends the VM. What denies panics are the lints of this crate.
#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    host::log(LogLevel::Error, info.location().map_or("", |location| location.file()));
    wasm32::unreachable()
}
