//! NTSTATUS values for Linux's errors.

use nt_sys::ntdef::NTSTATUS;
use nt_sys::status::{
    STATUS_ACCESS_DENIED, STATUS_ADDRESS_ALREADY_EXISTS, STATUS_HOST_UNREACHABLE,
    STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_ADDRESS_COMPONENT, STATUS_INVALID_BUFFER_SIZE,
    STATUS_INVALID_PARAMETER, STATUS_NETWORK_UNREACHABLE, STATUS_NOT_SUPPORTED,
    STATUS_UNSUCCESSFUL,
};

/// The calling thread's `errno`.
pub(super) fn last_errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// The status of a transport for an `errno` of Linux.
pub(super) fn status_of(errno: i32) -> NTSTATUS {
    match errno {
        libc::EADDRINUSE => STATUS_ADDRESS_ALREADY_EXISTS,
        libc::EADDRNOTAVAIL => STATUS_INVALID_ADDRESS_COMPONENT,
        libc::EACCES | libc::EPERM => STATUS_ACCESS_DENIED,
        libc::ENETUNREACH | libc::ENETDOWN | libc::ENODEV => STATUS_NETWORK_UNREACHABLE,
        libc::EHOSTUNREACH | libc::EHOSTDOWN => STATUS_HOST_UNREACHABLE,
        libc::EMSGSIZE => STATUS_INVALID_BUFFER_SIZE,
        libc::ENOBUFS | libc::ENOMEM | libc::EMFILE | libc::ENFILE => STATUS_INSUFFICIENT_RESOURCES,
        libc::EINVAL => STATUS_INVALID_PARAMETER,
        libc::EAFNOSUPPORT
        | libc::EPROTONOSUPPORT
        | libc::EOPNOTSUPP
        | libc::ENOPROTOOPT
        | libc::ESOCKTNOSUPPORT => STATUS_NOT_SUPPORTED,
        _ => STATUS_UNSUCCESSFUL,
    }
}

/// Whether an error on a UDP socket was caused by an ICMP message about an earlier datagram.
///
/// An unconnected WSK datagram socket does not report these.
pub(super) fn is_icmp_echo(errno: i32) -> bool {
    matches!(errno, libc::ECONNREFUSED | libc::EHOSTDOWN | libc::EPROTO)
}
