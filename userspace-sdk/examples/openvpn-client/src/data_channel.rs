//! What the control channel asks of a data path.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::Suite;
use crate::keys::DataKeys;

/// A data path that owns the UDP socket and the keys, and hands every control datagram up. One has a single peer (a client), or
/// many that are told apart by their receive id (a server). Each call is done when it returns.
pub trait DataChannel: Send + Sync {
    /// Opens the socket on a local address, port 0 for any, and says which it got. Control datagrams flow from here on.
    fn bind(&self, local: SocketAddr) -> io::Result<SocketAddr>;

    /// Adds a peer.
    fn new_peer(&self, peer: &NewPeer) -> io::Result<()>;

    /// Removes a peer and its keys.
    fn delete_peer(&self, receive_id: u32) -> io::Result<()>;

    /// Changes a peer's timers and MSS; what is `None` stays.
    fn set_peer(&self, receive_id: u32, change: &PeerChange) -> io::Result<()>;

    /// Puts a key into a peer's slot, in place of what is there.
    fn install_key(&self, receive_id: u32, key: &InstallKey) -> io::Result<()>;

    /// Exchanges a peer's slots. What is in the primary one seals; both open.
    fn swap_keys(&self, receive_id: u32) -> io::Result<()>;

    /// Empties a peer's slot.
    fn delete_key(&self, receive_id: u32, slot: Slot) -> io::Result<()>;

    /// Routes a network behind a peer (multi-peer mode).
    fn add_route(&self, receive_id: u32, network: IpAddr, prefix_length: u8) -> io::Result<()>;

    /// Takes it back.
    fn remove_route(&self, receive_id: u32, network: IpAddr, prefix_length: u8) -> io::Result<()>;

    /// What a peer carried.
    fn statistics(&self, receive_id: u32) -> io::Result<PeerStatistics>;

    /// Says that the tunnel is there: the interface's link connects.
    fn start(&self) -> io::Result<()>;

    /// Drops all peers, keys and the socket; the link disconnects, and pending reads end with an error.
    fn stop(&self) -> io::Result<()>;

    /// Sends a control datagram.
    fn send_control(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()>;

    /// Waits for the next control datagram.
    fn receive_control(&self) -> io::Result<(SocketAddr, Vec<u8>)>;

    /// Waits for the next thing that happens.
    fn next_event(&self) -> io::Result<DataEvent>;
}

/// A peer to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewPeer {
    /// The id on packets that come to us, 24 bits; it names the peer.
    pub receive_id: u32,
    /// The id on packets that we send, 24 bits.
    pub send_id: u32,
    /// Where it is.
    pub remote: SocketAddr,
    /// Its inner address (multi-peer mode).
    pub address_v4: Option<Ipv4Addr>,
    /// Its inner IPv6 address (multi-peer mode).
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

/// Where a key goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The one that seals.
    Primary,
    /// The one that only opens.
    Secondary,
}

/// Packets on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataFormat {
    /// A 32-bit packet id, the tag before the ciphertext.
    Classic,
    /// Epochs of keys, a 48-bit counter, the tag behind the ciphertext.
    Epoch,
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
#[non_exhaustive]
pub enum DataEvent {
    /// A packet is to be sent and there is no key.
    KeyWanted {
        /// To whom.
        receive_id: u32,
    },
    /// A key comes near to the end of its use: another is due.
    LimitNear {
        /// Whose.
        receive_id: u32,
    },
    /// Nothing came for the keepalive timeout.
    TimedOut {
        /// From whom.
        receive_id: u32,
    },
    /// A peer sends from another address.
    Floated {
        /// Who.
        receive_id: u32,
        /// From where.
        remote: SocketAddr,
    },
    /// A peer is no more.
    Deleted {
        /// Who.
        receive_id: u32,
    },
}
