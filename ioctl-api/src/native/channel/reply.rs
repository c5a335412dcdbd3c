//! Answers of data channels: encoded by the driver, decoded by the SDK.

use core::mem::offset_of;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::records::{Event, Info, Listen, PeerInfo};
use super::{
    CHANNEL_EVENT_DELETED, CHANNEL_EVENT_FLOATED, CHANNEL_EVENT_KEY_WANTED,
    CHANNEL_EVENT_TIMED_OUT, CHANNEL_EVENT_USAGE_LIMIT_NEAR, CHANNEL_ONLY_PEER, EPOCH_BIT, decode,
};
use crate::bytes::{array, put, u8_at, u16_at, u32_at, u64_at};
use crate::data_channel::{
    self, ChannelInfo, ControlDatagram, DeleteReason, EventInfo, EventKind, Mode, PeerTraffic,
    SlotInfo, Suite,
};
use crate::native::encode::start_record;
use crate::native::read::record;
use crate::native::records::{Kind, Reply};
use crate::native::reply::RecordWriter;
use crate::values::{AdapterId, Encoded};
use crate::{DecodeError, DecodeErrorKind, sockaddr};

/// An event with its adapter, number and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StampedEvent {
    /// The adapter.
    pub adapter: AdapterId,
    /// The event's number among the adapter's events.
    pub sequence: u64,
    /// The time, in 100 ns units since 1601-01-01 UTC.
    pub time_filetime: u64,
    /// The event.
    pub event: EventInfo,
}

/// Reads the address to which a socket was bound.
pub fn decode_listen(bytes: &[u8]) -> Result<SocketAddr, DecodeError> {
    let record = record(bytes, 0, Kind::ChannelListen, Listen::SIZE)?;
    let offset = offset_of!(Listen, local);
    sockaddr::decode(record, offset)?
        .ok_or(DecodeError::new(DecodeErrorKind::BadAddressFamily, offset))
}

/// Reads a control datagram.
pub fn decode_datagram(bytes: &[u8]) -> Result<ControlDatagram<'_>, DecodeError> {
    decode::datagram(bytes)
}

/// An event as a record.
pub fn event(stamped: &StampedEvent) -> [u8; Event::SIZE] {
    let mut bytes = start_record::<{ Event::SIZE }>(Kind::ChannelEvent);
    put(&mut bytes, offset_of!(Event, adapter), &stamped.adapter.0);
    put(&mut bytes, offset_of!(Event, sequence), &stamped.sequence.to_le_bytes());
    put(&mut bytes, offset_of!(Event, time), &stamped.time_filetime.to_le_bytes());
    let kind = match stamped.event.kind {
        EventKind::KeyWanted => CHANNEL_EVENT_KEY_WANTED,
        EventKind::UsageLimitNear => CHANNEL_EVENT_USAGE_LIMIT_NEAR,
        EventKind::TimedOut => CHANNEL_EVENT_TIMED_OUT,
        EventKind::Floated(address) => {
            put(&mut bytes, offset_of!(Event, address), &sockaddr::encode(&address));
            CHANNEL_EVENT_FLOATED
        }
        EventKind::Deleted(reason) => {
            put(&mut bytes, offset_of!(Event, reason), &(reason as u32).to_le_bytes());
            CHANNEL_EVENT_DELETED
        }
    };
    put(&mut bytes, offset_of!(Event, event), &kind.to_le_bytes());
    put(&mut bytes, offset_of!(Event, peer), &id(stamped.event.peer));
    bytes
}

/// Reads an [`Event`]; `None` if this version does not know its kind or reason.
pub fn decode_event(bytes: &[u8]) -> Result<Option<StampedEvent>, DecodeError> {
    let record = record(bytes, 0, Kind::ChannelEvent, Event::SIZE)?;
    let address_offset = offset_of!(Event, address);
    let kind = match u32_at(record, offset_of!(Event, event))? {
        CHANNEL_EVENT_KEY_WANTED => EventKind::KeyWanted,
        CHANNEL_EVENT_USAGE_LIMIT_NEAR => EventKind::UsageLimitNear,
        CHANNEL_EVENT_TIMED_OUT => EventKind::TimedOut,
        CHANNEL_EVENT_FLOATED => EventKind::Floated(
            sockaddr::decode_endpoint(record, address_offset)?
                .ok_or(DecodeError::new(DecodeErrorKind::BadAddressFamily, address_offset))?,
        ),
        CHANNEL_EVENT_DELETED => match u32_at(record, offset_of!(Event, reason))? {
            0 => EventKind::Deleted(DeleteReason::Teardown),
            1 => EventKind::Deleted(DeleteReason::Userspace),
            2 => EventKind::Deleted(DeleteReason::Expired),
            3 => EventKind::Deleted(DeleteReason::TransportError),
            4 => EventKind::Deleted(DeleteReason::TransportDisconnect),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    Ok(Some(StampedEvent {
        adapter: AdapterId(*array(record, offset_of!(Event, adapter))?),
        sequence: u64_at(record, offset_of!(Event, sequence))?,
        time_filetime: u64_at(record, offset_of!(Event, time))?,
        event: EventInfo { peer: known(u32_at(record, offset_of!(Event, peer))?), kind },
    }))
}

/// Encodes the answer to a query: whole records while they fit, and the size of all.
pub struct ChannelEncoder<'o>(RecordWriter<'o>);

impl<'o> ChannelEncoder<'o> {
    /// An answer without peers.
    pub fn new(output: &'o mut [u8], info: &ChannelInfo) -> Self {
        let mut writer = RecordWriter::new(output);
        let mut bytes = start_record::<{ Info::SIZE }>(Kind::ChannelInfo);
        put(&mut bytes, offset_of!(Info, mode), &(info.mode as u32).to_le_bytes());
        let is_started = u32::from(info.is_started);
        put(&mut bytes, offset_of!(Info, is_started), &is_started.to_le_bytes());
        if let Some(local) = &info.local {
            put(&mut bytes, offset_of!(Info, local), &sockaddr::encode(local));
        }
        put(&mut bytes, offset_of!(Info, peers_count), &info.peers_count.to_le_bytes());
        writer.append(&bytes);
        Self(writer)
    }

    /// Adds a peer.
    pub fn peer(&mut self, peer: &data_channel::PeerInfo) {
        let mut bytes = start_record::<{ PeerInfo::SIZE }>(Kind::ChannelPeerInfo);
        put(&mut bytes, offset_of!(PeerInfo, receive_id), &id(peer.receive_id));
        put(&mut bytes, offset_of!(PeerInfo, transmit_id), &id(peer.transmit_id));
        put(&mut bytes, offset_of!(PeerInfo, remote), &sockaddr::encode(&peer.remote));
        if let Some(address) = peer.vpn4 {
            put(&mut bytes, offset_of!(PeerInfo, vpn4), &address.octets());
        }
        if let Some(address) = peer.vpn6 {
            put(&mut bytes, offset_of!(PeerInfo, vpn6), &address.octets());
        }
        put(&mut bytes, offset_of!(PeerInfo, routes_count), &peer.routes_count.to_le_bytes());
        put(&mut bytes, offset_of!(PeerInfo, keepalive), &peer.keepalive_s.to_le_bytes());
        put(&mut bytes, offset_of!(PeerInfo, timeout), &peer.timeout_s.to_le_bytes());
        put(&mut bytes, offset_of!(PeerInfo, mss), &peer.mss_bytes.to_le_bytes());
        put(&mut bytes, offset_of!(PeerInfo, primary_suite), &slot(peer.primary));
        put(&mut bytes, offset_of!(PeerInfo, secondary_suite), &slot(peer.secondary));
        for (offset, value) in [
            (offset_of!(PeerInfo, rx_packets), peer.traffic.rx_packets),
            (offset_of!(PeerInfo, tx_packets), peer.traffic.tx_packets),
            (offset_of!(PeerInfo, link_rx_bytes), peer.traffic.link_rx_bytes),
            (offset_of!(PeerInfo, link_tx_bytes), peer.traffic.link_tx_bytes),
            (offset_of!(PeerInfo, vpn_rx_bytes), peer.traffic.vpn_rx_bytes),
            (offset_of!(PeerInfo, vpn_tx_bytes), peer.traffic.vpn_tx_bytes),
        ] {
            put(&mut bytes, offset, &value.to_le_bytes());
        }
        self.0.append(&bytes);
    }

    /// Ends the answer. If not even the [`Reply`] fits, nothing is written.
    pub fn finish(self) -> Encoded {
        self.0.finish()
    }
}

/// Reads the whole answer to a query.
pub fn decode_query(bytes: &[u8]) -> Result<(ChannelInfo, PeerInfos<'_>), DecodeError> {
    let reply = record(bytes, 0, Kind::Reply, Reply::SIZE)?;
    let start = reply.len();
    let info = record(bytes, start, Kind::ChannelInfo, Info::SIZE)?;
    let mode = match u32_at(info, offset_of!(Info, mode))? {
        0 => Mode::PointToPoint,
        1 => Mode::MultiPeer,
        _ => return Err(DecodeError::new(DecodeErrorKind::BadMode, start)),
    };
    let channel = ChannelInfo {
        mode,
        is_started: u32_at(info, offset_of!(Info, is_started))? != 0,
        local: sockaddr::decode(info, offset_of!(Info, local))?,
        peers_count: u32_at(info, offset_of!(Info, peers_count))?,
    };
    let peers = PeerInfos { bytes, offset: start.saturating_add(info.len()) };
    let mut walk = peers;
    while walk.step()?.is_some() {}
    Ok((channel, peers))
}

/// The peers of an answer.
#[derive(Clone, Copy)]
pub struct PeerInfos<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl PeerInfos<'_> {
    fn step(&mut self) -> Result<Option<data_channel::PeerInfo>, DecodeError> {
        let start = self.offset;
        if start >= self.bytes.len() {
            return Ok(None);
        }
        let record = record(self.bytes, start, Kind::ChannelPeerInfo, PeerInfo::SIZE)?;
        let remote_offset = offset_of!(PeerInfo, remote);
        let vpn4 = Ipv4Addr::from(*array::<4>(record, offset_of!(PeerInfo, vpn4))?);
        let vpn6 = Ipv6Addr::from(*array::<16>(record, offset_of!(PeerInfo, vpn6))?);
        let info = data_channel::PeerInfo {
            receive_id: known(u32_at(record, offset_of!(PeerInfo, receive_id))?),
            transmit_id: known(u32_at(record, offset_of!(PeerInfo, transmit_id))?),
            remote: sockaddr::decode(record, remote_offset)?
                .ok_or(DecodeError::new(DecodeErrorKind::BadAddressFamily, start))?,
            vpn4: (!vpn4.is_unspecified()).then_some(vpn4),
            vpn6: (!vpn6.is_unspecified()).then_some(vpn6),
            routes_count: u32_at(record, offset_of!(PeerInfo, routes_count))?,
            keepalive_s: u32_at(record, offset_of!(PeerInfo, keepalive))?,
            timeout_s: u32_at(record, offset_of!(PeerInfo, timeout))?,
            mss_bytes: u16_at(record, offset_of!(PeerInfo, mss))?,
            primary: slot_info(record, offset_of!(PeerInfo, primary_suite))?,
            secondary: slot_info(record, offset_of!(PeerInfo, secondary_suite))?,
            traffic: PeerTraffic {
                rx_packets: u64_at(record, offset_of!(PeerInfo, rx_packets))?,
                tx_packets: u64_at(record, offset_of!(PeerInfo, tx_packets))?,
                link_rx_bytes: u64_at(record, offset_of!(PeerInfo, link_rx_bytes))?,
                link_tx_bytes: u64_at(record, offset_of!(PeerInfo, link_tx_bytes))?,
                vpn_rx_bytes: u64_at(record, offset_of!(PeerInfo, vpn_rx_bytes))?,
                vpn_tx_bytes: u64_at(record, offset_of!(PeerInfo, vpn_tx_bytes))?,
            },
        };
        self.offset = start.saturating_add(record.len());
        Ok(Some(info))
    }
}

impl Iterator for PeerInfos<'_> {
    type Item = data_channel::PeerInfo;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().ok().flatten()
    }
}

/// A slot as the suite's number and the key id; [0, 0] if it is empty.
fn slot(info: Option<SlotInfo>) -> [u8; 2] {
    let Some(info) = info else { return [0, 0] };
    [info.suite as u8, info.key_id | if info.is_epoch { EPOCH_BIT } else { 0 }]
}

fn slot_info(record: &[u8], offset: usize) -> Result<Option<SlotInfo>, DecodeError> {
    let number = u8_at(record, offset)?;
    if number == 0 {
        return Ok(None);
    }
    let key_id = u8_at(record, offset.saturating_add(1))?;
    Ok(Some(SlotInfo {
        suite: Suite::from_number(number.into())
            .ok_or(DecodeError::new(DecodeErrorKind::BadSuite, offset))?,
        key_id: key_id & !EPOCH_BIT,
        is_epoch: key_id & EPOCH_BIT != 0,
    }))
}

fn id(peer: Option<u32>) -> [u8; 4] {
    peer.unwrap_or(CHANNEL_ONLY_PEER).to_le_bytes()
}

fn known(id: u32) -> Option<u32> {
    (id != CHANNEL_ONLY_PEER).then_some(id)
}
