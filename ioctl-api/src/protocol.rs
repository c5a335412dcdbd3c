//! The protocols of adapters: their numbers in the ABI, keywords in the registry, names and
//! defaults.
//!
//! Numbers below [`VENDOR_NUMBERS`] are assigned here. A third party takes a number of
//! [`VENDOR_NUMBERS`] for its own protocol and a capability bit of [`VENDOR_CAPABILITIES`], or no
//! bit at all. A client that does not know a number shows it as a number; an unknown number is not
//! an error.

use core::fmt;
use core::ops::RangeInclusive;

/// The protocol numbers that third parties may use without asking.
pub const VENDOR_NUMBERS: RangeInclusive<u32> = VENDOR_FIRST..=VENDOR_LAST;

/// The capability bits that third parties may use without asking.
pub const VENDOR_CAPABILITIES: u64 = 0xFFFF_FFFF_0000_0000;

pub(crate) const VENDOR_FIRST: u32 = 0x8000_0000;
pub(crate) const VENDOR_LAST: u32 = 0xFFFF_FFFF;

/// A protocol, as the driver, the SDK and `tunicd` know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolInfo {
    /// Its number in the native ABI.
    pub number: u32,
    /// The value of the registry keyword `TunicProtocol`, and of `tunicd --protocol`.
    pub keyword: &'static str,
    /// Its name in messages.
    pub name: &'static str,
    /// Its bit in the driver's capabilities.
    pub capability: u64,
    /// The MTU of a new interface in bytes.
    pub default_mtu_bytes: u32,
}

/// WireGuard.
pub const WIREGUARD: ProtocolInfo = ProtocolInfo {
    number: 1,
    keyword: "wireguard",
    name: "WireGuard",
    capability: 0x1,
    // Ethernet's 1500 less the overhead of WireGuard over UDP over IPv6.
    default_mtu_bytes: 1420,
};

/// OpenVPN's data channel.
pub const OPENVPN: ProtocolInfo = ProtocolInfo {
    number: 2,
    keyword: "openvpn",
    name: "OpenVPN",
    capability: 0x8,
    // The default of OpenVPN's `tun-mtu`.
    default_mtu_bytes: 1500,
};

/// The protocols with an assigned number.
pub const ASSIGNED: [ProtocolInfo; 2] = [WIREGUARD, OPENVPN];

/// A protocol number in a message: the protocol's name, or the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolName(pub u32);

impl fmt::Display for ProtocolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match ASSIGNED.iter().find(|protocol| protocol.number == self.0) {
            Some(protocol) => f.write_str(protocol.name),
            None => write!(f, "protocol {:#x}", self.0),
        }
    }
}

const _: () = {
    assert!(WIREGUARD.number < VENDOR_FIRST && OPENVPN.number < VENDOR_FIRST);
    assert!((WIREGUARD.capability | OPENVPN.capability) & VENDOR_CAPABILITIES == 0);
};

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn unknown_numbers_are_shown_as_numbers() {
        assert_eq!(ProtocolName(1).to_string(), "WireGuard");
        assert_eq!(ProtocolName(3).to_string(), "protocol 0x3");
        assert_eq!(ProtocolName(*VENDOR_NUMBERS.start()).to_string(), "protocol 0x80000000");
    }
}
