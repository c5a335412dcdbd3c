//! Decodes requests of data channels.

use core::mem::offset_of;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::num::NonZeroU64;

use super::flags::{KeyFlags, ListenFlags, NewPeerFlags, SetPeerFlags};
use super::records::{Datagram, Key, Listen, NewPeer, Route, SelectPeer, SetMode, SetPeer};
use super::{
    CHANNEL_ONLY_PEER, IOCTL_CHANNEL_ADD_ROUTE, IOCTL_CHANNEL_DELETE_KEY,
    IOCTL_CHANNEL_DELETE_PEER, IOCTL_CHANNEL_INSTALL_KEY, IOCTL_CHANNEL_LISTEN,
    IOCTL_CHANNEL_NEW_PEER, IOCTL_CHANNEL_OWN, IOCTL_CHANNEL_QUERY, IOCTL_CHANNEL_READ_CONTROL,
    IOCTL_CHANNEL_READ_EVENT, IOCTL_CHANNEL_REMOVE_ROUTE, IOCTL_CHANNEL_SEND_CONTROL,
    IOCTL_CHANNEL_SET_MODE, IOCTL_CHANNEL_SET_PEER, IOCTL_CHANNEL_START, IOCTL_CHANNEL_STOP,
    IOCTL_CHANNEL_SWAP_KEYS,
};
use crate::bytes::{array, u8_at, u16_at, u32_at, u64_at};
use crate::command::{self, Request};
use crate::data_channel::{
    self, Command, ControlDatagram, DirectionKey, InstallKey, KeyMaterial, MAX_CONTROL_BYTES,
    MAX_KEY_ID, Mode, PeerSelector, Prefix, Slot, Suite, Transport, UNDEFINED_PEER_ID,
};
use crate::flags::flags_at;
use crate::native::Select;
use crate::native::read::{adapter, record, require_zero, single};
use crate::native::records::Kind;
use crate::{Abi, DecodeError, DecodeErrorKind, sockaddr};

/// Offset of the adapter's GUID in every request.
const ADAPTER: usize = offset_of!(Select, adapter);

/// Decodes an IOCTL of data channels; `None` if it is not one.
pub(crate) fn decode(code: u32, input: &[u8]) -> Result<Option<Request<'_>>, DecodeError> {
    let command = match code {
        IOCTL_CHANNEL_SET_MODE => set_mode(input)?,
        IOCTL_CHANNEL_LISTEN => listen(input)?,
        IOCTL_CHANNEL_NEW_PEER => new_peer(input)?,
        IOCTL_CHANNEL_DELETE_PEER => Command::DeletePeer(select_peer(input)?),
        IOCTL_CHANNEL_SET_PEER => set_peer(input)?,
        IOCTL_CHANNEL_INSTALL_KEY => install_key(input)?,
        IOCTL_CHANNEL_SWAP_KEYS => Command::SwapKeys(select_peer(input)?),
        IOCTL_CHANNEL_DELETE_KEY => delete_key(input)?,
        IOCTL_CHANNEL_ADD_ROUTE => {
            let prefix = prefix(input)?;
            Command::AddRoute(selector(u32_at(input, offset_of!(Route, peer))?), prefix)
        }
        IOCTL_CHANNEL_REMOVE_ROUTE => Command::RemoveRoute(prefix(input)?),
        IOCTL_CHANNEL_START => select(input, Command::Start)?,
        IOCTL_CHANNEL_STOP => select(input, Command::Stop)?,
        IOCTL_CHANNEL_OWN => select(input, Command::Own)?,
        IOCTL_CHANNEL_QUERY => select(input, Command::QueryPeers(None))?,
        IOCTL_CHANNEL_READ_EVENT => select(input, Command::ReadEvent)?,
        IOCTL_CHANNEL_SEND_CONTROL => Command::SendControl(datagram(input)?),
        IOCTL_CHANNEL_READ_CONTROL => select(input, Command::ReadControl)?,
        _ => return Ok(None),
    };
    Ok(Some(Request {
        adapter: adapter(input, ADAPTER)?,
        command: command::Command::DataChannel(Abi::Native, command),
    }))
}

fn select<'a>(input: &[u8], command: Command<'a>) -> Result<Command<'a>, DecodeError> {
    single(input, Kind::Select, Select::SIZE)?;
    Ok(command)
}

fn set_mode(input: &[u8]) -> Result<Command<'static>, DecodeError> {
    single(input, Kind::ChannelSetMode, SetMode::SIZE)?;
    require_zero(input, offset_of!(SetMode, reserved), 4)?;
    let offset = offset_of!(SetMode, mode);
    let mode = match u32_at(input, offset)? {
        0 => Mode::PointToPoint,
        1 => Mode::MultiPeer,
        _ => return Err(DecodeError::new(DecodeErrorKind::BadMode, offset)),
    };
    Ok(Command::SetMode(mode))
}

fn listen(input: &[u8]) -> Result<Command<'static>, DecodeError> {
    single(input, Kind::ChannelListen, Listen::SIZE)?;
    let flags: ListenFlags = flags_at(input, offset_of!(Listen, flags))?;
    let offset = offset_of!(Listen, local);
    let local = sockaddr::decode(input, offset)?
        .ok_or(DecodeError::new(DecodeErrorKind::BadAddressFamily, offset))?;
    let v6_only = flags.contains(ListenFlags::V6_ONLY);
    Ok(Command::Listen(data_channel::Listen { local, v6_only }))
}

fn new_peer(input: &[u8]) -> Result<Command<'static>, DecodeError> {
    single(input, Kind::ChannelNewPeer, NewPeer::SIZE)?;
    let flags: NewPeerFlags = flags_at(input, offset_of!(NewPeer, flags))?;
    let receive_offset = offset_of!(NewPeer, receive_id);
    let receive_id = match u32_at(input, receive_offset)? {
        CHANNEL_ONLY_PEER => None,
        id if id < UNDEFINED_PEER_ID => Some(id),
        _ => return Err(DecodeError::new(DecodeErrorKind::BadPeerId, receive_offset)),
    };
    let transmit_id = transmit_id(
        input,
        offset_of!(NewPeer, transmit_id),
        flags.contains(NewPeerFlags::HAS_TRANSMIT_ID),
    )?;
    let local = sockaddr::decode(input, offset_of!(NewPeer, local))?;
    let remote_offset = offset_of!(NewPeer, remote);
    let remote = sockaddr::decode_endpoint(input, remote_offset)?
        .ok_or(DecodeError::new(DecodeErrorKind::BadAddressFamily, remote_offset))?;
    if local.is_some_and(|local| !are_of_one_family(&local, &remote)) {
        let offset = offset_of!(NewPeer, local);
        return Err(DecodeError::new(DecodeErrorKind::BadAddressFamily, offset));
    }
    let vpn4 = Ipv4Addr::from(*array::<4>(input, offset_of!(NewPeer, vpn4))?);
    let vpn6 = Ipv6Addr::from(*array::<16>(input, offset_of!(NewPeer, vpn6))?);
    Ok(Command::NewPeer(data_channel::NewPeer {
        receive_id,
        transmit_id,
        transport: Transport::Udp,
        local,
        remote,
        vpn4: (!vpn4.is_unspecified()).then_some(vpn4),
        vpn6: (!vpn6.is_unspecified()).then_some(vpn6),
    }))
}

/// Both IPv4, or both IPv6.
pub(crate) fn are_of_one_family(one: &SocketAddr, other: &SocketAddr) -> bool {
    one.is_ipv4() == other.is_ipv4()
}

fn select_peer(input: &[u8]) -> Result<PeerSelector, DecodeError> {
    single(input, Kind::ChannelSelectPeer, SelectPeer::SIZE)?;
    require_zero(input, offset_of!(SelectPeer, slot), 4)?;
    Ok(selector(u32_at(input, offset_of!(SelectPeer, peer))?))
}

fn delete_key(input: &[u8]) -> Result<Command<'static>, DecodeError> {
    single(input, Kind::ChannelSelectPeer, SelectPeer::SIZE)?;
    let peer = selector(u32_at(input, offset_of!(SelectPeer, peer))?);
    Ok(Command::DeleteKey(peer, slot(input, offset_of!(SelectPeer, slot))?))
}

fn set_peer(input: &[u8]) -> Result<Command<'static>, DecodeError> {
    single(input, Kind::ChannelSetPeer, SetPeer::SIZE)?;
    let flags: SetPeerFlags = flags_at(input, offset_of!(SetPeer, flags))?;
    require_zero(input, offset_of!(SetPeer, reserved), 4)?;
    let mss_offset = offset_of!(SetPeer, mss);
    let keepalive_s = u32_at(input, offset_of!(SetPeer, keepalive))?;
    let timeout_s = u32_at(input, offset_of!(SetPeer, timeout))?;
    let mss_bytes = u16::try_from(u32_at(input, mss_offset)?)
        .map_err(|_| DecodeError::new(DecodeErrorKind::BadSegmentSize, mss_offset))?;
    Ok(Command::SetPeer(data_channel::SetPeer {
        peer: selector(u32_at(input, offset_of!(SetPeer, peer))?),
        keepalive_s: flags.contains(SetPeerFlags::HAS_KEEPALIVE).then_some(keepalive_s),
        timeout_s: flags.contains(SetPeerFlags::HAS_TIMEOUT).then_some(timeout_s),
        mss_bytes: flags.contains(SetPeerFlags::HAS_MSS).then_some(mss_bytes),
    }))
}

fn install_key(input: &[u8]) -> Result<Command<'_>, DecodeError> {
    single(input, Kind::ChannelKey, Key::SIZE)?;
    let flags: KeyFlags = flags_at(input, offset_of!(Key, flags))?;
    let suite_offset = offset_of!(Key, suite);
    let suite = Suite::from_number(u32_at(input, suite_offset)?)
        .ok_or(DecodeError::new(DecodeErrorKind::BadSuite, suite_offset))?;
    let key_id_offset = offset_of!(Key, key_id);
    let key_id = u8::try_from(u32_at(input, key_id_offset)?)
        .ok()
        .filter(|&id| id <= MAX_KEY_ID)
        .ok_or(DecodeError::new(DecodeErrorKind::BadKeyId, key_id_offset))?;
    let (encrypt_key, encrypt_tail) =
        (offset_of!(Key, encrypt_key), offset_of!(Key, encrypt_nonce_tail));
    let (decrypt_key, decrypt_tail) =
        (offset_of!(Key, decrypt_key), offset_of!(Key, decrypt_nonce_tail));
    let material = if flags.contains(KeyFlags::EPOCH) {
        require_zero(input, encrypt_tail, 8)?;
        require_zero(input, decrypt_tail, 8)?;
        KeyMaterial::Epoch {
            encrypt: array(input, encrypt_key)?,
            decrypt: array(input, decrypt_key)?,
        }
    } else {
        KeyMaterial::Fixed {
            encrypt: direction_key(input, suite, encrypt_key, encrypt_tail)?,
            decrypt: direction_key(input, suite, decrypt_key, decrypt_tail)?,
        }
    };
    Ok(Command::InstallKey(InstallKey {
        peer: selector(u32_at(input, offset_of!(Key, peer))?),
        slot: slot(input, offset_of!(Key, slot))?,
        key_id,
        suite,
        material,
        transmit_id: transmit_id(
            input,
            offset_of!(Key, transmit_id),
            flags.contains(KeyFlags::HAS_TRANSMIT_ID),
        )?,
        packet_limit: NonZeroU64::new(u64_at(input, offset_of!(Key, packet_limit))?),
    }))
}

/// A key, which is padded with zeroes, and the tail of its nonces.
fn direction_key(
    input: &[u8],
    suite: Suite,
    key_offset: usize,
    tail_offset: usize,
) -> Result<DirectionKey<'_>, DecodeError> {
    let padded: &[u8; 32] = array(input, key_offset)?;
    let (key, padding) = padded
        .split_at_checked(suite.key_bytes())
        .ok_or(DecodeError::new(DecodeErrorKind::BadKeyLength, key_offset))?;
    require_zero(padding, 0, padding.len())
        .map_err(|_| DecodeError::new(DecodeErrorKind::ReservedNotZero, key_offset))?;
    Ok(DirectionKey { key, nonce_tail: array(input, tail_offset)? })
}

fn prefix(input: &[u8]) -> Result<Prefix, DecodeError> {
    single(input, Kind::ChannelRoute, Route::SIZE)?;
    require_zero(input, offset_of!(Route, reserved), 1)?;
    let address_offset = offset_of!(Route, address);
    let family_offset = offset_of!(Route, address_family);
    let address = sockaddr::ip_at(input, address_offset, u16_at(input, family_offset)?)?
        .ok_or(DecodeError::new(DecodeErrorKind::BadAddressFamily, family_offset))?;
    let length_offset = offset_of!(Route, prefix_length);
    Prefix::new(address, u8_at(input, length_offset)?)
        .ok_or(DecodeError::new(DecodeErrorKind::BadPrefixLength, length_offset))
}

/// A control datagram, to be sent or received.
pub(super) fn datagram(bytes: &[u8]) -> Result<ControlDatagram<'_>, DecodeError> {
    let count_offset = offset_of!(Datagram, data_bytes);
    let count = usize::try_from(u32_at(bytes, count_offset)?).unwrap_or(usize::MAX);
    if count == 0 || count > MAX_CONTROL_BYTES {
        return Err(DecodeError::new(DecodeErrorKind::BadDatagramLength, count_offset));
    }
    let end = Datagram::SIZE.saturating_add(count);
    let record = record(bytes, 0, Kind::ChannelDatagram, end)?;
    if record.len() != bytes.len() {
        return Err(DecodeError::new(DecodeErrorKind::BadSize, record.len()));
    }
    let data = record
        .get(Datagram::SIZE..end)
        .ok_or(DecodeError::new(DecodeErrorKind::Truncated, count_offset))?;
    let address = sockaddr::decode_endpoint(bytes, offset_of!(Datagram, address))?;
    Ok(ControlDatagram { address, data })
}

fn selector(peer: u32) -> PeerSelector {
    if peer == CHANNEL_ONLY_PEER { PeerSelector::Only } else { PeerSelector::Id(peer) }
}

fn slot(input: &[u8], offset: usize) -> Result<Slot, DecodeError> {
    match u32_at(input, offset)? {
        0 => Ok(Slot::Primary),
        1 => Ok(Slot::Secondary),
        _ => Err(DecodeError::new(DecodeErrorKind::BadSlot, offset)),
    }
}

fn transmit_id(input: &[u8], offset: usize, counts: bool) -> Result<Option<u32>, DecodeError> {
    let id = u32_at(input, offset)?;
    if counts && id > UNDEFINED_PEER_ID {
        return Err(DecodeError::new(DecodeErrorKind::BadPeerId, offset));
    }
    Ok(counts.then_some(id))
}
