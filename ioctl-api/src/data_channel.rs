//! Commands for a protocol whose handshake is in userspace: userspace pushes the keys, and the
//! driver carries the packets.
//!
//! The driver hands every control datagram, one that is not of the data channel, to userspace with
//! its source address, and sends the control datagrams of userspace. A peer is named by its
//! *receive id*, the id on packets from it; the *transmit id* is the id on packets to it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::num::NonZeroU64;

use crate::AllowedIpChange;
pub use crate::suite::{ParseSuiteError, Suite};

/// The peer id of no peer. Peer ids have 24 bits.
pub const UNDEFINED_PEER_ID: u32 = 0x00FF_FFFF;

/// The highest key id.
pub const MAX_KEY_ID: u8 = 7;

/// The maximum size of a control datagram in bytes, in either direction.
pub const MAX_CONTROL_BYTES: usize = 2048;

/// A command for a data channel. The functions of the ABI's module encode the answer.
#[derive(Clone, Copy)]
pub enum Command<'a> {
    /// Answer with the version; in ovpn-dco-win's ABI only.
    QueryVersion,
    /// Choose between one peer and many. Nothing is reset.
    SetMode(Mode),
    /// Multi-peer: bind the socket; answer with the bound address.
    Listen(Listen),
    /// Create a peer. Point-to-point: also bind the socket.
    NewPeer(NewPeer),
    /// Remove a peer with its keys and routes.
    DeletePeer(PeerSelector),
    /// Change a peer's timers and its TCP MSS clamping.
    SetPeer(SetPeer),
    /// Install a key in a slot and replace the slot's key.
    InstallKey(InstallKey<'a>),
    /// Exchange the slots, even if one is empty.
    SwapKeys(PeerSelector),
    /// Empty a slot.
    DeleteKey(PeerSelector, Slot),
    /// Multi-peer: route this prefix to the peer, and accept it as a source from this peer only.
    AddRoute(PeerSelector, Prefix),
    /// Multi-peer: remove the route of exactly this prefix, of any peer.
    RemoveRoute(Prefix),
    /// Connect the link.
    Start,
    /// Remove everything: peers, socket, mode, pending requests; disconnect the link.
    Stop,
    /// Bind the setup to the requesting file: it is removed when the file is closed; in the native
    /// ABI only.
    Own,
    /// Answer with the adapter's counters; in ovpn-dco-win's ABI only.
    QueryStatistics,
    /// Answer with one peer's counters, or with those of all.
    QueryPeers(Option<PeerSelector>),
    /// Wait for an event; answer with it.
    ReadEvent,
    /// Send a control datagram.
    SendControl(ControlDatagram<'a>),
    /// Wait for a control datagram; answer with it. Clients of ovpn-dco-win's ABI read the device
    /// instead.
    ReadControl,
}

/// How many peers an adapter has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u32)]
pub enum Mode {
    /// One peer, whatever the id on its packets.
    #[default]
    PointToPoint = 0,
    /// Many peers, distinguished by the id on their packets.
    MultiPeer = 1,
}

/// Names a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerSelector {
    /// The only peer of point-to-point mode; invalid in multi-peer mode.
    Only,
    /// The peer with this receive id; invalid in point-to-point mode. An id out of range names no
    /// peer.
    Id(u32),
    /// In point-to-point mode the only peer, in multi-peer mode the peer with this receive id.
    ByMode(u32),
}

/// The socket of multi-peer mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The local address, which may be unspecified; port 0 lets the system choose one.
    pub local: SocketAddr,
    /// An IPv6 socket receives IPv6 only.
    pub v6_only: bool,
}

/// The transport of a peer's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One datagram for each packet.
    Udp,
    /// A stream of packets with length prefixes; in ovpn-dco-win's ABI only.
    Tcp,
}

/// A new peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewPeer {
    /// Its receive id, below [`UNDEFINED_PEER_ID`]; `None` is the only peer of point-to-point mode.
    pub receive_id: Option<u32>,
    /// The id on packets to it, at most [`UNDEFINED_PEER_ID`], if known.
    pub transmit_id: Option<u32>,
    /// The transport of its packets.
    pub transport: Transport,
    /// The local address to bind, of the family of `remote`, in point-to-point mode; `None` for
    /// any.
    pub local: Option<SocketAddr>,
    /// Its address; the port is not 0.
    pub remote: SocketAddr,
    /// Its address within the tunnel.
    pub vpn4: Option<Ipv4Addr>,
    /// Its address within the tunnel.
    pub vpn6: Option<Ipv6Addr>,
}

/// A change of a peer; `None` leaves a setting unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetPeer {
    /// Names a peer.
    pub peer: PeerSelector,
    /// Seconds without a sent packet after which a ping is sent; 0 for never.
    pub keepalive_s: Option<u32>,
    /// Seconds without a received packet after which the peer has timed out; 0 for never.
    pub timeout_s: Option<u32>,
    /// The maximum TCP segment size in bytes, written to SYN packets in both directions; 0 leaves
    /// them unchanged.
    pub mss_bytes: Option<u16>,
}

/// A key slot of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Slot {
    /// Its key seals and opens packets.
    Primary = 0,
    /// Its key only opens packets.
    Secondary = 1,
}

/// A key for a slot.
#[derive(Clone, Copy)]
pub struct InstallKey<'a> {
    /// The peer.
    pub peer: PeerSelector,
    /// The slot.
    pub slot: Slot,
    /// The key id on its packets, at most [`MAX_KEY_ID`].
    pub key_id: u8,
    /// The AEAD.
    pub suite: Suite,
    /// The secrets.
    pub material: KeyMaterial<'a>,
    /// The new id on packets to the peer, at most [`UNDEFINED_PEER_ID`], if it changes.
    pub transmit_id: Option<u32>,
    /// The maximum number of packets to seal with it; `None` for the suite's limit. An event is
    /// sent before the limit is reached.
    pub packet_limit: Option<NonZeroU64>,
}

/// The secrets of a key, for each direction.
#[derive(Clone, Copy)]
pub enum KeyMaterial<'a> {
    /// A key and the tail of its nonces.
    Fixed {
        /// For packets to the peer.
        encrypt: DirectionKey<'a>,
        /// For packets from the peer.
        decrypt: DirectionKey<'a>,
    },
    /// The secret of the first epoch, from which keys and nonces are derived.
    Epoch {
        /// For packets to the peer.
        encrypt: &'a [u8; 32],
        /// For packets from the peer.
        decrypt: &'a [u8; 32],
    },
}

/// A key of one direction.
#[derive(Clone, Copy)]
pub struct DirectionKey<'a> {
    /// The key, of the suite's key length.
    pub key: &'a [u8],
    /// The last 8 bytes of every nonce.
    pub nonce_tail: &'a [u8; 8],
}

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The network address; bits behind the prefix are zero.
    pub address: IpAddr,
    /// The prefix length, at most 32 or 128 bits.
    pub length: u8,
}

impl Prefix {
    /// Checks the length and clears the host bits. `None` if the prefix is too long.
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        let judged = AllowedIpChange::new(address, length, false)?;
        Some(Self { address: judged.address, length })
    }
}

/// A control datagram: one that is not of the data channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlDatagram<'a> {
    /// Its source or destination. `None` for the only peer of point-to-point mode.
    pub address: Option<SocketAddr>,
    /// Its bytes: at least one, at most [`MAX_CONTROL_BYTES`].
    pub data: &'a [u8],
}

/// The state of a data channel's adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ChannelInfo {
    /// Its mode.
    pub mode: Mode,
    /// [`Command::Start`] was done.
    pub is_started: bool,
    /// The bound address, if there is a socket.
    pub local: Option<SocketAddr>,
    /// The number of its peers.
    pub peers_count: u32,
}

/// The key in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotInfo {
    /// The AEAD.
    pub suite: Suite,
    /// The key id on its packets.
    pub key_id: u8,
    /// Its keys are derived for each epoch.
    pub is_epoch: bool,
}

/// Traffic counters of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PeerTraffic {
    /// Authentic data packets from it.
    pub rx_packets: u64,
    /// Data packets to it.
    pub tx_packets: u64,
    /// Bytes of UDP payload in `rx_packets`.
    pub link_rx_bytes: u64,
    /// Bytes of UDP payload in `tx_packets`.
    pub link_tx_bytes: u64,
    /// Bytes of IP packets from it.
    pub vpn_rx_bytes: u64,
    /// Bytes of IP packets to it.
    pub vpn_tx_bytes: u64,
}

/// The state of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// Its receive id; `None` in point-to-point mode.
    pub receive_id: Option<u32>,
    /// The id on packets to it, if known.
    pub transmit_id: Option<u32>,
    /// Its address.
    pub remote: SocketAddr,
    /// Its address within the tunnel.
    pub vpn4: Option<Ipv4Addr>,
    /// Its address within the tunnel.
    pub vpn6: Option<Ipv6Addr>,
    /// The number of routes to it.
    pub routes_count: u32,
    /// Seconds; 0 is off.
    pub keepalive_s: u32,
    /// Seconds; 0 is off.
    pub timeout_s: u32,
    /// Bytes; 0 is off.
    pub mss_bytes: u16,
    /// The key in the primary slot.
    pub primary: Option<SlotInfo>,
    /// The key in the secondary slot.
    pub secondary: Option<SlotInfo>,
    /// Its traffic counters.
    pub traffic: PeerTraffic,
}

/// Why a peer was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum DeleteReason {
    /// The adapter stopped.
    Teardown = 0,
    /// Userspace deleted it.
    Userspace = 1,
    /// It has timed out.
    Expired = 2,
    /// Its transport failed.
    TransportError = 3,
    /// Its transport was closed.
    TransportDisconnect = 4,
}

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A packet is to be sealed, and there is no key.
    KeyWanted,
    /// A key is near its limit of sealed packets or of failed openings: a new key is due.
    UsageLimitNear,
    /// The only peer of point-to-point mode has timed out. It is not deleted.
    TimedOut,
    /// The peer sends from a new address, to which packets are sent from now on.
    Floated(SocketAddr),
    /// The peer was deleted.
    Deleted(DeleteReason),
}

/// An event of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventInfo {
    /// Its receive id; `None` in point-to-point mode.
    pub peer: Option<u32>,
    /// The kind of event.
    pub kind: EventKind,
}
