//! Requests of the native ABI, judged.

use core::mem::offset_of;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::channel;
use super::records::{Header, Interface, Kind, Peer, Route, Select, SetState, SetTimerScale};
use super::{
    INTERFACE_CLEAR_PRIVATE_KEY, INTERFACE_HAS_LISTEN_PORT, INTERFACE_HAS_PRIVATE_KEY,
    INTERFACE_HAS_PUBLIC_KEY, INTERFACE_REPLACE_PEERS, IOCTL_LIST_ADAPTERS, IOCTL_QUERY_ADAPTER,
    IOCTL_QUERY_CONFIGURATION, IOCTL_QUERY_STATISTICS, IOCTL_QUERY_VERSION, IOCTL_READ_EVENT,
    IOCTL_SET_CONFIGURATION, IOCTL_SET_STATE, IOCTL_SET_TIMER_SCALE, PEER_CLEAR_PRESHARED_KEY,
    PEER_HAS_ENDPOINT, PEER_HAS_PERSISTENT_KEEPALIVE, PEER_HAS_PRESHARED_KEY, PEER_REMOVE,
    PEER_REPLACE_ROUTES, PEER_UPDATE_ONLY, ROUTE_REMOVE, VERSION,
};
use crate::bytes::{array, u8_at, u16_at, u32_at};
use crate::command::{
    AdapterId, AdapterState, AllowedIpChange, AllowedIps, Command, Configure, KeyChange,
    PeerAction, PeerChange, Peers, Request,
};
use crate::wireguard_nt::{AF_INET, AF_INET6, MAX_PEERS, decode_sockaddr, is_zero};
use crate::{Abi, DecodeError, DecodeErrorKind, KEY_BYTES};

const INTERFACE_FLAGS: u32 = 0x1F;
const PEER_FLAGS: u32 = 0x7F;

/// Decodes an IOCTL of this ABI; `None` where the code is not of it.
pub fn decode(code: u32, input: &[u8]) -> Result<Option<Request<'_>>, DecodeError> {
    let request = match code {
        IOCTL_QUERY_VERSION | IOCTL_LIST_ADAPTERS if !input.is_empty() => {
            return Err(DecodeError::new(DecodeErrorKind::BadSize, 0));
        }
        IOCTL_QUERY_VERSION => Request { adapter: None, command: Command::QueryVersion },
        IOCTL_LIST_ADAPTERS => Request { adapter: None, command: Command::ListAdapters },
        IOCTL_QUERY_ADAPTER => select(input, Command::QueryAdapter)?,
        IOCTL_QUERY_STATISTICS => select(input, Command::QueryStatistics)?,
        IOCTL_QUERY_CONFIGURATION => select(input, Command::QueryConfiguration(Abi::Native))?,
        IOCTL_READ_EVENT => select(input, Command::ReadEvent)?,
        IOCTL_SET_STATE => set_state(input)?,
        IOCTL_SET_CONFIGURATION => configure(input)?,
        IOCTL_SET_TIMER_SCALE => set_timer_scale(input)?,
        _ => return channel::decode(code, input),
    };
    Ok(Some(request))
}

/// Decodes and judges a whole configuration.
pub fn configure(bytes: &[u8]) -> Result<Request<'_>, DecodeError> {
    let record = record(bytes, 0, Kind::Interface, Interface::SIZE)?;
    let flags_offset = offset_of!(Interface, flags);
    let flags = u32_at(bytes, flags_offset)?;
    require_flags(flags, INTERFACE_FLAGS, flags_offset)?;
    require_zero(bytes, offset_of!(Interface, reserved), 2)?;
    let listen_port = u16_at(bytes, offset_of!(Interface, listen_port))?;
    let mut configure = Configure {
        listen_port: (flags & INTERFACE_HAS_LISTEN_PORT != 0).then_some(listen_port),
        replace_peers: flags & INTERFACE_REPLACE_PEERS != 0,
        private_key: key_change(
            bytes,
            offset_of!(Interface, private_key),
            flags & INTERFACE_HAS_PRIVATE_KEY != 0,
            flags & INTERFACE_CLEAR_PRIVATE_KEY != 0,
        )?,
        peers: Peers { abi: Abi::Native, bytes, offset: record.len(), remaining: MAX_PEERS },
        consumed_bytes: 0,
    };
    configure.validate()?;
    Ok(Request {
        adapter: adapter(bytes, offset_of!(Interface, adapter))?,
        command: Command::Configure(configure),
    })
}

/// The kind of the record at `start`, if a header is there.
pub(super) fn kind_at(bytes: &[u8], start: usize) -> Option<u16> {
    u16_at(bytes, start.checked_add(offset_of!(Header, kind))?).ok()
}

/// The whole record at `start`, which must be of this kind and at least this size.
pub(super) fn record(
    bytes: &[u8],
    start: usize,
    kind: Kind,
    known_bytes: usize,
) -> Result<&[u8], DecodeError> {
    let size = any_record(bytes, start)?;
    if kind_at(bytes, start) != Some(kind as u16) {
        return Err(DecodeError::new(DecodeErrorKind::UnexpectedRecord, start));
    }
    let Some((known, unknown)) = size.split_at_checked(known_bytes) else {
        return Err(DecodeError::new(DecodeErrorKind::BadSize, start));
    };
    if unknown.iter().any(|&byte| byte != 0) {
        let offset = start.saturating_add(known.len());
        return Err(DecodeError::new(DecodeErrorKind::UnsupportedVersion, offset));
    }
    Ok(size)
}

/// The record at `start`, of whatever kind: version and size are judged.
fn any_record(bytes: &[u8], start: usize) -> Result<&[u8], DecodeError> {
    let header: &[u8; Header::SIZE] = array(bytes, start)?;
    let size = u32_at(header, offset_of!(Header, size))?;
    if u16_at(header, offset_of!(Header, version))? != VERSION {
        return Err(DecodeError::new(DecodeErrorKind::UnsupportedVersion, start));
    }
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if size < Header::SIZE || !size.is_multiple_of(8) {
        return Err(DecodeError::new(DecodeErrorKind::BadSize, start));
    }
    start
        .checked_add(size)
        .and_then(|end| bytes.get(start..end))
        .ok_or(DecodeError::new(DecodeErrorKind::Truncated, start))
}

pub(crate) fn next_peer<'a>(peers: &mut Peers<'a>) -> Result<Option<PeerChange<'a>>, DecodeError> {
    let (bytes, start) = (peers.bytes, peers.offset);
    if start >= bytes.len() {
        return Ok(None);
    }
    let record = record(bytes, start, Kind::Peer, Peer::SIZE)?;
    let remaining = peers
        .remaining
        .checked_sub(1)
        .ok_or(DecodeError::new(DecodeErrorKind::TooManyPeers, start))?;
    let at = |offset: usize| start.saturating_add(offset);
    let flags = u32_at(record, offset_of!(Peer, flags))?;
    require_flags(flags, PEER_FLAGS, at(offset_of!(Peer, flags)))?;
    require_zero(bytes, at(offset_of!(Peer, reserved)), 2)?;
    require_zero(bytes, at(offset_of!(Peer, reserved2)), 4)?;
    let action = match flags & (PEER_REMOVE | PEER_UPDATE_ONLY) {
        0 => PeerAction::CreateOrUpdate,
        PEER_UPDATE_ONLY => PeerAction::UpdateOnly,
        PEER_REMOVE => PeerAction::Remove,
        _ => {
            let offset = at(offset_of!(Peer, flags));
            return Err(DecodeError::new(DecodeErrorKind::BadFlags, offset));
        }
    };
    let public_key: &[u8; KEY_BYTES] = array(record, offset_of!(Peer, public_key))?;
    if is_zero(public_key) {
        return Err(DecodeError::new(
            DecodeErrorKind::MissingPublicKey,
            at(offset_of!(Peer, public_key)),
        ));
    }
    let preshared_key = key_change(
        bytes,
        at(offset_of!(Peer, preshared_key)),
        flags & PEER_HAS_PRESHARED_KEY != 0,
        flags & PEER_CLEAR_PRESHARED_KEY != 0,
    )?;
    let endpoint = if flags & PEER_HAS_ENDPOINT != 0 {
        let offset = at(offset_of!(Peer, endpoint));
        let endpoint = decode_sockaddr(bytes, offset)?;
        Some(endpoint.ok_or(DecodeError::new(DecodeErrorKind::BadAddressFamily, offset))?)
    } else {
        None
    };
    let keepalive = u16_at(record, offset_of!(Peer, persistent_keepalive))?;

    let first = start.saturating_add(record.len());
    let (mut end, mut routes) = (first, 0_u32);
    while kind_at(bytes, end) == Some(Kind::Route as u16) {
        end = end.saturating_add(any_record(bytes, end)?.len());
        routes = routes.saturating_add(1);
    }
    peers.remaining = remaining;
    peers.offset = end;
    Ok(Some(PeerChange {
        public_key,
        action,
        preshared_key,
        endpoint,
        replace_allowed_ips: flags & PEER_REPLACE_ROUTES != 0,
        persistent_keepalive_s: (flags & PEER_HAS_PERSISTENT_KEEPALIVE != 0).then_some(keepalive),
        allowed_ips: AllowedIps { abi: Abi::Native, bytes, offset: first, remaining: routes },
    }))
}

pub(crate) fn next_allowed_ip(
    allowed_ips: &mut AllowedIps<'_>,
) -> Result<Option<AllowedIpChange>, DecodeError> {
    let Some(remaining) = allowed_ips.remaining.checked_sub(1) else {
        return Ok(None);
    };
    let (bytes, start) = (allowed_ips.bytes, allowed_ips.offset);
    let record = record(bytes, start, Kind::Route, Route::SIZE)?;
    let at = |offset: usize| start.saturating_add(offset);
    require_zero(bytes, at(offset_of!(Route, reserved)), 1)?;
    let flags = u32_at(record, offset_of!(Route, flags))?;
    require_flags(flags, ROUTE_REMOVE, at(offset_of!(Route, flags)))?;
    let address_offset = offset_of!(Route, address);
    let address = match u16_at(record, offset_of!(Route, address_family))? {
        AF_INET => IpAddr::V4(Ipv4Addr::from(*array::<4>(record, address_offset)?)),
        AF_INET6 => IpAddr::V6(Ipv6Addr::from(*array::<16>(record, address_offset)?)),
        _ => {
            let offset = at(offset_of!(Route, address_family));
            return Err(DecodeError::new(DecodeErrorKind::BadAddressFamily, offset));
        }
    };
    let prefix_length = u8_at(record, offset_of!(Route, prefix_length))?;
    let change = AllowedIpChange::new(address, prefix_length, flags & ROUTE_REMOVE != 0).ok_or(
        DecodeError::new(DecodeErrorKind::BadPrefixLength, at(offset_of!(Route, prefix_length))),
    )?;
    allowed_ips.remaining = remaining;
    allowed_ips.offset = start.saturating_add(record.len());
    Ok(Some(change))
}

fn select<'a>(input: &[u8], command: Command<'a>) -> Result<Request<'a>, DecodeError> {
    single(input, Kind::Select, Select::SIZE)?;
    Ok(Request { adapter: adapter(input, offset_of!(Select, adapter))?, command })
}

fn set_state(input: &[u8]) -> Result<Request<'static>, DecodeError> {
    single(input, Kind::SetState, SetState::SIZE)?;
    require_zero(input, offset_of!(SetState, reserved), 4)?;
    let state_offset = offset_of!(SetState, state);
    let state = match u32_at(input, state_offset)? {
        0 => AdapterState::Down,
        1 => AdapterState::Up,
        _ => return Err(DecodeError::new(DecodeErrorKind::BadState, state_offset)),
    };
    Ok(Request {
        adapter: adapter(input, offset_of!(SetState, adapter))?,
        command: Command::SetState(state),
    })
}

fn set_timer_scale(input: &[u8]) -> Result<Request<'static>, DecodeError> {
    single(input, Kind::SetTimerScale, SetTimerScale::SIZE)?;
    require_zero(input, offset_of!(SetTimerScale, reserved), 4)?;
    let offset = offset_of!(SetTimerScale, permille);
    let permille = u32_at(input, offset)?;
    if !(1..=1000).contains(&permille) {
        return Err(DecodeError::new(DecodeErrorKind::BadTimerScale, offset));
    }
    Ok(Request {
        adapter: adapter(input, offset_of!(SetTimerScale, adapter))?,
        command: Command::SetTimerScale { permille },
    })
}

/// A request of one record and nothing behind it.
pub(super) fn single(input: &[u8], kind: Kind, known_bytes: usize) -> Result<(), DecodeError> {
    let record = record(input, 0, kind, known_bytes)?;
    if record.len() != input.len() {
        return Err(DecodeError::new(DecodeErrorKind::BadSize, record.len()));
    }
    Ok(())
}

pub(super) fn adapter(bytes: &[u8], offset: usize) -> Result<Option<AdapterId>, DecodeError> {
    let guid = AdapterId(*array(bytes, offset)?);
    Ok((guid != AdapterId::default()).then_some(guid))
}

fn key_change(
    bytes: &[u8],
    offset: usize,
    set: bool,
    clear: bool,
) -> Result<Option<KeyChange<'_>>, DecodeError> {
    match (set, clear) {
        (false, false) => Ok(None),
        (false, true) => Ok(Some(KeyChange::Clear)),
        (true, true) => Err(DecodeError::new(DecodeErrorKind::BadFlags, offset)),
        (true, false) => {
            let key = array(bytes, offset)?;
            if is_zero(key) {
                return Err(DecodeError::new(DecodeErrorKind::ZeroKey, offset));
            }
            Ok(Some(KeyChange::Set(key)))
        }
    }
}

pub(super) fn require_flags(flags: u32, known: u32, offset: usize) -> Result<(), DecodeError> {
    if flags & !known != 0 {
        return Err(DecodeError::new(DecodeErrorKind::BadFlags, offset));
    }
    Ok(())
}

pub(super) fn require_zero(bytes: &[u8], offset: usize, length: usize) -> Result<(), DecodeError> {
    let reserved = bytes.get(offset..).and_then(|tail| tail.get(..length));
    let reserved = reserved.ok_or(DecodeError::new(DecodeErrorKind::Truncated, offset))?;
    if reserved.iter().any(|&byte| byte != 0) {
        return Err(DecodeError::new(DecodeErrorKind::ReservedNotZero, offset));
    }
    Ok(())
}

/// The public key's flag is output only: harmless in a request.
const _: () = assert!(INTERFACE_FLAGS & INTERFACE_HAS_PUBLIC_KEY != 0);
