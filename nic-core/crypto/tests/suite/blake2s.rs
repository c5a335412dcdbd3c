//! BLAKE2s against RFC 7693, and HMAC and HKDF over it.
//!
//! The answers for HMAC, HKDF and keyed 16-byte output were computed with Python 3's hashlib and
//! hmac, an implementation of its own:
//!
//! ```text
//! from hashlib import blake2s; import hmac
//! H = lambda key, data: hmac.new(key, data, blake2s).digest()
//! blake2s(b"message", key=bytes(range(32)), digest_size=16).hexdigest()
//! H(bytes(range(100)), b"message").hex()
//! s = H(bytes(range(32)), b"input"); a = H(s, b"\1"); b = H(s, a + b"\2"); c = H(s, b + b"\3")
//! ```

use crate::hex::array;
use blake2::digest::consts::{U16, U20, U28, U32};
use blake2::digest::{Digest, FixedOutput, KeyInit, Update};
use blake2::{Blake2s, Blake2sMac};
use nic_crypto::blake2s::{Hash, hash, hkdf1, hkdf2, hkdf3, hmac, keyed_mac16};

fn counting<const LEN: usize>() -> [u8; LEN] {
    core::array::from_fn(|index| u8::try_from(index).expect("short"))
}

#[test]
fn rfc_7693_appendix_b_abc() {
    let expected = array("508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
    assert_eq!(hash(&[b"abc"]), expected);
    assert_eq!(hash(&[b"a", b"", b"bc"]), expected);
    let mut incremental = Hash::new();
    incremental.update(b"ab");
    let branch = incremental.clone();
    incremental.update(b"c");
    assert_eq!(incremental.finalize(), expected);
    assert_eq!(branch.finalize(), hash(&[b"ab"]));
}

/// RFC 7693 appendix E. It also covers output lengths that this crate does not offer. The
/// underlying crate computes those, so that the sum can be compared.
#[test]
fn rfc_7693_appendix_e_self_test() {
    let mut total = Hash::new();
    for output_len in [16, 20, 28, 32] {
        for input_len in [0, 3, 64, 65, 255, 1024] {
            let input = sequence(input_len, input_len);
            let key = sequence(output_len, output_len);
            total.update(&unkeyed(output_len, &input));
            total.update(&keyed(&key, &input));
        }
    }
    assert_eq!(
        total.finalize(),
        array("6a411f08ce25adcdfb02aba641451cec53c598b24f4fc787fbdc88797f4c1dfe")
    );
}

fn unkeyed(output_len: usize, input: &[u8]) -> Vec<u8> {
    match output_len {
        16 => Blake2s::<U16>::digest(input).to_vec(),
        20 => Blake2s::<U20>::digest(input).to_vec(),
        28 => Blake2s::<U28>::digest(input).to_vec(),
        _ => hash(&[input]).to_vec(),
    }
}

fn keyed(key: &[u8], input: &[u8]) -> Vec<u8> {
    fn with<M: KeyInit + Update + FixedOutput>(key: &[u8], input: &[u8]) -> Vec<u8> {
        let mut mac = M::new_from_slice(key).expect("a key of fitting length");
        mac.update(input);
        mac.finalize_fixed().to_vec()
    }
    match key.len() {
        16 => keyed_mac16::<16>(key.try_into().expect("16 bytes"), &[input]).to_vec(),
        20 => with::<Blake2sMac<U20>>(key, input),
        28 => with::<Blake2sMac<U28>>(key, input),
        _ => with::<Blake2sMac<U32>>(key, input),
    }
}

/// The Fibonacci-like bytes of appendix E.
fn sequence(len: usize, seed: usize) -> Vec<u8> {
    let seed = u32::try_from(seed).expect("small");
    let mut a = 0xdead_4bad_u32.wrapping_mul(seed);
    let mut b = 1_u32;
    (0..len)
        .map(|_| {
            let next = a.wrapping_add(b);
            a = b;
            b = next;
            next.to_be_bytes()[0]
        })
        .collect()
}

#[test]
fn keyed_16_byte_output_for_mac1_and_mac2() {
    assert_eq!(
        keyed_mac16(&counting::<32>(), &[b"mess", b"age"]),
        array("2b75eb9c63ca8524ff53d01905b406eb")
    );
    assert_eq!(
        keyed_mac16(&counting::<16>(), &[b"message"]),
        array("37d0934cac1b83cf742574ea32dd9481")
    );
}

#[test]
fn hmac_with_keys_of_every_kind() {
    let message: &[&[u8]] = &[b"mess", b"", b"age"];
    assert_eq!(
        hmac(&[], message),
        array("5e3417d647c3e59c76ab07a4a2ce6428409e3b479027ee646059275715c5ecf3")
    );
    assert_eq!(
        hmac(&counting::<32>(), message),
        array("db1ebbda189c6ec2d7755c2592537050e44264aa57a3d4f825f451ebcdff4cd3")
    );
    assert_eq!(
        hmac(&counting::<64>(), message),
        array("ff8bca3074af8b7a53b76b5b69fe511d796ef1253beac4259f83cc9b5d1b7855")
    );
    assert_eq!(
        hmac(&counting::<65>(), message),
        array("7cca1aaf33f2ae03171de093085c551bd7c7a236868613cfe5b8ecf59228db76")
    );
    assert_eq!(
        hmac(&counting::<100>(), message),
        array("0d91cbef198cf7e3847de5efd2c35fa5e8b8f90b5d751a12f7c76154a6d0b56f")
    );
}

#[test]
fn hkdf_as_noise_defines_it() {
    let key = counting::<32>();
    let expected = [
        array("87b7f70b24183c6db5dc4f6d9f4c47cdb203321aa2a0bef714896adb3107a040"),
        array("538a02e1eb2e31b7e4d4b82476d1fe2acf50085d3fb584537279195f5d1f5824"),
        array("9ad858025593be88de0f9442a589cfe84a88dc19e4753d93684d1c5efc4837f9"),
    ];
    assert_eq!(hkdf1(&key, b"input"), expected[0]);
    assert_eq!(hkdf2(&key, b"input"), expected[..2]);
    assert_eq!(hkdf3(&key, b"input"), expected);
    assert_eq!(
        hkdf2(&key, b""),
        [
            array("7a38c34bf2b8738d7374ca77c44ecb309a11d2b2528304fa86052c365e722624"),
            array("1a17621f346abdc520746a9fb64d8eb03231d674fc15687537b0780fd9c060fd")
        ]
    );
}
