//! Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s (Noise revision 34; WireGuard paper, section 5.4), one
//! type for each step.
//!
//! ```text
//!   <- s
//!   ...
//!   -> e, es, s, ss      initiate            identify, authenticate
//!   <- e, ee, se, psk    finish              respond
//! ```
//!
//! Prologue and payloads are arguments, so that Noise's own test vectors run through the code that
//! WireGuard uses. Each key seals one message only, hence the nonce is always zero.

use nic_crypto::blake2s;
use nic_crypto::x25519::{self, PublicKey, SharedSecret, StaticSecret};
use nic_crypto::{AeadKey, NONCE_LEN, Open, Seal, Suite, TAG_LEN, Tier, chacha20poly1305};
use zeroize::Zeroizing;

use crate::Identity;

/// The prologue that WireGuard puts into the transcript.
pub const PROLOGUE: &[u8] = b"WireGuard v1 zx2c4 Jason@zx2c4.com";

const PROTOCOL_NAME: &[u8] = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";

/// Why a handshake can't go on. Nothing was changed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// A public key of the peer contributes nothing to the shared secret.
    LowOrderPoint,
    /// The peer's message fails authentication.
    Forged,
    /// A buffer of ours has the wrong length.
    Length,
}

/// A session's two keys.
pub struct SessionKeys {
    /// For what we send.
    pub send: SessionKey,
    /// For what we receive.
    pub receive: SessionKey,
}

/// One direction's key, zeroized on drop.
#[derive(Clone)]
pub struct SessionKey(Zeroizing<[u8; 32]>);

impl SessionKey {
    /// Seals every packet of a batch.
    pub fn seal(&self, tier: Tier<'_>, packets: &mut [Seal<'_>]) {
        chacha20poly1305::seal(&self.0, tier, packets);
    }

    /// Opens every packet of a batch.
    pub fn open(&self, tier: Tier<'_>, packets: &mut [Open<'_>]) {
        chacha20poly1305::open(&self.0, tier, packets);
    }
}

/// The initiator's state after the first message.
pub struct SentInitiation {
    symmetric: SymmetricState,
    ephemeral: StaticSecret,
}

impl SentInitiation {
    /// Writes the first message: our ephemeral key, our static key sealed, and the payload sealed.
    ///
    /// `static_static` is the precomputed agreement of both static keys; `sealed_payload` is 16
    /// bytes longer than `payload`.
    pub fn initiate(
        prologue: &[u8],
        identity: &Identity,
        remote: &PublicKey,
        static_static: &SharedSecret,
        ephemeral: StaticSecret,
        payload: &[u8],
        sealed_payload: &mut [u8],
    ) -> Result<(Self, PublicKey, [u8; 32 + TAG_LEN]), HandshakeError> {
        let mut symmetric = SymmetricState::new(prologue, remote);
        let ephemeral_public = x25519::public_key(&ephemeral);
        symmetric.mix_ephemeral(&ephemeral_public);
        let key = symmetric.mix_key(agree(&ephemeral, remote)?.as_bytes());
        let mut sealed_static = [0; 32 + TAG_LEN];
        symmetric.seal(&key, identity.public_key().as_bytes(), &mut sealed_static)?;
        let key = symmetric.mix_key(static_static.as_bytes());
        symmetric.seal(&key, payload, sealed_payload)?;
        Ok((Self { symmetric, ephemeral }, ephemeral_public, sealed_static))
    }

    /// Reads the second message. The state stays as it is, so that a forged answer doesn't spoil a
    /// good one.
    pub fn finish(
        &self,
        identity: &Identity,
        preshared_key: &[u8; 32],
        remote_ephemeral: &PublicKey,
        sealed_payload: &[u8],
        payload: &mut [u8],
    ) -> Result<SessionKeys, HandshakeError> {
        let mut symmetric = self.symmetric.clone();
        symmetric.mix_ephemeral(remote_ephemeral);
        symmetric.mix_key(agree(&self.ephemeral, remote_ephemeral)?.as_bytes());
        let shared = identity.agree(remote_ephemeral).ok_or(HandshakeError::LowOrderPoint)?;
        symmetric.mix_key(shared.as_bytes());
        let key = symmetric.mix_key_and_hash(preshared_key);
        symmetric.open(&key, sealed_payload, payload)?;
        let (send, receive) = symmetric.split();
        Ok(SessionKeys { send, receive })
    }
}

/// The responder's state once it knows who the first message claims to be from.
pub struct IdentifiedInitiation {
    symmetric: SymmetricState,
    remote: PublicKey,
    remote_ephemeral: PublicKey,
}

impl IdentifiedInitiation {
    /// Reads the first half of the first message. Costs one agreement.
    pub fn identify(
        prologue: &[u8],
        identity: &Identity,
        remote_ephemeral: &PublicKey,
        sealed_static: &[u8; 32 + TAG_LEN],
    ) -> Result<Self, HandshakeError> {
        let mut symmetric = SymmetricState::new(prologue, identity.public_key());
        symmetric.mix_ephemeral(remote_ephemeral);
        let shared = identity.agree(remote_ephemeral).ok_or(HandshakeError::LowOrderPoint)?;
        let key = symmetric.mix_key(shared.as_bytes());
        let mut remote = PublicKey::default();
        symmetric.open(&key, sealed_static, &mut remote.0)?;
        Ok(Self { symmetric, remote, remote_ephemeral: *remote_ephemeral })
    }

    /// Who it claims to be from.
    pub fn remote(&self) -> &PublicKey {
        &self.remote
    }

    /// Reads the second half. After this it is proven who sent it, but not when.
    pub fn authenticate(
        mut self,
        static_static: &SharedSecret,
        sealed_payload: &[u8],
        payload: &mut [u8],
    ) -> Result<ReceivedInitiation, HandshakeError> {
        let key = self.symmetric.mix_key(static_static.as_bytes());
        self.symmetric.open(&key, sealed_payload, payload)?;
        Ok(ReceivedInitiation {
            symmetric: self.symmetric,
            remote: self.remote,
            remote_ephemeral: self.remote_ephemeral,
        })
    }
}

/// The responder's state after the first message.
pub struct ReceivedInitiation {
    symmetric: SymmetricState,
    remote: PublicKey,
    remote_ephemeral: PublicKey,
}

impl ReceivedInitiation {
    /// Writes the second message: our ephemeral key, and the payload sealed.
    pub fn respond(
        mut self,
        preshared_key: &[u8; 32],
        ephemeral: &StaticSecret,
        payload: &[u8],
        sealed_payload: &mut [u8],
    ) -> Result<(PublicKey, SessionKeys), HandshakeError> {
        let symmetric = &mut self.symmetric;
        let ephemeral_public = x25519::public_key(ephemeral);
        symmetric.mix_ephemeral(&ephemeral_public);
        symmetric.mix_key(agree(ephemeral, &self.remote_ephemeral)?.as_bytes());
        symmetric.mix_key(agree(ephemeral, &self.remote)?.as_bytes());
        let key = symmetric.mix_key_and_hash(preshared_key);
        symmetric.seal(&key, payload, sealed_payload)?;
        let (receive, send) = symmetric.split();
        Ok((ephemeral_public, SessionKeys { send, receive }))
    }
}

/// Noise's SymmetricState: chaining key and transcript hash, zeroized on drop.
#[derive(Clone)]
struct SymmetricState {
    chaining_key: Zeroizing<[u8; 32]>,
    hash: Zeroizing<[u8; 32]>,
}

impl SymmetricState {
    fn new(prologue: &[u8], responder: &PublicKey) -> Self {
        let name = blake2s::hash(&[PROTOCOL_NAME]);
        let mut state = Self { chaining_key: Zeroizing::new(name), hash: Zeroizing::new(name) };
        state.mix_hash(prologue);
        state.mix_hash(responder.as_bytes());
        state
    }

    fn mix_hash(&mut self, data: &[u8]) {
        *self.hash = blake2s::hash(&[self.hash.as_slice(), data]);
    }

    /// The token `e` of a handshake with a pre-shared key (Noise, section 9.2).
    fn mix_ephemeral(&mut self, ephemeral: &PublicKey) {
        self.mix_hash(ephemeral.as_bytes());
        *self.chaining_key = blake2s::hkdf1(&self.chaining_key, ephemeral.as_bytes());
    }

    fn mix_key(&mut self, secret: &[u8; 32]) -> MessageKey {
        let outputs = Zeroizing::new(blake2s::hkdf2(&self.chaining_key, secret));
        let [chaining_key, key] = &*outputs;
        *self.chaining_key = *chaining_key;
        Zeroizing::new(*key)
    }

    fn mix_key_and_hash(&mut self, secret: &[u8; 32]) -> MessageKey {
        let outputs = Zeroizing::new(blake2s::hkdf3(&self.chaining_key, secret));
        let [chaining_key, hash, key] = &*outputs;
        *self.chaining_key = *chaining_key;
        self.mix_hash(hash);
        Zeroizing::new(*key)
    }

    fn seal(
        &mut self,
        key: &MessageKey,
        text: &[u8],
        sealed: &mut [u8],
    ) -> Result<(), HandshakeError> {
        let (front, tag) =
            sealed.split_last_chunk_mut::<TAG_LEN>().ok_or(HandshakeError::Length)?;
        if front.len() != text.len() {
            return Err(HandshakeError::Length);
        }
        front.copy_from_slice(text);
        *tag = message_aead(key)?
            .seal_one(&[0; NONCE_LEN], self.hash.as_slice(), front)
            .map_err(|_| HandshakeError::Length)?;
        self.mix_hash(sealed);
        Ok(())
    }

    fn open(
        &mut self,
        key: &MessageKey,
        sealed: &[u8],
        text: &mut [u8],
    ) -> Result<(), HandshakeError> {
        let (front, tag) = sealed.split_last_chunk::<TAG_LEN>().ok_or(HandshakeError::Length)?;
        if front.len() != text.len() {
            return Err(HandshakeError::Length);
        }
        text.copy_from_slice(front);
        message_aead(key)?
            .open_one(&[0; NONCE_LEN], self.hash.as_slice(), text, tag)
            .map_err(|_| HandshakeError::Forged)?;
        self.mix_hash(sealed);
        Ok(())
    }

    /// The initiator's sending key, then the responder's.
    fn split(&self) -> (SessionKey, SessionKey) {
        let [first, second] = blake2s::hkdf2(&self.chaining_key, &[]);
        (SessionKey(Zeroizing::new(first)), SessionKey(Zeroizing::new(second)))
    }
}

type MessageKey = Zeroizing<[u8; 32]>;

fn message_aead(key: &MessageKey) -> Result<AeadKey, HandshakeError> {
    AeadKey::new(Suite::ChaCha20Poly1305, key.as_slice()).map_err(|_| HandshakeError::Length)
}

fn agree(secret: &StaticSecret, public: &PublicKey) -> Result<SharedSecret, HandshakeError> {
    x25519::diffie_hellman(secret, public).ok_or(HandshakeError::LowOrderPoint)
}
