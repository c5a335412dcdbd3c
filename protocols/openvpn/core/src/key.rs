//! Keys: as userspace gives them, and as they are kept in a slot.

use core::num::NonZeroU64;

use alloc::boxed::Box;
use nic_crypto::{AeadKey, NONCE_LEN, Suite};
use nic_engine::{Instant, NoMemory};
use nic_memory::{Shared, boxed};
use zeroize::Zeroizing;

use crate::derivation::EpochSecret;
use crate::packet::{Format, MAX_KEY_ID};
use crate::receiver::{Freshness, Receiver};
use crate::sender::Sender;
use crate::usage::Failures;

/// A key for a slot.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    /// The id on its packets, at most [`MAX_KEY_ID`].
    pub key_id: u8,
    /// The AEAD.
    pub suite: Suite,
    /// The secrets.
    pub material: Material<'a>,
    /// The id on packets to the peer from here on; `None` leaves it.
    pub transmit_id: Option<u32>,
    /// The most packets that may be sealed with it, if fewer than its format and suite bear.
    pub packet_limit: Option<NonZeroU64>,
}

/// The secrets of a key, each way.
#[derive(Clone, Copy)]
pub enum Material<'a> {
    /// [`Format::Classic`]: a key, and what its nonces end with.
    Classic {
        /// For packets to the peer.
        seal: DirectionKey<'a>,
        /// For packets from the peer.
        open: DirectionKey<'a>,
    },
    /// [`Format::Epoch`]: the secret of the first epoch, 32 bytes whatever the suite.
    Epoch {
        /// For packets to the peer.
        seal: &'a [u8; 32],
        /// For packets from the peer.
        open: &'a [u8; 32],
    },
}

/// A key of one direction.
#[derive(Clone, Copy)]
pub struct DirectionKey<'a> {
    /// As long as the suite's keys are.
    pub key: &'a [u8],
    /// The last 8 bytes of every nonce.
    pub nonce_tail: &'a [u8; 8],
}

/// What is wrong with a key: the caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Its id is above [`MAX_KEY_ID`].
    BadKeyId,
    /// It is not as long as the suite's keys are.
    BadLength,
}

/// Why a key is not installed; the slot has what it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallKeyError {
    /// The peer is gone.
    NoPeer,
    /// The caller's fault: what is wrong with the key.
    BadKey(KeyError),
    /// The caller's fault: a transmit id of more than 24 bits.
    BadId,
    /// Memory ran out.
    NoMemory,
}

/// What is in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotInfo {
    /// The id on its packets.
    pub key_id: u8,
    /// The AEAD.
    pub suite: Suite,
    /// How its packets are laid out.
    pub format: Format,
}

/// A key of one direction and epoch, ready to use. Batches own the expanded key as well.
#[derive(Clone)]
pub(crate) struct PacketKey {
    pub(crate) aead: Shared<AeadKey>,
    iv: Zeroizing<[u8; NONCE_LEN]>,
}

impl PacketKey {
    /// A key whose nonces are `iv` XOR what identifies the packet, from the first byte on.
    #[inline(never)]
    pub(crate) fn new(
        suite: Suite,
        key: &[u8],
        iv: &[u8; NONCE_LEN],
    ) -> Result<Self, InstallKeyError> {
        let bad = InstallKeyError::BadKey(KeyError::BadLength);
        let aead = Shared::new(AeadKey::new(suite, key).map_err(|_| bad)?)?;
        Ok(Self { aead, iv: Zeroizing::new(*iv) })
    }

    /// A packet's nonce; `number` is what the packet says of itself: a packet id, or an epoch and a
    /// counter.
    pub(crate) fn nonce(&self, number: &[u8]) -> [u8; NONCE_LEN] {
        let mut nonce = *self.iv;
        for (byte, mask) in nonce.iter_mut().zip(number) {
            *byte ^= mask;
        }
        nonce
    }

    fn classic(suite: Suite, key: &DirectionKey<'_>) -> Result<Self, InstallKeyError> {
        let mut iv = Zeroizing::new([0; NONCE_LEN]);
        if let Some(tail) = iv.last_chunk_mut() {
            *tail = *key.nonce_tail;
        }
        Self::new(suite, key.key, &iv)
    }
}

/// What is in a slot: both directions of a key. On the heap, so that a peer without keys is small.
pub(crate) struct DataKey(Box<KeyState>);

/// Both directions.
pub(crate) struct KeyState {
    /// Tells keys apart that were in a slot one after the other.
    pub(crate) serial: u64,
    pub(crate) info: SlotInfo,
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
    /// What it failed to open, of all epochs.
    pub(crate) failures: Failures,
    /// Whether userspace knows that the end of its use is near.
    pub(crate) near_end: NearEnd,
}

/// Whether userspace knows that the end of a key's use is near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NearEnd {
    /// Nothing was noted.
    Unseen,
    /// It is to hear of it.
    ToTell,
    /// It has heard.
    Told,
}

impl DataKey {
    /// A key that has not been used.
    #[inline(never)]
    pub(crate) fn new(key: &Key<'_>, serial: u64) -> Result<Self, InstallKeyError> {
        if key.key_id > MAX_KEY_ID {
            return Err(InstallKeyError::BadKey(KeyError::BadKeyId));
        }
        let (suite, limit) = (key.suite, key.packet_limit);
        match key.material {
            Material::Classic { seal, open } => {
                let seal = PacketKey::classic(suite, &seal)?;
                let open = PacketKey::classic(suite, &open)?;
                Self::boxed(key, serial, Format::Classic, Sender::classic(seal, limit), open)
            }
            Material::Epoch { seal, open } => {
                let sender = Sender::epoch(&EpochSecret::new(seal), suite, limit)?;
                let secret = EpochSecret::new(open);
                let open = secret.key(suite)?;
                let mut made = Self::boxed(key, serial, Format::Epoch, sender, open)?;
                made.get_mut().receiver.begin_epochs(secret.next(), suite);
                Ok(made)
            }
        }
    }

    fn boxed(
        key: &Key<'_>,
        serial: u64,
        format: Format,
        sender: Sender,
        open: PacketKey,
    ) -> Result<Self, InstallKeyError> {
        let info = SlotInfo { key_id: key.key_id, suite: key.suite, format };
        let receiver = Receiver::new(open)?;
        let failures = Failures::NONE;
        let near_end = NearEnd::Unseen;
        let state = KeyState { serial, info, sender, receiver, failures, near_end };
        Ok(Self(boxed(state)?))
    }

    pub(crate) fn get(&self) -> &KeyState {
        &self.0
    }

    pub(crate) fn get_mut(&mut self) -> &mut KeyState {
        &mut self.0
    }
}

impl KeyState {
    /// Notes an authentic packet of the peer's.
    pub(crate) fn accept(&mut self, epoch: u16, counter: u64, now: Instant) -> bool {
        match self.receiver.accept(epoch, counter, now) {
            Freshness::Replayed => false,
            Freshness::New => true,
            Freshness::NewEpoch => {
                // The peer has moved on, and so do we.
                self.sender.follow(epoch);
                true
            }
        }
    }
}

impl From<NoMemory> for InstallKeyError {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}
