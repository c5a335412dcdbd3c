//! The protocol of the adapter.

use clap::ValueEnum;
use tunic_ioctl::protocol::{self, ProtocolInfo};

/// A protocol of the driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// WireGuard, configured by wg(8) or the SDK.
    #[default]
    Wireguard,
    /// OpenVPN's data channel, with keys pushed by a client of the SDK.
    Openvpn,
}

impl Protocol {
    /// Its keyword and defaults.
    pub const fn info(self) -> ProtocolInfo {
        match self {
            Self::Wireguard => protocol::WIREGUARD,
            Self::Openvpn => protocol::OPENVPN,
        }
    }
}
