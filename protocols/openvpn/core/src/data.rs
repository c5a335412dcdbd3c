//! The data plane: packets are sealed, opened and judged.

use core::array;

use nic_crypto::{NONCE_LEN, Open, Seal, Sealing, Source, Tier};
use nic_engine::protocol::{
    Content, DataPlane, Disposition, NotReady, OpenPacket, OpenedPacket, Opener, SealPacket,
    SealRequest, Sealer, Selector, SentPackets, gather,
};
use nic_engine::{Endpoint, Instant};

use crate::key::{NearEnd, PacketKey};
use crate::mode::Mode;
use crate::packet::{self, Format, PING, TAG_BYTES};
use crate::peer::PeerData;
use crate::protocol::OpenVpn;
use crate::slots::Slot;
use crate::{mss, own_transport};

/// How many packets are handed to the AEAD at a time.
const CHUNK: usize = 8;

/// The longest header of both formats.
const HEADER_BYTES: usize = packet::EPOCH_HEADER_BYTES;

/// A batch's sealing key and counters.
pub struct SealContext {
    key: PacketKey,
    format: Format,
    opcode: [u8; 4],
    epoch: u16,
    first: u64,
    mss_bytes: u16,
}

/// A batch's opening key.
pub struct OpenContext {
    key: PacketKey,
    format: Format,
    /// Which key of the peer's it is a copy of.
    serial: u64,
    epoch: u16,
    mss_bytes: u16,
}

/// The datagram's length; 0 stands for a ping.
pub(crate) const fn datagram_bytes(format: Format, payload_bytes: usize) -> usize {
    let payload_bytes = if payload_bytes == 0 { PING.len() } else { payload_bytes };
    payload_bytes.saturating_add(format.overhead_bytes())
}

/// The most plaintext that a datagram holds.
pub(crate) const fn payload_capacity(datagram_bytes: usize) -> usize {
    datagram_bytes.saturating_sub(Format::Classic.overhead_bytes())
}

impl DataPlane<OpenVpn> for PeerData {
    fn framing(&self) -> Format {
        self.format()
    }

    /// Rejects packets to the peer's own endpoint. The only peer has all routes, so that the
    /// tunnel's own datagrams come back if the host has no other route to the endpoint.
    fn admits(&self, endpoint: &Endpoint, head: &[u8]) -> bool {
        self.mode == Mode::MultiPeer || !own_transport::is_for(head, endpoint.remote)
    }

    /// Reserves counters. Without a usable key, the control plane derives the next epoch's key or
    /// asks userspace for one.
    fn begin_seal(&mut self, request: SealRequest, now: Instant) -> Result<SealContext, NotReady> {
        let (wire_id, mss_bytes) = (self.wire_id(), self.mss_bytes);
        let reserved =
            self.slots.primary_mut().and_then(|key| Some((key.sender.reserve(request)?, key)));
        let Some((reserved, key)) = reserved else {
            if wants_derivation(self) {
                // The control plane derives the next epoch's key and sends what waits.
                self.wants_derivation = true;
            } else if request.content != Content::Keepalive {
                // A ping does not request a key.
                self.key_wanted_at.get_or_insert(now);
            }
            return Err(NotReady::NoKey);
        };
        let context = SealContext {
            key: reserved.key,
            format: key.info.format,
            opcode: packet::opcode(key.info.key_id, wire_id),
            epoch: reserved.epoch,
            first: reserved.first,
            mss_bytes,
        };
        if key.near_end == NearEnd::Unseen && key.sender.is_near_end() {
            key.near_end = NearEnd::ToTell;
            self.is_limit_near = true;
        }
        // The next epoch's key was used: derive another one.
        self.wants_derivation |= wants_derivation(self);
        Ok(context)
    }

    fn sent(&mut self, _sent: SentPackets, now: Instant) {
        self.timers.sent(now);
    }

    fn begin_open(&self, selector: Selector, _now: Instant) -> Option<OpenContext> {
        let (key_id, epoch) = packet::key_and_epoch(selector);
        let key = self.slots.by_key_id(key_id).filter(|key| !key.failures.are_at_limit())?;
        Some(OpenContext {
            key: key.receiver.key(epoch)?.clone(),
            format: key.info.format,
            serial: key.serial,
            epoch,
            mss_bytes: self.mss_bytes,
        })
    }

    /// Counts failures to authenticate. At half of the limit, userspace is asked for a new key.
    fn authentication_failed(&mut self, context: &OpenContext, datagrams: u32) {
        let Some(key) = self.slots.by_serial_mut(context.serial) else { return };
        key.failures.note(datagrams);
        if key.near_end == NearEnd::Unseen && key.failures.are_near_limit() {
            key.near_end = NearEnd::ToTell;
            self.is_limit_near = true;
        }
    }

    fn accept(
        &mut self,
        context: &OpenContext,
        packet: &OpenedPacket,
        now: Instant,
    ) -> Disposition {
        let Some(key) = self.slots.by_serial_mut(context.serial) else {
            // The replay window went with the key.
            return Disposition::Replayed;
        };
        if !key.accept(context.epoch, packet.counter, now) {
            return Disposition::Replayed;
        }
        self.wants_derivation |= key.sender.wanted().is_some() || key.receiver.wanted().is_some();
        self.timers.received(now);
        if packet.payload_bytes == 0 { Disposition::Consumed } else { Disposition::Deliver }
    }

    fn roams(&self) -> bool {
        self.mode == Mode::MultiPeer
    }

    /// When the control plane has something to do.
    fn deadline(&self) -> Instant {
        if self.is_limit_near || self.wants_derivation {
            return Instant::ZERO;
        }
        // Without a key there is no ping.
        let keepalive = match self.slots.get(Slot::Primary) {
            Some(_) => self.timers.keepalive_due(),
            None => Instant::NEVER,
        };
        keepalive.min(self.timers.timeout_due()).min(self.key_wanted_at.unwrap_or(Instant::NEVER))
    }
}

fn wants_derivation(data: &PeerData) -> bool {
    data.slots.get(Slot::Primary).is_some_and(|key| key.sender.wanted().is_some())
}

impl Sealer for SealContext {
    /// Seals packets; one that can't be sealed (its buffers have the wrong lengths) becomes all
    /// zeros, which no peer accepts.
    fn seal(&self, tier: Tier<'_>, first: u32, packets: &mut [SealPacket<'_>]) {
        let mut counter = self.first.wrapping_add(u64::from(first));
        let header_bytes = self.format.header_bytes();
        for chunk in packets.chunks_mut(CHUNK) {
            let mut headers = [[0; HEADER_BYTES]; CHUNK];
            let mut nonces = [[0; NONCE_LEN]; CHUNK];
            for (header, nonce) in headers.iter_mut().zip(&mut nonces) {
                *header = self.header(counter);
                *nonce = self.key.nonce(header.get(4..header_bytes).unwrap_or_default());
                counter = counter.wrapping_add(1);
            }
            let mut places: [Option<&mut [u8]>; CHUNK] = array::from_fn(|_| None);
            let mut unused_tags = [[0; TAG_BYTES]; CHUNK];
            let mut batch = unused_tags
                .each_mut()
                .map(|tag| Seal::new([0; NONCE_LEN], &[], Source::InPlace, &mut [], tag));
            let length = chunk.len();
            let slots = batch.iter_mut().zip(&mut places).zip(headers.iter().zip(&nonces));
            for (packet, ((slot, place), (header, nonce))) in chunk.iter_mut().zip(slots) {
                let Some((front, tag, output)) = split(self.format, packet.datagram) else {
                    continue;
                };
                let source = self.source(packet.source, packet.payload_bytes, output);
                *place = Some(front);
                *slot = Seal::new(
                    *nonce,
                    header.get(..header_bytes).unwrap_or_default(),
                    source,
                    output,
                    tag,
                );
            }
            if let Some(used) = batch.get_mut(..length) {
                self.key.aead.seal(tier, used);
            }
            for ((place, slot), header) in places.iter_mut().zip(&batch).zip(&headers) {
                let Some(place) = place else { continue };
                match header.get(..header_bytes) {
                    Some(header) if slot.sealing == Sealing::Sealed => {
                        place.copy_from_slice(header);
                    }
                    _ => place.fill(0),
                }
            }
        }
    }
}

impl Opener for OpenContext {
    /// Opens datagrams; `result` of each says what came out. Pings have no payload.
    fn open(&self, tier: Tier<'_>, packets: &mut [OpenPacket<'_>]) {
        for chunk in packets.chunks_mut(CHUNK) {
            let mut headers = [[0; HEADER_BYTES]; CHUNK];
            for (packet, header) in chunk.iter().zip(&mut headers) {
                // What is too short stays zero, and fails below.
                gather(packet.source, 0, header);
            }
            open_chunk(self, tier, chunk, &headers);
            for packet in chunk {
                if let Some(opened) = &mut packet.result
                    && let Some(payload) = packet.output.get_mut(..opened.payload_bytes)
                {
                    if *payload == PING {
                        opened.payload_bytes = 0;
                        opened.content = Content::Keepalive;
                    } else if self.mss_bytes > 0 {
                        mss::clamp(payload, self.mss_bytes);
                    }
                }
            }
        }
    }
}

impl SealContext {
    /// The header of the packet with this counter; the classic one is shorter.
    fn header(&self, counter: u64) -> [u8; HEADER_BYTES] {
        let [a, b, c, d] = self.opcode;
        let [_, _, e, f, g, h, i, j] = counter.to_be_bytes();
        match self.format {
            Format::Classic => [a, b, c, d, g, h, i, j, 0, 0, 0, 0],
            Format::Epoch => {
                let [high, low] = self.epoch.to_be_bytes();
                [a, b, c, d, high, low, e, f, g, h, i, j]
            }
        }
    }

    /// Where a packet's plaintext is: where it lies, in `output` where it had to be changed, or a
    /// ping.
    fn source<'s>(
        &self,
        pieces: &'s [&'s [u8]],
        payload_bytes: usize,
        output: &mut [u8],
    ) -> Source<'s> {
        if payload_bytes == 0 {
            return Source::Fragments(&[&PING]);
        }
        if self.mss_bytes == 0 || !mss::may_apply(pieces) || !gather(pieces, 0, output) {
            return Source::Fragments(pieces);
        }
        mss::clamp(output, self.mss_bytes);
        Source::InPlace
    }
}

/// A datagram's header, tag and text.
fn split(
    format: Format,
    datagram: &mut [u8],
) -> Option<(&mut [u8], &mut [u8; TAG_BYTES], &mut [u8])> {
    let (header, rest) = datagram.split_at_mut_checked(format.header_bytes())?;
    let (tag, text) = match format {
        Format::Classic => rest.split_first_chunk_mut()?,
        Format::Epoch => {
            let (text, tag) = rest.split_last_chunk_mut()?;
            (tag, text)
        }
    };
    Some((header, tag, text))
}

fn open_chunk(
    context: &OpenContext,
    tier: Tier<'_>,
    chunk: &mut [OpenPacket<'_>],
    headers: &[[u8; HEADER_BYTES]; CHUNK],
) {
    let header_bytes = context.format.header_bytes();
    let (tag_first, text_at) = match context.format {
        Format::Classic => (true, header_bytes.wrapping_add(TAG_BYTES)),
        Format::Epoch => (false, header_bytes),
    };
    let length = chunk.len();
    let mut texts: [&[u8]; CHUNK] = [&[]; CHUNK];
    let mut counters = [None; CHUNK];
    let mut batch: [Open<'_>; CHUNK] = array::from_fn(|_| {
        Open::new([0; NONCE_LEN], &[], Source::InPlace, [0; TAG_BYTES], &mut [])
    });
    let mut results: [Option<&mut Option<OpenedPacket>>; CHUNK] = array::from_fn(|_| None);
    let slots = batch.iter_mut().zip(&mut texts).zip(&mut counters).zip(&mut results).zip(headers);
    for (packet, ((((slot, text), counter), result), header)) in chunk.iter_mut().zip(slots) {
        packet.result = None;
        *result = Some(&mut packet.result);
        let Some(number) = context.counter(header) else { continue };
        // A packet that holds nothing is none.
        let text_bytes = packet.datagram_bytes.saturating_sub(context.format.overhead_bytes());
        let Some(output) = packet.output.get_mut(..text_bytes).filter(|it| !it.is_empty()) else {
            continue;
        };
        let mut tag = [0; TAG_BYTES];
        let tag_at = if tag_first { header_bytes } else { text_at.saturating_add(text_bytes) };
        if !gather(packet.source, tag_at, &mut tag) {
            continue;
        }
        // As a rule a datagram is in one piece, and the AEAD reads it where it lies.
        let source = match packet.source {
            [piece] => {
                let Some(sealed) = piece.get(text_at..).and_then(|rest| rest.get(..text_bytes))
                else {
                    continue;
                };
                *text = sealed;
                Source::Fragments(core::slice::from_ref(text))
            }
            pieces => {
                if !gather(pieces, text_at, output) {
                    continue;
                }
                Source::InPlace
            }
        };
        let header = header.get(..header_bytes).unwrap_or_default();
        let nonce = context.key.nonce(header.get(4..).unwrap_or_default());
        *counter = Some((number, text_bytes));
        *slot = Open::new(nonce, header, source, tag, output);
    }
    if let Some(used) = batch.get_mut(..length) {
        context.key.aead.open(tier, used);
    }
    for ((slot, counter), result) in batch.iter().zip(counters).zip(results) {
        if let (Some((counter, payload_bytes)), Some(result)) = (counter, result) {
            *result = (slot.verdict == nic_crypto::Verdict::Authentic).then_some(OpenedPacket {
                counter,
                payload_bytes,
                content: Content::Data,
            });
        }
    }
}

impl OpenContext {
    /// The counter in a header; `None` where the key is another epoch's.
    fn counter(&self, header: &[u8; HEADER_BYTES]) -> Option<u64> {
        let [_, _, _, _, a, b, c, d, e, f, g, h] = *header;
        match self.format {
            Format::Classic => Some(u32::from_be_bytes([a, b, c, d]).into()),
            Format::Epoch => (u16::from_be_bytes([a, b]) == self.epoch)
                .then_some(u64::from_be_bytes([0, 0, c, d, e, f, g, h])),
        }
    }
}

#[cfg(test)]
mod tests;
