//! The interface between control channel and data channel.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

pub use tunic::data_channel::Slot;

use crate::Suite;
use crate::keys::DataKeys;
use crate::options::Network;

/// A data channel. It owns the UDP socket and the data keys, and hands every control datagram up. A
/// client's has a single peer ([`DataChannel::connect`]). A server's has many, identified by their
/// receive id ([`DataChannel::listen`]). Calls are synchronous. An error of the kind
/// [`io::ErrorKind::ConnectionAborted`] means that the data channel itself is gone.
pub trait DataChannel: Send + Sync {
    /// Opens the socket to the only peer. Control datagrams can be exchanged from here on.
    fn connect(&self, local: Option<SocketAddr>, remote: SocketAddr) -> io::Result<()>;

    /// Opens the socket for many peers and returns its address; port 0 selects any port. Control
    /// datagrams can be exchanged from here on.
    fn listen(&self, local: SocketAddr) -> io::Result<SocketAddr>;

    /// Adds one of many peers.
    fn new_peer(&self, peer: &NewPeer) -> io::Result<()>;

    /// Removes a peer, its keys and its routes.
    fn delete_peer(&self, peer: Peer) -> io::Result<()>;

    /// Changes a peer's timers and MSS. `None` leaves a value as it is.
    fn set_peer(&self, peer: Peer, change: &PeerChange) -> io::Result<()>;

    /// Installs a key in a peer's slot and replaces the slot's key. `send_id` changes the peer id
    /// on packets to the peer.
    fn install_key(&self, peer: Peer, key: &InstallKey, send_id: Option<u32>) -> io::Result<()>;

    /// Exchanges a peer's slots. The primary key encrypts; both decrypt.
    fn swap_keys(&self, peer: Peer) -> io::Result<()>;

    /// Deletes the key in a peer's slot.
    fn delete_key(&self, peer: Peer, slot: Slot) -> io::Result<()>;

    /// Routes a network behind one of many peers.
    fn add_route(&self, receive_id: u32, network: Network) -> io::Result<()>;

    /// Removes such a route.
    fn remove_route(&self, network: Network) -> io::Result<()>;

    /// Returns a peer's traffic counters.
    fn statistics(&self, peer: Peer) -> io::Result<PeerStatistics>;

    /// Sets the interface's link up.
    fn start(&self) -> io::Result<()>;

    /// Drops all peers, keys and the socket, and sets the link down. Blocked calls return an error;
    /// later calls block again.
    fn stop(&self) -> io::Result<()>;

    /// Sends a control datagram.
    fn send_control(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()>;

    /// Waits for the next control datagram.
    fn receive_control(&self) -> io::Result<(SocketAddr, Vec<u8>)>;

    /// Waits for the next event.
    fn next_event(&self) -> io::Result<DataEvent>;
}

/// Identifies a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The only peer of a point-to-point data channel.
    Only,
    /// The peer with this receive id.
    Id(u32),
}

/// Parameters of a new peer in multi-peer mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewPeer {
    /// Peer id on received packets, 24 bits. It identifies the peer in later calls.
    pub receive_id: u32,
    /// Peer id on sent packets, 24 bits.
    pub send_id: u32,
    /// Its UDP address.
    pub remote: SocketAddr,
    /// Its inner address.
    pub address_v4: Option<Ipv4Addr>,
    /// Its inner IPv6 address.
    pub address_v6: Option<Ipv6Addr>,
}

/// Changes of a peer's parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerChange {
    /// Send a ping after this long without a sent packet, in whole seconds; zero disables.
    pub keepalive_interval: Option<Duration>,
    /// Report a timeout after this long without a received packet, in whole seconds; zero disables.
    pub keepalive_timeout: Option<Duration>,
    /// TCP MSS to which SYN segments are clamped; 0 disables.
    pub mss_bytes: Option<u16>,
}

/// Wire formats of data packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataFormat {
    /// 32-bit packet id; the tag precedes the ciphertext.
    Classic,
    /// 16-bit epoch and 48-bit counter; the tag follows the ciphertext.
    Epoch,
}

impl DataFormat {
    /// Bytes that the format adds to an inner packet.
    pub const fn overhead_bytes(self) -> u32 {
        match self {
            Self::Classic => 24,
            Self::Epoch => 28,
        }
    }
}

/// A key to install.
#[derive(Clone, Debug)]
pub struct InstallKey {
    /// The slot.
    pub slot: Slot,
    /// Key id on packets, 0 to 7.
    pub key_id: u8,
    /// The cipher.
    pub suite: Suite,
    /// The packet format. It also decides whether `keys` holds keys or epoch secrets.
    pub format: DataFormat,
    /// The keys.
    pub keys: DataKeys,
}

/// Traffic counters of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerStatistics {
    /// Inner packets received.
    pub rx_packets: u64,
    /// Inner bytes received.
    pub rx_bytes: u64,
    /// Inner packets sent.
    pub tx_packets: u64,
    /// Inner bytes sent.
    pub tx_bytes: u64,
}

/// An event of the data channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataEvent {
    /// The peer.
    pub peer: Peer,
    /// The kind of event.
    pub kind: DataEventKind,
}

/// Kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataEventKind {
    /// A packet waits to be sent and the peer has no key.
    KeyWanted,
    /// A key is close to its usage limit: renew it.
    LimitNear,
    /// No packet arrived within the keepalive timeout.
    TimedOut,
    /// The peer changed its address. Replies go to the new one.
    Floated(SocketAddr),
    /// The driver deleted the peer.
    Deleted,
}
