//! Peers and routes of a configuration in the native ABI.

use core::mem::offset_of;

use super::flags::{PeerFlags, RouteFlags};
use super::read::{any_record, kind_at, record, require_zero};
use super::records::{Kind, Peer, Route};
use crate::bytes::{array, is_zero, u8_at, u16_at};
use crate::change::{AllowedIpChange, AllowedIps, KeyChange, PeerAction, PeerChange, Peers};
use crate::flags::flags_at;
use crate::{Abi, DecodeError, DecodeErrorKind, KEY_BYTES, sockaddr};

/// Decodes the next peer and finds the end of its routes.
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
    let flags: PeerFlags = flags_at(bytes, at(offset_of!(Peer, flags)))?;
    require_zero(bytes, at(offset_of!(Peer, reserved)), 2)?;
    require_zero(bytes, at(offset_of!(Peer, reserved2)), 4)?;
    let action = match (flags.contains(PeerFlags::REMOVE), flags.contains(PeerFlags::UPDATE_ONLY)) {
        (false, false) => PeerAction::CreateOrUpdate,
        (false, true) => PeerAction::UpdateOnly,
        (true, false) => PeerAction::Remove,
        (true, true) => {
            let offset = at(offset_of!(Peer, flags));
            return Err(DecodeError::new(DecodeErrorKind::BadFlags, offset));
        }
    };
    let public_key: &[u8; KEY_BYTES] = array(record, offset_of!(Peer, public_key))?;
    if is_zero(public_key) && !peers.is_answer {
        return Err(DecodeError::new(
            DecodeErrorKind::MissingPublicKey,
            at(offset_of!(Peer, public_key)),
        ));
    }
    let preshared_key = key_change(
        bytes,
        at(offset_of!(Peer, preshared_key)),
        flags.contains(PeerFlags::HAS_PRESHARED_KEY),
        flags.contains(PeerFlags::CLEAR_PRESHARED_KEY),
    )?;
    let endpoint = if flags.contains(PeerFlags::HAS_ENDPOINT) {
        let offset = at(offset_of!(Peer, endpoint));
        let endpoint = sockaddr::decode_endpoint(bytes, offset)?;
        Some(endpoint.ok_or(DecodeError::new(DecodeErrorKind::BadAddressFamily, offset))?)
    } else {
        None
    };
    let keepalive = u16_at(record, offset_of!(Peer, persistent_keepalive))?;
    let has_keepalive = flags.contains(PeerFlags::HAS_PERSISTENT_KEEPALIVE);

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
        replace_allowed_ips: flags.contains(PeerFlags::REPLACE_ROUTES),
        persistent_keepalive_s: has_keepalive.then_some(keepalive),
        allowed_ips: AllowedIps { abi: Abi::Native, bytes, offset: first, remaining: routes },
    }))
}

/// Decodes the next route of a peer.
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
    let flags: RouteFlags = flags_at(bytes, at(offset_of!(Route, flags)))?;
    let family = u16_at(record, offset_of!(Route, address_family))?;
    let address = sockaddr::ip_at(record, offset_of!(Route, address), family)?.ok_or(
        DecodeError::new(DecodeErrorKind::BadAddressFamily, at(offset_of!(Route, address_family))),
    )?;
    let prefix_length = u8_at(record, offset_of!(Route, prefix_length))?;
    let change = AllowedIpChange::new(address, prefix_length, flags.contains(RouteFlags::REMOVE))
        .ok_or(DecodeError::new(
        DecodeErrorKind::BadPrefixLength,
        at(offset_of!(Route, prefix_length)),
    ))?;
    allowed_ips.remaining = remaining;
    allowed_ips.offset = start.saturating_add(record.len());
    Ok(Some(change))
}

/// A key with its two flags, which exclude each other.
pub(super) fn key_change(
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
