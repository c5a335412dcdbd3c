//! Requests of WireGuardNT's ABI, judged.

use core::mem::offset_of;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    AF_INET, AF_INET6, ALLOWED_IP_REMOVE, AllowedIp, INTERFACE_FLAGS, INTERFACE_HAS_LISTEN_PORT,
    INTERFACE_HAS_PRIVATE_KEY, INTERFACE_REPLACE_PEERS, IOCTL_GET, IOCTL_READ_LOG_LINE, IOCTL_SET,
    IOCTL_SET_ADAPTER_STATE, Interface, MAX_PEERS, PEER_FLAGS, PEER_HAS_ENDPOINT,
    PEER_HAS_PERSISTENT_KEEPALIVE, PEER_HAS_PRESHARED_KEY, PEER_HAS_PROTOCOL_VERSION,
    PEER_HAS_PUBLIC_KEY, PEER_REMOVE, PEER_REPLACE_ALLOWED_IPS, PEER_UPDATE_ONLY, Peer, STATE_DOWN,
    STATE_QUERY, STATE_UP, decode_sockaddr,
};
use crate::bytes::{array, u8_at, u16_at, u32_at};
use crate::command::{
    AdapterState, AllowedIpChange, AllowedIps, Command, Configure, KeyChange, PeerAction,
    PeerChange, Peers,
};
use crate::{Abi, DecodeError, DecodeErrorKind, KEY_BYTES};

/// Decodes an IOCTL of this ABI; `None` where the code is not of it.
pub fn decode(code: u32, input: &[u8]) -> Result<Option<Command<'_>>, DecodeError> {
    Ok(Some(match code {
        IOCTL_GET => Command::QueryConfiguration(Abi::WireGuardNt),
        IOCTL_SET => Command::Configure(configure(input)?),
        IOCTL_SET_ADAPTER_STATE => state(input)?,
        IOCTL_READ_LOG_LINE => Command::ReadLogLine,
        _ => return Ok(None),
    }))
}

/// Decodes and judges a whole configuration. Bytes behind the last record are allowed.
pub fn configure(bytes: &[u8]) -> Result<Configure<'_>, DecodeError> {
    let flags = u32_at(bytes, offset_of!(Interface, flags))?;
    require_flags(flags, INTERFACE_FLAGS, 0)?;
    let listen_port = u16_at(bytes, offset_of!(Interface, listen_port))?;
    let private_key = array(bytes, offset_of!(Interface, private_key))?;
    let peers_count_offset = offset_of!(Interface, peers_count);
    let peers_count = u32_at(bytes, peers_count_offset)?;
    array::<{ Interface::SIZE }>(bytes, 0)?;
    if peers_count > MAX_PEERS {
        return Err(DecodeError::new(DecodeErrorKind::TooManyPeers, peers_count_offset));
    }
    let mut configure = Configure {
        listen_port: (flags & INTERFACE_HAS_LISTEN_PORT != 0).then_some(listen_port),
        replace_peers: flags & INTERFACE_REPLACE_PEERS != 0,
        private_key: (flags & INTERFACE_HAS_PRIVATE_KEY != 0).then(|| key_change(private_key)),
        peers: Peers {
            abi: Abi::WireGuardNt,
            bytes,
            offset: Interface::SIZE,
            remaining: peers_count,
        },
        consumed_bytes: 0,
    };
    configure.validate()?;
    Ok(configure)
}

pub(crate) fn next_peer<'a>(peers: &mut Peers<'a>) -> Result<Option<PeerChange<'a>>, DecodeError> {
    let Some(remaining) = peers.remaining.checked_sub(1) else {
        return Ok(None);
    };
    let (bytes, start) = (peers.bytes, peers.offset);
    let record: &[u8; Peer::SIZE] = array(bytes, start)?;
    let flags = u32_at(record, offset_of!(Peer, flags))?;
    require_flags(flags, PEER_FLAGS, start)?;
    if flags & PEER_HAS_PUBLIC_KEY == 0 {
        return Err(DecodeError::new(DecodeErrorKind::MissingPublicKey, start));
    }
    let version = u32_at(record, offset_of!(Peer, protocol_version))?;
    if flags & PEER_HAS_PROTOCOL_VERSION != 0 && version > 1 {
        return Err(DecodeError::new(
            DecodeErrorKind::UnsupportedVersion,
            start.saturating_add(offset_of!(Peer, protocol_version)),
        ));
    }
    let endpoint = if flags & PEER_HAS_ENDPOINT != 0 {
        decode_sockaddr(bytes, start.saturating_add(offset_of!(Peer, endpoint)))?
    } else {
        None
    };
    let keepalive = u16_at(record, offset_of!(Peer, persistent_keepalive))?;
    let preshared_key = array(record, offset_of!(Peer, preshared_key))?;
    let count = u32_at(record, offset_of!(Peer, allowed_ips_count))?;
    let first = start.saturating_add(Peer::SIZE);
    let end = usize::try_from(count)
        .ok()
        .and_then(|count| count.checked_mul(AllowedIp::SIZE))
        .and_then(|size| first.checked_add(size))
        .filter(|&end| end <= bytes.len())
        .ok_or(DecodeError::new(
            DecodeErrorKind::Truncated,
            start.saturating_add(offset_of!(Peer, allowed_ips_count)),
        ))?;
    peers.remaining = remaining;
    peers.offset = end;
    Ok(Some(PeerChange {
        public_key: array(record, offset_of!(Peer, public_key))?,
        action: match flags & (PEER_REMOVE | PEER_UPDATE_ONLY) {
            0 => PeerAction::CreateOrUpdate,
            PEER_UPDATE_ONLY => PeerAction::UpdateOnly,
            _ => PeerAction::Remove,
        },
        preshared_key: (flags & PEER_HAS_PRESHARED_KEY != 0).then(|| key_change(preshared_key)),
        endpoint,
        replace_allowed_ips: flags & PEER_REPLACE_ALLOWED_IPS != 0,
        persistent_keepalive_s: (flags & PEER_HAS_PERSISTENT_KEEPALIVE != 0).then_some(keepalive),
        allowed_ips: AllowedIps { abi: Abi::WireGuardNt, bytes, offset: first, remaining: count },
    }))
}

pub(crate) fn next_allowed_ip(
    allowed_ips: &mut AllowedIps<'_>,
) -> Result<Option<AllowedIpChange>, DecodeError> {
    let Some(remaining) = allowed_ips.remaining.checked_sub(1) else {
        return Ok(None);
    };
    let start = allowed_ips.offset;
    let record: &[u8; AllowedIp::SIZE] = array(allowed_ips.bytes, start)?;
    let address: &[u8; 16] = array(record, offset_of!(AllowedIp, address))?;
    let address = match u16_at(record, offset_of!(AllowedIp, address_family))? {
        AF_INET => IpAddr::V4(Ipv4Addr::from(*array::<4>(address, 0)?)),
        AF_INET6 => IpAddr::V6(Ipv6Addr::from(*address)),
        _ => {
            return Err(DecodeError::new(
                DecodeErrorKind::BadAddressFamily,
                start.saturating_add(offset_of!(AllowedIp, address_family)),
            ));
        }
    };
    let prefix_length = u8_at(record, offset_of!(AllowedIp, cidr))?;
    // Only the one bit counts: callers built before the word had a meaning leave garbage in it.
    let remove = u32_at(record, offset_of!(AllowedIp, flags))? & ALLOWED_IP_REMOVE != 0;
    let change = AllowedIpChange::new(address, prefix_length, remove).ok_or(DecodeError::new(
        DecodeErrorKind::BadPrefixLength,
        start.saturating_add(offset_of!(AllowedIp, cidr)),
    ))?;
    allowed_ips.remaining = remaining;
    allowed_ips.offset = start.saturating_add(AllowedIp::SIZE);
    Ok(Some(change))
}

fn state(input: &[u8]) -> Result<Command<'static>, DecodeError> {
    let Ok(word) = <[u8; 4]>::try_from(input) else {
        return Err(DecodeError::new(DecodeErrorKind::BadSize, 0));
    };
    match u32::from_le_bytes(word) {
        STATE_DOWN => Ok(Command::SetState(AdapterState::Down)),
        STATE_UP => Ok(Command::SetState(AdapterState::Up)),
        STATE_QUERY => Ok(Command::QueryState),
        _ => Err(DecodeError::new(DecodeErrorKind::BadState, 0)),
    }
}

fn key_change(key: &[u8; KEY_BYTES]) -> KeyChange<'_> {
    if is_zero(key) { KeyChange::Clear } else { KeyChange::Set(key) }
}

/// Whether a key is all zeroes, in constant time.
pub(crate) fn is_zero(key: &[u8; KEY_BYTES]) -> bool {
    key.iter().fold(0, |seen, byte| seen | byte) == 0
}

fn require_flags(flags: u32, known: u32, offset: usize) -> Result<(), DecodeError> {
    if flags & !known != 0 {
        return Err(DecodeError::new(DecodeErrorKind::BadFlags, offset));
    }
    Ok(())
}
