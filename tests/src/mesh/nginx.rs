//! The app: Debian's nginx with its own page, on the port of the example manifests.

use std::fs::{self, Permissions};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;

use super::World;
use super::world::POD_V4;
use crate::kubelet::{DEFAULT_TIMEOUT, tcp};
use crate::process::Process;

/// Debian's www-data.
const USER: u32 = 33;
const FOLDER: &str = "/run/nginx";
/// nginx runs as one process, so that nothing is left when that is killed.
const CONFIG: &str = r#"
daemon off;
master_process off;
pid /run/nginx/pid;
error_log stderr;
events {}
http {
  client_body_temp_path /run/nginx/body;
  proxy_temp_path /run/nginx/proxy;
  fastcgi_temp_path /run/nginx/fastcgi;
  uwsgi_temp_path /run/nginx/uwsgi;
  scgi_temp_path /run/nginx/scgi;
  log_format seen "$remote_addr|$http_host|$http_x_custom_header|$http_user_agent|$request";
  access_log /run/nginx/access.log seen;
  server {
    listen 8080;
    listen [::]:8080;
    root /usr/share/nginx/html;
  }
}
"#;

/// The running app. Ends when it is dropped.
pub struct Nginx(Process);

/// What it logged of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Where the connection came from.
    pub peer: IpAddr,
    /// `Host`; `-` where there was none, as in the others.
    pub host: String,
    /// `X-Custom-Header`
    pub custom_header: String,
    /// `User-Agent`
    pub user_agent: String,
    /// The request line.
    pub request: String,
}

pub(super) fn volumes() -> io::Result<()> {
    fs::create_dir(FOLDER)?;
    fs::set_permissions(FOLDER, Permissions::from_mode(0o777))?;
    fs::write("/run/nginx/nginx.conf", CONFIG)
}

impl Nginx {
    /// Where it listens.
    pub const PORT: u16 = 8080;

    /// Starts it in the pod, and waits until it listens.
    ///
    /// # Panics
    /// Where Debian's nginx is missing.
    pub fn start(world: &World) -> Self {
        let mut command = world.pod.command("nginx", USER);
        command.args(["-e", "stderr", "-c", "/run/nginx/nginx.conf"]);
        let nginx = Process::start("nginx", &mut command);
        let listens = || tcp(SocketAddr::new(POD_V4, Self::PORT), DEFAULT_TIMEOUT);
        nginx.wait_until(|| world.pod.run(listens).map_err(|error| error.to_string()));
        Self(nginx)
    }

    /// Its access log so far.
    pub fn seen(&self) -> Vec<LogLine> {
        let file = format!("/proc/{}/root/run/nginx/access.log", self.0.id());
        let text = fs::read_to_string(file).expect("the access log");
        text.lines().map(line).collect()
    }
}

fn line(text: &str) -> LogLine {
    let mut parts = text.splitn(5, '|').map(str::to_owned);
    let mut next = || parts.next().expect("five parts");
    LogLine {
        peer: next().parse().expect("an address"),
        host: next(),
        custom_header: next(),
        user_agent: next(),
        request: next(),
    }
}
