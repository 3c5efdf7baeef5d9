//! The app that is probed: nginx, which costs little beside Envoy.

use std::fs;
use std::net::SocketAddr;

use app_health_tests::app::V4;
use app_health_tests::kubelet::{DEFAULT_TIMEOUT, tcp};
use app_health_tests::net;
use app_health_tests::process::{self, Process};
use tempfile::TempDir;

/// Ends when it is dropped.
pub struct Nginx {
    /// Where it listens.
    pub addr: SocketAddr,
    _process: Process,
    _dir: TempDir,
}

impl Nginx {
    /// Starts it, and waits until it listens.
    ///
    /// # Panics
    /// Where Debian's nginx is missing.
    pub fn start() -> Self {
        let addr = SocketAddr::new(V4, net::free_port());
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("nginx.conf");
        let folder = dir.path().to_str().expect("a path in UTF-8");
        fs::write(&file, config(folder, addr)).expect("the file is written");
        let mut command = process::command("nginx");
        command.args(["-e", "stderr", "-c"]).arg(file);
        let process = Process::start("nginx", &mut command);
        process.wait_until(|| tcp(addr, DEFAULT_TIMEOUT).map_err(|error| error.to_string()));
        Self { addr, _process: process, _dir: dir }
    }
}

/// One process, so that nothing is left when it is killed. A short body, as of most health checks.
fn config(folder: &str, addr: SocketAddr) -> String {
    format!(
        r#"
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  access_log off;
  server {{
    listen {addr} backlog=1024;
    location / {{ return 200 "ok\n"; }}
  }}
}}
"#
    )
}
