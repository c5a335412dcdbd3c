//! ChaCha20-Poly1305 against RFC 8439, XChaCha20-Poly1305 against draft-irtf-cfrg-xchacha-03.

use crate::hex::{array, hex};
use nic_crypto::{AeadError, AeadKey, KeyError, Suite, xchacha20poly1305};

const SUNSCREEN: &[u8] = b"Ladies and Gentlemen of the class of '99: If I could offer you \
    only one tip for the future, sunscreen would be it.";

#[test]
fn rfc_8439_section_2_8_2_seals() {
    let key: [u8; 32] = array("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
    let key = AeadKey::new(Suite::ChaCha20Poly1305, &key).unwrap();
    let nonce = array("07000000 4041424344454647");
    let aad = hex("50515253c0c1c2c3c4c5c6c7");
    let ciphertext = hex("
        d31a8d34648e60db7b86afbc53ef7ec2 a4aded51296e08fea9e2b5a736ee62d6
        3dbea45e8ca9671282fafb69da92728b 1a71de0a9e060b2905d6a5b67ecd3b36
        92ddbd7f2d778b8c9803aee328091b58 fab324e4fad675945585808b4831d7bc
        3ff4def08e4b7a9de576d26586cec64b 6116");

    let mut buffer = SUNSCREEN.to_vec();
    let tag = key.seal_one(&nonce, &aad, &mut buffer).unwrap();
    assert_eq!(buffer, ciphertext);
    assert_eq!(tag, array("1ae10b594f09e26a7e902ecbd0600691"));

    key.open_one(&nonce, &aad, &mut buffer, &tag).unwrap();
    assert_eq!(buffer, SUNSCREEN);
}

#[test]
fn rfc_8439_appendix_a_5_opens() {
    let key = hex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0");
    let key = AeadKey::new(Suite::ChaCha20Poly1305, &key).unwrap();
    let nonce = array("000000000102030405060708");
    let aad = hex("f33388860000000000004e91");
    let mut buffer = hex("
        64a0861575861af460f062c79be643bd 5e805cfd345cf389f108670ac76c8cb2
        4c6cfc18755d43eea09ee94e382d26b0 bdb7b73c321b0100d4f03b7f355894cf
        332f830e710b97ce98c8a84abd0b9481 14ad176e008d33bd60f982b1ff37c855
        9797a06ef4f0ef61c186324e2b350638 3606907b6a7c02b0f9f6157b53c867e4
        b9166c767b804d46a59b5216cde7a4e9 9040c5a40433225ee282a1b0a06c523e
        af4534d7f83fa1155b0047718cbc546a 0d072b04b3564eea1b422273f548271a
        0bb2316053fa76991955ebd63159434e cebb4e466dae5a1073a6727627097a10
        49e617d91d361094fa68f0ff77987130 305beaba2eda04df997b714d6c6f2c29
        a6ad5cb4022b02709b
        eead9d67890cbb22392336fea1851f38");

    let plaintext = key.open_one_appended(&nonce, &aad, &mut buffer).unwrap();
    assert_eq!(
        core::str::from_utf8(plaintext).unwrap(),
        "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, \
         replaced, or obsoleted by other documents at any time. It is inappropriate to use \
         Internet-Drafts as reference material or to cite them other than as \
         /\u{201c}work in progress./\u{201d}"
    );
}

#[test]
fn xchacha_draft_appendix_a_3_1() {
    let key = array("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
    let nonce = array("404142434445464748494a4b4c4d4e4f5051525354555657");
    let aad = hex("50515253c0c1c2c3c4c5c6c7");
    let ciphertext = hex("
        bd6d179d3e83d43b9576579493c0e939 572a1700252bfaccbed2902c21396cbb
        731c7f1b0b4aa6440bf3a82f4eda7e39 ae64c6708c54c216cb96b72e1213b452
        2f8c9ba40db5d945b11b69b982c1bb9e 3f3fac2bc369488f76b2383565d3fff9
        21f9664c97637da9768812f615c68b13 b52e");

    let mut buffer = SUNSCREEN.to_vec();
    let tag = xchacha20poly1305::seal_in_place(&key, &nonce, &aad, &mut buffer).unwrap();
    assert_eq!(buffer, ciphertext);
    assert_eq!(tag, array("c0875924c1c7987947deafd8780acf49"));

    let mut wrong_tag = tag;
    wrong_tag[15] ^= 0x80;
    let mut forged = buffer.clone();
    assert_eq!(
        xchacha20poly1305::open_in_place(&key, &nonce, &aad, &mut forged, &wrong_tag),
        Err(AeadError::Forged)
    );
    assert!(forged.iter().all(|byte| *byte == 0), "nothing is left");

    xchacha20poly1305::open_in_place(&key, &nonce, &aad, &mut buffer, &tag).unwrap();
    assert_eq!(buffer, SUNSCREEN);
}

#[test]
fn appended_tag_needs_its_room() {
    let key = AeadKey::new(Suite::ChaCha20Poly1305, &[7; 32]).unwrap();
    for len in 0..16 {
        let mut buffer = vec![1; len];
        assert_eq!(key.seal_one_appended(&[0; 12], &[], &mut buffer), Err(AeadError::Length));
        assert_eq!(key.open_one_appended(&[0; 12], &[], &mut buffer), Err(AeadError::Length));
        assert_eq!(buffer, vec![1; len], "untouched");
    }
    let mut keepalive = [0; 16];
    key.seal_one_appended(&[0; 12], b"aad", &mut keepalive).unwrap();
    assert_eq!(key.open_one_appended(&[0; 12], b"aad", &mut keepalive), Ok(&mut [][..]));
}

#[test]
fn keys_of_the_wrong_length_are_refused() {
    for suite in Suite::ALL {
        for actual in (0..=64).filter(|len| *len != suite.key_len()) {
            assert_eq!(
                AeadKey::new(suite, &vec![0; actual]).err(),
                Some(KeyError::WrongLength { expected: suite.key_len(), actual })
            );
        }
        let key = AeadKey::new(suite, &vec![0; suite.key_len()]).unwrap();
        assert_eq!(key.suite(), suite);
    }
}
