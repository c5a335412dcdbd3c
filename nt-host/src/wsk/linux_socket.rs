//! The Linux sockets below WSK's sockets.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use super::address::Family;
use super::error::last_errno;

/// The size of a socket's buffers in Linux, in bytes for each direction.
const SOCKET_BUFFER_BYTES: i32 = 4 << 20;

/// Opens a Linux UDP socket with the defaults of Windows.
pub(super) fn open_udp(family: Family) -> Result<OwnedFd, i32> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: has no conditions.
    let descriptor = unsafe { libc::socket(family.linux(), kind, libc::IPPROTO_UDP) };
    if descriptor < 0 {
        return Err(last_errno());
    }
    // SAFETY: the descriptor is new.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    // The forced form needs CAP_NET_ADMIN. The other is limited by the system.
    for (forced, plain) in
        [(libc::SO_SNDBUFFORCE, libc::SO_SNDBUF), (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF)]
    {
        if set_option(descriptor, libc::SOL_SOCKET, forced, SOCKET_BUFFER_BYTES).is_err() {
            let _ = set_option(descriptor, libc::SOL_SOCKET, plain, SOCKET_BUFFER_BYTES);
        }
    }
    // Windows fragments datagrams by default.
    match family {
        Family::V4 => {
            set_option(
                descriptor,
                libc::IPPROTO_IP,
                libc::IP_MTU_DISCOVER,
                libc::IP_PMTUDISC_DONT,
            )?;
        }
        Family::V6 => {
            set_option(
                descriptor,
                libc::IPPROTO_IPV6,
                libc::IPV6_MTU_DISCOVER,
                libc::IPV6_PMTUDISC_DONT,
            )?;
            // The default of Windows (IPPROTO_IPV6 socket options, IPV6_V6ONLY).
            set_option(descriptor, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
        }
    }
    // Without this, Linux segments a GRO packet itself.
    let _ = set_option(descriptor, libc::SOL_UDP, libc::UDP_GRO, 1);
    Ok(socket)
}

/// Sets an integer option of a Linux socket.
pub(super) fn set_option(
    descriptor: RawFd,
    level: i32,
    option: i32,
    value: i32,
) -> Result<(), i32> {
    let length = size_of::<i32>() as libc::socklen_t;
    let value = &raw const value;
    // SAFETY: the value is readable for its length.
    let result = unsafe { libc::setsockopt(descriptor, level, option, value.cast(), length) };
    if result == 0 { Ok(()) } else { Err(last_errno()) }
}
