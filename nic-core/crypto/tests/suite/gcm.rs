//! AES-GCM against the test cases of McGrew and Viega.

use crate::hex::{array, hex};
use crate::levels::tiers;
use crate::mcgrew_viega::cases;
use nic_crypto::{AeadKey, Open, Seal, Source, TAG_LEN, Verdict};

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
        for (level, tier) in tiers() {
            let (mut buffer, mut tag) = (plaintext.to_vec(), [0; TAG_LEN]);
            let nonce = array(case.nonce);
            key.seal(tier, &mut [Seal::new(nonce, &aad, Source::InPlace, &mut buffer, &mut tag)]);
            assert_eq!(buffer, ciphertext, "case {} {level:?}", case.number);
            assert_eq!(tag, array(case.tag), "case {} {level:?}", case.number);
            let mut packets = [Open::new(nonce, &aad, Source::InPlace, tag, &mut buffer)];
            key.open(tier, &mut packets);
            assert_eq!(packets[0].verdict, Verdict::Authentic, "case {} {level:?}", case.number);
            assert_eq!(buffer, plaintext, "case {} {level:?}", case.number);
        }
    }
}
