//! The structures that requests point to.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ptr;

use nt_host as _;
use nt_sys::mm::{MDL, MDL_SOURCE_IS_NONPAGED_POOL};
use nt_sys::ntdef::ULONG;
use nt_sys::wsk::*;

/// An MDL of non-paged memory.
pub(crate) fn mdl(bytes: &[u8]) -> MDL {
    MDL {
        Next: ptr::null_mut(),
        Size: size_of::<MDL>() as i16,
        MdlFlags: MDL_SOURCE_IS_NONPAGED_POOL,
        Process: ptr::null_mut(),
        MappedSystemVa: bytes.as_ptr().cast_mut().cast(),
        StartVa: ptr::null_mut(),
        ByteCount: bytes.len() as ULONG,
        ByteOffset: 0,
    }
}

pub(crate) fn sockaddr(address: SocketAddr) -> SOCKADDR_INET {
    match address {
        SocketAddr::V4(address) => SOCKADDR_INET {
            Ipv4: SOCKADDR_IN {
                sin_family: AF_INET,
                sin_port: address.port().to_be(),
                sin_addr: IN_ADDR { S_addr: u32::from_ne_bytes(address.ip().octets()) },
                sin_zero: [0; 8],
            },
        },
        SocketAddr::V6(address) => SOCKADDR_INET {
            Ipv6: SOCKADDR_IN6 {
                sin6_family: AF_INET6,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: IN6_ADDR { Byte: address.ip().octets() },
                sin6_scope_id: address.scope_id(),
            },
        },
    }
}

/// # Safety
/// `address` is as long as its family requires.
pub(crate) unsafe fn socket_address(address: *const SOCKADDR) -> SocketAddr {
    // SAFETY: the caller's word.
    match unsafe { (*address).sa_family } {
        AF_INET => {
            // SAFETY: the caller's word.
            let v4 = unsafe { address.cast::<SOCKADDR_IN>().read_unaligned() };
            let ip = Ipv4Addr::from(v4.sin_addr.S_addr.to_ne_bytes());
            SocketAddr::from((ip, u16::from_be(v4.sin_port)))
        }
        AF_INET6 => {
            // SAFETY: the caller's word.
            let v6 = unsafe { address.cast::<SOCKADDR_IN6>().read_unaligned() };
            SocketAddr::from((Ipv6Addr::from(v6.sin6_addr.Byte), u16::from_be(v6.sin6_port)))
        }
        other => panic!("family {other}"),
    }
}

/// A `WSK_EVENT_CALLBACK_CONTROL`, as bytes.
pub(crate) fn event(mask: ULONG) -> [u8; 16] {
    let npi: *const nt_sys::ntdef::GUID = &raw const NPI_WSK_INTERFACE_ID;
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&npi.expose_provenance().to_ne_bytes());
    bytes[8..12].copy_from_slice(&mask.to_ne_bytes());
    bytes
}

/// A control message.
pub(crate) fn object(level: ULONG, kind: ULONG, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; CMSG_SPACE(data.len())];
    bytes[..8].copy_from_slice(&CMSG_LEN(data.len()).to_ne_bytes());
    bytes[8..12].copy_from_slice(&level.to_ne_bytes());
    bytes[12..16].copy_from_slice(&kind.to_ne_bytes());
    bytes[16..16 + data.len()].copy_from_slice(data);
    bytes
}
