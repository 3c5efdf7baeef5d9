//! A `.wasm`, and a VM of its own for each host.

use std::path::Path;
use std::sync::OnceLock;

use wasmtime::{Config, Engine, Instance, Linker, Module, OptLevel, Store};

use super::hostcalls;
use super::state::HostState;

/// What one callback may execute. A callback that needs more would hold up all of Envoy's worker.
pub const FUEL: u64 = 2_000_000_000;

/// What the VM may call in `_initialize`, of what the emulator has.
pub const STARTING: &[&str] = &[
    "proxy_log",
    "args_get",
    "args_sizes_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_write",
    "random_get",
];

/// The filter's, compiled once a process.
pub fn filter() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| load(app_health_tests::wasm::filter()))
}

/// Compiles one.
///
/// # Panics
///
/// Where it is none.
pub fn load(file: &Path) -> Module {
    let mut config = Config::new();
    config.consume_fuel(true).cranelift_opt_level(OptLevel::None);
    let engine = Engine::new(&config).expect("wasmtime's configuration");
    Module::from_file(&engine, file).unwrap_or_else(|error| panic!("{}: {error:?}", file.display()))
}

/// A VM of its own.
///
/// # Panics
///
/// Where the module imports what Envoy, as far as the emulator knows it, does not offer.
pub fn instantiate(module: &Module, state: HostState) -> (Store<HostState>, Instance) {
    let mut linker = Linker::new(module.engine());
    hostcalls::link_all(&mut linker, module).expect("no function is linked twice");
    let mut store = Store::new(module.engine(), state);
    store.set_fuel(FUEL).expect("fuel is on");
    let missing: Vec<String> = module
        .imports()
        .filter(|import| linker.get_by_import(&mut store, import).is_none())
        .map(|import| format!("{}.{}", import.module(), import.name()))
        .collect();
    assert!(missing.is_empty(), "imports that the emulator does not offer: {missing:?}");
    let instance = linker.instantiate(&mut store, module).expect("the module links");
    (store, instance)
}

/// What the filter imports, as `module.name`, sorted.
pub fn imports() -> Vec<String> {
    let name = |import: wasmtime::ImportType| format!("{}.{}", import.module(), import.name());
    let mut names: Vec<String> = filter().imports().map(name).collect();
    names.sort();
    names
}
