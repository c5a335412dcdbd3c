//! Stock `openvpn` and our own client, each in a namespace, with throwaway certificates.

mod client;
mod network;
mod pki;
mod stock_server;
mod tunnel;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

pub use client::Client;
pub use network::{Network, OURS_V4, Server, StockClient};
pub use pki::Pki;
pub use stock_server::StockServer;
pub use tunnel::Tunnel;

use require::Need;

/// The server's inner address.
pub const SERVER_V4: &str = "10.98.0.1";
/// The inner address of the first client.
pub const CLIENT_V4: &str = "10.98.0.2";
/// The server's UDP port.
pub const PORT: u16 = 1194;

/// How long something may take to come about.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a test with stock openvpn needs.
pub const NEEDS: [Need; 5] = [
    Need::Root,
    Need::Program("ip", "iproute2"),
    Need::Program("ping", "iputils-ping"),
    Need::Program("openssl", "openssl"),
    Need::Program("openvpn", "openvpn"),
];

/// A stock openvpn that tests have on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stock {
    /// The one that is installed, 2.6.
    Installed,
    /// The private copy of a newer one, 2.7.
    Newer,
}

impl Stock {
    /// What a test with it needs, beside [`NEEDS`].
    pub const fn need(self) -> Need {
        match self {
            Self::Installed => Need::Program("openvpn", "openvpn"),
            Self::Newer => Need::Program("openvpn-2.7", "a private copy, by .ci/peers"),
        }
    }

    fn program(self) -> Result<PathBuf> {
        let Need::Program(name, _) = self.need() else { unreachable!("it is a program") };
        require::program(name).with_context(|| format!("no {name}"))
    }
}
