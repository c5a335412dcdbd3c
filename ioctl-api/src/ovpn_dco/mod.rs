//! The ABI of ovpn-dco-win, used by OpenVPN 2.6, 2.7 and 3.
//!
//! It has 19 control codes, all METHOD_BUFFERED. Input may be longer than its struct, never
//! shorter. Control datagrams are read from and written to the device; in multi-peer mode an
//! address precedes each ([`encode_read`], [`decode_write`]).

mod datagram;
mod decode;
mod encode;
mod records;

pub use crate::sockaddr::size_bytes as prefix_bytes;
pub use datagram::{WriteError, decode_write, encode_read};
pub use decode::{decode, is_code};
pub use encode::{
    Statistics, encode_event, encode_listen, encode_peer_stats, encode_required_bytes,
    encode_statistics, encode_version,
};
pub use records::{
    CryptoData, CryptoDataV2, KeyDirection, MpIroute, MpNewPeer, MpSetPeer, MpStartVpn, NewPeer,
    NotifyEvent, PeerStats, SetPeer, Stats, Version,
};

use crate::code::{Method, control_code};

/// The reported version: from 2.8 on, OpenVPN uses epoch keys and counters of each peer.
pub const VERSION: (i32, i32, i32) = (2, 8, 0);

/// The maximum size of a written datagram in bytes, without its address.
pub const MAX_WRITE_BYTES: usize = 1500;

/// FILE_DEVICE_UNKNOWN.
const DEVICE_TYPE: u32 = 0x22;

const fn code(function: u32) -> u32 {
    control_code(DEVICE_TYPE, function, Method::Buffered, 0)
}

/// Takes a [`NewPeer`]. Point-to-point.
pub const IOCTL_NEW_PEER: u32 = code(1);
/// Answers a [`Stats`].
pub const IOCTL_GET_STATS: u32 = code(2);
/// Takes a [`CryptoData`].
pub const IOCTL_NEW_KEY: u32 = code(3);
/// No input. Point-to-point.
pub const IOCTL_SWAP_KEYS: u32 = code(4);
/// Takes a [`SetPeer`]. Point-to-point.
pub const IOCTL_SET_PEER: u32 = code(5);
/// No input. Point-to-point.
pub const IOCTL_START_VPN: u32 = code(6);
/// No input. Point-to-point.
pub const IOCTL_DEL_PEER: u32 = code(7);
/// Answers a [`Version`].
pub const IOCTL_GET_VERSION: u32 = code(8);
/// Takes a [`CryptoDataV2`].
pub const IOCTL_NEW_KEY_V2: u32 = code(9);
/// Takes a mode.
pub const IOCTL_SET_MODE: u32 = code(10);
/// Takes and answers a [`MpStartVpn`]. Multi-peer.
pub const IOCTL_MP_START_VPN: u32 = code(11);
/// Takes a [`MpNewPeer`]. Multi-peer.
pub const IOCTL_MP_NEW_PEER: u32 = code(12);
/// Takes a [`MpSetPeer`]. Multi-peer.
pub const IOCTL_MP_SET_PEER: u32 = code(13);
/// Answers with the next [`NotifyEvent`], for which it waits.
pub const IOCTL_NOTIFY_EVENT: u32 = code(14);
/// Takes a peer id. Multi-peer.
pub const IOCTL_MP_DEL_PEER: u32 = code(15);
/// Takes a peer id. Multi-peer.
pub const IOCTL_MP_SWAP_KEYS: u32 = code(16);
/// Takes a [`MpIroute`]. Multi-peer.
pub const IOCTL_MP_ADD_IROUTE: u32 = code(17);
/// Takes a [`MpIroute`]. Multi-peer.
pub const IOCTL_MP_DEL_IROUTE: u32 = code(18);
/// Takes a peer id, or -1 for all; answers a [`PeerStats`] for each peer.
pub const IOCTL_GET_PEER_STATS: u32 = code(19);

const _: () = {
    assert!(IOCTL_NEW_PEER == 0x0022_0004);
    assert!(IOCTL_GET_PEER_STATS == 0x0022_004C);
};

/// Cipher: AES-GCM; the key's length selects the variant.
pub const CIPHER_AES_GCM: u32 = 1;
/// Cipher: CHACHA20-POLY1305.
pub const CIPHER_CHACHA20_POLY1305: u32 = 2;

/// Option of a key: its secrets are of epoch 1.
pub const OPTION_EPOCH: u32 = 0x2;

/// Command of a [`NotifyEvent`]: a peer was deleted.
pub const NOTIFY_DEL_PEER: u32 = 0;
/// Command of a [`NotifyEvent`]: a key is near its limit of sealed packets or of failed openings.
pub const NOTIFY_SWAP_KEYS: u32 = 1;
/// Command of a [`NotifyEvent`]: a peer has a new address.
pub const NOTIFY_FLOAT_PEER: u32 = 2;
