//! The data plane: no allocation, no lock, no wait.

use nic_crypto::{NONCE_LEN, Open, Seal, Source, Tier, Verdict};
use nic_engine::{
    Instant,
    protocol::{
        Content, DataPlane, Disposition, NotReady, OpenPacket, OpenedPacket, Opener, SealPacket,
        SealRequest, Sealer, Selector, SentPackets,
    },
};

use super::{
    KEEPALIVE, LIMITS, OpenContext, PeerData, Preshared, SealContext,
    message::{self, HEADER_BYTES, TAG_BYTES},
};

impl DataPlane<Preshared> for PeerData {
    fn framing(&self) {}

    fn begin_seal(&mut self, request: SealRequest, now: Instant) -> Result<SealContext, NotReady> {
        let reserved = self.sessions[0].as_mut().and_then(|session| {
            Some((session.counter.reserve(request.packets, &LIMITS)?, session))
        });
        let Some((reserved, session)) = reserved else {
            // The deadline is `now`: the control plane asks for a key at once.
            self.request_at.get_or_insert(now);
            return Err(NotReady::NoKey);
        };
        let context = SealContext {
            key: session.sealing.clone(),
            theirs: session.theirs,
            first: reserved.first,
            content: request.content,
        };
        if reserved.renew {
            self.request_at.get_or_insert(now);
        }
        Ok(context)
    }

    fn sent(&mut self, _sent: SentPackets, _now: Instant) {
        self.keepalive_at = None;
    }

    fn begin_open(&self, selector: Selector, _now: Instant) -> Option<OpenContext> {
        let receiver = selector.receiver;
        let session = self.sessions.iter().flatten().find(|session| session.ours == receiver)?;
        Some(OpenContext { key: session.opening.clone(), ours: receiver })
    }

    fn accept(
        &mut self,
        context: &OpenContext,
        packet: &OpenedPacket,
        now: Instant,
    ) -> Disposition {
        let session = self.sessions.iter_mut().flatten().find(|it| it.ours == context.ours);
        // A removed session has no replay window.
        if !session.is_some_and(|session| session.window.accept(packet.counter)) {
            return Disposition::Replayed;
        }
        match packet.content {
            Content::Keepalive => return Disposition::Consumed,
            Content::Control => return Disposition::Control,
            Content::Data => {}
        }
        self.keepalive_at.get_or_insert(now.after(KEEPALIVE));
        Disposition::Deliver
    }

    fn roams(&self) -> bool {
        true
    }

    fn deadline(&self) -> Instant {
        let times = [self.request_at, self.keepalive_at];
        times.into_iter().flatten().min().unwrap_or(Instant::NEVER)
    }
}

impl Sealer for SealContext {
    fn seal(&self, tier: Tier<'_>, first: u32, packets: &mut [SealPacket<'_>]) {
        let mut counter = self.first + u64::from(first);
        for packet in packets {
            let Some((header, rest)) = packet.datagram.split_first_chunk_mut::<HEADER_BYTES>()
            else {
                continue;
            };
            let Some((output, tag)) = rest.split_last_chunk_mut::<TAG_BYTES>() else {
                continue;
            };
            *header = message::data_header(self.theirs, counter, self.content);
            let source = Source::Fragments(packet.source);
            let mut seal = Seal::new(nonce(counter), header, source, output, tag);
            self.key.seal(tier, core::slice::from_mut(&mut seal));
            counter += 1;
        }
    }
}

impl Opener for OpenContext {
    fn open(&self, tier: Tier<'_>, packets: &mut [OpenPacket<'_>]) {
        for packet in packets {
            packet.result = open_one(self, tier, packet);
        }
    }
}

fn open_one(
    context: &OpenContext,
    tier: Tier<'_>,
    packet: &mut OpenPacket<'_>,
) -> Option<OpenedPacket> {
    // Gathered first, for simplicity. A faster protocol passes the fragments to the AEAD.
    let payload_bytes = packet.datagram_bytes.checked_sub(HEADER_BYTES + TAG_BYTES)?;
    let mut bytes = packet.source.iter().flat_map(|part| part.iter().copied());
    let header: [u8; HEADER_BYTES] = array(&mut bytes)?;
    let output = packet.output.get_mut(..payload_bytes)?;
    for (to, from) in output.iter_mut().zip(&mut bytes) {
        *to = from;
    }
    let tag = array(&mut bytes)?;
    let counter = message::data_counter(&header);
    let mut open = Open::new(nonce(counter), &header, Source::InPlace, tag, output);
    context.key.open(tier, core::slice::from_mut(&mut open));
    (open.verdict == Verdict::Authentic).then_some(OpenedPacket {
        counter,
        payload_bytes,
        content: message::content(&header, payload_bytes),
    })
}

fn array<const N: usize>(bytes: &mut impl Iterator<Item = u8>) -> Option<[u8; N]> {
    let mut array = [0; N];
    for byte in &mut array {
        *byte = bytes.next()?;
    }
    Some(array)
}

fn nonce(counter: u64) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    nonce
}
