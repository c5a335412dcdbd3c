//! Reasons for discarding packets and messages.

/// Why a packet or message was discarded. The adapter counts each reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Discard {
    /// The packet is not IPv4 or IPv6, or its header contradicts its length.
    NotIp,
    /// No peer's allowed IPs contain the destination.
    NoRoute,
    /// The peer's address is not known.
    NoEndpoint,
    /// The protocol does not admit the packet to the peer: it would loop.
    NotAdmitted,
    /// The queue was full.
    QueueFull,
    /// The packet was queued for too long: here (CoDel), or on the path, which marked it (RFC 6040,
    /// section 4.2).
    QueuedTooLong,
    /// No key was installed in time.
    NoKey,
    /// The adapter is down or pausing.
    Down,
    /// Memory ran out.
    NoMemory,
    /// The datagram is no message of the protocol.
    Malformed,
    /// The receiver ID of the data packet is not assigned, or its key has expired.
    UnknownContext,
    /// The data packet is not authentic.
    Forged,
    /// The data packet was seen before, or is too old for the replay window.
    Replayed,
    /// The source address of the packet is not in its sender's allowed IPs.
    SourceNotAllowed,
    /// The data packet came from an address that belongs to another peer.
    AddressTaken,
    /// The control message came from an address that is not the only peer's.
    ForeignControl,
    /// The first-level authenticator of the control message is invalid.
    BadAuthenticator,
    /// The control message was answered with a cookie.
    CookieRequired,
    /// The control message exceeded the rate limit of its address.
    RateLimited,
    /// The handshake message is not authentic, is a replay, or is from an unknown peer.
    BadHandshake,
    /// The network refused the datagram.
    SendFailed,
    /// The only route to the peer leads into its own tunnel.
    NoOuterRoute,
    /// The route to the peer leads through another tunnel back into its own.
    OuterRouteLoop,
}

impl Discard {
    /// The number of reasons.
    pub const COUNT: usize = Self::OuterRouteLoop as usize + 1;
}
