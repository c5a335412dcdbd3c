//! The native ABI of data channels: userspace does the handshake, pushes the keys, and sends and
//! receives the control datagrams.
//!
//! Each request is one record. They are decoded into the commands of [`crate::data_channel`].

mod decode;
mod encode;
mod flags;
mod records;
pub mod reply;

pub(crate) use decode::decode;
pub use encode::{
    encode_datagram, encode_key, encode_listen, encode_new_peer, encode_route, encode_select_peer,
    encode_set_mode, encode_set_peer, encode_slot, write_key,
};
pub use flags::{KeyFlags, ListenFlags, NewPeerFlags, SetPeerFlags};
pub use records::{
    Datagram, Event, Info, Key, Listen, NewPeer, PeerInfo, Route, SelectPeer, SetMode, SetPeer,
};

use super::{change, query};

/// Takes a [`SetMode`].
pub const IOCTL_CHANNEL_SET_MODE: u32 = change(16);
/// Takes a [`Listen`], answers it with the bound address.
pub const IOCTL_CHANNEL_LISTEN: u32 = change(17);
/// Takes a [`NewPeer`].
pub const IOCTL_CHANNEL_NEW_PEER: u32 = change(18);
/// Takes a [`SelectPeer`].
pub const IOCTL_CHANNEL_DELETE_PEER: u32 = change(19);
/// Takes a [`SetPeer`].
pub const IOCTL_CHANNEL_SET_PEER: u32 = change(20);
/// Takes a [`Key`].
pub const IOCTL_CHANNEL_INSTALL_KEY: u32 = change(21);
/// Takes a [`SelectPeer`].
pub const IOCTL_CHANNEL_SWAP_KEYS: u32 = change(22);
/// Takes a [`SelectPeer`] with a slot.
pub const IOCTL_CHANNEL_DELETE_KEY: u32 = change(23);
/// Takes a [`Route`].
pub const IOCTL_CHANNEL_ADD_ROUTE: u32 = change(24);
/// Takes a [`Route`].
pub const IOCTL_CHANNEL_REMOVE_ROUTE: u32 = change(25);
/// Takes a [`Select`](super::Select).
pub const IOCTL_CHANNEL_START: u32 = change(26);
/// Takes a [`Select`](super::Select).
pub const IOCTL_CHANNEL_STOP: u32 = change(27);
/// Takes a [`Select`](super::Select); answers a [`Reply`](super::Reply), an [`Info`] and a
/// [`PeerInfo`] for each peer.
pub const IOCTL_CHANNEL_QUERY: u32 = query(28);
/// Takes a [`Select`](super::Select); answers with the next [`Event`], for which it waits.
pub const IOCTL_CHANNEL_READ_EVENT: u32 = change(29);
/// Takes a [`Datagram`].
pub const IOCTL_CHANNEL_SEND_CONTROL: u32 = change(30);
/// Takes a [`Select`](super::Select); answers with the next [`Datagram`], for which it
/// waits.
pub const IOCTL_CHANNEL_READ_CONTROL: u32 = change(31);
/// Takes a [`Select`](super::Select) of the adapter on which the file was opened. Closing the file,
/// for whatever reason, then has the effect of [`IOCTL_CHANNEL_STOP`]. Until then, no other file
/// may change the setup or receive its datagrams and events.
pub const IOCTL_CHANNEL_OWN: u32 = change(32);

/// As a receive id: the only peer of point-to-point mode. As a transmit id: unknown.
pub const CHANNEL_ONLY_PEER: u32 = u32::MAX;

/// A packet is to be sealed, and there is no key.
pub const CHANNEL_EVENT_KEY_WANTED: u32 = 1;
/// A key is near its limit of sealed packets or of failed openings: a new key is due.
pub const CHANNEL_EVENT_USAGE_LIMIT_NEAR: u32 = 2;
/// The only peer of point-to-point mode has timed out.
pub const CHANNEL_EVENT_TIMED_OUT: u32 = 3;
/// The peer sends from a new address.
pub const CHANNEL_EVENT_FLOATED: u32 = 4;
/// The peer was deleted.
pub const CHANNEL_EVENT_DELETED: u32 = 5;

/// A bit in a key id of [`PeerInfo`]: keys are derived for each epoch.
const EPOCH_BIT: u8 = 0x80;
