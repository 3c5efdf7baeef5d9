//! What happens before the first probe.

use crate::host::{Host, Request, module, run::App};

/// Of WASI the filter calls the environment; the standard library's panic imports the rest.
#[test]
fn imports() {
    let imports = module::imports();
    let wasi: Vec<_> =
        imports.iter().filter_map(|name| name.strip_prefix("wasi_snapshot_preview1.")).collect();
    assert_eq!(wasi, ["environ_get", "environ_sizes_get", "fd_write", "proc_exit"]);
}

#[test]
fn smoke() {
    let mut host = Host::with_probers(r#"{"/app-health/a/readyz":{"httpGet":{"port":80}}}"#);
    let probe = host.run(Request::get("/app-health/a/readyz"), |_| App::answers(200));
    println!("{probe:#?} {}", host.log_text());
    assert_eq!(probe.status(), 200);
}
