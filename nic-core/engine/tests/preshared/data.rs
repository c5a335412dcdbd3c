//! Data packets. No allocation, no lock, no wait.

use nic_crypto::{NONCE_LEN, Open, Seal, Source, Verdict};
use nic_engine::{
    Instant,
    protocol::{NotReady, OpenPacket, OpenedPacket, SealPacket},
};

use super::{
    LIMITS, OpenContext, PeerData, SealContext,
    message::{self, HEADER_BYTES, TAG_BYTES},
};

pub(crate) fn seal_begin(
    data: &mut PeerData,
    packets: u32,
    now: Instant,
) -> Result<SealContext, NotReady> {
    let reserved = data.sessions[0]
        .as_mut()
        .and_then(|session| Some((session.counter.reserve(packets, &LIMITS)?, session)));
    let Some((reserved, session)) = reserved else {
        // The deadline is `now`: the control plane asks for a key at once.
        data.request_at.get_or_insert(now);
        return Err(NotReady::NoKey);
    };
    let context =
        SealContext { key: session.sealing.clone(), theirs: session.theirs, first: reserved.first };
    if reserved.renew {
        data.request_at.get_or_insert(now);
    }
    Ok(context)
}

pub(crate) fn seal(context: &SealContext, first: u32, packets: &mut [SealPacket<'_>]) {
    let mut counter = context.first + u64::from(first);
    for packet in packets {
        let Some((header, rest)) = packet.datagram.split_first_chunk_mut::<HEADER_BYTES>() else {
            continue;
        };
        let Some((output, tag)) = rest.split_last_chunk_mut::<TAG_BYTES>() else {
            continue;
        };
        *header = message::data_header(context.theirs, counter);
        let source = Source::Fragments(packet.source);
        let mut seal = Seal::new(nonce(counter), header, source, output, tag);
        context.key.seal(core::slice::from_mut(&mut seal));
        counter += 1;
    }
}

pub(crate) fn open(context: &OpenContext, packets: &mut [OpenPacket<'_>]) {
    for packet in packets {
        packet.result = open_one(context, packet);
    }
}

fn open_one(context: &OpenContext, packet: &mut OpenPacket<'_>) -> Option<OpenedPacket> {
    // Gathered first, for simplicity: a module for speed hands the fragments to the AEAD.
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
    context.key.open(core::slice::from_mut(&mut open));
    (open.verdict == Verdict::Authentic).then_some(OpenedPacket { counter, payload_bytes })
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
