//! The filter's `.wasm`, compiled once a process.

use std::sync::OnceLock;

use wasmtime::{Config, Engine, Instance, Linker, Module, OptLevel, Store};

use super::hostcalls;
use super::state::State;

/// What one callback may execute. A callback that needs more would hold up all of Envoy's worker.
pub const FUEL: u64 = 2_000_000_000;

fn module() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| {
        let mut config = Config::new();
        config.consume_fuel(true).cranelift_opt_level(OptLevel::None);
        let engine = Engine::new(&config).expect("wasmtime's configuration");
        let file = app_health_tests::wasm::filter();
        Module::from_file(&engine, file)
            .unwrap_or_else(|error| panic!("{}: {error:?}", file.display()))
    })
}

/// A VM of its own.
///
/// # Panics
///
/// Where the filter imports what Envoy, as far as the emulator knows it, does not offer.
pub fn instantiate(state: State) -> (Store<State>, Instance) {
    let module = module();
    let mut linker = Linker::new(module.engine());
    hostcalls::link_all(&mut linker).expect("no function is linked twice");
    let mut store = Store::new(module.engine(), state);
    store.set_fuel(FUEL).expect("fuel is on");
    let missing: Vec<String> = module
        .imports()
        .filter(|import| linker.get_by_import(&mut store, import).is_none())
        .map(|import| format!("{}.{}", import.module(), import.name()))
        .collect();
    assert!(missing.is_empty(), "the filter imports what the emulator does not offer: {missing:?}");
    let instance = linker.instantiate(&mut store, module).expect("the module links");
    (store, instance)
}

/// What the filter exports, sorted.
pub fn exports() -> Vec<String> {
    let mut names: Vec<String> =
        module().exports().map(|export| export.name().to_owned()).collect();
    names.sort();
    names
}

/// What the filter imports, as `module.name`, sorted.
pub fn imports() -> Vec<String> {
    let name = |import: wasmtime::ImportType| format!("{}.{}", import.module(), import.name());
    let mut names: Vec<String> = module().imports().map(name).collect();
    names.sort();
    names
}
