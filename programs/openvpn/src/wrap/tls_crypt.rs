//! `tls-crypt`: encrypts and authenticates every control packet with a shared key.
//!
//! On the wire: header (9) | number and time (8) | tag (32) | ciphertext. The tag is HMAC-SHA256
//! over header, number and time, and plaintext; its first half is the initial counter of
//! AES-256-CTR.

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::WrapError;
use super::protection::{HEADER_BYTES, Wrap};
use super::replay::{ReplayId, ReplayWindow, SendCounter};
use super::static_key::{Direction, Half, StaticKey};
use super::tls_crypt_v2::{ClientKey, carries_wrapped_key, split_wrapped_key};
use crate::Role;

pub(super) const TAG_BYTES: usize = 32;

/// tls-crypt or tls-crypt-v2 protection of a session.
pub struct TlsCrypt {
    key: StaticKey,
    send: Keys,
    receive: Keys,
    /// The wrapped key that a client's first packets carry (tls-crypt-v2).
    wrapped_key: Vec<u8>,
    /// The peer's first packets carry a wrapped key.
    is_key_wrapped: bool,
    send_counter: SendCounter,
    replay_window: ReplayWindow,
}

impl TlsCrypt {
    /// Starts a session with a shared key.
    pub fn new(key: &StaticKey, role: Role) -> Self {
        let direction = match role {
            Role::Server => Direction::Normal,
            Role::Client => Direction::Inverse,
        };
        let (send, receive) = key.halves(Some(direction));
        let keys = |half: Half<'_>| Keys::new(half.cipher, half.hmac);
        Self {
            key: key.clone(),
            send: keys(send),
            receive: keys(receive),
            wrapped_key: Vec::new(),
            is_key_wrapped: false,
            send_counter: SendCounter::default(),
            replay_window: ReplayWindow::default(),
        }
    }

    /// Starts a client's session with its own key (tls-crypt-v2). The server's counterpart is
    /// [`super::ServerKey::first_packet`].
    pub fn with_client_key(key: &ClientKey) -> Self {
        let wrapped_key = key.wrapped().to_vec();
        let send_counter = SendCounter::with_early_negotiation();
        Self { wrapped_key, send_counter, ..Self::new(key.key(), Role::Client) }
    }

    /// Starts a server's session with an unwrapped client key (tls-crypt-v2).
    pub(super) fn with_wrapped_key(key: &StaticKey) -> Self {
        Self { is_key_wrapped: true, ..Self::new(key, Role::Server) }
    }

    /// Unwraps a datagram. Returns the plain packet and its replay id.
    pub(super) fn open(&mut self, datagram: &[u8]) -> Result<(Vec<u8>, ReplayId), WrapError> {
        let datagram = match self.is_key_wrapped && carries_wrapped_key(datagram) {
            true => split_wrapped_key(datagram)?.0,
            false => datagram,
        };
        let (header, rest) =
            datagram.split_first_chunk::<HEADER_BYTES>().ok_or(WrapError::Truncated)?;
        let (id, rest) = rest.split_first_chunk::<8>().ok_or(WrapError::Truncated)?;
        let (tag, ciphertext) =
            rest.split_first_chunk::<TAG_BYTES>().ok_or(WrapError::Truncated)?;
        let body = self.receive.open(&[header, id], tag, ciphertext)?;
        let id = ReplayId::from_bytes(*id);
        self.replay_window.accept(id)?;
        Ok(([header.as_slice(), &body].concat(), id))
    }
}

impl Wrap for TlsCrypt {
    fn overhead_bytes(&self) -> usize {
        8 + TAG_BYTES
    }

    fn wrapped_key_bytes(&self) -> usize {
        self.wrapped_key.len()
    }

    fn is_v2(&self) -> bool {
        !self.wrapped_key.is_empty()
    }

    fn wrap(&mut self, plain: &[u8], unix_time_s: u32) -> Vec<u8> {
        let (header, body) = plain.split_at(plain.len().min(HEADER_BYTES));
        let id = self.send_counter.next(unix_time_s).to_bytes();
        let (tag, ciphertext) = self.send.seal(&[header, &id], body);
        let wrapped_key: &[u8] = if carries_wrapped_key(header) { &self.wrapped_key } else { &[] };
        [header, &id, &tag, &ciphertext, wrapped_key].concat()
    }

    fn skip_number(&mut self) {
        self.send_counter.skip();
    }

    fn unwrap(&mut self, datagram: &[u8]) -> Result<Vec<u8>, WrapError> {
        Ok(self.open(datagram)?.0)
    }

    fn for_renegotiation(&self, exported: &StaticKey, role: Role) -> Box<dyn Wrap> {
        Box::new(Self::new(&exported.xor(&self.key), role))
    }
}

/// Cipher and HMAC key of one direction, or of a server key that wraps client keys.
pub(super) struct Keys {
    cipher: Zeroizing<[u8; 32]>,
    hmac: Zeroizing<[u8; 32]>,
}

impl Keys {
    /// Uses the first 256 bits of each.
    pub(super) fn new(cipher: &[u8; 64], hmac: &[u8; 64]) -> Self {
        let mut keys = Self { cipher: Zeroizing::default(), hmac: Zeroizing::default() };
        keys.cipher.iter_mut().zip(cipher).for_each(|(to, from)| *to = *from);
        keys.hmac.iter_mut().zip(hmac).for_each(|(to, from)| *to = *from);
        keys
    }

    /// Encrypts. Returns the tag over `associated` and plaintext, and the ciphertext.
    fn seal(&self, associated: &[&[u8]], plaintext: &[u8]) -> ([u8; TAG_BYTES], Vec<u8>) {
        let tag = self.tag(associated, plaintext).finalize().into_bytes().into();
        (tag, self.apply_stream(&tag, plaintext))
    }

    /// Decrypts and verifies the tag.
    pub(super) fn open(
        &self,
        associated: &[&[u8]],
        tag: &[u8; TAG_BYTES],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, WrapError> {
        let plaintext = Zeroizing::new(self.apply_stream(tag, ciphertext));
        let expected = self.tag(associated, &plaintext);
        expected.verify_slice(tag).map_err(|_| WrapError::Forged)?;
        Ok(plaintext)
    }

    fn tag(&self, associated: &[&[u8]], plaintext: &[u8]) -> Hmac<Sha256> {
        // HMAC pads the 32-byte key to the hash's block of 64 bytes.
        let mut block = Zeroizing::new([0; 64]);
        block.iter_mut().zip(self.hmac.iter()).for_each(|(to, from)| *to = *from);
        let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new((&*block).into());
        associated.iter().for_each(|part| mac.update(part));
        mac.update(plaintext);
        mac
    }

    fn apply_stream(&self, tag: &[u8; TAG_BYTES], bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let mut counter = [0; 16];
        counter.iter_mut().zip(tag).for_each(|(to, from)| *to = *from);
        Ctr128BE::<Aes256>::new((&*self.cipher).into(), &counter.into())
            .apply_keystream(&mut bytes);
        bytes
    }
}
