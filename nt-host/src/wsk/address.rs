//! Socket addresses. Windows and Linux lay them out alike; only the number of the IPv6 family
//! differs.

use std::net::Ipv6Addr;

use nt_sys::wsk::{AF_INET, AF_INET6, SOCKADDR, SOCKADDR_IN, SOCKADDR_IN6};

/// The family of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    /// Converts `AF_*` of ws2def.h.
    pub(super) fn from_windows(family: u16) -> Option<Self> {
        match family {
            AF_INET => Some(Self::V4),
            AF_INET6 => Some(Self::V6),
            _ => None,
        }
    }

    pub(super) fn windows(self) -> u16 {
        match self {
            Self::V4 => AF_INET,
            Self::V6 => AF_INET6,
        }
    }

    pub(super) const fn linux(self) -> i32 {
        match self {
            Self::V4 => libc::AF_INET,
            Self::V6 => libc::AF_INET6,
        }
    }

    /// The length of the family's socket address, in bytes.
    pub(super) fn address_bytes(self) -> usize {
        match self {
            Self::V4 => size_of::<SOCKADDR_IN>(),
            Self::V6 => size_of::<SOCKADDR_IN6>(),
        }
    }
}

const _: () = {
    assert!(size_of::<SOCKADDR_IN>() == size_of::<libc::sockaddr_in>());
    assert!(size_of::<SOCKADDR_IN6>() == size_of::<libc::sockaddr_in6>());
};

/// A socket address with Linux's family number.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug)]
pub(super) struct Address {
    bytes: [u8; size_of::<SOCKADDR_IN6>()],
    family: Family,
}

impl Address {
    /// An address buffer for a family.
    pub(super) const fn unspecified(family: Family) -> Self {
        let mut bytes = [0; size_of::<SOCKADDR_IN6>()];
        let [low, high] = (family.linux() as u16).to_ne_bytes();
        bytes[0] = low;
        bytes[1] = high;
        Self { bytes, family }
    }

    /// Reads an address that a driver passes. Returns `None` if it is of another family.
    ///
    /// # Safety
    /// `address` is readable for the length of the family's addresses, whatever family it states.
    pub(super) unsafe fn read(family: Family, address: *const SOCKADDR) -> Option<Self> {
        let mut read = Self::unspecified(family);
        // SAFETY: readable, as the caller promises. The target has room for both families.
        unsafe {
            read.bytes
                .as_mut_ptr()
                .copy_from_nonoverlapping(address.cast(), family.address_bytes());
        };
        let said = u16::from_ne_bytes([read.bytes[0], read.bytes[1]]);
        if said != family.windows() {
            return None;
        }
        read.set_family(family.linux().cast_unsigned() as u16);
        Some(read)
    }

    /// Writes the address to a driver's buffer.
    ///
    /// # Safety
    /// `address` is writable for the length of the family's addresses.
    pub(super) unsafe fn write(&self, address: *mut SOCKADDR) {
        let mut copy = *self;
        copy.set_family(self.family.windows());
        // SAFETY: writable, as the caller promises.
        unsafe {
            address
                .cast::<u8>()
                .copy_from_nonoverlapping(copy.bytes.as_ptr(), self.family.address_bytes());
        };
    }

    /// Converts an address that Linux wrote to one of Windows, in place.
    pub(super) fn to_windows(bytes: &mut [u8; size_of::<SOCKADDR_IN6>()], family: Family) {
        bytes[..2].copy_from_slice(&family.windows().to_ne_bytes());
    }

    /// Its IPv6 address.
    pub(super) fn v6(&self) -> Option<Ipv6Addr> {
        let octets = self.bytes.get(8..24)?.first_chunk::<16>()?;
        (self.family == Family::V6).then(|| Ipv6Addr::from(*octets))
    }

    /// Whether its scope names the interface.
    pub(super) fn is_link_local(&self) -> bool {
        self.v6().is_some_and(|v6| v6.is_unicast_link_local())
    }

    pub(super) fn as_ptr(&self) -> *const libc::sockaddr {
        self.bytes.as_ptr().cast()
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut libc::sockaddr {
        self.bytes.as_mut_ptr().cast()
    }

    pub(super) fn length(&self) -> libc::socklen_t {
        self.family.address_bytes() as libc::socklen_t
    }

    fn set_family(&mut self, family: u16) {
        self.bytes[..2].copy_from_slice(&family.to_ne_bytes());
    }
}
