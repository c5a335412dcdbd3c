//! X25519 against RFC 7748.

use crate::hex::array;
use nic_crypto::x25519::{PublicKey, StaticSecret, diffie_hellman, public_key};

/// The function of RFC 7748 section 5.
fn x25519(scalar: [u8; 32], u_coordinate: [u8; 32]) -> [u8; 32] {
    let secret = StaticSecret::from_bytes(scalar);
    *diffie_hellman(&secret, &PublicKey(u_coordinate))
        .expect("no point of low order here")
        .as_bytes()
}

#[test]
fn section_5_2_single_products() {
    assert_eq!(
        x25519(
            array("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
            array("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"),
        ),
        array("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")
    );
    assert_eq!(
        x25519(
            array("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d"),
            array("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493"),
        ),
        array("95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957")
    );
}

#[test]
fn section_5_2_iterated_1000_times() {
    let mut scalar = [0; 32];
    scalar[0] = 9;
    let mut u_coordinate = scalar;
    for iteration in 1..=1000 {
        let product = x25519(scalar, u_coordinate);
        u_coordinate = scalar;
        scalar = product;
        if iteration == 1 {
            assert_eq!(
                scalar,
                array("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")
            );
        }
    }
    assert_eq!(scalar, array("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
}

#[test]
fn section_6_1_key_agreement() {
    let alice = StaticSecret::generate(array(
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
    ));
    let bob = StaticSecret::generate(array(
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
    ));
    let alice_public = public_key(&alice);
    let bob_public = public_key(&bob);
    assert_eq!(
        alice_public.0,
        array("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    );
    assert_eq!(
        bob_public.0,
        array("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    );
    let shared = array("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!(*diffie_hellman(&alice, &bob_public).unwrap().as_bytes(), shared);
    assert_eq!(*diffie_hellman(&bob, &alice_public).unwrap().as_bytes(), shared);
}

#[test]
fn secrets_read_back_clamped() {
    let secret = StaticSecret::from_bytes([0xff; 32]);
    let mut clamped = [0xff; 32];
    clamped[0] = 0xf8;
    clamped[31] = 0x7f;
    assert_eq!(secret.as_bytes(), &clamped);
    let secret = StaticSecret::from_bytes([0; 32]);
    assert_eq!(secret.as_bytes()[31], 0x40);
    assert_eq!(format!("{secret:?}"), "StaticSecret(..)");
}

#[test]
fn points_of_low_order_contribute_nothing() {
    let secret = StaticSecret::from_bytes([0x42; 32]);
    // 0, 1, the two of order 8, p - 1, p, p + 1.
    for low_order in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        assert!(diffie_hellman(&secret, &PublicKey(array(low_order))).is_none());
    }
}
