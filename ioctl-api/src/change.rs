//! A change of an adapter's configuration, and iterators over its records.

use core::net::{IpAddr, SocketAddr};

use crate::{Abi, DecodeError, KEY_BYTES, native, wireguard_nt};

/// The maximum number of peers of an adapter.
pub const MAX_PEERS: u32 = 1 << 20;

/// A change of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum KeyChange<'a> {
    /// The new key, which is not all zeroes.
    Set(&'a [u8; KEY_BYTES]),
    /// The key is removed.
    Clear,
}

/// A change of an adapter's configuration, in the order in which its parts take effect.
#[derive(Clone, Copy)]
pub struct Configure<'a> {
    /// The new UDP port; 0 lets the system choose one.
    pub listen_port: Option<u16>,
    /// Remove all peers before adding any.
    pub replace_peers: bool,
    /// The change of the private key.
    pub private_key: Option<KeyChange<'a>>,
    pub(crate) peers: Peers<'a>,
    pub(crate) consumed_bytes: usize,
}

impl<'a> Configure<'a> {
    /// The peers in order. The same public key may occur several times. The iterator may be cloned
    /// and restarted.
    pub fn peers(&self) -> Peers<'a> {
        self.peers
    }

    /// Bytes of the buffer that the records occupy.
    pub const fn consumed_bytes(&self) -> usize {
        self.consumed_bytes
    }

    /// Decodes every record once, so that the iterators meet no error later.
    pub(crate) fn validate(&mut self) -> Result<(), DecodeError> {
        let mut peers = self.peers;
        while let Some(peer) = peers.step()? {
            let mut allowed_ips = peer.allowed_ips();
            while allowed_ips.step()?.is_some() {}
        }
        self.consumed_bytes = peers.offset;
        Ok(())
    }
}

/// Whether a peer is created, changed or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerAction {
    /// Change the peer; create it first if it does not exist.
    CreateOrUpdate,
    /// Change the peer if it exists.
    UpdateOnly,
    /// Remove the peer if it exists; the rest of the change has no effect.
    Remove,
}

/// A change of one peer, in the order in which its parts take effect.
#[derive(Clone, Copy)]
pub struct PeerChange<'a> {
    /// The peer. One with the adapter's own public key is to be skipped.
    pub public_key: &'a [u8; KEY_BYTES],
    /// Whether it is created, changed or removed.
    pub action: PeerAction,
    /// The change of the preshared key.
    pub preshared_key: Option<KeyChange<'a>>,
    /// The peer's new address.
    pub endpoint: Option<SocketAddr>,
    /// Remove all allowed IPs before adding any.
    pub replace_allowed_ips: bool,
    /// The new interval in seconds; 0 is off.
    pub persistent_keepalive_s: Option<u16>,
    pub(crate) allowed_ips: AllowedIps<'a>,
}

impl<'a> PeerChange<'a> {
    /// A change that creates the peer if it does not exist, and does nothing else; for a caller
    /// that fills it in and encodes it.
    pub fn new(public_key: &'a [u8; KEY_BYTES]) -> Self {
        let allowed_ips = AllowedIps { abi: Abi::WireGuardNt, bytes: &[], offset: 0, remaining: 0 };
        Self {
            public_key,
            action: PeerAction::CreateOrUpdate,
            preshared_key: None,
            endpoint: None,
            replace_allowed_ips: false,
            persistent_keepalive_s: None,
            allowed_ips,
        }
    }

    /// The allowed IPs in order. The iterator may be cloned and restarted.
    pub fn allowed_ips(&self) -> AllowedIps<'a> {
        self.allowed_ips
    }
}

/// A change of one allowed IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowedIpChange {
    /// The network address: bits behind the prefix are zero.
    pub address: IpAddr,
    /// The prefix length, at most 32 or 128 bits.
    pub prefix_length: u8,
    /// Remove it if it belongs to this peer. Otherwise add it, and take it from any other peer.
    pub remove: bool,
}

impl AllowedIpChange {
    /// Checks the prefix length and clears the host bits. `None` if the prefix is too long.
    pub fn new(address: IpAddr, prefix_length: u8, remove: bool) -> Option<Self> {
        let prefix = u32::from(prefix_length);
        let address = match address {
            IpAddr::V4(v4) => {
                let host_bits = 32_u32.checked_sub(prefix)?;
                let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
                IpAddr::V4((u32::from(v4) & mask).into())
            }
            IpAddr::V6(v6) => {
                let host_bits = 128_u32.checked_sub(prefix)?;
                let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
                IpAddr::V6((u128::from(v6) & mask).into())
            }
        };
        Some(Self { address, prefix_length, remove })
    }
}

/// The peers of a [`Configure`].
#[derive(Clone, Copy)]
pub struct Peers<'a> {
    pub(crate) abi: Abi,
    pub(crate) bytes: &'a [u8],
    pub(crate) offset: usize,
    /// Peers still to come. The native ABI has no count: its peers end with the buffer.
    pub(crate) remaining: u32,
    /// The records are an answer of the driver. A native answer may contain a public key of zeros,
    /// which WireGuardNT's ABI accepts in a request.
    pub(crate) is_answer: bool,
}

impl<'a> Peers<'a> {
    /// Decodes the next peer.
    pub(crate) fn step(&mut self) -> Result<Option<PeerChange<'a>>, DecodeError> {
        match self.abi {
            Abi::WireGuardNt => wireguard_nt::next_peer(self),
            Abi::Native => native::next_peer(self),
            // ovpn-dco-win's ABI has no configuration.
            Abi::OvpnDco => Ok(None),
        }
    }
}

impl<'a> Iterator for Peers<'a> {
    type Item = PeerChange<'a>;

    fn next(&mut self) -> Option<PeerChange<'a>> {
        self.step().ok().flatten()
    }
}

/// The allowed IPs of a [`PeerChange`].
#[derive(Clone, Copy)]
pub struct AllowedIps<'a> {
    pub(crate) abi: Abi,
    pub(crate) bytes: &'a [u8],
    pub(crate) offset: usize,
    /// Records still to come.
    pub(crate) remaining: u32,
}

impl AllowedIps<'_> {
    /// Decodes the next allowed IP.
    pub(crate) fn step(&mut self) -> Result<Option<AllowedIpChange>, DecodeError> {
        match self.abi {
            Abi::WireGuardNt => wireguard_nt::next_allowed_ip(self),
            Abi::Native => native::next_allowed_ip(self),
            // ovpn-dco-win's ABI has no configuration.
            Abi::OvpnDco => Ok(None),
        }
    }
}

impl Iterator for AllowedIps<'_> {
    type Item = AllowedIpChange;

    fn next(&mut self) -> Option<AllowedIpChange> {
        self.step().ok().flatten()
    }
}
