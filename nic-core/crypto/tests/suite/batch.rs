//! Packets of a batch: lengths, fragments, padding, forgeries and errors of the caller.

use core::ops::Deref;

use crate::levels::tiers;
use nic_crypto::{AeadError, AeadKey, Open, Seal, Sealing, Source, Suite, TAG_LEN, Tier, Verdict};

const LENGTHS: [usize; 16] =
    [0, 1, 15, 16, 17, 63, 64, 65, 127, 128, 255, 256, 257, 576, 1420, 8192];

/// A packet as it lies in memory.
#[derive(Clone)]
struct Packet {
    nonce: [u8; 12],
    aad: Vec<u8>,
    bytes: Vec<u8>,
    tag: [u8; TAG_LEN],
}

#[test]
fn mixed_lengths_in_one_batch_are_the_single_packets() {
    for key in keys() {
        let plain: Vec<Packet> = LENGTHS.iter().map(|len| packet(*len)).collect();
        let mut sealed = plain.clone();
        seal_in_place(&key, &mut sealed);
        for (plain, sealed) in plain.iter().zip(&sealed) {
            let mut single = plain.bytes.clone();
            let tag = key.seal_one(&plain.nonce, &plain.aad, &mut single).unwrap();
            assert_eq!((&single, tag), (&sealed.bytes, sealed.tag));
            key.open_one(&plain.nonce, &plain.aad, &mut single, &tag).unwrap();
            assert_eq!(single, plain.bytes);
        }

        let mut outputs: Vec<Vec<u8>> = LENGTHS.iter().map(|len| vec![0xaa; *len]).collect();
        let sources: Vec<[&[u8]; 1]> = sealed.iter().map(|packet| [&packet.bytes[..]]).collect();
        let mut batch: Vec<Open<'_>> = sealed
            .iter()
            .zip(&sources)
            .zip(&mut outputs)
            .map(|((packet, source), output)| {
                let source = Source::Fragments(source);
                Open::new(packet.nonce, &packet.aad, source, packet.tag, output)
            })
            .collect();
        key.open(&mut batch);
        assert!(batch.iter().all(|open| open.verdict == Verdict::Authentic));
        for (plain, output) in plain.iter().zip(&outputs) {
            assert_eq!(&plain.bytes, output);
        }
    }
}

#[test]
fn fragments_cut_anywhere_are_the_whole() {
    for key in keys() {
        let plain = packet(200);
        let mut whole = [plain.clone()];
        seal_in_place(&key, &mut whole);
        let [whole] = whole;
        for cut in 0..=plain.bytes.len() {
            let (front, back) = plain.bytes.split_at(cut);
            let fragments = [front, &[], back];
            let mut output = vec![0xaa; plain.bytes.len()];
            let mut tag = [0xaa; TAG_LEN];
            let source = Source::Fragments(&fragments);
            key.seal(&mut [Seal::new(plain.nonce, &plain.aad, source, &mut output, &mut tag)]);
            assert_eq!((&output, tag), (&whole.bytes, whole.tag), "cut at {cut}");

            let (front, back) = whole.bytes.split_at(cut);
            let fragments = [&[], front, back];
            let source = Source::Fragments(&fragments);
            let mut packets = [Open::new(plain.nonce, &plain.aad, source, tag, &mut output)];
            key.open(&mut packets);
            assert_eq!(packets[0].verdict, Verdict::Authentic, "cut at {cut}");
            assert_eq!(output, plain.bytes, "cut at {cut}");
        }
        let bytewise: Vec<&[u8]> = plain.bytes.chunks(1).collect();
        let mut output = vec![0xaa; plain.bytes.len()];
        let mut tag = [0; TAG_LEN];
        let source = Source::Fragments(&bytewise);
        key.seal(&mut [Seal::new(plain.nonce, &plain.aad, source, &mut output, &mut tag)]);
        assert_eq!((output, tag), (whole.bytes, whole.tag));
    }
}

#[test]
fn a_longer_output_pads_with_zeros() {
    for key in keys() {
        for (len, padded_len) in [(0, 16), (1, 16), (15, 16), (20, 32), (1409, 1424)] {
            let plain = packet(len);
            let mut padded = plain.bytes.clone();
            padded.resize(padded_len, 0);
            let mut expected = padded.clone();
            let expected_tag = key.seal_one(&plain.nonce, &plain.aad, &mut expected).unwrap();

            let fragments: Vec<&[u8]> = plain.bytes.chunks(7).collect();
            let mut output = vec![0xaa; padded_len];
            let mut tag = [0; TAG_LEN];
            let source = Source::Fragments(&fragments);
            key.seal(&mut [Seal::new(plain.nonce, &plain.aad, source, &mut output, &mut tag)]);
            assert_eq!((output, tag), (expected, expected_tag));
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_is_refused_and_leaves_nothing() {
    for key in keys() {
        for len in [0, 1, 16, 77] {
            let mut sealed = [packet(len)];
            seal_in_place(&key, &mut sealed);
            let [sealed] = sealed;
            let refused = |what: &str, at: usize, packet: &Packet| {
                for in_place in [false, true] {
                    let mut output = if in_place { packet.bytes.clone() } else { vec![0xaa; len] };
                    let fragments = [&packet.bytes[..]];
                    let source =
                        if in_place { Source::InPlace } else { Source::Fragments(&fragments) };
                    let mut packets =
                        [Open::new(packet.nonce, &packet.aad, source, packet.tag, &mut output)];
                    key.open(&mut packets);
                    let suite = key.suite();
                    let verdict = packets[0].verdict;
                    assert_eq!(verdict, Verdict::Forged, "{suite:?} {len} {what} bit {at}");
                    assert_eq!(output, vec![0; len], "{suite:?} {len} {what} bit {at}");
                }
            };
            for bit in 0..len * 8 {
                let mut forged = sealed.clone();
                forged.bytes[bit / 8] ^= 1 << (bit % 8);
                refused("ciphertext", bit, &forged);
            }
            for bit in 0..sealed.aad.len() * 8 {
                let mut forged = sealed.clone();
                forged.aad[bit / 8] ^= 1 << (bit % 8);
                refused("aad", bit, &forged);
            }
            for bit in 0..96 {
                let mut forged = sealed.clone();
                forged.nonce[bit / 8] ^= 1 << (bit % 8);
                refused("nonce", bit, &forged);
            }
            for bit in 0..128 {
                let mut forged = sealed.clone();
                forged.tag[bit / 8] ^= 1 << (bit % 8);
                refused("tag", bit, &forged);
            }
        }
    }
}

#[test]
fn a_forged_packet_does_not_touch_its_neighbours() {
    for key in keys() {
        let plain: Vec<Packet> = (0..9).map(|number| packet(100 + number)).collect();
        let mut sealed = plain.clone();
        seal_in_place(&key, &mut sealed);
        for (number, packet) in sealed.iter_mut().enumerate() {
            if number % 2 == 1 {
                packet.bytes[number] ^= 1;
            }
        }
        let mut batch: Vec<Open<'_>> = sealed
            .iter_mut()
            .map(|packet| {
                let Packet { nonce, aad, bytes, tag } = packet;
                Open::new(*nonce, aad, Source::InPlace, *tag, bytes)
            })
            .collect();
        key.open(&mut batch);
        for (number, (open, plain)) in batch.iter().zip(&plain).enumerate() {
            if number % 2 == 1 {
                assert_eq!(open.verdict, Verdict::Forged);
                assert!(open.output.iter().all(|byte| *byte == 0));
            } else {
                assert_eq!(open.verdict, Verdict::Authentic);
                assert_eq!(open.output, plain.bytes);
            }
        }
    }
}

#[test]
fn a_source_that_does_not_fit_is_refused_and_leaves_nothing() {
    for key in keys() {
        let plain = packet(64);
        let fragments: [&[u8]; 2] = plain.bytes.split_at(40).into();
        for len in [0, 39, 40, 63] {
            let mut output = vec![0xaa; len];
            let mut tag = [0xaa; TAG_LEN];
            let source = Source::Fragments(&fragments);
            let mut packets = [Seal::new(plain.nonce, &plain.aad, source, &mut output, &mut tag)];
            key.seal(&mut packets);
            assert_eq!(packets[0].sealing, Sealing::Malformed);
            assert_eq!((output, tag), (vec![0; len], [0; TAG_LEN]));
        }

        let mut sealed = [plain.clone()];
        seal_in_place(&key, &mut sealed);
        let [sealed] = sealed;
        let fragments: [&[u8]; 2] = sealed.bytes.split_at(40).into();
        for len in [0, 39, 40, 63, 65, 1000] {
            let mut output = vec![0xaa; len];
            let source = Source::Fragments(&fragments);
            let mut packets =
                [Open::new(sealed.nonce, &sealed.aad, source, sealed.tag, &mut output)];
            key.open(&mut packets);
            assert_eq!(packets[0].verdict, Verdict::Malformed);
            assert_eq!(output, vec![0; len]);
        }
    }
}

#[test]
fn keys_and_suites_do_not_open_each_other() {
    let mut sealed = packet(50);
    let seal = AeadKey::new(Suite::Aes256Gcm, &[1; 32]).unwrap();
    sealed.tag = seal.seal_one(&sealed.nonce, &sealed.aad, &mut sealed.bytes).unwrap();
    for (suite, byte) in [
        (Suite::Aes256Gcm, 2),
        (Suite::ChaCha20Poly1305, 1),
        (Suite::Aes128Gcm, 1),
        (Suite::Aes192Gcm, 1),
    ] {
        let open = AeadKey::new(suite, &vec![byte; suite.key_len()]).unwrap();
        let opened =
            open.open_one(&sealed.nonce, &sealed.aad, &mut sealed.bytes.clone(), &sealed.tag);
        assert_eq!(opened, Err(AeadError::Forged));
    }
    assert_eq!(format!("{seal:?}"), "AeadKey { suite: Aes256Gcm, .. }", "no secret in it");
}

#[test]
fn a_clone_works_on_another_thread_after_the_original_is_gone() {
    for key in keys() {
        let plain = packet(333);
        let mut sealed = [plain.clone()];
        seal_in_place(&key, &mut sealed);
        let [mut sealed] = sealed;
        let copy = key.clone();
        drop(key);
        let opened = std::thread::spawn(move || {
            copy.open_one(&sealed.nonce, &sealed.aad, &mut sealed.bytes, &sealed.tag)
                .map(|()| sealed.bytes)
        });
        assert_eq!(opened.join().unwrap(), Ok(plain.bytes));
    }
}

/// A key, and the tier to use it in.
struct Key {
    aead: AeadKey,
    tier: Tier<'static>,
}

impl Key {
    fn seal(&self, packets: &mut [Seal<'_>]) {
        self.aead.seal(self.tier, packets);
    }

    fn open(&self, packets: &mut [Open<'_>]) {
        self.aead.open(self.tier, packets);
    }
}

impl Deref for Key {
    type Target = AeadKey;

    fn deref(&self) -> &AeadKey {
        &self.aead
    }
}

/// A key of each suite, in each tier.
fn keys() -> impl Iterator<Item = Key> {
    Suite::ALL.into_iter().flat_map(|suite| {
        let key: Vec<u8> = (0..suite.key_len()).map(|index| byte(index * 7 + 3)).collect();
        tiers().map(move |(_, tier)| Key { aead: AeadKey::new(suite, &key).unwrap(), tier })
    })
}

/// A plaintext packet that differs from those of other lengths in everything.
fn packet(len: usize) -> Packet {
    Packet {
        nonce: core::array::from_fn(|index| byte(index * 11 + len)),
        aad: (0..len % 21).map(|index| byte(index + len)).collect(),
        bytes: (0..len).map(|index| byte(index * 31 + len * 5)).collect(),
        tag: [0; TAG_LEN],
    }
}

fn byte(number: usize) -> u8 {
    u8::try_from(number % 251).expect("below 256")
}

fn seal_in_place(key: &Key, packets: &mut [Packet]) {
    let mut batch: Vec<Seal<'_>> = packets
        .iter_mut()
        .map(|packet| {
            let Packet { nonce, aad, bytes, tag } = packet;
            Seal::new(*nonce, aad, Source::InPlace, bytes, tag)
        })
        .collect();
    key.seal(&mut batch);
    assert!(batch.iter().all(|seal| seal.sealing == Sealing::Sealed));
}
