//! The test cases of McGrew and Viega, "The Galois/Counter Mode of Operation (GCM)", appendix B:
//! all that have a nonce of 12 bytes. NIST's own are these.
#![allow(dead_code, reason = "not every test wants tags")]
#![expect(unreachable_pub, reason = "a module of several tests")]

use std::{vec, vec::Vec};

use nic_crypto::Suite;

/// One case, in hexadecimal.
pub struct Case {
    pub number: u8,
    pub suite: Suite,
    pub key: &'static str,
    pub nonce: &'static str,
    pub aad: &'static str,
    pub plaintext: &'static str,
    pub ciphertext: &'static str,
    pub tag: &'static str,
}

const ZEROS: &str = "00000000000000000000000000000000 0000000000000000 0000000000000000";
const FEFF: &str = "feffe9928665731c6d6a8f9467308308 feffe9928665731c6d6a8f9467308308";
const ZERO_NONCE: &str = "000000000000000000000000";
const NONCE: &str = "cafebabefacedbaddecaf888";
const AAD: &str = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
const ZERO_BLOCK: &str = "00000000000000000000000000000000";
const BLOCKS: &str = "
    d9313225f88406e5a55909c5aff5269a 86a7a9531534f7da2e4c303d8a318a72
    1c3c0c95956809532fcf0e2449a6b525 b16aedf5aa0de657ba637b391aafd255";

/// Keys are to be cut to the length that the suite wants, plaintexts to that of the ciphertext.
pub fn cases() -> Vec<Case> {
    let case = |number, suite, key, nonce, aad, plaintext, ciphertext, tag| Case {
        number,
        suite,
        key,
        nonce,
        aad,
        plaintext,
        ciphertext,
        tag,
    };
    use Suite::{Aes128Gcm, Aes192Gcm, Aes256Gcm};
    vec![
        case(1, Aes128Gcm, ZEROS, ZERO_NONCE, "", "", "", "58e2fccefa7e3061367f1d57a4e7455a"),
        case(
            2,
            Aes128Gcm,
            ZEROS,
            ZERO_NONCE,
            "",
            ZERO_BLOCK,
            "0388dace60b6a392f328c2b971b2fe78",
            "ab6e47d42cec13bdf53a67b21257bddf",
        ),
        case(
            3,
            Aes128Gcm,
            FEFF,
            NONCE,
            "",
            BLOCKS,
            "42831ec2217774244b7221b784d0d49c e3aa212f2c02a4e035c17e2329aca12e
             21d514b25466931c7d8f6a5aac84aa05 1ba30b396a0aac973d58e091473f5985",
            "4d5c2af327cd64a62cf35abd2ba6fab4",
        ),
        case(
            4,
            Aes128Gcm,
            FEFF,
            NONCE,
            AAD,
            BLOCKS,
            "42831ec2217774244b7221b784d0d49c e3aa212f2c02a4e035c17e2329aca12e
             21d514b25466931c7d8f6a5aac84aa05 1ba30b396a0aac973d58e091",
            "5bc94fbc3221a5db94fae95ae7121a47",
        ),
        case(7, Aes192Gcm, ZEROS, ZERO_NONCE, "", "", "", "cd33b28ac773f74ba00ed1f312572435"),
        case(
            8,
            Aes192Gcm,
            ZEROS,
            ZERO_NONCE,
            "",
            ZERO_BLOCK,
            "98e7247c07f0fe411c267e4384b0f600",
            "2ff58d80033927ab8ef4d4587514f0fb",
        ),
        case(
            9,
            Aes192Gcm,
            FEFF,
            NONCE,
            "",
            BLOCKS,
            "3980ca0b3c00e841eb06fac4872a2757 859e1ceaa6efd984628593b40ca1e19c
             7d773d00c144c525ac619d18c84a3f47 18e2448b2fe324d9ccda2710acade256",
            "9924a7c8587336bfb118024db8674a14",
        ),
        case(
            10,
            Aes192Gcm,
            FEFF,
            NONCE,
            AAD,
            BLOCKS,
            "3980ca0b3c00e841eb06fac4872a2757 859e1ceaa6efd984628593b40ca1e19c
             7d773d00c144c525ac619d18c84a3f47 18e2448b2fe324d9ccda2710",
            "2519498e80f1478f37ba55bd6d27618c",
        ),
        case(13, Aes256Gcm, ZEROS, ZERO_NONCE, "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
        case(
            14,
            Aes256Gcm,
            ZEROS,
            ZERO_NONCE,
            "",
            ZERO_BLOCK,
            "cea7403d4d606b6e074ec5d3baf39d18",
            "d0d1c8a799996bf0265b98b5d48ab919",
        ),
        case(
            15,
            Aes256Gcm,
            FEFF,
            NONCE,
            "",
            BLOCKS,
            "522dc1f099567d07f47f37a32a84427d 643a8cdcbfe5c0c97598a2bd2555d1aa
             8cb08e48590dbb3da7b08b1056828838 c5f61e6393ba7a0abcc9f662898015ad",
            "b094dac5d93471bdec1a502270e3cc6c",
        ),
        case(
            16,
            Aes256Gcm,
            FEFF,
            NONCE,
            AAD,
            BLOCKS,
            "522dc1f099567d07f47f37a32a84427d 643a8cdcbfe5c0c97598a2bd2555d1aa
             8cb08e48590dbb3da7b08b1056828838 c5f61e6393ba7a0abcc9f662",
            "76fc6ece0f4e1768cddf8853bb2d551b",
        ),
    ]
}
