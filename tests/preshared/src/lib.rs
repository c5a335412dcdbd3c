//! A small protocol: AEAD data packets under keys that two messages derive from a pre-shared
//! secret.
//!
//! docs/adding-a-protocol.md walks through it. Not for production: whoever learns the secret can
//! decrypt everything, past and future.
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
use nic_memory::Shared;

/// The protocol.
pub struct Preshared;

/// The control state of an adapter.
pub struct Control {
    /// The name under which peers know this adapter.
    pub name: [u8; 32],
    /// Control messages that arrived sealed.
    pub messages: Vec<Vec<u8>>,
}

/// The control state of a peer.
pub struct PeerControl {
    secret: [u8; 32],
    /// The time in its last request. A request that is not newer is a replay.
    last_request: u64,
    /// The pending request to the peer.
    request: Option<Request>,
}

struct Request {
    receiver: ReceiverId,
    salt: [u8; 16],
}

/// The data state of a peer.
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
    sealing: Shared<AeadKey>,
    opening: Shared<AeadKey>,
    counter: NonceCounter,
    window: ReplayWindow<32>,
}

/// A batch's copy of a sealing key.
pub struct SealContext {
    key: Shared<AeadKey>,
    theirs: ReceiverId,
    first: u64,
    content: Content,
}

/// A batch's copy of an opening key.
pub struct OpenContext {
    key: Shared<AeadKey>,
    ours: ReceiverId,
}

impl PeerControl {
    /// A peer with this shared secret.
    pub const fn new(secret: [u8; 32]) -> Self {
        Self { secret, last_request: 0, request: None }
    }
}

impl PeerData {
    /// Requests a key at a time.
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

/// The limits of a key, in packets.
const LIMITS: KeyLimits = KeyLimits { renew_after: 1 << 32, reject_after: 1 << 33 };
/// The interval at which an unanswered request is repeated.
const REPEAT: Duration = Duration::from_secs(5);
/// The maximum silence towards a peer that sends.
const KEEPALIVE: Duration = Duration::from_secs(10);
