//! The native ABI of data channels: userspace does the handshake, pushes keys, and has the control
//! datagrams.
//!
//! One record a request. The commands are [`crate::data_channel`]'s.

mod decode;
mod encode;
mod flags;
mod records;
pub mod reply;

pub(crate) use decode::decode;
pub use encode::{
    encode_datagram, encode_key, encode_listen, encode_new_peer, encode_route, encode_select_peer,
    encode_set_mode, encode_set_peer, encode_slot,
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
/// Takes a [`SelectPeer`], whose slot counts.
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
/// [`PeerInfo`] each.
pub const IOCTL_CHANNEL_QUERY: u32 = query(28);
/// Takes a [`Select`](super::Select); answers an [`Event`] as soon as there is one.
pub const IOCTL_CHANNEL_READ_EVENT: u32 = change(29);
/// Takes a [`Datagram`].
pub const IOCTL_CHANNEL_SEND_CONTROL: u32 = change(30);
/// Takes a [`Select`](super::Select); answers a [`Datagram`] as soon as there is one.
pub const IOCTL_CHANNEL_READ_CONTROL: u32 = change(31);
/// Takes a [`Select`](super::Select), of the adapter that the file was opened on: what is set up
/// goes when the file is closed, however that comes, as by [`IOCTL_CHANNEL_STOP`]; until then, no
/// other file may change it or have its datagrams and events.
pub const IOCTL_CHANNEL_OWN: u32 = change(32);

/// Instead of a receive id: the one peer of point-to-point mode. Instead of a transmit id: none
/// known.
pub const CHANNEL_ONLY_PEER: u32 = u32::MAX;

/// There is no key to seal with, and a packet to seal.
pub const CHANNEL_EVENT_KEY_WANTED: u32 = 1;
/// A key will soon have sealed as much as it may, or failed to open as much: another is due.
pub const CHANNEL_EVENT_USAGE_LIMIT_NEAR: u32 = 2;
/// The one peer of point-to-point mode was silent for too long.
pub const CHANNEL_EVENT_TIMED_OUT: u32 = 3;
/// The peer sends from another address.
pub const CHANNEL_EVENT_FLOATED: u32 = 4;
/// The peer is gone.
pub const CHANNEL_EVENT_DELETED: u32 = 5;

/// In a key id of [`PeerInfo`]: its keys are of epochs.
const EPOCH_BIT: u8 = 0x80;
