//! What an adapter speaks.

use clap::ValueEnum;

/// A protocol of the driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// WireGuard, configured by wg(8) or the SDK.
    #[default]
    Wireguard,
    /// OpenVPN's data channel, with keys from a client of the SDK.
    Openvpn,
}

impl Protocol {
    /// The value of the keyword `TunicProtocol`.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Wireguard => "wireguard",
            Self::Openvpn => "openvpn",
        }
    }

    /// The MTU of a new interface in bytes.
    pub const fn mtu(self) -> u32 {
        match self {
            // Ethernet's 1500 less what WireGuard over UDP over IPv6 takes.
            Self::Wireguard => 1420,
            // What OpenVPN's clients and servers have where nothing else is agreed on.
            Self::Openvpn => 1500,
        }
    }
}
