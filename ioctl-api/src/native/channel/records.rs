//! The records of data channels.

use crate::native::Header;
use crate::sockaddr::SockaddrInet;

record! {
    /// Chooses between one peer and many.
    pub struct SetMode = "TUNIC_CHANNEL_SET_MODE", 32 {
        /// Kind CHANNEL_SET_MODE.
        header: Header = 0,
        /// Adapter's GUID; zeroes for that of the device.
        adapter: [u8; 16] = 8,
        /// 0 point-to-point, 1 multi-peer.
        mode: u32 = 24,
        /// Zero.
        reserved: u32 = 28,
    }
}

record! {
    /// Binds the socket of multi-peer mode; the answer has the bound address.
    pub struct Listen = "TUNIC_CHANNEL_LISTEN", 56 {
        /// Kind CHANNEL_LISTEN.
        header: Header = 0,
        /// Adapter's GUID; zeroes for that of the device.
        adapter: [u8; 16] = 8,
        /// SOCKADDR_INET; port 0 lets the system choose.
        local: SockaddrInet = 24,
        /// TUNIC_CHANNEL_LISTEN_* bits.
        flags: u32 = 52,
    }
}

record! {
    /// Makes a peer.
    pub struct NewPeer = "TUNIC_CHANNEL_NEW_PEER", 112 {
        /// Kind CHANNEL_NEW_PEER.
        header: Header = 0,
        /// Adapter's GUID; zeroes for that of the device.
        adapter: [u8; 16] = 8,
        /// Id on packets from it, below 0xffffff; TUNIC_CHANNEL_ONLY_PEER in point-to-point mode.
        receive_id: u32 = 24,
        /// Id on packets to it, at most 0xffffff.
        transmit_id: u32 = 28,
        /// SOCKADDR_INET to bind in point-to-point mode; zeroes for any.
        local: SockaddrInet = 32,
        /// SOCKADDR_INET where it is.
        remote: SockaddrInet = 60,
        /// Its IPv4 address within the tunnel; zeroes for none.
        vpn4: [u8; 4] = 88,
        /// Its IPv6 address within the tunnel; zeroes for none.
        vpn6: [u8; 16] = 92,
        /// TUNIC_CHANNEL_PEER_* bits.
        flags: u32 = 108,
    }
}

record! {
    /// Names a peer, or one of its slots.
    pub struct SelectPeer = "TUNIC_CHANNEL_SELECT_PEER", 32 {
        /// Kind CHANNEL_SELECT_PEER.
        header: Header = 0,
        /// Adapter's GUID; zeroes for that of the device.
        adapter: [u8; 16] = 8,
        /// Its receive id, or TUNIC_CHANNEL_ONLY_PEER.
        peer: u32 = 24,
        /// 0 primary, 1 secondary; zero where no slot is asked for.
        slot: u32 = 28,
    }
}

record! {
    /// Changes a peer.
    pub struct SetPeer = "TUNIC_CHANNEL_SET_PEER", 48 {
        /// Kind CHANNEL_SET_PEER.
        header: Header = 0,
        /// Adapter's GUID; zeroes for that of the device.
        adapter: [u8; 16] = 8,
        /// Its receive id, or TUNIC_CHANNEL_ONLY_PEER.
        peer: u32 = 24,
        /// TUNIC_CHANNEL_SET_PEER_* bits.
        flags: u32 = 28,
        /// Seconds of silence of ours before a ping; 0 is never.
        keepalive: u32 = 32,
        /// Seconds of silence of the peer before it is given up; 0 is never.
        timeout: u32 = 36,
        /// Largest TCP segment in bytes, at most 65535; 0 leaves SYN packets alone.
        mss: u32 = 40,
        /// Zero.
        reserved: u32 = 44,
    }
}

record! {
    /// A key for a slot: a cipher context of each direction.
    pub struct Key = "TUNIC_CHANNEL_KEY", 136 {
        /// Kind CHANNEL_KEY.
        header: Header = 0,
        /// Adapter's GUID; zeroes for that of the device.
        adapter: [u8; 16] = 8,
        /// Peer's receive id, or TUNIC_CHANNEL_ONLY_PEER.
        peer: u32 = 24,
        /// 0 primary, 1 secondary.
        slot: u32 = 28,
        /// TUNIC_CHANNEL_SUITE_*.
        suite: u32 = 32,
        /// Id on packets of the key, at most 7.
        key_id: u32 = 36,
        /// TUNIC_CHANNEL_KEY_* bits.
        flags: u32 = 40,
        /// Id on packets to the peer from here on, at most 0xffffff.
        transmit_id: u32 = 44,
        /// Most packets that may be sealed; 0 is what the suite bears.
        packet_limit: u64 = 48,
        /// Key, padded with zeroes, or secret of epoch 1, for packets to the peer.
        encrypt_key: [u8; 32] = 56,
        /// What nonces end with; zeroes with epochs.
        encrypt_nonce_tail: [u8; 8] = 88,
        /// Key, padded with zeroes, or secret of epoch 1, for packets from the peer.
        decrypt_key: [u8; 32] = 96,
        /// What nonces end with; zeroes with epochs.
        decrypt_nonce_tail: [u8; 8] = 128,
    }
}

record! {
    /// A route to a peer.
    pub struct Route = "TUNIC_CHANNEL_ROUTE", 48 {
        /// Kind CHANNEL_ROUTE.
        header: Header = 0,
        /// Adapter's GUID; zeroes for that of the device.
        adapter: [u8; 16] = 8,
        /// Peer's receive id; not looked at where the route is removed.
        peer: u32 = 24,
        /// 4 or 16 bytes, network byte order.
        address: [u8; 16] = 28,
        /// AF_INET (2) or AF_INET6 (23).
        address_family: u16 = 44,
        /// Prefix length.
        prefix_length: u8 = 46,
        /// Zero.
        reserved: u8 = 47,
    }
}

record! {
    /// A control datagram; data_bytes bytes follow within the record, then zeroes up to a multiple
    /// of 8.
    pub struct Datagram = "TUNIC_CHANNEL_DATAGRAM", 56 {
        /// Kind CHANNEL_DATAGRAM.
        header: Header = 0,
        /// Adapter's GUID; zeroes for that of the device.
        adapter: [u8; 16] = 8,
        /// SOCKADDR_INET where it goes or comes from; zeroes for the one peer of point-to-point
        /// mode.
        address: SockaddrInet = 24,
        /// Bytes of the datagram, 1 to 2048.
        data_bytes: u32 = 52,
    }
}

record! {
    /// What an adapter is doing; output only.
    pub struct Info = "TUNIC_CHANNEL_INFO", 48 {
        /// Kind CHANNEL_INFO.
        header: Header = 0,
        /// 0 point-to-point, 1 multi-peer.
        mode: u32 = 8,
        /// 0 stopped, 1 started.
        is_started: u32 = 12,
        /// SOCKADDR_INET that is bound, zeroes for none.
        local: SockaddrInet = 16,
        /// Peers.
        peers_count: u32 = 44,
    }
}

record! {
    /// A peer as it is; output only.
    pub struct PeerInfo = "TUNIC_CHANNEL_PEER_INFO", 136 {
        /// Kind CHANNEL_PEER_INFO.
        header: Header = 0,
        /// Id on packets from it, or TUNIC_CHANNEL_ONLY_PEER.
        receive_id: u32 = 8,
        /// Id on packets to it, TUNIC_CHANNEL_ONLY_PEER where it is not known.
        transmit_id: u32 = 12,
        /// SOCKADDR_INET where it is.
        remote: SockaddrInet = 16,
        /// Its IPv4 address within the tunnel; zeroes for none.
        vpn4: [u8; 4] = 44,
        /// Its IPv6 address within the tunnel; zeroes for none.
        vpn6: [u8; 16] = 48,
        /// Routes to it.
        routes_count: u32 = 64,
        /// Seconds; 0 is off.
        keepalive: u32 = 68,
        /// Seconds; 0 is off.
        timeout: u32 = 72,
        /// Bytes; 0 is off.
        mss: u16 = 76,
        /// TUNIC_CHANNEL_SUITE_* of the primary slot; 0 is empty.
        primary_suite: u8 = 78,
        /// Id of its key; bit 7 is set where its keys are of epochs.
        primary_key_id: u8 = 79,
        /// TUNIC_CHANNEL_SUITE_* of the secondary slot; 0 is empty.
        secondary_suite: u8 = 80,
        /// Id of its key; bit 7 is set where its keys are of epochs.
        secondary_key_id: u8 = 81,
        /// Zero.
        reserved: [u8; 6] = 82,
        /// Data packets from it.
        rx_packets: u64 = 88,
        /// Data packets to it.
        tx_packets: u64 = 96,
        /// Their bytes of UDP payload.
        link_rx_bytes: u64 = 104,
        /// Their bytes of UDP payload.
        link_tx_bytes: u64 = 112,
        /// Bytes of IP packets from it.
        vpn_rx_bytes: u64 = 120,
        /// Bytes of IP packets to it.
        vpn_tx_bytes: u64 = 128,
    }
}

record! {
    /// Something that happened to a peer; output only.
    pub struct Event = "TUNIC_CHANNEL_EVENT", 80 {
        /// Kind CHANNEL_EVENT.
        header: Header = 0,
        /// Adapter's GUID.
        adapter: [u8; 16] = 8,
        /// Counts the adapter's events, so that lost ones show.
        sequence: u64 = 24,
        /// 100 ns units since 1601-01-01 UTC.
        time: u64 = 32,
        /// TUNIC_CHANNEL_EVENT_*.
        event: u32 = 40,
        /// Peer's receive id, or TUNIC_CHANNEL_ONLY_PEER.
        peer: u32 = 44,
        /// TUNIC_CHANNEL_DELETED_*, where it was deleted.
        reason: u32 = 48,
        /// SOCKADDR_INET where it floated to, else zeroes.
        address: SockaddrInet = 52,
    }
}
