//! Answers of the native ABI: encoded by the driver, decoded by the SDK.
//!
//! The codes are METHOD_BUFFERED, so an answer never has more bytes than its output. An answer that
//! does not fit is cut after its last whole record; [`Reply`] has the size of the whole answer.

use core::mem::offset_of;
use core::net::SocketAddr;

use super::VERSION;
use super::encode::{put_header, start_record};
use super::flags::{InterfaceFlags, PeerFlags};
use super::read::{kind_at, record};
use super::records::{Adapter, Event, Interface, Kind, Peer, Reply, Statistics, Version};
use crate::bytes::{array, is_zero, put, u16_at, u32_at, u64_at};
use crate::values::{AdapterId, AdapterState, Encoded, InterfaceInfo, PeerInfo};
use crate::{DecodeError, DecodeErrorKind, KEY_BYTES, sockaddr};

/// Versions and capabilities of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionInfo {
    /// The newest version of the ABI that it implements.
    pub abi_version: u32,
    /// Its own version: major in the high half, minor in the low.
    pub driver_version: u32,
    /// The capability bits: `CAPABILITY_*` and those of [`crate::protocol`].
    pub capabilities: u64,
}

/// Identity and state of an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdapterInfo<'a> {
    /// Its GUID.
    pub adapter: AdapterId,
    /// Its `NET_LUID`.
    pub luid: u64,
    /// MTU in bytes.
    pub mtu_bytes: u32,
    /// The number of its protocol, see [`crate::protocol`].
    pub protocol: u32,
    /// Its state.
    pub state: AdapterState,
    /// Whether its link is connected.
    pub is_connected: bool,
    /// The bound or requested UDP port; 0 for none.
    pub listen_port: u16,
    /// The number of its peers.
    pub peers_count: u32,
    /// Its name, UTF-8, at most 256 bytes.
    pub name: &'a [u8],
}

/// Traffic counters of an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Packets to peers.
    pub tx_packets: u64,
    /// Their bytes.
    pub tx_bytes: u64,
    /// Packets from peers.
    pub rx_packets: u64,
    /// Their bytes.
    pub rx_bytes: u64,
}

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EventKind {
    /// A handshake was completed.
    HandshakeCompleted = 1,
    /// The peer did not answer: the handshake was abandoned.
    HandshakeAbandoned = 2,
    /// The peer's address has changed.
    EndpointMoved = 3,
}

/// An event of an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventInfo {
    /// The adapter.
    pub adapter: AdapterId,
    /// The event's number among the adapter's events.
    pub sequence: u64,
    /// The time, in 100 ns units since 1601-01-01 UTC.
    pub time_filetime: u64,
    /// The kind of event.
    pub kind: EventKind,
    /// The peer's public key.
    pub public_key: [u8; KEY_BYTES],
    /// The peer's address, if known.
    pub endpoint: Option<SocketAddr>,
}

/// Writes a [`Version`]; `None` if it does not fit. Returns the number of bytes written.
pub fn version(info: &VersionInfo, output: &mut [u8]) -> Option<usize> {
    let mut bytes = start_record::<{ Version::SIZE }>(Kind::Version);
    put(&mut bytes, offset_of!(Version, abi_version), &info.abi_version.to_le_bytes());
    put(&mut bytes, offset_of!(Version, driver_version), &info.driver_version.to_le_bytes());
    put(&mut bytes, offset_of!(Version, capabilities), &info.capabilities.to_le_bytes());
    write(&bytes, output)
}

/// Reads a [`Version`].
pub fn decode_version(bytes: &[u8]) -> Result<VersionInfo, DecodeError> {
    let record = record(bytes, 0, Kind::Version, Version::SIZE)?;
    Ok(VersionInfo {
        abi_version: u32_at(record, offset_of!(Version, abi_version))?,
        driver_version: u32_at(record, offset_of!(Version, driver_version))?,
        capabilities: u64_at(record, offset_of!(Version, capabilities))?,
    })
}

/// Writes [`Statistics`] with as many discard counters as are given; `None` if it does not fit.
pub fn statistics(
    adapter: AdapterId,
    traffic: &Traffic,
    discards: &[u64],
    output: &mut [u8],
) -> Option<usize> {
    let size = discards.len().checked_mul(8)?.checked_add(Statistics::SIZE)?;
    let count = u32::try_from(discards.len()).ok()?;
    let record = output.get_mut(..size)?;
    record.fill(0);
    put_header(record, Kind::Statistics, size);
    put(record, offset_of!(Statistics, adapter), &adapter.0);
    put(record, offset_of!(Statistics, tx_packets), &traffic.tx_packets.to_le_bytes());
    put(record, offset_of!(Statistics, tx_bytes), &traffic.tx_bytes.to_le_bytes());
    put(record, offset_of!(Statistics, rx_packets), &traffic.rx_packets.to_le_bytes());
    put(record, offset_of!(Statistics, rx_bytes), &traffic.rx_bytes.to_le_bytes());
    put(record, offset_of!(Statistics, discard_count), &count.to_le_bytes());
    let (words, _) = record.get_mut(Statistics::SIZE..)?.as_chunks_mut::<8>();
    for (word, discard) in words.iter_mut().zip(discards) {
        *word = discard.to_le_bytes();
    }
    Some(size)
}

/// Reads [`Statistics`]: the traffic, and the discard counters in order.
pub fn decode_statistics(
    bytes: &[u8],
) -> Result<(Traffic, impl Iterator<Item = u64> + '_), DecodeError> {
    let header: &[u8; Statistics::SIZE] = array(bytes, 0)?;
    let count_offset = offset_of!(Statistics, discard_count);
    let size = usize::try_from(u32_at(header, count_offset)?)
        .ok()
        .and_then(|count| count.checked_mul(8))
        .and_then(|counters| counters.checked_add(Statistics::SIZE))
        .ok_or(DecodeError::new(DecodeErrorKind::Truncated, count_offset))?;
    let record = record(bytes, 0, Kind::Statistics, size)?;
    let counters = record
        .get(Statistics::SIZE..size)
        .ok_or(DecodeError::new(DecodeErrorKind::Truncated, count_offset))?;
    let traffic = Traffic {
        tx_packets: u64_at(record, offset_of!(Statistics, tx_packets))?,
        tx_bytes: u64_at(record, offset_of!(Statistics, tx_bytes))?,
        rx_packets: u64_at(record, offset_of!(Statistics, rx_packets))?,
        rx_bytes: u64_at(record, offset_of!(Statistics, rx_bytes))?,
    };
    Ok((traffic, counters.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word))))
}

/// Writes an [`Event`]; `None` if it does not fit.
pub fn event(info: &EventInfo, output: &mut [u8]) -> Option<usize> {
    let mut bytes = start_record::<{ Event::SIZE }>(Kind::Event);
    put(&mut bytes, offset_of!(Event, adapter), &info.adapter.0);
    put(&mut bytes, offset_of!(Event, sequence), &info.sequence.to_le_bytes());
    put(&mut bytes, offset_of!(Event, time), &info.time_filetime.to_le_bytes());
    put(&mut bytes, offset_of!(Event, event), &(info.kind as u32).to_le_bytes());
    put(&mut bytes, offset_of!(Event, public_key), &info.public_key);
    if let Some(endpoint) = &info.endpoint {
        put(&mut bytes, offset_of!(Event, endpoint), &sockaddr::encode(endpoint));
    }
    write(&bytes, output)
}

/// Reads an [`Event`]; `None` if this version does not know its kind.
pub fn decode_event(bytes: &[u8]) -> Result<Option<EventInfo>, DecodeError> {
    let record = record(bytes, 0, Kind::Event, Event::SIZE)?;
    let kind = match u32_at(record, offset_of!(Event, event))? {
        1 => EventKind::HandshakeCompleted,
        2 => EventKind::HandshakeAbandoned,
        3 => EventKind::EndpointMoved,
        _ => return Ok(None),
    };
    Ok(Some(EventInfo {
        adapter: AdapterId(*array(record, offset_of!(Event, adapter))?),
        sequence: u64_at(record, offset_of!(Event, sequence))?,
        time_filetime: u64_at(record, offset_of!(Event, time))?,
        kind,
        public_key: *array(record, offset_of!(Event, public_key))?,
        endpoint: sockaddr::decode_endpoint(record, offset_of!(Event, endpoint))?,
    }))
}

/// Writes a [`Reply`] and [`Adapter`]s: whole records while they fit, and the size of all.
pub struct AdapterEncoder<'o>(RecordWriter<'o>);

impl<'o> AdapterEncoder<'o> {
    /// An answer without adapters.
    pub fn new(output: &'o mut [u8]) -> Self {
        Self(RecordWriter::new(output))
    }

    /// Adds an adapter.
    pub fn adapter(&mut self, info: &AdapterInfo<'_>) {
        let mut bytes = start_record::<{ Adapter::SIZE }>(Kind::Adapter);
        let name = info.name.get(..256).unwrap_or(info.name);
        let name_bytes = u16::try_from(name.len()).unwrap_or(0);
        put(&mut bytes, offset_of!(Adapter, adapter), &info.adapter.0);
        put(&mut bytes, offset_of!(Adapter, luid), &info.luid.to_le_bytes());
        put(&mut bytes, offset_of!(Adapter, mtu), &info.mtu_bytes.to_le_bytes());
        put(&mut bytes, offset_of!(Adapter, protocol), &info.protocol.to_le_bytes());
        put(&mut bytes, offset_of!(Adapter, state), &(info.state as u32).to_le_bytes());
        let link_state = u32::from(info.is_connected);
        put(&mut bytes, offset_of!(Adapter, link_state), &link_state.to_le_bytes());
        put(&mut bytes, offset_of!(Adapter, listen_port), &info.listen_port.to_le_bytes());
        put(&mut bytes, offset_of!(Adapter, name_bytes), &name_bytes.to_le_bytes());
        put(&mut bytes, offset_of!(Adapter, peers_count), &info.peers_count.to_le_bytes());
        put(&mut bytes, offset_of!(Adapter, name), name);
        self.0.append(&bytes);
    }

    /// Ends the answer. If not even the [`Reply`] fits, nothing is written.
    pub fn finish(self) -> Encoded {
        self.0.finish()
    }
}

/// Writes a [`Reply`] and records behind it: whole ones while they fit, and the size of all.
pub(super) struct RecordWriter<'o> {
    output: &'o mut [u8],
    encoded: Encoded,
}

impl<'o> RecordWriter<'o> {
    pub(super) fn new(output: &'o mut [u8]) -> Self {
        let mut writer = Self { output, encoded: Encoded { required_bytes: 0, written_bytes: 0 } };
        writer.append(&encode_reply(0));
        writer
    }

    pub(super) fn finish(self) -> Encoded {
        let reply = encode_reply(self.encoded.required_bytes);
        if self.encoded.written_bytes >= reply.len() {
            put(self.output, 0, &reply);
        }
        self.encoded
    }

    pub(super) fn append(&mut self, record: &[u8]) {
        let start = usize::try_from(self.encoded.required_bytes).unwrap_or(usize::MAX);
        let length = record.len() as u64;
        self.encoded.required_bytes = self.encoded.required_bytes.saturating_add(length);
        let end = start.saturating_add(record.len());
        if let Some(field) = self.output.get_mut(start..end) {
            field.copy_from_slice(record);
            self.encoded.written_bytes = end;
        }
    }
}

/// Checks the [`Reply`] at the start of a whole answer. Returns the offset of the record behind it.
pub(crate) fn whole_reply(bytes: &[u8]) -> Result<usize, DecodeError> {
    let reply = record(bytes, 0, Kind::Reply, Reply::SIZE)?;
    let offset = offset_of!(Reply, required_bytes);
    if usize::try_from(u64_at(reply, offset)?) != Ok(bytes.len()) {
        return Err(DecodeError::new(DecodeErrorKind::Truncated, offset));
    }
    Ok(reply.len())
}

/// Reads the [`Adapter`]s of a whole answer.
pub fn decode_adapters(bytes: &[u8]) -> Result<Adapters<'_>, DecodeError> {
    let reply = record(bytes, 0, Kind::Reply, Reply::SIZE)?;
    let adapters = Adapters { bytes, offset: reply.len() };
    let mut walk = adapters;
    while walk.step()?.is_some() {}
    Ok(adapters)
}

/// The adapters of an answer.
#[derive(Clone, Copy)]
pub struct Adapters<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Adapters<'a> {
    fn step(&mut self) -> Result<Option<AdapterInfo<'a>>, DecodeError> {
        let start = self.offset;
        if start >= self.bytes.len() {
            return Ok(None);
        }
        let record = record(self.bytes, start, Kind::Adapter, Adapter::SIZE)?;
        let at = |offset: usize| start.saturating_add(offset);
        let name_bytes = usize::from(u16_at(record, offset_of!(Adapter, name_bytes))?);
        let name: &[u8; 256] = array(record, offset_of!(Adapter, name))?;
        let info = AdapterInfo {
            adapter: AdapterId(*array(record, offset_of!(Adapter, adapter))?),
            luid: u64_at(record, offset_of!(Adapter, luid))?,
            mtu_bytes: u32_at(record, offset_of!(Adapter, mtu))?,
            protocol: u32_at(record, offset_of!(Adapter, protocol))?,
            state: match u32_at(record, offset_of!(Adapter, state))? {
                0 => AdapterState::Down,
                1 => AdapterState::Up,
                _ => {
                    let offset = at(offset_of!(Adapter, state));
                    return Err(DecodeError::new(DecodeErrorKind::BadState, offset));
                }
            },
            is_connected: u32_at(record, offset_of!(Adapter, link_state))? != 0,
            listen_port: u16_at(record, offset_of!(Adapter, listen_port))?,
            peers_count: u32_at(record, offset_of!(Adapter, peers_count))?,
            name: name.get(..name_bytes).ok_or(DecodeError::new(
                DecodeErrorKind::BadSize,
                at(offset_of!(Adapter, name_bytes)),
            ))?,
        };
        self.offset = start.saturating_add(record.len());
        Ok(Some(info))
    }
}

impl<'a> Iterator for Adapters<'a> {
    type Item = AdapterInfo<'a>;

    fn next(&mut self) -> Option<AdapterInfo<'a>> {
        self.step().ok().flatten()
    }
}

/// The size of the whole answer, if `bytes` starts with a [`Reply`].
pub fn required_bytes(bytes: &[u8]) -> Option<u64> {
    if kind_at(bytes, 0) != Some(Kind::Reply as u16) {
        return None;
    }
    u64_at(bytes, offset_of!(Reply, required_bytes)).ok()
}

/// The start of an answer of several records.
pub(crate) fn encode_reply(required_bytes: u64) -> [u8; Reply::SIZE] {
    let mut bytes = start_record::<{ Reply::SIZE }>(Kind::Reply);
    put(&mut bytes, offset_of!(Reply, required_bytes), &required_bytes.to_le_bytes());
    bytes
}

pub(crate) fn encode_interface_info(interface: &InterfaceInfo<'_>) -> [u8; Interface::SIZE] {
    let mut bytes = start_record::<{ Interface::SIZE }>(Kind::Interface);
    let mut flags = InterfaceFlags::empty();
    put(&mut bytes, offset_of!(Interface, adapter), &interface.adapter.0);
    if let Some(port) = interface.listen_port {
        flags |= InterfaceFlags::HAS_LISTEN_PORT;
        put(&mut bytes, offset_of!(Interface, listen_port), &port.to_le_bytes());
    }
    if let Some(key) = interface.private_key.filter(|key| !is_zero(key)) {
        flags |= InterfaceFlags::HAS_PRIVATE_KEY;
        put(&mut bytes, offset_of!(Interface, private_key), key);
    }
    if let Some(key) = interface.public_key {
        flags |= InterfaceFlags::HAS_PUBLIC_KEY;
        put(&mut bytes, offset_of!(Interface, public_key), key);
    }
    put(&mut bytes, offset_of!(Interface, flags), &flags.bits().to_le_bytes());
    bytes
}

pub(crate) fn encode_peer_info(peer: &PeerInfo<'_>) -> [u8; Peer::SIZE] {
    let mut bytes = start_record::<{ Peer::SIZE }>(Kind::Peer);
    let mut flags = PeerFlags::HAS_PERSISTENT_KEEPALIVE;
    put(&mut bytes, offset_of!(Peer, public_key), peer.public_key);
    if let Some(key) = peer.preshared_key.filter(|key| !is_zero(key)) {
        flags |= PeerFlags::HAS_PRESHARED_KEY;
        put(&mut bytes, offset_of!(Peer, preshared_key), key);
    }
    let keepalive = peer.persistent_keepalive_s.to_le_bytes();
    put(&mut bytes, offset_of!(Peer, persistent_keepalive), &keepalive);
    if let Some(endpoint) = peer.endpoint.filter(|endpoint| endpoint.port() != 0) {
        flags |= PeerFlags::HAS_ENDPOINT;
        put(&mut bytes, offset_of!(Peer, endpoint), &sockaddr::encode(&endpoint));
    }
    put(&mut bytes, offset_of!(Peer, tx_bytes), &peer.tx_bytes.to_le_bytes());
    put(&mut bytes, offset_of!(Peer, rx_bytes), &peer.rx_bytes.to_le_bytes());
    let handshake = peer.last_handshake_filetime.to_le_bytes();
    put(&mut bytes, offset_of!(Peer, last_handshake), &handshake);
    put(&mut bytes, offset_of!(Peer, flags), &flags.bits().to_le_bytes());
    bytes
}

fn write(record: &[u8], output: &mut [u8]) -> Option<usize> {
    output.get_mut(..record.len())?.copy_from_slice(record);
    Some(record.len())
}

/// The version of the ABI.
pub const ABI_VERSION: u32 = VERSION as u32;
