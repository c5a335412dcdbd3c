//! The records of the native ABI.

use crate::sockaddr::SockaddrInet;

/// The kind of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Kind {
    /// [`Version`].
    Version = 1,
    /// [`Reply`].
    Reply = 2,
    /// [`Select`].
    Select = 3,
    /// [`Adapter`].
    Adapter = 4,
    /// [`Statistics`].
    Statistics = 5,
    /// [`SetState`].
    SetState = 6,
    /// [`Interface`].
    Interface = 7,
    /// [`Peer`].
    Peer = 8,
    /// [`Route`].
    Route = 9,
    /// [`Event`].
    Event = 10,
    /// [`SetTimerScale`].
    SetTimerScale = 11,
    /// [`channel::SetMode`](super::channel::SetMode).
    ChannelSetMode = 12,
    /// [`channel::Listen`](super::channel::Listen).
    ChannelListen = 13,
    /// [`channel::NewPeer`](super::channel::NewPeer).
    ChannelNewPeer = 14,
    /// [`channel::SelectPeer`](super::channel::SelectPeer).
    ChannelSelectPeer = 15,
    /// [`channel::SetPeer`](super::channel::SetPeer).
    ChannelSetPeer = 16,
    /// [`channel::Key`](super::channel::Key).
    ChannelKey = 17,
    /// [`channel::Route`](super::channel::Route).
    ChannelRoute = 18,
    /// [`channel::Datagram`](super::channel::Datagram).
    ChannelDatagram = 19,
    /// [`channel::Info`](super::channel::Info).
    ChannelInfo = 20,
    /// [`channel::PeerInfo`](super::channel::PeerInfo).
    ChannelPeerInfo = 21,
    /// [`channel::Event`](super::channel::Event).
    ChannelEvent = 22,
    /// [`Routes`].
    Routes = 23,
}

record! {
    /// The start of every record.
    pub struct Header = "TUNIC_HEADER", 8 {
        /// Bytes of the record, this header included: a multiple of 8.
        size: u32 = 0,
        /// TUNIC_VERSION.
        version: u16 = 4,
        /// TUNIC_KIND_*.
        kind: u16 = 6,
    }
}

record! {
    /// What the driver is.
    pub struct Version = "TUNIC_VERSION_INFO", 24 {
        /// Kind VERSION.
        header: Header = 0,
        /// Newest version of this ABI that the driver knows.
        abi_version: u32 = 8,
        /// Driver version: major in the high half, minor in the low.
        driver_version: u32 = 12,
        /// TUNIC_CAPABILITY_* bits.
        capabilities: u64 = 16,
    }
}

record! {
    /// The start of an answer of several records.
    pub struct Reply = "TUNIC_REPLY", 16 {
        /// Kind REPLY.
        header: Header = 0,
        /// Bytes that the whole answer takes, this record included, even where less was returned.
        required_bytes: u64 = 8,
    }
}

record! {
    /// Names an adapter.
    pub struct Select = "TUNIC_SELECT", 24 {
        /// Kind SELECT.
        header: Header = 0,
        /// Its GUID; zeroes for that of the device.
        adapter: [u8; 16] = 8,
    }
}

record! {
    /// An adapter.
    pub struct Adapter = "TUNIC_ADAPTER", 312 {
        /// Kind ADAPTER.
        header: Header = 0,
        /// Its GUID.
        adapter: [u8; 16] = 8,
        /// Its NET_LUID.
        luid: u64 = 24,
        /// MTU in bytes.
        mtu: u32 = 32,
        /// TUNIC_PROTOCOL_*; from TUNIC_PROTOCOL_VENDOR_FIRST, a third party's protocol.
        protocol: u32 = 36,
        /// 0 down, 1 up.
        state: u32 = 40,
        /// 0 disconnected, 1 connected.
        link_state: u32 = 44,
        /// Bound UDP port, or the one asked for; 0 for none.
        listen_port: u16 = 48,
        /// Bytes of the name.
        name_bytes: u16 = 50,
        /// Peers.
        peers_count: u32 = 52,
        /// Name, UTF-8.
        name: [u8; 256] = 56,
    }
}

record! {
    /// Counters of an adapter; discard_count 64-bit counters follow within the record.
    pub struct Statistics = "TUNIC_STATISTICS", 64 {
        /// Kind STATISTICS.
        header: Header = 0,
        /// Its GUID.
        adapter: [u8; 16] = 8,
        /// Packets to peers.
        tx_packets: u64 = 24,
        /// Their bytes.
        tx_bytes: u64 = 32,
        /// Packets from peers.
        rx_packets: u64 = 40,
        /// Their bytes.
        rx_bytes: u64 = 48,
        /// Counters that follow: TUNIC_DISCARD_*.
        discard_count: u32 = 56,
        /// Zero.
        reserved: u32 = 60,
    }
}

record! {
    /// Brings an adapter up or down.
    pub struct SetState = "TUNIC_SET_STATE", 32 {
        /// Kind SET_STATE.
        header: Header = 0,
        /// Its GUID; zeroes for that of the device.
        adapter: [u8; 16] = 8,
        /// 0 down, 1 up.
        state: u32 = 24,
        /// Zero.
        reserved: u32 = 28,
    }
}

record! {
    /// An adapter's own configuration.
    pub struct Interface = "TUNIC_INTERFACE", 96 {
        /// Kind INTERFACE.
        header: Header = 0,
        /// Its GUID; zeroes for that of the device.
        adapter: [u8; 16] = 8,
        /// TUNIC_INTERFACE_* bits.
        flags: u32 = 24,
        /// UDP port, host byte order; 0 lets the system choose.
        listen_port: u16 = 28,
        /// Zero.
        reserved: u16 = 30,
        /// Private key.
        private_key: [u8; 32] = 32,
        /// Public key; output only.
        public_key: [u8; 32] = 64,
    }
}

record! {
    /// A peer.
    pub struct Peer = "TUNIC_PEER", 136 {
        /// Kind PEER.
        header: Header = 0,
        /// TUNIC_PEER_* bits.
        flags: u32 = 8,
        /// Seconds; 0 is off.
        persistent_keepalive: u16 = 12,
        /// Zero.
        reserved: u16 = 14,
        /// Public key: which peer.
        public_key: [u8; 32] = 16,
        /// Preshared key.
        preshared_key: [u8; 32] = 48,
        /// SOCKADDR_INET.
        endpoint: SockaddrInet = 80,
        /// Zero.
        reserved2: u32 = 108,
        /// Bytes sent; output only.
        tx_bytes: u64 = 112,
        /// Bytes received; output only.
        rx_bytes: u64 = 120,
        /// 100 ns units since 1601-01-01 UTC, 0 for never; output only.
        last_handshake: u64 = 128,
    }
}

record! {
    /// A route to the peer before it: an allowed IP.
    pub struct Route = "TUNIC_ROUTE", 32 {
        /// Kind ROUTE.
        header: Header = 0,
        /// 4 or 16 bytes, network byte order.
        address: [u8; 16] = 8,
        /// AF_INET (2) or AF_INET6 (23).
        address_family: u16 = 24,
        /// Prefix length.
        prefix_length: u8 = 26,
        /// Zero.
        reserved: u8 = 27,
        /// TUNIC_ROUTE_* bits.
        flags: u32 = 28,
    }
}

record! {
    /// The routes of an adapter as text, a Graphviz digraph; text_bytes bytes of UTF-8 follow
    /// within the record, padded with zeroes.
    pub struct Routes = "TUNIC_ROUTES", 16 {
        /// Kind ROUTES.
        header: Header = 0,
        /// Bytes of the text.
        text_bytes: u32 = 8,
        /// Zero.
        reserved: u32 = 12,
    }
}

record! {
    /// Something that happened.
    pub struct Event = "TUNIC_EVENT", 112 {
        /// Kind EVENT.
        header: Header = 0,
        /// Adapter's GUID.
        adapter: [u8; 16] = 8,
        /// Counts the adapter's events, so that lost ones show.
        sequence: u64 = 24,
        /// 100 ns units since 1601-01-01 UTC.
        time: u64 = 32,
        /// TUNIC_EVENT_*.
        event: u32 = 40,
        /// Zero.
        reserved: u32 = 44,
        /// Peer's public key.
        public_key: [u8; 32] = 48,
        /// SOCKADDR_INET, zeroes for none.
        endpoint: SockaddrInet = 80,
        /// Zero.
        reserved2: u32 = 108,
    }
}

record! {
    /// Scales the protocol's timers: a test knob that released drivers refuse.
    pub struct SetTimerScale = "TUNIC_SET_TIMER_SCALE", 32 {
        /// Kind SET_TIMER_SCALE.
        header: Header = 0,
        /// Its GUID; zeroes for that of the device.
        adapter: [u8; 16] = 8,
        /// Thousandths of the real durations, 1 to 1000.
        permille: u32 = 24,
        /// Zero.
        reserved: u32 = 28,
    }
}
