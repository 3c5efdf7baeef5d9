//! Whether the app may be asked: only where the page is this pod's own. Through a forwarded port comes the
//! page of another pod, which can name this machine's addresses, with any port, path and headers.

use std::env;
use std::net::IpAddr;

use hyper::Uri;

/// Set in each container by the kubelet, and so what tells a pod from other machines.
const IN_A_POD: &str = "KUBERNETES_SERVICE_HOST";

/// What is known of the page.
#[derive(Clone, Copy)]
pub struct Here {
    /// By its user, as this machine's own.
    pub local: bool,
    in_a_pod: bool,
    on_loopback: bool,
}

impl Here {
    pub fn of(page: &Uri, local: bool) -> Self {
        let host = super::conclusion::host(page);
        let is_loopback = |ip: IpAddr| ip.is_loopback();
        Self {
            local,
            in_a_pod: env::var_os(IN_A_POD).is_some(),
            on_loopback: host == "localhost" || host.parse().is_ok_and(is_loopback),
        }
    }

    /// Whether the app at this address of the page's is this pod's; `own` are the machine's addresses.
    ///
    /// # Errors
    /// That is not known, and what to do.
    pub fn check(self, address: IpAddr, own: bool) -> Result<(), String> {
        const IN_THE_POD: &str = "ask in the pod, by kubectl exec POD -c app-health-agent";
        if !own {
            return Err(format!("{address} is no address of this machine: {IN_THE_POD}"));
        }
        if self.local {
            return Ok(());
        }
        if !self.in_a_pod {
            return Err(format!(
                "this machine is no pod ({IN_A_POD} is not set): {IN_THE_POD}, or with --local where \
                 Envoy is this machine's own"
            ));
        }
        if !self.on_loopback {
            return Err(format!("the page is not on loopback: {IN_THE_POD}"));
        }
        if address.is_loopback() {
            return Err(format!(
                "{address} is loopback, which every pod has: set POD_IP for Envoy, or ask with --local \
                 in the pod"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_to_be_this_pods_own() {
        for (local, in_a_pod, page, address, own, why) in [
            (false, true, "127.0.0.1:15020", "10.0.0.7", true, ""),
            (false, true, "127.1.2.3:15020", "10.0.0.7", true, ""),
            (false, true, "[::1]:15020", "fd00::7", true, ""),
            (false, true, "localhost:15020", "10.0.0.7", true, ""),
            (false, true, "10.0.0.7:15020", "10.0.0.7", true, "the page is not on loopback"),
            (false, true, "example.com:15020", "10.0.0.7", true, "the page is not on loopback"),
            (false, true, "127.0.0.1:15020", "127.0.0.1", true, "127.0.0.1 is loopback"),
            (false, true, "127.0.0.1:15020", "127.9.9.9", true, "127.9.9.9 is loopback"),
            (false, true, "127.0.0.1:15020", "::1", true, "::1 is loopback"),
            (false, true, "127.0.0.1:15020", "10.0.0.8", false, "10.0.0.8 is no address"),
            (false, false, "127.0.0.1:15020", "10.0.0.7", true, "this machine is no pod"),
            (false, false, "127.0.0.1:15020", "127.0.0.1", true, "this machine is no pod"),
            (true, false, "127.0.0.1:15020", "127.0.0.1", true, ""),
            (true, false, "127.0.0.1:15020", "10.0.0.7", true, ""),
            (true, false, "127.0.0.1:15020", "10.0.0.8", false, "10.0.0.8 is no address"),
        ] {
            let page: Uri = format!("http://{page}/app-health/").parse().unwrap();
            let here = Here { in_a_pod, ..Here::of(&page, local) };
            let came = here.check(address.parse().unwrap(), own).err().unwrap_or_default();
            assert_eq!(came.is_empty(), why.is_empty(), "{page} {address}: {came}");
            assert!(came.starts_with(why), "{page} {address}: {came}");
        }
    }
}
