//! What the control channel asks of a data path.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

pub use tunic::data_channel::Slot;

use crate::Suite;
use crate::keys::DataKeys;
use crate::options::Network;

/// A data path that owns the UDP socket and the keys, and hands every control datagram up. One has
/// a single peer (a client's: [`DataChannel::connect`]), or many that are told apart by their
/// receive id (a server's: [`DataChannel::listen`]). Each call is done when it returns. An error of
/// the kind [`io::ErrorKind::ConnectionAborted`] is the end of the data path itself.
pub trait DataChannel: Send + Sync {
    /// Opens the socket towards the only peer. Control datagrams flow from here on.
    fn connect(&self, local: Option<SocketAddr>, remote: SocketAddr) -> io::Result<()>;

    /// Opens the socket for many peers, port 0 for any, and says where it is. Control datagrams
    /// flow from here on.
    fn listen(&self, local: SocketAddr) -> io::Result<SocketAddr>;

    /// Adds one of many peers.
    fn new_peer(&self, peer: &NewPeer) -> io::Result<()>;

    /// Removes a peer, its keys and its routes.
    fn delete_peer(&self, peer: Peer) -> io::Result<()>;

    /// Changes a peer's timers and MSS; what is `None` stays.
    fn set_peer(&self, peer: Peer, change: &PeerChange) -> io::Result<()>;

    /// Puts a key into a peer's slot, in place of what is there. `send_id` is the id on packets to
    /// the peer from here on, where it changes.
    fn install_key(&self, peer: Peer, key: &InstallKey, send_id: Option<u32>) -> io::Result<()>;

    /// Exchanges a peer's slots. What is in the primary one seals; both open.
    fn swap_keys(&self, peer: Peer) -> io::Result<()>;

    /// Empties a peer's slot.
    fn delete_key(&self, peer: Peer, slot: Slot) -> io::Result<()>;

    /// Routes a network behind one of many peers.
    fn add_route(&self, receive_id: u32, network: Network) -> io::Result<()>;

    /// Takes that back.
    fn remove_route(&self, network: Network) -> io::Result<()>;

    /// What a peer carried.
    fn statistics(&self, peer: Peer) -> io::Result<PeerStatistics>;

    /// Says that the tunnel is there: the interface's link connects.
    fn start(&self) -> io::Result<()>;

    /// Drops all peers, keys and the socket; the link disconnects, and calls that wait end with an
    /// error. Those that begin later wait.
    fn stop(&self) -> io::Result<()>;

    /// Sends a control datagram.
    fn send_control(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()>;

    /// Waits for the next control datagram.
    fn receive_control(&self) -> io::Result<(SocketAddr, Vec<u8>)>;

    /// Waits for the next thing that happens.
    fn next_event(&self) -> io::Result<DataEvent>;
}

/// Which peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The only one.
    Only,
    /// The one of many with this receive id.
    Id(u32),
}

/// One of many peers to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewPeer {
    /// The id on packets that come to us, 24 bits; it names the peer.
    pub receive_id: u32,
    /// The id on packets that we send, 24 bits.
    pub send_id: u32,
    /// Where it is.
    pub remote: SocketAddr,
    /// Its inner address.
    pub address_v4: Option<Ipv4Addr>,
    /// Its inner IPv6 address.
    pub address_v6: Option<Ipv6Addr>,
}

/// A change of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerChange {
    /// Silence after which a ping is sent; zero is off. Whole seconds.
    pub keepalive_interval: Option<Duration>,
    /// Silence after which the peer is said to have timed out; zero is off. Whole seconds.
    pub keepalive_timeout: Option<Duration>,
    /// The TCP MSS that SYNs are clamped to; 0 is off.
    pub mss_bytes: Option<u16>,
}

/// Packets on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataFormat {
    /// A 32-bit packet id, the tag before the ciphertext.
    Classic,
    /// Epochs of keys, a 48-bit counter, the tag behind the ciphertext.
    Epoch,
}

impl DataFormat {
    /// What it adds to an inner packet, in bytes (reference openvpn-dco.md 3.2, 3.3).
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
    /// Where.
    pub slot: Slot,
    /// The id on packets, 0 to 7.
    pub key_id: u8,
    /// The cipher.
    pub suite: Suite,
    /// The format of packets, and so what the keys' bytes are.
    pub format: DataFormat,
    /// The keys.
    pub keys: DataKeys,
}

/// What a peer carried.
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

/// What happened in the data path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataEvent {
    /// To which peer.
    pub peer: Peer,
    /// What.
    pub kind: DataEventKind,
}

/// Kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataEventKind {
    /// A packet is to be sent and there is no key.
    KeyWanted,
    /// A key comes near to the end of its use: another is due.
    LimitNear,
    /// Nothing came for the keepalive timeout.
    TimedOut,
    /// The peer sends from another address, and is answered there.
    Floated(SocketAddr),
    /// The peer is no more.
    Deleted,
}
