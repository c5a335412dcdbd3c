//! Flag words of WireGuardNT's ABI.

bitflags::bitflags! {
    /// Flags of an [`Interface`](super::Interface).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct InterfaceFlags: u32 {
        /// The public key is valid; output only, without effect in a request.
        const HAS_PUBLIC_KEY = 0x1;
        /// The private key is valid.
        const HAS_PRIVATE_KEY = 0x2;
        /// The port is valid.
        const HAS_LISTEN_PORT = 0x4;
        /// Remove all peers first.
        const REPLACE_PEERS = 0x8;
    }

    /// Flags of a [`Peer`](super::Peer).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct PeerFlags: u32 {
        /// The public key is valid; mandatory.
        const HAS_PUBLIC_KEY = 0x1;
        /// The preshared key is valid.
        const HAS_PRESHARED_KEY = 0x2;
        /// The keepalive interval is valid.
        const HAS_PERSISTENT_KEEPALIVE = 0x4;
        /// The endpoint is valid.
        const HAS_ENDPOINT = 0x8;
        /// The protocol version is valid.
        const HAS_PROTOCOL_VERSION = 0x10;
        /// Remove all allowed IPs first.
        const REPLACE_ALLOWED_IPS = 0x20;
        /// Remove the peer.
        const REMOVE = 0x40;
        /// Skip the peer if it does not exist.
        const UPDATE_ONLY = 0x80;
    }

    /// Flags of an [`AllowedIp`](super::AllowedIp).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct AllowedIpFlags: u32 {
        /// Remove the allowed IP.
        const REMOVE = 0x1;
    }
}
