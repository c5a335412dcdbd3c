//! Flag words of the native ABI.

bitflags::bitflags! {
    /// Flags of an [`Interface`](super::Interface).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct InterfaceFlags: u32 {
        /// The private key is valid.
        const HAS_PRIVATE_KEY = 0x1;
        /// Remove the private key.
        const CLEAR_PRIVATE_KEY = 0x2;
        /// The port is valid.
        const HAS_LISTEN_PORT = 0x4;
        /// Remove all peers first.
        const REPLACE_PEERS = 0x8;
        /// The public key is valid; output only, without effect in a request.
        const HAS_PUBLIC_KEY = 0x10;
    }

    /// Flags of a [`Peer`](super::Peer).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct PeerFlags: u32 {
        /// The preshared key is valid.
        const HAS_PRESHARED_KEY = 0x1;
        /// Remove the preshared key.
        const CLEAR_PRESHARED_KEY = 0x2;
        /// The keepalive interval is valid.
        const HAS_PERSISTENT_KEEPALIVE = 0x4;
        /// The endpoint is valid.
        const HAS_ENDPOINT = 0x8;
        /// Remove all routes first.
        const REPLACE_ROUTES = 0x10;
        /// Remove the peer.
        const REMOVE = 0x20;
        /// Skip the peer if it does not exist.
        const UPDATE_ONLY = 0x40;
    }

    /// Flags of a [`Route`](super::Route).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RouteFlags: u32 {
        /// Remove the route.
        const REMOVE = 0x1;
    }
}
