//! What a data-channel protocol must say.
//!
//! A protocol has a *data plane*, called per batch under the peer's spin lock or under no lock at
//! all, which never waits and never does public-key cryptography; and a *control plane*, called
//! under the adapter's control lock, where handshakes, timers and configuration happen. Keys travel
//! from the second to the first through [`Protocol::PeerData`].
//!
//! A packet's way out: [`Protocol::seal_begin`] (peer lock: reserve counters, copy the key),
//! [`Protocol::seal`] (no lock, any CPU), [`Protocol::sent`] (peer lock, in order). Its way in:
//! [`Protocol::classify`], [`Protocol::open_begin`] (peer lock: copy the key), [`Protocol::open`]
//! (no lock, any CPU), [`Protocol::accept`] (peer lock, in order: replay, timers).

use crate::{Endpoint, Instant, Now, PeerName};

/// Names a peer of an adapter: stays valid, or never matches again once the peer is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerId {
    /// Slot in the peer table.
    pub index: u32,
    /// Which of the slot's users.
    pub generation: u32,
}

/// Names one of our receiving contexts on the wire: the number by which a datagram says which
/// peer's it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReceiverId(pub u32);

/// What a data packet says of the key that it is to be opened with. Those that say the same are
/// opened in one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Selector {
    /// Finds the peer.
    pub receiver: ReceiverId,
    /// Finds the key, where a context has several: the protocol's own.
    pub key: u32,
}

/// What a datagram is, judged by its first bytes and its length alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A data packet for a context.
    Data(Selector),
    /// A message for the control plane, or for userspace.
    Control,
    /// Nothing that we know.
    Malformed,
}

/// A packet to be sealed.
pub struct SealPacket<'a> {
    /// The plaintext's pieces in order: an MDL chain.
    pub source: &'a [&'a [u8]],
    /// The sum of the pieces' lengths.
    pub payload_bytes: usize,
    /// The datagram to fill, [`Protocol::datagram_bytes`] long.
    pub datagram: &'a mut [u8],
}

/// A datagram to be opened.
pub struct OpenPacket<'a> {
    /// The datagram's pieces in order: an MDL chain.
    pub source: &'a [&'a [u8]],
    /// The sum of the pieces' lengths.
    pub datagram_bytes: usize,
    /// Receives the plaintext; [`Protocol::payload_capacity`] long.
    pub output: &'a mut [u8],
    /// Set by [`Protocol::open`].
    pub result: Option<OpenedPacket>,
}

/// Fills `output` with what lies `skip` bytes after the start of a packet's pieces. False where
/// they are too short.
#[inline]
pub fn gather(pieces: &[&[u8]], mut skip: usize, mut output: &mut [u8]) -> bool {
    for piece in pieces {
        let Some(rest) = piece.get(skip..) else {
            skip = skip.saturating_sub(piece.len());
            continue;
        };
        skip = 0;
        let length = rest.len().min(output.len());
        let (Some(front), Some((place, remaining))) =
            (rest.get(..length), output.split_at_mut_checked(length))
        else {
            return false;
        };
        place.copy_from_slice(front);
        output = remaining;
        if output.is_empty() {
            return true;
        }
    }
    output.is_empty()
}

/// An authentic packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedPacket {
    /// Its counter, to be judged by [`Protocol::accept`].
    pub counter: u64,
    /// Bytes of plaintext at the start of the output, padding included; 0 for a keepalive.
    pub payload_bytes: usize,
}

/// What becomes of an authentic packet, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Its payload goes up.
    Deliver,
    /// It was for the protocol itself.
    Consumed,
    /// Its counter was seen before or is too old.
    Replayed,
}

/// What was sent, for the protocol's timers.
#[derive(Clone, Copy, Debug)]
pub struct SentPackets {
    /// Packets with payload.
    pub data_packets: u32,
    /// Packets without.
    pub keepalives: u32,
}

/// What a batch asks of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSize {
    /// Packets; each gets a counter.
    pub packets: u32,
    /// The sum of their payloads' lengths; 0 for a keepalive.
    pub payload_bytes: usize,
}

/// Whether the sender of a control message has proved that it receives at its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressValidation {
    /// It has not: the address may be spoofed.
    Unvalidated,
    /// It has.
    Validated,
}

/// Whether two peers may be at one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// They may.
    Shared,
    /// They may not: a peer that roams is not followed to another's address, and what it sends from
    /// there is dropped.
    Exclusive,
}

/// Why a context can't be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimError {
    /// Another peer has it.
    Taken,
    /// Memory ran out.
    NoMemory,
}

/// Why a batch can't be sealed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// There is no usable key: keep the packets; the peer's deadline says when to ask for one.
    NoKey,
}

/// A data-channel protocol.
pub trait Protocol: Sized + 'static {
    /// What it is called, for people.
    const NAME: &'static str;
    /// The most bytes that sealing adds in front of a payload.
    const HEADER_BYTES: usize;
    /// The most bytes that sealing adds behind the padded payload.
    const TRAILER_BYTES: usize;
    /// The longest datagram of [`Class::Control`] that is looked at.
    const CONTROL_BYTES: usize;
    /// Whether two peers may be at one address.
    const ADDRESSES: Addresses;

    /// The adapter's control state: identity, cookie secrets, rate limiter.
    type Control: Send;
    /// A peer's control state: its handshake.
    type PeerControl: Send;
    /// A peer's data state: keys, counters, replay windows, the time stamps that timers are judged
    /// by.
    type PeerData: Send;
    /// One batch's copy of a sealing key, with its reserved counters.
    type SealContext: Send;
    /// One batch's copy of an opening key.
    type OpenContext: Send;
    /// What a control message's standing is judged by, copied from [`Protocol::Control`]: `()` for
    /// nothing.
    type AddressValidator: Clone + Send;
    /// What the length of a datagram depends on beside its payload: `()` for nothing.
    type Framing: Copy + Send;

    // Geometry

    /// The framing that makes the longest datagrams.
    const LONGEST_FRAMING: Self::Framing;
    /// How what is sealed next is framed. Peer lock; holds for [`Protocol::seal_begin`] under the
    /// same hold of it.
    fn framing(data: &Self::PeerData) -> Self::Framing;
    /// The length of the datagram that carries a payload of this length over an adapter with this
    /// MTU; of a keepalive for 0.
    fn datagram_bytes(framing: Self::Framing, payload_bytes: usize, mtu_bytes: usize) -> usize;
    /// The room that opening a datagram of this length needs.
    fn payload_capacity(datagram_bytes: usize) -> usize;
    /// Judges a datagram by its first bytes (at least 16, or all) and its length.
    fn classify(head: &[u8], datagram_bytes: usize) -> Class;

    // Data plane

    /// Whether a packet that begins like this (as [`crate::Packet::head`]) may go to the peer. Peer
    /// lock, for each packet.
    #[inline]
    fn admits(data: &Self::PeerData, endpoint: &Endpoint, head: &[u8]) -> bool {
        _ = (data, endpoint, head);
        true
    }
    /// Reserves counters for a batch and copies the key. Peer lock.
    fn seal_begin(
        data: &mut Self::PeerData,
        load: BatchSize,
        now: Instant,
    ) -> Result<Self::SealContext, NotReady>;
    /// Seals packets `first..first + packets.len()` of a batch. No lock.
    fn seal(context: &Self::SealContext, first: u32, packets: &mut [SealPacket<'_>]);
    /// Notes that a batch was handed to the network. Peer lock.
    fn sent(data: &mut Self::PeerData, sent: SentPackets, now: Instant);
    /// Copies a key; `None` where the peer has no such key or it is too old. Peer lock.
    fn open_begin(
        data: &Self::PeerData,
        selector: Selector,
        now: Instant,
    ) -> Option<Self::OpenContext>;
    /// Opens datagrams. No lock.
    fn open(context: &Self::OpenContext, packets: &mut [OpenPacket<'_>]);
    /// Notes that so many datagrams of a batch were not authentic, in any order. Peer lock.
    fn authentication_failed(
        data: &mut Self::PeerData,
        context: &Self::OpenContext,
        datagrams: u32,
    ) {
        _ = (data, context, datagrams);
    }
    /// Judges one authentic packet; in order of arrival. Peer lock.
    fn accept(
        data: &mut Self::PeerData,
        context: &Self::OpenContext,
        packet: &OpenedPacket,
        now: Instant,
    ) -> Disposition;
    /// Whether the peer is followed to the address that its last authentic packet came from. Peer
    /// lock.
    fn roams(data: &Self::PeerData) -> bool;
    /// When [`Protocol::timeout`] is due next; anything not after `now` means at once. Read under
    /// the peer lock after every call that changes the data.
    fn deadline(data: &Self::PeerData) -> Instant;

    // Control plane

    /// What messages are judged by from here on. Control lock; called after whatever may have
    /// changed the state.
    fn address_validator(control: &Self::Control) -> Self::AddressValidator;
    /// Judges a datagram of [`Class::Control`] before it waits for the control plane; no lock,
    /// cheap, bounded. What is refused does not wait. `is_assigned` says whether a context is a
    /// peer's.
    #[inline]
    fn validate_address(
        judge: &Self::AddressValidator,
        datagram: &[u8],
        from: &Endpoint,
        is_assigned: &dyn Fn(ReceiverId) -> bool,
        now: Instant,
    ) -> Result<AddressValidation, Discard> {
        _ = (judge, datagram, from, is_assigned, now);
        Ok(AddressValidation::Unvalidated)
    }
    /// Handles a datagram of [`Class::Control`]. It trusts no standing: what that was judged by may
    /// have changed since.
    fn control_datagram(
        control: &mut Self::Control,
        host: &mut dyn ControlHost<Self>,
        datagram: &[u8],
        from: &Endpoint,
        now: Now,
    );
    /// Does what is due for a peer whose deadline has passed.
    fn timeout(
        control: &mut Self::Control,
        host: &mut dyn ControlHost<Self>,
        peer: PeerId,
        now: Now,
    );
    /// Claims the contexts that a new peer needs from the start. Where it fails, it leaves none,
    /// and the peer is not added.
    fn added(
        control: &mut Self::Control,
        host: &mut dyn ControlHost<Self>,
        peer: PeerId,
    ) -> Result<(), ClaimError>;
    /// Forgets a peer's contexts and secrets: it is being removed.
    fn removed(control: &mut Self::Control, host: &mut dyn ControlHost<Self>, peer: PeerId);
    /// Housekeeping of the adapter itself, about once a second.
    fn adapter_timeout(control: &mut Self::Control, now: Now);
}

/// Things that happened which userspace may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A handshake has completed; keys are in place.
    HandshakeCompleted(PeerId),
    /// The peer does not answer handshakes; queued packets were dropped.
    HandshakeAbandoned(PeerId),
    /// The peer's address changed.
    EndpointMoved(PeerId),
    /// Packets wait for a key that userspace is to bring. Told again while they wait.
    KeyWanted(PeerId),
    /// A key is near the end of its use, for what it has sealed or for what it has failed to open:
    /// userspace is to bring another.
    KeyLimitNear(PeerId),
    /// Nothing authentic has come from the peer for as long as was configured. It stays.
    TimedOut(PeerId),
    /// The same, and so the peer was removed: its name.
    Expired(PeerName),
}

/// Why a packet or message got nowhere; each has a counter on the adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Discard {
    /// Not an IPv4 or IPv6 packet, or its header lies about its length.
    NotIp,
    /// No peer has the destination in its allowed IPs.
    NoRoute,
    /// The peer's address is not known.
    NoEndpoint,
    /// The protocol does not let it go to the peer: one that would go round in circles.
    NotAdmitted,
    /// The queue was full.
    QueueFull,
    /// It waited too long in a standing queue (CoDel).
    QueuedTooLong,
    /// No key came in time.
    NoKey,
    /// The adapter is down or pausing.
    Down,
    /// Memory ran out.
    NoMemory,
    /// A datagram that is no message of the protocol.
    Malformed,
    /// A data packet for a context that we don't have, or whose key has expired.
    UnknownContext,
    /// A data packet that fails authentication.
    Forged,
    /// A data packet seen before, or too old to tell.
    Replayed,
    /// A packet from an address that its sender's allowed IPs don't hold.
    SourceNotAllowed,
    /// A data packet from an address that is another peer's.
    AddressTaken,
    /// A control message from an address that is not the only peer's.
    ForeignControl,
    /// A control message without a valid first-level authenticator.
    BadAuthenticator,
    /// A control message that had to be answered by a cookie.
    CookieRequired,
    /// A control message over its address's rate.
    RateLimited,
    /// A handshake message that fails authentication, is a replay, or is from nobody we know.
    BadHandshake,
    /// The network refused a datagram.
    SendFailed,
}

impl Discard {
    /// How many reasons there are.
    pub const COUNT: usize = Self::SendFailed as usize + 1;
}

/// What the engine offers a protocol's control plane. All under the control lock.
pub trait ControlHost<P: Protocol> {
    /// The peer with this name.
    fn peer_by_name(&self, name: &PeerName) -> Option<PeerId>;
    /// The peer that follows this one in the table's order, or the first one for `None`; `None` at
    /// the end. A peer that is gone still has a place in the order. Visits every peer once where
    /// none is added meanwhile.
    fn next_peer(&self, after: Option<PeerId>) -> Option<PeerId>;
    /// The peer that owns a context.
    fn peer_by_receiver(&self, receiver: ReceiverId) -> Option<PeerId>;
    /// A peer's control state.
    fn peer_control(&mut self, peer: PeerId) -> Option<&mut P::PeerControl>;
    /// Calls `f` with a peer's data state under the peer lock: keep it short. False where the peer
    /// is gone.
    fn with_peer_data(&mut self, peer: PeerId, f: &mut dyn FnMut(&mut P::PeerData)) -> bool;
    /// Makes a new context for a peer, unpredictable and not in use; `None` when memory ran out.
    fn allocate_receiver(&mut self, peer: PeerId) -> Option<ReceiverId>;
    /// Gives a peer a context of the protocol's choice.
    fn claim_receiver(&mut self, peer: PeerId, receiver: ReceiverId) -> Result<(), ClaimError>;
    /// Gives a context back.
    fn release_receiver(&mut self, receiver: ReceiverId);
    /// Gives a peer all data packets whose context is nobody's, or (`None`) gives them to nobody.
    fn set_default_peer(&mut self, peer: Option<PeerId>);
    /// What a peer is called.
    fn name(&self, peer: PeerId) -> Option<PeerName>;
    /// Removes a peer with all that it has, [`Protocol::removed`] included. False where it is gone
    /// already.
    fn remove_peer(&mut self, control: &mut P::Control, peer: PeerId) -> bool;
    /// Where the peer is.
    fn endpoint(&self, peer: PeerId) -> Option<Endpoint>;
    /// Notes where the peer is.
    fn set_endpoint(&mut self, peer: PeerId, endpoint: &Endpoint);
    /// Forgets by which of our addresses the peer was reached.
    fn clear_local_address(&mut self, peer: PeerId);
    /// Sends a control message to a peer; counts as its traffic. False where its address is not
    /// known or memory ran out.
    fn send(&mut self, peer: PeerId, datagram: &[u8]) -> bool;
    /// Hands a control message up to userspace. False where there is no room for it; that is
    /// counted.
    fn hand_up(&mut self, from: &Endpoint, datagram: &[u8]) -> bool;
    /// Sends a control message to where a datagram came from.
    fn reply(&mut self, to: &Endpoint, datagram: &[u8]);
    /// Counts the bytes of an authentic control message as the peer's received traffic.
    fn received(&mut self, peer: PeerId, datagram_bytes: usize);
    /// Sends what waits for a key, now that there is one. True where something waited.
    fn send_queued(&mut self, peer: PeerId) -> bool;
    /// Sends an empty data packet.
    fn send_keepalive(&mut self, peer: PeerId);
    /// Drops what waits for a key.
    fn drop_queued(&mut self, peer: PeerId);
    /// Whether handshakes come in faster than they can be handled.
    fn is_under_load(&self) -> bool;
    /// Fills a buffer with random bytes fit for keys. False where the system has none; then nothing
    /// may be keyed with it.
    fn fill_random(&mut self, bytes: &mut [u8]) -> bool;
    /// Counts a control message that got nowhere.
    fn count(&mut self, reason: Discard);
    /// Tells userspace.
    fn event(&mut self, event: Event);
}

#[cfg(test)]
mod tests {
    use super::gather;

    #[test]
    fn pieces_are_read_as_one_wherever_they_are_cut() {
        let all: [u8; 9] = core::array::from_fn(|at| at as u8);
        for (first, second) in (0..=9).flat_map(|second| (0..=second).map(move |at| (at, second))) {
            let pieces = [&all[..first], &all[first..second], &all[second..]];
            for (skip, length) in (0..=10).flat_map(|skip| (0..=10).map(move |n| (skip, n))) {
                let mut output = [0xff; 10];
                let wanted = all.get(skip..skip + length);
                let is_full = gather(&pieces, skip, &mut output[..length]);
                assert_eq!(is_full, wanted.is_some() || length == 0, "{first} {second} {skip}");
                assert!(wanted.is_none_or(|wanted| output[..length] == *wanted));
            }
        }
    }
}
