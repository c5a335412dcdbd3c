//! AES-GCM against the test cases of McGrew and Viega.

use crate::hex::{array, hex};
use crate::mcgrew_viega::cases;
use nic_crypto::AeadKey;

#[test]
fn mcgrew_viega_cases_with_a_12_byte_nonce() {
    let cases = cases();
    assert_eq!(cases.len(), 12);
    for case in cases {
        let key = hex(case.key);
        let key = AeadKey::new(case.suite, &key[..case.suite.key_len()]).unwrap();
        let aad = hex(case.aad);
        let ciphertext = hex(case.ciphertext);
        let plaintext = &hex(case.plaintext)[..ciphertext.len()];
        let mut buffer = plaintext.to_vec();
        let tag = key.seal_one(&array(case.nonce), &aad, &mut buffer).unwrap();
        assert_eq!(buffer, ciphertext, "case {}", case.number);
        assert_eq!(tag, array(case.tag), "case {}", case.number);
        key.open_one(&array(case.nonce), &aad, &mut buffer, &tag).unwrap();
        assert_eq!(buffer, plaintext, "case {}", case.number);
    }
}
