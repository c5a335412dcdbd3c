//! A configuration as an answer: encoded by the driver in the form of either ABI, decoded by the
//! SDK.

use core::mem::offset_of;
use core::net::IpAddr;

use crate::bytes::{array, put, u16_at, u64_at};
use crate::change::{AllowedIps, Peers};
use crate::flags::flags_at;
use crate::values::{AdapterId, AdapterState, Encoded, InterfaceInfo, PeerInfo};
use crate::{Abi, DecodeError, KEY_BYTES, native, wireguard_nt};

/// Encodes a configuration: whole records while they fit, and the size of all records.
///
/// First [`ConfigurationEncoder::new`] with the interface, then each [`ConfigurationEncoder::peer`]
/// followed by its [`ConfigurationEncoder::allowed_ip`]s, then [`ConfigurationEncoder::finish`].
/// An output that is too short, even an empty one, is not an error: the caller learns the size.
pub struct ConfigurationEncoder<'o> {
    output: &'o mut [u8],
    abi: Abi,
    required_bytes: u64,
    written_bytes: usize,
    peers_count: u32,
    allowed_ips_count: u32,
    /// Offset of the current peer's record, if it fitted.
    peer_offset: Option<usize>,
}

impl<'o> ConfigurationEncoder<'o> {
    /// Starts with the interface. ovpn-dco-win's ABI has no configuration; its form is the native
    /// one.
    pub fn new(abi: Abi, output: &'o mut [u8], interface: &InterfaceInfo<'_>) -> Self {
        let mut encoder = Self {
            output,
            abi,
            required_bytes: 0,
            written_bytes: 0,
            peers_count: 0,
            allowed_ips_count: 0,
            peer_offset: None,
        };
        match abi {
            Abi::WireGuardNt => {
                encoder.append(&wireguard_nt::encode_interface_info(interface));
            }
            Abi::Native | Abi::OvpnDco => {
                encoder.append(&native::reply::encode_reply(0));
                encoder.append(&native::reply::encode_interface_info(interface));
            }
        }
        encoder
    }

    /// Adds a peer.
    pub fn peer(&mut self, peer: &PeerInfo<'_>) {
        self.peer_offset = match self.abi {
            Abi::WireGuardNt => self.append(&wireguard_nt::encode_peer_info(peer)),
            Abi::Native | Abi::OvpnDco => self.append(&native::reply::encode_peer_info(peer)),
        };
        self.allowed_ips_count = 0;
        if self.peer_offset.is_some() && self.abi == Abi::WireGuardNt {
            self.peers_count = self.peers_count.saturating_add(1);
            let offset = offset_of!(wireguard_nt::Interface, peers_count);
            put(self.output, offset, &self.peers_count.to_le_bytes());
        }
    }

    /// Adds an allowed IP to the last peer.
    pub fn allowed_ip(&mut self, address: IpAddr, prefix_length: u8) {
        match self.abi {
            Abi::WireGuardNt => {
                let record = wireguard_nt::encode_allowed_ip(address, prefix_length, false);
                if let (Some(_), Some(peer)) = (self.append(&record), self.peer_offset) {
                    self.allowed_ips_count = self.allowed_ips_count.saturating_add(1);
                    let offset =
                        peer.saturating_add(offset_of!(wireguard_nt::Peer, allowed_ips_count));
                    put(self.output, offset, &self.allowed_ips_count.to_le_bytes());
                }
            }
            Abi::Native | Abi::OvpnDco => {
                self.append(&native::encode_route(address, prefix_length, false));
            }
        }
    }

    /// Ends the answer.
    pub fn finish(self) -> Encoded {
        if self.abi != Abi::WireGuardNt {
            let reply = native::reply::encode_reply(self.required_bytes);
            if self.written_bytes >= reply.len() {
                put(self.output, 0, &reply);
            }
        }
        Encoded { required_bytes: self.required_bytes, written_bytes: self.written_bytes }
    }

    /// Appends a record if it and everything before it fit; returns its offset.
    fn append(&mut self, record: &[u8]) -> Option<usize> {
        let start = usize::try_from(self.required_bytes).ok();
        self.required_bytes = self.required_bytes.saturating_add(record.len() as u64);
        let start = start?;
        let end = start.checked_add(record.len())?;
        self.output.get_mut(start..end)?.copy_from_slice(record);
        self.written_bytes = end;
        Some(start)
    }
}

/// Writes the answer of WireGuardNT's ABI to a state query. False if `output` is not exactly 4
/// bytes.
pub fn encode_state(state: AdapterState, output: &mut [u8]) -> bool {
    let Ok(word) = <&mut [u8; 4]>::try_from(output) else {
        return false;
    };
    *word = (state as u32).to_le_bytes();
    true
}

/// A decoded configuration in the form of WireGuardNT's ABI.
#[derive(Clone, Copy)]
pub struct ConfigurationView<'a> {
    /// The interface.
    pub interface: InterfaceInfo<'a>,
    peers: Peers<'a>,
}

impl<'a> ConfigurationView<'a> {
    /// Decodes and validates a whole answer to [`wireguard_nt::IOCTL_GET`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        use wireguard_nt::{Interface, InterfaceFlags};
        let configure = wireguard_nt::configure(bytes)?;
        let flags: InterfaceFlags = flags_at(bytes, offset_of!(Interface, flags))?;
        let key_at = |flag, offset| flags.contains(flag).then(|| array(bytes, offset)).transpose();
        Ok(Self {
            interface: InterfaceInfo {
                adapter: AdapterId::default(),
                listen_port: configure.listen_port,
                private_key: key_at(
                    InterfaceFlags::HAS_PRIVATE_KEY,
                    offset_of!(Interface, private_key),
                )?,
                public_key: key_at(
                    InterfaceFlags::HAS_PUBLIC_KEY,
                    offset_of!(Interface, public_key),
                )?,
            },
            peers: configure.peers(),
        })
    }

    /// The peers in order.
    pub fn peers(&self) -> PeerInfos<'a> {
        PeerInfos(self.peers)
    }
}

/// The peers of a [`ConfigurationView`], each with its allowed IPs.
#[derive(Clone, Copy)]
pub struct PeerInfos<'a>(Peers<'a>);

impl<'a> Iterator for PeerInfos<'a> {
    type Item = (PeerInfo<'a>, AllowedIps<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        use wireguard_nt::Peer;
        let record: &[u8; Peer::SIZE] = array(self.0.bytes, self.0.offset).ok()?;
        let peer = self.0.next()?;
        let preshared_key: &[u8; KEY_BYTES] =
            array(record, offset_of!(Peer, preshared_key)).ok()?;
        let info = PeerInfo {
            public_key: peer.public_key,
            preshared_key: peer.preshared_key.map(|_| preshared_key),
            endpoint: peer.endpoint,
            persistent_keepalive_s: u16_at(record, offset_of!(Peer, persistent_keepalive)).ok()?,
            tx_bytes: u64_at(record, offset_of!(Peer, tx_bytes)).ok()?,
            rx_bytes: u64_at(record, offset_of!(Peer, rx_bytes)).ok()?,
            last_handshake_filetime: u64_at(record, offset_of!(Peer, last_handshake)).ok()?,
        };
        Some((info, peer.allowed_ips()))
    }
}
