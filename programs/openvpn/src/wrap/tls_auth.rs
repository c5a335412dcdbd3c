//! `tls-auth`: an HMAC with a shared key on every control packet.
//!
//! On the wire: header (9) | HMAC | number and time (8) | rest. The HMAC is over number and time,
//! header, rest, in this order.

use std::str::FromStr;

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

use super::error::WrapError;
use super::protection::{HEADER_BYTES, Wrap};
use super::replay::{ReplayId, ReplayWindow, SendCounter};
use super::static_key::{Direction, StaticKey};
use super::tls_crypt::TlsCrypt;
use crate::Role;

/// The hash of the HMAC: the argument of `auth`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Digest {
    /// SHA-1, the default.
    #[default]
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Digest {
    /// Length of the digest and of the HMAC key.
    fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The HMAC over `parts`. The key is truncated to the length of the digest.
    fn tag(self, key: &[u8; 64], parts: &[&[u8]]) -> Vec<u8> {
        let key = &key[..self.bytes()];
        match self {
            Self::Sha1 => hmac::<Hmac<Sha1>>(key, parts),
            Self::Sha224 => hmac::<Hmac<Sha224>>(key, parts),
            Self::Sha256 => hmac::<Hmac<Sha256>>(key, parts),
            Self::Sha384 => hmac::<Hmac<Sha384>>(key, parts),
            Self::Sha512 => hmac::<Hmac<Sha512>>(key, parts),
        }
    }
}

impl FromStr for Digest {
    type Err = ();

    /// Parses OpenSSL's names, ignoring case.
    fn from_str(name: &str) -> Result<Self, ()> {
        Ok(match name.to_ascii_uppercase().as_str() {
            "SHA1" | "RSA-SHA1" => Self::Sha1,
            "SHA224" | "RSA-SHA224" | "SHA2-224" => Self::Sha224,
            "SHA256" | "RSA-SHA256" | "SHA2-256" => Self::Sha256,
            "SHA384" | "RSA-SHA384" | "SHA2-384" => Self::Sha384,
            "SHA512" | "RSA-SHA512" | "SHA2-512" => Self::Sha512,
            _ => return Err(()),
        })
    }
}

/// tls-auth protection of a session.
pub struct TlsAuth {
    key: StaticKey,
    digest: Digest,
    direction: Option<Direction>,
    send_counter: SendCounter,
    replay_window: ReplayWindow,
}

impl TlsAuth {
    /// Starts a session.
    pub fn new(key: &StaticKey, digest: Digest, direction: Option<Direction>) -> Self {
        let (send_counter, replay_window) = (SendCounter::default(), ReplayWindow::default());
        Self { key: key.clone(), digest, direction, send_counter, replay_window }
    }
}

impl Wrap for TlsAuth {
    fn overhead_bytes(&self) -> usize {
        self.digest.bytes() + 8
    }

    fn wrap(&mut self, plain: &[u8], unix_time_s: u32) -> Vec<u8> {
        let (header, body) = plain.split_at(plain.len().min(HEADER_BYTES));
        let id = self.send_counter.next(unix_time_s).to_bytes();
        let (send, _) = self.key.halves(self.direction);
        let tag = self.digest.tag(send.hmac, &[&id, header, body]);
        [header, &tag, &id, body].concat()
    }

    fn skip_number(&mut self) {
        self.send_counter.skip();
    }

    fn unwrap(&mut self, datagram: &[u8]) -> Result<Vec<u8>, WrapError> {
        let (header, rest) =
            datagram.split_first_chunk::<HEADER_BYTES>().ok_or(WrapError::Truncated)?;
        let (tag, rest) = rest.split_at_checked(self.digest.bytes()).ok_or(WrapError::Truncated)?;
        let (id, body) = rest.split_first_chunk::<8>().ok_or(WrapError::Truncated)?;
        let (_, receive) = self.key.halves(self.direction);
        let expected = self.digest.tag(receive.hmac, &[id, header, body]);
        if !bool::from(expected.ct_eq(tag)) {
            return Err(WrapError::Forged);
        }
        self.replay_window.accept(ReplayId::from_bytes(*id))?;
        Ok([header, body].concat())
    }

    fn for_renegotiation(&self, exported: &StaticKey, role: Role) -> Box<dyn Wrap> {
        Box::new(TlsCrypt::new(&exported.xor(&self.key), role))
    }
}

/// Computes an HMAC. HMAC accepts keys of any length: this never fails.
fn hmac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let Ok(mut mac) = <M as Mac>::new_from_slice(key) else { return Vec::new() };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}
