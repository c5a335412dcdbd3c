//! The PRF of TLS 1.0 (RFC 2246, section 5), for sessions without the TLS exporter.

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::Sha1;
use zeroize::Zeroizing;

/// Fills `output` from a secret, a label and a seed.
pub(super) fn prf(secret: &[u8], label: &[u8], seed: &[&[u8]], output: &mut [u8]) {
    let seed = [&[label], seed].concat();
    // The halves share the middle byte of an odd secret.
    let half = secret.len().div_ceil(2);
    output.fill(0);
    expand::<Hmac<Md5>>(&secret[..half], &seed, output);
    expand::<Hmac<Sha1>>(&secret[secret.len() - half..], &seed, output);
}

/// XORs P_hash into `output`.
fn expand<M: Mac + KeyInit>(secret: &[u8], seed: &[&[u8]], output: &mut [u8]) {
    let hmac = |first: &[u8], seed: &[&[u8]]| {
        // HMAC accepts keys of any length: this never fails.
        let mac = <M as Mac>::new_from_slice(secret).ok()?;
        let mac = mac.chain_update(first);
        let mac = seed.iter().fold(mac, Mac::chain_update);
        Some(Zeroizing::new(mac.finalize().into_bytes().to_vec()))
    };
    let size = <M as hmac::digest::OutputSizeUser>::output_size();
    let mut state = hmac(&[], seed);
    for chunk in output.chunks_mut(size) {
        let Some(a) = state else { return };
        let block = hmac(&a, seed);
        chunk.iter_mut().zip(block.iter().flat_map(|block| block.iter())).for_each(|(to, from)| {
            *to ^= from;
        });
        state = hmac(&a, &[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector that the IETF's TLS group published; `openssl kdf ... TLS1-PRF` gives the same.
    #[test]
    fn the_published_vector() {
        let mut output = [0xff; 104];
        let (first, second) = ([0xcd; 31], [0xcd; 33]);
        prf(&[0xab; 48], b"PRF Testvector", &[&first, &second], &mut output);
        let hex = tunic::hex::Hex(&output).to_string();
        assert_eq!(
            hex,
            "d3d4d1e349b5d515044666d51de32bab258cb521b6b053463e354832fd976754443bcf9a296519bc289ab\
             cbc1187e4ebd31e602353776c408aafb74cbc85eff69255f9788faa184cbb957a9819d84a5d7eb006eb45\
             9d3ae8de9810454b8b2d8f1afbc655a8c9a013"
        );
    }

    /// From `openssl kdf -kdfopt digest:MD5-SHA1 ... TLS1-PRF`.
    #[test]
    fn halves_of_an_odd_secret_overlap() {
        let mut output = [0; 24];
        prf(b"abcde", b"label", &[b"seed"], &mut output);
        let hex = tunic::hex::Hex(&output).to_string();
        assert_eq!(hex, "8afeb45509ed5b5775fc52cdb079e10d47db21ca1ce9d8d7");
    }
}
