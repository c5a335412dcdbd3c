//! Flag words of data channels.

bitflags::bitflags! {
    /// Flags of a [`Listen`](super::Listen).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ListenFlags: u32 {
        /// An IPv6 socket receives IPv6 only.
        const V6_ONLY = 0x1;
    }

    /// Flags of a [`NewPeer`](super::NewPeer).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct NewPeerFlags: u32 {
        /// The transmit id is valid.
        const HAS_TRANSMIT_ID = 0x1;
    }

    /// Flags of a [`SetPeer`](super::SetPeer).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct SetPeerFlags: u32 {
        /// The keepalive interval is valid.
        const HAS_KEEPALIVE = 0x1;
        /// The timeout is valid.
        const HAS_TIMEOUT = 0x2;
        /// The segment size is valid.
        const HAS_MSS = 0x4;
    }

    /// Flags of a [`Key`](super::Key).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct KeyFlags: u32 {
        /// The keys are secrets of epoch 1.
        const EPOCH = 0x1;
        /// The transmit id is valid.
        const HAS_TRANSMIT_ID = 0x2;
    }
}
