//! A small protocol: AEAD data packets under keys that two messages derive from a pre-shared
//! secret.
//!
//! docs/adding-a-protocol.md walks through it. It is no protocol for the wild: who learns the
//! secret reads everything, past and future.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(feature = "adapter")]
pub mod adapter;
mod control;
mod data;
mod message;

use alloc::vec::Vec;
use core::time::Duration;

use nic_crypto::AeadKey;
use nic_engine::{
    Instant, Protocol,
    nonce_counter::{KeyLimits, NonceCounter},
    protocol::{Addresses, Class, Content, DatagramsOnly, ReceiverId},
    replay_window::ReplayWindow,
};

/// The protocol.
pub struct Preshared;

/// The adapter: what we are called.
pub struct Control {
    /// Whom the peers know us as.
    pub name: [u8; 32],
    /// Messages that came through the tunnel.
    pub messages: Vec<Vec<u8>>,
}

/// A peer on the control plane.
pub struct PeerControl {
    secret: [u8; 32],
    /// The time in its last request: an older one is a replay.
    last_request: u64,
    /// Our own request that waits for its reply.
    request: Option<Request>,
}

struct Request {
    receiver: ReceiverId,
    salt: [u8; 16],
}

/// A peer on the data plane.
#[derive(Default)]
pub struct PeerData {
    /// The one that we send with, and the one before: packets on their way still arrive.
    sessions: [Option<Session>; 2],
    /// Since when a key is wanted, as the time of the next request.
    request_at: Option<Instant>,
    /// When a keepalive is due: the peer has sent, and we haven't since.
    keepalive_at: Option<Instant>,
}

/// Keys for both directions.
struct Session {
    ours: ReceiverId,
    theirs: ReceiverId,
    sealing: AeadKey,
    opening: AeadKey,
    counter: NonceCounter,
    window: ReplayWindow<32>,
}

/// A batch's copy of a sealing key.
pub struct SealContext {
    key: AeadKey,
    theirs: ReceiverId,
    first: u64,
    content: Content,
}

/// A batch's copy of an opening key.
pub struct OpenContext {
    key: AeadKey,
    ours: ReceiverId,
}

impl PeerControl {
    /// A peer that shares this secret with us.
    pub const fn new(secret: [u8; 32]) -> Self {
        Self { secret, last_request: 0, request: None }
    }
}

impl PeerData {
    /// Asks for a key at a time.
    pub const fn want_key(&mut self, at: Instant) {
        self.request_at = Some(at);
    }
}

impl Protocol for Preshared {
    const ADDRESSES: Addresses = Addresses::Shared;
    const MAX_CONTROL_BYTES: usize = message::Request::BYTES;
    const MAX_OVERHEAD_BYTES: usize = message::HEADER_BYTES + message::TAG_BYTES;
    const LONGEST_FRAMING: () = ();

    type Control = Control;
    type PeerControl = PeerControl;
    type PeerData = PeerData;
    type SealContext = SealContext;
    type OpenContext = OpenContext;
    type AddressValidator = ();
    type Framing = ();
    type Stream = DatagramsOnly;

    fn datagram_bytes((): (), payload_bytes: usize, _mtu_bytes: usize) -> usize {
        Self::MAX_OVERHEAD_BYTES + payload_bytes
    }

    fn payload_capacity(datagram_bytes: usize) -> usize {
        datagram_bytes.saturating_sub(Self::MAX_OVERHEAD_BYTES)
    }

    fn classify(head: &[u8], datagram_bytes: usize) -> Class {
        message::classify(head, datagram_bytes)
    }
}

/// A key is good for so many packets.
const LIMITS: KeyLimits = KeyLimits { renew_after: 1 << 32, reject_after: 1 << 33 };
/// A request that is not answered is repeated.
const REPEAT: Duration = Duration::from_secs(5);
/// A peer that sends hears from us at least so often.
const KEEPALIVE: Duration = Duration::from_secs(10);
