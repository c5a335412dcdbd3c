//! What we know about a peer: its handshake (control plane), and its sessions and timers (data
//! plane).

use core::time::Duration;

use nic_crypto::x25519::{PublicKey, SharedSecret};
use nic_engine::protocol::ReceiverId;
use nic_engine::{Instant, NoMemory};
use zeroize::Zeroizing;

use crate::cookie::CookieJar;
use crate::keypair::{Keypairs, Role};
use crate::message::{INITIATION_BYTES, Initiation};
use crate::noise::{HandshakeError, PROLOGUE, SentInitiation, SessionKeys};
use crate::timers::{TimerConstants, Timers};
use crate::timestamp::Timestamp;
use crate::{Control, Identity};

/// A peer's handshake. Belongs to the control lock.
pub struct PeerControl {
    pub(crate) public_key: PublicKey,
    pub(crate) preshared_key: Zeroizing<[u8; 32]>,
    /// The agreement of both static keys; `None` without an identity, or where the peer's key is no
    /// good.
    pub(crate) static_static: Option<SharedSecret>,
    /// Our initiation that waits for its response.
    pub(crate) pending: Option<PendingInitiation>,
    pub(crate) cookies: CookieJar,
    /// The greatest that an initiation of the peer carried.
    pub(crate) last_timestamp: Timestamp,
    /// When an initiation of the peer was answered last.
    pub(crate) last_answered: Option<Instant>,
    pub(crate) latest_handshake: Option<Duration>,
}

/// An initiation that waits for its response.
pub(crate) struct PendingInitiation {
    pub(crate) receiver: ReceiverId,
    state: SentInitiation,
}

/// A peer's sessions and timers. Belongs to the peer lock.
pub struct PeerData {
    pub(crate) keypairs: Keypairs,
    pub(crate) timers: Timers,
}

impl PeerControl {
    pub(crate) fn new(control: &Control, public_key: PublicKey, preshared_key: &[u8; 32]) -> Self {
        let mut peer = Self {
            public_key,
            preshared_key: Zeroizing::new(*preshared_key),
            static_static: None,
            pending: None,
            cookies: CookieJar::new(&public_key),
            last_timestamp: Timestamp::default(),
            last_answered: None,
            latest_handshake: None,
        };
        peer.agree(control.identity());
        peer
    }

    /// The peer's public key.
    pub fn public_key(&self) -> &[u8; 32] {
        &self.public_key.0
    }

    /// The pre-shared key, for the management interface alone; all zeros for none.
    pub fn preshared_key(&self) -> &[u8; 32] {
        &self.preshared_key
    }

    /// When a handshake with this peer completed last, since 1970-01-01 UTC.
    pub fn latest_handshake(&self) -> Option<Duration> {
        self.latest_handshake
    }

    /// Agrees on the static-static secret with a new identity of ours.
    pub(crate) fn agree(&mut self, identity: Option<&Identity>) {
        self.static_static = identity.and_then(|identity| identity.agree(&self.public_key));
    }

    /// Makes an initiation, its authenticators included. Also gives back the receiver of the one
    /// before, which is forgotten.
    pub(crate) fn initiate(
        &mut self,
        identity: &Identity,
        ephemeral: nic_crypto::x25519::StaticSecret,
        receiver: ReceiverId,
        timestamp: &Timestamp,
        now: Instant,
        constants: &TimerConstants,
    ) -> Result<([u8; INITIATION_BYTES], Option<ReceiverId>), HandshakeError> {
        let static_static = self.static_static.as_ref().ok_or(HandshakeError::LowOrderPoint)?;
        let mut message = Initiation {
            sender: receiver.0,
            ephemeral: [0; 32],
            sealed_static: [0; 48],
            sealed_timestamp: [0; 28],
        };
        let (state, ephemeral, sealed_static) = SentInitiation::initiate(
            PROLOGUE,
            identity,
            &self.public_key,
            static_static,
            ephemeral,
            timestamp.as_bytes(),
            &mut message.sealed_timestamp,
        )?;
        message.ephemeral = ephemeral.0;
        message.sealed_static = sealed_static;
        let mut datagram = message.emit();
        self.cookies.authenticate(&mut datagram, now, constants);
        let before = self.pending.replace(PendingInitiation { receiver, state });
        Ok((datagram, before.map(|pending| pending.receiver)))
    }

    /// Reads the response to our pending initiation, which is over if it is good.
    pub(crate) fn finish(
        &mut self,
        identity: &Identity,
        response: &crate::message::Response,
    ) -> Result<SessionKeys, HandshakeError> {
        let pending = self
            .pending
            .as_ref()
            .filter(|pending| pending.receiver.0 == response.receiver)
            .ok_or(HandshakeError::Forged)?;
        let keys = pending.state.finish(
            identity,
            &self.preshared_key,
            &PublicKey(response.ephemeral),
            &response.sealed_nothing,
            &mut [],
        )?;
        self.pending = None;
        Ok(keys)
    }

    /// Forgets our pending initiation; its receiver is to be given back.
    pub(crate) fn forget_pending(&mut self) -> Option<ReceiverId> {
        self.pending.take().map(|pending| pending.receiver)
    }
}

impl PeerData {
    pub(crate) fn new(constants: TimerConstants) -> Result<Self, NoMemory> {
        Ok(Self { keypairs: Keypairs::new()?, timers: Timers::new(constants) })
    }

    /// The interval of persistent keepalives.
    pub fn persistent_keepalive(&self) -> Option<Duration> {
        self.timers.persistent_keepalive()
    }

    /// The age of the session by which we send, where we began it and it receives by this receiver.
    pub(crate) fn own_session_age(&self, receiver: ReceiverId, now: Instant) -> Option<Duration> {
        self.keypairs
            .current()
            .filter(|current| current.local == receiver && current.role == Role::Initiator)
            .map(|current| now.since(current.created))
    }
}
