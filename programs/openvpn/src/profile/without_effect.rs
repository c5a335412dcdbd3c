//! Options of OpenVPN that are not implemented, and what happens to a profile with them.

use crate::Role;

/// Ignored silently: the result is the same without them.
const SILENT: &[&str] = &[
    "client",
    "dev-type",
    "float",
    "key-method",
    "mlock",
    "mute-replay-warnings",
    "nobind",
    "persist-key",
    "pull",
    "tls-client",
    "tls-server",
];

/// Ignored with a warning: the author expects an effect.
const WARNED: &[&str] = &[
    "allow-compression",
    "allow-pull-fqdn",
    "allow-recursive-routing",
    "auth-nocache",
    "bind",
    "block-ipv6",
    "block-outside-dns",
    "client-nat",
    "connect-freq",
    "connect-freq-initial",
    "dev-node",
    "dh",
    "dhcp-release",
    "dhcp-renew",
    "disable-dco",
    "down",
    "down-pre",
    "ecdh-curve",
    "echo",
    "engine",
    "fast-io",
    "hash-size",
    "ifconfig-noexec",
    "ifconfig-nowarn",
    "ifconfig-pool-persist",
    "inactive",
    "ip-win32",
    "ipchange",
    "keysize",
    "link-mtu",
    "machine-readable-output",
    "management-log-cache",
    "mark",
    "max-routes",
    "mtu-disc",
    "mtu-test",
    "mute",
    "ncp-disable",
    "nice",
    "opt-verify",
    "parameter",
    "passtos",
    "persist-local-ip",
    "persist-remote-ip",
    "ping-timer-rem",
    "preresolve",
    "prng",
    "providers",
    "push-peer-info",
    "rcvbuf",
    "register-dns",
    "remap-usr1",
    "reneg-bytes",
    "reneg-pkts",
    "replay-persist",
    "replay-window",
    "route-delay",
    "route-method",
    "route-noexec",
    "route-pre-down",
    "route-up",
    "script-security",
    "session-timeout",
    "setcon",
    "show-net-up",
    "single-session",
    "sndbuf",
    "socket-flags",
    "status",
    "status-version",
    "tcp-nodelay",
    "tls-cert-profile",
    "tls-cipher",
    "tls-ciphersuites",
    "tls-exit",
    "tls-groups",
    "tls-timeout",
    "tun-mtu-extra",
    "tun-mtu-max",
    "txqueuelen",
    "up",
    "up-delay",
    "up-restart",
    "use-prediction-resistance",
    "verb",
    "vlan-tagging",
    "win-sys",
    "windows-driver",
];

/// Refused: the connection would fail, or would be less secure than the author expects.
const REFUSED: &[&str] = &[
    "auth-gen-token",
    "auth-user-pass-optional",
    "auth-user-pass-verify",
    "bind-dev",
    "capath",
    "client-connect",
    "client-crresponse",
    "client-disconnect",
    "cryptoapicert",
    "http-proxy",
    "http-proxy-option",
    "http-proxy-user-pass",
    "iproute",
    "learn-address",
    "lladdr",
    "management",
    "management-client",
    "management-external-cert",
    "management-external-key",
    "management-hold",
    "management-query-passwords",
    "multihome",
    "ns-cert-type",
    "peer-fingerprint",
    "pkcs11-id",
    "pkcs11-providers",
    "pkcs12",
    "plugin",
    "port-share",
    "secret",
    "shaper",
    "socks-proxy",
    "tls-crypt-v2-max-age",
    "tls-crypt-v2-verify",
    "tls-export-cert",
    "tls-verify",
    "username-as-common-name",
    "verify-hash",
    "x509-track",
    "x509-username-field",
];

/// Refused in the configuration of a server, which would be less secure than its author expects. A
/// client's server sets these limits too, so that a client gets a warning.
const REFUSED_BY_SERVERS: &[&str] = &[
    "connect-freq",
    "connect-freq-initial",
    "session-timeout",
    "setcon",
    "tls-cert-profile",
    "tls-cipher",
    "tls-ciphersuites",
    "tls-groups",
];

/// Handling of an unimplemented option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unhandled {
    /// Ignore silently.
    Silent,
    /// Ignore with a warning.
    Warned,
    /// Refuse the profile.
    Refused,
}

/// The handling of an option; `None` if OpenVPN does not have it either.
pub(super) fn unhandled(name: &str, role: Role) -> Option<Unhandled> {
    let is_in = |list: &[&str]| list.binary_search(&name).is_ok();
    if role == Role::Server && is_in(REFUSED_BY_SERVERS) {
        Some(Unhandled::Refused)
    } else if is_in(SILENT) {
        Some(Unhandled::Silent)
    } else if is_in(WARNED) {
        Some(Unhandled::Warned)
    } else if is_in(REFUSED) {
        Some(Unhandled::Refused)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_can_be_searched() {
        let lists = [SILENT, WARNED, REFUSED, REFUSED_BY_SERVERS];
        assert!(lists.iter().all(|list| list.is_sorted()));
        let unhandled = |name| super::unhandled(name, Role::Client);
        assert_eq!(unhandled("nobind"), Some(Unhandled::Silent));
        assert_eq!(unhandled("up"), Some(Unhandled::Warned));
        assert_eq!(unhandled("secret"), Some(Unhandled::Refused));
        assert_eq!(unhandled("no-such-option"), None);
    }
}
