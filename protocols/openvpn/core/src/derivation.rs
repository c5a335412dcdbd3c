//! Keys of the epoch format (openvpn-rfc, "Epoch data keys"): HKDF-Expand (RFC 5869) over
//! HMAC-SHA256, with labels.

use hmac::{Hmac, Mac};
use nic_crypto::{NONCE_LEN, Suite};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::key::{InstallKeyError, PacketKey};

/// The secret of one epoch, of one direction.
#[derive(Clone)]
pub(crate) struct EpochSecret(Zeroizing<[u8; 32]>);

impl EpochSecret {
    /// A copy of these bytes.
    pub(crate) fn new(bytes: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// The epoch's key.
    pub(crate) fn key(&self, suite: Suite) -> Result<PacketKey, InstallKeyError> {
        let mut key = Zeroizing::new([0; 32]);
        let key = key.get_mut(..suite.key_len()).unwrap_or_default();
        expand(&self.0, b"data_key", key);
        let mut iv = Zeroizing::new([0; NONCE_LEN]);
        expand(&self.0, b"data_iv", &mut *iv);
        PacketKey::new(suite, key, &iv)
    }

    /// The secret of the epoch that follows.
    pub(crate) fn next(&self) -> Self {
        let mut next = Zeroizing::new([0; 32]);
        expand(&self.0, b"datakey upd", &mut *next);
        Self(next)
    }
}

/// Fills `output`, at most 32 bytes, from a secret and a label: one block of HKDF-Expand.
fn expand(secret: &[u8; 32], label: &[u8], output: &mut [u8]) {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        // HMAC takes keys of every length.
        return;
    };
    let output_bytes = u16::try_from(output.len()).unwrap_or(u16::MAX);
    let label_bytes = u8::try_from(PREFIX.len().saturating_add(label.len())).unwrap_or(u8::MAX);
    mac.update(&output_bytes.to_be_bytes());
    mac.update(&[label_bytes]);
    mac.update(PREFIX);
    mac.update(label);
    // An empty context, and the number of the block.
    mac.update(&[0, 1]);
    let mut block = mac.finalize().into_bytes();
    for (to, from) in output.iter_mut().zip(&block) {
        *to = *from;
    }
    block.as_mut_slice().zeroize();
}

const PREFIX: &[u8] = b"ovpn ";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::hex;

    fn array<const N: usize>(digits: &str) -> [u8; N] {
        hex(digits).try_into().expect("the length is right")
    }

    #[test]
    fn labels_expand_as_upstream_says() {
        let secret = array("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
        let mut output = [0; 16];
        expand(&secret, b"unit test", &mut output);
        assert_eq!(output, array("185eaa1c7f228ab8eb29773214d92046"));

        let mut secret = [0; 32];
        secret[..2].copy_from_slice(&[0x13, 0x0c]);
        let mut key = [0; 24];
        expand(&secret, b"data_key", &mut key);
        assert_eq!(key[..], hex("ed8533db1c28ace418e9006ab29c17417d60ebe6cd90bf0a"));
        let mut iv = [0; 12];
        expand(&secret, b"data_iv", &mut iv);
        assert_eq!(iv, array("86890aabf032cb59f4cfa34e"));

        let secret = core::array::from_fn(|n| n as u8);
        let mut key = [0; 32];
        expand(&secret, b"data_key", &mut key);
        assert_eq!(key, array("ebbbf838a8658beb56f2324d691351bd4c8c230fb271ada8f67de830b7ee3192"));
        expand(&secret, b"data_iv", &mut iv);
        assert_eq!(iv, array("568de14f8f744bfb0b721f66"));
        let next = EpochSecret::new(&secret).next();
        let expected = array("e35bffa31e2723bf09e8d394fa9171ca4e534553bffa1d3482de4c9b3bc639d7");
        assert_eq!(*next.0, expected);
    }
}
