//! Changes of an adapter's configuration.

use std::net::SocketAddr;

use tunic_ioctl::{AdapterId, KeyChange, PeerAction, native, wireguard_nt};
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
    pub fn new(public_key: Key) -> Self {
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
    /// Encodes the request of the native ABI.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes =
            self.buffer(native::Interface::SIZE, native::Peer::SIZE, native::Route::SIZE);
        native::write_interface(
            append(&mut bytes),
            AdapterId::default(),
            self.listen_port,
            self.private_key.as_ref().map(key_change),
            self.replace_peers,
        );
        for peer in &self.peers {
            native::write_peer(append(&mut bytes), &peer.record());
            for AllowedIpChange { network, remove } in &peer.allowed_ips {
                let (address, prefix_length) = (network.address(), network.prefix_length());
                bytes.extend(native::encode_route(address, prefix_length, *remove));
            }
        }
        bytes
    }

    /// Encodes the request of WireGuardNT's ABI.
    pub fn encode_wireguard_nt(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let count = |length: usize| u32::try_from(length).map_err(|_| Error::TooLarge);
        let mut bytes = self.buffer(
            wireguard_nt::Interface::SIZE,
            wireguard_nt::Peer::SIZE,
            wireguard_nt::AllowedIp::SIZE,
        );
        wireguard_nt::write_interface(
            append(&mut bytes),
            self.listen_port,
            self.private_key.as_ref().map(key_change),
            self.replace_peers,
            count(self.peers.len())?,
        );
        for peer in &self.peers {
            let count = count(peer.allowed_ips.len())?;
            wireguard_nt::write_peer(append(&mut bytes), &peer.record(), count);
            for AllowedIpChange { network, remove } in &peer.allowed_ips {
                let (address, prefix_length) = (network.address(), network.prefix_length());
                bytes.extend(wireguard_nt::encode_allowed_ip(address, prefix_length, *remove));
            }
        }
        Ok(bytes)
    }

    /// A buffer for the whole request, by the sizes of its records. It is allocated once: growing
    /// would leave copies of the keys in freed memory.
    fn buffer(&self, interface: usize, peer: usize, allowed_ip: usize) -> Zeroizing<Vec<u8>> {
        let allowed_ips: usize = self.peers.iter().map(|peer| peer.allowed_ips.len()).sum();
        let bytes = interface + self.peers.len() * peer + allowed_ips * allowed_ip;
        Zeroizing::new(Vec::with_capacity(bytes))
    }
}

impl PeerChange {
    /// The change without its allowed IPs, as the ABIs encode it.
    fn record(&self) -> tunic_ioctl::PeerChange<'_> {
        let mut change = tunic_ioctl::PeerChange::new(self.public_key.as_bytes());
        change.action = self.action;
        change.preshared_key = self.preshared_key.as_ref().map(key_change);
        change.endpoint = self.endpoint;
        change.persistent_keepalive_s = self.persistent_keepalive_s;
        change.replace_allowed_ips = self.replace_allowed_ips;
        change
    }
}

/// Room for one more record, which is written where it stays.
fn append<const N: usize>(bytes: &mut Vec<u8>) -> &mut [u8; N] {
    let start = bytes.len();
    bytes.resize(start + N, 0);
    bytes[start..].first_chunk_mut().expect("the record was just added")
}

fn key_change(key: &Option<Key>) -> KeyChange<'_> {
    key.as_ref()
        .filter(|key| !key.is_zero())
        .map_or(KeyChange::Clear, |key| KeyChange::Set(key.as_bytes()))
}
