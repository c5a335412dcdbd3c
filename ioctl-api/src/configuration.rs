//! A configuration as an answer: encoded by the driver in the form of either ABI, decoded by the
//! SDK.

use core::mem::offset_of;
use core::net::IpAddr;

use crate::bytes::{array, put, u64_at};
use crate::change::{AllowedIps, KeyChange, Peers};
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

/// A decoded configuration.
#[derive(Clone, Copy)]
pub struct ConfigurationView<'a> {
    /// The interface.
    pub interface: InterfaceInfo<'a>,
    peers: Peers<'a>,
}

impl<'a> ConfigurationView<'a> {
    /// Decodes and validates a whole answer to [`native::IOCTL_QUERY_CONFIGURATION`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        use native::{Interface, InterfaceFlags};
        let start = native::reply::whole_reply(bytes)?;
        let at = |offset: usize| start.saturating_add(offset);
        let configure = native::configuration_at(bytes, start, true)?;
        let flags: InterfaceFlags = flags_at(bytes, at(offset_of!(Interface, flags)))?;
        let public_key = flags
            .contains(InterfaceFlags::HAS_PUBLIC_KEY)
            .then(|| array(bytes, at(offset_of!(Interface, public_key))))
            .transpose()?;
        Ok(Self {
            interface: InterfaceInfo {
                adapter: AdapterId(*array(bytes, at(offset_of!(Interface, adapter)))?),
                // 0 is an adapter without a socket that has not asked for a port.
                listen_port: configure.listen_port.filter(|&port| port != 0),
                private_key: configure.private_key.and_then(key),
                public_key,
            },
            peers: configure.peers(),
        })
    }

    /// Decodes and validates a whole answer to [`wireguard_nt::IOCTL_GET`].
    pub fn decode_wireguard_nt(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        use wireguard_nt::{Interface, InterfaceFlags};
        let configure = wireguard_nt::configure(bytes)?;
        let flags: InterfaceFlags = flags_at(bytes, offset_of!(Interface, flags))?;
        let public_key = flags
            .contains(InterfaceFlags::HAS_PUBLIC_KEY)
            .then(|| array(bytes, offset_of!(Interface, public_key)))
            .transpose()?;
        Ok(Self {
            interface: InterfaceInfo {
                adapter: AdapterId::default(),
                listen_port: configure.listen_port,
                private_key: configure.private_key.and_then(key),
                public_key,
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
        let Peers { abi, bytes, offset, .. } = self.0;
        let peer = self.0.next()?;
        let counters = Counters::read(abi, bytes, offset).ok()?;
        let info = PeerInfo {
            public_key: peer.public_key,
            preshared_key: peer.preshared_key.and_then(key),
            endpoint: peer.endpoint,
            persistent_keepalive_s: peer.persistent_keepalive_s.unwrap_or(0),
            tx_bytes: counters.tx_bytes,
            rx_bytes: counters.rx_bytes,
            last_handshake_filetime: counters.last_handshake_filetime,
        };
        Some((info, peer.allowed_ips()))
    }
}

/// The fields of a peer's record that only an answer has.
struct Counters {
    tx_bytes: u64,
    rx_bytes: u64,
    last_handshake_filetime: u64,
}

impl Counters {
    /// Reads the record of a peer at `start`.
    fn read(abi: Abi, bytes: &[u8], start: usize) -> Result<Self, DecodeError> {
        let [tx_bytes, rx_bytes, last_handshake] = match abi {
            Abi::WireGuardNt => {
                use wireguard_nt::Peer;
                [
                    offset_of!(Peer, tx_bytes),
                    offset_of!(Peer, rx_bytes),
                    offset_of!(Peer, last_handshake),
                ]
            }
            Abi::Native | Abi::OvpnDco => {
                use native::Peer;
                [
                    offset_of!(Peer, tx_bytes),
                    offset_of!(Peer, rx_bytes),
                    offset_of!(Peer, last_handshake),
                ]
            }
        };
        let word = |offset: usize| u64_at(bytes, start.saturating_add(offset));
        Ok(Self {
            tx_bytes: word(tx_bytes)?,
            rx_bytes: word(rx_bytes)?,
            last_handshake_filetime: word(last_handshake)?,
        })
    }
}

/// The key of an answer; `None` for a key of zeros.
fn key(change: KeyChange<'_>) -> Option<&[u8; KEY_BYTES]> {
    match change {
        KeyChange::Set(key) => Some(key),
        KeyChange::Clear => None,
    }
}
