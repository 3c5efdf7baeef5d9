//! The interception, as Istio sets it up in a pod.

use super::Namespace;

/// The user and group that the sidecar runs as.
pub(super) const SIDECAR: u32 = 1337;

/// For `iptables-restore` and `ip6tables-restore`. `{localhost}` and `{bind}` are 127.0.0.1 and
/// 127.0.0.6, or ::1 and ::6.
const RULES: &str = "\
*nat
:ISTIO_INBOUND - [0:0]
:ISTIO_IN_REDIRECT - [0:0]
:ISTIO_OUTPUT - [0:0]
:ISTIO_REDIRECT - [0:0]
# To the sidecar: for what comes in, and for what the pod sends. The kernel keeps where a connection
# was going to, and the sidecar asks for that (SO_ORIGINAL_DST).
-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006
-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001
# What comes in from outside of the pod.
-A PREROUTING -p tcp -j ISTIO_INBOUND
# The ports that the sidecar itself answers on: tunnels, metrics, its own health, the status port; and
# those of the pod's annotation.
{excluded}
# Everything else, whether somebody listens on it or not: hence TCP probes that always pass.
-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT
# What the pod itself sends.
-A OUTPUT -p tcp -j ISTIO_OUTPUT
# From the sidecar to the app, after it has been intercepted once; and probes, on their way.
-A ISTIO_OUTPUT -o lo -s {bind} -j RETURN
# The sidecar calls the pod's own address: that is as if it came from outside. But for tunnels, which
# the sidecar ends itself.
-A ISTIO_OUTPUT -o lo ! -d {localhost} -p tcp ! --dport 15008 -m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT
# The app calls itself, or the sidecar.
-A ISTIO_OUTPUT -o lo -m owner ! --uid-owner 1337 -j RETURN
# The sidecar calls out: else it would intercept itself.
-A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN
# The same three by group: istio-proxy may have another user.
-A ISTIO_OUTPUT -o lo ! -d {localhost} -p tcp ! --dport 15008 -m owner --gid-owner 1337 -j ISTIO_IN_REDIRECT
-A ISTIO_OUTPUT -o lo -m owner ! --gid-owner 1337 -j RETURN
-A ISTIO_OUTPUT -m owner --gid-owner 1337 -j RETURN
# Whatever else stays within the pod.
-A ISTIO_OUTPUT -d {localhost} -j RETURN
# The app calls out.
-A ISTIO_OUTPUT -j ISTIO_REDIRECT
COMMIT
";

/// Intercepts the traffic of a pod but for that to its `excluded` ports.
pub(super) fn intercept(pod: &Namespace, excluded: &[u16]) {
    for (program, localhost, bind) in [
        ("iptables-restore", "127.0.0.1/32", "127.0.0.6/32"),
        ("ip6tables-restore", "::1/128", "::6/128"),
    ] {
        let each = |port| format!("-A ISTIO_INBOUND -p tcp --dport {port} -j RETURN");
        let excluded = excluded.iter().map(each).collect::<Vec<_>>().join("\n");
        let rules = RULES.replace("{excluded}", &excluded);
        let rules = rules.replace("{localhost}", localhost).replace("{bind}", bind);
        pod.configure(program, &[], &rules);
    }
}
