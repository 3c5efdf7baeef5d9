//! Compiles a `.wasm`, and starts a VM with it for each host.

use std::path::Path;
use std::sync::OnceLock;

use wasmtime::{Config, Engine, Instance, Linker, Module, OptLevel, Store};

use super::hostcalls;
use super::state::HostState;

/// The instructions that one callback may execute. One that needs more would hold up its worker of Envoy.
pub const FUEL: u64 = 2_000_000_000;

/// The functions that Envoy lets a module call in `_initialize`, as far as the emulator has them.
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

/// The filter's module, which each process compiles once.
pub fn filter() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| load(app_health_tests::wasm::filter()))
}

/// Compiles a module.
///
/// # Panics
///
/// The file is no module.
pub fn load(file: &Path) -> Module {
    let mut config = Config::new();
    config.consume_fuel(true).cranelift_opt_level(OptLevel::None);
    let engine = Engine::new(&config).expect("wasmtime's configuration");
    Module::from_file(&engine, file).unwrap_or_else(|error| panic!("{}: {error:?}", file.display()))
}

/// Makes a VM.
///
/// # Panics
///
/// The module imports a function that the emulator does not have.
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
    assert!(missing.is_empty(), "imports that the emulator does not have: {missing:?}");
    let instance = linker.instantiate(&mut store, module).expect("the module links");
    (store, instance)
}

/// The functions that the filter imports, as `module.name`, sorted.
pub fn imports() -> Vec<String> {
    let name = |import: wasmtime::ImportType| format!("{}.{}", import.module(), import.name());
    let mut names: Vec<String> = filter().imports().map(name).collect();
    names.sort();
    names
}
