//! Options of OpenVPN that are not implemented, and what happens to a profile with them.

/// Ignored silently: the result is the same without them.
const SILENT: &[&str] = &[
    "allow-pull-fqdn",
    "auth-nocache",
    "bind",
    "client",
    "daemon",
    "dev-type",
    "disable-dco",
    "float",
    "key-method",
    "log",
    "log-append",
    "machine-readable-output",
    "mtu-disc",
    "mute",
    "mute-replay-warnings",
    "nobind",
    "persist-key",
    "persist-local-ip",
    "persist-remote-ip",
    "persist-tun",
    "ping-timer-rem",
    "preresolve",
    "pull",
    "push-peer-info",
    "rcvbuf",
    "route-delay",
    "sndbuf",
    "suppress-timestamps",
    "syslog",
    "tls-client",
    "tls-server",
    "txqueuelen",
    "verb",
    "windows-driver",
];

/// Ignored with a warning: the author expects an effect.
const WARNED: &[&str] = &[
    "allow-compression",
    "allow-recursive-routing",
    "block-ipv6",
    "block-outside-dns",
    "cd",
    "chroot",
    "client-nat",
    "connect-freq",
    "connect-freq-initial",
    "dev-node",
    "dhcp-release",
    "dhcp-renew",
    "down",
    "down-pre",
    "ecdh-curve",
    "echo",
    "engine",
    "fast-io",
    "group",
    "hash-size",
    "ifconfig-noexec",
    "ifconfig-nowarn",
    "ifconfig-pool-persist",
    "inactive",
    "ip-win32",
    "ipchange",
    "keysize",
    "link-mtu",
    "management-log-cache",
    "mark",
    "max-routes",
    "mlock",
    "mtu-test",
    "ncp-disable",
    "nice",
    "opt-verify",
    "parameter",
    "passtos",
    "prng",
    "providers",
    "register-dns",
    "remap-usr1",
    "reneg-bytes",
    "reneg-pkts",
    "replay-persist",
    "replay-window",
    "route-method",
    "route-noexec",
    "route-pre-down",
    "route-up",
    "script-security",
    "session-timeout",
    "setcon",
    "show-net-up",
    "single-session",
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
    "up",
    "up-delay",
    "up-restart",
    "use-prediction-resistance",
    "user",
    "vlan-tagging",
    "win-sys",
    "writepid",
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
pub(super) fn unhandled(name: &str) -> Option<Unhandled> {
    let is_in = |list: &[&str]| list.binary_search(&name).is_ok();
    if is_in(SILENT) {
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
        assert!(SILENT.is_sorted() && WARNED.is_sorted() && REFUSED.is_sorted());
        assert_eq!(unhandled("verb"), Some(Unhandled::Silent));
        assert_eq!(unhandled("up"), Some(Unhandled::Warned));
        assert_eq!(unhandled("secret"), Some(Unhandled::Refused));
        assert_eq!(unhandled("no-such-option"), None);
    }
}
