//! A small protocol: AEAD data packets under keys that two messages derive from a pre-shared
//! secret.
//!
//! docs/adding-a-protocol.md walks through it. It is no protocol for the wild: who learns the
//! secret reads everything, past and future.
#![allow(dead_code, reason = "each test uses its part")]

mod control;
mod data;
mod message;

use core::time::Duration;

use nic_crypto::AeadKey;
use nic_engine::{
    ControlHost, Endpoint, Instant, Now, Protocol,
    nonce_counter::{KeyLimits, NonceCounter},
    protocol::{
        Addresses, BatchSize, ClaimError, Class, Disposition, NotReady, OpenPacket, OpenedPacket,
        PeerId, ReceiverId, SealPacket, Selector, SentPackets,
    },
    replay_window::ReplayWindow,
};

/// The protocol.
pub(crate) struct Preshared;

/// The adapter: what we are called.
pub(crate) struct Control {
    pub(crate) name: [u8; 32],
}

/// A peer on the control plane.
pub(crate) struct PeerControl {
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
pub(crate) struct PeerData {
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
pub(crate) struct SealContext {
    key: AeadKey,
    theirs: ReceiverId,
    first: u64,
}

/// A batch's copy of an opening key.
pub(crate) struct OpenContext {
    key: AeadKey,
    ours: ReceiverId,
}

impl PeerControl {
    pub(crate) const fn new(secret: [u8; 32]) -> Self {
        Self { secret, last_request: 0, request: None }
    }
}

impl PeerData {
    /// Asks for a key at a time.
    pub(crate) const fn want_key(&mut self, at: Instant) {
        self.request_at = Some(at);
    }
}

impl Protocol for Preshared {
    const NAME: &'static str = "preshared";
    const HEADER_BYTES: usize = message::HEADER_BYTES;
    const TRAILER_BYTES: usize = message::TAG_BYTES;
    const CONTROL_BYTES: usize = 80;
    const ADDRESSES: Addresses = Addresses::Shared;

    type Control = Control;
    type PeerControl = PeerControl;
    type PeerData = PeerData;
    type SealContext = SealContext;
    type OpenContext = OpenContext;
    type AddressValidator = ();
    type Framing = ();

    const LONGEST_FRAMING: () = ();

    fn framing(_data: &PeerData) {}

    fn datagram_bytes((): (), payload_bytes: usize, _mtu_bytes: usize) -> usize {
        Self::HEADER_BYTES + payload_bytes + Self::TRAILER_BYTES
    }

    fn payload_capacity(datagram_bytes: usize) -> usize {
        datagram_bytes.saturating_sub(Self::HEADER_BYTES + Self::TRAILER_BYTES)
    }

    fn classify(head: &[u8], datagram_bytes: usize) -> Class {
        message::classify(head, datagram_bytes)
    }

    fn seal_begin(
        data: &mut PeerData,
        load: BatchSize,
        now: Instant,
    ) -> Result<SealContext, NotReady> {
        data::seal_begin(data, load.packets, now)
    }

    fn seal(context: &SealContext, first: u32, packets: &mut [SealPacket<'_>]) {
        data::seal(context, first, packets);
    }

    fn sent(data: &mut PeerData, _sent: SentPackets, _now: Instant) {
        data.keepalive_at = None;
    }

    fn open_begin(data: &PeerData, selector: Selector, _now: Instant) -> Option<OpenContext> {
        let receiver = selector.receiver;
        let session = data.sessions.iter().flatten().find(|session| session.ours == receiver)?;
        Some(OpenContext { key: session.opening.clone(), ours: receiver })
    }

    fn open(context: &OpenContext, packets: &mut [OpenPacket<'_>]) {
        data::open(context, packets);
    }

    fn accept(
        data: &mut PeerData,
        context: &OpenContext,
        packet: &OpenedPacket,
        now: Instant,
    ) -> Disposition {
        let session = data.sessions.iter_mut().flatten().find(|it| it.ours == context.ours);
        // A session that is gone can't tell.
        if !session.is_some_and(|session| session.window.accept(packet.counter)) {
            return Disposition::Replayed;
        }
        if packet.payload_bytes == 0 {
            return Disposition::Consumed;
        }
        data.keepalive_at.get_or_insert(now.after(KEEPALIVE));
        Disposition::Deliver
    }

    fn roams(_data: &PeerData) -> bool {
        true
    }

    fn deadline(data: &PeerData) -> Instant {
        let times = [data.request_at, data.keepalive_at];
        times.into_iter().flatten().min().unwrap_or(Instant::NEVER)
    }

    fn address_validator(_control: &Control) {}

    fn control_datagram(
        control: &mut Control,
        host: &mut dyn ControlHost<Self>,
        datagram: &[u8],
        from: &Endpoint,
        now: Now,
    ) {
        control::datagram(control, host, datagram, from, now);
    }

    fn timeout(control: &mut Control, host: &mut dyn ControlHost<Self>, peer: PeerId, now: Now) {
        control::timeout(control, host, peer, now);
    }

    fn added(
        _control: &mut Control,
        _host: &mut dyn ControlHost<Self>,
        _peer: PeerId,
    ) -> Result<(), ClaimError> {
        Ok(())
    }

    fn removed(_control: &mut Control, host: &mut dyn ControlHost<Self>, peer: PeerId) {
        control::removed(host, peer);
    }

    fn adapter_timeout(_control: &mut Control, _now: Now) {}
}

/// A key is good for so many packets.
const LIMITS: KeyLimits = KeyLimits { renew_after: 1 << 32, reject_after: 1 << 33 };
/// A request that is not answered is repeated.
const REPEAT: Duration = Duration::from_secs(5);
/// A peer that sends hears from us at least so often.
const KEEPALIVE: Duration = Duration::from_secs(10);
