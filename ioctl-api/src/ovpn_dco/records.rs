//! The structs of ovpn-dco-win's ABI.

use crate::sockaddr::SockaddrInet;

record! {
    /// The peer of point-to-point mode.
    natural
    pub struct NewPeer = "TUNIC_OVPN_NEW_PEER", 60 {
        /// sockaddr_in or sockaddr_in6 to bind.
        local: SockaddrInet = 0,
        /// sockaddr_in or sockaddr_in6 where it is.
        remote: SockaddrInet = 28,
        /// 0 UDP, 1 TCP.
        proto: u32 = 56,
    }
}

record! {
    /// A peer of multi-peer mode.
    natural
    pub struct MpNewPeer = "TUNIC_OVPN_MP_NEW_PEER", 80 {
        /// sockaddr_in or sockaddr_in6; only the family counts.
        local: SockaddrInet = 0,
        /// sockaddr_in or sockaddr_in6 where it is.
        remote: SockaddrInet = 28,
        /// IPv4 address within the tunnel; zeroes for none.
        vpn4: [u8; 4] = 56,
        /// IPv6 address within the tunnel; zeroes for none.
        vpn6: [u8; 16] = 60,
        /// Its id, both ways.
        peer_id: i32 = 76,
    }
}

record! {
    /// Counters of an adapter.
    natural
    pub struct Stats = "TUNIC_OVPN_STATS", 64 {
        /// Control datagrams received and lost.
        lost_in_control: i32 = 0,
        /// Control datagrams to be sent and lost.
        lost_out_control: i32 = 4,
        /// Data packets received and lost.
        lost_in_data: i32 = 8,
        /// Data packets to be sent and lost.
        lost_out_data: i32 = 12,
        /// Data packets received.
        received_data: i32 = 16,
        /// Control datagrams received.
        received_control: i32 = 20,
        /// Control datagrams sent.
        sent_control: i32 = 24,
        /// Data packets sent.
        sent_data: i32 = 28,
        /// Bytes of UDP payload sent.
        transport_sent: i64 = 32,
        /// Bytes of UDP payload received.
        transport_received: i64 = 40,
        /// Bytes of IP packets sent.
        tun_sent: i64 = 48,
        /// Bytes of IP packets received.
        tun_received: i64 = 56,
    }
}

record! {
    /// Counters of a peer.
    natural
    pub struct PeerStats = "TUNIC_OVPN_PEER_STATS", 40 {
        /// Its id.
        peer_id: i32 = 0,
        /// Bytes of UDP payload received.
        link_rx: i64 = 8,
        /// Bytes of UDP payload sent.
        link_tx: i64 = 16,
        /// Bytes of IP packets received.
        vpn_rx: i64 = 24,
        /// Bytes of IP packets sent.
        vpn_tx: i64 = 32,
    }
}

record! {
    /// A key of one direction.
    natural
    pub struct KeyDirection = "TUNIC_OVPN_KEY_DIRECTION", 41 {
        /// Key, or secret of epoch 1.
        key: [u8; 32] = 0,
        /// Bytes of the suite's keys.
        key_bytes: u8 = 32,
        /// What nonces end with.
        nonce_tail: [u8; 8] = 33,
    }
}

record! {
    /// A key for a slot.
    natural
    pub struct CryptoData = "TUNIC_OVPN_CRYPTO_DATA", 100 {
        /// For packets to the peer.
        encrypt: KeyDirection = 0,
        /// For packets from the peer.
        decrypt: KeyDirection = 41,
        /// 0 primary, 1 secondary.
        slot: u32 = 84,
        /// CIPHER_*.
        cipher: u32 = 88,
        /// Id on packets of the key.
        key_id: u8 = 92,
        /// The peer, and the id on packets to it.
        peer_id: i32 = 96,
    }
}

record! {
    /// A key for a slot, with options.
    natural
    pub struct CryptoDataV2 = "TUNIC_OVPN_CRYPTO_DATA_V2", 104 {
        /// The key.
        v1: CryptoData = 0,
        /// OPTION_* bits.
        options: u32 = 100,
    }
}

record! {
    /// Changes the peer of point-to-point mode; -1 leaves a field as it is.
    natural
    pub struct SetPeer = "TUNIC_OVPN_SET_PEER", 12 {
        /// Seconds of silence of ours before a ping; 0 is never.
        keepalive_interval: i32 = 0,
        /// Seconds of silence of the peer before it is given up; 0 is never.
        keepalive_timeout: i32 = 4,
        /// Largest TCP segment in bytes; 0 leaves SYN packets alone.
        mss: i32 = 8,
    }
}

record! {
    /// Changes a peer of multi-peer mode; -1 leaves a field as it is.
    natural
    pub struct MpSetPeer = "TUNIC_OVPN_MP_SET_PEER", 16 {
        /// Which peer.
        peer_id: i32 = 0,
        /// Seconds of silence of ours before a ping; 0 is never.
        keepalive_interval: i32 = 4,
        /// Seconds of silence of the peer before it is given up; 0 is never.
        keepalive_timeout: i32 = 8,
        /// Largest TCP segment in bytes; 0 leaves SYN packets alone.
        mss: i32 = 12,
    }
}

record! {
    /// The driver's version.
    natural
    pub struct Version = "TUNIC_OVPN_VERSION", 12 {
        /// Major.
        major: i32 = 0,
        /// Minor.
        minor: i32 = 4,
        /// Patch.
        patch: i32 = 8,
    }
}

record! {
    /// Binds the socket of multi-peer mode; the answer has the bound address.
    natural
    pub struct MpStartVpn = "TUNIC_OVPN_MP_START_VPN", 32 {
        /// sockaddr_in or sockaddr_in6; port 0 lets the system choose.
        listen: SockaddrInet = 0,
        /// Not 0: an IPv6 socket takes IPv6 alone.
        ipv6_only: i32 = 28,
    }
}

record! {
    /// Something that happened to a peer.
    natural
    pub struct NotifyEvent = "TUNIC_OVPN_NOTIFY_EVENT", 144 {
        /// NOTIFY_*.
        cmd: u32 = 0,
        /// Which peer.
        peer_id: i32 = 4,
        /// Why it is gone.
        del_reason: u32 = 8,
        /// Zero.
        reserved: u32 = 12,
        /// sockaddr_storage: where it floated to.
        float_address: [u8; 128] = 16,
    }
}

record! {
    /// A route to a peer.
    natural
    pub struct MpIroute = "TUNIC_OVPN_MP_IROUTE", 28 {
        /// 4 or 16 bytes, network byte order.
        address: [u8; 16] = 0,
        /// Prefix length.
        netbits: i32 = 16,
        /// Which peer; -1 where the route is removed.
        peer_id: i32 = 20,
        /// Not 0: the address is IPv6.
        ipv6: i32 = 24,
    }
}
