//! Who we are: the adapter's static key pair.

use nic_crypto::x25519::{self, PublicKey, SharedSecret, StaticSecret};

/// A static key pair; the private half is zeroized on drop.
pub struct Identity {
    secret: StaticSecret,
    public: PublicKey,
}

impl Identity {
    /// The identity of a private key, which is clamped.
    pub fn new(private_key: &[u8; 32]) -> Self {
        let secret = StaticSecret::from_bytes(*private_key);
        let public = x25519::public_key(&secret);
        Self { secret, public }
    }

    /// Our public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Our private key, for the management interface alone.
    pub fn private_key(&self) -> &[u8; 32] {
        self.secret.as_bytes()
    }

    /// The secret shared with the owner of a public key; `None` where the key contributes nothing.
    pub(crate) fn agree(&self, public: &PublicKey) -> Option<SharedSecret> {
        x25519::diffie_hellman(&self.secret, public)
    }
}
