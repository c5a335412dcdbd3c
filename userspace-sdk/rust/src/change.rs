//! Changes of an adapter's configuration.

use std::net::SocketAddr;

use tunic_ioctl::{KeyChange, PeerAction, wireguard_nt};
use zeroize::Zeroizing;

use crate::{AllowedIp, Error, Key};

/// A change of a configuration, applied as a whole or not at all. `None` leaves a setting
/// unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigurationChange {
    /// The new UDP port; 0 lets the system choose.
    pub listen_port: Option<u16>,
    /// The new private key; `Some(None)` removes it.
    pub private_key: Option<Option<Key>>,
    /// Remove all peers before adding any.
    pub replace_peers: bool,
    /// The peers, applied in order.
    pub peers: Vec<PeerChange>,
}

/// A change of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerChange {
    /// The peer.
    pub public_key: Key,
    /// Whether it is created, changed or removed.
    pub action: PeerAction,
    /// The new preshared key; `Some(None)` removes it.
    pub preshared_key: Option<Option<Key>>,
    /// The peer's new address.
    pub endpoint: Option<SocketAddr>,
    /// The new interval in seconds; 0 is off.
    pub persistent_keepalive_s: Option<u16>,
    /// Remove all allowed IPs before adding any.
    pub replace_allowed_ips: bool,
    /// The allowed IPs, applied in order.
    pub allowed_ips: Vec<AllowedIpChange>,
}

/// A change of an allowed IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowedIpChange {
    /// The network.
    pub network: AllowedIp,
    /// Remove it if it belongs to this peer; otherwise add it.
    pub remove: bool,
}

impl PeerChange {
    /// A change that creates the peer if it does not exist, and does nothing else.
    pub const fn new(public_key: Key) -> Self {
        Self {
            public_key,
            action: PeerAction::CreateOrUpdate,
            preshared_key: None,
            endpoint: None,
            persistent_keepalive_s: None,
            replace_allowed_ips: false,
            allowed_ips: Vec::new(),
        }
    }
}

impl From<AllowedIp> for AllowedIpChange {
    fn from(network: AllowedIp) -> Self {
        Self { network, remove: false }
    }
}

impl std::str::FromStr for AllowedIpChange {
    type Err = crate::ParseAllowedIpError;

    /// Reads `address/prefix`; a `-` in front removes it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (text, remove) = text.strip_prefix('-').map_or((text, false), |rest| (rest, true));
        Ok(Self { network: text.parse()?, remove })
    }
}

impl ConfigurationChange {
    /// Encodes the request of WireGuardNT's ABI.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let count = |length: usize| u32::try_from(length).map_err(|_| Error::TooLarge);
        let allowed_ips: usize = self.peers.iter().map(|peer| peer.allowed_ips.len()).sum();
        // Allocated once: growing would leave copies of the keys in freed memory.
        let mut bytes = Zeroizing::new(Vec::with_capacity(
            wireguard_nt::Interface::SIZE
                + self.peers.len() * wireguard_nt::Peer::SIZE
                + allowed_ips * wireguard_nt::AllowedIp::SIZE,
        ));
        bytes.extend_from_slice(&*Zeroizing::new(wireguard_nt::encode_interface(
            self.listen_port,
            self.private_key.as_ref().map(key_change),
            self.replace_peers,
            count(self.peers.len())?,
        )));
        for peer in &self.peers {
            let mut change = tunic_ioctl::PeerChange::new(peer.public_key.as_bytes());
            change.action = peer.action;
            change.preshared_key = peer.preshared_key.as_ref().map(key_change);
            change.endpoint = peer.endpoint;
            change.persistent_keepalive_s = peer.persistent_keepalive_s;
            change.replace_allowed_ips = peer.replace_allowed_ips;
            let count = count(peer.allowed_ips.len())?;
            bytes.extend_from_slice(&*Zeroizing::new(wireguard_nt::encode_peer(&change, count)));
            for AllowedIpChange { network, remove } in &peer.allowed_ips {
                bytes.extend(wireguard_nt::encode_allowed_ip(
                    network.address(),
                    network.prefix_length(),
                    *remove,
                ));
            }
        }
        Ok(bytes)
    }
}

fn key_change(key: &Option<Key>) -> KeyChange<'_> {
    key.as_ref()
        .filter(|key| !key.is_zero())
        .map_or(KeyChange::Clear, |key| KeyChange::Set(key.as_bytes()))
}
