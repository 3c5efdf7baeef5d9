//! The ports that the manifest names, and the status port.

use std::net::{Ipv6Addr, TcpListener};

use app_health_tests::net;

pub struct Ports {
    pub web: u16,
    pub api: u16,
    pub cache: u16,
    pub status: u16,
}

impl Ports {
    /// The usual ones, or others where these are taken on this machine.
    pub fn choose() -> Self {
        Self { web: free(8080), api: free(9090), cache: free(2940), status: free(15020) }
    }
}

fn free(usual: u16) -> u16 {
    // Port by port, on both IP families.
    if TcpListener::bind((Ipv6Addr::UNSPECIFIED, usual)).is_ok() {
        return usual;
    }
    let instead = net::free_port();
    println!("Port {usual} is taken here, {instead} serves instead.");
    instead
}
