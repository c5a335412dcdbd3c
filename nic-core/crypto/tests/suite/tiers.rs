//! Every tier of this machine against the portable one, on random packets.

use nic_crypto::{AeadKey, Open, Processor, Seal, Sealing, Source, Suite, TAG_LEN, Tier, Verdict};

use crate::levels::tiers;

/// A generator of test data: SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

struct Packet {
    nonce: [u8; 12],
    aad: Vec<u8>,
    plain: Vec<u8>,
    /// Where the plaintext and the ciphertext are cut.
    cuts: Vec<usize>,
    in_place: bool,
}

fn packet(random: &mut Random) -> Packet {
    let len = match random.below(8) {
        0 => random.below(9001),
        1..=3 => random.below(200),
        _ => random.below(1500),
    };
    let mut cuts: Vec<usize> = (0..random.below(5)).map(|_| random.below(len + 1)).collect();
    cuts.sort_unstable();
    let aad = random.below(33);
    Packet {
        nonce: random.bytes(12).try_into().unwrap(),
        aad: random.bytes(aad),
        plain: random.bytes(len),
        cuts,
        in_place: random.below(3) == 0,
    }
}

fn cut<'a>(mut bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut fragments = Vec::new();
    let mut at = 0;
    for cut in cuts {
        let (front, rest) = bytes.split_at(cut - at);
        fragments.push(front);
        bytes = rest;
        at = *cut;
    }
    fragments.push(bytes);
    fragments
}

/// Rounds of a batch of each suite, in each tier: a million packets together.
const ROUNDS: usize = 6000;

#[test]
fn every_tier_is_the_portable_one() {
    let mut random = Random(1);
    for round in 0..ROUNDS {
        for suite in Suite::ALL {
            let key = AeadKey::new(suite, &random.bytes(suite.key_len())).unwrap();
            let count = 1 + random.below(if round % 8 == 0 { 64 } else { 20 });
            let packets: Vec<Packet> = (0..count).map(|_| packet(&mut random)).collect();
            let expected = seal(&key, Processor::PORTABLE.base(), &packets);
            for (level, tier) in tiers().skip(1) {
                let sealed = seal(&key, tier, &packets);
                for (number, (sealed, expected)) in sealed.iter().zip(&expected).enumerate() {
                    let len = expected.0.len();
                    assert!(
                        sealed == expected,
                        "{suite:?} {level:?} packet {number} of {len} bytes"
                    );
                }
                let flipped = random.below(count * 2);
                open(&key, tier, &packets, sealed, flipped, &mut random);
            }
        }
    }
}

fn seal(key: &AeadKey, tier: Tier<'_>, packets: &[Packet]) -> Vec<(Vec<u8>, [u8; TAG_LEN])> {
    let mut sealed: Vec<(Vec<u8>, [u8; TAG_LEN])> = packets
        .iter()
        .map(|packet| {
            let output =
                if packet.in_place { packet.plain.clone() } else { vec![0xaa; packet.plain.len()] };
            (output, [0xaa; TAG_LEN])
        })
        .collect();
    let fragments: Vec<Vec<&[u8]>> =
        packets.iter().map(|packet| cut(&packet.plain, &packet.cuts)).collect();
    let mut batch: Vec<Seal<'_>> = packets
        .iter()
        .zip(&mut sealed)
        .zip(&fragments)
        .map(|((packet, (output, tag)), fragments)| {
            let source =
                if packet.in_place { Source::InPlace } else { Source::Fragments(fragments) };
            Seal::new(packet.nonce, &packet.aad, source, output, tag)
        })
        .collect();
    key.seal(tier, &mut batch);
    assert!(batch.iter().all(|seal| seal.sealing == Sealing::Sealed));
    sealed
}

/// Opens `sealed`, of which packet `flipped` has a bit flipped first.
fn open(
    key: &AeadKey,
    tier: Tier<'_>,
    packets: &[Packet],
    mut sealed: Vec<(Vec<u8>, [u8; TAG_LEN])>,
    flipped: usize,
    random: &mut Random,
) {
    let mut nonces: Vec<[u8; 12]> = packets.iter().map(|packet| packet.nonce).collect();
    let mut aads: Vec<Vec<u8>> = packets.iter().map(|packet| packet.aad.clone()).collect();
    if let Some((bytes, tag)) = sealed.get_mut(flipped) {
        let fields: [&mut [u8]; 4] = [bytes, tag, &mut nonces[flipped], &mut aads[flipped]];
        let mut fields = fields.into_iter().filter(|field| !field.is_empty());
        let field = fields.nth(random.below(2)).unwrap();
        let bit = random.below(field.len() * 8);
        field[bit / 8] ^= 1 << (bit % 8);
    }
    let mut outputs: Vec<Vec<u8>> = packets
        .iter()
        .zip(&sealed)
        .map(
            |(packet, (bytes, _))| {
                if packet.in_place { bytes.clone() } else { vec![0x55; bytes.len()] }
            },
        )
        .collect();
    let fragments: Vec<Vec<&[u8]>> =
        packets.iter().zip(&sealed).map(|(packet, (bytes, _))| cut(bytes, &packet.cuts)).collect();
    let mut batch: Vec<Open<'_>> = (0..packets.len())
        .zip(&mut outputs)
        .map(|(number, output)| {
            let source = if packets[number].in_place {
                Source::InPlace
            } else {
                Source::Fragments(&fragments[number])
            };
            Open::new(nonces[number], &aads[number], source, sealed[number].1, output)
        })
        .collect();
    key.open(tier, &mut batch);
    for (number, (open, packet)) in batch.iter().zip(packets).enumerate() {
        if number == flipped {
            assert_eq!(open.verdict, Verdict::Forged);
            assert!(open.output.iter().all(|byte| *byte == 0));
        } else {
            assert_eq!(open.verdict, Verdict::Authentic, "{:?}", key.suite());
            assert!(open.output == packet.plain);
        }
    }
}
