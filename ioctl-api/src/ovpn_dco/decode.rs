//! Decodes requests of ovpn-dco-win's ABI.

use core::mem::offset_of;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::records::{
    CryptoData, CryptoDataV2, KeyDirection, MpIroute, MpNewPeer, MpSetPeer, MpStartVpn, NewPeer,
    SetPeer,
};
use super::{
    CIPHER_AES_GCM, CIPHER_CHACHA20_POLY1305, DEVICE_TYPE, IOCTL_DEL_PEER, IOCTL_GET_PEER_STATS,
    IOCTL_GET_STATS, IOCTL_GET_VERSION, IOCTL_MP_ADD_IROUTE, IOCTL_MP_DEL_IROUTE,
    IOCTL_MP_DEL_PEER, IOCTL_MP_NEW_PEER, IOCTL_MP_SET_PEER, IOCTL_MP_START_VPN,
    IOCTL_MP_SWAP_KEYS, IOCTL_NEW_KEY, IOCTL_NEW_KEY_V2, IOCTL_NEW_PEER, IOCTL_NOTIFY_EVENT,
    IOCTL_SET_MODE, IOCTL_SET_PEER, IOCTL_START_VPN, IOCTL_SWAP_KEYS, OPTION_EPOCH,
};
use crate::bytes::{array, u8_at, u32_at};
use crate::data_channel::{
    self, Command, DirectionKey, InstallKey, KeyMaterial, Listen, MAX_KEY_ID, Mode, PeerSelector,
    Prefix, Slot, Suite, Transport, UNDEFINED_PEER_ID,
};
use crate::{DecodeError, DecodeErrorKind, sockaddr};

/// Whether a control code has the device type of this ABI, known or not.
pub const fn is_code(code: u32) -> bool {
    code >> 16 == DEVICE_TYPE
}

/// Decodes an IOCTL of this ABI; `None` if it is not one.
pub fn decode(code: u32, input: &[u8]) -> Result<Option<Command<'_>>, DecodeError> {
    Ok(Some(match code {
        IOCTL_NEW_PEER => new_peer(input)?,
        IOCTL_GET_STATS => Command::QueryStatistics,
        IOCTL_NEW_KEY => key(sized(input, CryptoData::SIZE)?, false)?,
        IOCTL_SWAP_KEYS => Command::SwapKeys(PeerSelector::Only),
        IOCTL_SET_PEER => {
            sized(input, SetPeer::SIZE)?;
            set_peer(input, PeerSelector::Only, 0)?
        }
        IOCTL_START_VPN => Command::Start,
        IOCTL_DEL_PEER => Command::Stop,
        IOCTL_GET_VERSION => Command::QueryVersion,
        IOCTL_NEW_KEY_V2 => {
            let input = sized(input, CryptoDataV2::SIZE)?;
            key(input, u32_at(input, offset_of!(CryptoDataV2, options))? & OPTION_EPOCH != 0)?
        }
        IOCTL_SET_MODE => match u32_at(sized(input, 4)?, 0)? {
            0 => Command::SetMode(Mode::PointToPoint),
            1 => Command::SetMode(Mode::MultiPeer),
            _ => return Err(DecodeError::new(DecodeErrorKind::BadMode, 0)),
        },
        IOCTL_MP_START_VPN => listen(input)?,
        IOCTL_MP_NEW_PEER => mp_new_peer(input)?,
        IOCTL_MP_SET_PEER => {
            let peer = u32_at(sized(input, MpSetPeer::SIZE)?, offset_of!(MpSetPeer, peer_id))?;
            let first = offset_of!(MpSetPeer, keepalive_interval);
            set_peer(input, PeerSelector::Id(peer), first)?
        }
        IOCTL_NOTIFY_EVENT => Command::ReadEvent,
        IOCTL_MP_DEL_PEER => Command::DeletePeer(peer(input)?),
        IOCTL_MP_SWAP_KEYS => Command::SwapKeys(peer(input)?),
        IOCTL_MP_ADD_IROUTE => {
            let prefix = prefix(input)?;
            let peer = u32_at(input, offset_of!(MpIroute, peer_id))?;
            Command::AddRoute(PeerSelector::Id(peer), prefix)
        }
        IOCTL_MP_DEL_IROUTE => Command::RemoveRoute(prefix(input)?),
        IOCTL_GET_PEER_STATS => match u32_at(sized(input, 4)?, 0)? {
            u32::MAX => Command::QueryPeers(None),
            id => Command::QueryPeers(Some(PeerSelector::ByMode(id))),
        },
        _ => return Ok(None),
    }))
}

fn new_peer(input: &[u8]) -> Result<Command<'static>, DecodeError> {
    let input = sized(input, NewPeer::SIZE)?;
    let (local, remote) =
        addresses(input, offset_of!(NewPeer, local), offset_of!(NewPeer, remote))?;
    let proto_offset = offset_of!(NewPeer, proto);
    let transport = match u32_at(input, proto_offset)? {
        0 => Transport::Udp,
        1 => Transport::Tcp,
        _ => return Err(DecodeError::new(DecodeErrorKind::BadTransport, proto_offset)),
    };
    if local.is_ipv4() != remote.is_ipv4() {
        return Err(DecodeError::new(DecodeErrorKind::BadAddressFamily, 0));
    }
    Ok(Command::NewPeer(data_channel::NewPeer {
        receive_id: None,
        transmit_id: None,
        transport,
        local: Some(local),
        remote,
        vpn4: None,
        vpn6: None,
    }))
}

fn mp_new_peer(input: &[u8]) -> Result<Command<'static>, DecodeError> {
    let input = sized(input, MpNewPeer::SIZE)?;
    let (local, remote) =
        addresses(input, offset_of!(MpNewPeer, local), offset_of!(MpNewPeer, remote))?;
    let vpn4 = Ipv4Addr::from(*array::<4>(input, offset_of!(MpNewPeer, vpn4))?);
    let vpn6 = Ipv6Addr::from(*array::<16>(input, offset_of!(MpNewPeer, vpn6))?);
    let id_offset = offset_of!(MpNewPeer, peer_id);
    let id = u32_at(input, id_offset)?;
    if id >= UNDEFINED_PEER_ID {
        return Err(DecodeError::new(DecodeErrorKind::BadPeerId, id_offset));
    }
    Ok(Command::NewPeer(data_channel::NewPeer {
        receive_id: Some(id),
        transmit_id: Some(id),
        transport: Transport::Udp,
        local: Some(local),
        remote,
        vpn4: (!vpn4.is_unspecified()).then_some(vpn4),
        vpn6: (!vpn6.is_unspecified()).then_some(vpn6),
    }))
}

/// A local and a remote address.
fn addresses(
    input: &[u8],
    local_offset: usize,
    remote_offset: usize,
) -> Result<(SocketAddr, SocketAddr), DecodeError> {
    let local = address(input, local_offset)?;
    let remote = address(input, remote_offset)?;
    if remote.port() == 0 {
        let offset = remote_offset.saturating_add(2);
        return Err(DecodeError::new(DecodeErrorKind::BadPort, offset));
    }
    Ok((local, remote))
}

fn listen(input: &[u8]) -> Result<Command<'static>, DecodeError> {
    let input = sized(input, MpStartVpn::SIZE)?;
    Ok(Command::Listen(Listen {
        local: address(input, offset_of!(MpStartVpn, listen))?,
        v6_only: u32_at(input, offset_of!(MpStartVpn, ipv6_only))? != 0,
    }))
}

fn set_peer(input: &[u8], peer: PeerSelector, first: usize) -> Result<Command<'_>, DecodeError> {
    let at = |offset: usize| first.saturating_add(offset);
    let mss_offset = at(offset_of!(SetPeer, mss));
    let mss_bytes = match u32_at(input, mss_offset)? {
        u32::MAX => None,
        mss => Some(
            u16::try_from(mss)
                .map_err(|_| DecodeError::new(DecodeErrorKind::BadSegmentSize, mss_offset))?,
        ),
    };
    Ok(Command::SetPeer(data_channel::SetPeer {
        peer,
        keepalive_s: seconds(input, at(offset_of!(SetPeer, keepalive_interval)))?,
        timeout_s: seconds(input, at(offset_of!(SetPeer, keepalive_timeout)))?,
        mss_bytes,
    }))
}

/// Seconds; `None` for -1, no change.
fn seconds(input: &[u8], offset: usize) -> Result<Option<u32>, DecodeError> {
    match u32_at(input, offset)? {
        u32::MAX => Ok(None),
        seconds if i32::try_from(seconds).is_ok() => Ok(Some(seconds)),
        _ => Err(DecodeError::new(DecodeErrorKind::BadTimer, offset)),
    }
}

fn key(input: &[u8], is_epoch: bool) -> Result<Command<'_>, DecodeError> {
    let slot_offset = offset_of!(CryptoData, slot);
    let slot = match u32_at(input, slot_offset)? {
        0 => Slot::Primary,
        1 => Slot::Secondary,
        _ => return Err(DecodeError::new(DecodeErrorKind::BadSlot, slot_offset)),
    };
    let key_id_offset = offset_of!(CryptoData, key_id);
    let key_id = u8_at(input, key_id_offset)?;
    if key_id > MAX_KEY_ID {
        return Err(DecodeError::new(DecodeErrorKind::BadKeyId, key_id_offset));
    }
    let (encrypt, decrypt) = (offset_of!(CryptoData, encrypt), offset_of!(CryptoData, decrypt));
    let suite = suite(input, encrypt)?;
    let length_offset = decrypt.saturating_add(offset_of!(KeyDirection, key_bytes));
    match usize::from(u8_at(input, length_offset)?) {
        33.. => return Err(DecodeError::new(DecodeErrorKind::KeyTooLong, length_offset)),
        length if length != suite.key_bytes() => {
            return Err(DecodeError::new(DecodeErrorKind::BadKeyLength, length_offset));
        }
        _ => {}
    }
    let material = if is_epoch {
        KeyMaterial::Epoch { encrypt: array(input, encrypt)?, decrypt: array(input, decrypt)? }
    } else {
        KeyMaterial::Fixed {
            encrypt: direction_key(input, encrypt, suite)?,
            decrypt: direction_key(input, decrypt, suite)?,
        }
    };
    let peer = u32_at(input, offset_of!(CryptoData, peer_id))?;
    Ok(Command::InstallKey(InstallKey {
        peer: PeerSelector::ByMode(peer),
        slot,
        key_id,
        suite,
        material,
        // OpenVPN sends -1 for an unknown id: all ones in 24 bits.
        transmit_id: Some(peer & UNDEFINED_PEER_ID),
        packet_limit: None,
    }))
}

/// The AEAD, by its name and, for AES, the length of the key.
fn suite(input: &[u8], direction: usize) -> Result<Suite, DecodeError> {
    let cipher_offset = offset_of!(CryptoData, cipher);
    let length_offset = direction.saturating_add(offset_of!(KeyDirection, key_bytes));
    let length = u8_at(input, length_offset)?;
    let suite = match u32_at(input, cipher_offset)? {
        CIPHER_AES_GCM | CIPHER_CHACHA20_POLY1305 if length > 32 => {
            return Err(DecodeError::new(DecodeErrorKind::KeyTooLong, length_offset));
        }
        CIPHER_AES_GCM => match length {
            16 => Some(Suite::Aes128Gcm),
            24 => Some(Suite::Aes192Gcm),
            32 => Some(Suite::Aes256Gcm),
            _ => None,
        },
        CIPHER_CHACHA20_POLY1305 => (length == 32).then_some(Suite::ChaCha20Poly1305),
        _ => return Err(DecodeError::new(DecodeErrorKind::BadSuite, cipher_offset)),
    };
    suite.ok_or(DecodeError::new(DecodeErrorKind::BadKeyLength, length_offset))
}

fn direction_key(
    input: &[u8],
    start: usize,
    suite: Suite,
) -> Result<DirectionKey<'_>, DecodeError> {
    let padded: &[u8; 32] = array(input, start.saturating_add(offset_of!(KeyDirection, key)))?;
    let key = padded
        .get(..suite.key_bytes())
        .ok_or(DecodeError::new(DecodeErrorKind::BadKeyLength, start))?;
    let nonce_tail = array(input, start.saturating_add(offset_of!(KeyDirection, nonce_tail)))?;
    Ok(DirectionKey { key, nonce_tail })
}

fn peer(input: &[u8]) -> Result<PeerSelector, DecodeError> {
    Ok(PeerSelector::Id(u32_at(sized(input, 4)?, 0)?))
}

fn prefix(input: &[u8]) -> Result<Prefix, DecodeError> {
    let input = sized(input, MpIroute::SIZE)?;
    let address_offset = offset_of!(MpIroute, address);
    let address = if u32_at(input, offset_of!(MpIroute, ipv6))? == 0 {
        IpAddr::V4(Ipv4Addr::from(*array::<4>(input, address_offset)?))
    } else {
        IpAddr::V6(Ipv6Addr::from(*array::<16>(input, address_offset)?))
    };
    let netbits_offset = offset_of!(MpIroute, netbits);
    u8::try_from(u32_at(input, netbits_offset)?)
        .ok()
        .and_then(|length| Prefix::new(address, length))
        .ok_or(DecodeError::new(DecodeErrorKind::BadPrefixLength, netbits_offset))
}

fn address(input: &[u8], offset: usize) -> Result<SocketAddr, DecodeError> {
    sockaddr::decode(input, offset)?
        .ok_or(DecodeError::new(DecodeErrorKind::BadAddressFamily, offset))
}

/// The struct at the start of the input; bytes after it are ignored.
fn sized(input: &[u8], size: usize) -> Result<&[u8], DecodeError> {
    input.get(..size).ok_or(DecodeError::new(DecodeErrorKind::InputTooSmall, input.len()))
}
