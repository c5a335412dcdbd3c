//! Peers and allowed IPs of a configuration in WireGuardNT's ABI.

use core::mem::offset_of;

use super::flags::{AllowedIpFlags, PeerFlags};
use super::{AllowedIp, Peer};
use crate::bytes::{array, is_zero, u8_at, u16_at, u32_at};
use crate::change::{AllowedIpChange, AllowedIps, KeyChange, PeerAction, PeerChange, Peers};
use crate::flags::flags_at;
use crate::{Abi, DecodeError, DecodeErrorKind, KEY_BYTES, sockaddr};

/// Decodes the next peer and checks that its allowed IPs are within the buffer.
pub(crate) fn next_peer<'a>(peers: &mut Peers<'a>) -> Result<Option<PeerChange<'a>>, DecodeError> {
    let Some(remaining) = peers.remaining.checked_sub(1) else {
        return Ok(None);
    };
    let (bytes, start) = (peers.bytes, peers.offset);
    let record: &[u8; Peer::SIZE] = array(bytes, start)?;
    let at = |offset: usize| start.saturating_add(offset);
    let flags: PeerFlags = flags_at(bytes, at(offset_of!(Peer, flags)))?;
    if !flags.contains(PeerFlags::HAS_PUBLIC_KEY) {
        return Err(DecodeError::new(DecodeErrorKind::MissingPublicKey, start));
    }
    let version = u32_at(record, offset_of!(Peer, protocol_version))?;
    if flags.contains(PeerFlags::HAS_PROTOCOL_VERSION) && version > 1 {
        return Err(DecodeError::new(
            DecodeErrorKind::UnsupportedVersion,
            at(offset_of!(Peer, protocol_version)),
        ));
    }
    let endpoint = if flags.contains(PeerFlags::HAS_ENDPOINT) {
        sockaddr::decode_endpoint(bytes, at(offset_of!(Peer, endpoint)))?
    } else {
        None
    };
    let keepalive = u16_at(record, offset_of!(Peer, persistent_keepalive))?;
    let has_keepalive = flags.contains(PeerFlags::HAS_PERSISTENT_KEEPALIVE);
    let preshared_key = array(record, offset_of!(Peer, preshared_key))?;
    let has_preshared_key = flags.contains(PeerFlags::HAS_PRESHARED_KEY);
    let count_offset = offset_of!(Peer, allowed_ips_count);
    let count = u32_at(record, count_offset)?;
    let first = at(Peer::SIZE);
    let end = usize::try_from(count)
        .ok()
        .and_then(|count| count.checked_mul(AllowedIp::SIZE))
        .and_then(|size| first.checked_add(size))
        .filter(|&end| end <= bytes.len())
        .ok_or(DecodeError::new(DecodeErrorKind::Truncated, at(count_offset)))?;
    peers.remaining = remaining;
    peers.offset = end;
    Ok(Some(PeerChange {
        public_key: array(record, offset_of!(Peer, public_key))?,
        action: if flags.contains(PeerFlags::REMOVE) {
            PeerAction::Remove
        } else if flags.contains(PeerFlags::UPDATE_ONLY) {
            PeerAction::UpdateOnly
        } else {
            PeerAction::CreateOrUpdate
        },
        preshared_key: has_preshared_key.then(|| key_change(preshared_key)),
        endpoint,
        replace_allowed_ips: flags.contains(PeerFlags::REPLACE_ALLOWED_IPS),
        persistent_keepalive_s: has_keepalive.then_some(keepalive),
        allowed_ips: AllowedIps { abi: Abi::WireGuardNt, bytes, offset: first, remaining: count },
    }))
}

/// Decodes the next allowed IP of a peer.
pub(crate) fn next_allowed_ip(
    allowed_ips: &mut AllowedIps<'_>,
) -> Result<Option<AllowedIpChange>, DecodeError> {
    let Some(remaining) = allowed_ips.remaining.checked_sub(1) else {
        return Ok(None);
    };
    let start = allowed_ips.offset;
    let at = |offset: usize| start.saturating_add(offset);
    let record: &[u8; AllowedIp::SIZE] = array(allowed_ips.bytes, start)?;
    let family = u16_at(record, offset_of!(AllowedIp, address_family))?;
    let address = sockaddr::ip_at(record, offset_of!(AllowedIp, address), family)?.ok_or(
        DecodeError::new(
            DecodeErrorKind::BadAddressFamily,
            at(offset_of!(AllowedIp, address_family)),
        ),
    )?;
    let prefix_length = u8_at(record, offset_of!(AllowedIp, cidr))?;
    // Other bits are ignored: callers built before the word had a meaning leave garbage in it.
    let flags = AllowedIpFlags::from_bits_truncate(u32_at(record, offset_of!(AllowedIp, flags))?);
    let change =
        AllowedIpChange::new(address, prefix_length, flags.contains(AllowedIpFlags::REMOVE))
            .ok_or(DecodeError::new(
                DecodeErrorKind::BadPrefixLength,
                at(offset_of!(AllowedIp, cidr)),
            ))?;
    allowed_ips.remaining = remaining;
    allowed_ips.offset = at(AllowedIp::SIZE);
    Ok(Some(change))
}

/// A key, of which all zeroes remove it.
pub(super) fn key_change(key: &[u8; KEY_BYTES]) -> KeyChange<'_> {
    if is_zero(key) { KeyChange::Clear } else { KeyChange::Set(key) }
}
