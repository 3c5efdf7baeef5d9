//! What a running program holds open.

use std::collections::HashMap;
use std::fs;

/// As `/proc/net/tcp` has it: the state of a listener.
const LISTENS: &str = "0A";

/// What a process holds open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenFiles {
    /// Connections between Envoy and the agent, which are kept for the next check.
    pub to_agent: usize,
    /// All other connections.
    pub connections: usize,
    /// All other descriptors.
    pub others: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Socket {
    ToAgent,
    NoConnection,
    Connection,
}

impl OpenFiles {
    /// By this process, beside an agent on this port.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn by(pid: u32, agent_port: u16) -> Self {
        let agent = format!(":{agent_port:04X}");
        let tables = [tcp(pid, "tcp", &agent), tcp(pid, "tcp6", &agent), local(pid)];
        let sockets: HashMap<_, _> = tables.into_iter().flatten().collect();
        let mut held = Self::default();
        for link in descriptors(pid) {
            let is_socket = link.starts_with("socket:");
            // One without an entry has just been closed by the other side.
            let of = |link| sockets.get(link).copied().unwrap_or(Socket::Connection);
            match if is_socket { of(&link) } else { Socket::NoConnection } {
                Socket::ToAgent => held.to_agent += 1,
                Socket::Connection => held.connections += 1,
                Socket::NoConnection => held.others += 1,
            }
        }
        held
    }
}

/// A link such as `socket:[4711]` each.
fn descriptors(pid: u32) -> Vec<String> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).expect("descriptors");
    // One that is closed meanwhile has no link any more.
    let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    links.map(|link| link.to_string_lossy().into_owned()).collect()
}

fn tcp(pid: u32, table: &str, agent: &str) -> Vec<(String, Socket)> {
    rows(pid, table, 9, |row| match (row[3], [row[1], row[2]]) {
        (LISTENS, _) => Socket::NoConnection,
        (_, ends) if ends.iter().any(|end| end.ends_with(agent)) => Socket::ToAgent,
        _ => Socket::Connection,
    })
}

fn local(pid: u32) -> Vec<(String, Socket)> {
    rows(pid, "unix", 6, |_| Socket::NoConnection)
}

/// A table of the process's network, by the link that its sockets have; the column is the inode's.
fn rows(
    pid: u32,
    table: &str,
    inode: usize,
    of: impl Fn(&[&str]) -> Socket,
) -> Vec<(String, Socket)> {
    let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).expect("sockets");
    let rows = text.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
    rows.map(|row| (format!("socket:[{}]", row[inode]), of(&row))).collect()
}
