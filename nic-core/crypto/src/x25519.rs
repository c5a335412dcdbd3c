//! X25519 (RFC 7748).

use core::fmt;

use subtle::{Choice, ConstantTimeEq};
use x25519_dalek::{PublicKey as Point, StaticSecret as Scalar};
use zeroize::Zeroizing;

/// Length of public keys, secrets and shared secrets in bytes.
pub const KEY_LEN: usize = 32;

/// A secret scalar, clamped; zeroized on drop.
#[derive(Clone)]
pub struct StaticSecret(Zeroizing<[u8; KEY_LEN]>);

impl StaticSecret {
    /// A new secret from 32 random bytes.
    #[must_use]
    pub fn generate(random: [u8; KEY_LEN]) -> Self {
        Self::from_bytes(random)
    }

    /// A secret from its bytes, which are clamped (RFC 7748 section 5).
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        let mut bytes = Zeroizing::new(bytes);
        let [first, .., last] = &mut *bytes;
        *first &= 0b1111_1000;
        *last &= 0b0111_1111;
        *last |= 0b0100_0000;
        Self(bytes)
    }

    /// The clamped bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl ConstantTimeEq for StaticSecret {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.as_slice().ct_eq(other.0.as_slice())
    }
}

impl fmt::Debug for StaticSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StaticSecret(..)")
    }
}

/// A public key: a u-coordinate, any 32 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; KEY_LEN]);

impl PublicKey {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl From<[u8; KEY_LEN]> for PublicKey {
    fn from(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for PublicKey {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The result of a key agreement; zeroized on drop.
pub struct SharedSecret(Zeroizing<[u8; KEY_LEN]>);

impl SharedSecret {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SharedSecret(..)")
    }
}

/// The public key that belongs to `secret`.
#[must_use]
pub fn public_key(secret: &StaticSecret) -> PublicKey {
    PublicKey(Point::from(&Scalar::from(*secret.0)).to_bytes())
}

/// The secret shared with the owner of `public`, or `None` if it is all zeros: `public` is a
/// point of low order, so that the secret contributed nothing (RFC 7748 section 6.1).
#[must_use]
pub fn diffie_hellman(secret: &StaticSecret, public: &PublicKey) -> Option<SharedSecret> {
    let shared = Scalar::from(*secret.0).diffie_hellman(&Point::from(public.0));
    shared.was_contributory().then(|| SharedSecret(Zeroizing::new(shared.to_bytes())))
}
