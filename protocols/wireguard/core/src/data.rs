//! Transport data (WireGuard paper, section 5.4.6): the data plane.

use core::array;

use nic_crypto::{NONCE_LEN, Open, Seal, Sealing, Source, Tier};
use nic_engine::Instant;
use nic_engine::protocol::{
    Content, DataPlane, Disposition, NotReady, OpenPacket, OpenedPacket, Opener, ReceiverId,
    SealPacket, SealRequest, Sealer, Selector, SentPackets, gather,
};

use crate::WireGuard;
use crate::message::{DATA_HEADER_BYTES, DataHeader, TAG_BYTES};
use crate::noise::SessionKey;
use crate::peer::PeerData;

/// Payloads are padded to a multiple of this, so that their exact length doesn't show.
const PADDING: usize = 16;

/// How many packets are handed to the AEAD at a time.
const CHUNK: usize = 8;

/// A batch's sealing key and counters.
pub struct SealContext {
    remote: u32,
    first_counter: u64,
    key: SessionKey,
}

/// A batch's opening key.
pub struct OpenContext {
    receiver: ReceiverId,
    key: SessionKey,
}

/// The datagram's length: padding never makes a packet longer than the MTU.
pub(crate) fn datagram_bytes(payload_bytes: usize, mtu_bytes: usize) -> usize {
    let padded = payload_bytes
        .checked_next_multiple_of(PADDING)
        .unwrap_or(payload_bytes)
        .min(mtu_bytes)
        .max(payload_bytes);
    padded.saturating_add(DATA_HEADER_BYTES + TAG_BYTES)
}

/// The plaintext's length, padding included.
pub(crate) fn payload_capacity(datagram_bytes: usize) -> usize {
    datagram_bytes.saturating_sub(DATA_HEADER_BYTES + TAG_BYTES)
}

impl DataPlane<WireGuard> for PeerData {
    fn framing(&self) {}

    /// Reserves counters; requests a new handshake if the session is missing or old.
    fn begin_seal(&mut self, request: SealRequest, now: Instant) -> Result<SealContext, NotReady> {
        let constants = &self.timers.constants;
        let Some(reserved) = self.keypairs.reserve(request.packets, now, constants) else {
            self.timers.want_initiation(now);
            return Err(NotReady::NoKey);
        };
        if reserved.wants_successor {
            self.timers.want_initiation(now);
        }
        Ok(SealContext {
            remote: reserved.remote,
            first_counter: reserved.first_counter,
            key: reserved.key,
        })
    }

    fn sent(&mut self, sent: SentPackets, now: Instant) {
        self.timers.sent(sent.data_packets, sent.keepalives, now);
    }

    fn begin_open(&self, selector: Selector, now: Instant) -> Option<OpenContext> {
        let keypair = self.keypairs.by_receiver(selector.receiver)?;
        let key = keypair.receive_key(now, &self.timers.constants)?.clone();
        Some(OpenContext { receiver: selector.receiver, key })
    }

    fn accept(
        &mut self,
        context: &OpenContext,
        packet: &OpenedPacket,
        now: Instant,
    ) -> Disposition {
        let limit = self.timers.constants.reject_after_messages;
        let is_new =
            packet.counter < limit && self.keypairs.accept(context.receiver, packet.counter, now);
        if !is_new {
            return Disposition::Replayed;
        }
        if self.keypairs.confirm(context.receiver) {
            self.timers.session_confirmed();
        }
        let is_keepalive = packet.payload_bytes == 0;
        let session_age = self.own_session_age(context.receiver, now);
        self.timers.received(is_keepalive, session_age, now);
        if is_keepalive { Disposition::Consumed } else { Disposition::Deliver }
    }

    fn roams(&self) -> bool {
        true
    }

    fn deadline(&self) -> Instant {
        if self.keypairs.has_retired() { Instant::ZERO } else { self.timers.deadline() }
    }
}

impl Sealer for SealContext {
    /// Seals packets; one that can't be sealed (its buffers have the wrong lengths) becomes all
    /// zeros, which no peer accepts.
    fn seal(&self, tier: Tier<'_>, first: u32, packets: &mut [SealPacket<'_>]) {
        let mut counter = self.first_counter.wrapping_add(u64::from(first));
        for chunk in packets.chunks_mut(CHUNK) {
            let mut headers = [[0; DATA_HEADER_BYTES]; CHUNK];
            let mut places: [Option<&mut [u8; DATA_HEADER_BYTES]>; CHUNK] =
                array::from_fn(|_| None);
            let mut unused_tags = [[0; TAG_BYTES]; CHUNK];
            let mut batch = unused_tags
                .each_mut()
                .map(|tag| Seal::new([0; NONCE_LEN], &[], Source::InPlace, &mut [], tag));
            let length = chunk.len();
            let slots = batch.iter_mut().zip(&mut places).zip(&mut headers);
            for (packet, ((slot, place), header)) in chunk.iter_mut().zip(slots) {
                *header = DataHeader { receiver: self.remote, counter }.emit();
                let place_and_rest =
                    packet.datagram.split_first_chunk_mut().and_then(|(front, rest)| {
                        rest.split_last_chunk_mut().map(|(output, tag)| (front, output, tag))
                    });
                if let Some((front, output, tag)) = place_and_rest {
                    *place = Some(front);
                    let source = Source::Fragments(packet.source);
                    *slot = Seal::new(nonce(counter), &[], source, output, tag);
                }
                counter = counter.wrapping_add(1);
            }
            if let Some(used) = batch.get_mut(..length) {
                self.key.seal(tier, used);
            }
            for ((place, slot), header) in places.iter_mut().zip(&batch).zip(&headers) {
                if let Some(place) = place {
                    let is_sealed = slot.sealing == Sealing::Sealed;
                    **place = if is_sealed { *header } else { [0; DATA_HEADER_BYTES] };
                }
            }
        }
    }
}

impl Opener for OpenContext {
    /// Opens datagrams; `result` of each says what came out.
    fn open(&self, tier: Tier<'_>, packets: &mut [OpenPacket<'_>]) {
        packets.iter_mut().for_each(|packet| packet.result = None);
        for chunk in packets.chunks_mut(CHUNK) {
            let mut texts: [&[u8]; CHUNK] = [&[]; CHUNK];
            let mut counters = [None; CHUNK];
            let mut batch: [Open<'_>; CHUNK] = array::from_fn(|_| {
                Open::new([0; NONCE_LEN], &[], Source::InPlace, [0; TAG_BYTES], &mut [])
            });
            let length = chunk.len();
            let mut results: [Option<&mut Option<OpenedPacket>>; CHUNK] = array::from_fn(|_| None);
            let slots = batch.iter_mut().zip(&mut texts).zip(&mut counters).zip(&mut results);
            for (packet, (((slot, text), counter), result)) in chunk.iter_mut().zip(slots) {
                *result = Some(&mut packet.result);
                let Some(header) = header(packet.source, self.receiver) else {
                    continue;
                };
                let text_bytes = payload_capacity(packet.datagram_bytes);
                let Some(output) = packet.output.get_mut(..text_bytes) else {
                    continue;
                };
                let mut tag = [0; TAG_BYTES];
                if !gather(packet.source, DATA_HEADER_BYTES.saturating_add(text_bytes), &mut tag) {
                    continue;
                }
                // As a rule a datagram is in one piece, and the AEAD reads it where it lies.
                let source = match packet.source {
                    [piece] => {
                        let Some(sealed) =
                            piece.get(DATA_HEADER_BYTES..).and_then(|rest| rest.get(..text_bytes))
                        else {
                            continue;
                        };
                        *text = sealed;
                        Source::Fragments(core::slice::from_ref(text))
                    }
                    pieces => {
                        if !gather(pieces, DATA_HEADER_BYTES, output) {
                            continue;
                        }
                        Source::InPlace
                    }
                };
                *counter = Some((header.counter, text_bytes));
                *slot = Open::new(nonce(header.counter), &[], source, tag, output);
            }
            if let Some(used) = batch.get_mut(..length) {
                self.key.open(tier, used);
            }
            for ((slot, counter), result) in batch.iter().zip(counters).zip(results) {
                if let (Some((counter, payload_bytes)), Some(result)) = (counter, result) {
                    *result =
                        (slot.verdict == nic_crypto::Verdict::Authentic).then_some(OpenedPacket {
                            counter,
                            payload_bytes,
                            content: content_of(payload_bytes),
                        });
                }
            }
        }
    }
}

const fn content_of(payload_bytes: usize) -> Content {
    match payload_bytes {
        0 => Content::Keepalive,
        _ => Content::Data,
    }
}

/// The header of a datagram for this receiver ID.
fn header(pieces: &[&[u8]], receiver: ReceiverId) -> Option<DataHeader> {
    let mut bytes = [0; DATA_HEADER_BYTES];
    if !gather(pieces, 0, &mut bytes) {
        return None;
    }
    DataHeader::parse(bytes).filter(|header| header.receiver == receiver.0)
}

/// Four zeros and the counter.
fn nonce(counter: u64) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    if let Some(place) = nonce.last_chunk_mut() {
        *place = counter.to_le_bytes();
    }
    nonce
}
