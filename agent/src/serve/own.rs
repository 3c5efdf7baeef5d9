//! Which addresses are this pod's own.

use std::io;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

/// How long a list of addresses is believed.
const FRESH: Duration = Duration::from_secs(1);

/// How often it is read again, at most, for an address that is not in it. One that has just been
/// added is found at once, and a flood of foreign ones costs little.
const AGAIN: Duration = Duration::from_millis(100);

/// The addresses of this network namespace's interfaces, read when they are needed.
#[derive(Default)]
pub struct OwnAddresses {
    seen: Mutex<Option<Seen>>,
}

struct Seen {
    at: Instant,
    addresses: Vec<IpAddr>,
}

impl OwnAddresses {
    /// Whether `ip` is loopback or an interface's. `ip` is canonical (not IPv4 mapped into IPv6).
    ///
    /// # Errors
    /// The system does not list the interfaces.
    pub fn contains(&self, ip: IpAddr) -> io::Result<bool> {
        if ip.is_loopback() {
            return Ok(true);
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = &*seen {
            let found = seen.addresses.contains(&ip);
            if seen.at.elapsed() < if found { FRESH } else { AGAIN } {
                return Ok(found);
            }
        }
        let addresses = interface_addresses()?;
        let found = addresses.contains(&ip);
        *seen = Some(Seen { at: Instant::now(), addresses });
        Ok(found)
    }
}

fn interface_addresses() -> io::Result<Vec<IpAddr>> {
    Ok(getifaddrs()?.filter_map(|interface| ip_of(&interface.address?)).collect())
}

fn ip_of(address: &SockaddrStorage) -> Option<IpAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(v4.ip().into());
    }
    address.as_sockaddr_in6().map(|v6| v6.ip().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_interfaces_are_own() {
        let own = OwnAddresses::default();
        for (ip, expected) in [
            ("127.0.0.1", true),
            ("127.1.2.3", true),
            ("::1", true),
            ("0.0.0.0", false),
            ("::", false),
            ("255.255.255.255", false),
            ("198.51.100.7", false),
            ("2001:db8::7", false),
        ] {
            assert_eq!(own.contains(ip.parse().unwrap()).unwrap(), expected, "{ip}");
        }
        for ip in interface_addresses().unwrap() {
            assert!(own.contains(ip).unwrap(), "{ip}");
        }
    }

    #[test]
    fn a_list_is_believed_for_a_while_and_then_read_again() {
        let added: IpAddr = "198.51.100.7".parse().unwrap();
        let own = OwnAddresses::default();
        let remember = |age: Duration, addresses: &[IpAddr]| {
            let at = Instant::now().checked_sub(age).unwrap();
            *own.seen.lock().unwrap() = Some(Seen { at, addresses: addresses.to_vec() });
        };
        remember(FRESH / 2, &[added]);
        assert!(own.contains(added).unwrap(), "still believed");
        remember(FRESH, &[added]);
        assert!(!own.contains(added).unwrap(), "gone");
        let interface = interface_addresses().unwrap().into_iter().find(|ip| !ip.is_loopback());
        if let Some(interface) = interface {
            remember(AGAIN, &[]);
            assert!(own.contains(interface).unwrap(), "{interface} was added");
        }
    }
}
