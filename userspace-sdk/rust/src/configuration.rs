//! The configuration of an adapter.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use tunic_ioctl::configuration::ConfigurationView;

use crate::{Error, Key};

/// An adapter's configuration and its peers' counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// The UDP port.
    pub listen_port: Option<u16>,
    /// The private key.
    pub private_key: Option<Key>,
    /// The public key that belongs to it.
    pub public_key: Option<Key>,
    /// The peers.
    pub peers: Vec<Peer>,
}

/// A peer of an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its public key.
    pub public_key: Key,
    /// The preshared key.
    pub preshared_key: Option<Key>,
    /// Its address, as configured or as last observed.
    pub endpoint: Option<SocketAddr>,
    /// Seconds between keepalives; 0 is off.
    pub persistent_keepalive_s: u16,
    /// The networks routed to it, from which it may send.
    pub allowed_ips: Vec<AllowedIp>,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// The time of the last completed handshake.
    pub last_handshake: Option<SystemTime>,
}

/// A network: an address whose host bits are zero, and the length of its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AllowedIp {
    address: IpAddr,
    prefix_length: u8,
}

impl Configuration {
    /// Decodes the driver's answer of the native ABI.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let view = ConfigurationView::decode(bytes)?;
        let key = Key::copy_of;
        let peers = view.peers().map(|(peer, allowed_ips)| Peer {
            public_key: key(peer.public_key),
            preshared_key: peer.preshared_key.map(key).filter(|key| !key.is_zero()),
            endpoint: peer.endpoint,
            persistent_keepalive_s: peer.persistent_keepalive_s,
            allowed_ips: allowed_ips
                .map(|ip| AllowedIp { address: ip.address, prefix_length: ip.prefix_length })
                .collect(),
            tx_bytes: peer.tx_bytes,
            rx_bytes: peer.rx_bytes,
            last_handshake: from_filetime(peer.last_handshake_filetime),
        });
        Ok(Self {
            listen_port: view.interface.listen_port,
            private_key: view.interface.private_key.map(key),
            public_key: view.interface.public_key.map(key),
            peers: peers.collect(),
        })
    }
}

impl AllowedIp {
    /// A network; bits behind the prefix are cleared. `None` if the prefix is too long.
    pub fn new(address: IpAddr, prefix_length: u8) -> Option<Self> {
        let network = tunic_ioctl::AllowedIpChange::new(address, prefix_length, false)?;
        Some(Self { address: network.address, prefix_length })
    }

    /// Its first address.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// The length of its prefix in bits.
    pub const fn prefix_length(&self) -> u8 {
        self.prefix_length
    }
}

impl fmt::Display for AllowedIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_length)
    }
}

impl FromStr for AllowedIp {
    type Err = ParseAllowedIpError;

    /// Parses `address/prefix`, or an address alone, which is a network of one address.
    fn from_str(text: &str) -> Result<Self, ParseAllowedIpError> {
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| ParseAllowedIpError)?;
        let prefix_length = match prefix {
            None if address.is_ipv4() => 32,
            None => 128,
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                digits.parse().map_err(|_| ParseAllowedIpError)?
            }
            Some(_) => return Err(ParseAllowedIpError),
        };
        Self::new(address, prefix_length).ok_or(ParseAllowedIpError)
    }
}

/// A text is not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseAllowedIpError;

impl fmt::Display for ParseAllowedIpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an allowed IP is an address, a slash and a prefix length")
    }
}

impl std::error::Error for ParseAllowedIpError {}

/// Seconds from 1601-01-01, the epoch of Windows' FILETIME, to 1970-01-01.
const FILETIME_TO_UNIX_S: u64 = 11_644_473_600;

fn from_filetime(filetime: u64) -> Option<SystemTime> {
    if filetime == 0 {
        return None;
    }
    let nanos = u32::try_from(filetime % 10_000_000).ok()?.checked_mul(100)?;
    let seconds = (filetime / 10_000_000).checked_sub(FILETIME_TO_UNIX_S)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_written() {
        let text = |text: &str| text.parse::<AllowedIp>().map(|network| network.to_string());
        assert_eq!(text("10.1.2.3/8").unwrap(), "10.0.0.0/8");
        assert_eq!(text("10.1.2.3").unwrap(), "10.1.2.3/32");
        assert_eq!(text("fd00::1/64").unwrap(), "fd00::/64");
        assert_eq!(text("::/0").unwrap(), "::/0");
        for bad in ["", "/", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0/8", "::/+1", "::/1/1"] {
            assert!(text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn windows_time() {
        assert_eq!(from_filetime(0), None);
        let second = SystemTime::UNIX_EPOCH + Duration::new(1, 700);
        assert_eq!(from_filetime(116_444_736_010_000_007), Some(second));
    }
}
