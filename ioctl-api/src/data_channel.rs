//! Commands for a protocol whose handshake is in userspace: it pushes keys, the driver carries the
//! packets.
//!
//! Every datagram that is not of the data channel goes up to userspace with its source, and comes
//! down from there. Peers are named by their *receive id*, which they put on packets to us; the
//! *transmit id* is what we put on packets to them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::num::NonZeroU64;

use crate::AllowedIpChange;
pub use crate::suite::{ParseSuiteError, Suite};

/// Ids of peers have 24 bits; this one is nobody's.
pub const UNDEFINED_PEER_ID: u32 = 0x00FF_FFFF;

/// The highest key id.
pub const MAX_KEY_ID: u8 = 7;

/// The most bytes of a control datagram, either way.
pub const MAX_CONTROL_BYTES: usize = 2048;

/// A command for a data channel. The functions of the ABI's module encode the answer.
#[derive(Clone, Copy)]
pub enum Command<'a> {
    /// Answer with the version; of the compatible form only.
    QueryVersion,
    /// Choose between one peer and many. Resets nothing.
    SetMode(Mode),
    /// Multi-peer: bind the socket; answer with the bound address.
    Listen(Listen),
    /// Make a peer. Point-to-point: bind the socket, too.
    NewPeer(NewPeer),
    /// Remove a peer with its keys and routes.
    DeletePeer(PeerSelector),
    /// Change a peer's timers and its clamping of TCP's segment size.
    SetPeer(SetPeer),
    /// Put a key into a slot, in place of what is there.
    InstallKey(InstallKey<'a>),
    /// Exchange the slots, also where one is empty.
    SwapKeys(PeerSelector),
    /// Empty a slot.
    DeleteKey(PeerSelector, Slot),
    /// Multi-peer: packets for this prefix go to that peer, and only that one may send from it.
    AddRoute(PeerSelector, Prefix),
    /// Multi-peer: remove the route of exactly this prefix, whichever peer's.
    RemoveRoute(Prefix),
    /// Connect the link.
    Start,
    /// Remove everything: peers, socket, mode, what waits; disconnect the link.
    Stop,
    /// Have what is set up go with the file that this comes by; of the native form only.
    Own,
    /// Answer with the adapter's counters; of the compatible form only.
    QueryStatistics,
    /// Answer with one peer's counters, or with those of all.
    QueryPeers(Option<PeerSelector>),
    /// Wait for an event; answer with it.
    ReadEvent,
    /// Send a control datagram.
    SendControl(ControlDatagram<'a>),
    /// Wait for a control datagram; answer with it. The compatible form reads the device instead.
    ReadControl,
}

/// How many peers an adapter has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u32)]
pub enum Mode {
    /// One, whatever the id on its packets.
    #[default]
    PointToPoint = 0,
    /// Many, told apart by the id on their packets.
    MultiPeer = 1,
}

/// Which peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerSelector {
    /// The one of point-to-point mode; wrong in multi-peer mode.
    Only,
    /// That of this receive id; wrong in point-to-point mode. May be any number: there is no peer
    /// of an impossible one.
    Id(u32),
    /// In point-to-point mode the one, in multi-peer mode that of this receive id.
    ByMode(u32),
}

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The local address, unspecified or not; port 0 lets the system choose.
    pub local: SocketAddr,
    /// An IPv6 socket takes IPv6 alone.
    pub v6_only: bool,
}

/// What carries the packets to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One datagram a packet.
    Udp,
    /// A stream, packets with their lengths before them; of the compatible form only.
    Tcp,
}

/// A new peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewPeer {
    /// Its receive id, below [`UNDEFINED_PEER_ID`]; `None` is the one peer of point-to-point mode.
    pub receive_id: Option<u32>,
    /// The id on packets to it, at most [`UNDEFINED_PEER_ID`], where it is known yet.
    pub transmit_id: Option<u32>,
    /// What carries its packets.
    pub transport: Transport,
    /// The local address to bind, of the family of `remote`; counts in point-to-point mode. `None`
    /// is any.
    pub local: Option<SocketAddr>,
    /// Where it is; the port is not 0.
    pub remote: SocketAddr,
    /// Its address within the tunnel.
    pub vpn4: Option<Ipv4Addr>,
    /// Its address within the tunnel.
    pub vpn6: Option<Ipv6Addr>,
}

/// A change of a peer; what is `None` stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetPeer {
    /// Which peer.
    pub peer: PeerSelector,
    /// Seconds without a packet sent after which a ping is; 0 is never.
    pub keepalive_s: Option<u32>,
    /// Seconds without a packet received after which the peer is given up; 0 is never.
    pub timeout_s: Option<u32>,
    /// The largest TCP segment in bytes, written into SYN packets both ways; 0 leaves them alone.
    pub mss_bytes: Option<u16>,
}

/// Where a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Slot {
    /// Seals, and opens.
    Primary = 0,
    /// Opens alone.
    Secondary = 1,
}

/// A key for a slot.
#[derive(Clone, Copy)]
pub struct InstallKey<'a> {
    /// Whose.
    pub peer: PeerSelector,
    /// Where.
    pub slot: Slot,
    /// The id on its packets, at most [`MAX_KEY_ID`].
    pub key_id: u8,
    /// The AEAD.
    pub suite: Suite,
    /// The secrets.
    pub material: KeyMaterial<'a>,
    /// The id on packets to the peer from here on, at most [`UNDEFINED_PEER_ID`], where it changes.
    pub transmit_id: Option<u32>,
    /// The most packets that may be sealed with it; `None` is what the suite bears. Userspace is
    /// told before.
    pub packet_limit: Option<NonZeroU64>,
}

/// The secrets of a key, each way.
#[derive(Clone, Copy)]
pub enum KeyMaterial<'a> {
    /// A key, and what its nonces end with.
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
    /// As long as the suite's keys are.
    pub key: &'a [u8],
    /// The last 8 bytes of every nonce.
    pub nonce_tail: &'a [u8; 8],
}

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// Its address; bits behind the prefix are zero.
    pub address: IpAddr,
    /// At most 32 or 128.
    pub length: u8,
}

impl Prefix {
    /// Judges the length and clears the host's bits. `None` where the prefix is too long.
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        let judged = AllowedIpChange::new(address, length, false)?;
        Some(Self { address: judged.address, length })
    }
}

/// A datagram that is not of the data channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlDatagram<'a> {
    /// Where it goes or comes from. `None` is the one peer of point-to-point mode.
    pub address: Option<SocketAddr>,
    /// Its bytes: at least one, at most [`MAX_CONTROL_BYTES`].
    pub data: &'a [u8],
}

/// What an adapter is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ChannelInfo {
    /// How many peers it may have.
    pub mode: Mode,
    /// [`Command::Start`] was done.
    pub is_started: bool,
    /// The bound address, where there is a socket.
    pub local: Option<SocketAddr>,
    /// Peers that it has.
    pub peers_count: u32,
}

/// What is in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotInfo {
    /// The AEAD.
    pub suite: Suite,
    /// The id on its packets.
    pub key_id: u8,
    /// Its keys are derived by epoch.
    pub is_epoch: bool,
}

/// Packets and bytes of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PeerTraffic {
    /// Data packets that came from it and were good.
    pub rx_packets: u64,
    /// Data packets that went to it.
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

/// A peer as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// Its receive id; `None` in point-to-point mode.
    pub receive_id: Option<u32>,
    /// The id on packets to it, where it is known.
    pub transmit_id: Option<u32>,
    /// Where it is.
    pub remote: SocketAddr,
    /// Its address within the tunnel.
    pub vpn4: Option<Ipv4Addr>,
    /// Its address within the tunnel.
    pub vpn6: Option<Ipv6Addr>,
    /// Routes to it.
    pub routes_count: u32,
    /// Seconds; 0 is off.
    pub keepalive_s: u32,
    /// Seconds; 0 is off.
    pub timeout_s: u32,
    /// Bytes; 0 is off.
    pub mss_bytes: u16,
    /// What is in the primary slot.
    pub primary: Option<SlotInfo>,
    /// What is in the secondary slot.
    pub secondary: Option<SlotInfo>,
    /// What it carried.
    pub traffic: PeerTraffic,
}

/// Why a peer went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum DeleteReason {
    /// The adapter stopped.
    Teardown = 0,
    /// Userspace removed it.
    Userspace = 1,
    /// It was silent for too long.
    Expired = 2,
    /// Its transport failed.
    TransportError = 3,
    /// Its transport was closed.
    TransportDisconnect = 4,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// There is no key to seal with, and a packet to seal.
    KeyWanted,
    /// A key will soon have sealed as much as it may, or failed to open as much: another is due.
    UsageLimitNear,
    /// The one peer of point-to-point mode was silent for too long. It stays.
    TimedOut,
    /// The peer sends from another address, and is answered there.
    Floated(SocketAddr),
    /// The peer is gone.
    Deleted(DeleteReason),
}

/// Something that happened to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventInfo {
    /// Its receive id; `None` in point-to-point mode.
    pub peer: Option<u32>,
    /// What.
    pub kind: EventKind,
}
