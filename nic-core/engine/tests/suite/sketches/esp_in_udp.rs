//! ESP in UDP (RFC 3948, RFC 4303): SPIs of 32 bits, several keys a peer, hard and soft lifetimes.
//!
//! IKE stays in userspace. It installs a pair of security associations for each child SA: the
//! inbound one has an SPI of ours, and several are valid at once while they are replaced.
#![allow(dead_code, reason = "a sketch: nothing runs it")]

use core::time::Duration;

use nic_crypto::{AeadKey, Tier};
use nic_engine::{
    ControlHost, Endpoint, Instant, Now, Protocol,
    nonce_counter::{KeyLimits, NonceCounter},
    protocol::{
        Addresses, ClaimError, Class, Content, ControlPlane, DataPlane, DatagramsOnly, Disposition,
        Event, NotReady, OpenPacket, OpenedPacket, Opener, PeerId, ReceiverId, SealPacket,
        SealRequest, Sealer, Selector, SentPackets, TrafficClass,
    },
    replay_window::ReplayWindow,
};

struct EspInUdp;

/// The adapter.
struct Control;

/// A peer on the control plane: the SPIs that it has claimed.
struct PeerControl {
    inbound_spis: Vec<ReceiverId>,
}

/// A peer on the data plane.
struct PeerData {
    /// The newest one seals.
    outbound: Option<OutboundSa>,
    /// All of them open; replaced ones until their hard lifetime ends.
    inbound: Vec<InboundSa>,
    nat_keepalive_at: Instant,
}

/// Soft lifetimes ask for a new association, hard ones end this one: in bytes, packets and time.
struct Lifetimes {
    packets: KeyLimits,
    soft_bytes: u64,
    hard_bytes: u64,
    soft_expiry: Instant,
    hard_expiry: Instant,
    soft_was_reported: bool,
}

struct OutboundSa {
    spi: u32,
    key: AeadKey,
    salt: [u8; 4],
    sequence: NonceCounter,
    sealed_bytes: u64,
    lifetimes: Lifetimes,
}

struct InboundSa {
    spi: ReceiverId,
    key: AeadKey,
    salt: [u8; 4],
    window: ReplayWindow<64>,
    opened_bytes: u64,
    lifetimes: Lifetimes,
}

struct SealContext {
    spi: u32,
    key: AeadKey,
    salt: [u8; 4],
    first_sequence: u64,
}

struct OpenContext {
    spi: ReceiverId,
    key: AeadKey,
    salt: [u8; 4],
    /// The high half of an extended sequence number is not on the wire (RFC 4303, section 2.2.1).
    highest_sequence: u64,
}

/// SPI and sequence number.
const HEADER_BYTES: usize = 8;
const IV_BYTES: usize = 8;
/// Pad length and next header.
const TRAILER_BYTES: usize = 2;
const ICV_BYTES: usize = 16;
const PADDING: usize = 4;
const NAT_KEEPALIVE: Duration = Duration::from_secs(20);

impl Protocol for EspInUdp {
    const ADDRESSES: Addresses = Addresses::Shared;
    const MAX_CONTROL_BYTES: usize = 0;
    const MAX_OVERHEAD_BYTES: usize =
        HEADER_BYTES + IV_BYTES + PADDING - 1 + TRAILER_BYTES + ICV_BYTES;
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
        let padded = (payload_bytes + TRAILER_BYTES).next_multiple_of(PADDING);
        HEADER_BYTES + IV_BYTES + padded + ICV_BYTES
    }

    fn payload_capacity(datagram_bytes: usize) -> usize {
        datagram_bytes.saturating_sub(HEADER_BYTES + IV_BYTES + ICV_BYTES)
    }

    /// Four zero bytes in place of an SPI mark a message of IKE (RFC 3948, section 2.2); one byte
    /// 0xff is a NAT keepalive (section 2.3).
    fn classify(head: &[u8], datagram_bytes: usize) -> Class {
        match head.first_chunk() {
            Some([0, 0, 0, 0]) => Class::Control,
            Some(spi) if datagram_bytes >= Self::datagram_bytes((), 0, 0) => {
                let receiver = ReceiverId(u32::from_be_bytes(*spi));
                Class::Data(Selector { receiver, key: 0 })
            }
            _ => Class::Malformed,
        }
    }

    /// The DSCP is copied as well (RFC 4301, section 5.1.2.1).
    fn outer_traffic_class(inner: TrafficClass) -> TrafficClass {
        inner
    }
}

impl DataPlane<EspInUdp> for PeerData {
    fn framing(&self) {}

    /// Fails at a hard lifetime. At a soft one it notes that [`Event::KeyLimitNear`] is due.
    fn begin_seal(&mut self, request: SealRequest, now: Instant) -> Result<SealContext, NotReady> {
        let outbound = self.outbound.as_mut().ok_or(NotReady::NoKey)?;
        let lifetimes = &outbound.lifetimes;
        if now >= lifetimes.hard_expiry || outbound.sealed_bytes >= lifetimes.hard_bytes {
            return Err(NotReady::NoKey);
        }
        let reserved = outbound.sequence.reserve(request.packets, &lifetimes.packets);
        let reserved = reserved.ok_or(NotReady::NoKey)?;
        outbound.sealed_bytes += request.payload_bytes as u64;
        Ok(SealContext {
            spi: outbound.spi,
            key: outbound.key.clone(),
            salt: outbound.salt,
            first_sequence: reserved.first + 1,
        })
    }

    fn sent(&mut self, _sent: SentPackets, now: Instant) {
        self.nat_keepalive_at = now.after(NAT_KEEPALIVE);
    }

    /// An SPI selects one of the peer's inbound associations.
    fn begin_open(&self, selector: Selector, now: Instant) -> Option<OpenContext> {
        let inbound = self.inbound.iter().find(|inbound| inbound.spi == selector.receiver)?;
        (now < inbound.lifetimes.hard_expiry).then(|| OpenContext {
            spi: inbound.spi,
            key: inbound.key.clone(),
            salt: inbound.salt,
            highest_sequence: inbound.window.highest().unwrap_or(0),
        })
    }

    /// A next header of 59 is a dummy packet (RFC 4303, section 2.6).
    fn accept(
        &mut self,
        context: &OpenContext,
        packet: &OpenedPacket,
        _now: Instant,
    ) -> Disposition {
        let inbound = self.inbound.iter_mut().find(|inbound| inbound.spi == context.spi);
        let is_new = inbound.is_some_and(|inbound| {
            inbound.opened_bytes += packet.payload_bytes as u64;
            inbound.window.accept(packet.counter)
        });
        match packet.content {
            _ if !is_new => Disposition::Replayed,
            Content::Data => Disposition::Deliver,
            Content::Keepalive => Disposition::Consumed,
            Content::Control => Disposition::Control,
        }
    }

    fn roams(&self) -> bool {
        todo!("with MOBIKE")
    }

    /// The earliest soft or hard expiry, or a lifetime in bytes that was passed.
    fn deadline(&self) -> Instant {
        todo!()
    }
}

impl Sealer for SealContext {
    fn seal(&self, _tier: Tier<'_>, _first: u32, _packets: &mut [SealPacket<'_>]) {
        todo!("the next header follows from the version of the inner packet")
    }
}

impl Opener for OpenContext {
    fn open(&self, _tier: Tier<'_>, _packets: &mut [OpenPacket<'_>]) {
        todo!("the sequence number is extended from `highest_sequence`")
    }
}

impl ControlPlane<EspInUdp> for Control {
    fn address_validator(&self) {}

    fn control_message(
        &mut self,
        host: &mut dyn ControlHost<EspInUdp>,
        datagram: &[u8],
        from: &Endpoint,
        _now: Now,
    ) {
        host.hand_up(from, datagram);
    }

    fn timeout(&mut self, host: &mut dyn ControlHost<EspInUdp>, peer: PeerId, now: Now) {
        let (mut expired, mut is_near_limit) = (None, false);
        host.with_peer_data(peer, &mut |data| {
            let is_expired = |sa: &InboundSa| now.instant >= sa.lifetimes.hard_expiry;
            expired =
                data.inbound.iter().position(is_expired).map(|at| data.inbound.remove(at).spi);
            is_near_limit = data.outbound.as_mut().is_some_and(|sa| {
                let is_due = now.instant >= sa.lifetimes.soft_expiry;
                is_due && !core::mem::replace(&mut sa.lifetimes.soft_was_reported, true)
            });
        });
        if let Some(spi) = expired {
            host.release_receiver(spi);
        }
        if is_near_limit {
            host.event(Event::KeyLimitNear(peer));
        }
    }

    fn peer_removed(&mut self, host: &mut dyn ControlHost<EspInUdp>, peer: PeerId) {
        let spis = host.peer_control(peer).map(|peer| core::mem::take(&mut peer.inbound_spis));
        spis.into_iter().flatten().for_each(|spi| host.release_receiver(spi));
    }
}

/// Installs an inbound association whose SPI userspace has chosen.
fn install_inbound(
    host: &mut dyn ControlHost<EspInUdp>,
    peer: PeerId,
    inbound: InboundSa,
) -> Result<(), ClaimError> {
    let spi = inbound.spi;
    host.claim_receiver(peer, spi)?;
    if let Some(control) = host.peer_control(peer) {
        control.inbound_spis.push(spi);
    }
    let mut inbound = Some(inbound);
    host.with_peer_data(peer, &mut |data| data.inbound.extend(inbound.take()));
    Ok(())
}

/// The SPI of a new inbound association; 0 to 255 are reserved (RFC 4303, section 2.1).
fn allocate_spi(host: &mut dyn ControlHost<EspInUdp>, peer: PeerId) -> Option<ReceiverId> {
    loop {
        match host.allocate_receiver(peer)? {
            reserved @ ReceiverId(0..=255) => host.release_receiver(reserved),
            spi => return Some(spi),
        }
    }
}
